"""Flags: what our store knows of an invoice beyond its status, for whole pages of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from application.invoices.model import AmountRule, IntentState, MisInvoice, Status
from application.invoices.money import amount_to_send
from application.invoices.outcomes import absence_counts_from
from application.invoices.validation import FAILED_ELSEWHERE, STATUS_INVALID
from application.mis.rows import ClaimedRow
from application.store.flags import Flags, Sent, Unclear
from application.store.journal import Hold, Journal, ReceiptRecord, RefusalRecord
from application.store.leases import LeaseRecord, Leases
from application.world import Clock, Waits

UNRECORDED: Final = frozenset({FAILED_ELSEWHERE, STATUS_INVALID})  # no refusal of ours tells them


class Flag(StrEnum):
    """One thing to know of an invoice; it never moves it out of its status."""

    SETTLING = "settling"  # nobody sends it, and "not found" may not be believed yet
    STUCK = "stuck"  # it could be decided, and QuickBooks was not asked
    HELD = "held"  # a person keeps it out of runs
    UNVERIFIED = "unverified"  # marked synced, and we hold no receipt
    CHANGED = "changed"  # the MIS now says otherwise than what was sent


@dataclass(frozen=True, slots=True)
class Marks:
    """What our store knows of one row."""

    status: Status
    flag: Flag | None
    hold: Hold | None
    cause: str | None  # of a failed one
    refusal: RefusalRecord | None  # of a failed one that we refused
    receipt: ReceiptRecord | None


class Marking:
    """Judges rows by what our store knows; reads only.

    Args:
        flags: What lists ask of our store.
        journal: What is known of each invoice.
        leases: Who may send.
        rule: Which amount of a row is sent.
        waits: How long an absence is not believed.
        clock: Now.
    """

    def __init__(
        self,
        *,
        flags: Flags,
        journal: Journal,
        leases: Leases,
        rule: AmountRule,
        waits: Waits,
        clock: Clock,
    ) -> None:
        self._flags = flags
        self._journal = journal
        self._leases = leases
        self._rule = rule
        self._grace_ms = waits.grace_ms
        self._lease_ms = waits.lease_ms
        self._clock = clock

    def of(self, rows: Sequence[MisInvoice], *, realm_tag: str | None) -> dict[int, Marks]:
        """Return the marks of these rows, at most 500, by invoice."""
        by = {row.id: status_of(row.status) for row in rows}
        ids = list(by)
        holds = self._journal.holds(ids)
        refusals = self._journal.refusals_for(_having(by, Status.FAILED))
        receipts = self._journal.receipts_for(realm_tag, ids) if realm_tag else {}
        synced = _having(by, Status.SYNCED)
        sent = self._flags.sent(realm_tag, synced) if realm_tag else {}
        claimed = [
            ClaimedRow(row.id, row.pushed_by, row.pushed_date)
            for row in rows
            if by[row.id] is Status.IN_PROGRESS
        ]
        until = self.settling(claimed, realm_tag=realm_tag)
        marks: dict[int, Marks] = {}
        for row in rows:
            flag: Flag | None = None
            match by[row.id]:
                case Status.NOT_SYNCED | Status.FAILED:
                    flag = Flag.HELD if row.id in holds else None
                case Status.SYNCED if row.id not in receipts:
                    flag = Flag.UNVERIFIED
                case Status.SYNCED:
                    flag = Flag.CHANGED if self._changed(row, sent.get(row.id)) else None
                case Status.IN_PROGRESS:
                    flag = self.hanging(until.get(row.id))
            marks[row.id] = Marks(
                status=by[row.id],
                flag=flag,
                hold=holds.get(row.id),
                cause=cause_of(row.status, refusal=refusals.get(row.id))
                if by[row.id] is Status.FAILED
                else None,
                refusal=refusals.get(row.id),
                receipt=receipts.get(row.id),
            )
        return marks

    def hanging(self, until: datetime | None) -> Flag | None:
        """Return the flag of a row in progress that can be decided from a moment on."""
        if until is None:
            return None
        return Flag.SETTLING if self._clock.now() < until else Flag.STUCK

    def settling(self, rows: Sequence[ClaimedRow], *, realm_tag: str | None) -> dict[int, datetime]:
        """Return from when each row in progress can be decided; one a live sender has is left out.

        Args:
            rows: At most 500.
            realm_tag: The company our promises concern.
        """
        if not rows:
            return {}
        unclear = self._flags.unclear(realm_tag, [row.id for row in rows]) if realm_tag else {}
        claims = self._flags.claims_of({row.token for row in rows if row.token})
        ulids = set(claims.values()) | {one.lease_ulid for one in unclear.values()}
        terms = {one: self._leases.record(one) for one in sorted(filter(None, ulids))}
        found: dict[int, datetime] = {}
        for row in rows:
            promised = unclear.get(row.id)
            ulids_of = (claims.get(row.token or ""), promised.lease_ulid if promised else None)
            senders = [term for one in ulids_of if one and (term := terms[one])]
            if not any(one.live for one in senders):
                ours = row.token in claims
                found[row.id] = self._until(row, promised=promised, senders=senders, ours=ours)
        return found

    def _until(
        self,
        row: ClaimedRow,
        *,
        promised: Unclear | None,
        senders: Sequence[LeaseRecord],
        ours: bool,
    ) -> datetime:
        now = self._clock.now()
        ended = max((one.ended_at for one in senders), default=None)
        state = promised.state if promised else None
        if promised and state is IntentState.UNKNOWN:
            return promised.absent_from or now
        if promised and state is IntentState.SENDING:
            return absence_counts_from(
                promised.sent_at or now, lease_ended_at=ended, grace_ms=self._grace_ms
            )
        if ours:  # nothing of ours is on its way: it can be decided as soon as its sender is gone
            return ended or now
        wait_ms = self._lease_ms + self._grace_ms
        return min(row.pushed_at or now, now) + timedelta(milliseconds=wait_ms)

    def _changed(self, row: MisInvoice, sent: Sent | None) -> bool:
        if sent is None:
            return False
        return (
            amount_to_send(row, rule=self._rule) != sent.facts.total
            or row.dated != sent.facts.dated
            or (bool(sent.codes) and row.payer not in sent.codes)
        )


def status_of(number: int | None) -> Status:
    """Return a row's status; NULL reads as 0, and a number nobody knows counts as failed."""
    if number is None:
        return Status.NOT_SYNCED
    return Status(number) if number in set(Status) else Status.FAILED


def cause_of(number: int | None, *, refusal: RefusalRecord | None) -> str:
    """Return why a failed row failed: as we recorded it, else as its status tells."""
    if refusal is not None:
        return refusal.cause
    return FAILED_ELSEWHERE if number == Status.FAILED else STATUS_INVALID


def _having(by: dict[int, Status], status: Status) -> list[int]:
    return [one for one, each in by.items() if each is status]
