"""How long a person waits for `feebridge analyze` on the guide's university, start-up included."""

from pathlib import Path
from statistics import median

from application.embedded import Place
from application.premises import make_demo_mis
from bench.budgets import Budget, Outcome
from bench.installation import Installation
from bench.servers import Databases

TIMES = 9
ANALYZE_S_MOST = 0.5
COMMANDS = ("analyze", "status", "preview")


def run(folder: Path, databases: Databases) -> Outcome:
    """Run each command several times; the middle one counts."""
    del databases
    url = f"sqlite:///{folder / 'mis.db'}"
    make_demo_mis(url, profile="guide", place=Place(folder=folder, demo=False))
    place = Installation(folder, url)
    place.run("status")  # makes the store
    budgets = []
    for command in COMMANDS:
        runs = [place.run(command) for _ in range(TIMES)]
        most = ANALYZE_S_MOST if command == "analyze" else None
        budgets += [
            Budget(f"{command}: from start to end", median(one.wall_s for one in runs), "s", most),
            Budget(f"{command}: CPU", median(one.cpu_s for one in runs), "s"),
        ]
    return Outcome(budgets)
