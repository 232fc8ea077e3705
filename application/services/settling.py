"""Settle unknown outcomes: look, wait, decide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from application.catalogue import ReadsUsedUp
from application.invoices.model import (
    Document,
    Facts,
    Intent,
    IntentState,
    Kind,
    Party,
    Realm,
    Status,
    doc_number,
    request_id,
)
from application.invoices.money import amount_to_send
from application.invoices.outcomes import (
    Refused,
    Unknown,
    Verdict,
    absence_counts_from,
    clocks_agree,
    verdict,
)
from application.invoices.retries import stop_for
from application.logs import Logs
from application.mis.reader import MisReader
from application.quickbooks.client import Client, LookUp
from application.services.plans import Plan, Plans, pages_of
from application.services.recording import (
    Confirming,
    Pulse,
    Recording,
    Refusing,
    Sender,
    conflict_of,
)
from application.store.journal import Journal, NewIntent
from application.world import Gate, Waits, World

PAGE = 30
CREATE_INVOICE = "create-invoice"
ASK_LATER = frozenset({"quickbooks_unavailable", "quickbooks_rate_limited", ReadsUsedUp.cause})


@dataclass(slots=True)
class Settled:
    """What one settling round decided, by invoice."""

    confirmed: dict[int, str] = field(default_factory=dict)  # invoice -> QuickBooks id
    refused: dict[int, str] = field(default_factory=dict)  # invoice -> cause
    released: list[int] = field(default_factory=list)
    left: dict[int, datetime] = field(default_factory=dict)  # invoice -> when it can be decided
    again: list[tuple[Intent, str]] = field(default_factory=list)  # absent: same bytes, its token

    def add(self, other: "Settled") -> None:
        """Take in what another round decided."""
        self.confirmed |= other.confirmed
        self.refused |= other.refused
        self.released += other.released
        self.left |= other.left
        self.again += other.again


class Settling:
    """Finds out what became of invoices whose answer was lost."""

    def __init__(
        self,
        *,
        journal: Journal,
        reader: MisReader,
        recording: Recording,
        plans: Plans,
        client: Client,
        world: World,
        waits: Waits,
        logs: Logs,
        sends_max: int,
    ) -> None:
        self._journal = journal
        self._reader = reader
        self._recording = recording
        self._plans = plans
        self._client = client
        self._world = world
        self._waits = waits
        self._logs = logs
        self._sends_max = sends_max

    def watch(
        self,
        plans: Sequence[Plan],
        *,
        since: dict[int, datetime],
        realm: Realm,
        sender: Sender,
    ) -> list[Intent]:
        """Note that another program may have sent these rows: they are looked for before any send.

        The intent carries no body of ours yet; what is found under its number is compared
        with the row once it is planned in full.
        """
        wait_ms = self._waits.lease_ms + self._waits.grace_ms
        wanted = [self._number_only(plan, realm=realm) for plan in plans]
        intents = self._journal.intend(wanted, lease=sender.lease, by=sender.by)
        for intent in intents:
            seen = since.get(intent.invoice_id or 0, self._world.clock.now())
            self._recording.unknown(
                [intent],
                why="sent_elsewhere",
                absent_from=seen + timedelta(milliseconds=wait_ms),
                sender=sender,
            )
        return intents

    def _number_only(self, plan: Plan, *, realm: Realm) -> NewIntent:
        number = doc_number(plan.invoice.id)
        earlier = self._journal.intents_of(realm.tag, kind=Kind.INVOICE, keys=[number]).get(number)
        generation = earlier.generation + 1 if earlier else 1
        return NewIntent(
            realm_tag=realm.tag,
            kind=Kind.INVOICE,
            key=number,
            generation=generation,
            request_id=request_id(
                realm, key=number, operation=CREATE_INVOICE, generation=generation
            ),
            payload=b"",
            source_sha256="",
            invoice_id=plan.invoice.id,
            facts=None,
        )

    def settle(
        self,
        *,
        realm: Realm,
        sender: Sender,
        pulse: Pulse,
        sending: bool,
        only: Sequence[int] | None = None,
        orphans: bool = False,
        now: bool = False,
    ) -> Settled:
        """Look for unclear invoices in QuickBooks and decide what the look proves.

        Args:
            realm: The company to ask.
            sender: Us, holding the realm's lease.
            pulse: Keeps the lease alive between two reads; asked to stop, the rest is left.
            sending: Whether the caller will send what is absent; else it goes back to waiting.
            only: These invoices alone.
            orphans: Also those a dead sender left between attempt and answer.
            now: Look even where the next look is not due yet; shortens no wait for absence.

        Raises:
            Stop: QuickBooks cannot be asked until a person acts.
        """
        done = Settled()
        todo = self._todo(realm, sender=sender, orphans=orphans, only=only)
        due = [one for one in todo if now or self.due_at(one) <= self._world.clock.now()]
        for one in todo:
            if one not in due and one.invoice_id is not None:
                done.left[one.invoice_id] = one.absent_from or self._world.clock.now()
        asking = True
        for page in pages_of(due, most=PAGE):
            pulse.every()
            # What cannot be asked now will not be answered for the next page either.
            asking = asking and not pulse.stop()
            answer = self._asked(page) if asking else None
            if answer is None:
                asking = False
                done.left |= self._left(page)
                continue
            look = _Look(
                realm=realm,
                sender=sender,
                every=pulse.every,
                sending=sending,
                asked_at=answer.asked_at,
                believable=clocks_agree(answer.asked_at, answer.server_date),
            )
            done.add(self._settle_page(page, answer=answer, look=look))
        return done

    def taken(self, numbers: Sequence[str], *, pulse: Pulse) -> frozenset[str] | None:
        """Return which numbers stand in QuickBooks now; None where it cannot be asked."""
        found: set[str] = set()
        for page in pages_of(numbers, most=PAGE):
            pulse.every()
            if pulse.stop():
                return None
            answer = self._client.documents_by_number(page)
            self._world.gate(Gate.SETTLE_ASKED)
            if isinstance(answer, Refused | Unknown):
                return None
            found.update(one.doc_number or "" for one in answer.documents)
        return frozenset(found)

    def due_at(self, intent: Intent) -> datetime:
        """Return when the next look for an unclear invoice makes sense."""
        absent_from = intent.absent_from or self._world.clock.now()
        waits = self._waits.settle_looks_ms
        if intent.looks >= len(waits) or intent.last_sent_at is None:
            return absent_from if intent.looks else self._world.clock.now()
        planned = intent.last_sent_at + timedelta(milliseconds=waits[intent.looks])
        return min(planned, absent_from)

    def _todo(
        self, realm: Realm, *, sender: Sender, orphans: bool, only: Sequence[int] | None
    ) -> list[Intent]:
        todo: list[Intent] = []
        for intent in self._journal.unsettled(realm.tag, kind=Kind.INVOICE):
            if only is not None and intent.invoice_id not in only:
                continue
            if intent.state is IntentState.UNKNOWN:
                todo.append(intent)
            elif orphans:
                todo.append(self._orphan(intent, sender=sender))
        return todo

    def _orphan(self, intent: Intent, *, sender: Sender) -> Intent:
        """Write down that an attempt's sender died before its answer was durable."""
        now = self._world.clock.now()
        absent_from = absence_counts_from(
            intent.last_sent_at or now, lease_ended_at=now, grace_ms=self._waits.grace_ms
        )
        self._recording.unknown([intent], why="sender_died", absent_from=absent_from, sender=sender)
        kept = self._journal.intents_of(intent.realm_tag, kind=intent.kind, keys=[intent.key])
        return kept[intent.key]

    def _asked(self, intents: Sequence[Intent]) -> LookUp | None:
        """Return what stands under these numbers; None where QuickBooks cannot be asked now."""
        answer = self._client.documents_by_number([one.key for one in intents])
        self._world.gate(Gate.SETTLE_ASKED)
        if isinstance(answer, LookUp):
            return answer
        if isinstance(answer, Refused) and answer.cause not in ASK_LATER:
            raise stop_for(answer.cause)
        return None

    def _left(self, intents: Sequence[Intent]) -> dict[int, datetime]:
        now = self._world.clock.now()
        return {
            one.invoice_id: max(one.absent_from or now, now)
            for one in intents
            if one.invoice_id is not None
        }

    def _settle_page(self, intents: Sequence[Intent], *, answer: LookUp, look: "_Look") -> Settled:
        rows = {one.invoice_id: one for one in intents if one.invoice_id is not None}
        formers = {row.id: row for row in self._reader.former_of(list(rows))}
        plans = {
            plan.invoice.id: plan
            for plan in self._plans.of(
                self._reader.rows_of(sorted(formers)), realm_tag=look.realm.tag
            )
        }
        done = Settled()
        for intent in intents:
            found = [one for one in answer.documents if one.doc_number == intent.key]
            former = formers.get(intent.invoice_id or 0)
            token = former.pushed_by if former and former.status == Status.IN_PROGRESS else None
            self._decide(
                _Case(
                    intent=intent,
                    found=found,
                    plan=plans.get(intent.invoice_id or 0),
                    token=token or "",
                ),
                look=look,
                done=done,
            )
        return done

    def _decide(self, case: "_Case", *, look: "_Look", done: Settled) -> None:
        intent = case.intent
        facts = intent.facts or self._facts_from_row(case, look=look)
        absent_from = intent.absent_from or look.asked_at
        if facts is None and case.found:
            self._conflict(case, look=look, done=done)
            return
        conclusion = (
            verdict(
                facts,
                case.found,
                now=look.asked_at,
                absent_from=absent_from,
                looks=intent.looks,
            )
            if facts is not None
            else _absence(intent, now=look.asked_at, absent_from=absent_from)
        )
        if conclusion is Verdict.ABSENT and not look.believable:
            self._logs.event("settle.clock_differs", level="warning")
            conclusion = Verdict.WAIT
        match conclusion:
            case Verdict.ADOPT:
                self._adopt(case, look=look, done=done)
            case Verdict.CONFLICT | Verdict.DUPLICATE:
                self._conflict(case, look=look, done=done)
            case Verdict.WAIT:
                self._journal.look(intent.id, at=look.asked_at)
                done.left[intent.invoice_id or 0] = absent_from
            case Verdict.ABSENT:
                self._journal.look(intent.id, at=look.asked_at)
                self._absent(case, look=look, done=done)

    def _facts_from_row(self, case: "_Case", *, look: "_Look") -> Facts | None:
        """Return what a document of another program must show to be this row's invoice."""
        plan = case.plan
        live = [one for one in case.found if not one.voided]
        if plan is None or len(live) != 1 or not plan.invoice.payer:
            return None
        total = amount_to_send(plan.invoice, rule=self._plans.rules.amount)
        if total is None or plan.invoice.dated is None:
            return None
        look.every()
        party = self._client.party_by_id(live[0].customer_id)
        if not isinstance(party, Party) or party.display_name != plan.invoice.payer:
            return None
        return Facts(
            doc_number=case.intent.key,
            customer_id=party.quickbooks_id,
            total=total,
            dated=plan.invoice.dated,
        )

    def _adopt(self, case: "_Case", *, look: "_Look", done: Settled) -> None:
        self._world.gate(Gate.SETTLE_FOUND)
        found = next(one for one in case.found if not one.voided)
        invoice_id = case.intent.invoice_id or 0
        self._recording.confirm(
            [
                Confirming(
                    intent=case.intent,
                    invoice_id=invoice_id,
                    token=case.token,
                    found=found,
                    adopted=True,
                )
            ],
            sender=look.sender,
        )
        done.confirmed[invoice_id] = found.quickbooks_id

    def _conflict(self, case: "_Case", *, look: "_Look", done: Settled) -> None:
        self._world.gate(Gate.SETTLE_FOUND)
        invoice_id = case.intent.invoice_id or 0
        self._recording.refuse(
            [conflict_of(case.intent, token=case.token, found=case.found, plan=case.plan)],
            sender=look.sender,
        )
        done.refused[invoice_id] = "document_conflict"

    def _absent(self, case: "_Case", *, look: "_Look", done: Settled) -> None:
        self._world.gate(Gate.SETTLE_ABSENT)
        intent, plan = case.intent, case.plan
        invoice_id = intent.invoice_id or 0
        sender = look.sender
        if plan is None:
            self._journal.absent([intent.id], again=False, lease=sender.lease, by=sender.by)
            self._journal.source_gone(invoice_id, lease=sender.lease, by=sender.by)
            return
        same = bool(intent.payload) and (
            plan.source(rule=self._plans.rules.amount) == intent.source_sha256
        )
        if intent.payload and (intent.sends >= self._sends_max or _unlisted(intent)):
            self._give_up(case, sender=sender, done=done)
            return
        self._journal.absent([intent.id], again=same, lease=sender.lease, by=sender.by)
        if same and look.sending and case.token:
            done.again.append((intent, case.token))
        elif case.token:
            done.released += self._recording.reopen(case.token, ids=[invoice_id], sender=sender)

    def _give_up(self, case: "_Case", *, sender: Sender, done: Settled) -> None:
        """Refuse an invoice that QuickBooks answered unclearly each time and never kept."""
        invoice_id = case.intent.invoice_id or 0
        self._recording.refuse(
            [
                Refusing(
                    invoice_id=invoice_id,
                    token=case.token,
                    cause="quickbooks_rejected",
                    fingerprint=case.plan.fingerprint(cause="quickbooks_rejected")
                    if case.plan
                    else "",
                    intent=case.intent,
                    text=case.intent.cause,
                )
            ],
            sender=sender,
        )
        done.refused[invoice_id] = "quickbooks_rejected"


@dataclass(frozen=True, slots=True)
class _Look:
    """One look-up and who made it."""

    realm: Realm
    sender: Sender
    every: Callable[[], None]
    sending: bool
    asked_at: datetime
    believable: bool  # QuickBooks' clock and ours agree, so a wait measured by ours counts


@dataclass(frozen=True, slots=True)
class _Case:
    """One unclear invoice and what the look-up showed."""

    intent: Intent
    found: Sequence[Document]
    plan: Plan | None  # None when the MIS row is gone
    token: str  # in the MIS row now; empty when the row is not in progress


def _absence(intent: Intent, *, now: datetime, absent_from: datetime) -> Verdict:
    """Return the verdict on a number we only watch, when nothing stands under it."""
    return Verdict.ABSENT if now >= absent_from and intent.looks else Verdict.WAIT


def _unlisted(intent: Intent) -> bool:
    """Return whether QuickBooks refused in unlisted words: final once absence is proved."""
    return (intent.cause or "").startswith("rejected_text")
