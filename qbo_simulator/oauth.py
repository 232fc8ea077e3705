"""Sign-in as Intuit does it: consent, single-use codes, rotating refresh tokens, revocation."""

import base64
import binascii
import hashlib
import random
import re
from dataclasses import asdict, dataclass
from html import escape
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from qbo_simulator.clock import Clock
from qbo_simulator.codec import NotJson, Thing, encode, thing
from qbo_simulator.keeping import Keeper
from qbo_simulator.knobs import Knobs
from qbo_simulator.messages import PLAIN_JSON, Reply, Request

CLIENT_ID: Final = "ABsimulatorClientIdForDemonstrationOnly0001"
CLIENT_SECRET: Final = "simulator-client-secret-not-a-real-one"  # noqa: S105  # published on purpose
SCOPES: Final = frozenset(
    {
        "com.intuit.quickbooks.accounting",
        "com.intuit.quickbooks.payment",
        "openid",
        "profile",
        "email",
        "phone",
        "address",
    }
)
ACCESS_LIFE_S: Final = 3600
REFRESH_LIFE_S: Final = 8_726_400
HARD_LIFE_S: Final = 157_680_000
CODE_LIFE_S: Final = 600
DAY_S: Final = 86_400
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
PLAYGROUND: Final = "https://developer.intuit.com/v2/OAuth2Playground/RedirectUrl"
# Source: RFC 7636, sections 4.1 and 4.2: what a verifier and its S256 challenge look like.
CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(slots=True)
class Access:
    """An access token's meaning."""

    realm_id: str
    environment: str
    grant: str
    ends_s: float


@dataclass(slots=True)
class Refresh:
    """A refresh token's meaning."""

    realm_id: str
    environment: str
    grant: str
    issued_s: float
    ends_s: float
    hard_end_s: float
    rotated_s: float | None = None


@dataclass(slots=True)
class Code:
    """An authorization code's meaning."""

    realm_id: str
    redirect_uri: str
    ends_s: float
    challenge: str = ""  # of PKCE; "" when none was sent


class OAuth:
    """The app, its grants and their tokens."""

    def __init__(
        self, *, clock: Clock, chance: random.Random, knobs: Knobs, keeper: Keeper, environment: str
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._knobs = knobs
        self._keeper = keeper
        self.environment = environment
        self.redirect_uris: set[str] = {PLAYGROUND}
        self.companies: dict[str, str] = {}
        self._access: dict[str, Access] = {}
        self._refresh: dict[str, Refresh] = {}
        self._codes: dict[str, Code] = {}
        for _, name, value in keeper.each("access"):
            self._access[name] = Access(**_numbers(thing(value)))
        for _, name, value in keeper.each("refresh"):
            self._refresh[name] = Refresh(**_numbers(thing(value)))

    # --- tokens -------------------------------------------------------------------------------

    def issue(self, realm_id: str, *, environment: str | None = None) -> Thing:
        """Return a fresh pair under a new grant, as if a person had consented just now."""
        now_s = self._clock.virtual_s()
        grant = self._drawn(12)
        place = environment or self.environment
        refresh = self._new_refresh(realm_id, place, grant, hard_end_s=now_s + HARD_LIFE_S)
        return self._pair(refresh, realm_id=realm_id)

    def meaning(self, token: str) -> Access | None:
        """Return what an access token opens, None when it is unknown or over."""
        access = self._access.get(token)
        if access is None or self._clock.virtual_s() >= access.ends_s:
            return None
        return access

    def expire(self, realm_id: str | None) -> int:
        """Let all access tokens of a company die now; return how many."""
        dead = [t for t, one in self._access.items() if realm_id in {None, one.realm_id}]
        for token in dead:
            self._drop_access(token)
        return len(dead)

    def end(self, realm_id: str | None) -> None:
        """End the grants of a company, as when a person disconnects the app."""
        self.expire(realm_id)
        for token, one in list(self._refresh.items()):
            if realm_id in {None, one.realm_id}:
                self._drop_refresh(token)

    def grants(self) -> int:
        """Return how many sign-ins could still be renewed."""
        now_s = self._clock.virtual_s()
        return len({one.grant for one in self._refresh.values() if now_s < one.ends_s})

    # --- pages and endpoints --------------------------------------------------------------------

    def authorize(self, request: Request) -> Reply:
        """Answer the consent address: an error page, a redirect, or the page with two buttons."""
        asked = request.options
        uri = asked.get("redirect_uri", "")
        wrong = self._page_error(asked, uri)
        if wrong is not None:
            return _page(wrong, status=400)
        state = asked["state"]
        scopes = asked.get("scope", "").split()
        if not scopes or not set(scopes) <= SCOPES:
            return _redirect(uri, {"error": "invalid_scope", "state": state})
        if asked.get("response_type") != "code":
            return _redirect(uri, {"error": "unsupported_response_type", "state": state})
        if not _challenge_ok(asked):
            return _redirect(uri, {"error": "invalid_request", "state": state})
        return self._chosen(asked)

    def _page_error(self, asked: dict[str, str], uri: str) -> str | None:
        """Return why this may not even redirect: nobody trustworthy is at the other end."""
        if asked.get("client_id") != CLIENT_ID:
            return "The client id is not known."
        if not self._registered(uri):
            return "The redirect_uri query parameter value is invalid."
        if not asked.get("state"):
            return "The state query parameter is required."
        return None

    def token(self, request: Request) -> Reply:
        """Answer the token address."""
        now_s = self._clock.virtual_s()
        if not _basic_ok(request):
            return _error("invalid_client", status=401)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            return _error("invalid_request")
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        opted = request.headers.get("x-include-refresh-token-hard-expires-in") == "true"
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form, now_s=now_s, opted=opted)
            case "refresh_token":
                return self._rotate(form.get("refresh_token", ""), now_s=now_s, opted=opted)
            case None:
                return _error("invalid_request")
            case _:
                return _error("unsupported_grant_type")

    def revoke(self, request: Request) -> Reply:
        """Answer the revocation address: both tokens of the grant die."""
        if not _basic_ok(request):
            return _error("invalid_client", status=401)
        try:
            token = str(thing(request.body).get("token", ""))
        except NotJson:
            form = parse_qs(request.body.decode("utf-8", "replace"))
            token = form.get("token", [""])[0]
        found = self._access.get(token) or self._refresh.get(token)
        if found is None:
            return _error("invalid_token")
        for name, access in list(self._access.items()):
            if access.grant == found.grant:
                self._drop_access(name)
        for name, refresh in list(self._refresh.items()):
            if refresh.grant == found.grant:
                self._drop_refresh(name)
        return Reply(200, b"", content_type=PLAIN_JSON)

    def discovery(self, request: Request) -> Reply:
        """Answer the discovery document, with this process' own addresses."""
        base = f"http://{request.headers.get('host', '127.0.0.1')}"
        document = {
            "issuer": "https://oauth.platform.intuit.com/op/v1",
            "authorization_endpoint": f"{base}/connect/oauth2",
            "token_endpoint": f"{base}/oauth2/v1/tokens/bearer",
            "userinfo_endpoint": f"{base}/v1/openid_connect/userinfo",
            "revocation_endpoint": f"{base}/v2/oauth2/tokens/revoke",
            "jwks_uri": f"{base}/op/v1/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile", "address", "phone"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
        }
        return Reply(200, encode(document))

    # --- inside ---------------------------------------------------------------------------------

    def _registered(self, uri: str) -> bool:
        parts = urlsplit(uri)
        local = parts.scheme == "http" and (parts.hostname or "") in LOOPBACK
        return local or uri in self.redirect_uris

    def _chosen(self, asked: dict[str, str]) -> Reply:
        """Return what a person answered leads to; before that, the page with two buttons."""
        realm_id = asked.get("realm") or next(iter(self.companies))
        if asked.get("auto") == "deny":
            values = {"error": "access_denied", "state": asked["state"]}
            return _redirect(asked["redirect_uri"], values)
        if asked.get("auto") == "approve":
            return self._approve(asked, realm_id=realm_id)
        return self._consent(asked, realm_id=realm_id)

    def _approve(self, asked: dict[str, str], *, realm_id: str) -> Reply:
        uri = asked["redirect_uri"]
        code = self._drawn(48)
        ends_s = self._clock.virtual_s() + CODE_LIFE_S
        self._codes[code] = Code(realm_id, uri, ends_s, asked.get("code_challenge", ""))
        return _redirect(uri, {"code": code, "state": asked["state"], "realmId": realm_id})

    def _consent(self, asked: dict[str, str], *, realm_id: str) -> Reply:
        company = escape(self.companies.get(realm_id, realm_id))
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in (asked | {"realm": realm_id}).items()
        )
        forms = "".join(
            f'<form method="get" action="/connect/oauth2">{hidden}'
            f'<button name="auto" value="{answer}">{label}</button></form>'
            for answer, label in (("approve", "Approve"), ("deny", "Cancel"))
        )
        return _page(
            f"Connect the application to the simulated company <b>{company}</b>?{forms}", status=200
        )

    def _exchange(self, form: dict[str, str], *, now_s: float, opted: bool) -> Reply:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or now_s >= code.ends_s:
            return _error("invalid_grant", description="Token invalid")
        if code.redirect_uri != form.get("redirect_uri"):
            return _error("invalid_grant", description="Invalid redirect uri")
        if not _verifier_ok(form.get("code_verifier", ""), challenge=code.challenge):
            return _error("invalid_grant", description="Invalid code verifier")
        answer = self.issue(code.realm_id)
        if opted:
            answer["x_refresh_token_hard_expires_in"] = HARD_LIFE_S
        return _tokens(answer)

    def _rotate(self, token: str, *, now_s: float, opted: bool) -> Reply:
        old = self._refresh.get(token)
        if old is None or now_s >= min(old.ends_s, old.hard_end_s):
            return self._stale()
        if old.rotated_s is not None and now_s - old.rotated_s >= self._knobs.refresh_grace_s:
            return self._stale()
        fresh = token
        same_day = self._knobs.refresh_rotation == "daily" and now_s - old.issued_s < DAY_S
        if not same_day:
            fresh = self._new_refresh(
                old.realm_id, old.environment, old.grant, hard_end_s=old.hard_end_s
            )
            self._retire(token, now_s=now_s)
        answer = self._pair(fresh, realm_id=old.realm_id)
        if opted:
            answer["x_refresh_token_hard_expires_in"] = int(old.hard_end_s - now_s)
        return _tokens(answer)

    def _stale(self) -> Reply:
        return _error("invalid_grant", description="Incorrect or invalid refresh token")

    def _retire(self, token: str, *, now_s: float) -> None:
        if self._knobs.refresh_grace_s <= 0:
            self._drop_refresh(token)
            return
        self._refresh[token].rotated_s = now_s
        self._keeper.put(
            "refresh", realm="", name=token, value=encode(asdict(self._refresh[token]))
        )

    def _new_refresh(
        self, realm_id: str, environment: str, grant: str, *, hard_end_s: float
    ) -> str:
        now_s = self._clock.virtual_s()
        token = f"AB11{int(now_s)}{self._drawn(34)}"
        meaning = Refresh(realm_id, environment, grant, now_s, now_s + REFRESH_LIFE_S, hard_end_s)
        self._refresh[token] = meaning
        self._keeper.put("refresh", realm="", name=token, value=encode(asdict(meaning)))
        return token

    def _pair(self, refresh_token: str, *, realm_id: str) -> Thing:
        refresh = self._refresh[refresh_token]
        token = f"eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0..{self._drawn(600)}"
        ends_s = self._clock.virtual_s() + ACCESS_LIFE_S
        meaning = Access(realm_id, refresh.environment, refresh.grant, ends_s)
        self._access[token] = meaning
        self._keeper.put("access", realm="", name=token, value=encode(asdict(meaning)))
        return {
            "token_type": "bearer",
            "expires_in": ACCESS_LIFE_S,
            "refresh_token": refresh_token,
            "x_refresh_token_expires_in": REFRESH_LIFE_S,
            "access_token": token,
            "realm_id": realm_id,
        }

    def _drop_access(self, token: str) -> None:
        del self._access[token]
        self._keeper.put("access", realm="", name=token, value=None)

    def _drop_refresh(self, token: str) -> None:
        del self._refresh[token]
        self._keeper.put("refresh", realm="", name=token, value=None)

    def _drawn(self, length: int) -> str:
        return "".join(self._chance.choices(ALPHABET, k=length))


def _numbers(found: Thing) -> Thing:
    return {
        name: float(value) if name.endswith("_s") and value is not None else value
        for name, value in found.items()
    }


def _basic_ok(request: Request) -> bool:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        pair = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return pair == f"{CLIENT_ID}:{CLIENT_SECRET}"


def _challenge_ok(asked: dict[str, str]) -> bool:
    """Return whether there is no challenge, or one of the only method that is offered."""
    challenge, method = asked.get("code_challenge", ""), asked.get("code_challenge_method", "")
    if not challenge:
        return not method
    return method == "S256" and CHALLENGE.fullmatch(challenge) is not None


def _verifier_ok(verifier: str, *, challenge: str) -> bool:
    """Return whether the verifier opens the code; one for a code without a challenge does not."""
    if not challenge:
        return not verifier
    if VERIFIER.fullmatch(verifier) is None:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


def _tokens(answer: Thing) -> Reply:
    answer.pop("realm_id", None)
    return Reply(200, encode(answer), headers=[("Cache-Control", "no-cache, no-store")])


def _error(name: str, *, description: str | None = None, status: int = 400) -> Reply:
    body = {"error": name}
    if description is not None:
        body["error_description"] = description
    return Reply(status, encode(body))


def _page(text: str, *, status: int) -> Reply:
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Simulator</title></head>'
        f"<body><h1>QuickBooks simulator</h1><p>{text}</p></body></html>"
    )
    return Reply(status, body.encode(), content_type="text/html;charset=utf-8")


def _redirect(uri: str, values: dict[str, str]) -> Reply:
    joint = "&" if "?" in uri else "?"
    return Reply(
        302, b"", content_type="text/html", headers=[("Location", uri + joint + urlencode(values))]
    )
