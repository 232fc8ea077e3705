"""The order of history: attempt before the first byte; receipt and audit, then the fenced flag."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from application.catalogue import MisUnavailable
from application.invoices.model import Document, Facts, Intent, IntentState, Status
from application.invoices.outcomes import differences
from application.logs import Logs
from application.mis.claims import MisClaims
from application.mis.reader import Former, MisReader
from application.quickbooks.client import Bundle, Work
from application.quickbooks.wire import place
from application.services.plans import Plan
from application.store.audit import Actor
from application.store.journal import IllegalEdge, Journal, Receipt, Refusal, Send
from application.store.leases import Lease, Leases
from application.world import Gate, Waits, World

T = TypeVar("T")
MIS_RETRY_MS = 1000


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the lease, the run, and the person or program behind it."""

    lease: Lease
    by: Actor
    run_id: int | None

    @property
    def mark(self) -> str:
        """What a settled MIS row says in `pushed_by`: who, and for which company."""
        return f"feebridge:{self.by.name}@{self.lease.realm_tag}"


@dataclass(frozen=True, slots=True)
class Pulse:
    """What whoever asks QuickBooks again and again needs of the run it does so for."""

    every: Callable[[], None]  # renews the lease in time; raises where it is lost
    stop: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Confirming:
    """An invoice that QuickBooks holds as intended."""

    intent: Intent
    invoice_id: int
    token: str
    found: Document
    intuit_tid: str | None = None
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Refusing:
    """An invoice that is not in QuickBooks, and why."""

    invoice_id: int
    token: str
    cause: str
    fingerprint: str
    intent: Intent | None = None
    facts: dict[str, str] | None = None
    code: str | None = None
    text: str | None = None
    intuit_tid: str | None = None
    conflict_with: str | None = None  # QuickBooks id of the other document


class Patience:
    """Repeats a MIS call while the MIS is away, for a bounded time.

    Every call made through it must be harmless when it runs twice: a claim finds its own
    token again, a mark finds the row already marked.
    """

    def __init__(self, *, world: World, waits: Waits, logs: Logs) -> None:
        self._world = world
        self._waits = waits
        self._logs = logs

    def __call__(self, call: Callable[[], T]) -> T:
        """Return what the call returns.

        Raises:
            MisUnavailable: It was away for longer than MIS_PATIENCE_S.
        """
        until = self._world.clock.later(wait_ms=self._waits.mis_patience_ms)
        while True:
            try:
                return call()
            except MisUnavailable:
                if self._world.clock.now() >= until:
                    raise
                self._logs.event("mis.waited_for", level="warning")
                self._world.clock.sleep_ms(MIS_RETRY_MS)


class Recording:
    """Writes what happened, in the one order a crash cannot turn into a lie."""

    def __init__(
        self,
        *,
        journal: Journal,
        claims: MisClaims,
        reader: MisReader,
        leases: Leases,
        world: World,
        logs: Logs,
        patiently: Patience,
    ) -> None:
        self._journal = journal
        self._claims = claims
        self._reader = reader
        self._leases = leases
        self._world = world
        self._logs = logs
        self._patiently = patiently

    def sending(self, work: Work, *, sender: Sender) -> None:
        """Make the attempts durable and check the lease; called just before the first byte.

        Raises:
            LeaseLost: Another sender took over; nothing may be sent.
            StoreUnavailable: The attempt could not be written; nothing may be sent.
        """
        if isinstance(work, Bundle):
            sends = [
                Send(intent_id=one.intent_id, lane="batch", bundle_id=work.id, place=place(n))
                for n, one in enumerate(work.sendings)
            ]
        else:
            sends = [Send(intent_id=work.sending.intent_id, lane="single")]
        try:
            self._journal.attempt(sends, lease=sender.lease, by=sender.by)
        except IllegalEdge as edge:
            if edge.state != IntentState.SENDING:
                raise
            # QuickBooks refused the first send's token; the same bytes go again with a new one.
            self._journal.passed(
                [one.intent_id for one in sends],
                cause="authentication_failed",
                lease=sender.lease,
                by=sender.by,
            )
            self._journal.attempt(sends, lease=sender.lease, by=sender.by)
        self._leases.still_ours(sender.lease)
        self._world.gate(Gate.LEASE_CHECKED)

    def confirm(self, items: Sequence[Confirming], *, sender: Sender) -> None:
        """Write the receipts, then the flags of the MIS, then the note that both are done."""
        if not items:
            return
        self._journal.confirmed(
            [_receipt(item) for item in items], lease=sender.lease, by=sender.by
        )
        self._world.gate(Gate.RECEIPT_DURABLE)
        for item in items:
            self._logs.event("receipt.written", run_id=sender.run_id, invoice_id=item.invoice_id)
        self.mark_synced([(item.invoice_id, item.token) for item in items], sender=sender)

    def mark_synced(self, rows: Iterable[tuple[int, str]], *, sender: Sender) -> None:
        """Set flag 1 on rows whose receipt is durable; QuickBooks is not asked."""
        done = self._mark(rows, status=Status.SYNCED, sender=sender)
        self._world.gate(Gate.MARK_COMMITTED)
        if done:
            self._journal.note_synced(done, lease=sender.lease, by=sender.by)
            self._world.gate(Gate.MARK_NOTED)

    def refuse(self, items: Sequence[Refusing], *, sender: Sender) -> None:
        """Write why each invoice is not in QuickBooks, then flag 2."""
        if not items:
            return
        plain = [item for item in items if item.conflict_with is None]
        other = [item for item in items if item.conflict_with is not None]
        if plain:
            self._journal.refused(
                [_refusal(item, run_id=sender.run_id) for item in plain],
                lease=sender.lease,
                by=sender.by,
            )
        if other:
            self._journal.conflict(
                [_refusal(item, run_id=sender.run_id) for item in other],
                lease=sender.lease,
                by=sender.by,
            )
        self._world.gate(Gate.REFUSAL_DURABLE)
        for item in items:
            self._logs.event(
                "invoice.refused",
                run_id=sender.run_id,
                invoice_id=item.invoice_id,
                error_code=item.cause,
                quickbooks_code=item.code,
            )
        self.mark_failed([(item.invoice_id, item.token) for item in items], sender=sender)

    def note_refused(self, item: Refusing, *, sender: Sender) -> None:
        """Write a refusal whose invoice goes on at once under the next generation."""
        self._journal.refused(
            [_refusal(item, run_id=sender.run_id)], lease=sender.lease, by=sender.by
        )
        self._world.gate(Gate.REFUSAL_DURABLE)

    def mark_failed(self, rows: Iterable[tuple[int, str]], *, sender: Sender) -> None:
        """Set flag 2 on rows whose refusal is durable."""
        self._mark(rows, status=Status.FAILED, sender=sender)
        self._world.gate(Gate.REFUSAL_MARKED)

    def unknown(
        self, intents: Sequence[Intent], *, why: str, absent_from: datetime, sender: Sender
    ) -> None:
        """Write that nobody can tell; the flag stays 3 and settling decides."""
        if not intents:
            return
        self._journal.unknown(
            [intent.id for intent in intents],
            why=why,
            absent_from=absent_from,
            lease=sender.lease,
            by=sender.by,
        )
        self._world.gate(Gate.UNKNOWN_DURABLE)
        for intent in intents:
            self._logs.event(
                "invoice.unknown",
                run_id=sender.run_id,
                invoice_id=intent.invoice_id,
                outcome=why,
            )

    def release(self, token: str, *, ids: Sequence[int], sender: Sender) -> list[int]:
        """Give claimed rows their former values back; only for rows of which nothing was sent."""
        note = self._journal.claim_of(token) if ids else None
        if note is None:
            return []
        wanted = set(ids)
        formers = [
            Former(one.id, one.status, one.pushed_by, one.pushed_date_text)
            for one in note.formers
            if one.id in wanted
        ]
        freed = self._patiently(lambda: self._claims.release(formers, token=token))
        self._world.gate(Gate.RELEASE_RESTORED)
        self._journal.released(list(ids), token=token, lease=sender.lease, by=sender.by)
        self._world.gate(Gate.RELEASE_NOTED)
        return freed

    def reopen(self, token: str, *, ids: Sequence[int], sender: Sender) -> list[int]:
        """Put claimed rows back to waiting after proved absence, whatever they said before."""
        if not ids:
            return []
        waiting = [
            Former(id=one, status=Status.NOT_SYNCED, pushed_by=None, pushed_date_text=None)
            for one in ids
        ]
        freed = self._patiently(lambda: self._claims.release(waiting, token=token))
        self._world.gate(Gate.RELEASE_RESTORED)
        self._journal.released(list(ids), token=token, lease=sender.lease, by=sender.by)
        self._world.gate(Gate.RELEASE_NOTED)
        return freed

    def _mark(
        self, rows: Iterable[tuple[int, str]], *, status: Status, sender: Sender
    ) -> list[int]:
        by_token: defaultdict[str, list[int]] = defaultdict(list)
        for invoice_id, token in rows:
            by_token[token].append(invoice_id)
        done: list[int] = []
        for token, ids in by_token.items():
            done.extend(self._mark_one(token, ids=ids, status=status, sender=sender))
        return done

    def _mark_one(self, token: str, *, ids: list[int], status: Status, sender: Sender) -> list[int]:
        hit = self._patiently(
            lambda: self._claims.mark(ids, token=token, status=status, by=sender.mark)
        )
        missed = sorted(set(ids) - set(hit))
        return hit + [
            one for one in missed if self._explain_miss(one, status=status, sender=sender)
        ]

    def _explain_miss(self, invoice_id: int, *, status: Status, sender: Sender) -> bool:
        """Return whether the row already says what we wanted; write down what it says else."""
        formers = self._patiently(lambda: self._reader.former_of([invoice_id]))
        if not formers:
            self._journal.source_gone(invoice_id, lease=sender.lease, by=sender.by)
            self._logs.event("invoice.source_gone", level="warning", invoice_id=invoice_id)
            return False
        row = formers[0]
        ours = (row.pushed_by or "").endswith(f"@{sender.lease.realm_tag}")
        if row.status == status and ours:
            return True
        self._journal.fenced(invoice_id, lease=sender.lease, by=sender.by)
        self._logs.event("invoice.fenced", level="warning", invoice_id=invoice_id)
        return False


def _receipt(item: Confirming) -> Receipt:
    facts: Facts = item.found.facts
    return Receipt(
        intent_id=item.intent.id,
        quickbooks_id=item.found.quickbooks_id,
        sync_token=item.found.sync_token,
        customer_id=facts.customer_id,
        total=facts.total,
        dated=facts.dated,
        intuit_tid=item.intuit_tid,
        adopted=item.adopted,
    )


def _refusal(item: Refusing, *, run_id: int | None) -> Refusal:
    return Refusal(
        invoice_id=item.invoice_id,
        intent_id=item.intent.id if item.intent else None,
        cause=item.cause,
        facts=item.facts or {},
        fingerprint=item.fingerprint,
        run_id=run_id,
        quickbooks_code=item.code,
        quickbooks_text=item.text,
        intuit_tid=item.intuit_tid,
        quickbooks_id=item.conflict_with,
    )


def conflict_of(
    intent: Intent, *, token: str, found: Sequence[Document], plan: Plan | None
) -> Refusing:
    """Return the refusal that names the other document under our number."""
    first = found[0] if found else None
    words = list(differences(intent.facts, first)) if intent.facts and first else []
    if len([one for one in found if not one.voided]) > 1:
        words.append("two live invoices carry this number")
    return Refusing(
        invoice_id=intent.invoice_id or 0,
        token=token,
        cause="document_conflict",
        fingerprint=plan.fingerprint(cause="document_conflict") if plan else "",
        intent=intent,
        facts={"number": intent.key, "differences": "; ".join(words)},
        conflict_with=",".join(one.quickbooks_id for one in found),
    )
