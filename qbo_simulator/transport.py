"""HTTP/1.1 by hand, so that an answer can be cut, delayed or falsified at any byte."""

import asyncio
import traceback
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Final, Protocol

import httptools
from typing_extensions import override

from qbo_simulator.messages import Cut, Reply, Request

BODY_MAX: Final = 32 * 1024 * 1024
REASONS: Final = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    413: "Payload Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Answering(Protocol):
    """What a connection needs: somebody who answers."""

    def answer(self, request: Request) -> Reply:
        """Return the answer to one request."""

    def refuses_connections(self) -> bool:
        """Return whether a new connection is closed at once."""


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def head_of(reply: Reply, *, second: int, tid: str, keep_alive: bool) -> bytes:
    """Return status line and headers."""
    lines = [
        f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}",
        f"Date: {_date(second)}",
        f"Content-Type: {reply.content_type}",
        f"intuit_tid: {tid}",
    ]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if reply.chunked:
        lines.append("Transfer-Encoding: chunked")
    else:
        lines.append(f"Content-Length: {len(reply.body) + reply.extra_length}")
    lines.append("Connection: keep-alive" if keep_alive else "Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def bytes_of(reply: Reply, *, second: int, tid: str, keep_alive: bool) -> bytes:
    """Return the whole answer as it travels."""
    head = head_of(reply, second=second, tid=tid, keep_alive=keep_alive)
    if not reply.chunked:
        return head + reply.body
    return head + b"%x\r\n" % len(reply.body) + reply.body + b"\r\n0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One client connection: requests in, answers out, one at a time."""

    def __init__(
        self,
        *,
        office: Answering,
        next_tid: Callable[[], str],
        second: Callable[[], int],
        open_ones: "set[Connection]",
    ) -> None:
        self._office = office
        self._next_tid = next_tid
        self._second = second
        self._open = open_ones
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._busy: Reply | None = None

    # --- asyncio --------------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it at once when a fault says so."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # TCP gives no other
        self._transport = transport
        if self._office.refuses_connections():
            transport.abort()
            return
        self._open.add(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Count the request in hand as gone."""
        _ = exc
        self._open.discard(self)
        self._transport = None
        self._done()

    @override
    def data_received(self, data: bytes) -> None:
        """Parse what came; a request that is no HTTP closes the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            traceback.print_exc()  # a fault of ours must not look like one on demand
            self.drop()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.drop()

    def drop(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    # --- httptools ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Start a request."""
        self._target = b""
        self._headers = {}
        self._body = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Collect the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one header, its name in lower case."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Invite the body of a client that asks first."""
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Collect a piece of the body."""
        self._size += len(body)
        if self._size > BODY_MAX:
            self.drop()
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer the request, or let it wait for the one before it."""
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            target=self._target.decode("latin-1"),
            headers=self._headers,
            body=b"".join(self._body),
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._busy is None:
            self._next()

    # --- answers --------------------------------------------------------------------------------

    def _next(self) -> None:
        while self._waiting and self._busy is None and self._transport is not None:
            request, keep_alive = self._waiting.popleft()
            reply = self._office.answer(request)
            self._busy = reply
            if reply.wait_s > 0:
                loop = asyncio.get_running_loop()
                loop.call_later(reply.wait_s, self._send, reply, keep_alive)
                return
            self._send(reply, keep_alive)

    def _send(self, reply: Reply, keep_alive: bool) -> None:  # noqa: FBT001  # call_later passes by place
        if self._transport is None or self._busy is not reply:
            return
        if reply.cut is Cut.BEFORE:
            self._transport.abort()
            return
        whole = bytes_of(reply, second=self._second(), tid=self._next_tid(), keep_alive=keep_alive)
        if reply.cut is Cut.HALF:
            # Close and not abort: the half that was promised must arrive.
            self._transport.write(whole[: len(whole) - (len(reply.body) + 1) // 2])
            self._transport.close()
            return
        if reply.drip_s > 0:
            self._drip(whole, 0, reply, keep_alive)
            return
        self._transport.write(whole)
        self._sent(reply, keep_alive)

    def _drip(self, whole: bytes, at: int, reply: Reply, keep_alive: bool) -> None:  # noqa: FBT001  # as above
        if self._transport is None:
            return
        self._transport.write(whole[at : at + 1])
        if at + 1 < len(whole):
            loop = asyncio.get_running_loop()
            loop.call_later(reply.drip_s, self._drip, whole, at + 1, reply, keep_alive)
            return
        self._sent(reply, keep_alive)

    def _sent(self, reply: Reply, keep_alive: bool) -> None:  # noqa: FBT001  # as above
        self._done()
        if self._transport is None:
            return
        if not keep_alive or reply.extra_length:
            self._transport.close()
            return
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)

    def _done(self) -> None:
        reply, self._busy = self._busy, None
        if reply is not None and reply.finished is not None:
            reply.finished()
