"""The books as an observer reads them: every object, voided and deleted ones too."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from qbo_simulator.books import Books, Row
from qbo_simulator.codec import Thing, encode, rounded
from qbo_simulator.entities import PEOPLE


def ledger_of(books: Books, entity: str) -> Iterator[Thing]:
    """Yield one object after the other, by Id; money as text with two places."""
    rows = books.rows[entity]
    for row_id in sorted(rows):
        row = rows[row_id]
        yield _invoice(books, row) if entity == "Invoice" else _listed(row)


def newest_of(books: Books, entity: str, most: int) -> list[Thing]:
    """Return the newest live objects, newest first."""
    rows = books.rows[entity]
    live = (rows[row_id] for row_id in sorted(rows, reverse=True) if _state(rows[row_id]) == "live")
    return [
        _invoice(books, row) if entity == "Invoice" else _listed(row) for row in islice(live, most)
    ]


def ledger_lines(books: Books, entity: str) -> bytes:
    """Return the same as JSON lines."""
    return b"".join(encode(one) + b"\n" for one in ledger_of(books, entity))


def _state(row: Row) -> str:
    return "deleted" if row.deleted else "voided" if row.voided else "live"


def _invoice(books: Books, row: Row) -> Thing:
    whole = row.thing()
    customer = books.row("Customer", row.customer_id)
    items = [
        line["SalesItemLineDetail"].get("ItemRef", {}).get("value")
        for line in whole["Line"]
        if line["DetailType"] == "SalesItemLineDetail"
    ]
    return {
        "Id": whole["Id"],
        "SyncToken": whole["SyncToken"],
        "DocNumber": whole.get("DocNumber"),
        "TotalAmt": str(rounded(row.total)),
        "TotalTax": str(rounded(Decimal(whole["TxnTaxDetail"]["TotalTax"]))),
        "Balance": str(rounded(row.balance)),
        "CustomerRef": whole["CustomerRef"]["value"],
        "CustomerName": customer.name if customer else None,
        "TxnDate": whole["TxnDate"],
        "DueDate": whole["DueDate"],
        "ItemRef": items[0] if items else None,
        "ItemRefs": items,
        "PrivateNote": whole.get("PrivateNote"),
        "CreateTime": whole["MetaData"]["CreateTime"],
        "state": _state(row),
        "live": _state(row) == "live",
        "voided": row.voided,
        "deleted": row.deleted,
    }


def _listed(row: Row) -> Thing:
    whole = row.thing()
    balance = {"Balance": str(rounded(row.balance))} if row.entity in PEOPLE else {}
    return {
        "Id": whole["Id"],
        "SyncToken": whole["SyncToken"],
        "Name": row.name,
        "Active": row.active,
        **balance,
        "state": _state(row),
        "object": whole,
    }
