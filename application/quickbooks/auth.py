"""The one road to the token addresses: authorise, exchange, refresh, revoke; allowed hosts."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

import httpx2
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request

from application.invoices.model import Environment
from application.quickbooks.answers import Answer, Unreadable, parse
from application.quickbooks.transport import Broken, Road, answer_of, check_address, deadline
from application.world import World

SCOPE = "com.intuit.quickbooks.accounting"

_OK = 200
_BAD_REQUEST = 400
_UNAUTHORIZED = 401
_TOKEN_MAX = 8192
_LIFE_MAX_S = 10 * 366 * 86_400
_MS_A_SECOND = 1000
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
        self._redirect_uri = redirect_uri
        self._authorize_url = check_address(authorize_url, environment=environment)
        self._token_url = check_address(token_url, environment=environment)
        self._revoke_url = check_address(revoke_url, environment=environment)
        self._timeout_ms = timeout_ms
        self._road = transport or Road(clock=world.clock, connections_max=2)

    def close(self) -> None:
        """Close every connection."""
        self._road.close()

    def authorize_address(self, state: str) -> str:
        """Return the address a company administrator opens; `state` comes back with the code."""
        address: str = prepare_grant_uri(
            self._authorize_url,
            self._client_id,
            "code",
            redirect_uri=self._redirect_uri,
            scope=SCOPE,
            state=state,
        )
        return address

    def exchange(self, code: str) -> TokenAnswer | AuthRefused | AuthUnknown:
        """Return the tokens a code stands for; a code works once."""
        form = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self._redirect_uri
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
            },
            extensions={
                "trace": steps.step,
                "timeout": {"pool": self._timeout_ms / _MS_A_SECOND},
            },
        )
        try:
            with deadline(self._world.clock.since_boot_ms() + self._timeout_ms):
                response = self._road.handle_request(request)
                try:
                    return answer_of(response)
                finally:
                    response.close()
        except Broken as broken:
            return AuthUnknown(why=broken.why, sent=True)
        except httpx2.HTTPError:
            return AuthUnknown(why="no_answer" if steps.left else "not_sent", sent=steps.left)

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


def _pair(body: Mapping[str, object]) -> TokenAnswer | AuthUnknown:
    access, refresh = body.get("access_token"), body.get("refresh_token")
    life_s, refresh_life_s = body.get("expires_in"), body.get("x_refresh_token_expires_in")
    if not (_is_token(access) and _is_token(refresh)):
        return AuthUnknown(why="shape_token", sent=True)
    if not (_is_life(life_s) and _is_life(refresh_life_s)):
        return AuthUnknown(why="shape_life", sent=True)
    return TokenAnswer(
        access_token=access,
        refresh_token=refresh,
        expires_in_s=life_s,
        refresh_expires_in_s=refresh_life_s,
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
