"""Live views: nothing missed, nothing twice, no thread for each; clients that take nothing."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from application.api.live import Hub, StreamsFull
from application.catalogue import StoreUnavailable
from application.store.events import Events, Head
from application.world import World
from tests.rooms.live_support import (
    STEP_S,
    Told,
    end,
    leave,
    names,
    new_run,
    progress,
    read,
    told_in,
    until,
)
from tests.rooms.store_support import JumpingClock, Rooms, rooms_on


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def rooms(tmp_path: Path, clock: JumpingClock) -> Iterator[Rooms]:
    url = f"sqlite:///{tmp_path}/own/store.db"
    with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as opened:
        yield opened


@pytest.fixture
def events(rooms: Rooms) -> Events:
    return Events(rooms.store, world=rooms.world)


@pytest.fixture
def hub(rooms: Rooms, events: Events) -> Iterator[Hub]:
    hub = Hub(events, world=rooms.world, ask_every_ms=10, ask_anyway_ms=50)
    yield hub
    hub.close()


def threads_by_name() -> list[str]:
    return [one.name for one in threading.enumerate()]


class TestStream:
    def test_sends_events_as_they_come_and_ends_with_the_run(
        self, rooms: Rooms, events: Events, hub: Hub
    ) -> None:
        run_id = new_run(rooms)

        async def watch() -> list[Told]:
            stream = await hub.stream(run_id, last_event_id=None)
            first = asyncio.ensure_future(read(stream, count=1))
            await asyncio.to_thread(events.write, run_id, [("run.started", {"run_id": run_id})])
            found = await first
            await asyncio.to_thread(events.write, run_id, [progress(7), progress(9)])
            found += await read(stream, count=2)
            await asyncio.to_thread(end, rooms, run_id)
            return found + await read(stream)

        found = asyncio.run(watch())

        assert names(found) == ["run.started", "run.progress", "run.progress", "run.finished"]
        assert found[0][2] == {"run_id": run_id}
        assert [one.id for one in events.after(0)] == [event_id for event_id, *_ in found]
        assert hub.streams == 0

    def test_writes_what_browsers_understand(self, rooms: Rooms, events: Events, hub: Hub) -> None:
        run_id = new_run(rooms)
        told = {"error": "Nom déjà pris\nvoir \u2028 plus loin", "quickbooks_id": None}
        events.write(run_id, [("invoice.failed", told)])

        async def watch() -> bytes:
            stream = await hub.stream(run_id, last_event_id=None)
            frames = await anext(stream)
            await leave(stream)
            return frames

        frames = asyncio.run(watch())

        event_id = events.newest_id()
        assert frames.startswith(f"id: {event_id}\nevent: invoice.failed\ndata: {{".encode())
        assert frames.endswith(b"}\n\n")
        assert frames.count(b"\n") == 4
        assert told_in(frames) == [(event_id, "invoice.failed", told)]

    def test_takes_the_encoder_it_was_given(self, rooms: Rooms, events: Events) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [progress(1)])
        hub = Hub(events, world=rooms.world, ask_every_ms=10, encode=lambda _: "[1,\n2]")

        async def watch() -> bytes:
            stream = await hub.stream(run_id, last_event_id=None)
            frames = await anext(stream)
            await leave(stream)
            return frames

        frames = asyncio.run(watch())
        hub.close()

        assert frames.endswith(b"\ndata: [1,\ndata: 2]\n\n")

    def test_says_that_it_is_there_while_nothing_happens(
        self, rooms: Rooms, events: Events
    ) -> None:
        run_id = new_run(rooms)
        hub = Hub(events, world=rooms.world, keep_alive_ms=20)

        async def watch() -> list[bytes]:
            stream = await hub.stream(run_id, last_event_id=None)
            async with asyncio.timeout(STEP_S):
                frames = [await anext(stream) for _ in range(3)]
            await leave(stream)
            return frames

        frames = asyncio.run(watch())
        hub.close()

        assert frames == [b": keep-alive\n\n"] * 3

    def test_outlives_a_store_that_is_away_for_a_while(self, rooms: Rooms) -> None:
        run_id = new_run(rooms)
        events = Shaky(rooms)
        hub = Hub(events, world=rooms.world, ask_every_ms=5)

        async def watch() -> list[Told]:
            stream = await hub.stream(run_id, last_event_id=None)
            await until(lambda: events.refused > 2)
            events.away = False
            await asyncio.to_thread(end, rooms, run_id)
            return await read(stream)

        found = asyncio.run(watch())
        hub.close()

        assert names(found) == ["run.finished"]


class Shaky(Events):
    """The events of a store that is away at first."""

    def __init__(self, rooms: Rooms) -> None:
        super().__init__(rooms.store, world=rooms.world)
        self.away = True
        self.refused = 0

    @override
    def heads(self, run_ids: object) -> dict[int, Head]:
        if self.away:
            self.refused += 1
            raise StoreUnavailable(detail="away")
        assert isinstance(run_ids, set)
        return super().heads(run_ids)


class TestBeginning:
    def watched(self, hub: Hub, run_id: int, *, last: int | None, count: int) -> list[Told]:
        async def watch() -> list[Told]:
            stream = await hub.stream(run_id, last_event_id=last)
            found = await read(stream, count=count)
            await leave(stream)
            return found

        return asyncio.run(watch())

    def test_without_an_id_leaves_out_what_newer_progress_replaced(
        self, rooms: Rooms, events: Events, hub: Hub
    ) -> None:
        run_id = new_run(rooms)
        events.write(
            run_id, [("run.started", {}), progress(1), ("invoice.failed", {}), progress(2)]
        )

        found = self.watched(hub, run_id, last=None, count=3)

        assert names(found) == ["run.started", "invoice.failed", "run.progress"]
        assert found[-1][2] == {"processed": 2}

    def test_after_a_known_id_misses_nothing(self, rooms: Rooms, events: Events, hub: Hub) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [progress(count) for count in range(5)])
        ids = [one.id for one in events.after(0, run_id=run_id)]

        found = self.watched(hub, run_id, last=ids[1], count=3)

        assert [event_id for event_id, *_ in found] == ids[2:]

    @pytest.mark.parametrize("known", ["of another run", "too high", "zero"])
    def test_after_an_unknown_id_tells_how_the_run_stands(
        self, rooms: Rooms, events: Events, hub: Hub, known: str
    ) -> None:
        run_id, other = new_run(rooms), new_run(rooms)
        events.write(other, [progress(99)])
        foreign = events.newest_id()
        events.write(run_id, [("run.started", {}), progress(1), progress(2), ("run.paused", {})])
        last = {"of another run": foreign, "too high": 2**62, "zero": 0}[known]

        async def watch() -> list[Told]:
            stream = await hub.stream(run_id, last_event_id=last)
            found = await read(stream, count=2)
            await asyncio.to_thread(events.write, run_id, [("run.resumed", {}), progress(3)])
            found += await read(stream, count=2)
            await leave(stream)
            return found

        found = asyncio.run(watch())

        assert names(found) == ["run.progress", "run.paused", "run.resumed", "run.progress"]
        assert [one[2] for one in found if one[1] == "run.progress"] == [
            {"processed": 2},
            {"processed": 3},
        ]

    def test_of_a_run_that_ended_replays_everything_and_closes(
        self, rooms: Rooms, events: Events, hub: Hub
    ) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [progress(count) for count in range(700)])
        end(rooms, run_id)
        ids = [one.id for one in events.after(0, limit=1_000)]

        whole = self.watched(hub, run_id, last=None, count=10_000)
        rest = self.watched(hub, run_id, last=ids[-3], count=10_000)
        nothing = self.watched(hub, run_id, last=ids[-1], count=10_000)
        present = self.watched(hub, run_id, last=2**62, count=10_000)

        assert [event_id for event_id, *_ in whole] == ids
        assert [event_id for event_id, *_ in rest] == ids[-2:]
        assert nothing == []
        assert names(present) == ["run.progress", "run.finished"]

    def test_of_a_run_whose_events_are_gone_closes(
        self, rooms: Rooms, events: Events, hub: Hub, clock: JumpingClock
    ) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [progress(1)])
        last_id = events.newest_id()
        end(rooms, run_id)
        clock.wall_ms = 60_000
        assert events.purge(rooms.store.now()) == 2

        for last in (None, last_id):
            assert self.watched(hub, run_id, last=last, count=1) == []
        assert self.watched(hub, 404, last=None, count=1) == []


class TestResume:
    def test_any_number_of_times_has_no_gap_and_nothing_twice(
        self, rooms: Rooms, events: Events, hub: Hub
    ) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [("run.started", {})])

        def write() -> None:
            for count in range(150):
                events.write(run_id, [("invoice.synced", {"of": count})])
            end(rooms, run_id)

        async def watch() -> list[Told]:
            writing = asyncio.ensure_future(asyncio.to_thread(write))
            found: list[Told] = []
            while "run.finished" not in names(found):
                last = found[-1][0] if found else None
                stream = await hub.stream(run_id, last_event_id=last)
                found += await read(stream, count=1)
                await leave(stream)
            await writing
            return found

        found = asyncio.run(watch())

        assert [event_id for event_id, *_ in found] == [
            one.id for one in events.after(0, limit=1_000)
        ]


class TestStreams:
    def test_of_many_all_see_everything_with_one_thread_and_few_connections(
        self, rooms: Rooms, events: Events, hub: Hub
    ) -> None:
        runs = [new_run(rooms) for _ in range(4)]

        async def watch() -> tuple[list[list[Told]], int]:
            await until(lambda: "live-events" not in threads_by_name())
            before = len(threads_by_name())
            streams = [await hub.stream(runs[at % 4], last_event_id=None) for at in range(64)]
            reading = [asyncio.ensure_future(read(stream)) for stream in streams]
            await asyncio.sleep(0)
            threads = len(threads_by_name()) - before
            for run_id in runs:
                events.write(run_id, [("invoice.synced", {"of": count}) for count in range(20)])
            for run_id in runs:
                end(rooms, run_id)
            return await asyncio.gather(*reading), threads

        stories, threads = asyncio.run(watch())

        assert threads == 1
        for at, story in enumerate(stories):
            ids = [one.id for one in events.after(0, run_id=runs[at % 4])]
            assert [event_id for event_id, *_ in story] == ids
            assert len(ids) == 21
        assert hub.streams == 0

    def test_one_too_many_is_refused_until_another_ends(self, rooms: Rooms, hub: Hub) -> None:
        run_id = new_run(rooms)

        async def watch() -> None:
            streams = [await hub.stream(run_id, last_event_id=None) for _ in range(64)]
            with pytest.raises(StreamsFull) as stop:
                await hub.stream(run_id, last_event_id=None)
            assert stop.value.cause == "streams_full"
            waiting = asyncio.ensure_future(anext(streams[0]))
            await asyncio.sleep(0)
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting

            assert hub.streams == 63
            await hub.stream(run_id, last_event_id=None)

        asyncio.run(watch())

    def test_that_take_nothing_lose_their_place(
        self, rooms: Rooms, events: Events, clock: JumpingClock
    ) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [progress(1)])
        hub = Hub(events, world=rooms.world, ask_every_ms=5, stalled_ms=60_000)

        async def watch() -> list[bytes]:
            never_begun = await hub.stream(run_id, last_event_id=None)
            stuck = await hub.stream(run_id, last_event_id=None)
            sending = asyncio.ensure_future(sent_to_nobody(stuck))
            await until(lambda: bool(sending_began))
            clock.boot_ms = 61_000
            await until(lambda: not hub.streams)
            async with asyncio.timeout(STEP_S):
                with contextlib.suppress(asyncio.CancelledError):
                    await sending
            assert sending.cancelled()
            return [frames async for frames in never_begun]

        sending_began: list[bytes] = []

        async def sent_to_nobody(stream: AsyncIterator[bytes]) -> None:
            async for frames in stream:
                sending_began.append(frames)
                await asyncio.Event().wait()

        left_over = asyncio.run(watch())
        hub.close()

        assert b"".join(left_over) == b""

    def test_hold_a_page_at_most(self, rooms: Rooms, events: Events, hub: Hub) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [("invoice.synced", {"of": count}) for count in range(1_000)])

        async def watch() -> list[int]:
            stream = await hub.stream(run_id, last_event_id=None)
            sizes: list[int] = []
            async with asyncio.timeout(STEP_S):
                while sum(sizes) < 1_000:
                    sizes.append(len(told_in(await anext(stream))))
            await leave(stream)
            return sizes

        assert asyncio.run(watch()) == [200] * 5
