"""Our store as the checker reads it: history in pages, leases, promises, links, causes."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from application.verify.opening import Book, Row
from application.verify.values import Promise, Unreadable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SYNCED: Final = 1


@dataclass(frozen=True, slots=True)
class Sender:
    """Who may send now."""

    holder: str
    run_id: int | None


@dataclass(frozen=True, slots=True)
class Link:
    """A payer and a customer, as our store links them."""

    payer: str
    customer: str
    open: bool


class StoreBook:
    """Reads our own database; instants in it are microseconds since 1970.

    Args:
        book: The database.
    """

    def __init__(self, book: Book) -> None:
        self._book = book

    def bound(self, mis_key: str) -> str | None:
        """Return the tag of the company this MIS belongs to."""
        rows = self._book.rows("SELECT realm_tag FROM bindings WHERE mis_key = :key", key=mis_key)
        return str(rows[0]["realm_tag"]) if rows else None

    def company(self) -> str:
        """Return the tag of the one company this store ever served, "" before the first.

        Raises:
            Unreadable: There were several, so nobody can tell which one is meant.
        """
        rows = self._book.rows("SELECT DISTINCT realm_tag FROM bindings")
        if len(rows) > 1:
            raise Unreadable(book="store", detail="this MIS is bound to none of its companies")
        return str(rows[0]["realm_tag"]) if rows else ""

    def sender(self, tag: str, *, now: datetime) -> Sender | None:
        """Return who holds the lease of a company now; None where nobody may send."""
        asked = (
            "SELECT t.holder, t.run_id, t.until FROM leases l JOIN lease_terms t ON t.ulid = l.ulid"
            " WHERE l.realm_tag = :tag AND t.ended_at IS NULL"
        )
        for row in self._book.rows(asked, tag=tag):
            if instant(row["until"]) > now:
                return Sender(str(row["holder"]), row["run_id"])
        return None

    def head(self) -> tuple[int, str]:
        """Return the number and hash the head row names.

        Raises:
            Unreadable: There is none.
        """
        rows = self._book.rows("SELECT * FROM audit_head WHERE one = 1")
        if not rows:
            raise Unreadable(book="store", detail="the head of the audit log is gone")
        return int(rows[0]["id"]), str(rows[0]["hash"])

    def history(self, *, after: int) -> Iterator[Sequence[Row]]:
        """Yield the audit log in its order, a page at a time."""
        asked = "SELECT * FROM audit WHERE id > :after ORDER BY id LIMIT :most"
        return self._book.pages(asked, after=after)

    def promises(self, tag: str, ids: Sequence[int]) -> dict[int, Promise]:
        """Return what our store promised for each invoice."""
        asked = (
            "SELECT invoice_id, generation, state, quickbooks_id, total, absent_from,"
            " (SELECT COUNT(*) FROM attempts a WHERE a.intent_id = i.id) AS sends FROM intents i"
            " WHERE realm_tag = :tag AND kind = 'invoice' AND invoice_id IN :ids"
            " ORDER BY invoice_id, generation"
        )
        found: defaultdict[int, list[Row]] = defaultdict(list)
        for row in self._book.of_ids(asked, ids, tag=tag):
            found[int(row["invoice_id"])].append(row)
        return {one: _promise(rows) for one, rows in found.items()}

    def refused_for(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the cause that keeps each failed invoice out."""
        rows = self._book.of_ids("SELECT * FROM refusals WHERE invoice_id IN :ids", ids)
        return {int(row["invoice_id"]): str(row["cause"]) for row in rows if row["open"] == 1}

    def tried_when_synced(self, ids: Sequence[int]) -> dict[int, set[str]]:
        """Return the claims that were noted for invoices which the MIS called synced then."""
        asked = "SELECT invoice_id, token, former FROM claim_rows WHERE invoice_id IN :ids"
        found: defaultdict[int, set[str]] = defaultdict(set)
        for row in self._book.of_ids(asked, ids):
            if _status_in(row["former"]) == _SYNCED:
                found[int(row["invoice_id"])].add(str(row["token"]))
        return found

    def links(self, tag: str) -> Iterator[Link]:
        """Yield every link of a company, closed ones too."""
        asked = (
            "SELECT * FROM customers WHERE realm_tag = :tag AND id > :after ORDER BY id LIMIT :most"
        )
        for page in self._book.pages(asked, tag=tag):
            for row in page:
                yield Link(str(row["code"]), str(row["quickbooks_id"]), row["open"] == 1)


def instant(count: Any) -> datetime:  # noqa: ANN401 - whatever number the driver returns
    """Return the instant that many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=int(count))


def told_in(value: object) -> dict[str, Any]:
    """Return a stored JSON object; an empty one where there is none or it cannot be read."""
    try:
        found = json.loads(str(value)) if value is not None else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _status_in(former: object) -> int | None:
    status = told_in(former).get("status")
    return status if isinstance(status, int) else None


def _promise(rows: Sequence[Row]) -> Promise:
    newest = rows[-1]
    receipts = [row for row in rows if row["state"] == "confirmed"]
    kept = receipts[-1] if receipts else newest
    return Promise(
        state=str(newest["state"]),
        quickbooks_id=str(kept["quickbooks_id"] or ""),
        total=None if kept["total"] is None else Decimal(str(kept["total"])),
        sends=sum(int(row["sends"]) for row in rows),
        confirmed=bool(receipts),
        absent_from=None if newest["absent_from"] is None else instant(newest["absent_from"]),
    )
