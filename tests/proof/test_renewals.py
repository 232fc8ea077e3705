"""TO2: the renewal of the sign-in goes wrong in every way, in the middle of a run.

No invoice fails for it. The run goes on, or it ends with one cause that says what to do.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from application.world import Gate
from tests.proof.children import KILLED
from tests.proof.deeds import Deed
from tests.proof.disks import moved, small_disk
from tests.proof.figures import PROVING, told
from tests.proof.places import Home, Town

TIMES = 20 if PROVING else 1
SIZE = 36
ALL = {1: 32, 2: 4}
GATES = (Gate.REFRESH_NOTED, Gate.REFRESH_ANSWERED, Gate.REFRESH_STORED)
OURS = {"authentication_failed", "quickbooks_unavailable", "store_unavailable"}
done: Counter[str] = Counter()


@dataclass(frozen=True)
class Trouble:
    """What happens to the answer of a renewal."""

    name: str
    kind: str
    details: dict[str, object] = field(default_factory=dict)
    keeps: bool = True  # whether the sign-in is still good, by the second try at the latest


# REFRESH_TIMEOUT_S is 30 s and the simulator as fast as we are, so 60 s are too late.
TROUBLES = (
    Trouble("lost", "lose_refresh_answer", keeps=False),
    Trouble("cut", "drop_half_answer", keeps=False),
    Trouble("late", "slow", {"ms": 60_000}, keeps=False),
    Trouble("never made", "drop_before_commit"),
    Trouble("of another length", "wrong_length", keeps=False),
    Trouble("unread", "bad_json_200", keeps=False),
    Trouble("a proxy's page", "html_502"),
    Trouble("a hung server's", "hang"),
)


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    told("TO2", **done)


def stale(town: Town) -> Home:
    """Return a connected home that has sent a little, whose access token has just died."""
    home = town.home(size=SIZE, knobs={"refresh_grace_s": 0}, patient=True)
    assert home.done(Deed("all", gate=Gate.RECEIPT_DURABLE, times=1)).code == KILLED
    home.answering()
    home.simulator.control("POST", "expire-tokens")
    return home


def blamed(home: Home) -> set[str]:
    """Return why invoices were ever marked failed, where it is no fault of theirs."""
    return {str(row[0]) for row in home.stored("SELECT DISTINCT cause FROM refusals")} & OURS


def left_well(home: Home, *, keeps: bool) -> None:
    """Assert that no invoice failed for it, and that a person or nobody brings it to its end."""
    assert blamed(home) == set()
    assert home.problems() == []
    home.simulator.control("DELETE", "faults")
    if not keeps:
        child = home.done(Deed("all"))
        assert child.code == 1, child.said
        assert child.said.count("authentication_failed") == 1, child.said
        assert home.done(Deed("connect")).code == 0
    home.brought_to_end()
    assert blamed(home) == set()
    assert home.problems() == []
    assert home.look().counts == ALL
    done["tried"] += 1


class TestAnAnswerToARenewal:
    @pytest.mark.covers("D2", "D5")
    @pytest.mark.parametrize(
        "trouble", TROUBLES if PROVING else TROUBLES[:4], ids=lambda one: f"that is {one.name}"
    )
    def test_fails_no_invoice_and_is_told_once(self, trouble: Trouble, quickbooks: Town) -> None:
        for _ in range(TIMES):
            home = stale(quickbooks)
            home.simulator.fault(trouble.kind, on="token", count=1, **trouble.details)

            child = home.done(Deed("all"))

            assert child.code == (0 if trouble.keeps else 1), child.said
            assert child.said.count("authentication_failed") == (not trouble.keeps), child.said
            left_well(home, keeps=trouble.keeps)


class TestAKillInARenewal:
    @pytest.mark.covers("D3")
    @pytest.mark.parametrize("gate", GATES, ids=lambda one: f"after {one.value}")
    def test_fails_no_invoice(self, gate: Gate, quickbooks: Town) -> None:
        for _ in range(TIMES):
            home = stale(quickbooks)

            child = home.done(Deed("all", gate=gate))

            assert child.code == KILLED, child.said
            home.answering()
            left_well(home, keeps=gate is not Gate.REFRESH_ANSWERED)


class TestAFullDiskInARenewal:
    @pytest.mark.covers("B6", "D4")
    @pytest.mark.parametrize("gate", GATES, ids=lambda one: f"after {one.value}")
    def test_fails_no_invoice(self, gate: Gate, quickbooks: Town, tmp_path: Path) -> None:
        for number in range(TIMES):
            home = stale(quickbooks)
            with small_disk(tmp_path / f"disk-{number}") as disk:
                moved(home, what="store", disk=disk)
                filler = disk / "filler"
                child = home.done(Deed("all", gate=gate, filler=str(filler)))
                assert "full" in child.said
                assert child.code in {0, 1}, child.said
                filler.unlink()
                # What was renewed and never kept is known to nobody: then a person connects.
                lost = gate is Gate.REFRESH_ANSWERED and child.code == 1
                left_well(home, keeps=not lost)
