"""Runs the whole proof, a part for each core, and prints its page: `python -m tests.proof`.

What each part came to is kept, so that a long proof that was broken off goes on with `--resume`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.proof.figures import FILE
from tests.proof.page import CHANGED, commit, page
from tests.proof.parts import FAULTS, Part, parts, tried_in_full

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


def run(part: Part, *, tried: str) -> Ended:
    """Run one part; what it prints, counts and came to goes to files of its own.

    Args:
        part: The part.
        tried: The commit it tries.
    """
    begun = time.monotonic()
    figures = kept(part, "figures.jsonl")
    figures.unlink(missing_ok=True)
    with kept(part, "log").open("w", encoding="utf-8") as out:
        code = subprocess.run(  # noqa: S603 - our own commands, no shell
            list(part.command),
            cwd=ROOT,
            env={**os.environ, **part.environment, FILE: str(figures)},  # noqa: TID251 - the environment of the child
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    ended = Ended(part, code, round(time.monotonic() - begun))
    kept(part, "ended.json").write_text(
        json.dumps({"of": _told(part, tried), "code": code, "seconds": ended.seconds})
    )
    say(f"  {'ok    ' if code == 0 else 'FAILED'} {part.name}, {ended.seconds} s")
    return ended


def done_before(part: Part, *, tried: str) -> Ended | None:
    """Return how the same part of the same commit went earlier; None where it found something."""
    file = kept(part, "ended.json")
    if not file.exists():
        return None
    found = json.loads(file.read_text())
    if found["of"] != _told(part, tried) or found["code"] or tried.endswith(CHANGED):
        return None
    say(f"  before {part.name}, {found['seconds']} s")
    return Ended(part, 0, found["seconds"])


def _told(part: Part, tried: str) -> list[str]:
    return [tried, *part.command, *(f"{name}={value}" for name, value in part.environment.items())]


def kept(part: Part, what: str) -> Path:
    """Return where something of a part is kept."""
    return FOLDER / f"{part.name.replace(' ', '-')}.{what}"


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
    if not words.resume:
        for old in FOLDER.iterdir():
            old.unlink()
    chosen = [
        part
        for part in parts(fast=words.fast, first=words.seed)
        if part.name.startswith(words.only)
    ]
    begun = time.monotonic()
    before_s, ended = _all(chosen, tried=commit())
    failed = [one for one in ended if one.code]
    for one in failed:
        say(f"\n{one.part.name} failed with {one.code}; the end of {kept(one.part, 'log')}:")
        lines = kept(one.part, "log").read_text(encoding="utf-8", errors="replace").splitlines()
        say("\n".join(f"    {line}" for line in lines[-LAST_LINES:]))
    text = page(
        [kept(one.part, "figures.jsonl") for one in ended],
        parts=[one.part.name for one in ended],
        failed=[one.part.name for one in failed],
        faults="".join(
            kept(one.part, "log").read_text(encoding="utf-8")
            for one in ended
            if one.part.name == FAULTS
        ),
        seconds=before_s + round(time.monotonic() - begun),
        fast=words.fast,
        first=words.seed,
    )
    (FOLDER / "page.txt").write_text(text, encoding="utf-8")
    say("\n" + text)
    return 1 if failed else 0


def _all(chosen: Sequence[Part], *, tried: str) -> tuple[int, list[Ended]]:
    """Run what was not run before; return the seconds that took then, and how every part went."""
    ended = [one for part in chosen if (one := done_before(part, tried=tried))]
    over = {one.part.name for one in ended}
    before_s = sum(one.seconds for one in ended) // BUSY
    with ThreadPoolExecutor(BUSY) as busy, ThreadPoolExecutor(WAITING) as waiting:
        under_way = [
            (waiting if part.waits else busy).submit(run, part, tried=tried)
            for part in chosen
            if part.name not in over
        ]
        ended += [one.result() for one in under_way]
    return before_s, ended


def _words() -> argparse.Namespace:
    asked = argparse.ArgumentParser(prog="python -m tests.proof")
    asked.add_argument("--fast", action="store_true", help="the form for every change")
    asked.add_argument("--seed", type=int, default=0, help="the first seed")
    asked.add_argument("--only", default="", help="parts whose name begins so")
    asked.add_argument("--resume", action="store_true", help="with what one broken off has left")
    asked.add_argument("--tried", action="store_true", help="which tests it runs too; no more")
    return asked.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
