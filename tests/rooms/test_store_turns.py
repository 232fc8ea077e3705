"""Durable runs from hand to hand, and the parts they are done in, on each database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection, insert

from application.catalogue import RealmBusy
from application.store.door_schema import slices as table
from application.store.events import Events
from application.store.runs import Run
from application.store.slices import FAILED, Place, Slices, Tally
from tests.rooms.store_support import (
    KINDS,
    LIVE,
    REALM,
    UWASE,
    Rooms,
    asked,
    refusal_of,
    worn_rooms_on,
)

TAG = REALM.tag
PATIENCE_S = 30


@pytest.fixture(params=KINDS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    with worn_rooms_on(request, tmp_path=tmp_path) as opened:
        yield opened
        assert opened.audit.verify().intact


@pytest.fixture
def slices(rooms: Rooms) -> Slices:
    return Slices(rooms.store, world=rooms.world)


def part_of(run: Run) -> dict[str, object]:
    """Return the first part of a run as it is stored."""
    none = dict.fromkeys(("cursor", "successful", "failed", "unsettled"), 0)
    return {"run_id": run.id, "number": 0, "opened_at": run.asked_at, "phase": "waiting", **none}


def seen(rooms: Rooms, run: Run) -> Run:
    now = rooms.runs.get(run.id)
    assert now is not None
    return now


class TestASoleRun:
    def test_keeps_others_of_its_company_out_until_it_has_ended(self, rooms: Rooms) -> None:
        first = asked(rooms)

        with pytest.raises(RealmBusy) as busy:
            asked(rooms)

        assert busy.value.facts["run_id"] == first.id
        asked(rooms, tag=LIVE.tag)
        asked(rooms, sole=False)
        rooms.runs.finish(first.id, state="finished", by=UWASE)
        assert asked(rooms).sole

    def test_is_begun_by_one_of_many_who_ask_at_once(self, rooms: Rooms) -> None:
        def ask(_: int) -> int | None:
            try:
                return asked(rooms).id
            except RealmBusy as busy:
                other = busy.facts["run_id"]
                assert isinstance(other, int)
                return None

        with ThreadPoolExecutor(8) as pool:
            begun = [one for one in pool.map(ask, range(8)) if one is not None]

        assert len(begun) == 1
        sole = rooms.runs.sole(TAG)
        assert sole is not None
        assert sole.id == begun[0]

    def test_is_found_by_the_request_that_began_it(self, rooms: Rooms) -> None:
        run = asked(rooms, request="a" * 64)

        found = rooms.runs.of_request("a" * 64)

        assert found is not None
        assert found.id == run.id
        assert rooms.runs.of_request("b" * 64) is None


class TestATurn:
    @pytest.mark.covers("H3")
    def test_is_handed_out_once(self, rooms: Rooms) -> None:
        run = asked(rooms)

        with ThreadPoolExecutor(6) as pool:
            turns = list(
                pool.map(lambda _: rooms.runs.hand_out(run.id, turn=0, by=UWASE), range(6))
            )

        assert sorted(turns, key=str) == [1, None, None, None, None, None]

    @pytest.mark.covers("H3", "H5")
    def test_lets_nobody_in_who_holds_an_older_one(self, rooms: Rooms) -> None:
        run = asked(rooms)
        rooms.runs.hand_out(run.id, turn=0, by=UWASE)

        assert rooms.runs.enter(run.id, turn=0, holder="late", by=UWASE) is None

        entered = rooms.runs.enter(run.id, turn=1, holder="desk-2", by=UWASE)
        assert entered is not None
        assert (entered.state, entered.holder, entered.turn) == ("running", "desk-2", 1)
        assert not rooms.runs.rest(run.id, turn=0, state="paused", by=UWASE)
        assert not rooms.runs.finish(run.id, state="failed", by=UWASE, turn=0)
        assert seen(rooms, run).state == "running"

    def test_counts_how_often_a_run_was_taken_up_again(self, rooms: Rooms) -> None:
        run = asked(rooms)
        rooms.runs.enter(run.id, turn=0, holder="desk-1", by=UWASE)
        rooms.runs.hand_out(run.id, turn=0, by=UWASE)
        rooms.runs.enter(run.id, turn=1, holder="desk-2", by=UWASE)

        assert seen(rooms, run).resumed == 1

    @pytest.mark.covers("H1")
    def test_of_a_dead_process_is_gone_on_with_under_the_same_number(self, rooms: Rooms) -> None:
        run = asked(rooms)
        rooms.runs.enter(run.id, turn=0, holder="desk-1", by=UWASE)
        rooms.runs.enter(run.id, turn=0, holder="desk-1", by=UWASE)  # its next part

        entered = rooms.runs.enter(run.id, turn=0, holder="desk-2", by=UWASE)

        assert entered is not None
        assert (entered.resumed, entered.holder) == (1, "desk-2")
        events = [one.event for one in Events(rooms.store, world=rooms.world).after(0)]
        assert events == ["run.started", "run.resumed"]

    def test_rests_until_its_time(self, rooms: Rooms) -> None:
        run = asked(rooms)
        wake_at = rooms.store.now() + timedelta(seconds=30)
        rooms.runs.enter(run.id, turn=0, holder="desk-1", by=UWASE)

        assert rooms.runs.rest(
            run.id,
            turn=0,
            state="waiting_mis",
            by=UWASE,
            cause="mis_unavailable",
            wake_at=wake_at,
        )

        now = seen(rooms, run)
        assert (now.state, now.cause, now.wake_at) == ("waiting_mis", "mis_unavailable", wake_at)
        assert [one.id for one in rooms.runs.resting(TAG)] == [run.id]
        assert rooms.runs.enter(run.id, turn=0, holder="desk-1", by=UWASE) is None

    def test_of_a_process_is_kept_when_it_is_paused(self, rooms: Rooms) -> None:
        run = rooms.runs.open(
            kind="all", by=UWASE, environment="simulator", realm_tag=TAG, holder="desk-1"
        )

        rooms.runs.rest(run.id, turn=0, state="paused", by=UWASE)

        now = seen(rooms, run)
        assert (now.durable, now.sole, now.state) == (True, True, "paused")
        assert rooms.runs.close_dead(realm_tag=TAG, alive=None, by=UWASE) == []

    def test_that_has_ended_is_asked_for_nothing_but_an_end(self, rooms: Rooms) -> None:
        run = asked(rooms)
        rooms.runs.finish(run.id, state="cancelled", by=UWASE)

        assert rooms.runs.asked(run.id) == "cancel"
        assert rooms.runs.hand_out(run.id, turn=0, by=UWASE) is None
        assert not rooms.runs.rest(run.id, turn=0, state="paused", by=UWASE)


class TestASlice:
    def test_begins_where_the_last_one_ended(self, rooms: Rooms, slices: Slices) -> None:
        run = asked(rooms)
        first = slices.open(run.id)
        assert (first.number, first.place, first.interrupted) == (0, Place(), False)

        slices.close(first, tally=Tally(40, 2, 1), place=Place(FAILED, 43))

        second = slices.open(run.id)
        assert (second.number, second.place, second.interrupted) == (1, Place(FAILED, 43), False)
        assert second.tally == Tally(40, 2, 1)

    @pytest.mark.covers("H3")
    def test_that_nobody_ended_is_opened_again(self, rooms: Rooms, slices: Slices) -> None:
        run = asked(rooms)
        first = slices.open(run.id)

        again = slices.open(run.id)

        assert (again.number, again.interrupted, again.opened_at) == (0, True, first.opened_at)

    @pytest.mark.covers("H5")
    def test_that_a_frozen_sender_was_opening_is_opened_by_the_next(
        self, rooms: Rooms, slices: Slices
    ) -> None:
        run = asked(rooms)
        begun, thawed = Event(), Event()

        def freezing(link: Connection) -> None:
            link.execute(insert(table), part_of(run))
            begun.set()
            assert thawed.wait(PATIENCE_S)

        with ThreadPoolExecutor(2) as pool:
            frozen = pool.submit(rooms.store.write, freezing)
            assert begun.wait(PATIENCE_S)
            next_one = pool.submit(slices.open, run.id)
            wait([next_one], timeout=0.3)  # it has met the row that is not durable yet
            thawed.set()
            frozen.result(PATIENCE_S)
            part = next_one.result(PATIENCE_S)

        assert (part.number, part.interrupted) == (0, True)

    def test_that_was_interrupted_is_counted_from_what_is_durable(
        self, rooms: Rooms, slices: Slices
    ) -> None:
        part = slices.open(1)
        lease = rooms.lease()
        rooms.claimed([1, 2, 3, 4, 5], lease=lease)
        rooms.confirmed([1, 2], lease=lease)
        rooms.sent([3], lease=lease)
        rooms.journal.refused([refusal_of(4, cause="invalid_amount")], lease=lease, by=UWASE)

        tally = slices.recount(1, realm_tag=TAG, since=part.opened_at, before=Tally(10, 1, 0))

        assert (tally.successful, tally.failed) == (12, 2)
        assert slices.unclear(1, realm_tag=TAG) == [3]
        assert slices.unclear(2, realm_tag=TAG) == []
