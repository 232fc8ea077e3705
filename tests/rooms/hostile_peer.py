"""A peer on a raw socket that answers one request as badly as it is told to."""

import socket
import struct
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

_OVER = b"over"

Script = Callable[[socket.socket, bytes], None]


def answer(
    body: bytes, *, status: str = "200 OK", kind: str = "application/json", **headers: str
) -> bytes:
    """Return a well-formed HTTP answer; a header replaces ours of the same name."""
    named = {"content-type": kind, "content-length": str(len(body)), "connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def say(whole: bytes) -> Script:
    """Answer with these bytes and close."""
    return lambda line, _request: line.sendall(whole)


def say_in_turn(*answers: bytes) -> Sequence[Script]:
    """Answer each connection with the next of these."""
    return [say(whole) for whole in answers]


def reset_after(part: bytes) -> Script:
    """Send a part, then reset the connection."""

    def script(line: socket.socket, _request: bytes) -> None:
        line.sendall(part)
        # Linger on and zero: closing sends RST instead of FIN.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


def hold(part: bytes) -> Script:
    """Send a part, then nothing more until the other side goes."""

    def script(line: socket.socket, _request: bytes) -> None:
        line.sendall(part)
        line.recv(1)

    return script


def pour(*, first: bytes, again: bytes, times: int, last: bytes = b"") -> Script:
    """Send a beginning, the same piece many times and an end, never holding it all."""

    def script(line: socket.socket, _request: bytes) -> None:
        line.sendall(first)
        for _ in range(times):
            line.sendall(again)
        line.sendall(last)

    return script


def in_conversation(*replies: bytes) -> Script:
    """Answer each request on one connection with the next of these, then close."""

    def script(line: socket.socket, _request: bytes) -> None:
        for number, reply in enumerate(replies):
            if number and not request_on(line):
                return
            line.sendall(reply)

    return script


def half_closed(whole: bytes) -> Script:
    """Answer, then end our half only and wait for the other side to go."""

    def script(line: socket.socket, _request: bytes) -> None:
        line.sendall(whole)
        line.shutdown(socket.SHUT_WR)
        while line.recv(65536):
            pass

    return script


def drip(whole: bytes, *, pause: threading.Event) -> Script:
    """Send byte after byte, 20 ms apart, until the other side goes or the test says so."""

    def script(line: socket.socket, _request: bytes) -> None:
        for byte in whole:
            if pause.wait(0.02):
                return
            line.sendall(bytes([byte]))

    return script


def silence(_line: socket.socket, _request: bytes, *, until: threading.Event) -> None:
    """Answer nothing until the test is over."""
    until.wait(30)


class HostilePeer:
    """Listens on loopback; each connection gets the next script, the last one for ever.

    Every request it received stands in `requests`, bytes of refused ones included.

    Args:
        scripts: What it does once it has read a request.
        greeting: What it says as soon as somebody connects.
    """

    def __init__(self, scripts: Sequence[Script] | Script, *, greeting: bytes = b"") -> None:
        self._greeting = greeting
        self._scripts = list(scripts) if isinstance(scripts, Sequence) else [scripts]
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.connections = 0
        self.greeted = threading.Event()
        self.hung_up = threading.Event()
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        # Comes after every other connection, so all of them are looked at first.
        with socket.create_connection(self._socket.getsockname()) as line:
            line.sendall(_OVER)
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            line, _ = self._socket.accept()
            with line:
                line.settimeout(5)
                try:
                    if self._greeting and not self.over.is_set():
                        line.sendall(self._greeting)
                        self.greeted.set()
                    request = request_on(line)
                    if request == _OVER:
                        return
                    self.connections += 1
                    if request:
                        script = self._scripts[0]
                        if len(self._scripts) > 1:
                            del self._scripts[0]
                        self.requests.append(request)
                        script(line, request)
                except OSError:
                    continue
            self.hung_up.set()


def request_on(line: socket.socket) -> bytes:
    """Read one request to its end, or what came of it before the other side went."""
    read = b""
    while b"\r\n\r\n" not in read:
        piece = line.recv(65536)
        if not piece:
            return read
        read += piece
    head, _, body = read.partition(b"\r\n\r\n")
    length = 0
    for row in head.lower().split(b"\r\n"):
        if row.startswith(b"content-length:"):
            length = int(row.partition(b":")[2])
    while len(body) < length:
        piece = line.recv(65536)
        if not piece:
            break
        body += piece
    return head + b"\r\n\r\n" + body
