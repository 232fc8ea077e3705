"""Who passes, before anything is routed: host, address, key, site, role, size."""

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from anyio.to_thread import run_sync

from application.api import envelope
from application.api.callers import (
    BEARER,
    HOST,
    LOOPBACK,
    Browser,
    Form,
    Refused,
    Shown,
    browser_of,
    form_of,
    is_forwarded,
    no_page,
    refuse_foreign_form,
)
from application.api.failing import MethodWrong, Unreadable
from application.api.limits import BODY_S, HEAD_BYTES_MAX, Receive, body_of, refuse_odd_body
from application.api.peers import Address, Peers
from application.api.table import Row, find
from application.catalogue import InternalFault, NotFound, Stop
from application.logs import Logs
from application.services.access import Access, TooMany, Visitor
from application.services.people import SignIn
from application.services.roles import Role
from application.world import World

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[bytes, bytes]

IN_HAND_MAX: Final = 64
CHANGES: Final = frozenset({"POST", "PUT", "DELETE", "PATCH"})
OWN_SITE: Final = frozenset({b"same-origin", b"none"})
LOCAL: Final = Visitor("local", Role.ADMIN)
ANYBODY: Final = Visitor("nobody", Role.VIEWER)
ANY_PAGE: Final = Row("GET", "", Role.VIEWER, page=True)
NO_BROWSER: Final = Browser(session=None, form=None, secure=True)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ADDRESS = re.compile(rb"[0-9A-Fa-f.:]{2,45}")
_ALWAYS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
NO_REFERRER: Final = (b"referrer-policy", b"no-referrer")
PLAIN: Final = (*_ALWAYS, NO_REFERRER)
OWN_REFERRER: Final = (b"referrer-policy", b"same-origin")  # what a page of ours asks for
_OURS: Final = frozenset({b"server", b"x-request-id", *(name for name, _ in PLAIN)})


class HostRefused(Stop):
    """The request names a host that is not ours. Facts: none."""

    cause = "host_refused"


class CrossSite(Stop):
    """A browser says that another site sent this. Facts: none."""

    cause = "cross_site"


class NoKey(Stop):
    """Neither a valid key nor this machine's own user. Facts: none."""

    cause = "unauthorized"


class NotAllowed(Stop):
    """The role does not reach. Facts: role."""

    cause = "forbidden"


class ReadOnly(Stop):
    """Nobody changes anything through this server. Facts: none."""

    cause = "read_only"


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may pass.

    Args:
        hosts: Names a request may use for us.
        loopback_bound: Whether nobody outside this machine reaches us.
        read_only: Whether nothing may be changed.
        access: The keys.
        people: Who signs in to the pages.
        world: Clock and chance.
        office: The zone times are told in.
        logs: Where each answer is noted.
        folder: Our own files.
        page: How a refusal reads as a page; None for a program.
        body_s: How long a body may take.
    """

    hosts: frozenset[str]
    loopback_bound: bool
    read_only: bool
    access: Access
    people: SignIn
    world: World
    office: ZoneInfo
    logs: Logs
    folder: Path
    page: Callable[[Refused], Shown | None] = no_page
    body_s: int = BODY_S


@dataclass(slots=True)
class _Passage:
    """One request on its way through."""

    scope: Scope
    headers: Headers
    request_id: str
    since_ms: int
    row: Row | None = None
    visitor: Visitor = ANYBODY
    status: int = 0
    streams: bool = False
    browser: Browser = NO_BROWSER
    fresh: str | None = None  # what the browser is given for its forms
    form: Form = ()

    @property
    def peer(self) -> str:
        """Where it came from."""
        return str((self.scope.get("client") or ("", 0))[0])

    @property
    def client(self) -> str:
        """For whom it came: behind a proxy on this machine, the proxy's client."""
        # A proxy adds the address it saw at the end; what stands before is anybody's word.
        last = self.headers.get(b"x-forwarded-for", b"").rpartition(b",")[2].strip()
        if self.peer in {"127.0.0.1", "::1"} and _ADDRESS.fullmatch(last):
            return last.decode()
        return self.peer


class Guard:
    """Stands before the whole application.

    Args:
        app: What answers whoever passes.
        rules: Who may.
    """

    def __init__(self, app: App, *, rules: Rules) -> None:
        self._app = app
        self._rules = rules
        self._peers = Peers(rules.folder)
        self._in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one connection's request."""
        if scope["type"] != "http":
            return
        headers = _headers(scope["headers"])
        passage = _Passage(
            scope=scope,
            headers=headers,
            request_id=self._request_id(headers),
            since_ms=self._rules.world.clock.since_boot_ms(),
        )
        counted = self._in_hand < IN_HAND_MAX
        self._in_hand += counted
        try:
            await self._answer(passage, receive=receive, send=send, room=counted)
        finally:
            self._in_hand -= counted and not passage.streams
            self._note(passage)

    async def _answer(self, passage: _Passage, *, receive: Receive, send: Send, room: bool) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(message, passage=passage, counted=room)
            await send(message)

        try:
            body = await self._let_in(passage, receive=receive, room=room)
        except Stop as stop:
            await self._refuse(passage, stop, send=dressed)
            return
        except Exception as fault:  # noqa: BLE001 - the outermost handler: it is in the log, and told in the envelope
            self._rules.logs.fault("request.failed", fault, request_id=passage.request_id)
            await self._refuse(passage, InternalFault(of="a request"), send=dressed)
            return
        passage.scope.setdefault("state", {}).update(
            visitor=passage.visitor,
            request_id=passage.request_id,
            peer=passage.client,
            once=None,
            form=passage.form,
            token=passage.browser.token(passage.fresh),
            browser=passage.browser,
        )
        await self._app(passage.scope, _again(body, receive), dressed)

    async def _let_in(self, passage: _Passage, *, receive: Receive, room: bool) -> bytes:
        """Return the body of a request that may pass.

        Raises:
            Stop: It may not; the cause says why.
        """
        if not room:
            raise TooMany(retry_after_s=1)
        self._check_head(passage)
        row = passage.row = await self._routed(passage)
        if row.method in CHANGES:
            self._check_site(passage)  # whoever asks: a page must not even try a key
        passage.visitor = await self._visitor(passage, row=row)
        if row.changes and self._rules.read_only:
            raise ReadOnly
        if row.role is not None and not passage.visitor.role.covers(row.role):
            raise NotAllowed(role=row.role.value)
        body = await body_of(receive, within_s=self._rules.body_s)
        if not row.page:
            refuse_odd_body(body, content_type=passage.headers.get(b"content-type"))
        elif row.method in CHANGES:
            passage.form = form_of(body, headers=passage.headers)
            refuse_foreign_form(passage.form, browser=passage.browser, headers=passage.headers)
        return body

    def _request_id(self, headers: Headers) -> str:
        asked = headers.get(b"x-request-id", b"").decode("latin-1")
        if _REQUEST_ID.fullmatch(asked):
            return asked
        world = self._rules.world
        return world.chance.ulid(at=world.clock.now())

    def _check_head(self, passage: _Passage) -> None:
        scope = passage.scope
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size + len(scope.get("raw_path") or b"") + len(scope["query_string"]) > HEAD_BYTES_MAX:
            raise Unreadable(problem="the head is larger than 16 kB")
        announced = {b"content-length", b"transfer-encoding"} & passage.headers.keys()
        if len(announced) > 1:
            raise Unreadable(problem="the length of the body is told in two ways")
        # Waiting for it would let anybody hold a place with a byte now and then.
        if announced and scope["method"] == "GET" and passage.headers[announced.pop()] != b"0":
            raise Unreadable(problem="a GET has no body")
        hosts = [value for name, value in passage.scope["headers"] if name == b"host"]
        named = HOST.fullmatch(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if named is None or named["name"].lower() not in self._rules.hosts:
            raise HostRefused

    async def _routed(self, passage: _Passage) -> Row:
        scope = passage.scope
        found = find(scope["method"], scope["path"])
        if isinstance(found, Row):
            return found
        with suppress(NoKey):  # whoever lost their way is told so inside their own frame
            passage.visitor = await self._visitor(passage, row=ANY_PAGE)
        if found is None:
            raise NotFound(what="page")
        raise MethodWrong(allow=", ".join(found.allowed))

    # -- who ----------------------------------------------------------------------------------

    async def _visitor(self, passage: _Passage, *, row: Row) -> Visitor:
        given = [value for name, value in passage.scope["headers"] if name == b"authorization"]
        if given:
            bearer = BEARER.fullmatch(given[0]) if len(given) == 1 else None
            key = bearer["key"].decode() if bearer else "none"
            access = self._rules.access
            known = await run_sync(lambda: access.visitor_of(key, peer=passage.client))
            if known is None:
                raise NoKey
            return known
        if row.page:
            passage.browser = browser_of(passage.headers)
            known = await self._signed_in(passage)
            if known is not None:
                return known
        if row.role is None:
            return ANYBODY
        if await run_sync(self._is_our_own, passage):
            return LOCAL
        raise NoKey

    async def _signed_in(self, passage: _Passage) -> Visitor | None:
        """Return who is signed in with the browser; give it what its forms need where nobody is."""
        browser = passage.browser
        if browser.session is not None:
            secret, people = browser.session, self._rules.people
            known = await run_sync(lambda: people.visitor_of(secret))
            if known is not None:
                return known
            passage.browser = replace(browser, session=None)
        if browser.form is None:
            passage.fresh = self._rules.world.chance.secret()
        return None

    def _is_our_own(self, passage: _Passage) -> bool:
        """Return whether this machine's own user asks directly, and nobody has made a key."""
        rules, scope = self._rules, passage.scope
        host = HOST.fullmatch(passage.headers.get(b"host", b"").decode("latin-1"))
        forwarded = is_forwarded(passage.headers)
        if not rules.loopback_bound or host is None or host["name"].lower() not in LOOPBACK:
            return False
        if forwarded or passage.peer not in {"127.0.0.1", "::1"} or not rules.access.is_open():
            return False
        peer: Address = tuple(scope["client"][:2])
        ours: Address = tuple(scope["server"][:2])
        return self._peers.may(peer=peer, ours=ours)

    def _check_site(self, passage: _Passage) -> None:
        host = passage.headers.get(b"host", b"")
        own = {b"http://" + host, b"https://" + host}
        raw = passage.scope["headers"]
        origins = {value for name, value in raw if name == b"origin"}
        sites = {value for name, value in raw if name == b"sec-fetch-site"}
        if origins - own or sites - OWN_SITE:
            raise CrossSite

    # -- what is answered ---------------------------------------------------------------------

    async def _refuse(self, passage: _Passage, stop: Stop, *, send: Send) -> None:
        shown = await run_sync(self._page_of, passage, stop)
        status, told, body = shown or self._told(passage, stop)
        # What is left of an unread body must not be taken for the next request.
        headers = {**told, "Connection": "close"}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        whole = body if passage.scope["method"] != "HEAD" else b""
        await send({"type": "http.response.body", "body": whole})

    def _page_of(self, passage: _Passage, stop: Stop) -> Shown | None:
        scope = passage.scope
        refused = Refused(
            stop=stop,
            headers=passage.headers,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            visitor=passage.visitor,
            request_id=passage.request_id,
            token=passage.browser.token(passage.fresh),
        )
        try:
            return self._rules.page(refused)
        except Exception as fault:  # noqa: BLE001 - a page that cannot be shown must not hide what it was to say
            self._rules.logs.fault("page.failed", fault, request_id=passage.request_id)
            return None

    def _told(self, passage: _Passage, stop: Stop) -> Shown:
        rules = self._rules
        now: datetime = rules.world.clock.now().astimezone(rules.office)
        status, headers, body = envelope.failure(
            stop.cause,
            facts=stop.facts,
            request_id=passage.request_id,
            now=now,
            details={},
            instance=passage.scope["path"],
            problem_json=envelope.wants_problem(
                passage.headers.get(b"accept", b"").decode("latin-1")
            ),
        )
        if "allow" in stop.facts:
            headers["Allow"] = str(stop.facts["allow"])
        if "retry_after_s" in stop.facts:
            headers["Retry-After"] = str(stop.facts["retry_after_s"])
        return status, headers, body

    def _dress(self, message: Message, *, passage: _Passage, counted: bool) -> None:
        passage.status = message["status"]
        kept = [
            (name, _with_charset(value) if name == b"content-type" else value)
            for name, value in message.get("headers", [])
            if name not in _OURS
        ]
        # Under the stricter word a browser hides from us where our own forms come from.
        own = OWN_REFERRER in message.get("headers", [])
        kept += [*_ALWAYS, OWN_REFERRER if own else NO_REFERRER]
        kept.append((b"x-request-id", passage.request_id.encode()))
        if passage.fresh is not None:
            kept.append((b"set-cookie", passage.browser.form_cookie(passage.fresh)))
        message["headers"] = kept
        if counted and any(value.startswith(b"text/event-stream") for _, value in kept):
            passage.streams = True  # live views are counted where they are
            self._in_hand -= 1

    def _note(self, passage: _Passage) -> None:
        now_ms = self._rules.world.clock.since_boot_ms()
        self._rules.logs.event(
            "request.answered",
            method=passage.scope["method"] if passage.row else "other",
            route=passage.row.path if passage.row else "other",
            http_status=passage.status,
            milliseconds=now_ms - passage.since_ms,
            request_id=passage.request_id,
            key_id=passage.visitor.key_id,
            peer="loopback" if passage.peer in {"127.0.0.1", "::1"} else "other",
        )


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    return {name.lower(): value for name, value in raw}


def _with_charset(value: bytes) -> bytes:
    plain = value.split(b";")[0].strip()
    if plain.endswith(b"json") and b"charset" not in value:
        return plain + b"; charset=utf-8"
    return value


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what hands a body out that was read already, then whatever else comes."""
    given = False

    async def hand_out() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return hand_out
