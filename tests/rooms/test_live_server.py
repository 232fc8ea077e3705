"""Live views and waits under a real server: many, vanished, deaf, and when it stops."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.api.live import Hub, StreamsFull
from application.catalogue import StoreUnavailable
from application.store.events import Events
from application.world import World
from tests.rooms.live_support import (
    STEP_S,
    Browser,
    Site,
    Told,
    end,
    is_stuck,
    names,
    new_run,
    progress,
    read,
    until,
)
from tests.rooms.store_support import JumpingClock, Rooms, rooms_on

STOP_S = 2


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


class TestClose:
    def test_ends_streams_and_waits_and_refuses_new_ones(self, rooms: Rooms, hub: Hub) -> None:
        run_id = new_run(rooms)

        async def watch() -> tuple[list[list[Told]], bool]:
            streams = [await hub.stream(run_id, last_event_id=None) for _ in range(5)]
            reading = [asyncio.ensure_future(read(stream)) for stream in streams]
            wait = asyncio.ensure_future(
                hub.wait_ended(run_id, wait_s=STEP_S * 2, ended=lambda: False)
            )
            await asyncio.sleep(0)
            threading.Thread(target=hub.close).start()
            async with asyncio.timeout(STEP_S):
                found = await asyncio.gather(*reading)
                ended = await wait
            with pytest.raises(StreamsFull):
                await hub.stream(run_id, last_event_id=None)
            return found, ended

        assert asyncio.run(watch()) == ([[]] * 5, False)

    def test_twice_or_before_anything_is_fine(self, hub: Hub) -> None:
        hub.close()
        hub.close()


class TestWait:
    def test_ends_with_the_run(self, rooms: Rooms, hub: Hub) -> None:
        run_id = new_run(rooms)
        asked: list[object] = []

        def ended() -> bool:
            run = rooms.runs.get(run_id)
            asked.append(run)
            return run is None or run.finished_at is not None

        async def wait() -> bool:
            waiting = asyncio.ensure_future(hub.wait_ended(run_id, wait_s=STEP_S, ended=ended))
            await until(lambda: bool(asked))
            await asyncio.to_thread(end, rooms, run_id)
            return await waiting

        assert asyncio.run(wait())
        assert len(asked) < 10

    def test_of_a_run_that_ended_is_over_at_once(self, hub: Hub) -> None:
        assert asyncio.run(hub.wait_ended(1, wait_s=STEP_S, ended=lambda: True))

    def test_gives_up_after_its_time(self, rooms: Rooms, hub: Hub) -> None:
        run_id = new_run(rooms)

        for wait_s in (0, 1):
            assert not asyncio.run(hub.wait_ended(run_id, wait_s=wait_s, ended=lambda: False))

    def test_looks_now_and_then_though_no_event_comes(self, rooms: Rooms, hub: Hub) -> None:
        run_id = new_run(rooms)
        answers = iter([False, False, False, True])

        assert asyncio.run(hub.wait_ended(run_id, wait_s=STEP_S, ended=lambda: next(answers)))

    def test_goes_on_while_the_store_is_away(self, rooms: Rooms, hub: Hub) -> None:
        run_id = new_run(rooms)
        turns = iter(range(5))

        def ended() -> bool:
            if next(turns) < 2:
                raise StoreUnavailable(detail="away")
            return True

        assert asyncio.run(hub.wait_ended(run_id, wait_s=STEP_S, ended=ended))

    def test_of_many_holds_no_thread(self, rooms: Rooms, hub: Hub) -> None:
        run_id = new_run(rooms)
        over = threading.Event()

        async def wait() -> list[bool]:
            waits = [
                asyncio.ensure_future(hub.wait_ended(run_id, wait_s=STEP_S, ended=over.is_set))
                for _ in range(200)
            ]
            await asyncio.to_thread(lambda: None)  # a thread is free for somebody else
            over.set()
            await asyncio.to_thread(end, rooms, run_id)
            return await asyncio.gather(*waits)

        assert asyncio.run(wait()) == [True] * 200


class TestServer:
    def test_serves_sixty_four_and_refuses_one_more(
        self, rooms: Rooms, events: Events, hub: Hub
    ) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [("run.started", {})])

        async def visit() -> None:
            site = Site(hub)
            async with site.serving():
                browsers = [await Browser.at(site.port, run_id) for _ in range(64)]
                refused = await Browser.at(site.port, run_id)
                assert refused.head.startswith(b"HTTP/1.1 503")
                events.write(run_id, [progress(5)])
                for browser in browsers:
                    assert b"text/event-stream" in browser.head
                    assert b"no-store" in browser.head
                    assert names(await browser.told(count=2)) == ["run.started", "run.progress"]

                for browser in browsers[:10]:
                    browser.vanish()
                await until(lambda: hub.streams == 54)

                again = await Browser.at(site.port, run_id, last=events.newest_id())
                await asyncio.to_thread(end, rooms, run_id)
                assert names(await again.told(count=2)) == ["run.finished"]
                for browser in browsers[10:]:
                    assert names(await browser.told(count=2)) == ["run.finished"]
                await until(lambda: hub.streams == 0)
                for browser in [*browsers[10:], again, refused]:
                    await browser.close()

        asyncio.run(visit())

    def test_stops_soon_though_views_are_open(self, rooms: Rooms, events: Events, hub: Hub) -> None:
        run_id = new_run(rooms)
        events.write(run_id, [("run.started", {})])

        async def visit() -> None:
            site = Site(hub)
            async with site.serving():
                browsers = [await Browser.at(site.port, run_id) for _ in range(30)]
                for browser in browsers:
                    await browser.told(count=1)
                site.should_exit = True
                async with asyncio.timeout(STOP_S):
                    for browser in browsers:
                        assert await browser.next() == b""
                    await until(lambda: not site.server_state.connections)
                for browser in browsers:
                    await browser.close()

        asyncio.run(visit())

        assert hub.streams == 0

    @pytest.mark.parametrize("ended", [False, True], ids=["of a run at work", "of one that ended"])
    def test_drops_a_client_that_reads_nothing(
        self, rooms: Rooms, events: Events, clock: JumpingClock, *, ended: bool
    ) -> None:
        run_id = new_run(rooms)
        hub = Hub(events, world=rooms.world, ask_every_ms=10, stalled_ms=60_000)
        big = {"text": "x" * 100_000}
        for _ in range(10):
            events.write(run_id, [("invoice.failed", big) for _ in range(20)])
        if ended:
            end(rooms, run_id)

        async def visit() -> None:
            site = Site(hub)
            async with site.serving():
                deaf = socket.socket()
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.connect(("127.0.0.1", site.port))
                asked = f"GET /runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
                deaf.sendall(asked.encode())
                await until(lambda: bool(site.server_state.tasks) and is_stuck(site))
                assert hub.streams == 1

                clock.boot_ms = 61_000

                await until(lambda: hub.streams == 0 and not site.server_state.tasks)
                deaf.close()

        asyncio.run(visit())
        hub.close()
