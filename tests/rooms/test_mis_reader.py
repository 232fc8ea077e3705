from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from application.invoices.model import AmountRule, Oddity, PayerKind, Status
from application.mis.reader import Wanted
from tests.rooms.mis_support import Place, room_at, statements
from tests.servers import MariaDb

OURS = "fb1.a"


class TestCounts:
    @pytest.mark.covers("B16", "B17")
    def test_are_one_statement_and_add_up(self, place: Place) -> None:
        for number, status in enumerate((0, None, 1, 1, 2, 3, 7, -4), start=1):
            place.invoice(number, QuickBk_Status=status, dept=number * 10)

        with room_at(place.url) as room, statements() as asked:
            counts = room.reader.counts(rule=AmountRule.DEBIT)

        assert len(asked) == 1
        assert {status: one.count for status, one in counts.by_status.items()} == {
            Status.NOT_SYNCED: 2,
            Status.SYNCED: 2,
            Status.FAILED: 3,
            Status.IN_PROGRESS: 1,
        }
        assert counts.unknown_status == 2
        assert counts.by_status[Status.NOT_SYNCED].amount == Decimal("30.00")
        assert (counts.total, counts.amount) == (8, Decimal("360.00"))

    def test_of_an_empty_mis_are_zero(self, place: Place) -> None:
        with room_at(place.url) as room:
            counts = room.reader.counts(rule=AmountRule.NET)

        assert (counts.total, counts.amount) == (0, Decimal("0.00"))

    @pytest.mark.parametrize(("rule", "amount"), [("debit", "130.51"), ("net", "100.51")])
    def test_hold_what_would_be_sent(self, place: Place, rule: str, amount: str) -> None:
        place.invoice(1, dept=100, credit=30)
        place.invoice(2, dept="30.505", credit=None)
        place.invoice(3, dept=50, credit=50)
        place.invoice(4, dept=None)
        place.invoice(5, dept=-20)
        place.invoice(6, dept="1e20")

        with room_at(place.url) as room:
            counts = room.reader.counts(rule=AmountRule(rule))

        assert (counts.total, counts.amount) == (6, Decimal(amount))

    def test_leave_out_what_is_dated_before_the_first_day(self, place: Place) -> None:
        dates = {
            1: "2024-12-31",
            2: "2025-01-01",
            3: None,
            4: "0000-00-00",
            5: "2024-00-15",
            6: "2024-03-00",
            7: "1999-12-31",
            8: "2150-01-01",
        }
        for number, dated in dates.items():
            place.invoice(number, invoice_date=dated)

        with room_at(place.url, invoices_from=date(2025, 1, 1)) as room:
            assert room.reader.waiting(after=0, limit=20) == [2, 3, 4, 5, 6, 7, 8]
            assert room.reader.counts(rule=AmountRule.DEBIT).total == 7
            assert room.reader.how_many_wait() == 7
            found = room.reader.newest(Wanted(), before=None, limit=2)
            assert [row.id for row in found] == [8, 7]


class TestPages:
    @pytest.mark.covers("B17")
    def test_go_on_after_the_last_id(self, place: Place) -> None:
        for number in range(1, 8):
            place.invoice(number, QuickBk_Status=None if number % 2 else 0)
        place.invoice(8, QuickBk_Status=1)

        with room_at(place.url) as room:
            assert room.reader.waiting(after=0, limit=3) == [1, 2, 3]
            assert room.reader.waiting(after=3, limit=9, upto=6) == [4, 5, 6]
            assert room.reader.waiting(after=7, limit=3) == []
            assert room.reader.synced(after=0, limit=3) == [8]
            assert room.reader.failed(after=0, limit=3) == []
            assert room.reader.highest_id() == 8
            assert (room.reader.exists(8), room.reader.exists(9)) == (True, False)

    def test_are_the_same_without_the_index_over_status(self, place: Place) -> None:
        for number in range(1, 30):
            place.invoice(number, QuickBk_Status=(None, 0, 1)[number % 3])
        found = []

        for change in ("SELECT 1", "DROP INDEX ix_fb_status"):
            place.run(
                change if place.kind == "sqlite" or change[0] == "S" else f"{change} ON tbl_imvoice"
            )
            with room_at(place.url) as room, statements() as asked:
                found.append(room.reader.waiting(after=4, limit=9, upto=25))
                found.append([len(asked)])

        assert found[0] == found[2] == [6, 7, 9, 10, 12, 13, 15, 16, 18]
        assert found[1] > found[3]  # with it each status is asked for by itself

    def test_of_claimed_rows_tell_whose_and_since_when(self, place: Place) -> None:
        place.invoice(1, QuickBk_Status=3, pushed_by="fb1.x", pushed_date="2026-01-02 03:04:05")
        place.invoice(2, QuickBk_Status=3, pushed_date="0000-00-00 00:00:00")

        with room_at(place.url) as room:
            first, second = room.reader.in_progress(after=0, limit=9)

        assert (first.token, first.pushed_at) == (
            "fb1.x",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        )
        assert (second.token, second.pushed_at) == (None, None)


class TestRows:
    @pytest.mark.covers("B13", "G1")
    @pytest.mark.parametrize(
        ("stored", "dept", "oddities"),
        [
            (1234567, "1234567.00", set()),
            ("12500.50", "12500.50", {Oddity.FRACTION}),
            ("33333.3333", "33333.33", {Oddity.FRACTION}),
            ("99999.999", "100000.00", {Oddity.FRACTION}),
            (0, "0.00", set()),
            ("-0.001", "0.00", {Oddity.FRACTION}),
            ("0.004", "0.00", {Oddity.FRACTION}),
            (-5000, "-5000.00", set()),
            (16777217, "16777217.00", set()),
            (1000000001, "1000000001.00", set()),
            (None, None, set()),
        ],
    )
    def test_hold_exact_amounts(
        self, place: Place, stored: object, dept: str | None, oddities: set[Oddity]
    ) -> None:
        place.invoice(1, dept=stored)

        with room_at(place.url) as room:
            (row,) = room.reader.rows_of([1])

        assert row.dept == (None if dept is None else Decimal(dept))
        assert str(row.dept) == str(dept)
        assert row.oddities == oddities

    def test_keep_a_huge_amount_above_every_limit(self, place: Place) -> None:
        place.invoice(1, dept="1e20")

        with room_at(place.url) as room:
            (row,) = room.reader.rows_of([1])

        assert row.dept is not None
        assert row.dept > Decimal("9999999999.99")

    @pytest.mark.covers("G3")
    @pytest.mark.parametrize(
        ("stored", "dated"),
        [
            ("2025-09-01", date(2025, 9, 1)),
            ("2099-12-31", date(2099, 12, 31)),
            ("0000-00-00", None),
            ("2024-00-15", None),
            ("1999-12-31", None),
            ("2100-01-01", None),
            (None, None),
        ],
    )
    def test_hold_dates_as_days_or_as_text(
        self, place: Place, stored: str | None, dated: date | None
    ) -> None:
        place.invoice(1, invoice_date=stored)

        with room_at(place.url) as room:
            (row,) = room.reader.rows_of([1])

        assert (row.dated, row.dated_text) == (dated, stored)

    @pytest.mark.covers("B15", "G4", "G5")
    def test_keep_every_letter_of_a_comment(self, place: Place) -> None:
        said = 'Murakoze \N{PARTY POPPER} "a" & <b>\nO\'Neil %s :x \\' + "é" * 800
        place.invoice(1, comment=said)

        with room_at(place.url) as room:
            (row,) = room.reader.rows_of([1])

        assert row.comment == said

    def test_name_the_trace_of_another_program(self, place: Place) -> None:
        place.invoice(1, comment="Semester 1 [QB_ID:57]")

        with room_at(place.url) as room:
            (row,) = room.reader.rows_of([1])

        assert row.oddities == {Oddity.TRACED}

    def test_come_in_order_without_those_that_are_gone(self, place: Place) -> None:
        for number in (3, 1, 2):
            place.invoice(number, reference_number=f"R{number}")

        with room_at(place.url) as room:
            rows = room.reader.rows_of([3, 99, 1])

        assert [(row.id, row.reference_number) for row in rows] == [(1, "R1"), (3, "R3")]

    def test_do_without_a_reference_number(self, place: Place) -> None:
        place.invoice(1)
        place.run("ALTER TABLE tbl_imvoice DROP COLUMN reference_number")

        with room_at(place.url) as room:
            (row,) = room.reader.rows_of([1])

        assert row.reference_number is None

    def test_more_than_a_page_are_read_in_pages(self, place: Place) -> None:
        for number in range(1, 12):
            place.invoice(number)

        with room_at(place.url) as room:
            rows = room.reader.rows_of(list(range(1, 2000)))

        assert len(rows) == 11


class TestColumnsOfMoney:
    @pytest.mark.covers("B13")
    def test_that_are_float_are_sent_as_stored_with_a_warning(self, mariadb_url: str) -> None:
        place = Place(mariadb_url, kind="innodb", money="FLOAT")
        for number, dept in enumerate((1234567, 16777217, 1000000001, "33333.3333"), start=1):
            place.invoice(number, dept=dept)

        with room_at(place.url) as room:
            rows = room.reader.rows_of([1, 2, 3, 4])

        assert [str(row.dept) for row in rows] == [
            "1234567.00",
            "16777216.00",
            "1000000000.00",
            "33333.33",
        ]
        assert [row.oddities for row in rows] == [
            frozenset(),
            {Oddity.PRECISION},
            {Oddity.PRECISION},
            {Oddity.FRACTION},
        ]

    @pytest.mark.covers("G1")
    def test_that_are_decimal_name_what_is_not_exact(self, mariadb_url: str) -> None:
        place = Place(mariadb_url, kind="innodb", money="DECIMAL(20,4)")
        for number, dept in enumerate(("5.0000", "5.2500", "5.0010"), start=1):
            place.invoice(number, dept=dept)

        with room_at(place.url) as room:
            rows = room.reader.rows_of([1, 2, 3])

        assert [Oddity.NOT_EXACT in row.oddities for row in rows] == [False, False, True]

    @pytest.mark.covers("G1")
    def test_of_a_file_that_hold_text_are_no_number(self, file_place: Place) -> None:
        place = file_place
        place.invoice(1, dept="1,200.50")

        with room_at(place.url) as room:
            (row,) = room.reader.rows_of([1])

        assert row.dept is not None
        assert row.dept.is_nan()


class TestPayers:
    def test_are_students_before_applicants(self, place: Place) -> None:
        place.student(1, "20230001", fname="Aline", lname="Uwase", email2="a@example.org")
        place.applicant(1, "20230001", first_name="Eric")
        place.applicant(2, "9100001", first_name="Keza", family_name="Shema", phone1="0788")

        with room_at(place.url) as room:
            found = room.reader.payers({"20230001", "9100001", "unknown", ""})

        assert sorted(found) == ["20230001", "9100001"]
        student, applicant = found["20230001"], found["9100001"]
        assert (student.kind, student.first_name, student.last_name) == (
            PayerKind.STUDENT,
            "Aline",
            "Uwase",
        )
        assert student.emails == (None, "a@example.org")
        assert (applicant.kind, applicant.first_name) == (PayerKind.APPLICANT, "Keza")
        assert (applicant.emails, applicant.phones) == ((None,), ("0788",))

    @pytest.mark.covers("B14")
    def test_are_told_apart_by_every_letter(self, place: Place) -> None:
        place.student(1, "25/00411/BBA", fname="Aline")
        place.student(2, "CAFÉ1", fname="Eric")

        with room_at(place.url) as room:
            found = room.reader.payers({"25/00411/bba", "25/00411/BBA", "CAFE1"})

        assert list(found) == ["25/00411/BBA"]

    @pytest.mark.parametrize("stored", ["  20230001", "20230001  ", " 20230001 "])
    def test_are_found_behind_spaces(self, place: Place, stored: str) -> None:
        place.student(1, stored, fname="Aline")

        with room_at(place.url) as room:
            found = room.reader.payers({"20230001"})

        assert found["20230001"].code == "20230001"

    @pytest.mark.covers("G7")
    @pytest.mark.parametrize(("other", "agreed"), [("Aline", True), ("Diane", False)])
    def test_on_several_rows_agree_or_do_not(
        self, place: Place, other: str, *, agreed: bool
    ) -> None:
        place.student(1, "20230001", fname="Aline", lname="Uwase")
        place.student(2, "20230001", fname=other, lname=" Uwase ")

        with room_at(place.url) as room:
            student = room.reader.payers({"20230001"})["20230001"]

        assert (student.rows, student.agreed) == (2, agreed)

    def test_more_than_a_page_are_found(self, place: Place) -> None:
        place.student(1, "20230001")

        with room_at(place.url) as room:
            found = room.reader.payers({f"2023{number:04d}" for number in range(1, 1400)})

        assert list(found) == ["20230001"]


class TestFees:
    def test_are_found_by_id(self, place: Place) -> None:
        place.put("tbl_income_category", id=7, name=" Tuition fee ", description="")

        with room_at(place.url) as room:
            found = room.reader.fees([7, 8])

        assert [(fee.id, fee.name, fee.description) for fee in found.values()] == [
            (7, " Tuition fee ", "")
        ]


class TestTimes:
    def test_on_a_strict_server_elsewhere_are_still_utc(self, mariadb_server: MariaDb) -> None:
        place = Place(mariadb_server.new_database(), kind="innodb")
        place.invoice(1)
        mariadb_server.execute("SET GLOBAL time_zone = '+09:00'")
        try:
            with room_at(place.url) as room:
                room.claims.claim([1], token=OURS)
                (row,) = room.reader.in_progress(after=0, limit=1)
                assert row.pushed_at is not None
                assert abs((room.world.clock.now() - row.pushed_at).total_seconds()) < 60
        finally:
            mariadb_server.execute("SET GLOBAL time_zone = 'SYSTEM'")
