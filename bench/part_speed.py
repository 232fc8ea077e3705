"""Limits off: our CPU time for each invoice, and how we compare with a plain loop."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from bench import university
from bench.budgets import Budget, Outcome
from bench.installation import LIMITS_OFF, Installation, Measured
from bench.part_ceiling import LATENCY_MS
from bench.servers import Databases
from bench.university import University
from bench.windows import Seen, seen_by
from tests.rooms.simulator_support import RunningSimulator

Knobs = Mapping[str, object]
INVOICES, STUDENTS = 10_000, 2_000
LOOP = University(1_000, 200)
FAR_LOOP = University(60, 12)  # a third of a second for each request, one after another
CPU_MS_MOST = 1.0
TIMES_FASTER = 10.0
READS_PER_INVOICE = 0.01
NEAR = {"framing": "length"}
FAR = {**NEAR, "latency_ms": LATENCY_MS}  # an answer takes as long as QuickBooks' own


def run(folder: Path, databases: Databases) -> Outcome:
    """Send the same invoices from SQLite and from MariaDB, and some with the plain loop.

    Without any network the comparison says how much CPU a receipt, an audit line and a durable
    journal cost beside a loop that keeps nothing; what a person waits for is the other one.
    """
    near, far = (
        loop_rate(folder / "near", LOOP, knobs=NEAR),
        loop_rate(folder / "far", FAR_LOOP, knobs=FAR),
    )
    budgets = [
        Budget("python-quickbooks loop, no network", near, "invoices/s"),
        Budget("python-quickbooks loop, QuickBooks' answering time", far, "invoices/s"),
    ]
    for name, urls in (
        ("SQLite", [f"sqlite:///{folder / name}.db" for name in ("near", "far")]),
        ("MariaDB", [databases.new(), databases.new()]),
    ):
        budgets += cost(name, urls[0], folder=folder / name, loop=near)
        budgets += speed(name, urls[1], folder=folder / f"far {name}", loop=far)
    return Outcome(budgets)


def cost(name: str, url: str, *, folder: Path, loop: float) -> list[Budget]:
    """Return the figures of one full run without a network in between."""
    done, seen = sent(url, folder=folder, knobs=NEAR)
    rate = INVOICES / done.wall_s
    return [
        Budget(
            f"{name}: CPU an invoice, start-up included",
            1000 * done.cpu_s / INVOICES,
            "ms",
            CPU_MS_MOST,
        ),
        Budget(f"{name}: invoices a second, no network", rate, "invoices/s"),
        Budget(f"{name}: times as fast as the loop, no network", rate / loop, ""),
        Budget(f"{name}: metered reads an invoice", seen.reads / INVOICES, "", READS_PER_INVOICE),
    ]


def speed(name: str, url: str, *, folder: Path, loop: float) -> list[Budget]:
    """Return how fast one full run is where an answer takes its time."""
    done, _ = sent(url, folder=folder, knobs=FAR)
    rate = INVOICES / done.wall_s
    return [
        Budget(f"{name}: invoices a second", rate, "invoices/s"),
        Budget(f"{name}: times as fast as the loop", rate / loop, "", TIMES_FASTER, at_least=True),
    ]


def sent(url: str, *, folder: Path, knobs: Knobs) -> tuple[Measured, Seen]:
    """Return what one full run of a fresh university used, and what arrived at QuickBooks."""
    university.build(url, University(INVOICES, STUDENTS))
    seed = university.write_seed(folder / "seed.jsonl")
    with RunningSimulator.start(seed_file=seed, knobs=knobs) as simulator:
        place = Installation(folder, url, simulator.url, LIMITS_OFF)
        done = place.run("all", "--yes", "--json")
        seen = seen_by(simulator)
        live = len(simulator.ledger("Invoice"))
    _check(done, live=live)
    shutil.rmtree(folder)
    return done, seen


def loop_rate(folder: Path, size: University, *, knobs: Knobs) -> float:
    """Return the plain loop's invoices a second against the same simulator."""
    url = f"sqlite:///{folder / 'mis.db'}"
    seed = university.write_seed(folder / "seed.jsonl")
    university.build(url, size)
    with RunningSimulator.start(seed_file=seed, knobs=knobs) as simulator:
        place = Installation(folder, url)
        done = place.script(
            "plain_loop",
            simulator.url,
            simulator.realm_id,
            simulator.client_id,
            simulator.client_secret,
            str(size.invoices),
        ).end()
        assert done.code == 0, done.err  # noqa: S101 - a loop that failed is no comparison
        assert len(simulator.ledger("Invoice")) == size.invoices  # noqa: S101 - as above
    return float(done.json["invoices"] / done.json["seconds"])


def _check(done: Measured, *, live: int) -> None:
    assert live == INVOICES, (live, done.out[-500:])  # noqa: S101 - an unfinished run is no measurement
