"""Violations planted in the MIS, the store and QuickBooks: each is named, and nothing beside it."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.rooms.simulator_support import RunningSimulator
from tests.walks.verify_support import Place, books_of, copied

Named = set[tuple[str, str]]
Plant = Callable[[Place], Named]
OLD = "2020-01-01 08:00:00"


@pytest.fixture
def whole(synced_books: Path, tmp_path: Path) -> Iterator[Place]:
    """MIS, store and QuickBooks of one's own."""
    with books_of(synced_books, copied(synced_books, tmp_path)) as simulator:
        yield Place(tmp_path, simulator)


@pytest.fixture
def place(synced_books: Path, still_quickbooks: RunningSimulator, tmp_path: Path) -> Place:
    """MIS and store of one's own; nobody changes QuickBooks."""
    return Place(copied(synced_books, tmp_path), still_quickbooks)


def named(invoice_id: int, *checks: str) -> Named:
    return {(one, f"MIS-{invoice_id}") for one in checks}


def other_customer(place: Place, invoice_id: int) -> str:
    """Return a customer who is not the payer of this invoice."""
    [(own,)] = place.store("SELECT customer_id FROM intents WHERE invoice_id = ?", invoice_id)
    [(other,)] = place.store(
        "SELECT quickbooks_id FROM customers WHERE quickbooks_id <> ? ORDER BY id LIMIT 1", own
    )
    return str(other)


# -- QuickBooks -----------------------------------------------------------------------------------


def twice_alike(place: Place) -> Named:
    one = place.ids(1)[0]
    [(amount, dated)] = place.mis("SELECT dept, invoice_date FROM tbl_imvoice WHERE id = ?", one)
    place.seed(f"MIS-{one}", Total=str(Decimal(str(amount))), TxnDate=dated)
    return named(one, "I1")


def twice_otherwise(place: Place) -> Named:
    one = place.ids(1)[1]
    place.seed(f"MIS-{one}")
    return named(one, "I1")


def twice_while_failed(place: Place) -> Named:
    one = place.ids(2)[0]
    place.seed(f"MIS-{one}")
    place.seed(f"MIS-{one}")
    return named(one, "I1", "I3")


def deleted(place: Place) -> Named:
    one = place.ids(1)[2]
    place.edit(one, delete=True)
    return named(one, "I2")


def voided(place: Place) -> Named:
    one = place.ids(1)[3]
    place.edit(one, void=True)
    return named(one, "I2")


def renumbered(place: Place) -> Named:
    one = place.ids(1)[4]
    place.edit(one, DocNumber="2026-1")
    return named(one, "I2")


def stranger(place: Place) -> Named:
    place.seed("MIS-999999")
    return {("I3", "MIS-999999")}


def stranger_of_no_number(place: Place) -> Named:
    place.seed("MIS-00012x")
    return {("I3", "MIS-00012x")}


def stranger_for_a_failed_one(place: Place) -> Named:
    one = place.ids(2)[1]
    place.seed(f"MIS-{one}")
    return named(one, "I3")


def fitting_for_a_failed_one(place: Place) -> Named:
    [(one, payer)] = place.mis(
        "SELECT id, TRIM(reg_no) FROM tbl_imvoice WHERE QuickBk_Status = 1 ORDER BY id LIMIT 1"
    )
    place.mis(
        "INSERT INTO tbl_imvoice (id, reg_no, fee_category, dept, credit, invoice_date,"
        " QuickBk_Status) VALUES (7000001, ?, 1, 1250.5, 0, '2026-02-03', 2)",
        payer,
    )
    del one
    place.seed("MIS-7000001", CustomerName=payer, Total="1250.50", TxnDate="2026-02-03")
    return named(7000001, "I3", "I4")


def amount_edited(place: Place) -> Named:
    one = place.ids(1)[5]
    place.edit(one, total="1.01")
    return named(one, "I10")


def amount_edited_by_a_cent(place: Place) -> Named:
    one = place.ids(1)[6]
    [(total,)] = place.store("SELECT total FROM intents WHERE invoice_id = ?", one)
    place.edit(one, total=str(Decimal(total) + Decimal("0.01")))
    return named(one, "I10")


def date_edited(place: Place) -> Named:
    one = place.ids(1)[7]
    place.edit(one, TxnDate="2019-12-31")
    return named(one, "I10")


def moved_to_another_customer(place: Place) -> Named:
    one = place.ids(1)[8]
    place.edit(one, CustomerRef={"value": other_customer(place, one)})
    return named(one, "I12")


def customer_renamed(place: Place) -> Named:
    [(code, customer)] = place.store("SELECT code, quickbooks_id FROM customers LIMIT 1")
    change = {"DisplayName": "Somebody else"}
    asked = {"entity": "Customer", "id": customer, "change": change}
    place.simulator.control("POST", "edit", asked)
    return {("I12", code)}


QUICKBOOKS: list[Plant] = [
    twice_alike, twice_otherwise, twice_while_failed, deleted, voided, renumbered, stranger,
    stranger_of_no_number, stranger_for_a_failed_one, fitting_for_a_failed_one, amount_edited,
    amount_edited_by_a_cent, date_edited, moved_to_another_customer, customer_renamed,
]  # fmt: skip


class TestPlantedInQuickBooks:
    @pytest.mark.parametrize("plant", QUICKBOOKS, ids=lambda plant: str(plant.__name__))
    def test_is_named_and_nothing_beside_it(self, whole: Place, plant: Plant) -> None:
        wanted = plant(whole)

        assert whole.found() == wanted


# -- MIS and store --------------------------------------------------------------------------------


def set_back_by_hand(place: Place) -> Named:
    one = place.ids(1)[0]
    place.mis("UPDATE tbl_imvoice SET QuickBk_Status = 0 WHERE id = ?", one)
    return named(one, "I2", "I7")


def marked_without_a_receipt(place: Place) -> Named:
    one = place.ids(2)[0]
    place.mis("UPDATE tbl_imvoice SET QuickBk_Status = 1 WHERE id = ?", one)
    return named(one, "I2", "I7")


def row_deleted(place: Place) -> Named:
    one = place.ids(1)[1]
    place.mis("DELETE FROM tbl_imvoice WHERE id = ?", one)
    return named(one, "I3")


def failed_by_hand(place: Place) -> Named:
    one = place.ids(1)[2]
    place.mis("UPDATE tbl_imvoice SET QuickBk_Status = 2 WHERE id = ?", one)
    return named(one, "I2", "I4", "I7")


def failed_by_hand_and_in_the_store(place: Place) -> Named:
    one = place.ids(1)[3]
    place.mis("UPDATE tbl_imvoice SET QuickBk_Status = 2, pushed_by = 'hand' WHERE id = ?", one)
    place.store("UPDATE refusals SET invoice_id = ? WHERE id = 1", one)
    return named(one, "I2", "I4", "I7")


def stuck_for_years(place: Place) -> Named:
    one = place.ids(2)[1]
    statement = "UPDATE tbl_imvoice SET QuickBk_Status = 3, pushed_date = ? WHERE id = ?"
    place.mis(statement, OLD, one)
    return named(one, "I5")


def stuck_since_nobody_knows(place: Place) -> Named:
    one = place.ids(2)[2]
    place.mis("UPDATE tbl_imvoice SET QuickBk_Status = 3, pushed_date = NULL WHERE id = ?", one)
    return named(one, "I5")


def stuck_under_another_programs_mark(place: Place) -> Named:
    place.mis(
        "INSERT INTO tbl_imvoice (id, reg_no, dept, QuickBk_Status, pushed_by, pushed_date)"
        " VALUES (7000002, 'x', 5, 3, 'old tool', ?)",
        OLD,
    )
    return named(7000002, "I5")


def claimed_when_synced(place: Place) -> Named:
    one = place.ids(1)[4]
    former = '{"pushed_by":null,"pushed_date":null,"status":1}'
    place.store("UPDATE claim_rows SET former = ? WHERE invoice_id = ?", former, one)
    return named(one, "I6")


def marked_and_never_heard_of(place: Place) -> Named:
    place.mis(
        "INSERT INTO tbl_imvoice (id, reg_no, dept, QuickBk_Status, pushed_by)"
        " SELECT 7000003, 'x', 5, 2, pushed_by FROM tbl_imvoice WHERE id = ?",
        place.ids(1)[0],
    )
    return named(7000003, "I7")


def attempt_without_an_entry(place: Place) -> Named:
    one = place.ids(1)[5]
    place.store(
        "INSERT INTO attempts (intent_id, n, lane, lease_ulid, epoch, sent_at, boot_id, boot_ms,"
        " outcome) SELECT id, 9, 'single', '', 1, 0, '', 0, 'ok' FROM intents"
        " WHERE invoice_id = ?",
        one,
    )
    return named(one, "I7")


def promise_forgotten(place: Place) -> Named:
    one = place.ids(1)[6]
    place.store("UPDATE intents SET invoice_id = NULL WHERE invoice_id = ?", one)
    return named(one, "I7")


def another_receipt_in_the_store(place: Place) -> Named:
    one = place.ids(1)[7]
    place.store("UPDATE intents SET quickbooks_id = '99999' WHERE invoice_id = ?", one)
    return named(one, "I7")


def amount_changed_by_a_cent(place: Place) -> Named:
    one = place.ids(1)[8]
    place.mis("UPDATE tbl_imvoice SET dept = dept + 0.01 WHERE id = ?", one)
    return named(one, "I10")


def amount_changed_in_the_store(place: Place) -> Named:
    one = place.ids(1)[9]
    place.store("UPDATE intents SET total = '1.00' WHERE invoice_id = ?", one)
    return named(one, "I10")


def date_changed(place: Place) -> Named:
    one = place.ids(1)[10]
    place.mis("UPDATE tbl_imvoice SET invoice_date = '2020-02-29' WHERE id = ?", one)
    return named(one, "I10")


def payer_changed(place: Place) -> Named:
    one = place.ids(1)[11]
    place.mis("UPDATE tbl_imvoice SET reg_no = 'nobody' WHERE id = ?", one)
    return named(one, "I12")


def second_customer(place: Place) -> Named:
    [(tag, code)] = place.store("SELECT realm_tag, code FROM customers ORDER BY id LIMIT 1")
    place.store("CREATE TABLE loose AS SELECT * FROM customers")
    place.store("DROP TABLE customers")
    place.store("ALTER TABLE loose RENAME TO customers")
    place.store(
        "INSERT INTO customers (id, realm_tag, code, quickbooks_id, open, adopted, linked_at)"
        " VALUES (90001, ?, ?, '90001', 1, 0, 0)",
        tag,
        code,
    )
    return {("I12", code)}


FILES: list[Plant] = [
    set_back_by_hand, marked_without_a_receipt, row_deleted, failed_by_hand,
    failed_by_hand_and_in_the_store, stuck_for_years, stuck_since_nobody_knows,
    stuck_under_another_programs_mark, claimed_when_synced, marked_and_never_heard_of,
    attempt_without_an_entry, promise_forgotten, another_receipt_in_the_store,
    amount_changed_by_a_cent, amount_changed_in_the_store, date_changed, payer_changed,
    second_customer,
]  # fmt: skip


class TestPlantedInOurFiles:
    @pytest.mark.parametrize("plant", FILES, ids=lambda plant: str(plant.__name__))
    def test_is_named_and_nothing_beside_it(self, place: Place, plant: Plant) -> None:
        wanted = plant(place)

        assert place.found() == wanted
