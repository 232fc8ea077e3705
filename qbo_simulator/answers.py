"""The bodies QuickBooks sends: envelopes, gateway faults, XML, pages of a broken gateway."""

from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from qbo_simulator.clock import envelope_time
from qbo_simulator.codec import Thing, encode
from qbo_simulator.messages import PLAIN_JSON, Reply
from qbo_simulator.refusals import Refusal

XML: Final = "application/xml"
HTML_404: Final = b"<html><head><title>404 Not Found</title></head><body>Not Found</body></html>"
HTML_5XX: Final = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
SUCCESS_HEADERS: Final = (
    ("Cache-Control", "max-age=0, no-cache, no-store, must-revalidate, private"),
    ("Qbo-Version", "1995.144"),
    ("Service-Time", "total=41, db=12"),
)
BEARER: Final = ("Www-Authenticate", 'Bearer realm="Intuit", error="invalid_token"')


def enveloped(entity: str, body: bytes, *, now: datetime) -> tuple[bytes, ...]:
    """Return the parts of a success body; the object's own bytes are shared, not copied."""
    return (
        b'{"' + entity.encode() + b'":',
        body,
        b',"time":"' + envelope_time(now).encode() + b'"}',
    )


def success(body: bytes, *, chunked: bool) -> Reply:
    """Return a 200 with the headers QuickBooks sends."""
    return Reply(200, body, headers=list(SUCCESS_HEADERS), chunked=chunked)


def refused(refusal: Refusal, *, now: datetime) -> Reply:
    """Return an ordinary fault."""
    body = encode({"Fault": refusal.fault(), "time": envelope_time(now)})
    return Reply(refusal.status, body, content_type=PLAIN_JSON)


class GatewayRefusal(Exception):
    """Refused before QuickBooks itself saw the request: 401, 403, 429."""

    def __init__(self, status: int, code: str, *, name: str, detail: str | None) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.name = name
        self.detail = detail

    @property
    def message(self) -> str:
        """The text inside the envelope."""
        return f"message={self.name}; errorCode=00{self.code}; statusCode={self.status}"

    @property
    def fault_type(self) -> str:
        """AUTHENTICATION for a token that is no good, SERVICE for the rest."""
        return "AUTHENTICATION" if self.status == 401 else "SERVICE"  # noqa: PLR2004  # the status

    def reply(self, *, now: datetime, xml: bool) -> Reply:
        """Return the answer in one of its two forms."""
        headers = [BEARER] if self.status == 401 else []  # noqa: PLR2004  # the status itself
        if xml:
            return Reply(self.status, self._xml(now), content_type=XML, headers=headers)
        error = {
            "message": self.message,
            "detail": self.detail,
            "code": self.code,
            "element": None,
        }
        body: Thing = {
            "warnings": None,
            "intuitObject": None,
            "fault": {"error": [error], "type": self.fault_type},
            "report": None,
            "queryResponse": None,
            "batchItemResponse": [],
            "attachableResponse": [],
            "syncErrorResponse": None,
            "requestId": None,
            "time": int(now.timestamp() * 1000),
            "status": None,
            "cdcresponse": [],
        }
        return Reply(self.status, encode(body), content_type=PLAIN_JSON, headers=headers)

    def _xml(self, now: datetime) -> bytes:
        detail = f"<Detail>{escape(self.detail)}</Detail>" if self.detail else ""
        return (
            f'<IntuitResponse time="{envelope_time(now)}" '
            'xmlns="http://schema.intuit.com/finance/v3">'
            f'<Fault type="{self.fault_type}"><Error code="00{self.code}"><Message>{self.message}'
            f"</Message>{detail}</Error></Fault></IntuitResponse>"
        ).encode()


def unauthorized(detail: str) -> GatewayRefusal:
    """401, 3200: the token is expired, malformed or revoked."""
    return GatewayRefusal(401, "3200", name="AuthenticationFailed", detail=detail)


def token_missing() -> GatewayRefusal:
    """401, 3202: no Authorization header."""
    return GatewayRefusal(401, "3202", name="EmptyField", detail="Access token is missing")


def forbidden() -> GatewayRefusal:
    """403, 3100: the token is good for another company or environment."""
    return GatewayRefusal(403, "3100", name="AuthorizationFailed", detail=None)


def throttled() -> GatewayRefusal:
    """429, 3001."""
    text = "The request limit was reached.  Try again later"
    return GatewayRefusal(429, "3001", name="ThrottleExceeded", detail=text)


def system_failure() -> Refusal:
    """500, 10000."""
    return Refusal(
        "10000",
        "An application error has occurred while processing your request",
        "System Failure Error: Unexpected internal error. Please try again later.",
        element="",
        status=500,
        fault_type="SystemFault",
    )


def broken_gateway(status: int) -> Reply:
    """Return nginx' own page, or the 404 of a load balancer."""
    titles = {
        502: "502 Bad Gateway",
        503: "503 Service Temporarily Unavailable",
        504: "504 Gateway Time-out",
    }
    if status not in titles:
        return Reply(status, HTML_404, content_type="text/html")
    return Reply(status, HTML_5XX.format(titles[status]).encode(), content_type="text/html")


def stream_timeout() -> Reply:
    """Return the bare text of an edge proxy."""
    return Reply(504, b"stream timeout", content_type="text/plain")


def as_xml(entity: str, whole: Thing | None, *, now: datetime) -> Reply:
    """Return the envelope a client gets that did not ask for JSON."""
    inner = ""
    if whole is not None:
        fields = "".join(
            f"<{name}>{escape(str(whole[name]))}</{name}>"
            for name in ("Id", "SyncToken", "DocNumber", "TotalAmt", "DisplayName", "Name")
            if name in whole
        )
        inner = f'<{entity} domain="QBO" sparse="false">{fields}</{entity}>'
    body = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        '<IntuitResponse xmlns="http://schema.intuit.com/finance/v3" '
        f'time="{envelope_time(now)}">{inner}</IntuitResponse>'
    )
    return Reply(200, body.encode(), content_type="application/xml;charset=utf-8")
