"""The page the proof ends with: what was tried, how often, and what was found."""

import json
import platform
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAIR, ANSWER, BROKE = "pair ", "answer ", "broke "
OFTEN = 10
CHANGED = "with changes"
# What each proof counts under its name, in the words of the page.
TITLES = {
    "TK1": "Kills at each step",
    "TK1-elsewhere": "Kills in between",
    "TK1-upgrades": "Kills in upgrades",
    "TK2": "Kills at random",
    "TK3": "Storms of signals",
    "TK4": "Store cut off",
    "TM1": "Isolation levels",
    "TM2": "MariaDB locks",
    "TM3-kills": "MariaDB killed",
    "TM3-cuts": "MariaDB cut off",
    "TM4": "Disks full",
    "TM5": "Rights missing",
    "TM6": "Engines and modes",
    "TC1": "Races for claims",
    "TC2": "Every door at once",
    "TC3": "Two installations",
    "TE": "Workers and engines",
    "TE3": "Another build",
    "TO2": "Renewals gone wrong",
    "E19": "Reads used up",
    "TN1": "Hostile peer",
    "TF1": "Spoiled answers",
    "TD7": "Planted bugs",
    "TQ1": "Changed core lines",
}
ASSUMED = (
    "how long QuickBooks remembers a request id, and whether it remembers a refusal",
    "what it does with the same id and another body, or while the first still runs",
    "how a bundle's items are known again, and how one counts towards the limits",
    "how late its search finds what was just created, and how late it still creates",
    "whether it refuses a second invoice under one number, also after a void or a delete",
    "whether it keeps our number when custom transaction numbers are off",
    "how long an old refresh token works after a new one was given",
)
_SERVERS = {"MariaDB": ("mariadbd", "--version"), "PostgreSQL": ("postgres", "--version")}


def page(
    files: Sequence[Path],
    *,
    parts: Sequence[str],
    failed: Sequence[str],
    faults: str,
    seconds: int,
    fast: bool,
    first: int,
) -> str:
    """Return the page.

    Args:
        files: The figures as JSON lines, one for each part of a part.
        parts: The parts that were run, by name.
        failed: Those of them that found something.
        faults: The table of faults and who tries each.
        seconds: How long it took.
        fast: Whether this was the form for every change.
        first: The first seed.
    """
    told = _gathered(files)
    form, word = ("Short", " FAST=1") if fast else ("Long", "")
    day = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"  # noqa: TID251 - the page's own date
    lines = [
        f"Feebridge proof   commit {commit()}   {day}   {_versions()}",
        f"{form} form, {seconds // 60} min {seconds % 60} s   again: make prove{word} SEED={first}",
        "",
        *_simulation(told),
        *_others(told),
        "",
        "Not proved here: how the real QuickBooks behaves. Assumed, and drawn anew for each seed:",
        *(f"  - {one}" for one in ASSUMED),
        "",
        *([f"Faults, and the test that tries each:\n{faults}"] if faults else []),
        f"Parts run: {', '.join(parts)}",
        f"FOUND SOMETHING: {', '.join(failed)}" if failed else "Nothing was found in them.",
    ]
    return "\n".join(lines) + "\n"


def _gathered(files: Sequence[Path]) -> dict[str, Counter[str]]:
    """Return the figures of each test, those of its parts added up."""
    told: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for file in files:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        for line in text.splitlines():
            entry = json.loads(line)
            counts = {k: n for k, n in entry["figures"].items() if isinstance(n, int)}
            counts.pop("seed", None)
            told[entry["test"]].update(counts)
    return told


def _simulation(told: Mapping[str, Counter[str]]) -> Iterator[str]:
    worlds = {name: told[name] for name in told if told[name]["seeds"] and name not in TITLES}
    every: Counter[str] = Counter()
    for figures in worlds.values():
        every.update(figures)
    if not every["seeds"]:
        yield _line("Simulation", "not run")
        return
    yield _line(
        "Simulation",
        f"{every['seeds']:,} seeds ({_each(worlds)}), {every['gates']:,} steps, "
        f"{every['crashes']:,} crashes     violations {every['violations']:,}",
    )
    pairs, answers = _of(every, PAIR), _of(every, ANSWER)
    yield _line(
        "",
        f"step and fault met together: {len(pairs):,} pairs, {_often(pairs):,} of them "
        f"{OFTEN} times or more; answers: {len(answers)} kinds, {_often(answers)} as often",
    )
    yield _line(
        "",
        f"with 95 % certainty fewer than one such world in {every['seeds'] // 3:,} breaks it",
    )
    broke = _of(every, BROKE)
    lost, unsettled = broke["I2"] + broke["I8"], broke["I5"] + broke["I24"]
    yield _line(
        "Books",
        f"{every['requests']:,} requests sent, {every['created']:,} invoices created     "
        f"lost {lost}   twice {broke['I1']}   never settled {unsettled}   "
        f"wrong amount {broke['I10']}",
    )


def _of(figures: Mapping[str, int], kind: str) -> Counter[str]:
    return Counter({k.removeprefix(kind): n for k, n in figures.items() if k.startswith(kind)})


def _often(counts: Mapping[str, int]) -> int:
    return sum(count >= OFTEN for count in counts.values())


def _each(worlds: Mapping[str, Counter[str]]) -> str:
    return ", ".join(f"{name} {worlds[name]['seeds']:,}" for name in sorted(worlds))


def _others(told: Mapping[str, Counter[str]]) -> Iterator[str]:
    for test, title in TITLES.items():
        figures = told.get(test, Counter())
        words = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in figures.items())
        yield _line(title, words or "not run")


def _line(title: str, words: str) -> str:
    return f"{title:<20}{words}"


def commit() -> str:
    """Return the commit that is tried, and whether the files are it."""
    short = _said("git", "rev-parse", "--short", "HEAD") or "unknown"
    return f"{short} {CHANGED}" if _said("git", "status", "--porcelain") else short


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name, command in _SERVERS.items():
        number = re.search(r"\d+\.\d+(\.\d+)?", _said(*command))
        found.append(f"{name} {number[0]}" if number else f"no {name}")
    return ", ".join(found)


def _said(*command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands, no shell
            command, cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
