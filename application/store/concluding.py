"""Outcomes made durable: receipts, refusals, conflicts, what nobody knows, what is absent."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from application.invoices.model import IntentState, Kind
from application.store.audit import Actor, Entry
from application.store.changing import change, close_refusals, end_attempts, move_to, refusal_row
from application.store.claiming import end_claim_rows
from application.store.columns import clean, maybe_clean
from application.store.fence import Lease
from application.store.promising import locked
from application.store.records import (
    UNFINISHED,
    Book,
    IllegalEdge,
    Receipt,
    Refusal,
    confirmed_of,
    entry_of,
    intent_of,
    money_text,
    numbered,
)
from application.store.schema import intents, refusals

_SENT = frozenset({IntentState.SENDING})
_UNCLEAR = frozenset({IntentState.SENDING, IntentState.UNKNOWN})


class Concluding(Book):
    """The part of the journal about what became of each send."""

    def passed(
        self,
        intent_ids: Iterable[int],
        *,
        cause: str | None = None,
        lease: Lease,
        by: Actor,
    ) -> None:
        """Note a definite refusal that passes by itself: the intent may be sent again.

        An intent whose attempt never became durable stays as it is.

        Raises:
            LeaseLost: Nothing was noted.
        """
        self._back(intent_ids, outcome="passed", cause=cause, lease=lease, by=by)

    def not_sent(
        self,
        intent_ids: Iterable[int],
        *,
        cause: str | None = None,
        lease: Lease,
        by: Actor,
    ) -> None:
        """Note that no byte of a durable attempt left us; it does not count as a send.

        Raises:
            LeaseLost: Nothing was noted; settling will treat the attempt as sent.
        """
        self._back(intent_ids, outcome="not_sent", cause=cause, lease=lease, by=by)

    def unknown(
        self,
        intent_ids: Sequence[int],
        *,
        why: str,
        absent_from: datetime,
        lease: Lease,
        by: Actor,
        intuit_tid: str | None = None,
    ) -> None:
        """Note that nobody can tell what became of these intents.

        Args:
            intent_ids: Sent, unknown, or watched because another program may have sent them.
            why: Short machine word.
            absent_from: From when "not found" may be believed; an earlier, later moment stays.
            lease: Ours.
            by: Who sends.
            intuit_tid: Intuit's name for the answer.

        Raises:
            LeaseLost: Nothing was noted.
        """
        tid, cause = intuit_tid, clean(why, most=200)

        def work(connection: Connection) -> None:
            now = self._leases.guard(connection, lease)
            rows = self._rows(connection, intent_ids, wanted="unknown", allowed=UNFINISHED)
            end_attempts(connection, list(rows), outcome="unknown", now=now, why=why, tid=tid)
            change(connection, rows, _UNKNOWN, _unknowns(rows, absent_from, cause=cause))
            after = {"absent_from": absent_from.isoformat()}
            entries = [
                entry_of(
                    "unknown",
                    by=by,
                    lease=lease,
                    intent=row,
                    cause=why,
                    intuit_tid=tid,
                    after=after,
                )
                for row in rows.values()
            ]
            self._append(connection, entries)

        self._store.write(work)

    def confirmed(self, receipts: Sequence[Receipt], *, lease: Lease, by: Actor) -> None:
        """Make receipts durable; the same receipt twice changes nothing.

        Raises:
            LeaseLost: Nothing was written; the sweep of the next sender finds the documents.
            IllegalEdge: An intent is finished with another outcome.
        """
        wanted = {one.intent_id: one for one in receipts}

        def work(connection: Connection) -> None:
            now = self._leases.guard(connection, lease)
            rows = self._rows(
                connection,
                wanted,
                wanted="confirm",
                allowed=UNFINISHED | {IntentState.CONFIRMED},
            )
            rows = {one: row for one, row in rows.items() if not _again(row, wanted[one])}
            if not rows:
                return
            end_attempts(connection, list(rows), outcome="ok", now=now)
            change(connection, rows, _RECEIPT, _receipts(rows, wanted, now=now))
            invoices = [row.invoice_id for row in rows.values() if row.invoice_id is not None]
            close_refusals(connection, invoices, now=now)
            entries = [
                _confirmed_line(row, wanted[one], by=by, lease=lease) for one, row in rows.items()
            ]
            self._append(connection, entries)

        if wanted:
            self._store.write(work)

    def refused(self, items: Sequence[Refusal], *, lease: Lease, by: Actor) -> None:
        """Make refusals durable, with or without an intent behind them.

        Raises:
            LeaseLost: Nothing was written.
            IllegalEdge: An intent is finished with another outcome.
        """
        self._close(items, state=IntentState.REFUSED, lease=lease, by=by)

    def conflict(self, items: Sequence[Refusal], *, lease: Lease, by: Actor) -> None:
        """Note that what stands under these numbers is not, or is no more, what we sent.

        Where the MIS asks again for an invoice we confirmed, and its document was changed or
        deleted meanwhile, our own receipt is the one that no longer fits.

        Raises:
            LeaseLost: Nothing was written.
            IllegalEdge: An intent is refused or absent.
        """
        self._close(items, state=IntentState.CONFLICT, lease=lease, by=by)

    def absent(self, intent_ids: Iterable[int], *, again: bool, lease: Lease, by: Actor) -> None:
        """Note that unclear intents are proved not to be in QuickBooks.

        Args:
            intent_ids: Sent or unknown ones.
            again: The same bytes go again; else the intent is finished.
            lease: Ours.
            by: Who settles.

        Raises:
            LeaseLost: Nothing was noted.
            IllegalEdge: An intent is not unclear.
        """
        after = IntentState.INTENDED if again else IntentState.ABSENT
        ids = list(intent_ids)

        def work(connection: Connection) -> None:
            now = self._leases.guard(connection, lease)
            allowed = _UNCLEAR | {IntentState.INTENDED, IntentState.ABSENT}
            rows = self._rows(connection, ids, wanted="absent", allowed=allowed)
            rows = {one: row for one, row in rows.items() if row.state in _UNCLEAR}
            if not rows:
                return
            end_attempts(connection, list(rows), outcome="absent", now=now, unclear=True)
            moved = {"b_after": after.value, "b_open": 1 if again else None}
            change(connection, rows, _ABSENT, [{"b_id": one, **moved} for one in rows])
            entries = [
                entry_of("absent", by=by, lease=lease, intent=row, cause=row.cause)
                for row in rows.values()
            ]
            self._append(connection, entries)

        self._store.write(work)

    def note_synced(self, invoice_ids: Iterable[int], *, lease: Lease, by: Actor) -> None:
        """Note that the MIS says 1 for invoices whose receipts are durable.

        Raises:
            LeaseLost: Nothing was noted; a sweep does it again.
        """
        ids = list(invoice_ids)

        def work(connection: Connection) -> None:
            now = self._leases.guard(connection, lease)
            rows = confirmed_of(connection, _BY_NUMBER, realm_tag=lease.realm_tag, ids=ids)
            latest = {row.key: row for row in sorted(rows, key=lambda row: row.generation)}
            noted = [row.id for row in latest.values()]
            connection.execute(_NOTE_SYNCED, {"ids": noted, "b_now": now})
            end_claim_rows(connection, ids, now=now)
            entries = [
                entry_of(
                    "synced",
                    by=by,
                    lease=lease,
                    intent=row,
                    quickbooks_id=row.quickbooks_id,
                )
                for row in latest.values()
            ]
            self._append(connection, entries)

        if ids:
            self._store.write(work)

    def late_answer(
        self,
        intent_id: int,
        *,
        outcome: str,
        quickbooks_id: str | None = None,
        intuit_tid: str | None = None,
        by: Actor,
    ) -> None:
        """Add what a former sender learnt after its lease ended; nothing else may it write."""

        def work(connection: Connection) -> None:
            row = connection.execute(select(intents).where(intents.c.id == intent_id)).first()
            if row is None:
                raise IllegalEdge(wanted="late answer", intent_id=intent_id, state="missing")
            entry = entry_of(
                "late_answer",
                by=by,
                lease=None,
                intent=intent_of(row),
                cause=outcome,
                quickbooks_id=quickbooks_id,
                intuit_tid=intuit_tid,
            )
            self._append(connection, [entry])

        self._store.write(work)

    def _rows(
        self,
        connection: Connection,
        ids: Iterable[int],
        *,
        wanted: str,
        allowed: frozenset[IntentState],
    ) -> dict[int, Row[Any]]:
        ids = list(ids)
        rows = locked(connection, ids)
        for one in ids:
            state = rows[one].state if one in rows else "missing"
            if state not in allowed:
                raise IllegalEdge(wanted=wanted, intent_id=one, state=state)
        return rows

    def _back(
        self, intent_ids: Iterable[int], *, outcome: str, cause: str | None, lease: Lease, by: Actor
    ) -> None:
        ids = list(intent_ids)

        def work(connection: Connection) -> None:
            now = self._leases.guard(connection, lease)
            allowed = _SENT | {IntentState.INTENDED}
            rows = self._rows(connection, ids, wanted=outcome, allowed=allowed)
            rows = {one: row for one, row in rows.items() if row.state == IntentState.SENDING}
            if not rows:
                return
            end_attempts(connection, list(rows), outcome=outcome, now=now, why=cause)
            left = 1 if outcome == "not_sent" else 0
            told = maybe_clean(cause, most=200)
            each = [
                {"b_id": row.id, "b_sends": row.sends - left, "b_cause": told}
                for row in rows.values()
            ]
            change(connection, rows, _BACK, each)
            entries = [
                entry_of(outcome, by=by, lease=lease, intent=row, cause=cause)
                for row in rows.values()
            ]
            self._append(connection, entries)

        self._store.write(work)

    def _close(
        self, items: Sequence[Refusal], *, state: IntentState, lease: Lease, by: Actor
    ) -> None:
        behind = {one.intent_id: one for one in items if one.intent_id is not None}
        allowed = UNFINISHED | {state}
        if state is IntentState.CONFLICT:
            allowed |= {IntentState.CONFIRMED}

        def work(connection: Connection) -> None:
            now = self._leases.guard(connection, lease)
            rows = self._rows(connection, behind, wanted=state.value, allowed=allowed)
            if rows:
                end_attempts(connection, list(rows), outcome=state.value, now=now)
                moved = {"b_after": state.value}
                each = [{"b_id": one, "b_cause": behind[one].cause, **moved} for one in rows]
                change(connection, rows, _CLOSED, each)
            invoices = [one.invoice_id for one in items if one.invoice_id is not None]
            close_refusals(connection, invoices, now=now)
            connection.execute(
                _NEW_REFUSALS, [refusal_row(one, lease=lease, now=now) for one in items]
            )
            entries = [
                _refused_line(
                    one, row=rows.get(one.intent_id or 0), state=state, by=by, lease=lease
                )
                for one in items
            ]
            self._append(connection, entries)

        if items:
            self._store.write(work)


_UNKNOWN = move_to(
    IntentState.UNKNOWN,
    unsettled=bindparam("b_unsettled"),
    absent_from=bindparam("b_absent"),
    cause=bindparam("b_cause"),
)
_RECEIPT = move_to(
    IntentState.CONFIRMED,
    open=None,
    unsettled=0,
    cause=None,
    quickbooks_id=bindparam("b_quickbooks_id"),
    sync_token=bindparam("b_sync_token"),
    customer_id=bindparam("b_customer_id"),
    total=bindparam("b_total"),
    dated=bindparam("b_dated"),
    intuit_tid=bindparam("b_tid"),
    adopted=bindparam("b_adopted"),
    receipt_at=bindparam("b_now"),
)
_ABSENT = move_to(bindparam("b_after"), open=bindparam("b_open"), unsettled=0, in_bundle=False)
_BACK = move_to(
    IntentState.INTENDED,
    unsettled=0,
    in_bundle=False,
    sends=bindparam("b_sends"),
    cause=bindparam("b_cause"),
)
_CLOSED = move_to(bindparam("b_after"), open=None, unsettled=0, cause=bindparam("b_cause"))
_BY_NUMBER = (
    numbered(
        intents.c.id,
        intents.c.kind,
        intents.c.key,
        intents.c.generation,
        intents.c.state,
        intents.c.invoice_id,
        intents.c.request_id,
        intents.c.payload_sha256,
        intents.c.quickbooks_id,
    )
    .order_by(intents.c.id)
    .with_for_update()
)
_NOTE_SYNCED = (
    update(intents)
    .where(intents.c.id.in_(bindparam("ids", expanding=True)))
    .values(synced_at=bindparam("b_now"))
)
_NEW_REFUSALS = insert(refusals)


def _unknowns(
    rows: dict[int, Row[Any]], absent_from: datetime, *, cause: str
) -> list[dict[str, object]]:
    return [
        {
            "b_id": row.id,
            "b_unsettled": max(row.unsettled, 1),
            "b_absent": max(row.absent_from or absent_from, absent_from),
            "b_cause": cause,
        }
        for row in rows.values()
    ]


def _receipts(
    rows: dict[int, Row[Any]], wanted: dict[int, Receipt], *, now: datetime
) -> list[dict[str, object]]:
    return [
        {
            "b_id": one,
            "b_quickbooks_id": wanted[one].quickbooks_id,
            "b_sync_token": wanted[one].sync_token,
            "b_customer_id": wanted[one].customer_id,
            "b_total": wanted[one].total,
            "b_dated": wanted[one].dated,
            "b_tid": maybe_clean(wanted[one].intuit_tid, most=120),
            "b_adopted": wanted[one].adopted,
            "b_now": now,
        }
        for one in rows
    ]


def _again(row: Row[Any], receipt: Receipt) -> bool:
    """Return whether this very receipt is durable already."""
    if row.state != IntentState.CONFIRMED:
        return False
    if row.quickbooks_id != receipt.quickbooks_id:
        raise IllegalEdge(wanted="confirm with another id", intent_id=row.id, state=row.state)
    return True


def _confirmed_line(row: Row[Any], receipt: Receipt, *, by: Actor, lease: Lease) -> Entry:
    return entry_of(
        "adopted" if receipt.adopted and row.kind == Kind.CUSTOMER.value else "confirmed",
        by=by,
        lease=lease,
        intent=row,
        quickbooks_id=receipt.quickbooks_id,
        intuit_tid=receipt.intuit_tid,
        before={"state": row.state},
        after={
            "total": money_text(receipt.total),
            "dated": None if receipt.dated is None else receipt.dated.isoformat(),
            "customer_id": receipt.customer_id,
            "adopted": receipt.adopted,
        },
    )


def _refused_line(
    item: Refusal, *, row: Row[Any] | None, state: IntentState, by: Actor, lease: Lease
) -> Entry:
    return entry_of(
        state.value,
        by=by,
        lease=lease,
        intent=row,
        invoice_id=item.invoice_id,
        cause=item.cause,
        quickbooks_id=item.quickbooks_id,
        intuit_tid=item.intuit_tid,
        after={"code": item.quickbooks_code, "run_id": item.run_id},
    )
