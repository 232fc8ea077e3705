"""The server: guard, REST interface, errors in one envelope; its sockets, its start and its end."""

import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from typing_extensions import override

from application import __version__
from application.api import watch
from application.api.callers import Refused, Shown, no_page
from application.api.door import Door
from application.api.failing import condition_of, failed, fault_of, refusal_of
from application.api.guard import Guard, Rules
from application.api.heads import heads_of
from application.api.live import Hub
from application.api.v1 import connection, demo, history, invoices, runs, settings, sync
from application.catalogue import ConfigInvalid, NotFound, Stop
from application.logs import LIBRARIES
from application.serving import Serving
from application.web import (
    about,
    audit,
    database,
    downloads,
    errors,
    files,
    invoice,
    keys,
    mapping,
    overview,
    people,
    run,
    schedule,
    send,
    setup,
    sign_in,
)
from application.web import connection as connection_page
from application.web import demo as stage_page
from application.web import failing as pages
from application.web import help as manual_pages
from application.web import invoices as invoice_list
from application.web import runs as run_list
from application.web.visit import Front, Visit, visiting
from application.wiring import Services

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
HEAD_BYTES_MAX: Final = 16_384
KEEP_ALIVE_S: Final = 15
GRACE_S: Final = 10
ROUTERS: Final = (sync, runs, invoices, history, connection, settings, demo, watch)
_LISTS: Final = (invoice_list, downloads, invoice, send, run_list, run, errors, audit)
_UPKEEP: Final = (connection_page, mapping, schedule, database, people, keys, about, setup)
SCREENS: Final = (overview, sign_in, files, *_LISTS, *_UPKEEP, manual_pages, stage_page)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server listens, and what it may do."""

    host: str
    port: int
    read_only: bool = False

    @property
    def loopback(self) -> bool:
        """Whether nobody outside this machine can reach it."""
        return self.host in LOOPBACK

    @property
    def addresses(self) -> Sequence[tuple[socket.AddressFamily, str]]:
        """Every address of its host to listen on."""
        if self.host in {"127.0.0.1", "localhost"}:
            return ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        return ((family, self.host),)


def application_of(door: Door) -> FastAPI:
    """Return the REST interface, without the guard that stands before it."""
    app = FastAPI(
        title="Feebridge",
        version=__version__,
        summary="Every student invoice of a university's MIS in QuickBooks Online, once.",
        docs_url=None,  # the viewers load from elsewhere; the reference is a page of ours
        redoc_url=None,
        openapi_url=None,  # it is a route of ours, behind the guard like every other
        redirect_slashes=False,
    )
    app.state.door = door
    for room in (*ROUTERS, *SCREENS):
        app.include_router(room.router)
    app.add_exception_handler(Stop, _stopped)
    app.add_exception_handler(RequestValidationError, _unclear)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(Exception, _faulted)
    return app


def front_of(app: FastAPI, door: Door) -> Front:
    """Return the pages of a server, and what they know of each other."""
    rooms = [each.router for each in SCREENS]
    front = Front(
        services=door.services,
        paths=frozenset(
            route.path
            for room in rooms
            for route in room.routes
            if isinstance(route, APIRoute) and "GET" in (route.methods or ())
        ),
        version=__version__,
        live=door.hub,
    )
    app.state.front = front
    return front


def page_of(front: Front, refused: Refused) -> Shown | None:
    """Return how a request reads that was not let in; None where a program asked."""
    told = {
        name.decode("latin-1"): text.decode("latin-1") for name, text in refused.headers.items()
    }
    if not pages.wants_page(refused.path, accept=told.get("accept", "")):
        return None
    visit = Visit(
        front=front,
        visitor=refused.visitor,
        request_id=refused.request_id,
        token=refused.token,
        path=refused.path,
        htmx=told.get("hx-request") == "true",
    )
    answer = pages.turned_away(visit, refused.stop, method=refused.method, query=refused.query)
    kept = {name: text for name, text in answer.headers.items() if name != "content-length"}
    return answer.status_code, kept, bytes(answer.body)


def _shown(request: Request, stop: Stop) -> Response:
    if pages.wants_page(request.url.path, accept=request.headers.get("accept", "")):
        return pages.failed(visiting(request), stop)
    return failed(request, stop)


def _stopped(request: Request, stop: Exception) -> Response:
    assert isinstance(stop, Stop), "registered for it"  # noqa: S101 - narrows the type
    return _shown(request, stop)


def _unclear(request: Request, unclear: Exception) -> Response:
    assert isinstance(unclear, RequestValidationError), "registered for it"  # noqa: S101 - narrows the type
    page = pages.wants_page(request.url.path, accept=request.headers.get("accept", ""))
    if page and all(one["loc"][0] == "path" for one in unclear.errors()):
        return _shown(request, NotFound(what="page"))  # to a person it is an address like any other
    return _shown(request, condition_of(unclear))


def _unrouted(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, HTTPException), "registered for it"  # noqa: S101 - narrows the type
    answer = _shown(request, refusal_of(refused))
    answer.headers.update(refused.headers or {})
    return answer


def _faulted(request: Request, fault: Exception) -> Response:
    return _shown(request, fault_of(request, fault))


class Server(uvicorn.Server):
    """Uvicorn, with our own end: what is in hand is finished, live views are closed.

    Args:
        config: Uvicorn's.
        asked: Whether somebody asked to stop.
        on_stop: Called once, when it stops.
        started: Called once it listens.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        asked: Callable[[], bool],
        on_stop: Callable[[], None],
        started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._asked = asked
        self._on_stop = on_stop
        self._listens = started

    @override
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # They are ours: a second one must still be heard while the engine ends.
        yield

    @override
    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._asked()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listens()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Views never end by themselves, and uvicorn waits for whoever is still being answered.
        self._on_stop()
        await super().shutdown(sockets)


def serve(
    services: Services,
    place: Place,
    *,
    ready: Callable[[int], None],
    asked: Callable[[], bool],
) -> None:
    """Serve until somebody asks to stop.

    Args:
        services: What doors ask.
        place: Where, and what it may do.
        ready: Told the port once it listens.
        asked: Whether somebody asked to stop.

    Raises:
        ConfigInvalid: The place may not be used, or somebody uses it.
        StateConflict: Another server of this installation runs.
    """
    refuse_open_place(services, place)
    sockets = listening(place)
    serving = Serving(services)
    try:
        services.logs.take_in(*LIBRARIES)
        services.logs.feed(services.metrics.count)
        if not place.read_only:
            serving.start()
        hub = Hub(services.events, world=services.world)
        start = services.world.chance.ulid(at=services.world.clock.now())
        door = Door(services=services, hub=hub, start=start)
        app = application_of(door)
        rules = rules_of(services, place, page=partial(page_of, front_of(app, door)))
        guarded = Guard(app, rules=rules)
        port = sockets[0].getsockname()[1]
        server = Server(
            _config(guarded, rules=rules),
            asked=asked,
            on_stop=_both(serving.ask_to_stop, hub.close),
            started=lambda: ready(port),
        )
        server.run(sockets=sockets)
    finally:
        serving.stop()
        for each in sockets:
            each.close()


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def act() -> None:
        first()
        second()

    return act


def _config(app: Guard, *, rules: Rules) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=heads_of(rules),  # h11 below it is strict about what a request is
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


def rules_of(
    services: Services, place: Place, *, page: Callable[[Refused], Shown | None] = no_page
) -> Rules:
    """Return who may pass, as the guard asks it.

    Args:
        services: What doors ask.
        place: Where the server listens.
        page: How a refusal reads as a page.
    """
    own = (f"[{place.host}]" if ":" in place.host else place.host).lower()
    redirect = urlsplit(services.settings.quickbooks_redirect_uri).hostname or ""
    return Rules(
        hosts=frozenset({*LOOPBACK, "[::1]", own, redirect} - {"", "0.0.0.0", "[::]"}),  # noqa: S104 - left out, not bound
        loopback_bound=place.loopback,
        read_only=place.read_only,
        access=services.access,
        people=services.people,
        page=page,
        world=services.world,
        office=services.office,
        logs=services.logs,
        folder=services.place.folder,
    )


def refuse_open_place(services: Services, place: Place) -> None:
    """Refuse to be reached from elsewhere before there is a key.

    Raises:
        ConfigInvalid: There is none; the problem names the command that makes one.
    """
    if not place.loopback and services.access.is_open():
        raise ConfigInvalid(
            setting="HOST",
            problem=f"{place.host} can be reached from elsewhere and there is no API key; run: "
            "feebridge keys create NAME --role admin --file FILE",
        )


def listening(place: Place) -> list[socket.socket]:
    """Return the sockets of a place, listening.

    Raises:
        ConfigInvalid: Somebody else uses the port, or the address is not ours.
    """
    found: list[socket.socket] = []
    for family, host in place.addresses:
        link = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            link.bind((host, place.port if not found else found[0].getsockname()[1]))
        except OSError as wrong:
            link.close()
            if found and family == socket.AF_INET6:
                break  # a machine without IPv6 is served on the other address
            raise _taken(place, wrong) from None
        found.append(link)
    return found


def _taken(place: Place, wrong: OSError) -> ConfigInvalid:
    return ConfigInvalid(
        setting="HOST, PORT",
        problem=f"{place.host} port {place.port} cannot be used "
        f"({(wrong.strerror or 'refused').lower()}); name a free one with PORT or --port",
    )
