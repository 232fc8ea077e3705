"""One renewal, looked at step by step: who asks, what is kept, and what a full disk leaves."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from typing_extensions import override

from application.catalogue import NotConnected, StoreUnavailable, WrongEnvironment
from application.invoices.model import Environment
from application.quickbooks.auth import Auth
from application.store.schema import tokens as table
from application.world import Gate, World
from tests.rooms.simulator_support import RunningSimulator
from tests.rooms.store_support import UWASE, JumpingClock, raw_engine
from tests.walks.sign_in_desk import DAY_MS, REDIRECT, Desk, desk_at

AWAY = "ALTER TABLE tokens RENAME TO tokens_away"
BACK = "ALTER TABLE tokens_away RENAME TO tokens"


class Patient(JumpingClock):
    """A clock that does something the first times somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], None]] = []

    @override
    def sleep_ms(self, wait_ms: int) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        super().sleep_ms(wait_ms)


class Watch:
    """Does something once, when a gate is passed."""

    def __init__(self) -> None:
        self.at: dict[Gate, Callable[[], None]] = {}

    def __call__(self, gate: Gate) -> None:
        act = self.at.pop(gate, None)
        if act is not None:
            act()


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start(knobs={"refresh_grace_s": 0}) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def clock() -> Patient:
    return Patient()


@pytest.fixture
def desk(
    simulator: RunningSimulator, tmp_path: Path, watch: Watch, clock: Patient
) -> Iterator[Desk]:
    with desk_at(tmp_path, simulator, gate=watch, clock=clock) as opened:
        opened.connect()
        yield opened


def do(tmp_path: Path, statement: str) -> None:
    with raw_engine(f"sqlite:///{tmp_path}/own/store.db").connect() as connection:
        connection.execute(text(statement))


def old_token(desk: Desk) -> str:
    token = desk.connection.access_token()
    desk.simulator.control("POST", "expire-tokens")
    return token


class TestThreads:
    def test_that_meet_a_dead_token_renew_it_once(self, desk: Desk) -> None:
        failed, before = old_token(desk), desk.exchanges

        with ThreadPoolExecutor(16) as pool:
            fresh = set(pool.map(lambda _n: desk.connection.fresh_token(failed), range(16)))

        assert len(fresh) == 1
        assert failed not in fresh
        assert desk.exchanges - before == 1
        assert desk.connection.access_token() in fresh

    def test_that_come_later_with_the_dead_token_get_the_new_one(self, desk: Desk) -> None:
        failed = old_token(desk)
        fresh = desk.connection.fresh_token(failed)
        before = desk.exchanges

        assert desk.connection.fresh_token(failed) == fresh
        assert desk.exchanges == before


class TestTheStoreAway:
    @pytest.mark.covers("D4")
    def test_for_a_moment_loses_nothing(
        self, desk: Desk, watch: Watch, clock: Patient, tmp_path: Path
    ) -> None:
        failed = old_token(desk)
        watch.at[Gate.REFRESH_ANSWERED] = lambda: do(tmp_path, AWAY)
        clock.meanwhile = [lambda: do(tmp_path, BACK)]

        fresh = desk.connection.fresh_token(failed)

        assert desk.connection.access_token() == fresh
        assert desk.opens_its_company()

    @pytest.mark.covers("D4")
    def test_for_longer_keeps_the_answer_in_memory_and_asks_nobody_again(
        self, desk: Desk, watch: Watch, tmp_path: Path
    ) -> None:
        failed, before = old_token(desk), desk.exchanges
        watch.at[Gate.REFRESH_ANSWERED] = lambda: do(tmp_path, AWAY)
        with pytest.raises(StoreUnavailable):
            desk.connection.fresh_token(failed)
        do(tmp_path, BACK)

        fresh = desk.connection.fresh_token(failed)

        assert desk.exchanges - before == 1
        assert desk.connection.access_token() == fresh
        assert desk.opens_its_company()
        assert fresh not in desk.log.read_text(encoding="utf-8")


class TestTheLock:
    def test_that_was_lost_before_the_first_byte_sends_nothing(
        self, desk: Desk, watch: Watch, tmp_path: Path
    ) -> None:
        failed, before = old_token(desk), desk.exchanges
        asked: list[int] = []

        def taken_over() -> None:
            until = desk.rooms.store.now() + timedelta(milliseconds=400)
            with raw_engine(f"sqlite:///{tmp_path}/own/store.db").connect() as connection:
                connection.execute(table.update().values(refreshing_until=until))
            watch.at[Gate.REFRESH_NOTED] = lambda: asked.append(desk.exchanges - before)

        watch.at[Gate.REFRESH_NOTED] = taken_over
        fresh = desk.connection.fresh_token(failed)

        assert asked == [0]  # nothing had left when we came to the lock again
        assert desk.exchanges - before == 1
        assert desk.connection.access_token() == fresh

    def test_of_a_process_that_never_comes_back_ends_with_its_time(self, desk: Desk) -> None:
        failed = old_token(desk)
        held = desk.tokens.load(Environment.SIMULATOR)
        assert held is not None
        desk.tokens.begin_refresh(held, lock_ms=300)

        assert desk.connection.fresh_token(failed) != failed


class TestSomebodyElse:
    def test_who_connects_anew_while_we_are_refused_counts(self, desk: Desk, watch: Watch) -> None:
        failed = old_token(desk)
        desk.simulator.fault("refuse_refresh")
        watch.at[Gate.REFRESH_ANSWERED] = desk.connect

        fresh = desk.connection.fresh_token(failed)

        assert fresh != failed
        assert desk.company.state().connected
        assert desk.opens_its_company()

    def test_who_disconnects_meanwhile_leaves_nothing_that_opens_the_company(
        self, desk: Desk, watch: Watch
    ) -> None:
        failed = old_token(desk)

        def disconnected() -> None:
            assert desk.tokens.forget(Environment.SIMULATOR, by=UWASE)

        watch.at[Gate.REFRESH_ANSWERED] = disconnected
        before = desk.revocations
        with pytest.raises(NotConnected):
            desk.connection.fresh_token(failed)

        assert desk.revocations - before == 1
        assert desk.tokens.load(Environment.SIMULATOR) is None


class TestWrongKeys:
    def test_leave_the_sign_in_as_it_was(
        self, desk: Desk, simulator: RunningSimulator, tmp_path: Path
    ) -> None:
        failed = old_token(desk)
        wrong = Auth(
            world=World(),
            environment=Environment.SIMULATOR,
            client_id=simulator.client_id,
            client_secret="wrong",  # noqa: S106 - on purpose
            redirect_uri=REDIRECT,
            authorize_url=f"{simulator.url}/connect/oauth2",
            token_url=f"{simulator.url}/oauth2/v1/tokens/bearer",
            revoke_url=f"{simulator.url}/v2/oauth2/tokens/revoke",
        )
        with (
            desk_at(tmp_path, simulator, auth=wrong) as keyed_wrongly,
            pytest.raises(WrongEnvironment),
        ):
            keyed_wrongly.connection.fresh_token(failed)

        assert desk.company.state().connected
        assert desk.connection.fresh_token(failed) != failed


@pytest.mark.covers("D8")
class TestAWrongClock:
    def test_a_day_behind_believes_quickbooks(self, desk: Desk) -> None:
        failed, before = old_token(desk), desk.exchanges
        desk.clock.wall_ms = -DAY_MS

        assert desk.connection.access_token() == failed
        assert desk.connection.fresh_token(failed) != failed
        assert desk.exchanges - before == 1

    def test_a_day_ahead_renews_early_and_once(self, desk: Desk) -> None:
        before = desk.exchanges
        desk.clock.wall_ms = DAY_MS

        assert len({desk.connection.access_token() for _ in range(3)}) == 1
        assert desk.exchanges - before == 1
