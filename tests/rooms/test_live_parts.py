"""Live views of pages: parts of a page in place of JSON, from the same reader."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from application.api.live import Hub
from application.store.events import Event, Events
from tests.rooms.live_support import end, new_run, progress
from tests.rooms.store_support import rooms_on


class TestAPartOfAPage:
    def test_is_sent_in_place_of_each_page_of_events(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/own/store.db"
        shown: list[list[str]] = []

        def show(found: Sequence[Event]) -> bytes:
            shown.append([one.event for one in found])
            return b"data: part\n\n"

        with rooms_on(url, locks=tmp_path / "locks") as rooms:
            events = Events(rooms.store, world=rooms.world)
            hub = Hub(events, world=rooms.world, ask_every_ms=10)
            run_id = new_run(rooms)
            events.write(run_id, [("run.started", {"run_id": run_id}), progress(1), progress(2)])

            async def watch() -> bytes:
                stream = await hub.stream(run_id, last_event_id=0, show=show)
                frames = await anext(stream)
                await asyncio.to_thread(end, rooms, run_id)
                return frames + b"".join([one async for one in stream])

            frames = asyncio.run(watch())
            hub.close()

        assert shown == [["run.started", "run.progress"], ["run.finished"]]
        assert frames == b"data: part\n\n" * 2
        assert hub.streams == 0
