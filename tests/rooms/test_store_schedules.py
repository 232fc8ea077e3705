"""The schedule as it is kept: set, paused, and started once for each time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from application.catalogue import RealmBusy
from application.store.audit import Actor
from application.store.runs import Run
from application.store.schedules import Schedules, Terms
from application.store.starts import Start, StartTaken
from tests.rooms.store_support import (
    KINDS,
    UWASE,
    Rooms,
    worn_rooms_on,
)

NIGHTLY = Terms(
    enabled=True,
    cron="0 20 * * *",
    window_from="20:00",
    window_to="06:00",
    batch_size=50,
    max_batches=None,
)
SERVER = Actor("schedule", source="server", process="desk-1")
HOUR = timedelta(hours=1)


@pytest.fixture(params=KINDS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    with worn_rooms_on(request, tmp_path=tmp_path) as opened:
        yield opened
        assert opened.audit.verify().intact


@pytest.fixture
def schedules(rooms: Rooms) -> Schedules:
    return Schedules(rooms.store, audit=rooms.audit, world=rooms.world)


def told(rooms: Rooms) -> list[str]:
    return [line.action for line in rooms.audit.entries(action="schedule.")]


def begun(rooms: Rooms, *, start: Start | None = None) -> Run:
    """Begin a long run, as the start of the schedule or without one."""
    return rooms.runs.open(
        kind="all",
        state="queued",
        by=SERVER,
        environment="simulator",
        realm_tag="s0123abcd",
        holder="desk-1",
        durable=True,
        sole=True,
        start=start,
    )


class TestSchedule:
    def test_is_nothing_before_somebody_sets_one(self, schedules: Schedules) -> None:
        assert schedules.get() is None

    def test_comes_back_as_it_was_set(self, rooms: Rooms, schedules: Schedules) -> None:
        saved = schedules.save(NIGHTLY, by=UWASE)

        assert schedules.get() == saved
        assert saved.terms == NIGHTLY
        assert saved.changed_by == "uwase"
        assert abs(saved.changed_at - rooms.store.now()) < HOUR
        assert told(rooms) == ["schedule.changed"]

    def test_leaves_a_line_for_each_change(self, rooms: Rooms, schedules: Schedules) -> None:
        schedules.save(NIGHTLY, by=UWASE)
        schedules.save(replace(NIGHTLY, batch_size=30), by=UWASE)
        schedules.save(replace(NIGHTLY, batch_size=30, enabled=False), by=UWASE)
        schedules.save(replace(NIGHTLY, batch_size=30), by=UWASE)

        lines = rooms.audit.entries(action="schedule.")
        assert [line.action for line in lines] == [
            "schedule.changed",
            "schedule.changed",
            "schedule.paused",
            "schedule.resumed",
        ]
        before, after = lines[1].before, lines[1].after
        assert before is not None
        assert after is not None
        assert (before["batch_size"], after["batch_size"]) == (50, 30)

    def test_set_to_what_it_is_changes_nothing(self, rooms: Rooms, schedules: Schedules) -> None:
        saved = schedules.save(NIGHTLY, by=UWASE)

        assert schedules.save(NIGHTLY, by=Actor("mugisha")) == saved

        assert told(rooms) == ["schedule.changed"]

    def test_first_set_by_many_at_once_is_one(self, schedules: Schedules) -> None:
        sizes = range(1, 7)

        with ThreadPoolExecutor(6) as pool:
            list(
                pool.map(
                    lambda size: schedules.save(replace(NIGHTLY, batch_size=size), by=UWASE), sizes
                )
            )

        kept = schedules.get()
        assert kept is not None
        assert kept.batch_size in sizes


class TestStart:
    @pytest.mark.covers("C7")
    def test_belongs_to_one_of_many_servers(self, schedules: Schedules) -> None:
        saved = schedules.save(NIGHTLY, by=UWASE)
        at = saved.changed_at + HOUR

        with ThreadPoolExecutor(6) as pool:
            won = list(pool.map(lambda _: schedules.ticked(at, saved.ticked_at), range(6)))

        assert won.count(True) == 1
        kept = schedules.get()
        assert kept is not None
        assert kept.ticked_at == at

    @pytest.mark.covers("C4", "C7")
    def test_is_taken_with_its_run_or_not_at_all(self, rooms: Rooms, schedules: Schedules) -> None:
        saved = schedules.save(NIGHTLY, by=UWASE)
        start = Start(saved.changed_at + HOUR, saved.ticked_at)
        long = begun(rooms)

        with pytest.raises(RealmBusy):
            begun(rooms, start=start)
        refused = schedules.get()
        rooms.runs.finish(long.id, state="finished", by=UWASE)
        made = begun(rooms, start=start)
        rooms.runs.finish(made.id, state="finished", by=UWASE)
        with pytest.raises(StartTaken):
            begun(rooms, start=start)

        kept = schedules.get()
        assert refused is not None
        assert kept is not None
        assert (refused.ticked_at, kept.ticked_at) == (saved.ticked_at, start.at)
        assert [one.id for one in rooms.runs.recent(limit=9)] == [made.id, long.id]

    def test_worked_out_from_an_older_schedule_is_not_made(self, schedules: Schedules) -> None:
        saved = schedules.save(NIGHTLY, by=UWASE)
        schedules.save(replace(NIGHTLY, cron="0 21 * * *"), by=UWASE)

        assert not schedules.ticked(saved.changed_at + HOUR, saved.ticked_at)

    def test_of_a_paused_schedule_is_not_made(self, schedules: Schedules) -> None:
        schedules.save(NIGHTLY, by=UWASE)
        paused = schedules.save(replace(NIGHTLY, enabled=False), by=UWASE)

        assert not schedules.ticked(paused.changed_at + HOUR, paused.ticked_at)

    def test_of_no_schedule_is_not_made(self, rooms: Rooms, schedules: Schedules) -> None:
        assert not schedules.ticked(rooms.store.now(), None)

    def test_that_lies_before_a_change_is_taken_care_of(self, schedules: Schedules) -> None:
        first = schedules.save(NIGHTLY, by=UWASE)
        assert first.ticked_at is not None
        schedules.ticked(first.ticked_at - HOUR, first.ticked_at)

        smaller = schedules.save(replace(NIGHTLY, batch_size=30), by=UWASE)
        wider = schedules.save(replace(NIGHTLY, window_to="07:00"), by=UWASE)

        assert smaller.ticked_at == first.ticked_at - HOUR
        assert wider.ticked_at is not None
        assert wider.ticked_at >= first.ticked_at

    def test_missed_is_noted_once(self, rooms: Rooms, schedules: Schedules) -> None:
        saved = schedules.save(NIGHTLY, by=UWASE)
        at = saved.changed_at.replace(microsecond=0) + HOUR

        noted = [schedules.missed(at, saved.ticked_at, by=SERVER) for _ in range(2)]

        assert noted == [True, False]
        (line,) = rooms.audit.entries(action="schedule.missed")
        assert line.actor == "schedule"
        assert line.after == {"at": at.isoformat()}
