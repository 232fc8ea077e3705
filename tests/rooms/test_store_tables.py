"""Opening, upgrading, transactions and errors of our own database."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from application.catalogue import ConfigInvalid, StoreUnavailable
from application.store.audit import Audit
from application.store.columns import clean, instant, microseconds
from application.store.door_schema import api_keys
from application.store.schema import notes, tables
from application.store.tables import REVISIONS, Clash, open_store
from application.world import World
from tests.rooms.store_support import KINDS, REALM, Rooms, address_on, raw_engine, rooms_on

AT = datetime(2026, 1, 1, tzinfo=UTC)
SHAPING = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")
FULL = 2  # as `PRAGMA synchronous` answers


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return address_on(request.param, request=request, tmp_path=tmp_path)


@pytest.fixture
def rooms(url: str, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_on(url, locks=tmp_path / "locks") as opened:
        yield opened


def remembered(connection: Connection, name: str) -> None:
    connection.execute(insert(notes).values(name=name, value=1, at=AT))


class BrokenOff(BaseException):
    """The process is as good as dead."""


@contextmanager
def breaking_off(*, changes: int) -> Iterator[None]:
    """Break off before this change of the database's shape, the first one being 1."""
    seen: list[str] = []

    def look(_link: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.extend([statement] if statement.lstrip().startswith(SHAPING) else [])
        if len(seen) == changes:
            raise BrokenOff

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", look)


class TestOpening:
    def test_makes_the_tables_as_the_schema_says(self, rooms: Rooms, url: str) -> None:
        assert rooms.audit.verify().intact

        with raw_engine(url).connect() as connection:
            context = MigrationContext.configure(connection)

            assert api_keys.metadata is tables
            assert compare_metadata(context, tables) == []

    def test_finds_its_work_again(self, url: str, tmp_path: Path) -> None:
        with rooms_on(url, locks=tmp_path) as first:
            first.items.remember("pace", {"bundles": 40})

        with rooms_on(url, locks=tmp_path) as second:
            assert second.items.recall("pace") == {"bundles": 40}

    def test_by_four_at_once_makes_one_store(self, url: str) -> None:
        def one(_: int) -> str:
            store = open_store(url, world=World())
            store.close()
            return store.url_shown

        with ThreadPoolExecutor(4) as pool:
            assert len(list(pool.map(one, range(4)))) == 4

    def test_refuses_a_newer_shape(self, rooms: Rooms, url: str) -> None:
        rooms.store.close()
        with raw_engine(url).connect() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

        with pytest.raises(StoreUnavailable, match="newer"):
            open_store(url, world=World())

    def test_refuses_an_older_shape_where_it_may_not_upgrade(self, url: str) -> None:
        with pytest.raises(StoreUnavailable, match="up to date"):
            open_store(url, world=World(), upgrade=False)

    @pytest.mark.covers("C4")
    @pytest.mark.parametrize("changes", [5, 45, 64])
    def test_goes_on_with_an_upgrade_that_was_broken_off(self, url: str, changes: int) -> None:
        """MariaDB keeps each change of shape a dead process made, the others keep none."""
        with breaking_off(changes=changes), pytest.raises(BrokenOff):
            open_store(url, world=World())

        store = open_store(url, world=World())
        try:
            assert Audit(store, world=World()).verify().intact
        finally:
            store.close()
        with raw_engine(url).connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), tables) == []
            connection.execute(text("INSERT INTO audit_invoices VALUES (1, 1)"))
            with pytest.raises(DBAPIError, match="only grows"):
                connection.execute(text("DELETE FROM audit_invoices"))

    def test_knows_the_last_migration(self) -> None:
        folder = Path(open_store.__code__.co_filename).parent / "migrations"

        assert ScriptDirectory(str(folder)).get_current_head() == REVISIONS[-1]

    def test_leaves_the_migration_library_unloaded_when_nothing_is_to_do(
        self, tmp_path: Path
    ) -> None:
        url = f"sqlite:///{tmp_path}/store.db"
        open_store(url, world=World()).close()
        program = (
            "import sys\n"
            "from application.store.tables import open_store\n"
            "from application.world import World\n"
            f"open_store({url!r}, world=World()).close()\n"
            "print('alembic' in sys.modules)\n"
        )

        said = subprocess.run(  # noqa: S603 - this Python, a program of this test
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )

        assert said.stdout == "False\n"


class TestAddress:
    def test_never_shows_a_password(self) -> None:
        with pytest.raises(StoreUnavailable) as caught:
            open_store("postgresql://fee:s3cret@127.0.0.1:1/x?password=s3cret", world=World())

        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("url", ["nonsense", "oracle://a@b/c", ""])
    def test_of_no_database_we_know_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigInvalid):
            open_store(url, world=World())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
class TestFile:
    def test_is_its_owners_only(self, tmp_path: Path) -> None:
        with rooms_on(f"sqlite:///{tmp_path}/own/store.db", locks=tmp_path / "l") as rooms:
            rooms.lease()

            files = list((tmp_path / "own").iterdir())
            assert files
            assert [one.name for one in files if one.stat().st_mode & 0o077] == []
            assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700

    def test_that_others_can_read_is_refused(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/store.db"
        open_store(url, world=World()).close()
        (tmp_path / "store.db").chmod(0o640)

        with pytest.raises(ConfigInvalid, match="chmod 600"):
            open_store(url, world=World())

    def test_is_not_made_where_nobody_asked(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable):
            open_store(f"sqlite:///{tmp_path}/store.db", world=World(), create=False)

        assert list(tmp_path.iterdir()) == []

    def test_that_is_no_database_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "store.db"
        path.write_bytes(b"not a database at all, just text\n" * 200)
        path.chmod(0o600)

        with pytest.raises(StoreUnavailable):
            open_store(f"sqlite:///{path}", world=World())


class TestWriting:
    def test_that_fails_leaves_nothing(self, rooms: Rooms) -> None:
        def work(connection: Connection) -> None:
            remembered(connection, "half")
            raise KeyError

        with pytest.raises(KeyError):
            rooms.store.write(work)

        assert rooms.items.recall("half") is None

    def test_the_same_name_twice_is_a_clash(self, rooms: Rooms) -> None:
        rooms.store.write(lambda connection: remembered(connection, "one"))

        with pytest.raises(Clash):
            rooms.store.write(lambda connection: remembered(connection, "one"))

    def test_by_many_threads_loses_no_change(self, rooms: Rooms) -> None:
        rooms.items.remember("count", 0)

        def add(connection: Connection) -> None:
            query = select(notes.c.value).where(notes.c.name == "count").with_for_update()
            found = connection.execute(query).scalar_one()
            assert isinstance(found, int)
            connection.execute(update(notes).where(notes.c.name == "count").values(value=found + 1))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: rooms.store.write(add), range(80)))

        assert rooms.items.recall("count") == 80

    def test_against_each_other_ends_in_both_written(self, rooms: Rooms) -> None:
        rooms.items.remember("a", 0)
        rooms.items.remember("b", 0)
        together = threading.Barrier(2)
        tries: list[str] = []

        def crossing(first: str, second: str) -> None:
            def work(connection: Connection) -> None:
                tries.append(first)
                for name in (first, second):
                    connection.execute(
                        update(notes).where(notes.c.name == name).values(value=first)
                    )
                    if len(tries) <= 2 and rooms.store.dialect != "sqlite" and name == first:
                        together.wait(10)

            rooms.store.write(work)

        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(crossing, "a", "b"), pool.submit(crossing, "b", "a")]
            for job in jobs:
                job.result()

        assert rooms.items.recall("a") == rooms.items.recall("b")
        assert len(tries) >= (2 if rooms.store.dialect == "sqlite" else 3)

    def test_in_memory_takes_turns_too(self, tmp_path: Path) -> None:
        with rooms_on("sqlite://", locks=tmp_path / "l") as rooms:
            lease = rooms.lease()

            def one(number: int) -> None:
                rooms.confirmed([number], lease=lease)
                rooms.leases.still_ours(lease)

            with ThreadPoolExecutor(6) as pool:
                list(pool.map(one, range(1, 31)))

            assert rooms.audit.verify().intact
            assert len(rooms.journal.receipts_for(lease.realm_tag, range(1, 31))) == 30

    @pytest.mark.covers("B6")
    def test_on_a_full_disk_says_so_and_works_again_later(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/store.db"
        with rooms_on(url, locks=tmp_path / "l") as rooms:
            lease = rooms.lease()
            with rooms.store.read() as connection:
                pages = connection.execute(text("PRAGMA page_count")).scalar_one()

            def limited(connection: Connection) -> None:
                connection.execute(text(f"PRAGMA max_page_count = {pages + 2}"))

            rooms.store.write(limited)
            with pytest.raises(StoreUnavailable, match="full"):
                rooms.intended(range(1, 3_000), lease=lease)

            rooms.store.write(lambda one: one.execute(text("PRAGMA max_page_count = 100000")))
            rooms.intended([5_000], lease=lease)

            assert rooms.audit.verify().intact


class TestPowerThatFails:
    @pytest.mark.covers("C8")
    def test_finds_each_commit_on_the_disk(self, tmp_path: Path) -> None:
        with rooms_on(f"sqlite:///{tmp_path}/store.db", locks=tmp_path / "l") as rooms:
            asked = text("PRAGMA synchronous")

            written = rooms.store.write(lambda one: one.execute(asked).scalar_one())

        assert written == FULL

    @pytest.mark.covers("C8")
    def test_in_the_newest_writes_leaves_every_older_one(self, tmp_path: Path) -> None:
        file, log = tmp_path / "store.db", tmp_path / "store.db-wal"
        sizes: list[int] = []
        with rooms_on(f"sqlite:///{file}", locks=tmp_path / "l") as rooms:
            lease = rooms.lease()
            for number in range(1, 9):
                rooms.confirmed([number], lease=lease)
                sizes.append(log.stat().st_size)
            kept = (file.read_bytes(), log.read_bytes())

        for number, cut in enumerate(sizes, start=1):
            # A write that was torn, in the middle of a page and of the next change.
            folder = tmp_path / f"cut{number}"
            folder.mkdir()
            (folder / "store.db").write_bytes(kept[0])
            (folder / "store.db-wal").write_bytes(kept[1][: cut + 2_000])
            for each in folder.iterdir():
                each.chmod(0o600)
            with rooms_on(f"sqlite:///{folder}/store.db", locks=folder / "l") as rooms:
                found = rooms.journal.receipts_for(REALM.tag, range(1, 9))
                assert rooms.audit.verify().intact
                assert set(found) >= set(range(1, number + 1))


class TestServerThatGoesAway:
    def test_is_met_with_a_new_connection(self, rooms: Rooms, url: str) -> None:
        kind = rooms.store.dialect
        if kind == "sqlite":
            pytest.skip("a file does not go away")
        rooms.items.remember("before", 1)
        with raw_engine(url).connect() as connection:
            _end_all_others(connection, kind=kind)

        rooms.items.remember("after", 2)

        assert rooms.items.recall("after") == 2

    def test_inside_a_transaction_runs_it_again(self, rooms: Rooms, url: str) -> None:
        kind = rooms.store.dialect
        if kind == "sqlite":
            pytest.skip("a file does not go away")
        turns: list[int] = []

        def work(connection: Connection) -> None:
            turns.append(1)
            remembered(connection, f"turn {len(turns)}")
            if len(turns) == 1:
                with raw_engine(url).connect() as other:
                    _end_all_others(other, kind=kind)
            connection.execute(select(func.count()).select_from(notes)).scalar_one()

        rooms.store.write(work)

        assert len(turns) == 2
        assert rooms.items.recall("turn 1") is None
        assert rooms.items.recall("turn 2") == 1


def _end_all_others(connection: Connection, *, kind: str) -> None:
    if kind == "postgresql":
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        ).all()
        return
    others = connection.execute(
        text(
            "SELECT id FROM information_schema.processlist "
            "WHERE id <> CONNECTION_ID() AND db = DATABASE()"
        )
    ).scalars()
    for one in others.all():
        connection.execute(text(f"KILL {int(one)}"))


class TestTime:
    def test_of_the_database_is_ours_within_seconds(self, rooms: Rooms) -> None:
        assert abs(rooms.store.now() - datetime.now(UTC)) < timedelta(seconds=5)  # noqa: TID251 - the real clock is compared with

    @pytest.mark.parametrize(
        "at",
        [
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
            datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ],
    )
    def test_comes_back_to_the_microsecond(self, at: datetime) -> None:
        assert instant(microseconds(at)) == at


class TestText:
    def test_is_cleaned_of_what_a_database_refuses(self) -> None:
        assert clean("a\0b\ud800c", most=10) == "ab\N{REPLACEMENT CHARACTER}c"
        assert clean("x" * 50, most=10) == "x" * 10

    @pytest.mark.parametrize("value", ["\0", "\U0001f393", "\ud83c", "'; DROP TABLE audit; --"])
    def test_inside_a_remembered_value_comes_back_unchanged(self, rooms: Rooms, value: str) -> None:
        rooms.items.remember("text", [value])

        assert rooms.items.recall("text") == [value]
