"""Durable runs that nobody drives are handed out again, and those in hand are left alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from application.services.supervising import Supervising
from application.world import Chance, World
from tests.rooms.store_support import REALM, UWASE, Rooms, asked, rooms_on
from tests.rooms.test_quickbooks_throttle import JumpingClock


@dataclass
class Engine:
    """What the engine says of a run, and what it is told."""

    alive: bool = True
    begun: bool = False
    submitted: list[int] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    world = World(clock=JumpingClock(), chance=Chance())
    with rooms_on(
        f"sqlite:///{tmp_path}/own/store.db", locks=tmp_path / "locks", world=world
    ) as own:
        yield own


def looking(rooms: Rooms, engine: Engine) -> Supervising:
    unused: Any = None
    return Supervising(
        runs=rooms.runs,
        leases=rooms.leases,
        resting=unused,
        world=rooms.world,
        by=UWASE,
        alive=lambda _: engine.alive,
        begun=lambda _: engine.begun,
        submit=lambda run: engine.submitted.append(run.turn),
        withdraw=lambda run: engine.withdrawn.append(run.turn),
    )


class TestAQueuedRun:
    def test_that_waits_its_turn_is_left_alone(self, rooms: Rooms) -> None:
        engine = Engine()
        supervising = looking(rooms, engine)
        asked(rooms)

        for _ in range(30):
            supervising.look()
            rooms.world.clock.sleep_ms(1_000)

        assert engine.submitted == []

    def test_that_the_engine_lost_is_handed_out_at_once(self, rooms: Rooms) -> None:
        engine = Engine(alive=False)
        run = asked(rooms)

        assert looking(rooms, engine).look() == 1
        assert engine.submitted == [run.turn + 1]

    def test_whose_process_died_before_it_began_is_handed_out_after_a_while(
        self, rooms: Rooms
    ) -> None:
        engine = Engine(begun=True)
        supervising = looking(rooms, engine)
        run = asked(rooms)

        at_first = supervising.look()
        rooms.world.clock.sleep_ms(11_000)
        later = supervising.look()

        assert (at_first, later) == (0, 1)
        assert engine.submitted == [run.turn + 1]
        assert engine.withdrawn == [run.turn]

    def test_is_left_alone_while_somebody_sends(self, rooms: Rooms) -> None:
        engine = Engine(begun=True)
        supervising = looking(rooms, engine)
        run = asked(rooms)
        rooms.leases.take(REALM.tag, run_id=run.id, holder="desk-1")

        supervising.look()
        rooms.world.clock.sleep_ms(11_000)

        assert supervising.look() == 0
