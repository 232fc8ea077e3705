"""One request for a page: who asks, what they sent, and where they go next."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Final, Protocol
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from application.services.access import Visitor
from application.services.doorway import Event
from application.services.reports import Actor
from application.services.roles import Role
from application.web.formats import Formats
from application.wiring import Services

LANGUAGE: Final = "en"
SAID: Final = "feebridge_said"
SAID_S: Final = 60
SAID_MOST: Final = 1_000
NEXT_MOST: Final = 500
HOME: Final = "/"
SEE_OTHER: Final = 303


class Cookies(Protocol):
    """What the guard tells of a browser."""

    session: str | None
    secure: bool

    @property
    def session_name(self) -> str:
        """The name of the session's cookie."""


class Live(Protocol):
    """The live views of one server; a view holds no thread and no connection of a database."""

    async def stream(
        self,
        run_id: int,
        *,
        last_event_id: int | None,
        show: Callable[[Sequence[Event]], bytes] | None,
    ) -> AsyncIterator[bytes]:
        """Return what a client is sent until the run ends, or this server."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """The moving part of a run's page, as lines of a stream.

    Args:
        newest: The event it was made for.
        made_ms: When, since this machine started.
        lines: What is sent.
    """

    newest: int
    made_ms: int
    lines: bytes


@dataclass(frozen=True, slots=True)
class Front:
    """The pages of one server.

    Args:
        services: What they ask.
        paths: Addresses that answer a GET, so that nothing leads nowhere.
        version: Of this program.
        live: Its live views.
        fragments: The newest part of each run that is watched, by run and language.
    """

    services: Services
    paths: frozenset[str]
    version: str
    live: Live
    fragments: dict[tuple[int, str], Fragment] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """What the action before this page had to say, once.

    Args:
        key: Of the text.
        facts: What fills its braces.
    """

    key: str
    facts: Mapping[str, str | int]


@dataclass
class Visit:
    """One request for a page.

    Args:
        front: The pages of this server.
        visitor: Who asks.
        request_id: Under which it is found again.
        token: What every form of this browser carries.
        path: Which page.
        peer: The address it came from.
        form: The fields of a form.
        said: What the action before had to say.
        htmx: Whether a part of a page is asked for, to be put into one that stands.
        browser: What the browser keeps for us; None where nothing is known of it.
        cookies: All it sent, by name.
    """

    front: Front
    visitor: Visitor
    request_id: str
    token: str
    path: str
    peer: str = ""
    form: tuple[tuple[str, str], ...] = ()
    said: Said | None = None
    htmx: bool = False
    browser: Cookies | None = None
    cookies: Mapping[str, str] = field(default_factory=dict)
    language: str = field(default=LANGUAGE)

    @property
    def services(self) -> Services:
        """What a page asks."""
        return self.front.services

    @cached_property
    def now(self) -> datetime:
        """The moment this page is made, in office time."""
        now: datetime = self.services.world.clock.now()
        return now.astimezone(self.services.office)

    @cached_property
    def formats(self) -> Formats:
        """How this page writes numbers, money and times."""
        services = self.services
        return Formats(self.language, services.office, services.currency, self.now)

    @property
    def by(self) -> Actor:
        """Who asks, as the audit log names them."""
        return self.services.actor("dashboard", name=self.visitor.name, address=self.peer)

    @property
    def hidden(self) -> bool:
        """Whether e-mail and phone are masked for whoever asks."""
        return self.visitor.role is Role.VIEWER

    def may(self, role: str) -> bool:
        """Return whether whoever asks may do what a role may: `viewer`, `officer`, `admin`."""
        return self.visitor.role.covers(Role(role))

    def has(self, path: str) -> bool:
        """Return whether there is such a page: `/runs`, `/runs/{run_id}`."""
        return path in self.front.paths

    def text(self, key: str, **facts: object) -> str:
        """Return words of the catalogue."""
        return self.formats.text(key, **facts)

    def field(self, name: str) -> str:
        """Return what stands in a field of the form, without blanks around it; "" without."""
        return next((text.strip() for key, text in self.form if key == name), "")

    def fields(self, name: str) -> list[str]:
        """Return everything chosen under one name, as check boxes send it."""
        return [text for key, text in self.form if key == name]

    def go(self, path: str, *, say: str | None = None, **facts: str | int) -> Response:
        """Return the way on to another page after something was done.

        Args:
            path: Of ours.
            say: Key of what that page says once, at its top.
            facts: What fills its braces.
        """
        if self.htmx:
            answer = Response(status_code=204, headers={"HX-Redirect": path})
        else:
            answer = Response(status_code=SEE_OTHER, headers={"Location": path})
        if say is not None:
            kept = json.dumps([say, facts]).encode()
            answer.set_cookie(
                SAID,
                urlsafe_b64encode(kept).decode().rstrip("="),
                max_age=SAID_S,
                path="/",
                httponly=True,
                samesite="lax",
                secure=self.browser.secure if self.browser else True,
            )
        return answer


def visiting(request: Request) -> Visit:
    """Return the visit a request is."""
    state = request.state
    return Visit(
        front=request.app.state.front,
        visitor=state.visitor,
        request_id=state.request_id,
        token=state.token,
        path=request.url.path,
        peer=state.peer,
        form=state.form,
        said=_said(request.cookies.get(SAID)),
        htmx=request.headers.get("hx-request") == "true",
        browser=state.browser,
        cookies=request.cookies,
    )


Here = Annotated[Visit, Depends(visiting)]


def _said(kept: str | None) -> Said | None:
    """Return what a browser kept from the action before; None where it is none of ours."""
    if not kept or len(kept) > SAID_MOST:
        return None
    try:
        found: Any = json.loads(urlsafe_b64decode(kept + "=" * (-len(kept) % 4)))
        key, facts = found
        return Said(str(key), {str(name): fact for name, fact in dict(facts).items()})
    except (ValueError, TypeError):
        return None


def own_path(text: str) -> str:
    """Return an address of ours that somebody was on the way to; home where it is none."""
    parts = urlsplit(text)
    plain = text.isascii() and text.isprintable() and "\\" not in text and len(text) <= NEXT_MOST
    if not plain or parts.scheme or parts.netloc or not text.startswith("/") or text[:2] == "//":
        return HOME
    return text
