"""Setting up: each step is done by a fact and undone with it; whoever has sent has set up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from application.catalogue import MisUnavailable, Stop
from application.services.looks import DOCTOR, Check, Looks
from application.services.setup import Setup, Step
from tests.rooms.desk_support import Desk, desk_at
from tests.rooms.mis_support import Place
from tests.rooms.store_support import UWASE


@pytest.fixture
def desk(file_place: Place, tmp_path: Path) -> Iterator[Desk]:
    with desk_at(file_place, folder=tmp_path) as opened:
        opened.fee(1, "Tuition fee")
        opened.products("Library")
        opened.place.invoice(1, fee_category=1)
        yield opened


def setup_of(
    desk: Desk, *, stop: Stop | None = None, demo: bool = False, makes_products: bool = False
) -> Setup:
    def figures() -> None:
        if stop is not None:
            raise stop

    return Setup(
        figures=figures,
        company=desk.company,
        mapping=desk.mapping,
        journal=desk.rooms.journal,
        looks=Looks(desk.rooms.items, clock=desk.clock),
        has_keys=True,
        makes_products=makes_products,
        demo=demo,
    )


def done(setup: Setup) -> set[Step]:
    return {one.step for one in setup.steps() if one.done}


class TestSteps:
    def test_stand_in_their_order_and_are_done_by_facts(self, desk: Desk) -> None:
        setup = setup_of(desk)

        assert [one.step for one in setup.steps()] == list(Step)
        assert done(setup) == {Step.MIS, Step.KEYS}
        desk.mapping.choose(1, item_id="1", by=UWASE)
        assert done(setup) == {Step.MIS, Step.KEYS, Step.FEES}
        desk.mapping.clear(1, by=UWASE)
        assert done(setup) == {Step.MIS, Step.KEYS}

    def test_tell_what_stands_in_the_way(self, desk: Desk) -> None:
        away = MisUnavailable(detail="it is away")

        mis = setup_of(desk, stop=away).steps()[0]

        assert (mis.done, mis.stop) == (False, away)

    @pytest.mark.parametrize(
        ("result", "steps"), [("ok", {Step.CHECKS}), ("warn", {Step.CHECKS}), ("fail", set())]
    )
    def test_take_what_doctor_found_last(self, desk: Desk, result: str, steps: set[Step]) -> None:
        Looks(desk.rooms.items, clock=desk.clock).keep(
            DOCTOR, [Check("Store", "ok", ""), Check("MIS", result, "")]
        )

        assert done(setup_of(desk)) & {Step.CHECKS} == steps

    def test_need_no_product_where_one_is_made(self, desk: Desk) -> None:
        assert Step.FEES in done(setup_of(desk, makes_products=True))


class TestLeft:
    def test_are_the_steps_that_are_not_done(self, desk: Desk) -> None:
        assert setup_of(desk).left() == 4

    def test_are_none_once_an_invoice_was_sent(self, desk: Desk) -> None:
        desk.confirm([1])

        assert setup_of(desk).left() == 0
        assert Step.FIRST in done(setup_of(desk))

    def test_are_none_in_a_demo(self, desk: Desk) -> None:
        assert setup_of(desk, demo=True).left() == 0
