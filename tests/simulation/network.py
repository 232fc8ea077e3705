"""Connections made of virtual time: real request and answer bytes between client and simulator."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import httpcore2
from typing_extensions import override

from qbo_simulator.messages import Cut, Reply, Request
from qbo_simulator.transport import bytes_of
from tests.simulation.history import Sent
from tests.simulation.scheduler import Actor, Process

if TYPE_CHECKING:
    from tests.simulation.world import SimulatedWorld

IDLE_MS = 15_000
FOR_EVER_MS = 10**15
DOUBLED_WITHIN_MS = 60_000
DRIP_PIECES = 6


class Network(httpcore2.NetworkBackend):
    """Opens connections for one simulated process."""

    def __init__(self, world: "SimulatedWorld", process: Process) -> None:
        self._world = world
        self._process = process

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> "Stream":
        world = self._world
        world.effect(self._process, "connect")
        world.scheduler.advance(world.dice.randrange(1, 30))
        fate = world.fate("connect")
        if fate == "no_connect" and timeout is not None:
            world.scheduler.advance(int(timeout * 1000) + 1)
            raise httpcore2.ConnectTimeout
        if fate == "refused" or world.office.refuses_connections():
            world.history.note(world.scheduler.now_ms, self._process.name, "refused")
            raise httpcore2.ConnectError
        return Stream(world, self._process)


class Stream(httpcore2.NetworkStream):
    """One connection, seen from the client."""

    def __init__(self, world: "SimulatedWorld", process: Process) -> None:
        self._world = world
        self._process = process
        self._out = b""
        self._fate: str | None = None
        self._inbox: deque[bytes] = deque()
        self._reset = False
        self._ended = False
        self._closed = False
        self._reader: Actor | None = None
        self._used_ms = world.scheduler.now_ms

    # -- the client's side -----------------------------------------------------------------------

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Take bytes; a whole request leaves."""
        world = self._world
        world.effect(self._process, "write")
        if not self._out:
            self._fate = world.fate("request", head=buffer)
        if self._fate == "slow_wire" and timeout is not None:
            world.scheduler.advance(world.dice.randrange(1, 9_000))
        if self._reset or self._closed:
            raise httpcore2.WriteError
        if self._fate == "cut_idle":
            self._break()
            raise httpcore2.WriteError
        if self._fate == "torn_request" and world.dice.random() < 0.5:
            self._break()
            raise httpcore2.WriteError
        self._out += buffer
        request = _parsed(self._out)
        if request is not None:
            whole, self._out = self._out, b""
            self._used_ms = world.scheduler.now_ms
            Trip(world, self, request=request, whole=whole, fate=self._fate).depart()

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come; wait for it until the time-out."""
        world = self._world
        world.effect(self._process, "read")
        scheduler = world.scheduler
        until = scheduler.now_ms + (FOR_EVER_MS if timeout is None else int(timeout * 1000))
        while not self._inbox:
            if self._reset:
                raise httpcore2.ReadError
            if self._ended or self._closed:
                return b""
            if scheduler.now_ms >= until:
                raise httpcore2.ReadTimeout
            self._reader = scheduler.current
            scheduler.wait(until)
        piece = self._inbox.popleft()
        if len(piece) > max_bytes:
            self._inbox.appendleft(piece[max_bytes:])
        self._used_ms = scheduler.now_ms
        return piece[:max_bytes]

    @override
    def close(self) -> None:
        """Hang up; what is on its way to the other end arrives all the same."""
        self._closed = True

    @override
    def get_extra_info(self, info: str) -> object:
        """Say whether an idle connection must not be used again, and lend its socket."""
        if info == "socket":
            return Socket(self)
        if info != "is_readable":
            return None
        idle_ms = self._world.scheduler.now_ms - self._used_ms
        return bool(self._inbox) or self._reset or self._ended or idle_ms >= IDLE_MS

    def look(self) -> bytes:
        """Return what lies there unread, without waiting for more.

        Raises:
            BlockingIOError: Nothing does.
            ConnectionResetError: The other side went.
        """
        if self._reset:
            raise ConnectionResetError
        if not self._inbox and not self._ended:
            raise BlockingIOError
        return self._inbox[0] if self._inbox else b""

    @property
    def open(self) -> bool:
        """Whether an answer can still come to somebody."""
        return not (self._reset or self._ended or self._closed or self._process.dead)

    # -- the other side --------------------------------------------------------------------------

    def deliver(self, piece: bytes) -> None:
        """Let bytes arrive."""
        if not self._closed:
            self._inbox.append(piece)
            self._wake()

    def end(self) -> None:
        """Close from the other end."""
        self._ended = True
        self._wake()

    def reset(self) -> None:
        """Break the connection."""
        self._break()
        self._wake()

    def _break(self) -> None:
        self._reset = True
        self._inbox.clear()
        self._out = b""

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not self._process.dead:
            self._world.scheduler.wake(reader)


class Socket:
    """As much of a socket as somebody needs who looks whether the other side spoke first."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def settimeout(self, value: float | None) -> None:
        """Never wait."""

    def recv(self, bufsize: int, /) -> bytes:
        """Return what lies there unread."""
        return self._stream.look()[:bufsize]


class Trip:
    """One request on its way, and its answer on the way back."""

    def __init__(
        self,
        world: "SimulatedWorld",
        stream: Stream,
        *,
        request: Request,
        whole: bytes,
        fate: str | None,
    ) -> None:
        self._world = world
        self._stream = stream
        self._request = request
        self._whole = whole
        self._fate = fate
        self._dice = world.dice
        self._answered = False

    def depart(self) -> None:
        """Leave for the office, or for nowhere."""
        world, request = self._world, self._request
        name = self._stream._process.name  # noqa: SLF001 - two halves of one connection
        world.history.note(
            world.scheduler.now_ms, name, f"> {request.method} {self._fate}", self._whole
        )
        self._sender = name
        on_the_way = self._dice.randrange(1, 40)
        if b"grant_type=refresh_token" in request.body:
            world.watch.refresh_left(self, now_ms=world.scheduler.now_ms)
        match self._fate:
            case "lost" | "torn_request":
                if self._dice.random() < 0.5:
                    world.scheduler.after(on_the_way, self._stream.reset)
            case "late_commit":
                late = self._dice.randrange(1, world.weather.late_most_ms)
                world.scheduler.after(on_the_way + late, self._arrive)
            case "doubled_request":
                world.scheduler.after(on_the_way, self._arrive)
                if world.may_double(request):
                    later = self._dice.randrange(1, DOUBLED_WITHIN_MS)
                    world.scheduler.after(on_the_way + later, self._arrive_again)
            case _:
                world.scheduler.after(on_the_way, self._arrive)

    @property
    def waiting(self) -> bool:
        """Whether its answer has not come and can still come."""
        return not self._answered and self._stream.open

    def _arrive_again(self) -> None:
        # Nobody waits for the second answer; QuickBooks no longer counts it as under way.
        self._finished(self._world.answer(self._request, sender=self._sender, again=True))

    def _arrive(self) -> None:
        reply = self._world.answer(self._request, sender=self._sender, again=False)
        wait_ms = int(reply.wait_s * 1000) + self._dice.randrange(1, 40)
        match self._fate:
            case "answer_lost":
                if self._dice.random() < 0.5:
                    self._world.scheduler.after(wait_ms, self._stream.reset)
                self._finished(reply)
            case "answer_late":
                late = self._dice.choice((20_000, 129_000, 131_000, 400_000))
                self._world.scheduler.after(wait_ms + late, lambda: self._answer(reply))
            case _:
                self._world.scheduler.after(wait_ms, lambda: self._answer(reply))

    def _answer(self, reply: Reply) -> None:
        world, stream = self._world, self._stream
        self._answered = True
        self._finished(reply)
        if reply.cut is Cut.BEFORE:
            stream.reset()
            return
        whole = bytes_of(reply, second=world.second(), tid=world.next_tid(), keep_alive=True)
        world.history.note(world.scheduler.now_ms, self._sender, f"< {reply.status}", whole)
        if reply.cut is Cut.HALF:
            stream.deliver(whole[: len(whole) - (len(reply.body) + 1) // 2])
            stream.end()
        elif self._fate == "torn_answer":
            stream.deliver(whole[: self._dice.randrange(len(whole))])
            (stream.end if self._dice.random() < 0.5 else stream.reset)()
        elif self._fate == "doubled_answer":
            stream.deliver(whole + whole)
        elif reply.drip_s > 0:
            self._drip(whole, reply)
        else:
            stream.deliver(whole)
            if reply.extra_length:
                stream.end()

    def _drip(self, whole: bytes, reply: Reply) -> None:
        size = len(whole) // DRIP_PIECES + 1
        step_ms = max(1, int(size * reply.drip_s * 1000))
        for number in range(0, len(whole), size):
            piece = whole[number : number + size]
            self._world.scheduler.after(
                number // size * step_ms, _delivery(self._stream, piece=piece)
            )

    @staticmethod
    def _finished(reply: Reply) -> None:
        if reply.finished is not None:
            reply.finished()


def _delivery(stream: Stream, *, piece: bytes) -> Callable[[], None]:
    return lambda: stream.deliver(piece)


def _parsed(buffer: bytes) -> Request | None:
    """Return the request in these bytes; None while a part of it is missing."""
    head, gap, body = buffer.partition(b"\r\n\r\n")
    if not gap:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if len(body) < int(headers.get("content-length", "0")):
        return None
    return Request(method=method, target=target, headers=headers, body=body)


def sent_of(request: Request, *, sender: str, again: bool, at_ms: int) -> Sent:
    """Return what is written down of a request that arrived."""
    return Sent(
        at_ms=at_ms,
        process=sender,
        method=request.method,
        path=request.path,
        request_id=request.options.get("requestid", ""),
        body=request.body,
        again=again,
    )
