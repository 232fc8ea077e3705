"""The MIS as the checker reads it: rows in pages by id, money as Decimal, its own SQL."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from application.verify.opening import Book, Row
from application.verify.values import MisRow

DAY: Final = 10  # characters; SQLite keeps a time of day where there is one
_CENT: Final = Decimal("0.01")
_SQLITE: Final = """
SELECT id, reg_no, fee_category, QuickBk_Status, pushed_by, CAST(pushed_date AS CHAR(19)) AS pushed,
  CAST(invoice_date AS CHAR(10)) AS dated, printf('%.2f', dept) AS dept_cents,
  printf('%.2f', credit) AS credit_cents FROM tbl_imvoice"""
_SERVER: Final = """
SELECT id, reg_no, fee_category, QuickBk_Status, pushed_by, CAST(pushed_date AS CHAR(19)) AS pushed,
  CAST(invoice_date AS CHAR(10)) AS dated, CAST(dept AS DECIMAL(20,2)) AS dept_cents,
  CAST(credit AS DECIMAL(20,2)) AS credit_cents FROM tbl_imvoice"""


class MisBook:
    """Reads `tbl_imvoice`.

    Args:
        book: The database.
        net: Whether `dept - credit` is what is sent.
        first_day: First day in scope; earlier rows are not Feebridge's.
    """

    def __init__(self, book: Book, *, net: bool, first_day: date | None) -> None:
        self._book = book
        self._net = net
        self._first_day = first_day
        self._columns = _SQLITE if book.sqlite else _SERVER

    def pages(self) -> Iterator[Sequence[MisRow]]:
        """Yield every row, in order of id, a page at a time."""
        asked = f"{self._columns} WHERE id > :after ORDER BY id LIMIT :most"
        for page in self._book.pages(asked):
            yield [self._row(one) for one in page]

    def of(self, ids: Sequence[int]) -> dict[int, MisRow]:
        """Return these rows by id; one that is gone is left out."""
        found = self._book.of_ids(f"{self._columns} WHERE id IN :ids", ids)
        return {row.id: row for row in map(self._row, found)}

    def in_scope(self, row: MisRow) -> bool:
        """Return whether a row is Feebridge's; one without a usable date is."""
        if self._first_day is None:
            return True
        try:
            return date.fromisoformat(row.dated) >= self._first_day
        except ValueError:
            return True

    def _row(self, row: Row) -> MisRow:
        dept, credit = _money(row["dept_cents"]), _money(row["credit_cents"])
        amount = dept
        if self._net and dept is not None:
            amount = dept - (credit or Decimal(0))
        return MisRow(
            id=int(row["id"]),
            payer=_text(row["reg_no"]).strip(),
            fee=_whole(row["fee_category"]),
            status=_status(row["QuickBk_Status"]),
            pushed_by=_text(row["pushed_by"]),
            pushed_at=_instant(_text(row["pushed"])),
            dated=_text(row["dated"])[:DAY],
            amount=amount,
        )


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _money(value: object) -> Decimal | None:
    if value is None:
        return None
    try:
        return Decimal(str(value)).quantize(_CENT)
    except InvalidOperation:
        return None


def _whole(value: object) -> int | None:
    try:
        return None if value is None else int(str(value))
    except ValueError:
        return None


def _status(value: object) -> int | None:
    """Return the status; -1 stands for one that is no number."""
    number = _whole(value)
    return -1 if number is None and value is not None else number


def _instant(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC) if value else None
    except ValueError:
        return None
