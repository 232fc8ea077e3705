"""Rows as an Excel file: typed cells on one sheet, no formulas."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from math import isfinite
from typing import Final

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

ROWS_MOST: Final = 100_000
OPTIONS: Final = {
    "constant_memory": True,  # each row goes to disk when the next one begins
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "remove_timezone": True,
}
WIDTH: Final = 18


def workbook(heads: Sequence[str], rows: Iterable[Sequence[object]], *, name: str) -> bytes:
    """Return an Excel file of these rows.

    Args:
        heads: Of the columns.
        rows: Text, whole numbers, Decimal, days, instants in office time, or None.
        name: Of the sheet.
    """
    kept = BytesIO()
    with xlsxwriter.Workbook(kept, OPTIONS) as book:
        sheet = book.add_worksheet(name)
        bold = book.add_format({"bold": True})
        shapes = {
            Decimal: book.add_format({"num_format": "#,##0.00"}),
            date: book.add_format({"num_format": "yyyy-mm-dd"}),
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        sheet.set_column(0, len(heads) - 1, WIDTH)
        sheet.freeze_panes(1, 0)
        for place, head in enumerate(heads):
            sheet.write_string(0, place, head, bold)
        for number, row in enumerate(rows, start=1):
            for place, value in enumerate(row):
                _put(sheet, number, place, value, shape=shapes.get(type(value)))
    return kept.getvalue()


def _put(sheet: Worksheet, row: int, place: int, value: object, *, shape: Format | None) -> None:
    match value:
        case None:
            return
        case datetime() | date():
            sheet.write_datetime(row, place, value, shape)
        case Decimal() | int() if isfinite(value):
            sheet.write_number(row, place, value, shape)
        case _:
            sheet.write_string(row, place, str(value))
