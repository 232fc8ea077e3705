"""The four writes: create, update, void, delete, and what each leaves behind."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from qbo_simulator import invoices, lists, people, refusals
from qbo_simulator.books import Row, row_of
from qbo_simulator.clock import stamp
from qbo_simulator.codec import Thing, encode, rounded
from qbo_simulator.desk import Desk
from qbo_simulator.entities import PEOPLE, Kind
from qbo_simulator.shapes import Check

FIRST: Final = ("domain", "sparse", "Id", "SyncToken", "MetaData")
UNCOUNTED: Final = frozenset({"SyncToken", "MetaData"})


def written(desk: Desk, kind: Kind, body: Thing, *, operation: str) -> tuple[Row, bytes]:
    """Do one write and return the row it left and the entity's JSON in the answer.

    Args:
        desk: The write in progress.
        kind: The entity.
        body: As it came in.
        operation: `""` for create or update, `update`, `delete` or `void`.

    Raises:
        Refusal: Nothing was changed.
    """
    if desk.books.suspended:
        raise refusals.lapsed_company()
    if not kind.written_by_api:
        raise refusals.unsupported(f"create of {kind.entity}")
    if operation in {"delete", "void"}:
        if not kind.transaction:
            raise refusals.unsupported(f"{operation} of {kind.entity}")
        row = standing(desk, kind, body)
        return _deleted(desk, kind, row) if operation == "delete" else _voided(desk, row)
    check = Check(entity=kind.entity, phone_max=desk.knobs.phone_max, notes=desk.notes)
    cleaned = check.clean(kind.shape, body)
    if body.get("Id") not in {None, "", 0, "0"}:
        return _updated(desk, kind, body, cleaned=cleaned)
    if operation == "update":
        raise refusals.missing("Id")
    return _created(desk, kind, cleaned)


def standing(desk: Desk, kind: Kind, body: Thing) -> Row:
    """Return the row a body speaks of, if its token is the newest.

    Raises:
        Refusal: No such object, no token, an old token.
    """
    row_id = valid_id(body.get("Id"), notes=desk.notes)
    token = body.get("SyncToken")
    row = desk.books.row(kind.entity, row_id)
    if row is None or row.deleted or (kind.entity, row_id) in desk.hidden:
        raise refusals.not_found()
    if token is None or token == "":
        raise refusals.missing("SyncToken")
    if str(token) != str(row.token):
        raise refusals.stale(kind.entity)
    if row.entity in PEOPLE and row.row_id in desk.books.merged:
        raise refusals.business("You cannot modify a list element that has been deleted.")
    return row


def valid_id(given: object, *, notes: list[str]) -> int:
    """Return an Id as a number.

    Raises:
        Refusal: 2030, not a number.
    """
    if given is None or given == "":
        raise refusals.missing("Id")
    if not isinstance(given, str):
        notes.append("numeric_id")
    text = str(given)
    if not (text.isascii() and text.isdecimal()):
        raise refusals.Refusal(
            "2030",
            "Invalid ID",
            f"Id should be a valid number. Supplied value:{text}",
            element="Id",
        )
    return int(text)


def kept(desk: Desk, kind: Kind, whole: Thing, *, row_id: int, before: Row | None) -> Row:
    """Give the object its Id, token and times, put it in the books, move what hangs on it."""
    now = stamp(desk.now)
    created = before.thing()["MetaData"]["CreateTime"] if before else now
    head = {
        "domain": "QBO",
        "sparse": False,
        "Id": str(row_id),
        "SyncToken": str(before.token + 1 if before else 0),
        "MetaData": {"CreateTime": created, "LastUpdatedTime": now},
    }
    was_void = before.voided if before else False
    row = row_of(kind.entity, head | whole, voided=was_void)
    return stored(desk, row, before=before)


def stored(desk: Desk, row: Row, *, before: Row | None) -> Row:
    """Put a row in the books and move the customer's balance with it."""
    desk.books.put(row, visible_at_s=_visible_at(desk))
    if row.entity == "Invoice":
        _move_balances(desk, row, before=before)
    return row


def composed(desk: Desk, kind: Kind, given: Thing, *, old: Thing | None) -> Thing:
    """Return the whole object of any entity from a checked body."""
    if kind.entity == "Invoice":
        return invoices.composed(desk, given, old=old)
    compose: Callable[..., Thing] = people.composed if kind.entity in PEOPLE else lists.composed
    return compose(desk, given, entity=kind.entity, old=old)


def _created(desk: Desk, kind: Kind, cleaned: Thing) -> tuple[Row, bytes]:
    for name in FIRST:
        cleaned.pop(name, None)
    whole = composed(desk, kind, cleaned, old=None)
    if kind.entity == "Invoice":
        invoices.refuse_taken_number(desk, whole, own_id=None)
        if desk.knobs.auto_apply_credit:
            whole |= _credit(whole)
    row = kept(desk, kind, whole, row_id=desk.books.next_id(kind.sequence), before=None)
    return row, row.body


def _credit(whole: Thing) -> Thing:
    half = rounded(Decimal(whole["TotalAmt"]) / 2)
    return {
        "Balance": whole["TotalAmt"] - half,
        "LinkedTxn": [{"TxnId": "9000001", "TxnType": "CreditMemo"}],
    }


def _updated(desk: Desk, kind: Kind, body: Thing, *, cleaned: Thing) -> tuple[Row, bytes]:
    before = standing(desk, kind, body)
    old = before.thing()
    if kind.entity == "Invoice":
        invoices.refuse_closed(desk, before.dated)
    sparse = body.get("sparse") in {True, "true"}
    if not sparse:
        desk.notes.append("full_update")
    for name in FIRST:
        cleaned.pop(name, None)
    whole = composed(desk, kind, _laid_over(kind, old, cleaned, sparse=sparse), old=old)
    if kind.entity == "Invoice":
        invoices.refuse_taken_number(desk, whole, own_id=before.row_id)
    head = {name: old[name] for name in FIRST}
    # Compared as text: a Decimal read back as an int is still the same money.
    if _canonical(head | whole) == _canonical(old):
        return before, before.body
    row = kept(desk, kind, whole, row_id=before.row_id, before=before)
    return row, row.body


def _laid_over(kind: Kind, old: Thing, cleaned: Thing, *, sparse: bool) -> Thing:
    if sparse:
        base = dict(old)
    elif kind.entity == "Invoice":
        base = {name: old[name] for name in invoices.FULL_UPDATE_KEEPS if name in old}
    else:
        keeps = people.FULL_UPDATE_KEEPS if kind.entity in PEOPLE else lists.FULL_UPDATE_KEEPS
        base = {name: old[name] for name in keeps if name in old}
    for name in (*FIRST, "TotalAmt", "HomeTotalAmt", "HomeBalance"):
        base.pop(name, None)
    if sparse and "TxnDate" in cleaned and "DueDate" not in cleaned:
        base.pop("DueDate", None)
    return base | cleaned


def _canonical(whole: Thing) -> object:
    def plain(value: Any) -> object:  # noqa: ANN401  # walks any JSON
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items() if name not in UNCOUNTED}
        if isinstance(value, list):
            return [plain(one) for one in value]
        if isinstance(value, Decimal):
            return value.normalize()
        return Decimal(value) if type(value) is int else value

    return plain(whole)


def _voided(desk: Desk, before: Row) -> tuple[Row, bytes]:
    invoices.refuse_closed(desk, before.dated)
    if before.voided:
        return before, before.body
    return void(desk, before)


def void(desk: Desk, before: Row) -> tuple[Row, bytes]:
    """Void an invoice without asking anything."""
    old = before.thing()
    whole = invoices.voided(old)
    whole["SyncToken"] = str(before.token + 1)
    whole["MetaData"] = old["MetaData"] | {"LastUpdatedTime": stamp(desk.now)}
    row = stored(desk, row_of("Invoice", whole, voided=True), before=before)
    return row, row.body


def _deleted(desk: Desk, kind: Kind, before: Row) -> tuple[Row, bytes]:
    invoices.refuse_closed(desk, before.dated)
    if before.balance != before.total:
        raise _paid_refusal(desk.knobs.delete_paid)
    row = delete(desk, before)
    stub = {"domain": "QBO", "status": "Deleted", "Id": str(before.row_id)}
    _ = kind
    return row, encode(stub)


def delete(desk: Desk, before: Row) -> Row:
    """Delete a document without asking anything; the ledger still shows it as deleted."""
    row = row_of(before.entity, before.thing(), deleted=True, voided=before.voided)
    row.updated_s = int(desk.now.timestamp())
    return stored(desk, row, before=before)


def _paid_refusal(mode: str) -> refusals.Refusal:
    if mode == "620":
        text = "Transaction is linked to a payment."
        return refusals.Refusal("620", "Txn ID cannot be linked", text, element="")
    if mode == "800":
        text = "Cannot delete, the object has dependencies."
        return refusals.Refusal("800", "Cannot Delete Object", text, element="")
    return refusals.business("This transaction has payments applied and cannot be deleted.")


def _visible_at(desk: Desk) -> float | None:
    low, high = desk.knobs.index_lag_s
    if high <= 0:
        return None
    return desk.virtual_s + desk.chance.uniform(low, high)


def _owed(row: Row | None) -> Decimal:
    return Decimal(0) if row is None or row.deleted else row.balance


def _move_balances(desk: Desk, row: Row, *, before: Row | None) -> None:
    if before is not None and before.customer_id != row.customer_id:
        _move(desk, before.customer_id, -_owed(before))
        _move(desk, row.customer_id, _owed(row))
        return
    change = _owed(row) - _owed(before)
    if change or before is None:
        _move(desk, row.customer_id, change)


def _move(desk: Desk, customer_id: int, change: Decimal) -> None:
    before = desk.books.row("Customer", customer_id)
    if before is None:
        return
    whole = before.thing()
    whole["Balance"] = rounded(Decimal(whole["Balance"]) + change)
    whole["BalanceWithJobs"] = rounded(Decimal(whole["BalanceWithJobs"]) + change)
    whole["MetaData"]["LastUpdatedTime"] = stamp(desk.now)
    desk.books.put(row_of("Customer", whole), visible_at_s=_visible_at(desk))
