"""E19: Intuit's monthly reads are used up before a run, within one, and come back."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from tests.proof.children import Child
from tests.proof.deeds import Deed
from tests.proof.figures import PROVING, told
from tests.proof.places import Home, Town

TIMES = 20 if PROVING else 1
SIZE = 12
ALL = {1: SIZE}
WRITES = frozenset({"write", "batch"})
NONE, PLENTY = 0, 500_000
LOST = 2  # answers nobody hears, so that only a look can tell
done: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    told("E19", **done)


def waits(home: Home) -> bool:
    """Return whether the one run waits for reads."""
    return home.runs() == [("waiting_quickbooks", "reads_used_up")]


def writes_after_a_refused_read(home: Home) -> int:
    """Return how many writes QuickBooks took after it had refused a read."""
    log = home.simulator.log()
    first = next(n for n, one in enumerate(log) if one["status"] == 429)
    return sum(one["status"] == 200 and one["operation"] in WRITES for one in log[first:])


def refused(home: Home) -> int:
    return sum(one["status"] == 429 for one in home.simulator.log())


def used_up_within(home: Home, verb: str) -> Child:
    """Start a run that may read once, which makes it sure of its store, and loses two answers.

    One request at a time and one after another: rows are left when the first look is refused.
    """
    assert home.done(Deed("use")).code == 0
    (realm,) = home.simulator.control("GET", "state")["realms"].values()
    home.simulator.knob(coreplus_quota=realm["meters"]["core_plus_calls"] + 1)
    home.simulator.fault("drop_after_commit", on="invoice", count=LOST, after=1)
    return home.born(Deed(verb), IN_FLIGHT_MAX="1")


def finish(home: Home) -> None:
    """Grant reads again and have another process end what is left."""
    home.simulator.knob(coreplus_quota=PLENTY)
    home.simulator.control("DELETE", "faults")
    home.brought_to_end()
    assert home.problems() == []
    assert home.look().counts == ALL


class TestUsedUpReads:
    @pytest.mark.covers("E19")
    def test_send_nothing_that_nobody_could_look_for_and_say_so(self, quickbooks: Town) -> None:
        for _ in range(TIMES):
            home = quickbooks.home(patient=True, size=SIZE)
            assert home.done(Deed("use")).code == 0
            home.simulator.knob(coreplus_quota=NONE)

            first = home.done(Deed("all"))
            asked = refused(home)
            second = home.done(Deed("all"))

            assert "stopped reads_used_up" in first.said
            assert "stopped reads_used_up" in second.said
            assert home.runs() == [("failed", "reads_used_up")] * 2
            # The next process knows of it: it asks once, in case more were granted, and rests not.
            assert refused(home) == asked + 1
            assert home.look().counts == {0: SIZE}
            done["runs"] += 2
            finish(home)

    @pytest.mark.covers("E19", "A5")
    def test_hold_no_sender_up_that_has_looked(self, quickbooks: Town) -> None:
        for _ in range(TIMES):
            home = quickbooks.home(patient=True, size=SIZE, strangers=False)

            child = used_up_within(home, "all")

            assert child.wait() == 1, child.said
            assert home.runs() == [("failed", "reads_used_up")]
            assert writes_after_a_refused_read(home) > 0
            counts = home.look().counts
            assert not counts.get(0), child.said
            assert counts[3] >= LOST
            assert home.problems() == []
            done["runs"] += 1
            done["left_unclear"] += counts[3]
            finish(home)

    @pytest.mark.covers("E19", "A5")
    def test_have_a_durable_run_wait_and_go_on_by_itself(self, quickbooks: Town) -> None:
        for _ in range(TIMES):
            home = quickbooks.home(patient=True, size=SIZE, strangers=False)

            child = used_up_within(home, "long")
            child.until(partial(waits, home))
            assert child.code is None, child.said
            home.simulator.knob(coreplus_quota=PLENTY)

            assert child.wait() == 0, child.said
            assert home.runs() == [("finished", None)]
            assert home.problems() == []
            assert home.look().counts == ALL
            done["runs"] += 1
