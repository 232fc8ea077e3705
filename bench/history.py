"""The history: one line of JSON a run, kept in git, so that a slower commit can be found."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.budgets import Budget

FILE = Path(__file__).with_name("history.jsonl")
ROOT = Path(__file__).resolve().parents[1]
TURNS = 2_000_000


def yardstick_ms() -> float:
    """Return the CPU time of a fixed piece of Python: what this machine is worth just now."""
    begun = time.process_time()
    total = 0
    for turn in range(TURNS):
        total += turn & 7
    assert total  # noqa: S101 - the loop must not be optimised away
    return 1000 * (time.process_time() - begun)


def commit() -> str:
    """Return what was measured: the commit, with a plus where files differ from it."""
    name = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":!bench/history.jsonl")
    return f"{name}+" if changed else name


def add(parts: Mapping[str, Sequence[Budget]], *, yardstick: float) -> None:
    """Write one line about this run."""
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),  # noqa: TID251 - real time is meant
        "commit": commit(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "yardstick_ms": round(yardstick, 1),
        "parts": {name: [one.entry for one in budgets] for name, budgets in parts.items()},
    }
    with FILE.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")


def _git(*words: str) -> str:
    done = subprocess.run(  # noqa: S603 - git, our own words
        ["git", *words],  # noqa: S607 - whichever git this machine has
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or ("" if words[0] == "status" else "unknown")
