"""`make bench [ONLY=name]`: measures every budget, prints a table, adds a line to the history."""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import (
    history,
    part_ceiling,
    part_million,
    part_profile,
    part_speed,
    part_start,
    part_together,
    simulator,
)
from bench.budgets import Budget, Outcome, table
from bench.servers import Databases

Part = Callable[[Path, Databases], Outcome]
PARTS: dict[str, Part] = {
    "start": part_start.run,
    "speed": part_speed.run,
    "ceiling": part_ceiling.run,
    "together": part_together.run,
    "million": part_million.run,
    "profile": part_profile.run,
    "simulator": simulator.run,
}


def main() -> int:
    """Run the parts asked for; return 1 where a budget is missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(PARTS), help="one part; repeat")
    parser.add_argument("--no-history", action="store_true", help="write nothing down")
    options = parser.parse_args()
    wanted = options.only or list(PARTS)
    yardstick = history.yardstick_ms()
    print(f"Feebridge bench   commit {history.commit()}   Python {platform.python_version()}")
    print(f"{os.cpu_count()} cores; two million turns of a Python loop take {yardstick:.0f} ms")
    found: dict[str, list[Budget]] = {}
    with tempfile.TemporaryDirectory(prefix="feebridge-bench-") as place:
        databases = Databases(Path(place))
        try:
            for name in wanted:
                found[name] = _measured(name, place=Path(place), databases=databases)
        finally:
            databases.close()
    if not options.no_history:
        history.add(found, yardstick=yardstick)
    missed = [one.name for budgets in found.values() for one in budgets if not one.kept]
    print()
    print(f"{len(missed)} missed: {'; '.join(missed)}" if missed else "Every budget is kept.")
    return 1 if missed else 0


def _measured(name: str, *, place: Path, databases: Databases) -> list[Budget]:
    folder = place / name
    folder.mkdir()
    begun_s = time.perf_counter()
    outcome = PARTS[name](folder, databases)
    print()
    print(f"{name}   ({time.perf_counter() - begun_s:.0f} s)")
    for line in (*table(outcome.budgets), *outcome.notes):
        print(line)
    sys.stdout.flush()
    return list(outcome.budgets)


if __name__ == "__main__":
    raise SystemExit(main())
