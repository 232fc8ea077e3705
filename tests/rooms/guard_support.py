"""A guard on a real server, a small application behind it that counts, and clients."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import uvicorn

from application.api.guard import Guard, Rules, Scope, Send
from application.api.limits import Receive
from application.logs import FILE, Logs
from application.services.access import Access
from application.services.people import SignIn
from application.services.roles import Role
from application.store.keys import Keys
from tests.rooms.store_support import UWASE, Rooms, people_in

STEP_S = 20  # a bound on what must happen anyway
SYNC = "/api/v1/sync"
STATUS = f"{SYNC}/status"
BATCH = f"{SYNC}/batch"
EVENTS = f"{SYNC}/runs/1/events"
JSON = "application/json"


@dataclass
class Inner:
    """What stands behind the guard: it tells what reached it."""

    calls: list[tuple[str, str, bytes]] = field(default_factory=list)
    held: int = 0
    free: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with who asks; `?hold` waits until it is free, so does a live view."""
        message = await receive()
        self.calls.append((scope["method"], scope["path"], message["body"]))
        streams = scope["path"] == EVENTS
        kind = b"text/event-stream" if streams else b"application/json"
        if scope["query_string"] == b"hold":
            await self._wait()
        headers = [(b"content-type", kind), (b"cache-control", b"public"), (b"server", b"inner/1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if streams:
            await send({"type": "http.response.body", "body": b": here\n\n", "more_body": True})
            await self._wait()
        state = scope["state"]
        told = {name: getattr(state["visitor"], name) for name in ("name", "role", "key_id")}
        told |= {name: state[name] for name in ("request_id", "peer", "once")}
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})

    async def _wait(self) -> None:
        self.held += 1
        while not self.free.is_set():  # noqa: ASYNC110 - a test in another thread sets it
            await asyncio.sleep(0.01)
        self.held -= 1

    @property
    def changes(self) -> list[tuple[str, str, bytes]]:
        """What came in that may change something."""
        return [call for call in self.calls if call[0] not in {"GET", "HEAD"}]


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """The body, read as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def code(self) -> str:
        """The cause of a refusal; `ok` where there is none."""
        return str(self.told.get("error_code", "ok"))


@dataclass
class Site:
    """A server that listens, and what stands behind it."""

    inner: Inner
    access: Access
    logs: Path
    rules: Rules
    port: int = 0

    def key(self, role: Role) -> dict[str, str]:
        """Return the header a new key goes into."""
        _, text = self.access.create(f"{role}-key", role=role, by=UWASE)
        return bearer(text)

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        host: str | None = None,
        kind: str | None = JSON,
        address: str = "127.0.0.1",
    ) -> Answer:
        """Return the answer to one request on a connection of its own."""
        line = http.client.HTTPConnection(address, self.port, timeout=STEP_S)
        with contextlib.closing(line):
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            line.putheader("Host", f"localhost:{self.port}" if host is None else host)
            if body is not None:
                line.putheader("Content-Length", str(len(body)))
                if kind is not None:
                    line.putheader("Content-Type", kind)
            for name, value in (headers or {}).items():
                line.putheader(name, value)
            line.endheaders(body)
            answer = line.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            assert len(found) == len(answer.getheaders()), "a header came twice"
            return Answer(answer.status, found, answer.read())

    def open(self) -> socket.socket:
        """Return a plain connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=STEP_S)

    def say(self, *parts: bytes) -> bytes:
        """Return all that comes back for these bytes, sent as they are."""
        with self.open() as line:
            for part in parts:
                line.sendall(part)
            return all_of(line)

    def lines(self) -> list[dict[str, Any]]:
        """Return each line of the log."""
        file = self.logs / FILE
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def answered(self) -> list[int]:
        """Return the status of each answer, as the log tells it."""
        return [one["http_status"] for one in self.lines() if one["event"] == "request.answered"]


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def all_of(line: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := line.recv(65_536):
            found += part
    return found


def until(true: Any) -> None:  # noqa: ANN401 - any question without an argument
    """Wait for what another thread brings about."""
    pause = threading.Event()
    for _ in range(STEP_S * 100):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError


def server_of(
    inner: Inner, *, rules: Rules, http: type[asyncio.Protocol] | Literal["h11"] = "h11"
) -> uvicorn.Server:
    """Return a server of a small application behind a guard, set as ours is."""
    return uvicorn.Server(
        uvicorn.Config(
            Guard(inner, rules=rules),
            http=http,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=16_384,
        )
    )


@contextmanager
def serving(server: uvicorn.Server, *, inner: Inner, host: str = "127.0.0.1") -> Iterator[int]:
    """Serve on a port of its own, which is yielded, until the test is over."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.bind((host, 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started)
        yield listening.getsockname()[1]
    finally:
        inner.free.set()
        server.should_exit = True
        thread.join(STEP_S)
        listening.close()
    assert not thread.is_alive()


@contextmanager
def site_on(rooms: Rooms, *, folder: Path, host: str = "127.0.0.1", **rules: Any) -> Iterator[Site]:  # noqa: ANN401 - fields of Rules
    """Serve a small application behind a guard until the test is over."""
    access = Access(
        Keys(rooms.store, audit=rooms.audit, world=rooms.world),
        people=people_in(rooms),
        world=rooms.world,
    )
    logs = Logs.open(folder / "logs", strict=True)
    plain = Rules(
        hosts=frozenset({"localhost", "127.0.0.1", "[::1]", "fees.example"}),
        loopback_bound=True,
        read_only=False,
        access=access,
        people=SignIn(people_in(rooms), world=rooms.world),
        world=rooms.world,
        office=ZoneInfo("Africa/Kigali"),
        logs=logs,
        folder=folder,
    )
    inner = Inner()
    site = Site(inner, access, folder / "logs", replace(plain, **rules))
    try:
        server = server_of(inner, rules=site.rules)
        with serving(server, inner=inner, host=host) as site.port:
            yield site
    finally:
        logs.close()
