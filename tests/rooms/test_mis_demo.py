import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sql

from application.catalogue import ConfigInvalid
from application.invoices.model import AmountRule, MisInvoice, Oddity, Status
from application.mis import demo
from application.mis.demo_edges import edge_expectations
from application.mis.reader import MisReader
from application.mis.tables import Mis
from tests.rooms.mis_support import Place, Room, opened, room_at


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'new' / 'mis.db'}"


def whole(url: str) -> list[tuple[object, ...]]:
    engine = sql.create_engine(url, poolclass=sql.NullPool)
    found: list[tuple[object, ...]] = []
    with engine.connect() as link:
        for table in sorted(sql.inspect(link).get_table_names()):
            rows = link.execute(sql.select(sql.text("*")).select_from(sql.table(table)))
            found += [tuple(row) for row in rows]
    return found


def every_row(reader: MisReader) -> list[MisInvoice]:
    most = 1_000_000
    ids = [*reader.waiting(after=0, limit=most), *reader.failed(after=0, limit=most)]
    ids += [*reader.synced(after=0, limit=most)]
    ids += [row.id for row in reader.in_progress(after=0, limit=most)]
    return reader.rows_of(ids)


def refused(rows: list[MisInvoice], *, reader: MisReader, products: set[str]) -> dict[int, str]:
    """Judge by hand, in the order of the table of refusals."""
    payers = reader.payers({row.payer for row in rows if row.payer})
    fees = reader.fees({row.fee_category for row in rows if row.fee_category})
    found: dict[int, str] = {}
    for row in rows:
        dept, credit = row.dept or Decimal(0), row.credit or Decimal(0)
        if row.payer not in payers:
            found[row.id] = "customer"
        elif dept <= 0 or dept <= credit:
            found[row.id] = "amount"
        elif row.fee_category not in fees or fees[row.fee_category].name not in products:
            found[row.id] = "fee"
        elif row.dated is None:
            found[row.id] = "date"
    return found


class TestGuide:
    def test_is_what_the_guide_shows(self, url: str) -> None:
        built = demo.build(url)
        lines = list(demo.seed_lines())
        products = {line["Name"] for line in lines if line["entity"] == "Item"}

        with room_at(url) as room:
            counts = room.reader.counts(rule=AmountRule.DEBIT)
            rows = every_row(room.reader)
            refusals = refused(rows, reader=room.reader, products=products)
            room.reader.require(writing=True)
            fees = room.reader.fees(range(1, 100))

        assert built.invoices == counts.total == counts.by_status[Status.NOT_SYNCED].count == 1250
        assert [row.id for row in rows] == [*range(101, 1350), 12345]
        assert Counter(refusals.values()) == {"customer": 4, "amount": 4, "fee": 4}
        assert {one: why for one, why in refusals.items() if one <= 150} == {
            123: "customer",
            142: "amount",
        }
        assert built.rows["tbl_personal_ug"] == 300
        assert built.rows["tbl_online_application"] == 20
        assert built.rows["tbl_campus"] == 3
        assert len(fees) == 12
        assert all(fee.name == fee.description for fee in fees.values())
        assert not [line for line in lines if line["entity"] in {"Customer", "Invoice"}]

    def test_has_payers_of_both_kinds(self, url: str) -> None:
        demo.build(url)

        with room_at(url) as room:
            codes = {row.payer for row in every_row(room.reader)}
            kinds = Counter(one.kind.value for one in room.reader.payers(codes).values())

        assert kinds == {"student": 300, "applicant": 20}

    def test_stays_as_it_is(self, url: str) -> None:
        with pytest.raises(ConfigInvalid):
            demo.build(url, profile="guide", edge=True)


class TestBuild:
    def test_gives_the_same_rows_for_the_same_seed(self, tmp_path: Path) -> None:
        urls = [f"sqlite:///{tmp_path / name}" for name in ("a.db", "b.db", "c.db")]
        for url, seed in zip(urls, (1, 1, 2), strict=True):
            demo.build(url, profile="midlife", size=300, edge=True, seed=seed)

        first, again, other = (whole(url) for url in urls)

        assert first == again
        assert first != other

    def test_refuses_what_it_did_not_make(self, file_place: Place) -> None:
        file_place.run("DROP TABLE feebridge_demo")
        file_place.invoice(1)

        for replace in (False, True):
            with pytest.raises(ConfigInvalid):
                demo.build(file_place.url, replace=replace)

        assert file_place.three(1)[0] == 0

    def test_replaces_its_own_when_asked(self, url: str) -> None:
        demo.build(url, profile="fresh", size=100)
        with pytest.raises(ConfigInvalid):
            demo.build(url)

        assert demo.build(url, replace=True).invoices == 1250

    @pytest.mark.parametrize(("engine", "money"), [("InnoDB", "FLOAT"), ("MyISAM", "DOUBLE")])
    def test_fills_a_server_like_a_file(
        self, url: str, mariadb_url: str, engine: str, money: str
    ) -> None:
        for where in (url, mariadb_url):
            demo.build(where, profile="midlife", size=400, edge=True, engine=engine, money=money)

        with room_at(url) as file, room_at(mariadb_url) as server:
            mine, theirs = (every_row(room.reader) for room in (file, server))
            same = [
                [(row.id, row.reg_no, row.fee_category, row.comment, row.status) for row in rows]
                for rows in (mine, theirs)
            ]
            assert file.reader.counts(rule=AmountRule.DEBIT).total == 474
            lines = server.reader.check()

        assert same[0] == same[1]
        assert any(engine in line.text for line in lines)
        assert ("Amounts" in {line.name for line in lines}) is (money == "FLOAT")

    def test_tells_how_far_it_is(self, url: str) -> None:
        told: list[int] = []

        built = demo.build(url, profile="fresh", size=6_000, progress=told.append)

        assert told == sorted(told)
        assert told[-1] == sum(built.rows.values())
        assert len(told) > 6

    def test_of_a_hundred_thousand_streams(self, url: str) -> None:
        built = demo.build(url, profile="fresh", size=100_000)

        with opened(url) as mis:
            counts = counts_of(mis)

        assert built.invoices == counts == 100_000

    @pytest.mark.parametrize(
        "wrong",
        [{"profile": "none"}, {"profile": "fresh", "size": 0}, {"engine": "x"}, {"money": "x"}],
    )
    def test_refuses_words_it_does_not_know(self, url: str, wrong: dict[str, str]) -> None:
        with pytest.raises(ConfigInvalid):
            demo.build(url, **wrong)  # type: ignore[arg-type]  # wrong words on purpose


def counts_of(mis: Mis) -> int:
    return MisReader(mis, invoices_from=None).counts(rule=AmountRule.DEBIT).total


class TestMidlife:
    def test_has_statuses_and_documents_that_agree(self, url: str) -> None:
        demo.build(url, profile="midlife", size=3_000)
        lines = list(demo.seed_lines(profile="midlife", size=3_000))
        documents = {
            line["DocNumber"]: line
            for line in lines
            if line["entity"] == "Invoice" and not line["deleted"]
        }

        with room_at(url) as room:
            rows = {f"MIS-{row.id}": row for row in every_row(room.reader)}

        shares = Counter(row.status for row in rows.values())
        assert set(shares) == {0, None, 1, 2, 3}
        assert shares[1] > 1_700
        assert len(documents) > 1_700
        for number, line in documents.items():
            row = rows[number]
            assert (line["CustomerName"], line["TxnDate"]) == (row.payer, str(row.dated))
            if row.status == Status.SYNCED:
                assert Decimal(line["Total"]) == row.dept
        assert json.dumps(lines)


class TestFresh:
    def test_waits_throughout_with_oddities(self, url: str) -> None:
        demo.build(url, profile="fresh", size=20_000)

        with room_at(url) as room:
            rows = every_row(room.reader)

        found = Counter(one for row in rows for one in row.oddities)
        assert {row.status for row in rows} == {0}
        assert found[Oddity.FRACTION] > 5
        assert sum(row.dated is None for row in rows) > 40
        assert sum(row.payer == "" for row in rows) > 40
        assert max(row.dept or 0 for row in rows) > 1_000_000_000


class TestMustHaveRows:
    def test_have_one_verdict_each(self) -> None:
        expected = edge_expectations()

        assert sorted({one.row for one in expected}) == list(range(1, 70))
        assert len({one.id for one in expected}) == len(expected)
        for one in expected:
            assert (one.cause is None) == (one.status in {0, 1, 3})
            assert one.status == 1 or one.amount is None

    @pytest.mark.parametrize("where", ["sqlite", "innodb"])
    def test_stand_in_the_mis_as_told(
        self, where: str, url: str, request: pytest.FixtureRequest
    ) -> None:
        address = url if where == "sqlite" else request.getfixturevalue("mariadb_url")
        money = "FLOAT" if where == "innodb" else "DOUBLE"
        demo.build(address, profile="fresh", size=50, edge=True, money=money)
        expected = {one.id: one for one in edge_expectations(money=money)}

        with room_at(address) as room:
            rows = {row.id: row for row in room.reader.rows_of(list(expected))}
            payers = room.reader.payers({row.payer for row in rows.values() if row.payer})

        assert sorted(rows) == sorted(expected)
        for number, one in expected.items():
            row = rows[number]
            if one.amount is not None:
                assert row.dept == one.amount, number
                assert row.payer == one.customer, number
                assert row.payer in payers, number
                assert row.dated is not None, number
            if one.cause == "customer_not_found":
                payer = payers.get(row.payer)
                assert payer is None or not payer.agreed, number
            if one.cause == "date_invalid":
                assert row.dated is None, number
        assert len(rows[2_000_047].comment or "") == 900

    def test_are_scoped_by_their_day(self, url: str) -> None:
        demo.build(url, profile="fresh", size=50, edge=True)

        with room_at(url) as room:
            scoped = Room(room.mis, world=room.world, invoices_from=date(2025, 1, 1))
            waiting = scoped.reader.waiting(after=2_000_000, limit=200)

        assert 2_000_017 not in waiting
        assert {2_000_013, 2_000_014, 2_000_015, 2_000_018} <= set(waiting)
