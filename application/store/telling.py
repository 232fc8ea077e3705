"""What the journal answers: receipts, refusals by cause, holds, the story of one invoice."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, bindparam, func, insert, select, update

from application.invoices.model import Facts, IntentState, Kind
from application.store.audit import Actor, AuditLine, Entry
from application.store.columns import clean
from application.store.records import (
    Book,
    CauseCount,
    Hold,
    ReceiptRecord,
    RefusalRecord,
    TimelineEntry,
    confirmed_of,
    numbered,
    refusal_of,
)
from application.store.schema import attempts, holds, intents, lease_terms, refusals
from application.store.tables import Clash

_CHUNK = 500
_SAMPLE = 5
_LINES = 500


class Telling(Book):
    """The part of the journal that answers."""

    def receipts_for(self, realm_tag: str, invoice_ids: Iterable[int]) -> dict[int, ReceiptRecord]:
        """Return the newest receipt of each invoice that has one."""
        found: dict[int, ReceiptRecord] = {}
        with self._store.read() as connection:
            for ids in _chunks(invoice_ids):
                rows = confirmed_of(connection, _BY_NUMBER, realm_tag=realm_tag, ids=ids)
                found |= {row.invoice_id: _receipt(row) for row in rows}
        return found

    def any_receipt(self, realm_tag: str) -> bool:
        """Return whether any invoice of ours is known to be in this company."""
        with self._store.read() as connection:
            return connection.execute(_ANY_RECEIPT, {"realm": realm_tag}).first() is not None

    def how_many_receipts(self, realm_tag: str) -> int:
        """Return how many invoices our store knows to be in this company."""
        with self._store.read() as connection:
            return int(connection.execute(_HOW_MANY, {"realm": realm_tag}).scalar_one())

    def refusals_for(
        self, invoice_ids: Iterable[int], *, also_closed: bool = False
    ) -> dict[int, RefusalRecord]:
        """Return the refusal of each invoice that has one.

        Args:
            invoice_ids: The invoices.
            also_closed: The newest refusal even where a later claim or a receipt closed it.
        """
        found: dict[int, RefusalRecord] = {}
        with self._store.read() as connection:
            for ids in _chunks(invoice_ids):
                rows = connection.execute(_EVER if also_closed else _STANDING, {"ids": ids})
                found |= {row.invoice_id: refusal_of(row) for row in rows}
        return found

    def causes(self, *, run_id: int | None = None) -> list[CauseCount]:
        """Return the causes of the refusals that stand, most invoices first."""
        where = [refusals.c.open == 1]
        if run_id is not None:
            where.append(refusals.c.run_id == run_id)
        count = func.count().label("invoices")
        query = (
            select(refusals.c.cause, count, func.min(refusals.c.at).label("first_seen"))
            .where(*where)
            .group_by(refusals.c.cause)
            .order_by(count.desc(), refusals.c.cause)
        )
        with self._store.read() as connection:
            return [
                CauseCount(
                    cause=row.cause,
                    count=row.invoices,
                    invoice_ids=tuple(
                        connection.execute(
                            select(refusals.c.invoice_id)
                            .where(*where, refusals.c.cause == row.cause)
                            .order_by(refusals.c.invoice_id)
                            .limit(_SAMPLE)
                        ).scalars()
                    ),
                    first_seen=row.first_seen,
                )
                for row in connection.execute(query).all()
            ]

    def refused_ids(
        self,
        *,
        cause: str | None = None,
        run_id: int | None = None,
        after: int = 0,
        limit: int = 500,
    ) -> list[int]:
        """Return invoices whose refusal stands, by their ids, from the one behind `after`."""
        query = (
            select(refusals.c.invoice_id)
            .where(refusals.c.open == 1, refusals.c.invoice_id > after)
            .order_by(refusals.c.invoice_id)
            .limit(limit)
        )
        if cause is not None:
            query = query.where(refusals.c.cause == cause)
        if run_id is not None:
            query = query.where(refusals.c.run_id == run_id)
        with self._store.read() as connection:
            return list(connection.execute(query).scalars())

    # -- holds ----------------------------------------------------------------------------------

    def hold(self, invoice_id: int, *, reason: str, by: Actor) -> bool:
        """Keep an invoice out of runs; return False where it is held already."""

        def work(connection: Connection) -> None:
            connection.execute(
                insert(holds).values(
                    invoice_id=invoice_id,
                    open=1,
                    reason=clean(reason, most=500),
                    held_by=clean(by.name, most=120),
                    held_at=self._store.moment(connection),
                )
            )
            self._append(connection, [_person_line("invoice.held", invoice_id, by=by)])

        try:
            self._store.write(work)
        except Clash:
            return False
        return True

    def hold_all(self, invoice_ids: Iterable[int], *, reason: str, by: Actor) -> list[int]:
        """Keep invoices out of runs for one reason; return those that were not held already.

        Raises:
            Clash: Somebody held one of them at the same moment; all of its 500 are as before.
        """
        done: list[int] = []
        for ids in _chunks(dict.fromkeys(invoice_ids)):
            done += self._store.write(partial(self._hold_each, ids=ids, reason=reason, by=by))
        return done

    def _hold_each(
        self, connection: Connection, *, ids: Sequence[int], reason: str, by: Actor
    ) -> list[int]:
        held = select(holds.c.invoice_id).where(holds.c.invoice_id.in_(ids), holds.c.open == 1)
        known = set(connection.execute(held).scalars())
        free = [one for one in ids if one not in known]
        if free:
            alike = {
                "open": 1,
                "reason": clean(reason, most=500),
                "held_by": clean(by.name, most=120),
                "held_at": self._store.moment(connection),
            }
            connection.execute(insert(holds), [{"invoice_id": one, **alike} for one in free])
            self._append(connection, [_person_line("invoice.held", one, by=by) for one in free])
        return free

    def release_hold(self, invoice_id: int, *, by: Actor) -> bool:
        """Let an invoice into runs again; return False where it was not held."""

        def work(connection: Connection) -> bool:
            gone = connection.execute(
                update(holds)
                .where(holds.c.invoice_id == invoice_id, holds.c.open == 1)
                .values(
                    open=None,
                    released_by=clean(by.name, most=120),
                    released_at=self._store.moment(connection),
                )
            )
            if gone.rowcount:
                self._append(connection, [_person_line("invoice.hold_ended", invoice_id, by=by)])
            return bool(gone.rowcount)

        return self._store.write(work)

    def held_ids(self, invoice_ids: Iterable[int] | None = None) -> frozenset[int]:
        """Return which of these invoices are held; without any, all that are."""
        if invoice_ids is not None:
            return frozenset(self.holds(invoice_ids))
        with self._store.read() as connection:
            return frozenset(
                connection.execute(select(holds.c.invoice_id).where(holds.c.open == 1)).scalars()
            )

    def holds(self, invoice_ids: Iterable[int]) -> dict[int, Hold]:
        """Return the hold of each invoice that has one."""
        found: dict[int, Hold] = {}
        with self._store.read() as connection:
            for ids in _chunks(invoice_ids):
                found |= {
                    row.invoice_id: Hold(row.invoice_id, row.reason, row.held_by, row.held_at)
                    for row in connection.execute(_HELD, {"ids": ids})
                }
        return found

    # -- one invoice ----------------------------------------------------------------------------

    def timeline(self, invoice_id: int) -> list[TimelineEntry]:
        """Return what happened to one invoice, oldest first: its audit lines and its attempts."""
        lines = self._audit.entries(invoice_id=invoice_id, limit=_LINES)
        query = (
            select(
                attempts,
                intents.c.generation,
                intents.c.key,
                intents.c.quickbooks_id,
                lease_terms.c.run_id,
                lease_terms.c.holder,
            )
            .join(intents, intents.c.id == attempts.c.intent_id)
            .outerjoin(lease_terms, lease_terms.c.ulid == attempts.c.lease_ulid)
            .where(intents.c.invoice_id == invoice_id)
            .order_by(attempts.c.id)
        )
        with self._store.read() as connection:
            sends = [_sent_entry(row) for row in connection.execute(query)]
        # The log orders by its numbers; an attempt stands behind the lines of its own moment.
        return sorted([_told(line) for line in lines] + sends, key=lambda one: one.at)


# Built once: every page asks them.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_CONFIRMED = (
    intents.c.realm_tag == bindparam("realm"),
    intents.c.state == IntentState.CONFIRMED.value,
    intents.c.kind == Kind.INVOICE.value,
)
_BY_NUMBER = numbered(intents).order_by(intents.c.generation)
_ANY_RECEIPT = select(intents.c.id).where(*_CONFIRMED).limit(1)
_HOW_MANY = select(func.count(intents.c.key.distinct())).where(*_CONFIRMED)  # one sent anew has two
_EVER = select(refusals).where(refusals.c.invoice_id.in_(_IDS)).order_by(refusals.c.id)
_STANDING = _EVER.where(refusals.c.open == 1)
_HELD = select(holds).where(holds.c.invoice_id.in_(_IDS), holds.c.open == 1)


def _chunks(ids: Iterable[int]) -> Iterator[Sequence[int]]:
    known = list(ids)
    for start in range(0, len(known), _CHUNK):
        yield known[start : start + _CHUNK]


def _receipt(row: Row[Any]) -> ReceiptRecord:
    whole = None not in {row.customer_id, row.total, row.dated}
    return ReceiptRecord(
        invoice_id=row.invoice_id,
        intent_id=row.id,
        doc_number=row.key,
        generation=row.generation,
        quickbooks_id=row.quickbooks_id,
        sync_token=row.sync_token,
        facts=Facts(row.key, row.customer_id, row.total, row.dated) if whole else None,
        source_sha256=row.source_sha256,
        adopted=bool(row.adopted),
        receipt_at=row.receipt_at,
        synced_at=row.synced_at,
    )


def _person_line(action: str, invoice_id: int, *, by: Actor) -> Entry:
    # The reason stays out of the log: people write names into it.
    return Entry(action=action, subject=f"invoice {invoice_id}", by=by, invoice_ids=(invoice_id,))


def _told(line: AuditLine) -> TimelineEntry:
    after = line.after or {}
    lane = after.get("lane")
    number = after.get("n")
    return TimelineEntry(
        at=line.at,
        actor=line.actor,
        event=line.action,
        text=line.subject,
        run_id=line.run_id,
        entry_id=line.id,
        intent_id=line.intent_id,
        attempt=number if isinstance(number, int) else None,
        lane=lane if isinstance(lane, str) else None,
        outcome=None,
        cause=line.cause,
        quickbooks_id=line.quickbooks_id,
        intuit_tid=line.intuit_tid,
    )


def _sent_entry(row: Row[Any]) -> TimelineEntry:
    return TimelineEntry(
        at=row.sent_at,
        actor=row.holder or "",
        event="attempt",
        text=f"{row.key}, generation {row.generation}, attempt {row.n}",
        run_id=row.run_id,
        entry_id=None,
        intent_id=row.intent_id,
        attempt=row.n,
        lane=row.lane,
        outcome=row.outcome,
        cause=row.why,
        quickbooks_id=row.quickbooks_id if row.outcome == "ok" else None,
        intuit_tid=row.intuit_tid,
    )
