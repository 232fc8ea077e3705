from collections.abc import Iterator
from pathlib import Path

import pytest

from application.invoices.model import Status
from application.services.listing import Flag
from tests.rooms.desk_support import TAG, Desk, desk_at
from tests.rooms.mis_support import Place, statements
from tests.rooms.store_support import CLAIM, UWASE, JumpingClock

SENT = {"dept": 450000, "invoice_date": "2025-11-18", "QuickBk_Status": 1}


@pytest.fixture
def desk(place: Place, tmp_path: Path) -> Iterator[Desk]:
    with desk_at(place, folder=tmp_path) as opened:
        yield opened


class TestCustomer:
    def linked(self, desk: Desk, *codes: str) -> str | None:
        lease = desk.rooms.lease()
        for code in codes:
            desk.rooms.customers.link(TAG, code, "58", adopted=False, by=UWASE, lease=lease)
            desk.rooms.customers.unlink(TAG, code, by=UWASE, lease=lease)
        desk.rooms.leases.release(lease)
        desk.place.invoice(1, **SENT)
        desk.confirm([1])
        found = desk.listing.one(1)
        assert found is not None
        return found.customer

    def test_is_named_by_the_payer_of_the_row(self, desk: Desk) -> None:
        assert self.linked(desk, "20230000", "20230001") == "20230001"

    def test_is_another_payer_s_where_the_row_changed(self, desk: Desk) -> None:
        assert self.linked(desk, "20239999") == "20239999"

    def test_nobody_linked_has_no_name(self, desk: Desk) -> None:
        assert self.linked(desk) is None


class TestStory:
    def test_names_the_run_behind_an_attempt(self, desk: Desk) -> None:
        desk.place.invoice(1, **SENT)
        desk.confirm([1])
        found = desk.listing.one(1)

        assert found is not None
        assert [one.run_id for one in found.timeline if one.event == "attempt"] == [1]

    def test_is_told_of_an_invoice_out_of_every_list(self, desk: Desk) -> None:
        desk.place.invoice(1, QuickBk_Status=7)
        found = desk.listing.one(1)

        assert found is not None
        assert (found.listed.status, found.listed.cause) == (Status.FAILED, "status_invalid")
        assert found.listed.looks_fixed is False


class TestCause:
    def test_is_known_of_every_failure(self, desk: Desk) -> None:
        for number, status in enumerate((2, 2, 7, 0, 9), start=1):
            desk.place.invoice(number, QuickBk_Status=status)
        desk.refuse([1], cause="date_invalid")
        page = desk.listing.page

        assert {one.row.id: one.cause for one in page(limit=9).invoices} == {
            1: "date_invalid",
            2: "failed_elsewhere",
            3: "status_invalid",
            4: None,
            5: "status_invalid",
        }
        found = [one.row.id for one in page(cause="status_invalid", limit=1).invoices]
        found += [one.row.id for one in page(cause="status_invalid", limit=5).invoices]
        assert found == [5, 5, 3]
        assert [one.row.id for one in page(cause="failed_elsewhere").invoices] == [2]


class TestAttention:
    def test_is_needed_by_what_failed_and_by_what_is_stuck(self, desk: Desk) -> None:
        for number, status in enumerate((2, 2, 2, 7, 0, 3), start=1):
            desk.place.invoice(number, QuickBk_Status=status)
        desk.rooms.journal.hold(1, reason="wait", by=UWASE)
        desk.rooms.journal.hold(5, reason="wait", by=UWASE)
        desk.place.invoice(7, QuickBk_Status=3, pushed_by=CLAIM)
        lease = desk.unclear(7, minutes=10)
        desk.rooms.claimed([7], lease=lease)
        desk.rooms.leases.release(lease)
        counts = desk.progress.counts()

        assert desk.listing.attention(counts) == 3  # both in progress may still settle
        assert isinstance(desk.clock, JumpingClock)
        desk.clock.wall_ms += 11 * 60_000
        assert desk.listing.attention(counts) == 4
        assert desk.listing.flag_counts(counts)["stuck"] == 1
        assert desk.listing.flag_counts()["held"] == 2

    def test_is_told_from_counts_that_are_known(self, desk: Desk) -> None:
        desk.place.invoice(1, **SENT)
        counts = desk.progress.counts()
        with statements() as asked:
            flags = desk.listing.flag_counts(counts)

        assert flags["unverified"] == 1
        assert not any("GROUP BY" in one for one in asked)


class TestFlags:
    def test_outlast_a_search(self, desk: Desk) -> None:
        for number in (1, 2, 3):
            desk.place.invoice(number, reg_no=f"25/{number}/BIT")
            desk.rooms.journal.hold(number, reason="wait", by=UWASE)

        found = desk.listing.page(flag="held", q="25/2/BIT").invoices

        assert [(one.row.id, one.flag) for one in found] == [(2, Flag.HELD)]
