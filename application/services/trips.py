"""What one run holds: its trip, its claimed invoices, what became of each."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from application.catalogue import Stop
from application.invoices.model import (
    AmountRule,
    Draft,
    Facts,
    Intent,
    IntentState,
    Kind,
    Realm,
    request_id,
)
from application.invoices.outcomes import Refused
from application.quickbooks import wire
from application.quickbooks.client import Sending
from application.services.payers import Errand
from application.services.plans import Plan
from application.services.recording import Pulse, Recording, Refusing, Sender
from application.services.settling import CREATE_INVOICE
from application.store.journal import NewIntent


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one invoice in this run."""

    invoice_id: int
    cause: str | None = None  # None: synced, unless `unsettled`
    quickbooks_id: str | None = None
    unsettled_until: datetime | None = None
    facts: tuple[tuple[str, str], ...] = ()
    attempts: int = 0
    freed: bool = False  # went back to waiting: no part of the run's counts
    parked_until: datetime | None = None  # freed because its customer is not settled yet

    @property
    def synced(self) -> bool:
        """Whether it is in QuickBooks now."""
        return self.cause is None and self.unsettled_until is None and not self.freed


@dataclass(frozen=True, slots=True)
class Trip:
    """What one run crosses with."""

    realm: Realm
    sender: Sender
    token_for: Callable[[], str]
    pulse: Pulse
    both: bool
    cold: bool  # look in QuickBooks before every first send
    max_retries: int
    sends_max: int


@dataclass(slots=True)
class Held:
    """One claimed invoice of this trip."""

    plan: Plan
    token: str
    intent: Intent
    attempts: int = 0
    sends: int = 0
    relinked: bool = False


@dataclass(slots=True)
class State:
    """Everything one trip has in hand."""

    trip: Trip
    held: dict[int, Held] = field(default_factory=dict)  # by intent id
    ended: deque[Ended] = field(default_factory=deque)
    claimed: dict[int, str] = field(default_factory=dict)  # invoice -> token, not yet decided
    stopped_by: Stop | None = None
    away_since: datetime | None = None  # no connection to QuickBooks since

    def end(self, one: Ended) -> None:
        """Take an invoice out of hand and remember what became of it."""
        self.claimed.pop(one.invoice_id, None)
        self.ended.append(one)

    def let_go(self, intent_ids: Iterable[int]) -> None:
        """Forget intents whose invoices are out of hand: a long run must not remember them all."""
        for one in intent_ids:
            held = self.held.get(one)
            if held is not None and held.plan.invoice.id not in self.claimed:
                del self.held[one]


def sending_of(intent: Intent) -> Sending:
    """Return the frozen bytes of an intent as the lanes carry them."""
    return Sending(
        intent_id=intent.id,
        kind=Kind.INVOICE,
        key=intent.key,
        request_id=intent.request_id,
        payload=intent.payload,
    )


def facts_of(draft: Draft) -> Facts:
    """Return what must agree before a document counts as this draft."""
    return Facts(
        doc_number=draft.doc_number,
        customer_id=draft.customer_id,
        total=draft.amount,
        dated=draft.dated,
    )


def wanted_of(
    plan: Plan,
    *,
    customer_id: str,
    earlier: Intent | None,
    realm: Realm,
    rule: AmountRule,
) -> NewIntent:
    """Return the intent to freeze: the generation rises only when another body must go.

    Args:
        plan: A plan without problems.
        customer_id: The payer's customer in QuickBooks.
        earlier: The latest intent for this number; none of its attempts is unsettled.
        realm: The company it is for.
        rule: Which amount is sent.
    """
    draft = plan.draft(customer_id=customer_id, rule=rule)
    payload = wire.invoice_bytes(draft)
    generation = 1
    if earlier is not None:
        kept = earlier.state is IntentState.INTENDED and (
            not earlier.sends or earlier.payload == payload
        )
        generation = earlier.generation + (0 if kept else 1)
    return NewIntent(
        realm_tag=realm.tag,
        kind=Kind.INVOICE,
        key=draft.doc_number,
        generation=generation,
        request_id=request_id(
            realm, key=draft.doc_number, operation=CREATE_INVOICE, generation=generation
        ),
        payload=payload,
        source_sha256=plan.source(rule=rule),
        invoice_id=plan.invoice.id,
        facts=facts_of(draft),
    )


def errand_of(state: State, *, recording: Recording) -> Errand:
    """Return the trip as the customers of its page need it."""
    trip = state.trip
    return Errand(
        realm=trip.realm,
        lease=trip.sender.lease,
        by=trip.sender.by,
        about_to_send=lambda work: recording.sending(work, sender=trip.sender),
        every=trip.pulse.every,
        stop=trip.pulse.stop,
        both=trip.both,
        max_retries=trip.max_retries,
        sends_max=trip.sends_max,
    )


def refused_by(
    plan: Plan, *, token: str, outcome: Refused, intent: Intent | None = None
) -> Refusing:
    """Return the refusal of an invoice by QuickBooks."""
    return Refusing(
        invoice_id=plan.invoice.id,
        token=token,
        cause=outcome.cause,
        fingerprint=plan.fingerprint(cause=outcome.cause),
        intent=intent,
        facts=plan.facts,
        code=outcome.code,
        text=outcome.text,
        intuit_tid=outcome.intuit_tid,
    )


def refusing(plan: Plan, *, token: str) -> Refusing:
    """Return the refusal of a plan with problems; the first problem names the cause."""
    problem = plan.problems[0]
    return Refusing(
        invoice_id=plan.invoice.id,
        token=token,
        cause=problem.cause,
        fingerprint=plan.fingerprint(cause=problem.cause),
        facts=dict(problem.facts),
    )


def ended_by(refusal: Refusing, *, attempts: int = 0) -> Ended:
    """Return the end of an invoice that was refused."""
    return Ended(
        invoice_id=refusal.invoice_id,
        cause=refusal.cause,
        facts=tuple((refusal.facts or {}).items()),
        attempts=attempts,
    )
