"""What a page about the log asks: by run, back to the newest, one entry and what it leads to."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from application.logs import Logs
from application.services.auditing import Auditing, Sought, Walked
from application.store.anchors import Anchors
from application.world import World
from tests.rooms.store_support import (
    KINDS,
    UWASE,
    Rooms,
    rooms_on,
    wanted_of,
    worn_rooms_on,
)
from tests.rooms.test_audit_reading import FixedClock, ids_of, note


@pytest.fixture(params=KINDS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    with worn_rooms_on(request, tmp_path=tmp_path) as opened:
        yield opened


@pytest.fixture
def auditing(rooms: Rooms, tmp_path: Path) -> Auditing:
    heads = Anchors(tmp_path / "logs", audit=rooms.audit, world=rooms.world, logs=Logs.silent())
    return Auditing(audit=rooms.audit, anchors=heads, clock=rooms.world.clock)


class TestEntries:
    def test_are_narrowed_by_run(self, rooms: Rooms, auditing: Auditing) -> None:
        note(rooms, 7)
        note(rooms, 7, 8, by=replace(UWASE, run_id=42))

        found = auditing.entries(Sought(run_id=42), limit=9)
        assert ([one.id for one in found.entries], found.runs) == ([3, 2], {3: 42, 2: 42})
        assert ids_of(auditing, run_id=42, invoice_id=8) == [3]
        assert ids_of(auditing, run_id=43) == []

    def test_are_walked_back_to_the_newest(self, rooms: Rooms, auditing: Auditing) -> None:
        note(rooms, *range(1, 8))
        odd = Sought(actor=UWASE.name)
        first = auditing.entries(odd, limit=3)
        second = auditing.entries(odd, limit=3, before=first.before)
        third = auditing.entries(odd, limit=3, before=second.before)
        assert [one.id for one in third.entries] == [1]
        assert (first.after, second.after, third.after) == (None, 4, 1)

        assert auditing.entries(odd, limit=3, after=third.after) == second
        assert auditing.entries(odd, limit=3, after=second.after) == first

    def test_lead_to_what_was_to_be_sent(self, rooms: Rooms, auditing: Auditing) -> None:
        wanted = wanted_of(7, payload=b'{"DocNumber": "MIS-7"}')
        rooms.journal.intend([wanted], lease=rooms.lease(), by=UWASE)
        [newest, *_] = ids_of(auditing, invoice_id=7)

        found = auditing.evidence(newest)
        assert found is not None
        assert (found.entry.id, found.body) == (newest, b'{"DocNumber": "MIS-7"}')
        assert hashlib.sha256(found.body).hexdigest() == found.payload_sha256
        assert auditing.evidence(newest + 9) is None

    def test_are_of_months_that_are_named(self, tmp_path: Path) -> None:
        clock = FixedClock()
        url = f"sqlite:///{tmp_path}/own/store.db"
        with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as rooms:
            heads = Anchors(tmp_path, audit=rooms.audit, world=rooms.world, logs=Logs.silent())
            auditing = Auditing(audit=rooms.audit, anchors=heads, clock=clock)
            assert auditing.months() == []
            note(rooms, 1)
            clock.at += timedelta(days=40)
            note(rooms, 1)

            assert auditing.months() == ["2026-01", "2025-12", "2025-11"]
            assert auditing.walked() is None
            seen = auditing.verify()
            assert auditing.walked() == Walked(clock.at, seen)
