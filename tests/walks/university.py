"""A synthetic university with a QuickBooks that outlives its senders, and both books looked at."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from application import wiring
from application.embedded import Place
from tests.quick import Quick
from tests.rooms.simulator_support import RunningSimulator
from tests.walks import observer
from tests.walks.observer import Books

ONE_RUN = Path(__file__).with_name("one_run.py")
ROOT = Path(__file__).resolve().parents[2]
SCALE = 50
PATIENCE_S = 150


@dataclass
class University:
    """The MIS in a file, the store beside it, and the simulator."""

    folder: Path
    simulator: RunningSimulator
    mis_url: str
    settings: dict[str, str] = field(default_factory=dict)

    def start(self, verb: str = "all", *gate: str) -> "subprocess.Popen[str]":
        return Quick(
            [sys.executable, str(ONE_RUN), verb, *gate],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, verb: str = "all", *gate: str) -> tuple[int, str, str]:
        process = self.start(verb, *gate)
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def environment(self) -> dict[str, str]:
        outside = {
            name: value
            for name, value in os.environ.items()  # noqa: TID251 - the child's environment
            if not name.startswith(("MIS_", "STORE_", "QUICKBOOKS_", "ENCRYPTION_"))
        }
        return outside | {
            "PYTHONPATH": str(ROOT),
            "FEEBRIDGE_HOME": str(self.folder),
            "MIS_DATABASE_URL": self.mis_url,
            "QUICKBOOKS_API_URL": self.simulator.url,
            "CLOCK_SCALE": str(SCALE),
            # 120 s of work and 60 s of lag: at this scale absence is believed after four seconds.
            "INDEX_LAG_S": "60",
            # A write may take this long on a busy machine and still count as sent in time.
            "CHECK_TO_SEND_S": "20",
            "RETRY_DELAY_S": "1",
            # At this scale ten a second send all of it before anybody can steer a run.
            "REQUESTS_PER_SECOND": "5",
            **self.settings,
        }

    def look(self) -> Books:
        return observer.look_beside(
            self.folder / "mis.db", lambda: self.simulator.ledger("Invoice")
        )


@contextmanager
def university(
    folder: Path,
    *,
    size: int = 90,
    profile: str = "fresh",
    edge: bool = False,
    knobs: Mapping[str, object] | None = None,
) -> Iterator[University]:
    """Yield a university whose QuickBooks knows its products."""
    place = Place(folder=folder, demo=False)
    url = f"sqlite:///{folder / 'mis.db'}"
    wiring.make_demo_mis(url, profile=profile, size=size, edge=edge, place=place)
    with RunningSimulator.start(
        file=folder / "simulator.db", clock_scale=SCALE, seed_file=place.seed_file, knobs=knobs
    ) as simulator:
        yield University(folder=folder, simulator=simulator, mis_url=url)


def wait_until(process: "subprocess.Popen[str]", *, seconds: float) -> None:
    """Let a process work for a while, or until it ends."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
