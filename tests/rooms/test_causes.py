from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sql

from application.services import causes
from tests.rooms.desk_support import Desk, desk_at
from tests.rooms.mis_support import Place
from tests.rooms.store_support import UWASE


@pytest.fixture
def desk(place: Place, tmp_path: Path) -> Iterator[Desk]:
    with desk_at(place, folder=tmp_path) as opened:
        yield opened


class TestGroups:
    def test_of_nothing_are_none(self, desk: Desk) -> None:
        desk.place.invoice(1)

        assert desk.causes.groups() == []

    def test_tell_how_many_how_much_and_who(self, desk: Desk) -> None:
        for number in range(1, 9):
            desk.place.invoice(number, QuickBk_Status=2, dept=number * 100)
        desk.refuse(range(1, 7), cause="customer_not_found")
        desk.refuse([7], cause="date_invalid")

        first, second, others = desk.causes.groups()

        assert (first.cause, first.count, first.amount) == (
            "customer_not_found",
            6,
            Decimal("2100.00"),
        )
        assert first.sample_ids == (6, 5, 4, 3, 2)
        assert first.first_seen is not None
        assert (second.cause, second.count, second.sample_ids) == ("date_invalid", 1, (7,))
        assert (others.cause, others.count, others.amount) == (
            "failed_elsewhere",
            1,
            Decimal("800.00"),
        )
        assert (others.first_seen, others.sample_ids) == (None, (8,))

    def test_count_which_look_fixed(self, desk: Desk) -> None:
        desk.fee(1, "Tuition")
        desk.products("Tuition")
        for number in (1, 2, 3):
            desk.place.invoice(number, QuickBk_Status=2, reg_no=f"R{number}")
        desk.refuse([1, 2, 3], cause="customer_not_found")
        (before,) = desk.causes.groups()

        desk.place.student(1, "R1", fname="A", lname="B")
        desk.place.student(2, "R2", fname="A", lname="B")
        desk.rooms.journal.hold(2, reason="wait", by=UWASE)
        (after,) = desk.causes.groups()

        assert (before.looks_fixed, after.looks_fixed) == (0, 1)

    def test_above_what_is_looked_at_tell_no_number(
        self, file_place: Place, tmp_path: Path
    ) -> None:
        numbers = range(1, causes.CHECKED_MOST + 2)
        with file_place.engine.begin() as link:
            link.execute(
                sql.text("INSERT INTO tbl_imvoice (id, dept, QuickBk_Status) VALUES (:id, 10, 2)"),
                [{"id": one} for one in numbers],
            )
        with desk_at(file_place, folder=tmp_path) as desk:
            desk.refuse(numbers, cause="date_invalid")

            (group,) = desk.causes.groups()

        assert (group.count, group.looks_fixed) == (causes.CHECKED_MOST + 1, None)
        assert group.amount == Decimal(10) * group.count

    def test_leave_out_what_failed_no_more(self, desk: Desk) -> None:
        for number, status in enumerate((2, 0, 1), start=1):
            desk.place.invoice(number, QuickBk_Status=status)
        desk.refuse([1, 2, 3, 4], cause="date_invalid")  # the fourth is gone from the MIS

        assert [(one.count, one.sample_ids) for one in desk.causes.groups()] == [(1, (1,))]

    def test_add_up_to_what_failed_and_what_would_be_sent(self, desk: Desk) -> None:
        amounts = {1: 100, 2: -50, 3: None, 4: 70, 5: 1}
        for number, amount in amounts.items():
            status = 7 if number == 5 else 2
            desk.place.invoice(number, QuickBk_Status=status, dept=amount)
        desk.refuse([1, 2, 3], cause="invalid_amount")
        groups = desk.causes.groups()
        counts = desk.progress.counts()

        assert [(one.cause, one.count, one.amount) for one in groups] == [
            ("invalid_amount", 3, Decimal(100)),
            ("failed_elsewhere", 1, Decimal(70)),
            ("status_invalid", 1, Decimal(1)),
        ]
        assert sum(one.count for one in groups) == counts.failed
        assert sum(one.amount for one in groups) == counts.amounts["failed"]

    def test_of_other_programs_look_fixed_unless_held(self, desk: Desk) -> None:
        for number in (1, 2):
            desk.place.invoice(number, QuickBk_Status=2)
        desk.rooms.journal.hold(2, reason="wait", by=UWASE)

        (group,) = desk.causes.groups()

        assert (group.cause, group.looks_fixed) == ("failed_elsewhere", 1)

    def test_without_a_company_look_at_nothing(self, file_place: Place, tmp_path: Path) -> None:
        file_place.invoice(1, QuickBk_Status=2)
        with desk_at(file_place, folder=tmp_path, bound=False) as desk:
            desk.refuse([1], cause="customer_not_found")

            assert [one.looks_fixed for one in desk.causes.groups()] == [0]
            assert list(desk.causes.ids_of(only_fixed=True)) == []


class TestIds:
    def test_are_of_one_cause_or_run_lowest_first(self, desk: Desk) -> None:
        desk.fee(1, "Tuition")
        desk.products("Tuition")
        for number in (1, 2, 3):
            desk.place.invoice(number, QuickBk_Status=2)
        desk.refuse([3, 1], cause="customer_not_found")
        desk.refuse([2], cause="date_invalid")
        desk.place.student(1, "20230001", fname="A", lname="B")

        assert list(desk.causes.ids_of(cause="customer_not_found")) == [1, 3]
        assert list(desk.causes.ids_of(run_id=1)) == [1, 2, 3]
        assert list(desk.causes.ids_of(run_id=2)) == []
        assert list(desk.causes.ids_of(cause="customer_not_found", only_fixed=True)) == [1, 3]

    def test_of_other_programs_have_no_refusal(self, desk: Desk) -> None:
        for number, status in enumerate((2, 2, 7, 0, 2), start=1):
            desk.place.invoice(number, QuickBk_Status=status)
        desk.refuse([1], cause="date_invalid")

        assert list(desk.causes.ids_of(cause="failed_elsewhere")) == [2, 5]
        assert list(desk.causes.ids_of(cause="failed_elsewhere", only_fixed=True)) == [2, 5]
        assert list(desk.causes.ids_of(cause="status_invalid")) == []

    def test_that_look_fixed_are_counted_by_fee(self, desk: Desk) -> None:
        for number, fee in enumerate((1, 1, 2, 1), start=1):
            desk.place.invoice(number, QuickBk_Status=2, fee_category=fee)
        desk.refuse([1, 2, 3], cause="customer_not_found")
        desk.refuse([4], cause="date_invalid")
        counted = [desk.causes.how_many_fixed(cause="customer_not_found", fee=1)]
        desk.place.student(1, "20230001", fname="A", lname="B")
        counted.append(desk.causes.how_many_fixed(cause="customer_not_found", fee=1))

        assert counted == [0, 2]

    def test_go_on_after_a_page(self, file_place: Place, tmp_path: Path) -> None:
        with desk_at(file_place, folder=tmp_path) as desk:
            wanted = list(range(1, causes.PAGE * 2 + 2))
            desk.refuse(wanted, cause="date_invalid")

            assert list(desk.causes.ids_of(cause="date_invalid")) == wanted
