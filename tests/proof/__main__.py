"""Runs the whole proof, a part for each core, and prints its page: `python -m tests.proof`."""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.proof.figures import FILE
from tests.proof.page import page
from tests.proof.parts import Part, parts, tried_in_full

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "proof"
BUSY = max(2, os.cpu_count() or 2)  # parts that compute, at a time
WAITING = BUSY  # parts that mostly wait, beside those
LAST_LINES = 25


@dataclass(frozen=True, slots=True)
class Ended:
    """How one part went."""

    part: Part
    code: int
    seconds: int


def run(part: Part) -> Ended:
    """Run one part; what it prints goes to its own file."""
    begun = time.monotonic()
    log = log_of(part)
    with log.open("w", encoding="utf-8") as out:
        code = subprocess.run(  # noqa: S603 - our own commands, no shell
            list(part.command),
            cwd=ROOT,
            env={**os.environ, **part.environment, FILE: str(FOLDER / "figures.jsonl")},  # noqa: TID251 - the environment of the child
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    ended = Ended(part, code, round(time.monotonic() - begun))
    say(f"  {'ok    ' if code == 0 else 'FAILED'} {part.name}, {ended.seconds} s")
    return ended


def log_of(part: Part) -> Path:
    """Return where a part's words are kept."""
    return FOLDER / f"{part.name.replace(' ', '-')}.log"


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Return 0 when nothing was found, else 1."""
    words = _words()
    if words.tried:
        say(" ".join(tried_in_full()))
        return 0
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    todo = [
        part
        for part in parts(fast=words.fast, first=words.seed)
        if part.name.startswith(words.only)
    ]
    begun = time.monotonic()
    with ThreadPoolExecutor(BUSY) as busy, ThreadPoolExecutor(WAITING) as waiting:
        under_way = [(waiting if part.waits else busy).submit(run, part) for part in todo]
        ended = [one.result() for one in under_way]
    failed = [one for one in ended if one.code]
    for one in failed:
        say(f"\n{one.part.name} failed with {one.code}; the end of {log_of(one.part)}:")
        lines = log_of(one.part).read_text(encoding="utf-8", errors="replace").splitlines()
        say("\n".join(f"    {line}" for line in lines[-LAST_LINES:]))
    text = page(
        FOLDER / "figures.jsonl",
        parts=[one.part.name for one in ended],
        failed=[one.part.name for one in failed],
        faults=(FOLDER / "fault-table.log").read_text(encoding="utf-8")
        if (FOLDER / "fault-table.log").exists()
        else "",
        seconds=round(time.monotonic() - begun),
        fast=words.fast,
        first=words.seed,
    )
    (FOLDER / "page.txt").write_text(text, encoding="utf-8")
    say("\n" + text)
    return 1 if failed else 0


def _words() -> argparse.Namespace:
    asked = argparse.ArgumentParser(prog="python -m tests.proof")
    asked.add_argument("--fast", action="store_true", help="the form for every change")
    asked.add_argument("--seed", type=int, default=0, help="the first seed")
    asked.add_argument("--only", default="", help="parts whose name begins so")
    asked.add_argument("--tried", action="store_true", help="which tests it runs too; no more")
    return asked.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
