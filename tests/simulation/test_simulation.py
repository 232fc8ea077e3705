"""A short simulation; PROVE=1 makes it a long one."""

from collections import Counter
from pathlib import Path

import pytest

from tests.proof.figures import PROVING
from tests.simulation.history import History
from tests.simulation.profiles import PROFILES, SINGLES, TD1
from tests.simulation.running import run_seed

REGRESSIONS = Path(__file__).with_name("regressions") / "seeds.txt"
SEEDS = {"td0": 60, "td1": 60, "td2": 10, "td3": 10, "td4": 10, "td5": 10, "td6": 20, "bare": 10}
LONG_SEEDS = {
    "td0": 10_000,
    "td1": 10_000,
    "td2": 2_000,
    "td3": 1_000,
    "td4": 1_000,
    "td5": 500,
    "td6": SINGLES,
    "bare": 2_000,
}


def kept() -> list[tuple[int, str, str]]:
    """Return the seeds that once failed."""
    lines = REGRESSIONS.read_text(encoding="utf-8").splitlines()
    found = [line.split(maxsplit=2) for line in lines if line and not line.startswith("#")]
    return [(int(seed), profile, what) for seed, profile, what in found]


def broken(history: History) -> list[str]:
    """Return each broken invariant with what repeats it."""
    return [
        f"--profile {history.profile} --seed {history.seed}: {one.invariant} {one.text}"
        for one in history.violations
    ]


class TestSimulation:
    @pytest.mark.parametrize("name", sorted(SEEDS))
    def test_breaks_no_invariant(self, name: str) -> None:
        profile = PROFILES[name]
        seeds = range((LONG_SEEDS if PROVING else SEEDS)[name])

        found = [text for seed in seeds for text in broken(run_seed(seed, profile))]

        assert found == []

    @pytest.mark.parametrize(("seed", "profile", "what"), kept())
    def test_keeps_every_seed_that_once_failed(self, seed: int, profile: str, what: str) -> None:
        history = run_seed(seed, PROFILES[profile])

        assert broken(history) == [], what

    def test_tells_the_same_seed_the_same_way_twice(self) -> None:
        seeds = range(1_000 if PROVING else 5)

        first = [run_seed(seed, TD1).digest for seed in seeds]
        second = [run_seed(seed, TD1).digest for seed in reversed(seeds)]

        assert first == second[::-1]
        assert len(set(first)) == len(first)

    def test_meets_crashes_lost_answers_and_doubled_requests(self) -> None:
        met: Counter[str] = Counter()

        for seed in range(60):
            history = run_seed(seed, TD1)
            met.update(fault for _, fault in history.coverage.elements())

        assert {"crash", "pause", "answer_lost", "lost", "doubled_request"} <= set(met)
