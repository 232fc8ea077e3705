"""Sends what waits in one thread, and looks every few milliseconds of CPU time at where it is.

Prints JSON: CPU milliseconds an invoice, shares by library, by function of ours with what it calls,
and by function of ours alone.
"""

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from application import wiring
from application.quickbooks.lanes import Outside
from application.quickbooks.transport import Road
from application.services.reports import Caller
from application.world import Clock, World

EVERY_S = 0.002
SHOWN = 25
Place = tuple[str, str]


class AtOnce:
    """Runs each job in the caller's thread, so that one stack holds all of our work."""

    def submit(self, job: Callable[[], None], /) -> None:
        """Run it."""
        job()


class Samples:
    """Stacks as they were found."""

    def __init__(self) -> None:
        self._stacks: Counter[tuple[Place, ...]] = Counter()

    def look(self, _number: int, frame: FrameType | None) -> None:
        """Note where the program is."""
        self._stacks[tuple(_places(frame))] += 1

    def shares(self, of: Callable[[tuple[Place, ...]], set[str]]) -> dict[str, float]:
        """Return the largest shares of what a stack belongs to."""
        found: Counter[str] = Counter()
        for stack, count in self._stacks.items():
            found.update(dict.fromkeys(of(stack), count))
        whole = self._stacks.total()
        return {name: round(count / whole, 4) for name, count in found.most_common(SHOWN)}


def _places(frame: FrameType | None) -> Iterator[Place]:
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_code.co_qualname
        frame = frame.f_back


def _library(stack: tuple[Place, ...]) -> set[str]:
    path = stack[0][0]
    if "/application/" in path:
        return {f"ours: {path.split('/application/')[1].split('/')[0].removesuffix('.py')}"}
    if "/site-packages/" in path:
        return {path.split("/site-packages/")[1].split("/")[0].removesuffix(".py")}
    return {"Python's own"}


def _ours(stack: tuple[Place, ...]) -> list[str]:
    return [
        f"{path.split('/application/')[1]} {name}"
        for path, name in stack
        if "/application/" in path
    ]


def main() -> None:
    """Send, and print."""
    samples = Samples()
    settings = wiring.load_settings()
    world = World(clock=Clock(scale=settings.clock_scale))
    road = Road(clock=world.clock, idle_ms=15_000, unacknowledged_ms=5_000)
    outside = Outside(road=road, fan_out=AtOnce())
    with wiring.build(settings, world=world, outside=outside) as services:
        caller = Caller(by=services.actor("cli"))
        services.sync.all(caller=caller, max_batches=2)  # what happens once in a process's life
        signal.signal(signal.SIGPROF, samples.look)
        begun_s = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
        report = services.sync.all(caller=caller)
        signal.setitimer(signal.ITIMER_PROF, 0, 0)
        took_s = time.process_time() - begun_s
    found = {
        "ms": 1000 * took_s / report.successful,
        "libraries": samples.shares(_library),
        "with": samples.shares(lambda stack: set(_ours(stack))),
        "alone": samples.shares(lambda stack: set(_ours(stack)[:1])),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
