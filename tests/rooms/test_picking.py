"""Many invoices at once, on a real MIS and a real store: turned back, counted, picked, held."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from application.services.picking import Asked, Picking
from tests.rooms.desk_support import Desk, desk_at
from tests.rooms.mis_support import Place
from tests.rooms.store_support import UWASE

COUNT = 23


@pytest.fixture
def desk(place: Place, tmp_path: Path) -> Iterator[Desk]:
    with desk_at(place, folder=tmp_path) as opened:
        for number in range(1, COUNT + 1):
            status = (0, 1, 2)[number % 3]
            place.invoice(
                number,
                reg_no=f"R{number % 4}",
                fee_category=number % 2,
                QuickBk_Status=status,
                dept=1000 + number,
            )
        opened.refuse(range(2, COUNT + 1, 3), cause="customer_not_found")
        opened.confirm(range(1, 8, 3))
        opened.rooms.journal.hold(5, reason="wait", by=UWASE)
        opened.rooms.journal.hold(6, reason="wait", by=UWASE)
        yield opened


@pytest.fixture
def picking(desk: Desk) -> Picking:
    return Picking(
        reader=desk.reader,
        listing=desk.listing,
        choosing=desk.choosing,
        progress=desk.progress,
        plans=desk.plans,
        journal=desk.rooms.journal,
        company=desk.company,
        clock=desk.clock,
    )


QUESTIONS: tuple[dict[str, str | int], ...] = (
    {},
    {"status": "failed"},
    {"fee": 1},
    {"q": "R10"},
    {"cause": "customer_not_found"},
    {"cause": "customer_not_found", "fee": 1},
    {"flag": "held"},
    {"flag": "unverified"},
    {"cause": "failed_elsewhere"},
)


def question(picking: Picking, asked: dict[str, str | int]) -> Asked:
    return picking.asked(**asked)  # type: ignore[arg-type]  # each of its own type


def turned(desk: Desk, chosen: Asked) -> tuple[list[list[int]], list[list[int]]]:
    """Return the pages of a list on the way to its end, and on the way back, in one order."""
    page = desk.listing.found(chosen, limit=3)
    there = [[one.row.id for one in page.invoices]]
    while page.next_cursor is not None:
        page = desk.listing.found(chosen, limit=3, cursor=page.next_cursor)
        there.append([one.row.id for one in page.invoices])
    back = [there[-1]]
    while page.newer_cursor is not None:
        page = desk.listing.found(chosen, limit=3, cursor=page.newer_cursor)
        back.append([one.row.id for one in page.invoices])
    return there, back[::-1]


class TestPages:
    def test_turned_back_are_the_same(self, desk: Desk, picking: Picking) -> None:
        for asked in QUESTIONS:
            chosen = question(picking, asked)

            there, back = turned(desk, chosen)

            assert back == there, asked
            every = [one.row.id for one in desk.listing.every(chosen)]
            assert every == [one for page in there for one in page], asked

    def test_know_what_stands_beside_one(self, desk: Desk, picking: Picking) -> None:
        failed = picking.asked(status="failed")

        assert desk.listing.around(failed, 11) == (14, 8)
        assert desk.listing.around(failed, 23) == (None, 20)
        assert desk.listing.around(failed, 2) == (5, None)


class TestSum:
    def test_is_that_of_all_that_fit(self, desk: Desk, picking: Picking) -> None:
        for asked in QUESTIONS:
            chosen = question(picking, asked)
            every = list(desk.listing.every(chosen))

            found = picking.sum_of(chosen)

            assert (found.count, found.more) == (len(every), False), asked
            assert found.amount == sum((one.amount or Decimal(0) for one in every), Decimal(0))
            assert picking.sum_of(chosen, most=1).more is (len(every) > 1), asked


class TestPicked:
    def test_for_a_retry_have_failed_and_are_not_held(self, picking: Picking) -> None:
        picked = picking.chosen([1, 2, 3, 5, 8, 999])

        assert (picked.ids, picked.amount, picked.left_out) == ((2, 8), Decimal(2010), 3)
        assert 5 not in picking.failed(picking.asked(status="failed")).ids

    def test_are_held_together_and_once(self, desk: Desk, picking: Picking) -> None:
        assert picking.hold([1, 2, 3, 5], reason="scholarship", by=UWASE) == 2
        assert picking.hold([2, 3], reason="again", by=UWASE) == 0

        holds = desk.rooms.journal.holds([1, 2, 3, 5])
        assert {one: hold.reason for one, hold in holds.items()} == {
            2: "scholarship",
            3: "scholarship",
            5: "wait",
        }
        told = [each.event for each in desk.rooms.journal.timeline(3)]
        assert told.count("invoice.held") == 1


class TestSendable:
    def test_leaves_out_what_is_held(self, picking: Picking) -> None:
        found = picking.sendable()

        waiting = [one for one in range(1, COUNT + 1) if one % 3 == 0 and one != 6]
        assert found.held == 1
        assert found.count - found.fixed == len(waiting)
        assert found.amount >= sum(1000 + one for one in waiting)
