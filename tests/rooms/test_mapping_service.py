from collections.abc import Iterator
from pathlib import Path

import pytest

from application.catalogue import NotConnected, NotFound
from application.invoices.model import ItemPolicy
from application.services.mapping import MappingRow
from tests.rooms.desk_support import TAG, Desk, desk_at
from tests.rooms.mis_support import Place
from tests.rooms.store_support import UWASE


@pytest.fixture
def desk(place: Place, tmp_path: Path) -> Iterator[Desk]:
    with desk_at(place, folder=tmp_path) as opened:
        opened.fee(1, "Tuition fee")
        opened.fee(2, "Library fine")
        opened.fee(3, "Graduation gown")
        opened.fee(4, "Unused")
        opened.products("tuition  FEE", "Library fees", "Parking")
        for number, (fee, status) in enumerate(
            ((1, 0), (1, None), (2, 2), (2, 2), (3, 0), (4, 1), (99, 0)), start=1
        ):
            opened.place.invoice(number, fee_category=fee, QuickBk_Status=status)
        opened.place.student(1, "20230001", fname="A", lname="B")
        yield opened


def row(desk: Desk, fee: int) -> MappingRow:
    (found,) = (one for one in desk.mapping.rows().rows if one.fee_category == fee)
    return found


class TestRows:
    def test_are_fees_in_use_with_their_products(self, desk: Desk) -> None:
        page = desk.mapping.rows(unmapped=False)

        assert [one.fee_category for one in page.rows] == [1, 2, 3, 99]
        assert (page.mapped, page.total) == (1, 4)
        assert page.products_read_at is not None
        tuition = page.rows[0]
        assert (tuition.fee, tuition.item_id, tuition.source) == ("Tuition fee", "1", "name")
        assert (tuition.waiting, tuition.failed, tuition.suggested) == (2, 0, None)

    def test_suggest_what_is_close_and_nothing_else(self, desk: Desk) -> None:
        library, gown, unknown = (row(desk, one) for one in (2, 3, 99))

        assert library.suggested is not None
        assert (library.suggested.id, library.suggested.name) == ("2", "Library fees")
        assert (library.source, library.item_id, library.failed) == ("none", None, 2)
        assert gown.suggested is None
        assert (unknown.fee, unknown.suggested, unknown.source) == (None, None, "none")

    def test_without_a_product_may_be_asked_alone(self, desk: Desk) -> None:
        page = desk.mapping.rows(unmapped=True)

        assert [one.fee_category for one in page.rows] == [2, 3, 99]
        assert (page.mapped, page.total) == (1, 4)

    def test_of_a_default_name_it(self, file_place: Place, tmp_path: Path) -> None:
        with desk_at(file_place, folder=tmp_path, policy=ItemPolicy.DEFAULT) as desk:
            desk.fee(1, "Tuition")
            desk.products("Other")
            file_place.invoice(1)

            assert (row(desk, 1).source, row(desk, 1).item) == ("default", "Other")

    def test_need_a_company(self, file_place: Place, tmp_path: Path) -> None:
        with desk_at(file_place, folder=tmp_path, bound=False) as desk:
            with pytest.raises(NotConnected):
                desk.mapping.rows()
            with pytest.raises(NotConnected):
                desk.mapping.choose(1, item_id="1", by=UWASE)
            with pytest.raises(NotConnected):
                desk.mapping.clear(1, by=UWASE)


class TestChoice:
    def test_takes_the_fee_and_tells_what_it_mends(self, desk: Desk) -> None:
        desk.refuse([3, 4], cause="fee_category_unmapped")

        chosen = desk.mapping.choose(2, item_id="3", by=UWASE)

        assert (chosen.row.item, chosen.row.source, chosen.row.suggested) == (
            "Parking",
            "person",
            None,
        )
        assert chosen.now_look_fixed == 2
        assert desk.rooms.items.chosen(TAG)[2].id == "3"

    def test_shows_a_fee_that_is_not_in_use(self, desk: Desk) -> None:
        desk.mapping.choose(4, item_id="3", by=UWASE)

        assert (row(desk, 4).source, row(desk, 4).waiting) == ("person", 0)

    def test_can_be_taken_back(self, desk: Desk) -> None:
        desk.refuse([3, 4], cause="fee_category_unmapped")
        desk.mapping.choose(2, item_id="3", by=UWASE)

        cleared = desk.mapping.clear(2, by=UWASE)
        again = desk.mapping.clear(2, by=UWASE)

        assert cleared == again
        assert (cleared.row.source, cleared.now_look_fixed) == ("none", 0)

    @pytest.mark.parametrize(("fee", "item"), [(98, "1"), (2, "77"), (2, "")])
    def test_of_what_is_not_there_is_refused(self, desk: Desk, fee: int, item: str) -> None:
        with pytest.raises(NotFound):
            desk.mapping.choose(fee, item_id=item, by=UWASE)
        assert desk.rooms.items.chosen(TAG) == {}

    def test_of_an_unknown_fee_cannot_be_taken_back(self, desk: Desk) -> None:
        with pytest.raises(NotFound):
            desk.mapping.clear(98, by=UWASE)


class TestEffect:
    def test_is_told_before_anything_is_kept(self, desk: Desk) -> None:
        desk.refuse([3], cause="fee_category_unmapped")
        desk.refuse([4], cause="customer_not_found")

        effect = desk.mapping.effect(2, item_id="3")

        assert effect.item is not None
        assert (effect.item.name, effect.freed, effect.row.failed) == ("Parking", 1, 2)
        assert desk.rooms.items.chosen(TAG) == {}

    def test_of_no_product_is_none(self, desk: Desk) -> None:
        desk.refuse([3], cause="fee_category_unmapped")

        effects = [desk.mapping.effect(2, item_id=one) for one in ("", "77")]

        assert [(one.item, one.freed) for one in effects] == [(None, 0)] * 2
        with pytest.raises(NotFound):
            desk.mapping.effect(98, item_id="1")

    def test_is_chosen_among_the_products_by_name(self, desk: Desk) -> None:
        assert [one.name for one in desk.mapping.products()] == [
            "Library fees",
            "Parking",
            "tuition  FEE",
        ]
