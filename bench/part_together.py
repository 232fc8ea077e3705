"""Several processes, one company: a long run, questions and single invoices beside it."""

import time
from itertools import count
from pathlib import Path
from statistics import median

from bench import university
from bench.budgets import Budget, Outcome
from bench.installation import Installation, Running
from bench.part_ceiling import LATENCY_MS, SCALE, limits
from bench.servers import Databases
from bench.university import University
from bench.windows import seen_by
from tests.rooms.simulator_support import RunningSimulator

INVOICES, STUDENTS = 3_000, 300
FIRST_BATCHES = 50
LOOK_EVERY_S = 0.1
CLICK_S = 10.0  # what a person waits for one invoice while everything else is being sent


def run(folder: Path, databases: Databases) -> Outcome:
    """Let a second process ask and send while the first one sends, and a third one follow."""
    del databases
    university.build(f"sqlite:///{folder / 'mis.db'}", University(INVOICES, STUDENTS))
    seed = university.write_seed(folder / "seed.jsonl")
    knobs = {"throttles": True, "latency_ms": LATENCY_MS, "framing": "length"}
    with RunningSimulator.start(seed_file=seed, clock_scale=SCALE, knobs=knobs) as simulator:
        place = Installation(
            folder,
            f"sqlite:///{folder / 'mis.db'}",
            simulator.url,
            {"CLOCK_SCALE": str(SCALE)},
        )
        long = place.start("all", "--yes", "--json", "--max-batches", str(FIRST_BATCHES))
        while not simulator.ledger("Invoice"):
            assert not long.ended, long.end().out  # noqa: S101 - a run that failed measures nothing
            time.sleep(LOOK_EVERY_S)
        asked, clicks = beside(place, long=long)
        first = long.end()
        assert first.code == 0, first.out[-500:] + first.err[-500:]  # noqa: S101 - a run that failed measures nothing
        place.run("all", "--yes", "--json")
        seen = seen_by(simulator)
        live = len(simulator.ledger("Invoice"))
    assert live == INVOICES, live  # noqa: S101 - as above
    return Outcome(
        [
            Budget("commands beside the long run", asked, "", 3, at_least=True),
            Budget("one invoice beside it, the median", median(clicks), "s", CLICK_S),
            Budget("one invoice beside it, the slowest", max(clicks), "s"),
            *limits(seen),
            Budget("429 in all", len(seen.refused), "", 0),
        ]
    )


def beside(place: Installation, *, long: Running) -> tuple[int, list[float]]:
    """Ask and send single invoices until a run ends: how often, and the seconds each one took."""
    asked = 0
    clicks: list[float] = []
    for number in count(INVOICES, -1):
        if long.ended:
            break
        # The last rows: the long run is not there yet.
        words = ("doctor", "--json") if number % 2 else ("single", str(number), "--yes")
        took_s = place.start(*words).end().wall_s
        asked += 1
        if words[0] == "single" and not long.ended:
            clicks.append(took_s)
    return asked, clicks
