"""What was asked of QuickBooks in a month, added up over processes, on every database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from application.store.usage import Spending, Usage
from tests.rooms.store_support import (
    KINDS,
    REALM,
    Rooms,
    worn_rooms_on,
)

TOLD = 12


@pytest.fixture(params=KINDS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    with worn_rooms_on(request, tmp_path=tmp_path) as opened:
        yield opened


class TestUsage:
    def test_of_a_month_in_which_nothing_was_asked_is_nothing(self, rooms: Rooms) -> None:
        assert Usage(rooms.store).of_month(REALM.tag, at=rooms.world.clock.now()) == Spending()

    def test_adds_up_what_processes_tell_at_once(self, rooms: Rooms) -> None:
        usage = Usage(rooms.store)

        def tell(_: int) -> None:
            usage.add(REALM.tag, Spending(requests=5, reads=2))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(tell, range(TOLD)))

        now = rooms.world.clock.now()
        assert usage.of_month(REALM.tag, at=now) == Spending(5 * TOLD, 2 * TOLD)
        assert usage.of_month("s00000000", at=now) == Spending()
        assert usage.of_month(REALM.tag, at=now - timedelta(days=40)) == Spending()
