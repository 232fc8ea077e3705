"""A million rows on MariaDB: questions, pages and memory cost what they cost on a thousand."""

from pathlib import Path

from bench import university
from bench.budgets import Budget, Outcome
from bench.installation import LIMITS_OFF, Installation, Measured
from bench.servers import Databases
from bench.university import University
from tests.rooms.simulator_support import RunningSimulator

ROWS, STUDENTS = 1_000_000, 150_000
SMALL = 10_000
FIRST, LAST = 1_000, 999_000
WITH_INDEX_S, WITHOUT_INDEX_S = 0.3, 1.0
ALIKE = 1.1
PEAK_MB = 160
SENT_BATCHES = 100  # 5,000 invoices of each backlog
KNOBS = {"framing": "length"}


def run(folder: Path, databases: Databases) -> Outcome:
    """Ask with and without the recommended index, then send a part of both backlogs."""
    full, small = databases.new(), databases.new()
    university.build(full, University(ROWS, STUDENTS))
    university.build(small, University(SMALL, STUDENTS))
    place = Installation(folder / "full", full)
    place.folder.mkdir()
    budgets = [*counted(place, indexed=True), *placed(place, indexed=True)]
    university.index_invoices(full, wanted=False)
    budgets += [*counted(place, indexed=False), *placed(place, indexed=False)]
    university.index_invoices(full, wanted=True)
    budgets += remembered(folder, full=full, small=small)
    return Outcome(budgets)


def counted(place: Installation, *, indexed: bool) -> list[Budget]:
    """Return how long `analyze` and `status` ask, the start of the program left out."""
    took = asked(place, "counts").json
    most = WITH_INDEX_S if indexed else WITHOUT_INDEX_S
    return [Budget(f"{name}, {_index(indexed)}", took[name], "s", most) for name in took]


def placed(place: Installation, *, indexed: bool) -> list[Budget]:
    """Return rows touched at the end of the table out of those touched at its beginning."""
    rows = asked(place, "places", str(FIRST), str(LAST)).json
    return [
        Budget(
            f"{name} at row {LAST:,}: rows read out of those at {FIRST:,}, {_index(indexed)}",
            at[str(LAST)] / max(1, at[str(FIRST)]),
            f"({at[str(LAST)]:,})",
            ALIKE,
        )
        for name, at in rows.items()
    ]


def remembered(folder: Path, *, full: str, small: str) -> list[Budget]:
    """Return the memory of `all` over both backlogs, each sending the same number."""
    little = sent(folder / "little", small)
    much = sent(folder / "much", full)
    return [
        Budget(f"memory of `all`, backlog of {SMALL:,}", little.peak_mb, "MB", PEAK_MB),
        Budget(f"memory of `all`, backlog of {ROWS:,}", much.peak_mb, "MB", PEAK_MB),
        Budget("memory, large out of small backlog", much.peak_mb / little.peak_mb, "", ALIKE),
        Budget("memory at the end out of a third of the way", _growth(much), "", 1.03),
    ]


def sent(folder: Path, url: str) -> Measured:
    """Send a part of what waits with limits off."""
    seed = university.write_seed(folder / "seed.jsonl")
    with RunningSimulator.start(seed_file=seed, knobs=KNOBS) as simulator:
        place = Installation(folder, url, simulator.url, LIMITS_OFF)
        return place.run("all", "--yes", "--json", "--max-batches", str(SENT_BATCHES))


def asked(place: Installation, *words: str) -> Measured:
    """Run the questions."""
    done = place.script("questions", *words).end()
    assert done.code == 0, done.err  # noqa: S101 - a question that failed has no time
    return done


def _growth(done: Measured) -> float:
    third = [mb for at_s, mb in done.resident_mb if at_s <= done.wall_s / 3]
    return done.resident_mb[-1][1] / third[-1]


def _index(indexed: bool) -> str:  # noqa: FBT001 - one word of a line
    return "with index" if indexed else "without index"
