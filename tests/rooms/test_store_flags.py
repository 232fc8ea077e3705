from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from application.invoices.model import IntentState
from application.store.flags import Flags
from application.store.items import ItemRow
from tests.rooms.store_support import (
    AMOUNT,
    CLAIM,
    DATED,
    KINDS,
    LIVE,
    REALM,
    UWASE,
    Rooms,
    refusal_of,
    worn_rooms_on,
)

TAG = REALM.tag


@pytest.fixture(params=KINDS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    with worn_rooms_on(request, tmp_path=tmp_path) as opened:
        yield opened


class TestFlags:
    def test_page_what_is_held_and_refused_downwards(self, rooms: Rooms) -> None:
        flags = Flags(rooms.store)
        lease = rooms.lease()
        for one in (1, 2, 3, 4):
            rooms.journal.hold(one, reason="wait", by=UWASE)
        rooms.journal.release_hold(2, by=UWASE)
        refused = [refusal_of(one, cause="date_invalid") for one in (5, 6, 7)]
        rooms.journal.refused(refused, lease=lease, by=UWASE)

        assert flags.held(below=None, limit=2) == [4, 3]
        assert flags.held(below=3, limit=2) == [1]
        assert flags.refused("date_invalid", below=None, limit=2) == [7, 6]
        assert flags.refused("date_invalid", below=6, limit=2) == [5]
        assert flags.refused("period_closed", below=None, limit=2) == []

    def test_know_what_was_sent_and_for_whom(self, rooms: Rooms) -> None:
        flags = Flags(rooms.store)
        lease = rooms.lease()
        rooms.confirmed([1, 2], lease=lease)
        before = flags.sent(TAG, [1, 2, 3])
        for code in ("A", "B"):
            rooms.customers.link(TAG, code, "58", adopted=False, by=UWASE, lease=lease)
            rooms.customers.unlink(TAG, code, by=UWASE, lease=lease)

        assert {one: each.codes for one, each in before.items()} == {1: frozenset(), 2: frozenset()}
        assert (before[1].facts.total, before[1].facts.dated) == (AMOUNT, DATED)
        assert flags.sent(TAG, [1])[1].codes == {"A", "B"}
        assert flags.sent(LIVE.tag, [1]) == {}
        assert flags.sent(TAG, []) == {}

    def test_know_what_is_not_finished(self, rooms: Rooms) -> None:
        flags = Flags(rooms.store)
        lease = rooms.lease()
        rooms.confirmed([1], lease=lease)
        rooms.sent([2], lease=lease)
        (lost,) = rooms.sent([3], lease=lease)
        at = rooms.store.now() + timedelta(minutes=5)
        rooms.journal.unknown([lost.id], why="reset", absent_from=at, lease=lease, by=UWASE)

        found = flags.unclear(TAG, [1, 2, 3, 4])

        assert set(found) == {2, 3}
        assert (found[2].state, found[2].lease_ulid) == (IntentState.SENDING, lease.ulid)
        assert (found[3].state, found[3].absent_from, found[3].lease_ulid) == (
            IntentState.UNKNOWN,
            at,
            None,
        )
        assert flags.unclear(TAG, []) == {}

    def test_know_claims_and_products_of_ours(self, rooms: Rooms) -> None:
        flags = Flags(rooms.store)
        lease = rooms.lease()
        rooms.claimed([1], lease=lease)
        rooms.items.add(TAG, ItemRow(id="9", name="Tuition"), by=UWASE)

        assert flags.claims_of({CLAIM, "other"}) == {CLAIM: lease.ulid}
        assert flags.claims_of(set()) == {}
        assert flags.items_made(TAG) == {"9"}
        assert flags.items_made(LIVE.tag) == frozenset()
