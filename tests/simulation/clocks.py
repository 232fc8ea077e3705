"""Time, chance and threads of a world: all of them the scheduler's and the seed's."""

from collections.abc import Callable
from datetime import datetime
from queue import Empty, SimpleQueue
from random import Random
from typing import Protocol, TypeVar

from typing_extensions import override

from application.world import Chance, Clock
from qbo_simulator.clock import Clock as OfficeClock
from tests.simulation.ground import START
from tests.simulation.scheduler import Process, Scheduler, Work

T = TypeVar("T")
BOOT_MS = 86_400_000
POLLS_QUICK = 2
POLL_MOST_MS = 16_000


class Machine(Protocol):
    """What a clock needs of the world it is in."""

    scheduler: Scheduler

    def machine_now(self) -> datetime:
        """Return what the machine believes."""

    def effect(self, process: Process, what: str) -> None:
        """Let an effect happen, unless its process is dead."""


class StillClock(Clock):
    """A clock that stands."""

    @override
    def now(self) -> datetime:
        return START

    @override
    def since_boot_ms(self) -> int:
        return 0

    @override
    def boot_id(self) -> str:
        return "boot-0"

    @override
    def sleep_ms(self, wait_ms: int) -> None:
        """Wait for nothing."""


class SimulatedOfficeClock(OfficeClock):
    """QuickBooks' own clock; nobody sets it."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self._now_ms = now_ms

    @override
    def real_s(self) -> float:
        return START.timestamp() + self._now_ms() / 1000


class SimulatedClock(Clock):
    """The clock of one machine, for one process; a wait gives the floor to others."""

    def __init__(self, world: Machine, process: Process) -> None:
        super().__init__()
        self._world = world
        self._process = process
        self._polls = 0

    @override
    def now(self) -> datetime:
        return self._world.machine_now()

    @override
    def since_boot_ms(self) -> int:
        return BOOT_MS + self._world.scheduler.now_ms

    @override
    def boot_id(self) -> str:
        return "boot-1"

    @override
    def sleep_ms(self, wait_ms: int) -> None:
        """Wait; who waits often in a row oversleeps more and more, as a system may let it."""
        self._world.effect(self._process, "sleep")
        self._world.scheduler.advance(self._stretched(wait_ms))

    @override
    def next_of(self, waiting: "SimpleQueue[T]", *, most_ms: int) -> T | None:
        scheduler = self._world.scheduler
        until_ms = scheduler.now_ms + self._stretched(most_ms)
        while True:
            self._world.effect(self._process, "queue")
            try:
                found = waiting.get_nowait()
            except Empty:
                if scheduler.now_ms >= until_ms or scheduler.current is None:
                    return None
                self._process.listening.append(scheduler.current)
                scheduler.wait(until_ms)
            else:
                self._polls = 0
                return found

    def worked(self) -> None:
        """Note that the process did something else than waiting."""
        self._polls = 0

    def _stretched(self, wait_ms: int) -> int:
        self._polls += 1
        if self._polls <= POLLS_QUICK or wait_ms >= POLL_MOST_MS:
            return wait_ms
        return min(POLL_MOST_MS, max(wait_ms, wait_ms << (self._polls - POLLS_QUICK)))


class SeededChance(Chance):
    """Chance that comes from the seed."""

    def __init__(self, dice: Random) -> None:
        super().__init__()
        self._seeded = dice

    @override
    def jitter_ms(self, *, most_ms: int) -> int:
        return self._seeded.randint(0, max(0, most_ms))

    @override
    def secret(self) -> str:
        return f"{self._seeded.getrandbits(256):043x}"[:43]

    @override
    def bits(self, *, size: int) -> int:
        return self._seeded.getrandbits(size)


class Threads:
    """The pool of one process: each job is an actor of the same scheduler."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler = scheduler
        self._process = process

    def submit(self, job: Work, /) -> object:
        """Start a job."""
        return self._scheduler.spawn(self._process, job)
