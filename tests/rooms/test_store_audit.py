"""The log only grows, and whoever changes it all the same is found out."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from application.store.audit import GENESIS, Actor, Entry, Head, canonical, chained
from application.store.schema import audit, audit_head, audit_invoices
from tests.rooms.store_support import (
    KINDS,
    REALM,
    UWASE,
    Rooms,
    address_on,
    drop_guards,
    raw_engine,
    rooms_on,
)

LINES = 8


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return address_on(request.param, request=request, tmp_path=tmp_path)


@pytest.fixture
def rooms(url: str, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_on(url, locks=tmp_path / "locks") as opened:
        yield opened


@pytest.fixture
def eight(rooms: Rooms) -> Rooms:
    for number in range(1, LINES + 1):
        rooms.audit.note(line(number))
    return rooms


def line(number: int) -> Entry:
    return Entry(
        action="invoice.confirmed",
        subject=f"invoice {number}",
        by=UWASE,
        after={"total": "450000.00", "n": number},
        realm_tag=REALM.tag,
        invoice_ids=(number, 100 + number),
        quickbooks_id=str(1000 + number),
    )


def intrude(url: str, *statements: str) -> None:
    """Change the database with every guard taken down."""
    with raw_engine(url).connect() as connection:
        drop_guards(connection)
        for statement in statements:
            connection.exec_driver_sql(statement.replace("<zeros>", GENESIS))


def begin_again(url: str) -> None:
    """Empty the log of a database without guards."""
    with raw_engine(url).connect() as connection:
        for table in (audit, audit_invoices, audit_head):
            connection.execute(table.delete())
        connection.execute(audit_head.insert().values(one=1, id=0, hash=GENESIS))


def copy_of(source: int, *, number: int) -> str:
    """Return SQL that adds a copy of a line under another number."""
    columns = (
        "at, actor, source, address, action, subject, environment, realm_tag, run_id, process, "
        "intent_id, attempt_id, request_id, payload_sha256, answer_sha256, quickbooks_id, "
        "intuit_tid, cause, previous, hash"
    )
    chosen = f"SELECT {number}, {columns} FROM audit WHERE id = {source}"  # noqa: S608 - the test's own words
    return f"INSERT INTO audit (id, {columns}) {chosen}"


SWAP = (
    "UPDATE audit SET id = 99 WHERE id = 4",
    "UPDATE audit SET id = 4 WHERE id = 5",
    "UPDATE audit SET id = 5 WHERE id = 99",
)


class Case(NamedTuple):
    """What an intruder does, and the first line that is wrong then."""

    statements: tuple[str, ...]
    first_bad: int
    id: str


TAMPERED = [
    Case(("UPDATE audit SET actor = 'nobody' WHERE id = 3",), 3, id="actor changed"),
    Case(("UPDATE audit SET at = at + 1 WHERE id = 4",), 4, id="moved by a microsecond"),
    Case(("UPDATE audit SET subject = '' WHERE id = 1",), 1, id="subject emptied"),
    Case(("UPDATE audit SET cause = 'x' WHERE id = 8",), 8, id="cause added to the last"),
    Case(("UPDATE audit SET quickbooks_id = NULL WHERE id = 2",), 2, id="id taken away"),
    Case(
        ("UPDATE audit SET after = '{\"n\":5,\"total\":\"1.00\"}' WHERE id = 5",),
        5,
        id="amount changed",
    ),
    Case(("UPDATE audit SET after = '{' WHERE id = 5",), 5, id="broken on purpose"),
    Case(
        ("UPDATE audit SET hash = '<zeros>' WHERE id = 6",), 6, id="hash overwritten"
    ),
    Case(
        ("UPDATE audit SET previous = '<zeros>' WHERE id = 6",), 6, id="chain cut open"
    ),
    Case(("UPDATE audit SET previous = 'zz' WHERE id = 6",), 6, id="no hash at all"),
    Case(("DELETE FROM audit WHERE id = 4",), 4, id="deleted in the middle"),
    Case(("DELETE FROM audit WHERE id = 1",), 1, id="deleted at the start"),
    Case(("DELETE FROM audit WHERE id <= 3",), 1, id="three deleted at the start"),
    Case(("DELETE FROM audit WHERE id = 8",), 8, id="deleted at the end"),
    Case(("DELETE FROM audit WHERE id > 5",), 6, id="three deleted at the end"),
    Case(("DELETE FROM audit",), 1, id="everything deleted"),
    Case((copy_of(3, number=9),), 9, id="copy added behind the end"),
    Case((copy_of(3, number=0),), 0, id="copy added before the start"),
    Case(
        ("DELETE FROM audit WHERE id = 5", copy_of(3, number=5)), 5, id="replaced by a copy"
    ),
    Case(SWAP, 4, id="two swapped"),
    Case(
        ("DELETE FROM audit WHERE id = 4", "UPDATE audit SET id = id - 1 WHERE id = 5"),
        4,
        id="gap closed by moving one up",
    ),
    Case(
        ("UPDATE audit_head SET id = 7",), 8, id="head put back by one"
    ),
    Case(
        ("UPDATE audit_head SET hash = '<zeros>'",), 8, id="head overwritten"
    ),
]  # fmt: skip


class TestLog:
    def test_refuses_change_and_removal(self, eight: Rooms, url: str) -> None:
        del eight
        offences = ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"]
        offences += ["UPDATE audit_invoices SET entry_id = 9", "DELETE FROM audit_invoices"]
        for offence in offences:
            with raw_engine(url).connect() as connection, pytest.raises(DBAPIError, match="grows"):
                connection.execute(text(offence))

    def test_refuses_to_be_emptied(self, eight: Rooms, url: str) -> None:
        if eight.store.dialect != "postgresql":
            pytest.skip("only there TRUNCATE passes the other triggers and can be refused")
        with raw_engine(url).connect() as connection, pytest.raises(DBAPIError, match="grows"):
            connection.execute(text("TRUNCATE audit"))

    def test_that_nobody_touched_is_intact(self, eight: Rooms) -> None:
        seen: list[int] = []

        verified = eight.audit.verify(seen.append)

        assert (verified.intact, verified.entries, verified.first_bad) == (True, LINES, None)
        assert verified.head == eight.audit.head().hash
        assert seen == [LINES]

    def test_that_is_empty_is_intact(self, rooms: Rooms) -> None:
        assert rooms.audit.verify().entries == 0
        assert rooms.audit.verify().intact

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("case", TAMPERED, ids=[case.id for case in TAMPERED])
    def test_names_the_first_line_that_is_not_as_written(
        self, eight: Rooms, url: str, case: Case
    ) -> None:
        intrude(url, *case.statements)

        verified = eight.audit.verify()

        assert not verified.intact
        assert verified.first_bad == case.first_bad
        assert verified.problem

    @pytest.mark.parametrize("url", ["mariadb", "postgres"], indirect=True)
    def test_names_each_of_them_on_a_server_too(self, eight: Rooms, url: str) -> None:
        intrude(url)
        missed: list[str] = []
        for case in TAMPERED:
            begin_again(url)
            for number in range(1, LINES + 1):
                eight.audit.note(line(number))
            assert eight.audit.verify().intact
            with raw_engine(url).connect() as connection:
                for statement in case.statements:
                    connection.exec_driver_sql(statement.replace("<zeros>", GENESIS))
            if eight.audit.verify().first_bad != case.first_bad:
                missed.append(case.id)

        assert missed == []

    def test_cut_and_closed_again_is_betrayed_by_a_head_kept_elsewhere(
        self, eight: Rooms, url: str
    ) -> None:
        kept = eight.audit.head()
        before = eight.audit.entries(after=5, limit=1)[0]
        intrude(
            url,
            "DELETE FROM audit WHERE id > 5",
            "UPDATE audit_head SET id = 5, hash = '<hash>'".replace("<hash>", before.previous),
        )

        assert eight.audit.verify().intact
        assert eight.audit.verify(known=[kept]).first_bad == 6

    def test_written_anew_is_betrayed_by_a_head_kept_elsewhere(self, eight: Rooms) -> None:
        kept = eight.audit.head()

        verified = eight.audit.verify(known=[Head(kept.id, GENESIS)])

        assert verified.first_bad == LINES

    def test_with_two_kept_heads_that_contradict_each_other_is_found_out(
        self, eight: Rooms
    ) -> None:
        kept = eight.audit.head()
        other = Head(kept.id, GENESIS)

        for known in ([kept, other], [other, kept]):
            assert eight.audit.verify(known=known).first_bad == LINES

    def test_by_many_threads_has_no_gap(self, rooms: Rooms) -> None:
        with ThreadPoolExecutor(8) as pool:
            numbers = list(pool.map(lambda n: rooms.audit.note(line(n)), range(40)))

        assert sorted(numbers) == list(range(1, 41))
        assert rooms.audit.verify().intact

    def test_of_a_failed_change_has_no_line(self, rooms: Rooms) -> None:
        def work(connection: Connection) -> None:
            rooms.audit.append(connection, line(1), line(2))
            raise KeyError

        with pytest.raises(KeyError):
            rooms.store.write(work)

        assert rooms.audit.head() == Head(0, GENESIS)
        assert rooms.audit.entries() == []


class TestReading:
    def test_finds_the_lines_of_an_invoice(self, eight: Rooms) -> None:
        assert [one.subject for one in eight.audit.entries(invoice_id=103)] == ["invoice 3"]

    def test_filters_by_actor_action_and_place(self, eight: Rooms) -> None:
        eight.audit.note(Entry("run.start", "run 1", by=Actor("mugisha")))

        assert len(eight.audit.entries(actor="mugisha")) == 1
        assert len(eight.audit.entries(action="invoice.")) == LINES
        assert eight.audit.entries(action="invoice") == []
        assert [one.id for one in eight.audit.entries(after=7)] == [8, 9]
        assert [one.id for one in eight.audit.entries(limit=2)] == [1, 2]

    @pytest.mark.parametrize(
        "written", ["\0nul", "\ud83c", "\U0001f393", "x" * 5000, "a\r\nb'\"\\"]
    )
    def test_takes_any_text_and_stays_intact(self, rooms: Rooms, written: str) -> None:
        by = Actor(written, source=written, address=written, process=written)
        rooms.audit.note(
            Entry("run.start", written, by=by, after={written: written}, cause=written)
        )

        [found] = rooms.audit.entries()

        assert rooms.audit.verify().intact
        assert found.after == {written: written}

    def test_keeps_the_environment_of_the_company(self, eight: Rooms) -> None:
        assert eight.audit.latest(limit=1)[0].environment == "simulator"


class TestCanonicalForm:
    @given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)))
    def test_depends_on_what_is_said_and_not_on_its_order(self, said: dict[str, object]) -> None:
        backwards = dict(reversed(list(said.items())))
        try:
            form = canonical(said)
        except UnicodeEncodeError:
            return  # a lone surrogate is cleaned away before it comes here

        assert form == canonical(backwards)
        plain = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert form == plain.encode()  # as anybody can recompute it

    def test_is_compact_and_utf8(self) -> None:
        assert canonical({"b": "é", "a": 1}) == '{"a":1,"b":"é"}'.encode()

    def test_hashes_as_published(self) -> None:
        assert chained(GENESIS, line={"id": 1}) == (
            "e462f9447cc3a7c81efc99cfea18ac9799901a99c241c375ad7824d8674e045c"
        )
