"""The one road to the token addresses: authorise, exchange, refresh, revoke; allowed hosts."""

import hashlib
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard
from urllib.parse import urlsplit

import httpx2
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request

from application.catalogue import ConfigInvalid
from application.invoices.model import Environment
from application.quickbooks.answers import Answer, Unreadable, parse
from application.quickbooks.transport import (
    LOOPBACK,
    Broken,
    Road,
    answer_of,
    check_address,
    deadline,
)
from application.world import World

SCOPE = "com.intuit.quickbooks.accounting"
# Source: Intuit, "Discovery document"; the two differ in where people's names are asked for.
DISCOVERY = "https://developer.api.intuit.com/.well-known/openid_configuration"
DISCOVERY_SANDBOX = "https://developer.api.intuit.com/.well-known/openid_sandbox_configuration"
_HARD_END = "x-include-refresh-token-hard-expires-in"
_DISCOVERY_MOST_MS = 5_000

_OK = 200
_BAD_REQUEST = 400
_UNAUTHORIZED = 401
_TOKEN_MAX = 8192
_LIFE_MAX_S = 10 * 366 * 86_400
_MS_A_SECOND = 1000
_HOST_NAME = re.compile(r"(?=.*[a-z])[a-z0-9-]+(\.[a-z0-9-]+)+")
# Source: RFC 6749, section 5.2. Another word proves nothing about the old token.
_REFUSALS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A pair of tokens. Nothing that prints it shows them."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int
    refresh_expires_in_s: int
    hard_expires_in_s: int | None = None  # however often it is renewed


@dataclass(frozen=True, slots=True)
class AuthRefused:
    """QuickBooks said no."""

    error: str  # OAuth's word, such as invalid_grant


@dataclass(frozen=True, slots=True)
class AuthUnknown:
    """No answer we recognise; the old token may or may not still be good."""

    why: str
    sent: bool  # False: not one byte left us, so the old token is as good as before


class Auth:
    """Intuit's OAuth for one app.

    Args:
        world: Clock.
        environment: Which hosts may be called.
        client_id: Key of the app.
        client_secret: Secret of the app.
        redirect_uri: Exactly as registered.
        authorize_url: Where a person approves.
        token_url: Codes and refresh tokens become tokens here.
        revoke_url: Ends the app's permission.
        timeout_ms: Longest call.
        transport: Another road, for tests; it reports httpcore's `trace` events.

    Raises:
        WrongEnvironment: An address is not one of Intuit's.
        ConfigInvalid: QuickBooks would not send a browser back to that redirect address.

    Source:
        Intuit, "Set up OAuth 2.0": Basic authentication, form bodies, JSON for a revocation.
    """

    def __init__(
        self,
        *,
        world: World,
        environment: Environment,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        authorize_url: str,
        token_url: str,
        revoke_url: str,
        timeout_ms: int = 30_000,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._world = world
        self._client_id = client_id
        self._client_secret = client_secret
        self.redirect_uri = check_redirect(redirect_uri, environment=environment)
        self._authorize_url = check_address(authorize_url, environment=environment)
        self._token_url = check_address(token_url, environment=environment)
        self._revoke_url = check_address(revoke_url, environment=environment)
        self._discovery_url = _discovery_of(self._token_url, environment=environment)
        self._timeout_ms = timeout_ms
        self._road = transport or Road(clock=world.clock, connections_max=2)

    def close(self) -> None:
        """Close every connection."""
        self._road.close()

    def offers_pkce(self) -> bool:
        """Return whether the discovery document says that a code may be tied to a verifier.

        One that cannot be read offers nothing: the code is tied to our secret all the same.
        """
        request = httpx2.Request(
            "GET",
            self._discovery_url,
            headers={"Accept": "application/json", "User-Agent": "feebridge"},
            extensions={"timeout": {"pool": _DISCOVERY_MOST_MS / _MS_A_SECOND}},
        )
        try:
            answer = self._answered(request, most_ms=_DISCOVERY_MOST_MS)
            methods = parse(answer).get("code_challenge_methods_supported")
        except (Broken, Unreadable, httpx2.HTTPError):
            return False
        return answer.status == _OK and isinstance(methods, list) and "S256" in methods

    def authorize_address(self, state: str, *, verifier: str | None = None) -> str:
        """Return the address a company administrator opens; `state` comes back with the code.

        Args:
            state: What this sign-in is known by when it comes back.
            verifier: The secret the code will be tied to; None: to none.
        """
        challenge = {} if verifier is None else {"code_challenge": s256(verifier)}
        address: str = prepare_grant_uri(
            self._authorize_url,
            self._client_id,
            "code",
            redirect_uri=self.redirect_uri,
            scope=SCOPE,
            state=state,
            **challenge,
            **({"code_challenge_method": "S256"} if challenge else {}),
        )
        return address

    def exchange(
        self, code: str, *, verifier: str | None = None
    ) -> TokenAnswer | AuthRefused | AuthUnknown:
        """Return the tokens a code stands for; a code works once."""
        form = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=self.redirect_uri,
            code_verifier=verifier,
        )
        return self._tokens(form)

    def refresh(
        self, refresh_token: str, *, about_to_send: Callable[[], None] | None = None
    ) -> TokenAnswer | AuthRefused | AuthUnknown:
        """Return new tokens; the old refresh token may be dead from now on.

        Args:
            refresh_token: The newest one.
            about_to_send: Called before the first byte; what it raises passes through.
        """
        form = prepare_token_request("refresh_token", refresh_token=refresh_token)
        return self._tokens(form, about_to_send=about_to_send)

    def revoke(self, token: str) -> bool | AuthUnknown:
        """End the app's permission; True when Intuit confirms it, False when it refuses."""
        body = json.dumps({"token": token})
        answer = self._post(self._revoke_url, body=body, content_type="application/json")
        if isinstance(answer, AuthUnknown):
            return answer
        if answer.status == _OK:
            return True
        if answer.status in {_BAD_REQUEST, _UNAUTHORIZED}:
            return False
        return AuthUnknown(why=f"status_{answer.status}", sent=True)

    def _tokens(
        self, form: str, *, about_to_send: Callable[[], None] | None = None
    ) -> TokenAnswer | AuthRefused | AuthUnknown:
        answer = self._post(
            self._token_url,
            body=form,
            content_type="application/x-www-form-urlencoded",
            more={_HARD_END: "true"},
            about_to_send=about_to_send,
        )
        if isinstance(answer, AuthUnknown):
            return answer
        try:
            body = parse(answer)
        except Unreadable as reason:
            return AuthUnknown(why=reason.why, sent=True)
        if answer.status == _OK:
            return _pair(body)
        error = str(body.get("error"))
        if answer.status in {_BAD_REQUEST, _UNAUTHORIZED} and error in _REFUSALS:
            return AuthRefused(error=error)
        return AuthUnknown(why=f"status_{answer.status}", sent=True)

    def _post(
        self,
        address: str,
        *,
        body: str,
        content_type: str,
        more: Mapping[str, str] | None = None,
        about_to_send: Callable[[], None] | None = None,
    ) -> Answer | AuthUnknown:
        steps = _Steps(about_to_send)
        request = httpx2.Request(
            "POST",
            address,
            content=body.encode(),
            headers={
                "Accept": "application/json",
                "Authorization": self._basic(),
                "Content-Type": content_type,
                "User-Agent": "feebridge",
                **(more or {}),
            },
            extensions={
                "trace": steps.step,
                "timeout": {"pool": self._timeout_ms / _MS_A_SECOND},
            },
        )
        try:
            return self._answered(request, most_ms=self._timeout_ms)
        except Broken as broken:
            return AuthUnknown(why=broken.why, sent=True)
        except httpx2.HTTPError:
            return AuthUnknown(why="no_answer" if steps.left else "not_sent", sent=steps.left)

    def _answered(self, request: httpx2.Request, *, most_ms: int) -> Answer:
        with deadline(self._world.clock.since_boot_ms() + most_ms):
            response = self._road.handle_request(request)
            try:
                return answer_of(response)
            finally:
                response.close()

    def _basic(self) -> str:
        pair = f"{self._client_id}:{self._client_secret}"
        return "Basic " + b64encode(pair.encode()).decode()


class _Steps:
    """Sees whether the request left."""

    def __init__(self, about_to_send: Callable[[], None] | None) -> None:
        self._about_to_send = about_to_send
        self.left = False

    def step(self, name: str, _details: Mapping[str, object]) -> None:
        if name == "http11.send_request_headers.started":
            if self._about_to_send is not None:
                self._about_to_send()
            self.left = True


def s256(verifier: str) -> str:
    """Return what is shown of a verifier before it is used (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_redirect(address: str, *, environment: Environment) -> str:
    """Return a redirect address QuickBooks will accept.

    Raises:
        ConfigInvalid: Production takes https with a host name; the others `http://localhost` too.
    """
    where = urlsplit(address)
    host = where.hostname or ""
    if where.query or where.fragment or where.username is not None or not where.path:
        problem = "must be an address with a path and nothing behind it"
    elif where.scheme == "https" and _HOST_NAME.fullmatch(host):
        return address
    elif environment is Environment.PRODUCTION:
        problem = "must be https with a host name in production, as Intuit asks"
    elif where.scheme in {"http", "https"} and host in LOOPBACK:
        return address
    else:
        problem = "must be https with a host name, or http://localhost"
    raise ConfigInvalid(setting="QUICKBOOKS_REDIRECT_URI", problem=problem)


def _discovery_of(token_url: str, *, environment: Environment) -> str:
    where = urlsplit(token_url)
    if where.hostname in LOOPBACK:
        return f"{where.scheme}://{where.netloc}/.well-known/openid_configuration"
    return DISCOVERY_SANDBOX if environment is Environment.SANDBOX else DISCOVERY


def _pair(body: Mapping[str, object]) -> TokenAnswer | AuthUnknown:
    access, refresh = body.get("access_token"), body.get("refresh_token")
    life_s, refresh_life_s = body.get("expires_in"), body.get("x_refresh_token_expires_in")
    if not (_is_token(access) and _is_token(refresh)):
        return AuthUnknown(why="shape_token", sent=True)
    if not (_is_life(life_s) and _is_life(refresh_life_s)):
        return AuthUnknown(why="shape_life", sent=True)
    hard_s = body.get("x_refresh_token_hard_expires_in")
    return TokenAnswer(
        access_token=access,
        refresh_token=refresh,
        expires_in_s=life_s,
        refresh_expires_in_s=refresh_life_s,
        hard_expires_in_s=hard_s if _is_life(hard_s) else None,
    )


def _is_token(value: object) -> TypeGuard[str]:
    # A line break in a header would end it.
    return (
        isinstance(value, str)
        and 0 < len(value) <= _TOKEN_MAX
        and value.isascii()
        and value.isprintable()
    )


def _is_life(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LIFE_MAX_S
