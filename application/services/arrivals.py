"""What an answer means for its invoice: confirmed, refused, again, or nobody can tell."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from application.catalogue import NumberNotKept, QuickBooksUnavailable
from application.invoices.model import Document, Facts, Intent
from application.invoices.outcomes import (
    Ok,
    Outcome,
    Passing,
    Refused,
    Unknown,
    absence_counts_from,
    fits,
)
from application.invoices.retries import Step, next_step, stop_for, wait_before_ms
from application.quickbooks.client import Answered, Client
from application.quickbooks.lanes import Lanes
from application.services.customers import Customers
from application.services.payers import Linked
from application.services.plans import Plans
from application.services.recording import Confirming, Recording, Refusing, conflict_of
from application.services.settling import Settling
from application.services.trips import (
    Ended,
    Held,
    State,
    ended_by,
    errand_of,
    refused_by,
    sending_of,
    wanted_of,
)
from application.store.journal import Journal
from application.world import Gate, Waits, World


class Arrivals:
    """Takes each answer to its place in the journal and the MIS.

    Args:
        lanes: The lanes the answers come from; what may be tried again goes back to them.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        plans: Plans,
        customers: Customers,
        recording: Recording,
        settling: Settling,
        lanes: Lanes,
        client: Client,
        world: World,
        waits: Waits,
    ) -> None:
        self._journal = journal
        self._plans = plans
        self._customers = customers
        self._recording = recording
        self._settling = settling
        self._lanes = lanes
        self._client = client
        self._world = world
        self._waits = waits

    def answered(self, answered: Answered, *, state: State) -> None:
        """Record what one request brought back, for each invoice it carried."""
        confirms: list[Confirming] = []
        unclear: list[tuple[Held, Unknown]] = []
        for sending, outcome in zip(answered.sendings, answered.outcomes, strict=True):
            held = state.held[sending.intent_id]
            self._world.gate(Gate.BUNDLE_ITEM)
            self._sort(held, outcome=outcome, confirms=confirms, unclear=unclear, state=state)
        self._recording.confirm(confirms, sender=state.trip.sender)
        for item in confirms:
            state.end(
                Ended(
                    item.invoice_id,
                    quickbooks_id=item.found.quickbooks_id,
                    attempts=state.held[item.intent.id].attempts + 1,
                )
            )
        self._lost(unclear, state=state)
        state.let_go(sending.intent_id for sending in answered.sendings)

    def _sort(
        self,
        held: Held,
        *,
        outcome: Outcome,
        confirms: list[Confirming],
        unclear: list[tuple[Held, Unknown]],
        state: State,
    ) -> None:
        if not (isinstance(outcome, Refused) and outcome.passing is Passing.NOT_SENT):
            held.sends += 1
            state.away_since = None
        if isinstance(outcome, Unknown):
            unclear.append((held, outcome))
        elif isinstance(outcome, Refused):
            self._refused(held, outcome=outcome, state=state)
        else:
            self._ok(held, outcome=outcome, confirms=confirms, unclear=unclear, state=state)

    def _ok(
        self,
        held: Held,
        *,
        outcome: Ok,
        confirms: list[Confirming],
        unclear: list[tuple[Held, Unknown]],
        state: State,
    ) -> None:
        found = outcome.found
        facts = held.intent.facts
        if not isinstance(found, Document) or facts is None:
            unclear.append((held, Unknown("answer_mismatch")))
            return
        if fits(facts, found) and not self._may_be_replay(held, found=found):
            confirms.append(
                Confirming(
                    intent=held.intent,
                    invoice_id=held.plan.invoice.id,
                    token=held.token,
                    found=found,
                    intuit_tid=outcome.intuit_tid,
                )
            )
        elif fits(facts, found):
            self._reread(held, found=found, confirms=confirms, unclear=unclear, state=state)
        elif found.doc_number == facts.doc_number or _fits_but_number(facts, found):
            self.compare(held, found=[found], adopted=False, tid=outcome.intuit_tid, state=state)
            if found.doc_number != facts.doc_number:
                raise NumberNotKept
        else:
            unclear.append((held, Unknown("answer_mismatch")))

    def _may_be_replay(self, held: Held, *, found: Document) -> bool:
        """Return whether the answer may be an old one, for a document deleted since."""
        if held.intent.looks or held.intent.unsettled:
            return True
        age = timedelta(milliseconds=self._waits.replay_age_ms)
        return found.created_at is not None and found.created_at < self._world.clock.now() - age

    def _reread(
        self,
        held: Held,
        *,
        found: Document,
        confirms: list[Confirming],
        unclear: list[tuple[Held, Unknown]],
        state: State,
    ) -> None:
        again = self._client.document_by_id(found.quickbooks_id)
        self._world.gate(Gate.REREAD_BY_ID)
        if isinstance(again, Document):
            confirmed = held.intent.facts is not None and fits(held.intent.facts, again)
            if confirmed and not again.voided:
                confirms.append(
                    Confirming(
                        intent=held.intent,
                        invoice_id=held.plan.invoice.id,
                        token=held.token,
                        found=again,
                    )
                )
                return
            self.compare(held, found=[again], adopted=False, tid=None, state=state)
        elif isinstance(again, Refused | Unknown):
            unclear.append((held, Unknown("reread_failed")))
        else:
            self.compare(held, found=[], adopted=False, tid=None, state=state)

    def compare(
        self,
        held: Held,
        *,
        found: Sequence[Document],
        adopted: bool,
        tid: str | None,
        state: State,
    ) -> None:
        """Adopt what agrees with the intent; anything else is a conflict for a person."""
        live = [one for one in found if not one.voided]
        self._world.gate(Gate.ANSWER_COMPARED)
        facts = held.intent.facts
        if len(live) == 1 and len(found) == 1 and facts is not None and fits(facts, live[0]):
            item = Confirming(
                intent=held.intent,
                invoice_id=held.plan.invoice.id,
                token=held.token,
                found=live[0],
                intuit_tid=tid,
                adopted=adopted,
            )
            self._recording.confirm([item], sender=state.trip.sender)
            state.end(Ended(item.invoice_id, quickbooks_id=live[0].quickbooks_id))
            return
        refusal = conflict_of(held.intent, token=held.token, found=found, plan=held.plan)
        self._recording.refuse([refusal], sender=state.trip.sender)
        state.end(ended_by(refusal))

    def _refused(self, held: Held, *, outcome: Refused, state: State) -> None:
        trip = state.trip
        held.attempts += outcome.passing is not Passing.PAUSE
        self._heed_absence(held, outcome=outcome, state=state)
        step = next_step(
            outcome,
            attempts=held.attempts,
            max_retries=trip.max_retries,
            sends=held.sends,
            sends_max=trip.sends_max,
            sign_in_tried=True,
        )
        sender = trip.sender
        if step in {Step.TRY_AGAIN, Step.PAUSE, Step.STOP}:
            self._journal.passed(
                [held.intent.id],
                cause=outcome.cause,
                lease=sender.lease,
                by=sender.by,
            )
            if step is Step.STOP:
                raise stop_for(outcome.cause)
            self._lanes.again([sending_of(held.intent)], wait_ms=self._wait_ms(step))
            return
        refusal = refused_by(held.plan, token=held.token, outcome=outcome, intent=held.intent)
        if self._mended(held, refusal=refusal, outcome=outcome, state=state):
            return
        self._recording.refuse([refusal], sender=sender)
        state.end(ended_by(refusal, attempts=held.attempts))

    def _heed_absence(self, held: Held, *, outcome: Refused, state: State) -> None:
        """End the run when no connection could be opened for as long as people should wait."""
        if outcome.passing is not Passing.NOT_SENT:
            return
        now = self._world.clock.now()
        state.away_since = state.away_since or now
        away = now - state.away_since >= timedelta(milliseconds=self._waits.unreachable_ms)
        if away or (not state.trip.both and held.attempts >= state.trip.max_retries):
            self._journal.passed(
                [held.intent.id],
                cause=outcome.cause,
                lease=state.trip.sender.lease,
                by=state.trip.sender.by,
            )
            raise QuickBooksUnavailable(detail=outcome.text or "no connection could be opened")

    def _wait_ms(self, step: Step) -> int:
        if step is Step.PAUSE:
            return 0  # the throttle holds every request of the realm back
        jitter_ms = self._world.chance.jitter_ms(most_ms=self._waits.retry_delay_ms // 5)
        return wait_before_ms(retry_delay_ms=self._waits.retry_delay_ms, jitter_ms=jitter_ms)

    def _mended(self, held: Held, *, refusal: Refusing, outcome: Refused, state: State) -> bool:
        """Look a rejected customer link up again; return whether the invoice goes on."""
        if outcome.reference != "customer" or held.relinked:
            return False
        sender = state.trip.sender
        answer = self._customers.relink(
            held.plan.invoice.payer, errand=errand_of(state, recording=self._recording)
        )
        if not isinstance(answer, Linked):
            return False
        self._recording.note_refused(refusal, sender=sender)
        wanted = wanted_of(
            held.plan,
            customer_id=answer.customer_id,
            earlier=self._latest(held.intent),
            realm=state.trip.realm,
            rule=self._plans.rules.amount,
        )
        fresh = self._journal.intend([wanted], lease=sender.lease, by=sender.by)[0]
        state.held[fresh.id] = Held(plan=held.plan, token=held.token, intent=fresh, relinked=True)
        self._lanes.again([sending_of(fresh)], wait_ms=0)
        return True

    def _latest(self, intent: Intent) -> Intent:
        return self._journal.intents_of(intent.realm_tag, kind=intent.kind, keys=[intent.key])[
            intent.key
        ]

    def _lost(self, unclear: Sequence[tuple[Held, Unknown]], *, state: State) -> None:
        """Write down what nobody can tell, and look at once where QuickBooks named a document."""
        sender = state.trip.sender
        absent_from = absence_counts_from(
            self._world.clock.now(), lease_ended_at=None, grace_ms=self._waits.grace_ms
        )
        for held, outcome in unclear:
            self._recording.unknown(
                [held.intent],
                why=_why(outcome),
                absent_from=absent_from,
                sender=sender,
            )
        if not unclear:
            return
        ids = [held.plan.invoice.id for held, _ in unclear]
        # These looks are part of taking an answer in: a run that is asked to stop makes them.
        settled = self._settling.settle(
            realm=state.trip.realm,
            sender=sender,
            pulse=replace(state.trip.pulse, stop=lambda: False),
            sending=True,
            only=ids,
            now=True,
        )
        for one in ids:
            if one in settled.confirmed:
                state.end(Ended(one, quickbooks_id=settled.confirmed[one]))
            elif one in settled.refused:
                state.end(Ended(one, cause=settled.refused[one]))
            else:
                state.end(Ended(one, unsettled_until=settled.left.get(one, absent_from)))


def _fits_but_number(facts: Facts, found: Document) -> bool:
    """Return whether QuickBooks kept everything but our number."""
    return fits(replace(facts, doc_number=found.doc_number or ""), found)


def _why(outcome: Unknown) -> str:
    return f"{outcome.why}: {outcome.text}" if outcome.text else outcome.why
