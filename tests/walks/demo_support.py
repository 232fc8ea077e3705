"""A demo that stays up, as `make demo` leaves it, with everything waiting; and its simulator."""

import errno
import http.client
import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.walks import observer
from tests.walks.desk import until
from tests.walks.observer import Books
from tests.walks.server import PATIENCE_S, SYNC, Answer, Server
from tests.walks.support import Done, Installation

DEMO = "/api/v1/demo"
READY = re.compile(r"Demo ready: http://localhost:(\d+) ")
SETTINGS = {
    "CLOCK_SCALE": "50",
    # 120 s of work and 60 s of lag: at this scale absence is believed after four seconds.
    "INDEX_LAG_S": "60",
    # A write may take this long on a busy machine and still count as sent in time.
    "CHECK_TO_SEND_S": "20",
    "RETRY_DELAY_S": "1",
    "MIS_PATIENCE_S": "1",
}
# Above 1,200 an answer would count as old at this scale, and each invoice be read again.
SLOW_MS = 100
PLANTED = {"customer_not_found", "invalid_amount", "fee_category_unmapped"}


@dataclass
class Shown(Server):
    """A demo: the command that minds it, and the server it minds."""

    installation: Installation
    said: Path

    @property
    def told(self) -> str:
        """What the command has said so far."""
        return self.said.read_text(encoding="utf-8")

    def begin(self, control: str, **more: object) -> Answer:
        answer = self.post(f"{DEMO}/{control}/start", more or None)
        assert answer.status == 200, answer.text
        return answer

    def end(self, control: str) -> Answer:
        answer = self.post(f"{DEMO}/{control}/stop")
        assert answer.status == 200, answer.text
        return answer

    def state(self, control: str) -> str:
        listed = self.get(DEMO).data["controls"]
        [found] = [one["state"] for one in listed if one["name"] == control]
        return str(found)

    def statistics(self) -> dict[str, int]:
        found: dict[str, int] = self.get(f"{SYNC}/analyze").data
        return found

    def invoice(self, invoice_id: int) -> Any:  # noqa: ANN401 - an invoice as JSON
        return self.get(f"{SYNC}/invoices/{invoice_id}").data

    def single(self, invoice_id: int) -> Answer:
        return self.post(f"{SYNC}/single/{invoice_id}")

    def settled(self, invoice_id: int, *, status: str = "synced") -> None:
        """Send one invoice until it is in QuickBooks, or failed where that is wanted.

        Its customer may still be one of those whose answer was lost; then it waits a while.
        """

        def there() -> bool:
            now = str(self.invoice(invoice_id)["status"])
            if now == "not_synced":
                self.single(invoice_id)
            return now == status

        until(there)

    def sends(self, *, batches: int = 1) -> int:
        """Begin a run of so many batches of 40."""
        return self.started(f"{SYNC}/all", {"max_batches": batches, "batch_size": 40})

    def finished(self, run_id: int) -> Any:  # noqa: ANN401 - a run as JSON
        """Wait for a run's end; nothing but what is planted may have failed."""
        run = self.until(run_id, "finished")
        assert set(run["failures_by_cause"]) <= PLANTED, run
        assert run["unsettled"] == 0
        return run

    def next_waiting(self, *, after: int = 0) -> int:
        found = self.get(f"{SYNC}/preview?limit=20").data["invoices"]
        return next(int(one["id"]) for one in found if one["ready"] and one["id"] > after)

    # -- the simulator ----------------------------------------------------------------------------

    @property
    def note(self) -> dict[str, int]:
        """The simulator's two ports."""
        file = self.installation.folder / "demo" / "simulator.json"
        noted: dict[str, int] = json.loads(file.read_text(encoding="ascii"))
        return noted

    def refuses(self) -> bool:
        """Whether QuickBooks takes no connection."""
        with socket.socket() as link:
            return link.connect_ex(("127.0.0.1", self.note["port"])) == errno.ECONNREFUSED

    def simulator(self, method: str, path: str, body: object = None) -> bytes:
        port = self.note["control_port"]
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            link.request(method, f"/_simulator/{path}", body=json.dumps(body))
            came = link.getresponse()
            text = came.read()
            assert came.status == 200, text
        finally:
            link.close()
        return text

    def hits(self, kind: str) -> int:
        """How often trouble of that kind has struck."""
        return int(json.loads(self.simulator("GET", "state"))["fault_hits"].get(kind, 0))

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.simulator("GET", "ledger").splitlines()]

    def documents(self, number: str) -> list[dict[str, Any]]:
        return [one for one in self.ledger() if one["DocNumber"] == number and one["live"]]

    def look(self) -> Books:
        return observer.look_beside(self.installation.mis_file, self.ledger)

    @contextmanager
    def slowed(self) -> Iterator[None]:
        """Have QuickBooks answer slowly, so that a run is at work while something happens."""
        self.simulator("POST", "knobs", {"latency_ms": [SLOW_MS, SLOW_MS]})
        try:
            yield
        finally:
            self.simulator("POST", "knobs", {"latency_ms": [0, 0]})

    def command(self, *words: str) -> Done:
        return self.installation.run(*words, settings=SETTINGS)

    # -- its life ---------------------------------------------------------------------------------

    def interrupt(self) -> int:
        """Press Ctrl-C; return the command's exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE_S)


def shown(
    installation: Installation, *words: str, settings: Mapping[str, str] | None = None
) -> Shown:
    """Start a demo on a free port; it is ready."""
    said = installation.folder / "said.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own tool, no shell
            installation.words("demo", "--serve", "--port", "0", *words),
            cwd=installation.folder,
            env=installation.environment({**SETTINGS, **(settings or {})}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    end = time.monotonic() + PATIENCE_S
    while (found := READY.search(said.read_text(encoding="utf-8"))) is None:
        assert process.poll() is None, said.read_text(encoding="utf-8")
        assert time.monotonic() < end, said.read_text(encoding="utf-8")
        time.sleep(0.1)
    return Shown(process, int(found[1]), installation, said)


def processes_of(folder: Path) -> list[str]:
    """Return the processes whose command line or environment names a folder."""
    found: list[str] = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            words = (one / "cmdline").read_bytes()
            if str(folder).encode() in words + (one / "environ").read_bytes():
                found.append(words.replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has just ended, or is not ours to look at
    return found
