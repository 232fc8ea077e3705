"""When runs start by themselves: windows over midnight, missed nights, clocks that are put back."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from application.catalogue import NotFound, StateConflict
from application.services.schedule import Due, Timetable, of_shape
from application.world import World
from tests.rooms.schedule_support import (
    KIGALI,
    LONDON,
    MONDAY,
    NIGHTLY,
    SERVER,
    SetClock,
    next_in_utc,
    timetable_of,
)
from tests.rooms.store_support import UWASE, Rooms, rooms_on


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def rooms(tmp_path: Path, clock: SetClock) -> Iterator[Rooms]:
    url = f"sqlite:///{tmp_path}/own/store.db"
    with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as opened:
        yield opened


@pytest.fixture
def timetable(rooms: Rooms) -> Timetable:
    return timetable_of(rooms)


class TestTimetable:
    def test_of_nobody_starts_nothing(self, timetable: Timetable) -> None:
        assert timetable.get() is None
        assert timetable.next_run_at() is None
        assert timetable.due(MONDAY) is None
        assert timetable.window_ends(MONDAY) is None
        assert not timetable.is_inside(MONDAY)
        with pytest.raises(NotFound):
            timetable.pause(by=UWASE)

    def test_is_paused_and_resumed_once(self, timetable: Timetable) -> None:
        timetable.save(of_shape(NIGHTLY), by=UWASE)
        with pytest.raises(StateConflict):
            timetable.resume(by=UWASE)

        assert not timetable.pause(by=UWASE).enabled

        assert timetable.next_run_at() is None
        with pytest.raises(StateConflict):
            timetable.pause(by=UWASE)
        assert timetable.resume(by=UWASE).enabled
        assert timetable.next_run_at() == datetime(2025, 11, 17, 20, 0, tzinfo=KIGALI)

    def test_names_the_next_start_in_office_time(
        self, timetable: Timetable, clock: SetClock
    ) -> None:
        timetable.save(of_shape(NIGHTLY), by=UWASE)

        shown = timetable.next_run_at()
        assert shown is not None
        assert shown.isoformat() == "2025-11-17T20:00:00+02:00"
        clock.show(17, "20:00")
        assert timetable.next_run_at() == datetime(2025, 11, 18, 20, 0, tzinfo=KIGALI)
        clock.show(18, "20:00")
        assert timetable.next_run_at() == datetime(2025, 11, 24, 20, 0, tzinfo=KIGALI)

    def test_leaves_starts_outside_its_window_out(
        self, timetable: Timetable, clock: SetClock
    ) -> None:
        shape = {"cron": "*/30 * * * *", "from": "20:00", "to": "06:00"}
        timetable.save(of_shape(shape), by=UWASE)

        assert timetable.next_run_at() == datetime(2025, 11, 17, 20, 0, tzinfo=KIGALI)
        clock.show(18, "05:10")
        assert timetable.next_run_at() == datetime(2025, 11, 18, 5, 30, tzinfo=KIGALI)
        clock.show(18, "05:30")
        assert timetable.next_run_at() == datetime(2025, 11, 18, 20, 0, tzinfo=KIGALI)

    def test_finds_a_day_that_comes_every_four_years(
        self, timetable: Timetable, clock: SetClock
    ) -> None:
        timetable.save(of_shape({"cron": "0 20 29 2 *"}), by=UWASE)

        assert timetable.next_run_at() == datetime(2028, 2, 29, 20, 0, tzinfo=KIGALI)
        assert timetable.due(clock.show(18, "12:00")) is None


class TestDue:
    def test_comes_with_the_minute_and_is_taken_once(
        self, timetable: Timetable, clock: SetClock
    ) -> None:
        schedule = timetable.save(of_shape(NIGHTLY), by=UWASE)
        assert timetable.due(clock.show(17, "19:59")) is None

        due = timetable.due(clock.show(17, "20:00"))

        at = datetime(2025, 11, 17, 20, 0, tzinfo=KIGALI)
        assert due == Due(
            at=at, former=schedule.ticked_at, until=at + timedelta(hours=10), missed=False
        )
        assert [timetable.ticked(due) for _ in range(2)] == [True, False]
        assert timetable.due(clock.now()) is None
        later = timetable.due(clock.show(18, "20:00"))
        assert later is not None
        assert later.former == at

    def test_is_made_late_while_its_window_is_open(
        self, timetable: Timetable, clock: SetClock
    ) -> None:
        timetable.save(of_shape(NIGHTLY), by=UWASE)

        due = timetable.due(clock.show(18, "05:59"))

        assert due is not None
        assert due.at == datetime(2025, 11, 17, 20, 0, tzinfo=KIGALI)
        assert not due.missed

    def test_is_missed_when_its_window_has_closed(
        self, rooms: Rooms, timetable: Timetable, clock: SetClock
    ) -> None:
        timetable.save(of_shape(NIGHTLY), by=UWASE)
        due = timetable.due(clock.show(18, "06:00"))

        assert due is not None
        assert due.missed
        assert timetable.missed(due, by=SERVER)
        assert not timetable.missed(due, by=SERVER)
        assert timetable.due(clock.now()) is None
        assert len(rooms.audit.entries(action="schedule.missed")) == 1

    def test_of_another_night_is_missed_though_a_window_is_open(
        self, timetable: Timetable, clock: SetClock
    ) -> None:
        timetable.save(of_shape(NIGHTLY), by=UWASE)

        due = timetable.due(clock.show(19, "21:00"))  # a Wednesday, on which nothing starts

        assert due is not None
        assert due.at == datetime(2025, 11, 18, 20, 0, tzinfo=KIGALI)
        assert due.missed

    def test_of_many_missed_ones_is_the_newest(self, timetable: Timetable, clock: SetClock) -> None:
        shape = {"cron": "*/10 * * * *", "from": "20:00", "to": "06:00"}
        timetable.save(of_shape(shape), by=UWASE)

        due = timetable.due(clock.show(28, "02:05"))

        assert due is not None
        assert due.at == datetime(2025, 11, 28, 2, 0, tzinfo=KIGALI)
        assert not due.missed
        after = timetable.due(clock.show(28, "15:00"))
        assert after is not None
        assert after.at == datetime(2025, 11, 28, 5, 50, tzinfo=KIGALI)
        assert after.missed

    def test_without_a_window_is_made_whenever_a_server_is_there(
        self, timetable: Timetable, clock: SetClock
    ) -> None:
        timetable.save(of_shape({"cron": "0 20 * * 1"}), by=UWASE)

        due = timetable.due(clock.show(21, "09:00"))

        assert due is not None
        assert (due.until, due.missed) == (None, False)

    def test_is_nothing_while_paused_nor_made_up_for_afterwards(
        self, timetable: Timetable, clock: SetClock
    ) -> None:
        timetable.save(of_shape(NIGHTLY), by=UWASE)
        timetable.pause(by=UWASE)

        assert timetable.due(clock.show(17, "22:00")) is None
        timetable.resume(by=UWASE)
        assert timetable.due(clock.show(17, "22:01")) is None

    def test_before_it_was_set_is_nobodys(self, timetable: Timetable, clock: SetClock) -> None:
        clock.show(17, "20:30")
        timetable.save(of_shape(NIGHTLY), by=UWASE)

        assert timetable.due(clock.show(17, "20:31")) is None


class TestWindow:
    @pytest.mark.parametrize(
        ("at", "ends"),
        [
            ((17, "20:00"), (18, "06:00")),
            ((17, "23:59"), (18, "06:00")),
            ((18, "00:00"), (18, "06:00")),
            ((18, "05:59"), (18, "06:00")),
        ],
    )
    def test_over_midnight_ends_in_the_morning(
        self,
        timetable: Timetable,
        clock: SetClock,
        at: tuple[int, str],
        ends: tuple[int, str],
    ) -> None:
        timetable.save(of_shape(NIGHTLY), by=UWASE)
        moment = clock.show(*at)

        assert timetable.is_inside(moment)
        assert timetable.window_ends(moment) == clock.show(*ends)

    @pytest.mark.parametrize("at", ["06:00", "12:00", "19:59"])
    def test_is_closed_by_day(self, timetable: Timetable, clock: SetClock, at: str) -> None:
        timetable.save(of_shape(NIGHTLY), by=UWASE)
        moment = clock.show(18, at)

        assert not timetable.is_inside(moment)
        assert timetable.window_ends(moment) == moment

    def test_within_a_day_ends_that_day(self, timetable: Timetable, clock: SetClock) -> None:
        timetable.save(of_shape(NIGHTLY | {"from": "09:00", "to": "17:30"}), by=UWASE)

        assert timetable.window_ends(clock.show(18, "09:00")) == clock.show(18, "17:30")
        assert not timetable.is_inside(clock.show(18, "08:59"))
        assert not timetable.is_inside(clock.show(18, "17:30"))

    def test_of_none_is_always_open_and_never_ends(
        self, timetable: Timetable, clock: SetClock
    ) -> None:
        timetable.save(of_shape({"cron": "0 20 * * 1"}), by=UWASE)

        assert timetable.is_inside(clock.now())
        assert timetable.window_ends(clock.now()) is None


class TestClocksPutBackAndForward:
    """In London 01:00 to 02:00 was missing on 30 March 2025 and came twice on 26 October 2025."""

    @pytest.fixture
    def london(self, rooms: Rooms) -> Timetable:
        return timetable_of(rooms, office=LONDON)

    def test_a_night_lasts_an_hour_less_or_more(self, london: Timetable, clock: SetClock) -> None:
        clock.at = datetime(2025, 3, 1, tzinfo=UTC)
        london.save(of_shape(NIGHTLY | {"days": ["sat"]}), by=UWASE)

        lasted = {}
        for day, month in ((29, 3), (5, 4), (25, 10)):
            due = london.due(clock.show(day, "20:00", month=month, office=LONDON))
            assert due is not None
            assert due.until is not None
            lasted[month, day] = (due.until - due.at) // timedelta(hours=1)

        assert lasted == {(3, 29): 9, (4, 5): 10, (10, 25): 11}

    def test_a_start_in_the_missing_hour_comes_right_after_it(
        self, london: Timetable, clock: SetClock
    ) -> None:
        clock.at = datetime(2025, 3, 29, 12, 0, tzinfo=UTC)
        london.save(of_shape({"cron": "30 1 * * *"}), by=UWASE)

        after_it = datetime(2025, 3, 30, 1, 0, tzinfo=UTC)
        assert next_in_utc(london) == after_it
        assert london.due(after_it - timedelta(seconds=1)) is None
        due = london.due(after_it)
        assert due is not None
        assert due.at == after_it
        assert london.ticked(due)
        assert london.due(after_it + timedelta(hours=3)) is None

    @pytest.mark.covers("C3")
    def test_a_start_in_the_hour_that_comes_twice_is_made_once(
        self, london: Timetable, clock: SetClock
    ) -> None:
        clock.at = datetime(2025, 10, 25, 12, 0, tzinfo=UTC)
        london.save(of_shape({"cron": "30 1 * * *"}), by=UWASE)
        first = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
        assert next_in_utc(london) == first

        starts = []
        for minutes in range(0, 180, 5):
            clock.at = first - timedelta(minutes=30) + timedelta(minutes=minutes)
            due = london.due(clock.at)
            if due is not None:
                assert london.ticked(due)
                starts.append((due.at, clock.at))

        assert starts == [(first, first)]
        assert next_in_utc(london) == datetime(2025, 10, 27, 1, 30, tzinfo=UTC)

    def test_the_next_start_never_lies_behind(self, london: Timetable, clock: SetClock) -> None:
        london.save(of_shape({"cron": "30 1 * * *"}), by=UWASE)

        clock.at = datetime(2025, 10, 26, 1, 10, tzinfo=UTC)  # 01:10 for the second time

        assert next_in_utc(london) == datetime(2025, 10, 27, 1, 30, tzinfo=UTC)

    def test_a_window_that_closes_in_the_missing_hour_closes_with_it(
        self, london: Timetable, clock: SetClock
    ) -> None:
        clock.at = datetime(2025, 3, 1, tzinfo=UTC)
        london.save(of_shape(NIGHTLY | {"to": "01:30"}), by=UWASE)
        jump = datetime(2025, 3, 30, 1, 0, tzinfo=UTC)

        assert london.window_ends(jump - timedelta(hours=1)) == jump
        assert london.is_inside(jump - timedelta(seconds=1))
        assert not london.is_inside(jump)

    @pytest.mark.parametrize(
        "cron", ["30 1 * * *", "0 2 * * *", "*/20 * * * *", "15 0-3 * * 0", "0 20 * * 1-5"]
    )
    def test_what_is_due_is_what_was_announced(
        self, london: Timetable, clock: SetClock, cron: str
    ) -> None:
        """Looking ahead from every minute and looking back at every minute tell the same story."""
        for begin in (
            datetime(2025, 3, 29, 22, 0, tzinfo=UTC),
            datetime(2025, 10, 25, 22, 0, tzinfo=UTC),
        ):
            clock.at = begin
            schedule = london.save(of_shape({"cron": cron}), by=UWASE)
            announced, made = set(), []
            for minute in range(0, 60 * 6, 5):
                clock.at = begin + timedelta(minutes=minute)
                announced.add(next_in_utc(london))
                due = london.due(clock.at)
                if due is not None:
                    assert london.ticked(due)
                    made.append(due.at)
            london.save(replace(schedule.terms, enabled=False), by=UWASE)

            assert made == sorted(set(made))
            assert set(made) == {one for one in announced if one <= clock.at}
