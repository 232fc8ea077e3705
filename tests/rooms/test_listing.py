import base64
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sql

from application.invoices.model import Status
from application.services import listing
from application.services.listing import CursorWrong, Flag, Page, SearchWrong
from tests.rooms.desk_support import GRACE_MS, LEASE_MS, TAG, Desk, desk_at
from tests.rooms.mis_support import Place, statements
from tests.rooms.store_support import CLAIM, UWASE, JumpingClock

SENT = {"dept": 450000, "invoice_date": "2025-11-18", "QuickBk_Status": 1}
FIXED_STATEMENTS = 40


@pytest.fixture
def desk(place: Place, tmp_path: Path) -> Iterator[Desk]:
    with desk_at(place, folder=tmp_path) as opened:
        yield opened


def ids(page: Page) -> list[int]:
    return [one.row.id for one in page.invoices]


def all_ids(desk: Desk, *, limit: int, **asked: str) -> list[int]:
    found: list[int] = []
    cursor = None
    while True:
        page = desk.listing.page(limit=limit, cursor=cursor, **asked)  # type: ignore[arg-type]  # texts only
        assert len(page.invoices) <= limit
        found += ids(page)
        cursor = page.next_cursor
        if cursor is None:
            return found


class TestPage:
    def test_goes_from_the_newest_to_the_oldest_and_ends(self, desk: Desk) -> None:
        for number in range(1, 8):
            desk.place.invoice(number)

        first = desk.listing.page(limit=3)
        second = desk.listing.page(limit=3, cursor=first.next_cursor)
        desk.place.invoice(8)
        third = desk.listing.page(limit=3, cursor=second.next_cursor)

        assert [ids(one) for one in (first, second, third)] == [[7, 6, 5], [4, 3, 2], [1]]
        assert third.next_cursor is None

    def test_of_exactly_all_has_no_next(self, desk: Desk) -> None:
        for number in range(1, 4):
            desk.place.invoice(number)

        assert desk.listing.page(limit=3).next_cursor is None
        assert ids(desk.listing.page(limit=1, status="failed")) == []

    def test_tells_who_pays_for_what(self, desk: Desk) -> None:
        desk.place.invoice(1, QuickBk_Status=2, dept="1200.5", credit=10)
        desk.place.student(1, "20230001", fname="Aline", lname="Uwase")
        desk.fee(1, "Tuition")
        desk.products("Tuition")
        desk.refuse([1], cause="customer_not_found")
        desk.rooms.journal.hold(1, reason="wait", by=UWASE)

        (one,) = desk.listing.page(limit=5).invoices

        assert one.student is not None
        assert one.fee is not None
        assert one.refusal is not None
        assert one.hold is not None
        assert (one.student.last_name, one.fee.name) == ("Uwase", "Tuition")
        assert (one.amount, one.status, one.flag) == (Decimal("1200.50"), Status.FAILED, Flag.HELD)
        assert (one.refusal.cause, one.looks_fixed) == ("customer_not_found", True)
        assert (one.hold.reason, one.receipt) == ("wait", None)

    def test_narrows_by_status_fee_and_day(self, desk: Desk) -> None:
        rows = {
            1: (None, 1, "2025-09-01"),
            2: (1, 2, "2025-09-02"),
            3: (2, 1, "2025-09-03"),
            4: (7, 2, "2025-09-04"),
            5: (3, 1, "2025-09-05"),
        }
        for number, (status, fee, dated) in rows.items():
            desk.place.invoice(number, QuickBk_Status=status, fee_category=fee, invoice_date=dated)
        page = desk.listing.page

        assert ids(page(status="not_synced")) == [1]
        assert ids(page(status="synced")) == [2]
        assert ids(page(status="failed")) == [4, 3]
        assert ids(page(status="in_progress")) == [5]
        assert ids(page(fee=2)) == [4, 2]
        assert ids(page(dated_from=date(2025, 9, 2), dated_to=date(2025, 9, 4))) == [4, 3, 2]
        assert ids(page(dated_to=date.max, fee=1)) == [5, 3, 1]

    @pytest.mark.covers("B17")
    def test_costs_as_many_statements_whatever_is_on_it(self, desk: Desk) -> None:
        for number in range(1, 61):
            status = number % 3  # waiting, synced, failed
            desk.place.invoice(
                number, reg_no=f"R{number}", fee_category=number, QuickBk_Status=status
            )
            desk.place.student(number, f"R{number}", fname="A", lname="B")
        desk.refuse(range(2, 61, 3), cause="customer_not_found")
        desk.confirm(range(1, 61, 6))
        desk.listing.page(limit=1)
        with statements() as few:
            desk.listing.page(limit=6)
        with statements() as many:
            desk.listing.page(limit=50)

        assert len(few) == len(many) < FIXED_STATEMENTS


class TestSearch:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("MIS-123", [123]),
            ("mis-123", [123]),
            ("123", [123]),
            ("25/123/BIT", [124]),
            (" 25/123/BIT ", [124]),
            ("25/12", []),
            ("Ali", [124, 123]),
            ("Uwase", [124]),
            ("Muk", [125]),
            ("wase", []),
            ("%%%", []),
            ("secret", []),
        ],
    )
    def test_knows_numbers_codes_and_names(self, desk: Desk, text: str, found: list[int]) -> None:
        desk.place.invoice(123, reg_no="25/999/BBA", comment="secret")
        desk.place.invoice(124, reg_no="25/123/BIT")
        desk.place.invoice(125, reg_no="TRK9")
        desk.place.student(1, "25/999/BBA", fname="Aline", lname="Ishimwe")
        desk.place.student(2, "25/123/BIT", fname="Alice", lname="Uwase")
        desk.place.applicant(1, "TRK9", first_name="Eric", family_name="Mukama")

        assert ids(desk.listing.page(q=text)) == found

    def test_goes_on_over_pages(self, desk: Desk) -> None:
        for number in range(100, 110):
            desk.place.invoice(number, reg_no="105")

        assert all_ids(desk, limit=3, q="105") == list(range(109, 99, -1))

    @pytest.mark.parametrize("text", ["", "ab", "  ab  "])
    def test_of_less_than_three_characters_is_refused(self, desk: Desk, text: str) -> None:
        with pytest.raises(SearchWrong) as refused:
            desk.listing.page(q=text)

        assert refused.value.facts["fields"] == [
            {"field": "q", "problem": "needs at least 3 characters", "got": text.strip()}
        ]


class TestCursor:
    @pytest.mark.parametrize(
        "cursor",
        [
            "",
            "x",
            "\u00e9",
            "****",
            "A" * 5_000,
            base64.urlsafe_b64encode(b"\xff\xfe").decode(),
            base64.urlsafe_b64encode(json.dumps({"id": 5}).encode()).decode(),
            base64.urlsafe_b64encode(json.dumps(["x", "", 5]).encode()).decode(),
        ],
    )
    def test_that_is_broken_is_refused(self, desk: Desk, cursor: str) -> None:
        with pytest.raises(CursorWrong) as refused:
            desk.listing.page(cursor=cursor)
        with pytest.raises(CursorWrong):
            desk.listing.preview(limit=1, cursor=cursor)

        assert refused.value.cause == "validation_failed"
        assert "cursor" in str(refused.value.facts["problem"])

    def test_of_another_question_is_refused(self, desk: Desk) -> None:
        for number in range(1, 4):
            desk.place.invoice(number)
        cursor = desk.listing.page(limit=1).next_cursor

        with pytest.raises(CursorWrong):
            desk.listing.page(limit=1, fee=1, cursor=cursor)
        with pytest.raises(CursorWrong):
            desk.listing.preview(limit=1, cursor=cursor)


class TestCause:
    def test_lists_what_failed_so(self, desk: Desk) -> None:
        for number in range(1, 9):
            desk.place.invoice(number, QuickBk_Status=2)
        desk.place.invoice(9, QuickBk_Status=0)
        desk.refuse([1, 3, 5, 7, 9], cause="customer_not_found")
        desk.refuse([2], cause="date_invalid")

        assert all_ids(desk, limit=2, cause="customer_not_found") == [7, 5, 3, 1]
        assert all_ids(desk, limit=2, cause="failed_elsewhere") == [8, 6, 4]
        assert all_ids(desk, limit=2, cause="date_invalid", status="synced") == []
        assert all_ids(desk, limit=9, cause="date_invalid", q="MIS-2") == [2]


class TestFlags:
    def test_of_held_are_for_what_may_still_be_sent(self, desk: Desk) -> None:
        for number, status in enumerate((0, 1, 2, 3, 0), start=1):
            desk.place.invoice(number, QuickBk_Status=status)
            if number != 5:
                desk.rooms.journal.hold(number, reason="wait", by=UWASE)

        assert all_ids(desk, limit=1, flag="held") == [3, 1]
        assert desk.listing.flag_counts()["held"] == 2

    @pytest.mark.covers("E15")
    def test_tell_what_is_not_proved_and_what_changed(self, desk: Desk) -> None:
        lease = desk.rooms.lease()
        desk.rooms.customers.link(TAG, "20230001", "58", adopted=False, by=UWASE, lease=lease)
        desk.rooms.leases.release(lease)
        differs: list[dict[str, object]] = [
            {},
            {"dept": 475000},
            {"invoice_date": "2025-11-19"},
            {"invoice_date": None},
            {"reg_no": "20239999"},
            {"comment": "other"},
        ]
        for number, values in enumerate(differs, start=1):
            desk.place.invoice(number, **(SENT | values))
        desk.place.invoice(7, **SENT)
        desk.confirm(range(1, 7))

        assert all_ids(desk, limit=2, flag="changed") == [5, 4, 3, 2]
        assert all_ids(desk, limit=2, flag="unverified") == [7]
        counts = desk.listing.flag_counts()
        assert (counts["unverified"], counts["changed"]) == (1, None)

    def test_look_at_many_rows_and_go_on_where_they_stopped(
        self, file_place: Place, tmp_path: Path
    ) -> None:
        most = listing.ROWS * listing.LOOKS_MOST
        with desk_at(file_place, folder=tmp_path) as desk:
            with file_place.engine.begin() as link:
                rows = [{"id": one, "status": 2} for one in range(1, most + 701)]
                link.execute(
                    sql.text("INSERT INTO tbl_imvoice (id, QuickBk_Status) VALUES (:id, :status)"),
                    rows,
                )
            desk.refuse(range(2, most + 701), cause="date_invalid")

            first = desk.listing.page(cause="failed_elsewhere", limit=5)
            assert first.invoices == ()
            assert first.next_cursor is not None
            rest = desk.listing.page(cause="failed_elsewhere", limit=5, cursor=first.next_cursor)
            assert (ids(rest), rest.next_cursor) == ([1], None)

    def test_tell_settling_from_stuck(self, desk: Desk) -> None:
        lease = desk.unclear(1, minutes=10)
        desk.rooms.claimed([1], lease=lease)
        desk.place.invoice(1, QuickBk_Status=3, pushed_by=CLAIM, pushed_date="2026-01-02 03:04:05")
        assert desk.listing.settling() == {}  # its sender is alive
        assert all_ids(desk, limit=5, status="in_progress") == [1]

        desk.rooms.leases.release(lease)
        assert all_ids(desk, limit=5, flag="settling") == [1]
        assert list(desk.listing.settling()) == [1]
        assert desk.listing.settling([2]) == {}
        assert desk.listing.flag_counts() == {
            "settling": 1,
            "stuck": 0,
            "held": 0,
            "unverified": 0,
            "changed": None,
        }

        assert isinstance(desk.clock, JumpingClock)
        desk.clock.wall_ms += 11 * 60_000
        assert all_ids(desk, limit=5, flag="stuck") == [1]
        assert all_ids(desk, limit=5, flag="settling") == []
        assert desk.listing.flag_counts()["stuck"] == 1

    def test_of_a_dead_sender_wait_from_its_end(self, desk: Desk) -> None:
        lease = desk.rooms.lease()
        desk.rooms.claimed([1, 2], lease=lease)
        desk.rooms.sent([1], lease=lease)
        desk.rooms.leases.release(lease)
        for number in (1, 2):
            desk.place.invoice(number, QuickBk_Status=3, pushed_by=CLAIM)

        flags = {one.row.id: one.flag for one in desk.listing.page(limit=5).invoices}

        assert flags == {1: Flag.SETTLING, 2: Flag.STUCK}  # nothing was sent for the second

    def test_of_other_programs_wait_as_if_their_lease_ran(self, desk: Desk) -> None:
        now = desk.clock.now()
        old = now.replace(microsecond=0)
        desk.place.invoice(1, QuickBk_Status=3, pushed_by="old", pushed_date=f"{old:%F %T}")
        desk.place.invoice(2, QuickBk_Status=3, pushed_by="old", pushed_date="2020-01-01 00:00:00")
        desk.place.invoice(3, QuickBk_Status=3)

        until = desk.listing.settling()

        assert (until[1] - old).total_seconds() * 1000 == LEASE_MS + GRACE_MS
        assert until[2] < now < until[3]


class TestOne:
    def test_has_its_plan_and_its_story(self, desk: Desk) -> None:
        desk.place.invoice(1, **SENT)
        desk.confirm([1])

        found = desk.listing.one(1)

        assert found is not None
        assert found.listed.receipt is not None
        assert found.listed.receipt.doc_number == "MIS-1"
        assert (found.listed.status, found.listed.looks_fixed) == (Status.SYNCED, None)
        assert {one.cause for one in found.plan.problems} == {
            "customer_not_found",
            "fee_category_unmapped",
        }
        assert found.timeline

    def test_that_is_not_there_is_none(self, desk: Desk) -> None:
        assert desk.listing.one(1) is None


class TestPreview:
    def test_goes_in_the_order_of_sending(self, desk: Desk) -> None:
        for number, status in enumerate((2, 0, None, 0, 1, 2, 2, 0), start=1):
            desk.place.invoice(number, QuickBk_Status=status)
        desk.rooms.journal.hold(4, reason="wait", by=UWASE)
        desk.refuse([6], cause="quickbooks_rejected")

        whole = desk.listing.preview(limit=10)
        met: list[int] = []
        cursor = None
        while True:
            part = desk.listing.preview(limit=2, cursor=cursor)
            met += [one.plan.invoice.id for one in part.invoices]
            cursor = part.next_cursor
            if cursor is None:
                break

        assert met == [one.plan.invoice.id for one in whole.invoices]
        assert met[:3] == [2, 3, 8]
        assert set(met[3:]) <= {1, 6, 7}
        assert {1, 7} <= set(met[3:])
        assert (whole.waiting, whole.next_cursor) == (4, None)
        passed = desk.listing.preview(limit=2, offset=1)
        assert [one.plan.invoice.id for one in passed.invoices] == [3, 8]

    def test_past_the_end_is_empty(self, desk: Desk) -> None:
        desk.place.invoice(1)

        after = desk.listing.preview(limit=5, offset=9)

        assert (after.invoices, after.waiting, after.next_cursor) == ((), 1, None)

    def test_without_a_company_shows_what_waits(self, file_place: Place, tmp_path: Path) -> None:
        file_place.invoice(1)
        file_place.invoice(2, QuickBk_Status=2)
        with desk_at(file_place, folder=tmp_path, bound=False) as desk:
            seen = desk.listing.preview(limit=5)
            page = desk.listing.page(limit=5)

        assert [one.plan.invoice.id for one in seen.invoices] == [1]
        assert [one.looks_fixed for one in page.invoices] == [None, None]
