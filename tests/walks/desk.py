"""A desk beside a running server: the guide's own lines, live views, raw requests, the terminal."""

import http.client
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from tests.walks.server import PATIENCE_S, SYNC, Answer, Server
from tests.walks.support import ROOT, Done, Installation
from tests.walks.university import University

GUIDE = (ROOT / "docs/reference/guide.md").read_text(encoding="utf-8")
CURLS: list[str] = re.findall(r"^curl (?:[^\n]*\\\n)*[^\n]*$", GUIDE, flags=re.MULTILINE)
SLOW_MS = 100
FINAL = frozenset({"finished", "cancelled", "failed"})
ASYNC = {"Prefer": "respond-async"}
OURS = ("FEEBRIDGE_", "MIS_", "QUICKBOOKS_", "CLOCK_", "INDEX_", "CHECK_", "RETRY_", "ENGINE_")


@dataclass(frozen=True)
class Event:
    """One event of a live view."""

    id: int
    name: str
    content: Any


class View:
    """A live view of a run; iterate over it, and close it like a lost connection."""

    def __init__(self, server: Server, run_id: int, *, after: int | None = None) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        self._link.request("GET", f"{SYNC}/runs/{run_id}/events", headers=headers)
        self.answer = self._link.getresponse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.answer.close()
        self._link.close()

    def __iter__(self) -> Iterator[Event]:
        """Yield events until the server ends the view or dies."""
        fields: dict[str, str] = {}
        try:
            for raw in self.answer:
                line = raw.decode().rstrip("\n")
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
                    fields = {}
        except (ConnectionError, http.client.HTTPException):
            return

    def until(self, name: str) -> list[Event]:
        """Return the events up to the first of this name."""
        seen: list[Event] = []
        for event in self:
            seen.append(event)
            if event.name == name:
                return seen
        raise AssertionError(seen)


def viewed(server: Server, run_id: int, *, after: int | None = None) -> list[Event]:
    """Return every event of a run until its view ends."""
    with View(server, run_id, after=after) as view:
        return list(view)


def curled(line: str, *, server: Server) -> Any:  # noqa: ANN401 - any JSON document
    """Have a shell run a line of the guide as it stands there, on the port of this server."""
    done = subprocess.run(  # noqa: S603 - the guide's own line, which a person's shell runs too
        ["/bin/sh", "-c", line.replace(":5000", f":{server.port}")],
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return json.loads(done.stdout)


def raw(server: Server, request: bytes) -> bytes:
    """Return what comes back for bytes that no HTTP client would send."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as link:
        link.sendall(request)
        parts: list[bytes] = []
        while part := link.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def command(place: University, *words: str) -> Done:
    """Run a command on the university's installation, in a process of its own."""
    return Installation(place.folder).run(*words, settings=_settings(place))


def begun(place: University, *words: str) -> "subprocess.Popen[bytes]":
    """Start a command on the university's installation and leave it running."""
    return Installation(place.folder).start(*words, settings=_settings(place))


def _settings(place: University) -> dict[str, str]:
    return {name: text for name, text in place.environment().items() if name.startswith(OURS)}


@contextmanager
def slowed(place: University, *, latency_ms: int = SLOW_MS) -> Iterator[None]:
    """Have QuickBooks answer slowly, so that a run is at work while something else happens."""
    place.simulator.knob(latency_ms=[latency_ms, latency_ms])
    try:
        yield
    finally:
        place.simulator.knob(latency_ms=[0, 0])


def until(true: Callable[[], bool], *, patience_s: int = PATIENCE_S) -> None:
    """Wait until something is so."""
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, "it never came to be so"
        time.sleep(0.05)


def steered(server: Server, run_id: int, verb: str) -> Answer:
    """Pause, resume or cancel a run."""
    return server.post(f"{SYNC}/runs/{run_id}/{verb}")


def cancelled(server: Server, run_id: int) -> Mapping[str, Any]:
    """End a run and return it when it has ended."""
    if server.run(run_id)["state"] not in FINAL:
        steered(server, run_id, "cancel")
    run: Mapping[str, Any] = server.until(run_id, *FINAL)
    return run
