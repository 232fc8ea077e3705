"""Hears one request: the browser that comes back from QuickBooks to this machine."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from typing_extensions import override

from application.catalogue import NotConnected
from application.world import Clock

WAIT_S: Final = 600
PAGE_WAIT_S: Final = 2
LINE_WAIT_S: Final = 10  # a connection that says nothing must not keep the browser out
OVER: Final = "/feebridge-was-told"
PAGE: Final = b"<!doctype html><title>Feebridge</title><p>Go back to the terminal.</p>\n"
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class PortTaken(Exception):
    """Another program listens where the browser comes back to, most likely the server.

    Args:
        port: Where.
    """

    def __init__(self, *, port: int) -> None:
        super().__init__(port)
        self.port = port


def is_local(address: str) -> bool:
    """Return whether a browser on this machine would come back to this machine, unencrypted."""
    where = urlsplit(address)
    return where.scheme == "http" and where.hostname in LOCAL


def heard(address: str, *, clock: Clock) -> str:
    """Return the address the browser came back to.

    Raises:
        NotConnected: Nobody came within ten minutes.
        PortTaken: Nobody can listen there.
    """
    where = urlsplit(address)
    came: list[str] = []
    port = where.port or 80
    try:
        server = HTTPServer(("127.0.0.1", port), _door(where, came=came))
    except OSError as taken:
        raise PortTaken(port=port) from taken
    with server:
        _serve(server, came=came, clock=clock)
    if not came:
        raise NotConnected(since="", reason="no browser came back within ten minutes")
    return came[0]


def _serve(server: HTTPServer, *, came: list[str], clock: Clock) -> None:
    until_ms = clock.since_boot_ms() + WAIT_S * 1000
    while not came and (left_ms := until_ms - clock.since_boot_ms()) > 0:
        server.timeout = left_ms / 1000
        server.handle_request()
    if came:
        server.timeout = PAGE_WAIT_S
        server.handle_request()


def _door(where: SplitResult, *, came: list[str]) -> type[BaseHTTPRequestHandler]:
    """Return what answers the browser and writes down where it was sent."""

    class Door(BaseHTTPRequestHandler):
        timeout = LINE_WAIT_S

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if asked.path == OVER:
                self._page()
            elif asked.path == where.path and "state" in parse_qs(asked.query):
                came.append(f"{where.scheme}://{where.netloc}{self.path}")
                # The address holds a code, so no page may stand under it.
                self.send_response(302)
                self.send_header("Location", OVER)
                self._end()
            else:  # a browser also asks for an icon, and others may knock
                self.send_error(404)

        def _page(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(PAGE)))
            self._end()
            self.wfile.write(PAGE)

        def _end(self) -> None:
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Write nothing: the address holds a code."""

    return Door
