"""Bytes to and from QuickBooks: HTTP/1.1, allowed hosts, one deadline for the whole call."""

import socket
import ssl
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import cast
from urllib.parse import urlsplit

import httpcore2
import httpx2
from typing_extensions import override

from application.catalogue import WrongEnvironment
from application.invoices.model import Environment
from application.quickbooks.answers import BODY_BYTES_MAX, Answer
from application.world import Clock

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# Source: Intuit's base addresses and its discovery documents.
_SHARED_HOSTS = frozenset(
    {"oauth.platform.intuit.com", "developer.api.intuit.com", "appcenter.intuit.com"}
)
_HOSTS = {
    Environment.SIMULATOR: frozenset[str](),
    Environment.SANDBOX: _SHARED_HOSTS | {"sandbox-quickbooks.api.intuit.com"},
    Environment.PRODUCTION: _SHARED_HOSTS | {"quickbooks.api.intuit.com"},
}
_MS_A_SECOND = 1000
_READ_BYTES = 64 * 1024
_ENCODINGS = frozenset({"", "identity", "gzip"})
_GZIP = 16 + zlib.MAX_WBITS

_deadline_ms: ContextVar[int | None] = ContextVar("deadline_ms", default=None)


class Broken(Exception):
    """The answer's body cannot be what was sent: too large or not unpacked.

    Args:
        why: The machine word of the outcome.
    """

    def __init__(self, *, why: str) -> None:
        super().__init__(why)
        self.why = why


def check_address(address: str, *, environment: Environment | None) -> str:
    """Return an address that may be called, without a slash at its end.

    Args:
        address: Scheme, host and perhaps a path.
        environment: The one it is for, or None when either of Intuit's will do.

    Raises:
        WrongEnvironment: Another host than the environment's own, or no TLS; loopback may.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if host in LOOPBACK and parts.scheme in {"http", "https"}:
        return address.rstrip("/")
    wanted = [environment] if environment else list(Environment)
    if parts.scheme != "https" or not any(host in _HOSTS[each] for each in wanted):
        raise WrongEnvironment(detail=host)
    if parts.port not in {None, 443} or parts.username is not None:
        raise WrongEnvironment(detail=host)
    return address.rstrip("/")


@contextmanager
def deadline(at_ms: int) -> Iterator[None]:
    """Let no read or write of this thread last beyond an instant since boot."""
    before = _deadline_ms.set(at_ms)
    try:
        yield
    finally:
        _deadline_ms.reset(before)


def move_deadline(at_ms: int) -> None:
    """Set another instant for the call in hand."""
    _deadline_ms.set(at_ms)


class Road(httpx2.HTTPTransport):
    """The real transport: no redirect, no retry, nothing from the environment.

    A time-out per read would let a peer that drips one byte a minute hold us for ever, so every
    read and write also ends at the deadline of the call.

    Args:
        clock: Counts the deadline.
        connections_max: Open connections at most.
        idle_ms: Longest time a connection is kept without use.
        unacknowledged_ms: Bytes nobody acknowledged for so long are not delivered later.
        backend: Opens connections; the system's sockets when absent.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        connections_max: int = 10,
        idle_ms: int = 15_000,
        unacknowledged_ms: int = 5_000,
        backend: httpcore2.NetworkBackend | None = None,
    ) -> None:
        context = _trusted()
        super().__init__(verify=context, trust_env=False)
        self._pool = _Pool(
            ssl_context=context,
            max_connections=connections_max,
            max_keepalive_connections=connections_max,
            keepalive_expiry=idle_ms / _MS_A_SECOND,
            network_backend=cast(httpcore2.NetworkBackend, _Lines(clock, backend=backend)),
            socket_options=_socket_options(unacknowledged_ms),
        )


class _Pool(httpcore2.ConnectionPool):
    """Keeps open connections, but none that said more than it was asked."""

    @override
    def create_connection(self, origin: httpcore2.Origin) -> httpcore2.ConnectionInterface:
        connection = super().create_connection(origin)
        return cast(httpcore2.ConnectionInterface, _Kept(connection))


class _Kept:
    """One connection of the pool, with the shape of `httpcore2.ConnectionInterface`."""

    def __init__(self, connection: httpcore2.ConnectionInterface) -> None:
        self._connection = connection

    def has_expired(self) -> bool:
        """Return whether it must not carry another request.

        Bytes behind an answer stay in the connection's parser, where nobody sees them, and would
        be read as the answer to the next request: a refusal of an invoice that QuickBooks takes.
        """
        inner = getattr(self._connection, "_connection", None)  # None until it is open
        state = getattr(inner, "_h11_state", None)
        said_more = inner is not None and (state is None or bool(state.trailing_data[0]))
        return said_more or self._connection.has_expired()

    def __getattr__(self, name: str) -> object:
        """Leave the rest to the connection itself."""
        return getattr(self._connection, name)


@cache
def _trusted() -> ssl.SSLContext:
    """Return whom we trust; reading the system's certificates takes longer than a request."""
    return httpx2.create_ssl_context(trust_env=False)


class _Lines:
    """Opens connections whose every step ends at the deadline; other time-outs do not count.

    It has the shape of `httpcore2.NetworkBackend`, as `_Line` has that of `NetworkStream`.
    """

    def __init__(self, clock: Clock, *, backend: httpcore2.NetworkBackend | None) -> None:
        self._clock = clock
        self._backend = backend or httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: object = None,  # noqa: ARG002 - httpcore2 names it; the deadline decides
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> "_Line":
        left = _left_ms(self._clock, late=httpcore2.ConnectTimeout)
        stream = self._backend.connect_tcp(
            host,
            port,
            timeout=left and left / _MS_A_SECOND,
            local_address=local_address,
            socket_options=socket_options,
        )
        return _Line(stream, clock=self._clock)


class _Line:
    """One open connection."""

    def __init__(self, stream: httpcore2.NetworkStream, *, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._asking = False

    def read(self, max_bytes: int, timeout: object = None) -> bytes:  # noqa: ARG002 - httpcore2 names it; the deadline decides
        self._asking = False
        left = _left_ms(self._clock, late=httpcore2.ReadTimeout)
        return self._stream.read(max_bytes, timeout=left and left / _MS_A_SECOND)

    def write(self, buffer: bytes, timeout: object = None) -> None:  # noqa: ARG002 - httpcore2 names it; the deadline decides
        left = _left_ms(self._clock, late=httpcore2.WriteTimeout)
        if not self._asking and self._already_answered():
            raise httpcore2.ReadError
        self._asking = True
        self._stream.write(buffer, timeout=left and left / _MS_A_SECOND)

    def _already_answered(self) -> bool:
        """Return whether the other side spoke or went before our first byte.

        What it said cannot be about a request it had not seen. Reading is the only way to tell:
        under TLS a readable socket may hold nothing but the session's own records.
        """
        line = self._stream.get_extra_info("socket")
        line.settimeout(0)
        try:
            line.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: object = None,  # noqa: ARG002 - httpcore2 names it; the deadline decides
    ) -> "_Line":
        left = _left_ms(self._clock, late=httpcore2.ConnectTimeout)
        stream = self._stream.start_tls(
            ssl_context, server_hostname, timeout=left and left / _MS_A_SECOND
        )
        return _Line(stream, clock=self._clock)

    def __getattr__(self, name: str) -> object:
        """Leave the rest, such as closing, to the connection itself."""
        return getattr(self._stream, name)


def answer_of(response: httpx2.Response) -> Answer:
    """Read an answer to its end, unpacked, at most 16 MiB.

    Raises:
        Broken: It is larger, packed in a way we did not ask for, or cannot be unpacked.
        httpx2.HTTPError: The connection ended first.
    """
    headers = response.headers
    return Answer(
        status=response.status_code,
        content_type=headers.get("content-type", ""),
        body=_body(response),
        # Documented with an underscore, recorded with a hyphen.
        intuit_tid=headers.get("intuit_tid") or headers.get("intuit-tid"),
        retry_after=headers.get("retry-after"),
        date=headers.get("date"),
        challenge=headers.get("www-authenticate"),
    )


def _body(response: httpx2.Response) -> bytes:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise Broken(why="encoding")
    unpack = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    body = bytearray()
    for piece in response.iter_raw(_READ_BYTES):
        try:
            body += unpack.decompress(piece, BODY_BYTES_MAX + 1) if unpack else piece
        except zlib.error:
            raise Broken(why="encoding") from None
        if len(body) > BODY_BYTES_MAX or (unpack and unpack.unconsumed_tail):
            raise Broken(why="size")
        if unpack and unpack.unused_data:
            raise Broken(why="encoding")  # it would be kept, however much of it came
    if unpack and body and not unpack.eof:
        raise Broken(why="cut")
    return bytes(body)


def _left_ms(clock: Clock, *, late: type[httpcore2.TimeoutException]) -> int | None:
    at_ms = _deadline_ms.get()
    if at_ms is None:
        return None
    left_ms = at_ms - clock.since_boot_ms()
    if left_ms <= 0:
        raise late
    return left_ms


def _socket_options(unacknowledged_ms: int) -> list[httpcore2.SOCKET_OPTION]:
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return []  # only Linux can be told
    return [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unacknowledged_ms)]
