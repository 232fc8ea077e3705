"""Live events: kept in order, found again, and never hidden behind a higher id."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from application.catalogue import NotFound
from application.store.events import Event, Events, Head, insert_events
from tests.rooms.store_support import (
    KINDS,
    REALM,
    UWASE,
    Rooms,
    worn_rooms_on,
)

STEP_S = 30  # a bound on what must happen anyway
TRY_S = 0.3  # time to do what must not happen


@pytest.fixture(params=KINDS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    with worn_rooms_on(request, tmp_path=tmp_path) as opened:
        yield opened


@pytest.fixture
def events(rooms: Rooms) -> Events:
    return Events(rooms.store, world=rooms.world)


def new_run(rooms: Rooms) -> int:
    """Open a run that waits: it has no event of its own yet."""
    run = rooms.runs.open(
        kind="batch",
        state="queued",
        by=UWASE,
        environment="simulator",
        realm_tag=REALM.tag,
        holder="desk-1",
    )
    return run.id


def names(found: list[Event]) -> list[str]:
    return [one.event for one in found]


def progress(count: int) -> tuple[str, dict[str, object]]:
    return "run.progress", {"processed": count}


class TestEvents:
    def test_come_back_as_they_were_written_and_in_order(
        self, rooms: Rooms, events: Events
    ) -> None:
        run_id = new_run(rooms)
        told = {"invoice_id": 12345, "error": "Nom déjà pris", "quickbooks_id": None}

        events.write(run_id, [("run.started", {}), ("invoice.failed", told), progress(1)])

        found = events.after(0, run_id=run_id)
        assert names(found) == ["run.started", "invoice.failed", "run.progress"]
        assert [one.id for one in found] == sorted({one.id for one in found})
        assert found[1].content == told
        assert found[1].run_id == run_id
        assert abs(found[1].at - rooms.store.now()) < timedelta(minutes=5)

    def test_are_read_page_by_page_from_any_place(self, rooms: Rooms, events: Events) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [progress(count) for count in range(5)])
        first = events.after(0, run_id=run_id, limit=2)

        second = events.after(first[-1].id, run_id=run_id, limit=2)

        assert [one.content["processed"] for one in (*first, *second)] == [0, 1, 2, 3]

    def test_of_other_runs_stay_apart(self, rooms: Rooms, events: Events) -> None:
        ours, theirs = new_run(rooms), new_run(rooms)
        events.write(ours, [progress(1)])
        events.write(theirs, [progress(2)])

        assert [one.run_id for one in events.after(0, run_id=ours)] == [ours]
        assert [one.run_id for one in events.after(0)] == [ours, theirs]
        assert events.newest_id() == events.after(0)[-1].id

    def test_of_nothing_are_none(self, rooms: Rooms, events: Events) -> None:
        run_id = new_run(rooms)

        events.write(run_id, [])

        assert events.after(0) == []
        assert events.newest_id() == 0
        assert events.newest_progress(run_id) == 0
        assert events.present(run_id, up_to=0) == []

    def test_of_a_run_nobody_knows_are_refused(self, events: Events) -> None:
        with pytest.raises(NotFound):
            events.write(404, [progress(1)])

        assert events.after(0) == []

    def test_vanish_with_the_transaction_they_were_written_in(
        self, rooms: Rooms, events: Events
    ) -> None:
        run_id = new_run(rooms)

        def work(connection: Connection) -> None:
            insert_events(connection, run_id, [progress(1)], rooms.store.moment(connection))
            raise NotFound(what="whatever comes after")

        with pytest.raises(NotFound):
            rooms.store.write(work)

        assert events.after(0) == []

    def test_show_replaced_progress_only_when_asked(self, rooms: Rooms, events: Events) -> None:
        run_id = new_run(rooms)
        news = [("run.started", {}), progress(1), ("invoice.failed", {}), progress(2)]
        events.write(run_id, news)

        short = events.after(0, run_id=run_id, progress_from=events.newest_progress(run_id))

        assert names(short) == ["run.started", "invoice.failed", "run.progress"]
        assert short[-1].content == {"processed": 2}

    def test_tell_how_a_run_stands(self, rooms: Rooms, events: Events) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [("run.started", {}), progress(1), ("run.paused", {}), progress(2)])
        up_to = events.newest_id()
        events.write(run_id, [("invoice.failed", {}), ("run.resumed", {}), progress(3)])

        assert names(events.present(run_id, up_to=up_to)) == ["run.paused", "run.progress"]
        now = events.present(run_id, up_to=events.newest_id())
        assert [(one.event, one.content) for one in now] == [("run.resumed", {}), progress(3)]

    def test_are_known_by_run_and_id(self, rooms: Rooms, events: Events) -> None:
        ours, theirs = new_run(rooms), new_run(rooms)
        events.write(ours, [progress(1)])
        event_id = events.newest_id()

        assert events.knows(event_id, run_id=ours)
        assert not events.knows(event_id, run_id=theirs)
        assert not events.knows(event_id + 1, run_id=ours)


class TestHead:
    def test_says_how_far_each_run_is(self, rooms: Rooms, events: Events) -> None:
        quiet, ended = new_run(rooms), new_run(rooms)
        events.write(ended, [progress(1)])
        rooms.runs.finish(ended, state="finished", by=UWASE)

        heads = events.heads([quiet, ended, 404])

        assert heads == {quiet: Head(0, over=False), ended: Head(events.newest_id(), over=True)}
        assert names(events.after(0, run_id=ended)) == ["run.progress", "run.finished"]


class TestPurge:
    def test_forgets_old_events_of_runs_that_ended(self, rooms: Rooms, events: Events) -> None:
        goes_on, ended = new_run(rooms), new_run(rooms)
        for run_id in (goes_on, ended):
            events.write(run_id, [progress(count) for count in range(1_200)])
        rooms.runs.finish(ended, state="finished", by=UWASE)
        later = rooms.store.now() + timedelta(minutes=1)

        assert events.purge(later - timedelta(days=1)) == 0
        assert events.purge(later) == 1_201

        assert events.after(0, run_id=ended) == []
        assert len(events.after(0, run_id=goes_on, limit=2_000)) == 1_200

    def test_never_brings_an_id_back(self, rooms: Rooms, events: Events) -> None:
        first, second = new_run(rooms), new_run(rooms)
        events.write(first, [progress(1)])
        rooms.runs.finish(first, state="finished", by=UWASE)
        last_id = events.newest_id()
        events.purge(rooms.store.now() + timedelta(minutes=1))

        events.write(second, [progress(1)])

        assert events.newest_id() > last_id


class TestTwoWriters:
    def test_of_one_run_take_turns(self, rooms: Rooms, events: Events) -> None:
        """The second draws no id before the first has committed."""
        run_id = new_run(rooms)
        written, may_commit = threading.Event(), threading.Event()

        def slow(connection: Connection) -> None:
            insert_events(connection, run_id, [("first", {})], rooms.store.moment(connection))
            written.set()
            assert may_commit.wait(STEP_S)

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(rooms.store.write, slow)
            assert written.wait(STEP_S)
            second = pool.submit(events.write, run_id, [("second", {})])
            wait([second], timeout=TRY_S)
            seen_meanwhile = events.after(0, run_id=run_id)
            may_commit.set()
            first.result(STEP_S)
            second.result(STEP_S)

        assert seen_meanwhile == []
        assert names(events.after(0, run_id=run_id)) == ["first", "second"]

    def test_hide_nothing_from_whoever_follows_by_id(self, rooms: Rooms, events: Events) -> None:
        runs = [new_run(rooms), new_run(rooms)]
        writes = range(25)
        ended = threading.Event()

        def write(writer: int) -> None:
            for count in writes:
                for run_id in runs if writer else reversed(runs):
                    news = [("news", {"writer": writer, "of": count * 3 + at}) for at in range(3)]
                    events.write(run_id, news)

        with ThreadPoolExecutor(4) as pool:
            followers = [pool.submit(followed, events, run_id, ended) for run_id in runs]
            for writer in [pool.submit(write, number) for number in range(2)]:
                writer.result(STEP_S)
            ended.set()
            stories = [follower.result(STEP_S) for follower in followers]

        for story in stories:
            told = [(one.content["writer"], one.content["of"]) for one in story]
            assert len(told) == len(set(told)) == 2 * 3 * len(writes)
            for writer_id in range(2):
                own = [of for writer, of in told if writer == writer_id]
                assert own == list(range(3 * len(writes)))


def followed(events: Events, run_id: int, ended: threading.Event) -> list[Event]:
    """Return what somebody sees who asks again and again for what comes after the last id."""
    seen: list[Event] = []
    while True:
        nothing_follows = ended.is_set()
        found = events.after(seen[-1].id if seen else 0, run_id=run_id, limit=7)
        seen += found
        if nothing_follows and not found:
            return seen
