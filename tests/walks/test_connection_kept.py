"""A sign-in as it is kept: shown, reminded of, renewed in rest, ended, sealed under new keys."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.catalogue import ConfigInvalid, NotConnected
from application.invoices.model import Environment
from application.store.tokens import new_key
from tests.rooms.simulator_support import RunningSimulator
from tests.rooms.store_support import KEY
from tests.walks.sign_in_desk import ADMIN, DAY_MS, Desk, desk_at


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


@pytest.fixture
def desk(simulator: RunningSimulator, tmp_path: Path) -> Iterator[Desk]:
    with desk_at(tmp_path, simulator) as opened:
        yield opened


class TestState:
    def test_shows_what_a_page_needs_and_no_secret(self, desk: Desk) -> None:
        nobody = desk.company.state()
        desk.connect()
        state = desk.company.state()

        assert (nobody.connected, nobody.problem) == (False, "authentication_failed")
        company_id = desk.simulator.realm_id
        assert state.realm_id_masked == f"{company_id[:4]}…{company_id[-4:]}"
        assert company_id not in repr(state)
        assert 3_590 <= (state.access_token_expires_in_s or 0) <= 3_600
        assert state.connected_at is not None
        assert state.reconnect_by is not None
        assert state.hard_limit is not None
        assert (state.reconnect_by - state.connected_at).days == 101
        assert (state.hard_limit - state.connected_at).days in {1_824, 1_825}
        assert state.reminders == ()

    @pytest.mark.covers("D7")
    @pytest.mark.parametrize(
        ("days_left", "reminded"),
        [(15, None), (14, 14), (8, 14), (7, 7), (2, 7), (1, 1), (0, 1), (-3, 1)],
    )
    def test_reminds_before_a_rest_grows_too_long(
        self, desk: Desk, days_left: int, reminded: int | None
    ) -> None:
        desk.connect()
        desk.clock.wall_ms = (101 - days_left) * DAY_MS

        found = {one.code: one.days for one in desk.company.state().reminders}

        assert found == ({} if reminded is None else {"reconnect_due": reminded})

    @pytest.mark.covers("D7")
    def test_reminds_before_five_years_are_over(self, desk: Desk) -> None:
        desk.connect()
        desk.clock.wall_ms = (365 * 5 - 6) * DAY_MS

        found = [one for one in desk.company.state().reminders if one.code == "hard_limit_due"]

        assert [one.days for one in found] == [7]
        assert "however often it is used" in found[0].text
        assert desk.company.state().access_token_expires_in_s == 0


class TestDisconnect:
    def test_ends_it_at_quickbooks_and_here(self, desk: Desk) -> None:
        desk.connect()
        token = desk.connection.access_token()

        assert desk.connection.disconnect(by=ADMIN) is True

        assert desk.revocations == 1
        assert desk.tokens.load(Environment.SIMULATOR) is None
        assert desk.simulator.send("GET", "preferences", token=token).status == 401
        with pytest.raises(NotConnected):
            desk.connection.access_token()
        found = [line for line in desk.rooms.audit.entries() if line.action == "signin.ended"]
        assert [line.actor for line in found] == ["admin1"]
        assert desk.connection.disconnect() is True  # there is nothing left to end

    def test_wipes_it_where_quickbooks_is_away_and_says_so(
        self, simulator: RunningSimulator, tmp_path: Path
    ) -> None:
        with desk_at(tmp_path, simulator) as desk:
            desk.connect()
        with desk_at(tmp_path, simulator, auth_url="http://127.0.0.1:1") as away:
            assert away.connection.disconnect() is False
            assert away.tokens.load(Environment.SIMULATOR) is None

    def test_ends_what_another_process_has_in_hand(
        self, desk: Desk, simulator: RunningSimulator, tmp_path: Path
    ) -> None:
        desk.connect()
        token = desk.connection.access_token()
        with desk_at(tmp_path, simulator, auth_url="http://127.0.0.1:1") as away:
            away.connection.disconnect()

        # QuickBooks could not be told, so that token would still open the company.
        assert simulator.send("GET", "preferences", token=token).status == 200
        with pytest.raises(NotConnected):
            desk.connection.access_token()
        with pytest.raises(NotConnected):
            desk.connection.fresh_token(token)

    def test_and_connecting_anew_work_without_the_keys(
        self, simulator: RunningSimulator, tmp_path: Path
    ) -> None:
        with desk_at(tmp_path, simulator) as desk:
            desk.connect()
        with desk_at(tmp_path, simulator, keys=(new_key(),)) as keyless:
            with pytest.raises(ConfigInvalid):
                keyless.connection.realm()
            assert keyless.company.realm_tag() == keyless.realm.tag
            keyless.connect()
            assert keyless.opens_its_company()
        with desk_at(tmp_path, simulator, keys=(new_key(),)) as keyless:
            assert keyless.connection.disconnect() is False
            assert not keyless.company.state().connected


class TestKeepAlive:
    @pytest.mark.covers("D7")
    @pytest.mark.parametrize(("days", "renewed"), [(6, False), (8, True)])
    def test_renews_after_a_week(self, desk: Desk, days: int, *, renewed: bool) -> None:
        desk.connect()
        before = desk.exchanges
        desk.clock.wall_ms = days * DAY_MS

        assert desk.connection.keep_alive() is renewed

        assert desk.exchanges - before == int(renewed)
        assert desk.connection.keep_alive() is False

    def test_leaves_alone_what_only_a_person_can_mend(self, desk: Desk) -> None:
        assert desk.connection.keep_alive() is False
        desk.connect()
        desk.simulator.control("POST", "revoke")
        desk.clock.wall_ms = 8 * DAY_MS
        with pytest.raises(NotConnected):
            desk.connection.keep_alive()
        asked = desk.exchanges

        assert desk.connection.keep_alive() is False
        assert desk.exchanges == asked


class TestKeys:
    def test_are_changed_by_putting_a_new_one_first(
        self, simulator: RunningSimulator, tmp_path: Path
    ) -> None:
        newer = new_key()
        with desk_at(tmp_path, simulator) as desk:
            desk.connect()
            assert desk.connection.rotate_keys() == 0
        with desk_at(tmp_path, simulator, keys=(newer, KEY)) as desk:
            assert desk.connection.keys().older_in_use
            assert desk.connection.rotate_keys() == 1
            assert not desk.connection.keys().older_in_use
            assert desk.connection.rotate_keys() == 0
        with desk_at(tmp_path, simulator, keys=(newer,)) as desk:
            assert desk.opens_its_company()
            assert "key.rotated" in {line.action for line in desk.rooms.audit.entries()}


class TestLog:
    def test_holds_no_secret_of_a_whole_journey(self, desk: Desk) -> None:
        desk.connect()
        desk.connection.fresh_token(desk.connection.access_token())
        desk.connection.disconnect()

        text = desk.log.read_text(encoding="utf-8")
        audit = json.dumps([repr(line) for line in desk.rooms.audit.entries()])

        assert [one for one in desk.told if one in text + audit] == []
        assert {json.loads(line)["event"] for line in text.splitlines()} >= {
            "connection.made",
            "sign_in.renewed",
            "connection.ended",
        }
