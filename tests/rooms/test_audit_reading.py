"""What an auditor asks of the log, and the heads kept where the database cannot reach them."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typing_extensions import override

from application.catalogue import ConfigInvalid, NotFound
from application.logs import Logs
from application.services.auditing import Auditing, Sought
from application.store import anchors as kept_heads
from application.store.anchors import Anchors
from application.store.audit import GENESIS, Actor, Entry, chained
from application.store.audit_reading import PAGE, MonthWrong
from application.store.schema import audit_head
from application.world import Gate, World
from tests.rooms.store_support import (
    KINDS,
    REALM,
    UWASE,
    JumpingClock,
    Rooms,
    drop_guards,
    raw_engine,
    rooms_on,
    worn_rooms_on,
)

MUGISHA = Actor("mugisha", source="dashboard", address="10.0.0.14")


@pytest.fixture(params=KINDS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    with worn_rooms_on(request, tmp_path=tmp_path) as opened:
        yield opened


@pytest.fixture
def auditing(rooms: Rooms, tmp_path: Path) -> Auditing:
    silent = Logs.silent()
    heads = Anchors(tmp_path / "logs", audit=rooms.audit, world=rooms.world, logs=silent)
    return Auditing(audit=rooms.audit, anchors=heads, clock=rooms.world.clock)


def note(rooms: Rooms, *ids: int, action: str = "invoice.confirmed", by: Actor = UWASE) -> None:
    rooms.audit.note(
        *(
            Entry(action, f"invoice {one}", by=by, realm_tag=REALM.tag, invoice_ids=(one,))
            for one in ids
        )
    )


def ids_of(auditing: Auditing, limit: int = 50, **sought: Any) -> list[int]:  # noqa: ANN401 - as Sought takes them
    return [one.id for one in auditing.entries(Sought(**sought), limit=limit).entries]


class TestEntries:
    def test_are_shown_newest_first_and_page_by_page(
        self, rooms: Rooms, auditing: Auditing
    ) -> None:
        note(rooms, 1, 2, 3, 4, 5)
        seen: list[list[int]] = []
        before = None
        while True:
            page = auditing.entries(Sought(), limit=2, before=before)
            seen.append([one.id for one in page.entries])
            before = page.before
            if before is None:
                break
            note(rooms, 9)  # what is written meanwhile moves nothing

        assert seen == [[5, 4], [3, 2], [1]]

    def test_end_without_an_empty_page(self, rooms: Rooms, auditing: Auditing) -> None:
        note(rooms, 1, 2)

        assert auditing.entries(Sought(), limit=2).before is None
        assert auditing.entries(Sought(), limit=2, before=1).entries == []

    def test_are_narrowed_by_invoice_actor_and_action(
        self, rooms: Rooms, auditing: Auditing
    ) -> None:
        note(rooms, 7, 8)
        note(rooms, 7, action="invoice.synced")
        note(rooms, 9, action="invoices_x.counted", by=MUGISHA)

        assert ids_of(auditing, invoice_id=7) == [3, 1]
        assert ids_of(auditing, actor="mugisha") == [4]
        assert ids_of(auditing, action="invoice.") == [3, 2, 1]
        assert ids_of(auditing, action="invoice.synced") == [3]
        assert ids_of(auditing, action="invoice") == []
        assert ids_of(auditing, action="invoice.synced", invoice_id=8) == []
        assert ids_of(auditing, limit=1, action="invoice.", invoice_id=7) == [3]

    @pytest.mark.covers("G5")
    @pytest.mark.parametrize("hostile", ["%", "invoice_.", "%.", "' OR 1=1 --", "\\."])
    def test_take_signs_of_a_pattern_as_they_are(
        self, rooms: Rooms, auditing: Auditing, hostile: str
    ) -> None:
        note(rooms, 1)

        assert ids_of(auditing, action=hostile) == []
        assert ids_of(auditing, actor=hostile) == []

    def test_are_what_the_interfaces_promise(self, rooms: Rooms, auditing: Auditing) -> None:
        note(rooms, 1, by=MUGISHA)

        [entry] = auditing.entries(Sought(), limit=1).entries

        assert list(type(entry).__dataclass_fields__) == [
            "id", "at", "actor", "source", "address", "action", "subject", "before", "after",
            "environment", "hash", "previous",
        ]  # fmt: skip
        assert (entry.actor, entry.source, entry.address) == ("mugisha", "dashboard", "10.0.0.14")
        assert (entry.environment, entry.previous) == ("simulator", GENESIS)


class TestDates:
    def test_include_the_first_instant_and_not_the_last(self, tmp_path: Path) -> None:
        clock = JumpingClock()
        url = f"sqlite:///{tmp_path}/own/store.db"
        with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as rooms:
            for one in (1, 2, 3):
                note(rooms, one)
                clock.wall_ms += 86_400_000
            times = [one.at for one in rooms.audit.entries()]
            latest = rooms.audit.latest

            assert [one.id for one in latest(Sought(since=times[1]))] == [3, 2]
            assert [one.id for one in latest(Sought(until=times[1]))] == [1]
            assert [one.id for one in latest(Sought(since=times[1], until=times[2]))] == [2]
            assert latest(Sought(since=times[2] + timedelta(seconds=1))) == []


class FixedClock(JumpingClock):
    """A clock that stands where a test puts it."""

    at = datetime(2025, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)

    @override
    def now(self) -> datetime:
        return self.at


class TestExport:
    def test_can_be_verified_alone(self, rooms: Rooms, auditing: Auditing) -> None:
        note(rooms, *range(1, 2 * PAGE + 6))
        month = f"{rooms.store.now():%Y-%m}"

        chunks = list(auditing.export(month))

        *lines, last = "".join(chunks).splitlines(keepends=True)
        told = json.loads(last)
        assert told == {
            "entries": 2 * PAGE + 5,
            "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
        }
        assert len(chunks) == 4  # a page at a time, never the month at once
        previous = GENESIS
        for one in map(json.loads, lines):
            claimed = one.pop("hash")
            assert one.pop("previous") == previous
            assert chained(previous, line=one) == claimed
            previous = claimed

    def test_leaves_out_what_is_written_while_it_is_read(
        self, rooms: Rooms, auditing: Auditing
    ) -> None:
        note(rooms, 1, 2)
        lines = auditing.export(f"{rooms.store.now():%Y-%m}")
        note(rooms, 3)

        *_, last = lines

        assert json.loads(last)["entries"] == 2

    def test_of_a_month_without_entries_says_so_at_once(
        self, rooms: Rooms, auditing: Auditing
    ) -> None:
        note(rooms, 1)

        with pytest.raises(NotFound):
            auditing.export("2001-01")

    @pytest.mark.parametrize(
        "month",
        [
            "",
            "2025",
            "2025-13",
            "2025-00",
            "2025-1",
            "0000-01",
            "9999-12",
            "2025-11-01",
            "\u0662025-11",
        ],
    )
    def test_of_no_month_says_so_at_once(self, auditing: Auditing, month: str) -> None:
        with pytest.raises(MonthWrong) as caught:
            auditing.export(month)

        assert caught.value.cause == "validation_failed"

    def test_ends_with_the_month_in_utc(self, tmp_path: Path) -> None:
        clock = FixedClock()
        url = f"sqlite:///{tmp_path}/own/store.db"
        with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as rooms:
            note(rooms, 1)
            clock.at = datetime(2025, 12, 1, tzinfo=UTC)
            note(rooms, 2, 3)
            clock.at = datetime(2026, 1, 1, tzinfo=UTC)
            note(rooms, 4)

            counted = {
                month: json.loads(list(rooms.audit.export(month))[-1])["entries"]
                for month in ("2025-11", "2025-12", "2026-01")
            }

        assert counted == {"2025-11": 1, "2025-12": 2, "2026-01": 1}


class Kept:
    """Anchors over an own SQLite store, with a clock to move and a log to read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = JumpingClock()
        self.gates: list[Gate] = []
        self.world = World(clock=self.clock, gate=self.gates.append)
        self.url = f"sqlite:///{folder}/own/store.db"
        self.logs = Logs.open(folder / "logs", strict=True)

    @property
    def file(self) -> Path:
        return self.folder / "logs" / kept_heads.FILE

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]

    def events(self) -> list[tuple[str, str]]:
        text = (self.folder / "logs" / "app.log").read_text(encoding="utf-8")
        read = [json.loads(line) for line in text.splitlines()]
        return [(line["event"], line["level"]) for line in read]

    def anchors(self, rooms: Rooms) -> Anchors:
        return Anchors(self.folder / "logs", audit=rooms.audit, world=self.world, logs=self.logs)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.logs.close()


@pytest.fixture
def own(kept: Kept, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_on(kept.url, locks=tmp_path / "locks", world=kept.world) as opened:
        yield opened


class TestAnchors:
    def test_are_not_kept_of_an_empty_log(self, kept: Kept, own: Rooms) -> None:
        anchors = kept.anchors(own)

        assert anchors.write_if_due() is None
        assert (anchors.known(), anchors.newest()) == ([], None)
        assert not kept.file.exists()

    def test_are_kept_after_ten_minutes_if_the_log_has_grown(self, kept: Kept, own: Rooms) -> None:
        anchors = kept.anchors(own)
        note(own, 1)
        first = anchors.write_if_due()
        kept.clock.wall_ms += 3_600_000
        idle = anchors.write_if_due()
        note(own, 2)
        second = anchors.write_if_due()
        note(own, 3)
        too_early = anchors.write_if_due()

        assert (idle, too_early) == (None, None)
        assert anchors.known() == [first, second]
        assert anchors.newest() == second
        assert own.audit.verify(known=anchors.known()).intact

    def test_are_kept_after_a_thousand_entries(self, kept: Kept, own: Rooms) -> None:
        anchors = kept.anchors(own)
        note(own, 1)
        anchors.write_if_due()
        note(own, *range(2, 1_001))
        before = anchors.write_if_due()
        note(own, 1_001)

        assert before is None
        assert anchors.write_if_due() == own.audit.head()

    def test_go_on_where_the_last_server_stopped(self, kept: Kept, own: Rooms) -> None:
        note(own, 1)
        first = kept.anchors(own).write_if_due()
        note(own, 2)

        assert kept.anchors(own).write_if_due() is None
        kept.clock.wall_ms += 600_000
        second = kept.anchors(own).write_if_due()
        assert kept.anchors(own).known() == [first, second]

    def test_are_lines_of_their_owner_told_in_the_log_too(self, kept: Kept, own: Rooms) -> None:
        note(own, 1)
        head = kept.anchors(own).write_if_due()

        assert head is not None
        [line] = kept.lines
        assert (line["id"], line["hash"]) == (head.id, head.hash)
        assert datetime.fromisoformat(line["at"]).tzinfo is not None
        assert kept.file.stat().st_mode & 0o777 == 0o600
        assert kept.events() == [("audit.anchored", "info")]
        assert Gate.ANCHOR_WRITTEN in kept.gates

    def test_survive_a_line_cut_short(self, kept: Kept, own: Rooms) -> None:
        anchors = kept.anchors(own)
        note(own, 1)
        first = anchors.write_if_due()
        with kept.file.open("a", encoding="utf-8") as out:
            out.write('{"at":"2025-11')
        note(own, 2)
        kept.clock.wall_ms += 600_000
        second = kept.anchors(own).write_if_due()

        assert anchors.known() == [first, second]
        assert ("audit.anchor_unreadable", "warning") in kept.events()

    @pytest.mark.parametrize("line", ["[]", "7", "{}", '{"at":"2025-11-01","id":1,"hash":"a"}'])
    def test_pass_over_what_is_no_head(self, kept: Kept, own: Rooms, line: str) -> None:
        kept.file.parent.mkdir()
        kept.file.write_text(line + "\n", encoding="utf-8")

        assert kept.anchors(own).known() == []

    def test_are_not_written_over_by_a_shorter_log(self, kept: Kept, own: Rooms) -> None:
        note(own, 1, 2, 3)
        head = kept.anchors(own).write_if_due()
        with raw_engine(kept.url).connect() as connection:
            drop_guards(connection)
            connection.exec_driver_sql("DELETE FROM audit WHERE id > 1")
            hashed = connection.exec_driver_sql("SELECT hash FROM audit").scalar_one()
            connection.execute(update(audit_head).values(id=1, hash=hashed))
        kept.clock.wall_ms += 600_000
        anchors = kept.anchors(own)

        assert own.audit.verify().intact
        assert [anchors.write_if_due(), anchors.write_if_due()] == [None, None]
        assert anchors.known() == [head]
        assert kept.events().count(("audit.behind_anchor", "error")) == 1
        auditing = Auditing(audit=own.audit, anchors=anchors, clock=own.world.clock)
        assert auditing.verify().first_bad == 2

    def test_that_cannot_be_written_stop_nothing(self, kept: Kept, own: Rooms) -> None:
        kept.file.parent.mkdir()
        kept.file.symlink_to("/dev/full")
        note(own, 1)

        assert kept.anchors(own).write_if_due() is None
        assert kept.events() == [("audit.anchor_failed", "error")]

    def test_that_cannot_be_read_are_not_taken_for_none(self, kept: Kept, own: Rooms) -> None:
        kept.file.mkdir(parents=True)

        with pytest.raises(ConfigInvalid):
            kept.anchors(own).known()
