"""Runs with news, clients that read them, and a real server that serves them."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from typing_extensions import override

from application.api.live import HEADERS, MEDIA_TYPE, Hub, StreamsFull
from tests.rooms.store_support import REALM, UWASE, Rooms

STEP_S = 20  # a bound on what must happen anyway

Told = tuple[int, str, object]  # id, event, content


def new_run(rooms: Rooms) -> int:
    run = rooms.runs.open(
        kind="batch",
        state="queued",
        by=UWASE,
        environment="simulator",
        realm_tag=REALM.tag,
        holder="desk-1",
    )
    return run.id


def end(rooms: Rooms, run_id: int) -> None:
    assert rooms.runs.finish(run_id, state="finished", by=UWASE)


def progress(count: int) -> tuple[str, dict[str, object]]:
    return "run.progress", {"processed": count}


def told_in(frames: bytes) -> list[Told]:
    """Return what a client reads out of a stream; comments are passed over."""
    found: list[Told] = []
    for block in frames.decode().split("\n\n"):
        fields = dict(
            line.split(": ", maxsplit=1) for line in block.split("\n") if line[:1].isalpha()
        )
        if fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


async def read(stream: AsyncIterator[bytes], *, count: int | None = None) -> list[Told]:
    """Return what comes until the stream ends, or until that many have come."""
    found: list[Told] = []
    async with asyncio.timeout(STEP_S):
        while count is None or len(found) < count:
            frames = await anext(stream, None)
            if frames is None:
                break
            found += told_in(frames)
    return found


async def leave(stream: AsyncIterator[bytes]) -> None:
    """Go away, as a server does when its client has."""
    assert hasattr(stream, "aclose")
    await stream.aclose()


def names(found: list[Told]) -> list[str]:
    return [event for _, event, _ in found]


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread, or a library, brings about."""
    async with asyncio.timeout(STEP_S):
        while not true():  # noqa: ASYNC110 - nobody there could set an event of ours
            await asyncio.sleep(0.01)


class Site(uvicorn.Server):
    """A real server that tells its live views before it waits for them."""

    def __init__(self, hub: Hub) -> None:
        async def stream(request: Request) -> Response:
            last = request.headers.get("last-event-id")
            try:
                frames = await hub.stream(
                    request.path_params["run_id"], last_event_id=int(last) if last else None
                )
            except StreamsFull:
                return PlainTextResponse("full", status_code=503)
            return StreamingResponse(frames, media_type=MEDIA_TYPE, headers=HEADERS)

        app = Starlette(routes=[Route("/runs/{run_id:int}/events", stream)])
        config = uvicorn.Config(
            app, http="h11", log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        super().__init__(config)
        self._hub = hub
        self.listening = socket.socket()
        self.listening.bind(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hub.close()
        await super().shutdown(sockets)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.serve(sockets=[self.listening]))
        await until(lambda: self.started)
        try:
            yield
        finally:
            self.should_exit = True
            async with asyncio.timeout(STEP_S):
                await task


class Browser:
    """A client on a plain socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""

    @classmethod
    async def at(cls, port: int, run_id: int, *, last: int | None = None) -> "Browser":
        browser = cls(*await asyncio.open_connection("127.0.0.1", port))
        resumed = "" if last is None else f"Last-Event-ID: {last}\r\n"
        browser.writer.write(
            f"GET /runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\n{resumed}\r\n".encode()
        )
        async with asyncio.timeout(STEP_S):
            browser.head = await browser.reader.readuntil(b"\r\n\r\n")
        return browser

    async def next(self) -> bytes:
        """Return the next chunk; nothing at the end."""
        async with asyncio.timeout(STEP_S):
            size = int(await self.reader.readline() or b"0", 16)
            chunk = await self.reader.readexactly(size) if size else b""
            await self.reader.readline()
        return chunk

    async def told(self, *, count: int) -> list[Told]:
        found: list[Told] = []
        while len(found) < count and (chunk := await self.next()):
            found += told_in(chunk)
        return found

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def vanish(self) -> None:
        """Go without a word."""
        self.writer.transport.abort()


def is_stuck(site: Site) -> bool:
    """Return whether the server can write no more to its one client."""
    (connection,) = site.server_state.connections
    flow = getattr(connection, "flow", None)
    return flow is not None and bool(flow.write_paused)
