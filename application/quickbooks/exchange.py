"""One request and its whole answer: nothing is sent twice, nothing half read counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx2

from application.catalogue import Stop
from application.invoices.model import Kind
from application.invoices.outcomes import Passing, Refused, Unknown
from application.quickbooks import wire
from application.quickbooks.answers import Answer
from application.quickbooks.throttle import Permit, Throttle, Use
from application.quickbooks.transport import Broken, answer_of, deadline, move_deadline
from application.world import Gate, World

_MS_A_SECOND = 1000
_UNAUTHORIZED = 401


class NoTrace(Exception):
    """The transport reports no `trace` events, so an attempt could not be made durable first."""


class _TooLate(Exception):
    """Writing the attempt took so long that the request must not leave any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each part of a call may take, in milliseconds."""

    read_ms: int  # last byte sent to last byte received
    connect_ms: int
    check_to_send_ms: int  # written attempt to last byte sent


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the company's address."""

    method: str
    path: str
    use: Use
    query: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    about_to_send: Callable[[], None] | None = None


class Exchange:
    """Carries calls of one company.

    Args:
        world: Clock and gates.
        company: Address of the company, with a slash at its end.
        transport: The road; it reports httpcore's `trace` events.
        throttle: The company's limits.
        limits: Time limits.
        access_token: Gives a token that outlasts a request; may raise Stop.
        fresh_token: Gives another one after a 401; may raise Stop.
    """

    def __init__(
        self,
        *,
        world: World,
        company: str,
        transport: httpx2.BaseTransport,
        throttle: Throttle,
        limits: Limits,
        access_token: Callable[[], str],
        fresh_token: Callable[[str], str],
    ) -> None:
        self._world = world
        self._company = company
        self._transport = transport
        self._throttle = throttle
        self._limits = limits
        self._access_token = access_token
        self._fresh_token = fresh_token

    def carry(self, call: Call, *, permit: Permit | None = None) -> Answer | Refused | Unknown:
        """Return the answer; after a 401 the same bytes go once more under a fresh token.

        Returns:
            The complete answer; `Refused` when no byte left us or the sign-in is lost; `Unknown`
            when the answer was.

        Raises:
            Stop: From the call's `about_to_send`, the first token or the wait for a permit.
        """
        token, answer = self._attempt(call, permit=permit, token=self._access_token)
        if not _wants_sign_in(answer):
            return answer
        try:
            fresh = self._fresh_token(token)
        except Stop as stop:
            # The request itself was answered: it is known not to be in QuickBooks.
            return Refused(cause=stop.cause, passing=Passing.STOP)
        _, answer = self._attempt(call, permit=None, token=lambda: fresh)
        if _wants_sign_in(answer):
            return Refused(cause="authentication_failed", passing=Passing.STOP)
        return answer

    def _attempt(
        self, call: Call, *, permit: Permit | None, token: Callable[[], str]
    ) -> tuple[str, Answer | Refused | Unknown]:
        taken = permit or self._throttle.acquire(call.use)
        try:
            self._world.gate(Gate.SEND_PERMIT)
            chosen = token()
            self._world.gate(Gate.SEND_TOKEN)
            return chosen, self._once(call, token=chosen, permit=taken)
        finally:
            taken.give_back()

    def _once(self, call: Call, *, token: str, permit: Permit) -> Answer | Refused | Unknown:
        trip = _Trip(world=self._world, call=call, permit=permit, limits=self._limits)
        request = self._request(call, token=token, trip=trip)
        try:
            with deadline(self._world.clock.since_boot_ms() + self._limits.connect_ms):
                response = self._transport.handle_request(request)
                if not trip.leaving:
                    raise NoTrace
                try:
                    answer = answer_of(response)
                finally:
                    response.close()
        except _TooLate:
            return _not_sent()
        except Broken as broken:
            return Unknown(why=broken.why)
        except httpx2.HTTPError as error:
            return Unknown(why=_why(error)) if trip.leaving else _not_sent()
        self._world.gate(Gate.ANSWER_BODY)
        return answer

    def _request(self, call: Call, *, token: str, trip: "_Trip") -> httpx2.Request:
        query = {"minorversion": wire.MINOR_VERSION, **call.query}
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "feebridge",
        }
        if call.content is not None:
            headers["Content-Type"] = "application/json"
        return httpx2.Request(
            call.method,
            f"{self._company}{call.path}?{text}",
            headers=headers,
            content=call.content,
            extensions={
                "trace": trip.step,
                # Only the queue for a connection; all else ends at the call's deadline.
                "timeout": {"pool": self._limits.connect_ms / _MS_A_SECOND},
            },
        )


class _Trip:
    """Follows one request through the connection's own steps."""

    def __init__(self, *, world: World, call: Call, permit: Permit, limits: Limits) -> None:
        self._world = world
        self._call = call
        self._permit = permit
        self._limits = limits
        self.leaving = False  # from here on nobody can say that nothing was sent

    def step(self, name: str, _details: Mapping[str, object]) -> None:
        """Take part in a step of the connection; raising in the first one sends nothing."""
        match name.removeprefix("http11."):
            case "send_request_headers.started":
                self._leave()
            case "send_request_headers.complete":
                self._world.gate(Gate.SEND_HEADERS)
            case "send_request_body.complete":
                move_deadline(self._world.clock.since_boot_ms() + self._limits.read_ms)
                self._world.gate(Gate.SEND_BODY)
                if self._call.use is Use.BUNDLE:
                    self._world.gate(Gate.BUNDLE_SENT)
            case "receive_response_headers.complete":
                self._world.gate(Gate.ANSWER_HEAD)
            case _:
                pass

    def _leave(self) -> None:
        self._world.gate(Gate.SEND_CONNECTED)
        begun_ms = self._world.clock.since_boot_ms()
        if self._call.about_to_send is not None:
            self._call.about_to_send()
        until_ms = begun_ms + self._limits.check_to_send_ms
        if self._world.clock.since_boot_ms() > until_ms:
            raise _TooLate
        move_deadline(until_ms)
        self._permit.sent()
        self.leaving = True


def _wants_sign_in(answer: Answer | Refused | Unknown) -> bool:
    if not isinstance(answer, Answer) or answer.status != _UNAUTHORIZED:
        return False
    outcome = wire.judge(answer, kind=Kind.INVOICE)  # a 401 means the same for every call
    return isinstance(outcome, Refused) and outcome.passing is Passing.SIGN_IN


def _not_sent() -> Refused:
    return Refused(cause="quickbooks_unavailable", passing=Passing.NOT_SENT)


def _why(error: httpx2.HTTPError) -> str:
    match error:
        case httpx2.TimeoutException():
            return "time_out"
        case httpx2.ProtocolError():
            return "cut"
        case _:
            return "reset"
