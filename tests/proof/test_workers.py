"""TE2, TE4, TE5: workers on one PostgreSQL that die or freeze; a second engine on one file."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import pytest

from tests.proof.children import KILLED, Child
from tests.proof.deeds import Deed
from tests.proof.figures import PROVING, told
from tests.proof.places import Home, Town
from tests.servers import Postgres

SEED = 20_261_127
ROUNDS, KILLS = (20, 15) if PROVING else (1, 3)
SECONDS = 50 if PROVING else 3  # engines refused
THAWS = 50 if PROVING else 1
WORKERS = 3
SIZE = 120
LEASE_S = 3.1  # at the scale of a home
done: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    told("TE", **done)


def shared(town: Town, server: Postgres, *, size: int = SIZE) -> Home:
    """Return a home whose store and engine several machines could share."""
    home = town.home(size=size, knobs={"latency_ms": [20, 60]})
    home.settings["STORE_DATABASE_URL"] = server.new_database()
    home.settings["ENGINE_DATABASE_URL"] = server.new_database()
    assert home.done(Deed("use")).code == 0
    return home


def workers_of(home: Home, *, count: int) -> list[Child]:
    """Start servers, all at once, and wait until each of them listens."""
    born = [home.born(Deed("serve")) for _ in range(count)]
    for one in born:
        one.until(partial(_listens, one))
        assert one.code is None, one.said
    return born


def _listens(one: Child) -> bool:
    return "port" in one.said


def ended(home: Home) -> bool:
    """Return whether the one run has come to its end."""
    return home.runs() == [("finished", None)]


def driver(home: Home, workers: list[Child]) -> Child | None:
    """Return which of the workers has the right to send now."""
    rows = home.stored("SELECT holder FROM lease_terms WHERE ended_at IS NULL")
    holders = {str(row[0]).rsplit("-", maxsplit=1)[-1] for row in rows}
    return next((one for one in workers if str(one.process.pid) in holders), None)


def twice(home: Home) -> list[str]:
    """Return what stands more than once in QuickBooks; a run may be at work meanwhile."""
    numbers = Counter(str(one["DocNumber"]) for one in home.simulator.ledger("Invoice"))
    return [one for one, times in numbers.items() if times > 1]


def left_well(home: Home, workers: list[Child]) -> None:
    """Assert that one run did everything once, one sender at a time."""
    for one in workers:
        one.send(signal.SIGTERM)
    for one in workers:
        assert one.wait() == 0, one.said
    assert home.problems() == []
    assert not {0, 3} & set(home.look().counts)
    spans = home.stored("SELECT taken_at, ended_at, until FROM lease_terms ORDER BY epoch")
    for (_, gone, until), (taken, *_) in pairwise(spans):
        assert taken >= (gone or until)


class TestWorkersThatDie:
    @pytest.mark.covers("H1", "H3", "C4")
    def test_are_followed_by_others_until_the_run_has_ended(
        self, quickbooks: Town, postgres_server: Postgres
    ) -> None:
        dice = random.Random(SEED)
        for _ in range(ROUNDS):
            home = shared(quickbooks, postgres_server)
            workers = workers_of(home, count=WORKERS)
            assert home.ask(workers[0], "/api/v1/sync/all") == 202
            for _ in range(KILLS):
                time.sleep(dice.uniform(0, 0.5))
                victim = driver(home, workers) or dice.choice(workers)
                victim.send(signal.SIGKILL)
                done["kills"] += victim.wait() == KILLED
                workers = [one for one in workers if one is not victim]
                workers += workers_of(home, count=1)
                assert twice(home) == []
            workers[0].until(partial(ended, home))
            left_well(home, workers)
            done["runs"] += 1


class TestAWorkerThatFreezes:
    @pytest.mark.covers("H5", "A11", "C6")
    def test_is_replaced_and_does_nothing_once_it_thaws(
        self, quickbooks: Town, postgres_server: Postgres
    ) -> None:
        for _ in range(THAWS):
            home = shared(quickbooks, postgres_server)
            workers = workers_of(home, count=2)
            assert home.ask(workers[0], "/api/v1/sync/all") == 202
            workers[0].until(lambda: driver(home, workers) is not None)  # noqa: B023 - called here
            frozen = driver(home, workers)
            assert frozen is not None
            frozen.send(signal.SIGSTOP)
            other = next(one for one in workers if one is not frozen)
            other.until(lambda: driver(home, [other]) is other or ended(home))  # noqa: B023 - as above
            frozen.send(signal.SIGCONT)
            done["thaws"] += 1
            other.until(partial(ended, home))
            left_well(home, workers)


class TestASecondEngine:
    @pytest.mark.covers("H4")
    def test_on_one_file_is_refused_and_disturbs_nobody(self, quickbooks: Town) -> None:
        home = quickbooks.home(size=36, knobs={"latency_ms": [20, 60]})
        (first,) = workers_of(home, count=1)
        assert home.ask(first, "/api/v1/sync/all") == 202
        for _ in range(SECONDS):
            second = home.done(Deed("serve"))
            assert second.code == 1, second.said
            assert "state_conflict" in second.said
            done["refused"] += 1
        first.until(lambda: home.runs() == [("finished", None)])
        first.send(signal.SIGTERM)
        assert first.wait() == 0, first.said
        assert home.problems() == []
        assert home.look().counts == {1: 32, 2: 4}
