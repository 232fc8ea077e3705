"""Where our CPU time goes, by library and by function; nothing here has a bound."""

from pathlib import Path

from bench import university
from bench.budgets import Budget, Outcome
from bench.installation import LIMITS_OFF, Installation
from bench.servers import Databases
from bench.university import University
from tests.rooms.simulator_support import RunningSimulator

INVOICES, STUDENTS = 3_000, 600
TITLES = {
    "libraries": "CPU time by where the program stood",
    "alone": "by function of ours, with the libraries it calls",
    "with": "by function of ours, with all it calls",
}


def run(folder: Path, databases: Databases) -> Outcome:
    """Send in one thread and tell what was seen."""
    del databases
    url = f"sqlite:///{folder / 'mis.db'}"
    university.build(url, University(INVOICES, STUDENTS))
    seed = university.write_seed(folder / "seed.jsonl")
    with RunningSimulator.start(seed_file=seed, knobs={"framing": "length"}) as simulator:
        done = Installation(folder, url, simulator.url, LIMITS_OFF).script("sampled").end()
    assert done.code == 0, done.err  # noqa: S101 - a run that failed has no profile
    notes: list[str] = []
    for name, title in TITLES.items():
        notes += ["", f"  {title}"]
        notes += [f"  {share:7.1%}  {place}" for place, share in done.json[name].items()]
    return Outcome([Budget("CPU an invoice, one thread", done.json["ms"], "ms")], notes)
