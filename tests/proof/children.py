"""Real processes that start fast: forked from one that has loaded the program and runs nothing."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.proof.deeds import Deed, do

KILLED = -signal.SIGKILL
PATIENCE_S = 90
_births = multiprocessing.get_context("forkserver")
_births.set_forkserver_preload(["tests.proof.deeds"])


@dataclass
class Child:
    """A process at work on one deed; what it says goes to a file."""

    process: "multiprocessing.context.ForkServerProcess"
    file: Path
    begun: float = field(default_factory=time.monotonic)

    @property
    def said(self) -> str:
        return self.file.read_text(encoding="utf-8", errors="replace") if self.file.exists() else ""

    @property
    def code(self) -> int | None:
        return self.process.exitcode

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it is still there."""
        if self.process.pid is not None and self.process.exitcode is None:
            # The fork server reaps it, so its number is not somebody else's before we are told.
            _kill(self.process.pid, number)

    def wait(self, *, seconds: float = PATIENCE_S) -> int:
        """Return its exit code; a process that does not end is a failure."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.send(signal.SIGABRT)  # it says where each of its threads is
            self.process.join(seconds)
            self.process.kill()
            self.process.join()
            pytest.fail(f"it did not end within {seconds} s\n{self.said}")
        return self.process.exitcode

    def until(self, true: Callable[[], bool], *, seconds: float = PATIENCE_S) -> None:
        """Wait until something is so or the process has ended."""
        end = time.monotonic() + seconds
        while self.process.exitcode is None and not true():
            assert time.monotonic() < end, self.said
            time.sleep(0.005)


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def end_all() -> None:
    """Kill whatever a test left at work: pytest would wait for it at its end."""
    for process in multiprocessing.active_children():
        process.kill()
        process.join()


def born(deed: Deed, *, environment: Mapping[str, str], folder: Path) -> Child:
    """Start a process that does a deed."""
    file = folder / f"said-{time.monotonic_ns()}.txt"
    process = _births.Process(target=do, args=(deed, dict(environment), str(file)))
    process.start()
    return Child(process, file)
