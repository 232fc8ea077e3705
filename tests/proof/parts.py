"""What the proof consists of: each part, the command that runs it, short and long."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

PYTHON = sys.executable
PYTEST = (PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider")
SIMULATION = (PYTHON, "-m", "tests.simulation")
# Fault kinds, clocks, broken assumptions and disasters have worlds of their own. Most worlds are
# small: one process and one invoice, with each fault at each gate, and then two of them.
WORLDS = MappingProxyType(
    {"td0": (7_284, 80_000), "td1": (600, 40_000), "td2": (104, 8_000), "td3": (104, 5_000)}
    | {"td4": (104, 5_000), "td5": (104, 4_000), "td6": (1_600, 20_000), "bare": (104, 5_000)}
)
# Files of this folder that are a part of their own, so that they can run beside each other.
OWN = MappingProxyType(
    {
        "kills at random": "test_random_kills",
        "MariaDB's troubles": "test_mariadb_trouble",
        "kills in pauses and starts": "test_kills_elsewhere",
        "kills in upgrades": "test_upgrades",
        "installations": "test_installations",
        "workers": "test_workers",
        "renewals": "test_renewals",
        "isolation": "test_isolation",
        "reads used up": "test_reads",
        "fuzzed peer": "test_fuzzed_peer",
    }
)
ANOTHER_BUILD = (
    "tests/walks/test_rest_kill.py::TestAKilledServer::test_may_be_followed_by_another_build"
)
FUZZ = "tests/walks/test_fuzz.py"
FAULTS = "fault table"
CORE = "tests/core"  # `make judgement` runs all of it
SHARDED = MappingProxyType({"td0": 6, "td1": 2, "td6": 2})  # so that all cores share them
SHARD_MOST = 5_000  # what is broken off is lost


@dataclass(frozen=True, slots=True)
class Part:
    """One command of the proof; it succeeds with exit code 0.

    Args:
        name: What the page calls it.
        command: What is run.
        environment: What it finds in its environment beside ours.
        waits: Whether it mostly waits (for processes, locks, answers) and leaves a core to others.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    waits: bool = False


def parts(*, fast: bool, first: int) -> list[Part]:
    """Return every part, the longest first.

    Args:
        fast: The form for every change; else the long one.
        first: The first seed.
    """
    long = {} if fast else {"PROVE": "1"}
    return [
        *_worlds(fast=fast, first=first),
        Part("kills", (*PYTEST, "tests/proof", *_but(OWN.values())), long, waits=True),
        *(
            Part(name, (*PYTEST, f"tests/proof/{file}.py"), long, waits=True)
            for name, file in OWN.items()
        ),
        *((Part("another build", (*PYTEST, ANOTHER_BUILD), waits=True),) if fast else ()),
        *((Part("fuzzed doors", (*PYTEST, FUZZ), {"PROVE": "fast"}),) if fast else ()),
        *(() if fast else (Part("walks", (*PYTEST, "tests/walks"), long),)),
        Part("planted bugs", (PYTHON, "-m", "tests.simulation.planted", *_most(fast=fast))),
        Part(
            "outside checker",
            (*PYTEST, "tests/walks/test_verify_books.py", "tests/walks/test_verify_history.py"),
        ),
        Part("decision core", ("make", "--no-print-directory", "judgement")),
        Part("hostile peer", (*PYTEST, "tests/rooms/test_hostile_peer.py"), long),
        Part("spoiled answers", (*PYTEST, "tests/core/test_classifier_fuzz.py"), long),
        Part("mutation", (PYTHON, "-m", "tests.mutation", *(("--most", "60") if fast else ()))),
        Part(FAULTS, (PYTHON, "-m", "tests.proof.faults")),
    ]


def tried_in_full() -> list[str]:
    """Return which tests of `make test` the short form runs too, all of them and no less often."""
    words = [word for part in parts(fast=True, first=0) for word in part.command]
    files = {word for word in words if word.startswith("tests/") and word.endswith(".py")}
    return sorted({CORE, *files} - {one for one in files if one.startswith("tests/proof/")})


def _but(files: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"--ignore=tests/proof/{file}.py" for file in files)


def _most(*, fast: bool) -> tuple[str, ...]:
    return ("--most", "2000" if fast else "100000", "--sound", "1" if fast else "100")


def _worlds(*, fast: bool, first: int) -> list[Part]:
    found: list[Part] = []
    for world, (short, long) in WORLDS.items():
        seeds = short if fast else long
        shards = max(SHARDED.get(world, 1), -(-seeds // SHARD_MOST))
        for shard in range(shards):
            since, until = seeds * shard // shards, seeds * (shard + 1) // shards
            words = ("--profile", world, "--seeds", str(until - since))
            start = ("--from", str(first + since))
            found.append(Part(f"simulation {world}.{shard}", (*SIMULATION, *words, *start)))
    return found
