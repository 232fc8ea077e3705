"""An installation of its own in a folder, and its commands run as processes that are measured."""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "sync_invoices.py"
OURS = ("MIS_", "STORE_", "ENGINE_", "QUICKBOOKS_", "ENCRYPTION_", "FEEBRIDGE_", "CLOCK_")
LOOK_EVERY_S = 0.05
# Nothing of ours holds back, and the windows do not grow so large that keeping them is the work.
LIMITS_OFF = {
    "REQUESTS_PER_SECOND": "300",
    "REQUESTS_PER_MINUTE": "18000",
    "BATCHES_PER_MINUTE": "17000",
}


@dataclass(frozen=True)
class Measured:
    """What one command used and said."""

    code: int
    out: str
    err: str
    wall_s: float
    cpu_s: float  # user and system, of that process alone
    peak_mb: float
    resident_mb: Sequence[tuple[float, float]]  # seconds since its start, megabytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON document
        """The one document on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Installation:
    """A folder, a MIS, an address of QuickBooks.

    Args:
        folder: Where its own files go.
        mis_url: Its MIS.
        quickbooks_url: Its QuickBooks; None where no command asks.
        settings: More of the environment.
    """

    folder: Path
    mis_url: str
    quickbooks_url: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the whole environment of its commands."""
        outside = {
            name: value
            for name, value in os.environ.items()  # noqa: TID251 - the child's environment
            if not name.startswith(OURS)
        }
        address = {"QUICKBOOKS_API_URL": self.quickbooks_url} if self.quickbooks_url else {}
        return outside | {
            "PYTHONPATH": str(ROOT),
            "FEEBRIDGE_HOME": str(self.folder),
            "MIS_DATABASE_URL": self.mis_url,
            **address,
            **self.settings,
        }

    def start(self, *words: str) -> "Running":
        """Start one command of the tool."""
        return Running([sys.executable, str(TOOL), *words], environment=self.environment())

    def script(self, name: str, *words: str) -> "Running":
        """Start one of the scripts beside this file."""
        path = Path(__file__).with_name(f"{name}.py")
        return Running([sys.executable, str(path), *words], environment=self.environment())

    def run(self, *words: str) -> Measured:
        """Run one command of the tool to its end.

        Raises:
            AssertionError: It failed.
        """
        done = self.start(*words).end()
        assert done.code == 0, done.out[-2000:] + done.err[-2000:]  # noqa: S101 - a bench of a failure measures nothing
        return done


class Running:
    """A process under measurement."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str]) -> None:
        self._begun_s = time.perf_counter()
        self._child = subprocess.Popen(  # noqa: S603 - our own scripts, no shell
            command,
            env=dict(environment),
            cwd=environment["FEEBRIDGE_HOME"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._resident: list[tuple[float, float]] = []
        self._peak_mb = 0.0
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._child.poll() is not None

    def end(self) -> Measured:
        """Wait for its end and return what it used.

        Children of this process are measured one after another: the system adds their use up.
        """
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out, err = self._child.communicate()
        wall_s = time.perf_counter() - self._begun_s
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._over.set()
        self._watcher.join()
        return Measured(
            code=self._child.returncode,
            out=out,
            err=err,
            wall_s=wall_s,
            cpu_s=(after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime),
            peak_mb=self._peak_mb,
            resident_mb=self._resident,
        )

    def _watch(self) -> None:
        """Note its memory: the system's own peak counts what was ours before it became itself."""
        status = Path(f"/proc/{self._child.pid}/status")
        while not self._over.wait(LOOK_EVERY_S):
            try:
                lines = dict(
                    line.split(":", 1)
                    for line in status.read_text("ascii").splitlines()
                    if ":" in line
                )
            except OSError:
                return
            if "VmRSS" not in lines:
                return
            self._resident.append((time.perf_counter() - self._begun_s, _mb(lines["VmRSS"])))
            self._peak_mb = max(self._peak_mb, _mb(lines["VmHWM"]))


def _mb(text: str) -> float:
    return int(text.split(maxsplit=1)[0]) / 1024
