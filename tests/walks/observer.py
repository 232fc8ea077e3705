"""Looks at both books with its own SQL; imports nothing it judges."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

VALID_PAYERS = """
SELECT TRIM(reg_no) FROM tbl_personal_ug UNION SELECT TRIM(tracking_id) FROM tbl_online_application
"""
SYNCED, IN_PROGRESS = 1, 3


@dataclass
class Books:
    """What the MIS and QuickBooks say at one moment."""

    status: dict[int, int]
    charged: dict[int, Decimal]
    documents: Counter[str]
    totals: dict[str, Decimal]
    problems: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[int, int]:
        return dict(sorted(Counter(self.status.values()).items()))


def look(mis_file: Path, ledger: Iterable[dict[str, Any]]) -> Books:
    """Compare both books, nobody being at work."""
    return books_of(_rows(mis_file), ledger)


def look_beside(mis_file: Path, ledger: Callable[[], Iterable[dict[str, Any]]]) -> Books:
    """Compare both books while senders are at work.

    The MIS is read before QuickBooks and after it. What was marked synced before stood in
    QuickBooks then; what is not marked after it did not. Everything else may be on its way.
    """
    before = {row[0]: row[1] for row in _rows(mis_file)}
    found = list(ledger())
    rows = [
        (one, _settled(before.get(one), status), *more) for one, status, *more in _rows(mis_file)
    ]
    return books_of(rows, found)


def _settled(before: int | None, after: int) -> int:
    on_its_way = after == SYNCED and before != SYNCED
    return IN_PROGRESS if on_its_way else after


def _rows(mis_file: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(mis_file)) as mis:
        return mis.execute(
            "SELECT id, COALESCE(QuickBk_Status, 0), printf('%.2f', COALESCE(dept, 0)) "
            "FROM tbl_imvoice"
        ).fetchall()


def books_of(rows: Iterable[tuple[Any, ...]], ledger: Iterable[dict[str, Any]]) -> Books:
    """Compare rows of id, flag and amount with what QuickBooks holds."""
    rows = list(rows)
    live = [one for one in ledger if one.get("live", True)]
    books = Books(
        status={row[0]: row[1] for row in rows},
        charged={row[0]: Decimal(row[2]) for row in rows},
        documents=Counter(one["DocNumber"] for one in live),
        totals={one["DocNumber"]: Decimal(str(one["TotalAmt"])) for one in live},
    )
    books.problems = list(_wrongs(books))
    return books


def _wrongs(books: Books) -> Iterable[str]:
    for number, times in books.documents.items():
        if times > 1:
            yield f"{number} stands {times} times in QuickBooks"
        invoice_id = int(number.removeprefix("MIS-"))
        if invoice_id not in books.status:
            yield f"{number} is in QuickBooks and not in the MIS"
        elif books.totals[number] != books.charged[invoice_id]:
            yield f"{number} is {books.totals[number]}, the MIS says {books.charged[invoice_id]}"
    for invoice_id, status in books.status.items():
        there = books.documents[f"MIS-{invoice_id}"]
        if status == 1 and there != 1:
            yield f"{invoice_id} is marked synced and QuickBooks holds {there}"
        if status in {0, 2} and there:
            yield f"{invoice_id} is marked {status} and QuickBooks holds {there}"
