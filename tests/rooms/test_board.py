"""What has failed, cause by cause, as its page tells it; and what may be begun."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from application.services.board import Boards
from application.services.starting import Starting
from tests.rooms.desk_support import Desk, desk_at
from tests.rooms.mis_support import Place
from tests.rooms.store_support import REALM, UWASE, asked


@pytest.fixture
def desk(place: Place, tmp_path: Path) -> Iterator[Desk]:
    with desk_at(place, folder=tmp_path) as opened:
        yield opened


def boards(desk: Desk) -> Boards:
    return Boards(
        causes=desk.causes,
        listing=desk.listing,
        mapping=desk.mapping,
        company=desk.company,
        reader=desk.reader,
        journal=desk.rooms.journal,
        flags=desk.flags,
        clock=desk.clock,
    )


def starting(desk: Desk) -> Starting:
    return Starting(
        progress=desk.progress,
        company=desk.company,
        runs=desk.rooms.runs,
        journal=desk.rooms.journal,
        batch_size=50,
    )


class TestBoard:
    def test_of_nothing_is_empty(self, desk: Desk) -> None:
        board = boards(desk).board()

        assert (board.cards, board.count, board.amount) == ((), 0, Decimal(0))
        assert board.last_failed_at is None

    def test_has_the_largest_amount_first(self, desk: Desk) -> None:
        for number, amount in ((1, 10), (2, 20), (3, 900), (4, 5)):
            desk.place.invoice(number, QuickBk_Status=2, dept=amount, reg_no=f"R{number}")
        desk.refuse([1, 2, 4], cause="customer_not_found")
        desk.refuse([3], cause="date_invalid")
        desk.rooms.journal.hold(2, reason="wait", by=UWASE)

        board = boards(desk).board()

        assert [one.group.cause for one in board.cards] == ["date_invalid", "customer_not_found"]
        assert (board.count, board.amount) == (4, Decimal(935))
        customer = board.cards[1]
        assert customer.payers == ("R4", "R2", "R1")
        assert (customer.more, customer.group.held) == (0, 1)
        assert customer.facts == {"reg_no": "25/00411/BBA"}
        assert boards(desk).card("date_invalid") == board.cards[0]
        assert boards(desk).card("period_closed") is None

    def test_offers_a_product_for_a_fee_that_has_none(self, desk: Desk) -> None:
        desk.fee(7, "Library fine")
        desk.products("Tuition", "Library fines")
        for number, cause in ((1, "fee_category_unmapped"), (2, "date_invalid")):
            desk.place.invoice(number, QuickBk_Status=2, fee_category=7)
            desk.refuse([number], cause=cause)

        card = boards(desk).card("fee_category_unmapped")

        assert card is not None
        (fee,) = card.fees
        assert (fee.row.fee, fee.count) == ("Library fine", 1)
        assert fee.row.suggested is not None
        assert fee.row.suggested.name == "Library fines"
        assert [one.name for one in desk.mapping.products()] == ["Library fines", "Tuition"]

    def test_counts_what_got_across_after_it_had_failed(self, desk: Desk) -> None:
        desk.place.invoice(1, QuickBk_Status=2)
        desk.refuse([1], cause="date_invalid")
        before = boards(desk).board()
        lease = desk.rooms.lease()
        desk.rooms.claimed([1], lease=lease)  # which closes the refusal
        desk.rooms.confirmed([1], lease=lease)
        desk.place.run("UPDATE tbl_imvoice SET QuickBk_Status = 1")
        after = boards(desk).board()

        assert (before.resolved, after.resolved, after.count) == (0, 1, 0)
        assert after.last_failed_at is not None

    def test_tells_what_settles_by_itself(self, desk: Desk) -> None:
        desk.place.invoice(1, QuickBk_Status=3)
        desk.unclear(1, minutes=12)

        board = boards(desk).board()

        assert (board.settling, board.stuck) == (1, 0)
        assert board.settled_at is not None
        assert board.settled_at - desk.clock.now() > timedelta(minutes=11)


class TestOffer:
    def test_tells_what_waits_and_that_nobody_is_connected(self, desk: Desk) -> None:
        for number in range(1, 4):
            desk.place.invoice(number, dept=100)

        offer = starting(desk).offer()

        assert (offer.count, offer.amount, offer.batch_size) == (3, Decimal(300), 50)
        assert (offer.open, offer.state.problem) == (False, "authentication_failed")
        assert (offer.needs_word(100), offer.needs_word(101), offer.first) == (False, True, False)

    def test_names_the_run_that_keeps_others_out(self, desk: Desk) -> None:
        run = asked(desk.rooms)
        busy = starting(desk).offer().active
        desk.rooms.runs.finish(run.id, state="cancelled", by=UWASE)

        assert busy is not None
        assert busy.id == run.id
        assert starting(desk).offer().active is None

    def test_tells_a_condition_a_run_waits_for(self, desk: Desk) -> None:
        run = desk.rooms.runs.open(
            kind="all",
            by=UWASE,
            environment="simulator",
            realm_tag=REALM.tag,
            holder="desk-1",
            durable=True,
            sole=True,
        )
        desk.rooms.runs.rest(
            run.id, turn=run.turn, state="waiting_quickbooks", by=UWASE, cause="company_inactive"
        )

        trouble = starting(desk).offer().trouble

        assert trouble is not None
        assert trouble.cause == "company_inactive"
