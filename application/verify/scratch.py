"""A private database on disk, gone afterwards: a million rows are joined in little memory."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal

from application.verify.quickbooks_book import Party
from application.verify.store_book import Link
from application.verify.values import Document, MisRow, Story, Sums

MARKS_MOST = 900
_TABLES = """
CREATE TABLE story (invoice_id INTEGER PRIMARY KEY, told TEXT NOT NULL);
CREATE TABLE document (id TEXT PRIMARY KEY, invoice_id INTEGER, number TEXT NOT NULL,
  customer TEXT NOT NULL, total TEXT NOT NULL, dated TEXT NOT NULL, live INTEGER NOT NULL);
CREATE INDEX document_invoice ON document (invoice_id);
CREATE TABLE party (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE link (payer TEXT NOT NULL, customer TEXT NOT NULL, open INTEGER NOT NULL);
CREATE INDEX link_payer ON link (payer);
CREATE INDEX link_customer ON link (customer);
CREATE TABLE mis (invoice_id INTEGER PRIMARY KEY);
CREATE TABLE pair (invoice_id INTEGER PRIMARY KEY, fee TEXT, ours TEXT, day_ours TEXT,
  payer_ours TEXT, theirs TEXT, day_theirs TEXT, payer_theirs TEXT);
"""
_ADDED = {
    "day": ("day_ours", "day_theirs"),
    "customer": ("payer_ours", "payer_theirs"),
    "fee": ("fee", "fee"),
}
_STRANGERS = """
SELECT id, number, customer, total, dated, live FROM document WHERE live = 1
  AND (invoice_id IS NULL OR invoice_id NOT IN (SELECT invoice_id FROM mis)) ORDER BY number
"""
_DOCUMENT = "SELECT id, number, customer, total, dated, live FROM document"


class Scratch:
    """What was read so far. SQLite keeps a database without a name on disk and removes it."""

    def __init__(self) -> None:
        self._link = sqlite3.connect("", isolation_level=None)
        self._link.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)

    def close(self) -> None:
        """Forget everything."""
        self._link.close()

    # -- the history ----------------------------------------------------------------------------

    def stories(self, ids: Sequence[int]) -> dict[int, Story]:
        """Return the stories of these invoices, an empty one where there is none yet."""
        known: dict[int, Story] = {}
        for some in _some(ids):
            asked = f"SELECT invoice_id, told FROM story WHERE invoice_id IN ({_marks(some)})"  # noqa: S608 - question marks only
            for one, told in self._link.execute(asked, some):
                known[int(one)] = Story(**json.loads(told))
        return {one: known.get(one) or Story() for one in ids}

    def keep_stories(self, stories: Mapping[int, Story]) -> None:
        """Keep stories, each in the place of its former one."""
        self._many(
            "INSERT OR REPLACE INTO story VALUES (?, ?)",
            ((one, json.dumps(asdict(story))) for one, story in stories.items()),
        )

    # -- QuickBooks -----------------------------------------------------------------------------

    def keep_documents(self, documents: Iterable[Document]) -> None:
        """Keep invoices of QuickBooks; one that was read twice counts once."""
        self._many(
            "INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (one.id, one.invoice_id, one.number, one.customer, str(one.total), one.dated,
                 one.live)
                for one in documents
            ),
        )  # fmt: skip

    def forget_documents(self, ids: Sequence[int]) -> None:
        """Forget what was read for these invoices, because it is read again."""
        self._many("DELETE FROM document WHERE invoice_id = ?", ((one,) for one in ids))

    def documents(self, ids: Sequence[int]) -> dict[int, list[Document]]:
        """Return what QuickBooks holds under the number of each of these invoices."""
        found: defaultdict[int, list[Document]] = defaultdict(list)
        for some in _some(ids):
            asked = f"{_DOCUMENT} WHERE invoice_id IN ({_marks(some)}) ORDER BY id"
            for row in self._link.execute(asked, some):
                document = _document(row)
                found[document.invoice_id or 0].append(document)
        return found

    def strangers(self) -> Iterator[Document]:
        """Yield live invoices of QuickBooks whose number no row of the MIS stands behind."""
        rows = self._link.execute(_STRANGERS)
        return map(_document, rows)

    def keep_parties(self, parties: Iterable[Party]) -> None:
        """Keep customers of QuickBooks."""
        self._many(
            "INSERT OR REPLACE INTO party VALUES (?, ?)", ((one.id, one.name) for one in parties)
        )

    def party(self, quickbooks_id: str) -> str | None:
        """Return the name of a customer; None where QuickBooks has none of that Id."""
        asked = "SELECT name FROM party WHERE id = ?"
        row = self._link.execute(asked, (quickbooks_id,)).fetchone()
        return None if row is None else str(row[0])

    # -- links ----------------------------------------------------------------------------------

    def keep_links(self, links: Iterable[Link]) -> None:
        """Keep links between payers and customers."""
        self._many(
            "INSERT INTO link VALUES (?, ?, ?)",
            ((one.payer, one.customer, one.open) for one in links),
        )

    def customers_of(self, payer: str) -> set[str]:
        """Return every customer a payer is or was linked to."""
        rows = self._link.execute("SELECT customer FROM link WHERE payer = ?", (payer,))
        return {str(row[0]) for row in rows}

    def holder_of(self, customer: str) -> str | None:
        """Return the payer a customer is linked to now; None where that is nobody."""
        asked = "SELECT payer FROM link WHERE customer = ? AND open = 1 ORDER BY payer"
        row = self._link.execute(asked, (customer,)).fetchone()
        return None if row is None else str(row[0])

    def open_links(self) -> Iterator[Link]:
        """Yield the links that hold."""
        rows = self._link.execute("SELECT payer, customer FROM link WHERE open = 1 ORDER BY payer")
        return (Link(str(payer), str(customer), open=True) for payer, customer in rows)

    def shared(self) -> Iterator[tuple[str, str]]:
        """Yield payers with several customers, customers of several payers: word and name."""
        for column, other in (("payer", "customer"), ("customer", "payer")):
            asked = (
                f"SELECT {column} FROM link WHERE open = 1 GROUP BY {column}"  # noqa: S608 - our own names
                f" HAVING COUNT(DISTINCT {other}) > 1 ORDER BY {column}"
            )
            for (name,) in self._link.execute(asked):
                yield column, str(name)

    # -- sums -----------------------------------------------------------------------------------

    def keep_seen(self, ids: Iterable[int]) -> None:
        """Note that the MIS has these rows."""
        self._many("INSERT OR REPLACE INTO mis VALUES (?)", ((one,) for one in ids))

    def keep_pair(self, row: MisRow, document: Document, *, payer: str) -> None:
        """Note an invoice that stands in both books.

        Args:
            row: The MIS' side.
            document: QuickBooks' side.
            payer: Whose customer the document hangs on.
        """
        self._link.execute(
            "INSERT OR REPLACE INTO pair VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (row.id, str(row.fee), str(row.amount or 0), row.dated, row.payer,
             str(document.total), document.dated, payer),
        )  # fmt: skip

    def forget_pairs(self, ids: Sequence[int]) -> None:
        """Forget pairs, because they are read again."""
        self._many("DELETE FROM pair WHERE invoice_id = ?", ((one,) for one in ids))

    def sums(self) -> Iterator[Sums]:
        """Yield both books added up by day, customer and fee, in Decimal."""
        for by, (ours, theirs) in _ADDED.items():
            left = self._added(ours, "ours")
            right = self._added(theirs, "theirs")
            groups = left.keys() | right.keys()
            yield Sums(
                by=by,
                groups=len(groups),
                differing=sum(left.get(one) != right.get(one) for one in groups),
                mis=sum(left.values(), Decimal(0)),
                quickbooks=sum(right.values(), Decimal(0)),
            )

    def _added(self, group: str, amount: str) -> dict[str, Decimal]:
        found: defaultdict[str, Decimal] = defaultdict(Decimal)
        for key, value in self._link.execute(f"SELECT {group}, {amount} FROM pair"):  # noqa: S608 - our own names
            found[str(key)] += Decimal(value)
        return found

    def _many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        self._link.execute("BEGIN")
        self._link.executemany(statement, rows)
        self._link.execute("COMMIT")


def _some(ids: Sequence[int]) -> Iterator[list[int]]:
    """Yield the ids, as many at a time as every SQLite takes in one statement."""
    for start in range(0, len(ids), MARKS_MOST):
        yield list(ids[start : start + MARKS_MOST])


def _marks(ids: Sequence[int]) -> str:
    return ", ".join("?" * len(ids))


def _document(row: Sequence[object]) -> Document:
    return Document(
        id=str(row[0]),
        number=str(row[1]),
        customer=str(row[2]),
        total=Decimal(str(row[3])),
        dated=str(row[4]),
        live=bool(row[5]),
    )
