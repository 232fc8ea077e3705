"""Hears one request: the browser that comes back from QuickBooks to this machine."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final
from urllib.parse import urlsplit

from typing_extensions import override

from application.catalogue import NotConnected

WAIT_S: Final = 600
ASKED_MOST: Final = 5
PAGE: Final = b"<!doctype html><title>Feebridge</title><p>Signed in. You can close this page.</p>\n"
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_local(address: str) -> bool:
    """Return whether a browser on this machine would come back to this machine, unencrypted."""
    where = urlsplit(address)
    return where.scheme == "http" and where.hostname in LOCAL


def heard(address: str) -> str:
    """Return the address the browser came back to.

    Raises:
        NotConnected: Nobody came within ten minutes.
    """
    where = urlsplit(address)
    came: list[str] = []

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if urlsplit(self.path).path != where.path:
                self.send_error(404)
                return
            came.append(f"{where.scheme}://{where.netloc}{self.path}")
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Write nothing: the address holds a code."""

    with HTTPServer(("127.0.0.1", where.port or 80), Door) as server:
        server.timeout = WAIT_S
        for _ in range(ASKED_MOST):  # a browser also asks for an icon, and others may knock
            if not came:
                server.handle_request()
    if not came:
        raise NotConnected(since="", reason="no browser came back within ten minutes")
    return came[0]
