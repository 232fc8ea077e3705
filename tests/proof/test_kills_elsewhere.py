"""TK1: a kill in a pause, a scheduled start, a change of keys, an upgrade of an older store."""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from application.world import Gate
from tests.proof.children import KILLED, Child
from tests.proof.deeds import Deed
from tests.proof.figures import PROVING, told
from tests.proof.places import Home, Town

SEED = 20_261_127
TIMES = 20 if PROVING else 1
SIZE = 36
ALL = {1: 32, 2: 4}
RUNS = "/api/v1/sync/runs"
done: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    told("TK1-elsewhere", **done)


def killed(child: Child) -> None:
    assert child.wait() == KILLED, child.said
    done["kills"] += 1


def finish(home: Home, *verbs: str) -> None:
    """Have other processes do what is left, and assert that the books agree."""
    home.simulator.control("DELETE", "faults")
    home.simulator.knob(latency_ms=[0, 0])
    home.brought_to_end(*verbs)
    assert home.problems() == []
    assert home.look().counts == ALL


def at_work(home: Home) -> Child:
    """Return a server that has sent some of all it was asked for."""
    home.simulator.knob(latency_ms=[20, 40])
    server = home.born(Deed("serve"))
    server.until(lambda: "port" in server.said)
    home.ask(server, "/api/v1/sync/all")
    server.until(lambda: bool(home.simulator.ledger("Invoice")))
    return server


class TestAKillInAPause:
    @pytest.mark.covers("C4", "C5", "H6")
    def test_leaves_the_run_where_the_person_put_it(self, quickbooks: Town) -> None:
        dice = random.Random(SEED)
        for _ in range(TIMES):
            home = quickbooks.home(patient=True, size=SIZE)
            server = at_work(home)
            answered = home.ask(server, f"{RUNS}/1/pause")
            time.sleep(dice.uniform(0, 0.3))
            server.send(signal.SIGKILL)
            killed(server)
            assert answered == 200
            assert home.problems() == []

            # Whoever comes next does not go on with what a person paused.
            assert home.done(Deed("long")).code == 0
            assert home.runs()[0][0] in {"paused", "finished"}
            done["pauses"] += home.runs()[0][0] == "paused"
            finish(home, "resume")
            assert home.runs()[0] == ("finished", None)

    @pytest.mark.covers("C4", "E1")
    def test_that_quickbooks_asked_for_costs_nothing(self, quickbooks: Town) -> None:
        for _ in range(TIMES):
            home = quickbooks.home(patient=True, size=SIZE, knobs={"retry_after": 300})
            home.simulator.fault("throttle_429", on="invoice", count=1)
            child = home.born(Deed("all"))
            child.until(partial(rests, home))
            child.send(signal.SIGKILL)
            killed(child)
            assert home.problems() == []
            finish(home)
            done["rests"] += 1


def rests(home: Home) -> bool:
    """Return whether a sender has written down that QuickBooks asked it to wait."""
    kept = home.stored("SELECT value FROM notes WHERE name LIKE 'windows.%'")
    return any(json.loads(row[0])["paused_until"] > json.loads(row[0])["kept_at"] for row in kept)


# The start is taken and its run written down in one transaction; then the run is driven.
IN_A_START = [
    pytest.param(Deed("serve", before=("INSERT INTO runs",)), 0, id="before its run is written"),
    pytest.param(Deed("serve", gate=Gate.RUN_RECORDED), 1, id="before it is handed on"),
    pytest.param(Deed("serve", gate=Gate.RECEIPT_DURABLE, times=3), 1, id="while it sends"),
]


class TestAKillWhileTheCompanyIsRead:
    @pytest.mark.covers("C4")
    @pytest.mark.parametrize("before", ["INSERT INTO profiles", "DELETE FROM items"])
    def test_leaves_no_company_without_its_products(self, before: str, quickbooks: Town) -> None:
        home = quickbooks.home(patient=True, size=SIZE)
        killed(home.born(Deed("all", before=(before,))))

        finish(home)


class TestAKillInAScheduledStart:
    @pytest.mark.covers("C4", "C7", "H6")
    @pytest.mark.parametrize(("deed", "begun"), IN_A_START if PROVING else IN_A_START[:2])
    def test_is_made_up_for_once(self, deed: Deed, begun: int, quickbooks: Town) -> None:
        for _ in range(TIMES):
            home = quickbooks.home(patient=True, size=SIZE)
            assert home.done(Deed("use")).code == 0
            home.plan()

            killed(home.born(deed))
            assert len(home.runs()) == begun
            assert home.problems() == []

            server = home.born(Deed("serve"))
            server.until(partial(all_finished, home))
            server.send(signal.SIGTERM)
            assert server.wait() == 0, server.said
            made = home.stored("SELECT asked_by FROM runs WHERE kind <> 'settle'")
            assert made == [("schedule",)]
            assert home.look().counts == ALL
            assert home.problems() == []
            done["starts"] += 1


def all_finished(home: Home) -> bool:
    """Return whether there are runs, and all of them have come to their end."""
    return {state for state, _ in home.runs()} == {"finished"}
