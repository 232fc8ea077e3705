"""Limits off: our CPU time for each invoice, and how we compare with a plain loop."""

import shutil
from pathlib import Path

from bench import university
from bench.budgets import Budget, Outcome
from bench.installation import LIMITS_OFF, Installation, Measured
from bench.servers import Databases
from bench.university import University
from bench.windows import seen_by
from tests.rooms.simulator_support import RunningSimulator

INVOICES, STUDENTS = 10_000, 2_000
LOOP_INVOICES, LOOP_STUDENTS = 1_000, 200
CPU_MS_MOST = 1.0
TIMES_FASTER = 10.0
READS_PER_INVOICE = 0.01
KNOBS = {"framing": "length"}


def run(folder: Path, databases: Databases) -> Outcome:
    """Send the same invoices from SQLite and from MariaDB, and some with the plain loop."""
    budgets: list[Budget] = []
    loop = loop_rate(folder / "loop")
    budgets.append(Budget("python-quickbooks loop", loop, "invoices/s"))
    for name, url in (
        ("SQLite", f"sqlite:///{folder / 'speed.db'}"),
        ("MariaDB", databases.new()),
    ):
        budgets += sent(name, url, folder=folder / name, loop=loop)
    return Outcome(budgets)


def sent(name: str, url: str, *, folder: Path, loop: float) -> list[Budget]:
    """Return the figures of one full run."""
    university.build(url, University(INVOICES, STUDENTS))
    seed = university.write_seed(folder / "seed.jsonl")
    with RunningSimulator.start(seed_file=seed, knobs=KNOBS) as simulator:
        place = Installation(folder, url, simulator.url, LIMITS_OFF)
        done = place.run("all", "--yes", "--json")
        seen = seen_by(simulator)
        live = len(simulator.ledger("Invoice"))
    _check(done, live=live)
    shutil.rmtree(folder)
    rate = INVOICES / done.wall_s
    return [
        Budget(
            f"{name}: CPU an invoice, start-up included",
            1000 * done.cpu_s / INVOICES,
            "ms",
            CPU_MS_MOST,
        ),
        Budget(f"{name}: invoices a second", rate, "invoices/s"),
        Budget(f"{name}: times as fast as the loop", rate / loop, "", TIMES_FASTER, at_least=True),
        Budget(f"{name}: metered reads an invoice", seen.reads / INVOICES, "", READS_PER_INVOICE),
    ]


def loop_rate(folder: Path) -> float:
    """Return the plain loop's invoices a second against the same simulator."""
    url = f"sqlite:///{folder / 'mis.db'}"
    seed = university.write_seed(folder / "seed.jsonl")
    university.build(url, University(LOOP_INVOICES, LOOP_STUDENTS))
    with RunningSimulator.start(seed_file=seed, knobs=KNOBS) as simulator:
        place = Installation(folder, url)
        done = place.script(
            "plain_loop",
            simulator.url,
            simulator.realm_id,
            simulator.client_id,
            simulator.client_secret,
            str(LOOP_INVOICES),
        ).end()
        assert done.code == 0, done.err  # noqa: S101 - a loop that failed is no comparison
        assert len(simulator.ledger("Invoice")) == LOOP_INVOICES  # noqa: S101 - as above
    return float(done.json["invoices"] / done.json["seconds"])


def _check(done: Measured, *, live: int) -> None:
    assert live == INVOICES, (live, done.out[-500:])  # noqa: S101 - an unfinished run is no measurement
