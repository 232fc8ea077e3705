"""`feebridge serve` as a process of its own, and a client that asks it."""

import http.client
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.quick import SLOW, Quick
from tests.walks.support import TOOL

LISTENS = re.compile(r"Feebridge on http://\S+:(\d+) ")
PATIENCE_S = 120
SYNC = "/api/v1/sync"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON document
        return json.loads(self.text)

    @property
    def data(self) -> Any:  # noqa: ANN401 - any JSON document
        return self.json["data"]


@dataclass
class Server:
    """A running server."""

    process: "subprocess.Popen[bytes]"
    port: int

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: int = PATIENCE_S,
    ) -> Answer:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        kind = {} if body is None else {"Content-Type": "application/json"}
        try:
            link.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={**kind, **(headers or {})},
            )
            came = link.getresponse()
            text = came.read().decode()
        finally:
            link.close()
        return Answer(came.status, {k.lower(): v for k, v in came.getheaders()}, text)

    def get(self, path: str, **more: Any) -> Answer:  # noqa: ANN401 - handed on
        return self.ask("GET", path, **more)

    def post(self, path: str, body: object = None, **more: Any) -> Answer:  # noqa: ANN401 - handed on
        return self.ask("POST", path, body=body, **more)

    def started(self, path: str, body: object = None) -> int:
        """Begin a run without waiting for it, and return its number."""
        answer = self.post(path, body, headers={"Prefer": "respond-async"})
        assert answer.status == 202, answer.text
        run_id = answer.json["meta"]["run_id"]
        assert answer.headers["location"] == f"{SYNC}/runs/{run_id}"
        return int(run_id)

    def run(self, run_id: int) -> Any:  # noqa: ANN401 - a run as JSON
        return self.get(f"{SYNC}/runs/{run_id}").data

    def until(self, run_id: int, *states: str) -> Any:  # noqa: ANN401 - a run as JSON
        """Wait until a run is in one of these states."""
        end = time.monotonic() + PATIENCE_S
        run: Any = None
        while time.monotonic() < end:
            run = self.run(run_id)
            if run["state"] in states:
                return run
            time.sleep(0.1)
        raise AssertionError(run)

    def until_met(self, run_id: int, *, least: int) -> None:
        """Wait until a run has met so many invoices."""
        end = time.monotonic() + PATIENCE_S
        while self.run(run_id)["processed"] < least:
            assert time.monotonic() < end
            time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> tuple[int, str]:
        """End it politely; return its exit code and what it said."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out.decode()


def start(environment: Mapping[str, str], *words: str, tool: Path = TOOL) -> Server:
    """Start a server on a free port; another tool is that of another build."""
    process: subprocess.Popen[bytes] = Quick(
        [sys.executable, str(tool), "serve", "--port", "0", *words],
        # Another build has modules of its own, which no process that has ours could become.
        env={**environment, SLOW: "1"} if tool != TOOL else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,  # what a reader here read ahead, `communicate` would not find
    )
    assert process.stdout is not None
    said = ""
    while (found := LISTENS.search(said)) is None:
        line = process.stdout.readline().decode()
        assert line, said
        said += line
    return Server(process, int(found[1]))


@contextmanager
def serving(environment: Mapping[str, str], *words: str) -> Iterator[Server]:
    server = start(environment, *words)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
