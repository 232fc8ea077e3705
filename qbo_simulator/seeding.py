"""Filling the books by hand, and changing them as a person in QuickBooks would."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from qbo_simulator import writing
from qbo_simulator.books import Row, row_of
from qbo_simulator.clock import stamp
from qbo_simulator.codec import Thing, rounded
from qbo_simulator.desk import Desk
from qbo_simulator.entities import KINDS, Kind
from qbo_simulator.people import GONE
from qbo_simulator.shapes import Check

LISTS: Final = {
    "items": "Item",
    "accounts": "Account",
    "customers": "Customer",
    "vendors": "Vendor",
    "employees": "Employee",
    "departments": "Department",
    "classes": "Class",
    "terms": "Term",
    "tax_rates": "TaxRate",
    "tax_codes": "TaxCode",
    "invoices": "Invoice",
}


class NotSeedable(ValueError):
    """A list, an entity or an object the simulator does not have."""


def seeded(desk: Desk, given: Thing) -> Thing:
    """Create what the lists name, in the order customers need them.

    Returns:
        The new ids by list, in the order given.

    Raises:
        NotSeedable: An unknown list.
    """
    for name in given:
        if name not in LISTS and name != "documents":
            raise NotSeedable(name)
    for one in given.get("documents", ()):
        # Documents of other types only hold their number against ours.
        txn_id = desk.books.next_id("transactions")
        txn_type = one.get("TxnType", "SalesReceipt")
        desk.books.strangers[str(one["DocNumber"])] = f"{txn_type} {txn_id}"
        desk.books.save()
    return {name: [_seed(desk, LISTS[name], one) for one in given[name]] for name in LISTS
            if name in given}  # fmt: skip


def seed_line(desk: Desk, one: Thing) -> str:
    """Create what one JSON line of a seed file describes, return its id."""
    return _seed(desk, str(one.pop("entity")), one)


def _seed(desk: Desk, entity: str, one: Thing) -> str:
    if entity not in KINDS:
        raise NotSeedable(entity)
    kind = KINDS[entity]
    given = dict(one)
    if entity == "Invoice":
        return str(_invoice(desk, given).row_id)
    active = bool(given.pop("Active", True))
    if entity == "Item":
        given.setdefault("IncomeAccountRef", {"value": "1"})
    if entity == "Account":
        given.setdefault("AccountType", "Income")
    row = _created(desk, kind, given)
    if not active:
        row = _laid(desk, row, {"Active": False})
    return str(row.row_id)


def _created(desk: Desk, kind: Kind, given: Thing) -> Row:
    if not kind.written_by_api:
        whole = {"Active": True, "FullyQualifiedName": given.get("Name", ""), **given}
    else:
        cleaned = Check(entity=kind.entity).clean(kind.shape, given)
        whole = writing.composed(desk, kind, cleaned, old=None)
    row_id = desk.books.next_id(kind.sequence)
    return writing.kept(desk, kind, whole, row_id=row_id, before=None)


def _invoice(desk: Desk, given: Thing) -> Row:
    void = bool(given.pop("voided", False))
    gone = bool(given.pop("deleted", False))
    body = given if "CustomerRef" in given else _short(desk, given)
    row = _created(desk, KINDS["Invoice"], body)
    if void:
        row, _ = writing.void(desk, row)
    if gone:
        row = writing.delete(desk, row)
    return row


def _short(desk: Desk, given: Thing) -> Thing:
    name = str(given["CustomerName"])
    holder = desk.books.named("Customer", name)
    if holder is None:
        customer_id = _created(desk, KINDS["Customer"], {"DisplayName": name}).row_id
    else:
        customer_id = holder[1]
    item = str(given.get("ItemId", "1"))
    body = {
        "CustomerRef": {"value": str(customer_id)},
        "TxnDate": given.get("TxnDate", desk.today()),
        "Line": [
            {
                "Amount": Decimal(str(given.get("Total", "0"))),
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": item}},
            }
        ],
    }
    return body | {name: given[name] for name in ("DocNumber", "PrivateNote") if name in given}


def edited(desk: Desk, given: Thing) -> Thing:
    """Change one object as a person would: no token, no closed books, no questions.

    `change` holds properties, or one of `{"void": true}`, `{"delete": true}`, `{"merge_into": id}`,
    `{"paid": amount}`, `{"total": amount}`.

    Raises:
        NotSeedable: No such object.
    """
    entity = str(given["entity"])
    if entity not in KINDS:
        raise NotSeedable(entity)
    row = _found(desk, entity, given)
    change = dict(given["change"])
    if change.pop("void", False):
        row, _ = writing.void(desk, row)
    if change.pop("delete", False):
        row = writing.delete(desk, row)
    if "merge_into" in change:
        change.pop("merge_into")
        desk.books.merged.add(row.row_id)
        desk.books.save()
        change["Active"] = False
    if change:
        row = _laid(desk, row, change)
    return row.thing() | {"deleted": row.deleted, "voided": row.voided}


def _found(desk: Desk, entity: str, given: Thing) -> Row:
    ids: Iterable[int] = ()
    if "id" in given:
        ids = [int(given["id"])]
    elif "doc_number" in given:
        ids = desk.books.numbered(str(given["doc_number"]), entity=entity)
    elif "name" in given:
        holder = desk.books.named(entity, str(given["name"]))
        ids = [holder[1]] if holder and holder[0] == entity else []
    for row_id in ids:
        row = desk.books.row(entity, row_id)
        if row is not None:
            return row
    raise NotSeedable(f"{entity} {given}")


def _laid(desk: Desk, row: Row, change: Thing) -> Row:
    whole = row.thing()
    if "paid" in change:
        paid = Decimal(str(change.pop("paid")))
        whole["Balance"] = rounded(row.total - paid)
        whole["LinkedTxn"] = [{"TxnId": "9000002", "TxnType": "Payment"}] if paid else []
    if "total" in change:
        total = rounded(Decimal(str(change.pop("total"))))
        whole |= {"TotalAmt": total, "Balance": total - (row.total - row.balance)}
        for line in whole["Line"]:
            line["Amount"] = total
    if "Active" in change:
        _rename(whole, KINDS[row.entity].name_property, active=bool(change["Active"]))
    whole |= change
    whole["SyncToken"] = str(row.token + 1)
    whole["MetaData"]["LastUpdatedTime"] = stamp(desk.now)
    return writing.stored(desk, row_of(row.entity, whole, voided=row.voided), before=row)


def _rename(whole: Thing, name_property: str, *, active: bool) -> None:
    for name in {name_property, "FullyQualifiedName"} & set(whole):
        plain = str(whole[name]).removesuffix(GONE)
        whole[name] = plain if active else plain + GONE
