"""Invoices as lines of a file a spreadsheet opens; no text of theirs can act as a formula there."""

from collections.abc import Sequence
from typing import Final

from application.invoices.model import doc_number
from application.services.listing import Listed
from application.shown.invoices import STATUS_WORDS, name_of
from application.web.visit import Visit

MARK: Final = "\ufeff"  # by it a spreadsheet knows the letters
ACTING: Final = ("=", "+", "-", "@", "\t", "\r")
COLUMNS: Final = (
    "invoice_id",
    "doc_number",
    "reg_no",
    "student",
    "fee",
    "amount",
    "currency",
    "invoice_date",
    "status",
    "flag",
    "error_code",
    "quickbooks_id",
    "pushed_by",
    "pushed_date",
)


def values_of(visit: Visit, one: Listed) -> list[str]:
    """Return one invoice in the order of the columns."""
    row = one.row
    return [
        str(row.id),
        doc_number(row.id),
        safe(row.reg_no or ""),
        safe(name_of(one.student)),
        safe(one.fee.name if one.fee else ""),
        "" if one.amount is None else f"{one.amount:.2f}",
        visit.services.currency,
        row.dated.isoformat() if row.dated else "",
        STATUS_WORDS[one.status][0],
        one.flag.value if one.flag else "",
        one.cause or "",
        one.receipt.quickbooks_id if one.receipt else "",
        safe(row.pushed_by or ""),
        visit.formats.stamp(row.pushed_date) if row.pushed_date else "",
    ]


def safe(text: str) -> str:
    """Return text that a spreadsheet shows instead of computing it."""
    return f"'{text}" if text.startswith(ACTING) else text


def line_of(values: Sequence[str]) -> str:
    """Return one line; every value stands in quotes."""
    return ",".join('"' + one.replace('"', '""') + '"' for one in values) + "\r\n"
