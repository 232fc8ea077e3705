"""student -> QuickBooks customer: create first, look up on 6240, own intent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from application.invoices import mapping
from application.invoices.model import (
    CustomerDraft,
    Intent,
    IntentState,
    Kind,
    Party,
    Realm,
    Student,
    request_id,
)
from application.invoices.outcomes import (
    Ok,
    Outcome,
    Passing,
    Refused,
    Unknown,
    absence_counts_from,
)
from application.invoices.retries import Step, next_step, stop_for, wait_before_ms
from application.quickbooks import wire
from application.quickbooks.client import Sending
from application.quickbooks.lanes import Lanes
from application.services.payers import (
    Answer,
    Blocked,
    Errand,
    Linked,
    Nobody,
    Parked,
    Payers,
    receipt_of,
)
from application.services.plans import pages_of
from application.store.customers import Customers as Links
from application.store.journal import Journal, NewIntent
from application.world import Gate, Waits, World

OPERATION = "create-customer"
PAGE = 30


@dataclass(slots=True)
class _Round:
    """The payers of one page and what is known of each so far."""

    drafts: dict[str, CustomerDraft]
    answers: dict[str, Answer] = field(default_factory=dict)
    intents: dict[int, Intent] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    created: list[tuple[Intent, Party]] = field(default_factory=list)  # by the answer in hand
    unclear: list[tuple[Intent, Unknown]] = field(default_factory=list)  # after it
    taken: list[Intent] = field(default_factory=list)  # their names are in use already


class Customers:
    """Makes sure that payers have customers."""

    def __init__(
        self,
        *,
        journal: Journal,
        links: Links,
        payers: Payers,
        lanes: Lanes,
        world: World,
        waits: Waits,
    ) -> None:
        self._journal = journal
        self._links = links
        self._payers = payers
        self._lanes = lanes
        self._world = world
        self._waits = waits

    def ids_for(self, students: Mapping[str, Student], *, errand: Errand) -> dict[str, Answer]:
        """Return an answer for each payer code; creates the customers that are missing.

        Raises:
            Stop: The realm waits for a person, or the lease is gone.
        """
        known = self._links.ids_of(errand.realm.tag, list(students))
        answers: dict[str, Answer] = {code: Linked(one) for code, one in known.items()}
        missing = {code: one for code, one in students.items() if code not in known}
        if missing:
            answers |= self._create(missing, errand=errand)
        return answers

    def relink(self, code: str, *, errand: Errand) -> Answer:
        """Close a link that QuickBooks rejected and look the customer up again."""
        self._links.unlink(errand.realm.tag, code, by=errand.by, lease=errand.lease)
        answer = self._payers.named(code, errand=errand)
        if isinstance(answer, Linked):
            return answer
        return Blocked(Refused("customer_inactive"))

    def _create(self, students: Mapping[str, Student], *, errand: Errand) -> dict[str, Answer]:
        drafts = {code: mapping.customer_draft_of(one) for code, one in students.items()}
        work = _Round(drafts=drafts)
        earlier = self._journal.intents_of(errand.realm.tag, kind=Kind.CUSTOMER, keys=list(drafts))
        fresh: list[str] = []
        for code in drafts:
            intent = earlier.get(code)
            if intent is not None and intent.unsettled:
                work.answers[code] = self._settle(intent, work=work, errand=errand)
            else:
                fresh.append(code)
        pages = self._intend(fresh, earlier=earlier, work=work, errand=errand)
        self._drain(iter(pages), work=work, errand=errand)
        # A run that is asked to stop pulls no further page; these were intended and not sent.
        now = self._world.clock.now()
        return {code: work.answers.get(code, Parked(now)) for code in students}

    def _intend(
        self,
        codes: Sequence[str],
        *,
        earlier: Mapping[str, Intent],
        work: _Round,
        errand: Errand,
    ) -> list[list[Sending]]:
        pages: list[list[Sending]] = []
        for page in pages_of(codes, most=PAGE):
            wanted = [
                self._wanted(work.drafts[code], earlier=earlier.get(code), realm=errand.realm)
                for code in page
            ]
            intents = self._journal.intend(wanted, lease=errand.lease, by=errand.by)
            self._world.gate(Gate.CUSTOMER_INTENDED)
            work.intents.update({intent.id: intent for intent in intents})
            pages.append([_sending(intent) for intent in intents])
        return pages

    def _wanted(self, draft: CustomerDraft, *, earlier: Intent | None, realm: Realm) -> NewIntent:
        payload = wire.customer_bytes(draft)
        generation = 1
        if earlier is not None:
            kept = earlier.state is IntentState.INTENDED and earlier.sends == 0
            same = kept or (earlier.state is IntentState.INTENDED and earlier.payload == payload)
            generation = earlier.generation if same else earlier.generation + 1
        return NewIntent(
            realm_tag=realm.tag,
            kind=Kind.CUSTOMER,
            key=draft.display_name,
            generation=generation,
            request_id=request_id(
                realm, key=draft.display_name, operation=OPERATION, generation=generation
            ),
            payload=payload,
            source_sha256="",
            invoice_id=None,
            facts=None,
        )

    def _drain(self, pages: Iterator[Sequence[Sending]], *, work: _Round, errand: Errand) -> None:
        work.taken = []
        for answered in self._lanes.drain(
            pages,
            both=errand.both,
            about_to_send=errand.about_to_send,
            every=errand.every,
            stop=errand.stop,
        ):
            self._world.gate(Gate.CUSTOMER_ANSWERED)
            work.created, work.unclear = [], []
            for sending, outcome in zip(answered.sendings, answered.outcomes, strict=True):
                self._judge(sending, outcome=outcome, work=work, errand=errand)
            work.answers |= self._link(work.created, errand=errand)
            self._unclear(work, errand=errand)
        self._look(work, errand=errand)
        for sending in self._lanes.unsent():
            until = self._world.clock.now()
            work.answers.setdefault(sending.key, Parked(until))

    def _judge(self, sending: Sending, *, outcome: Outcome, work: _Round, errand: Errand) -> None:
        intent = work.intents[sending.intent_id]
        if isinstance(outcome, Ok):
            party = outcome.found
            if isinstance(party, Party) and party.display_name == intent.key:
                work.created.append((intent, party))
                return
            work.unclear.append((intent, Unknown("answer_mismatch")))
        elif isinstance(outcome, Unknown):
            work.unclear.append((intent, outcome))
        else:
            self._refused(intent, outcome=outcome, work=work, errand=errand)

    def _link(
        self, created: Sequence[tuple[Intent, Party]], *, errand: Errand
    ) -> dict[str, Answer]:
        """Make the receipts of one answer durable, then the links; both for all together."""
        if not created:
            return {}
        receipts = [receipt_of(intent, party=party, adopted=False) for intent, party in created]
        self._journal.confirmed(receipts, lease=errand.lease, by=errand.by)
        ids = {intent.key: party.quickbooks_id for intent, party in created}
        self._links.link_all(errand.realm.tag, ids, adopted=False, by=errand.by, lease=errand.lease)
        self._world.gate(Gate.CUSTOMER_LINKED)
        return {code: Linked(one) for code, one in ids.items()}

    def _unclear(self, work: _Round, *, errand: Errand) -> None:
        """Note what nobody can tell; where the name is taken, a look follows."""
        absent_from = absence_counts_from(
            self._world.clock.now(), lease_ended_at=None, grace_ms=self._waits.grace_ms
        )
        by_why: dict[str, list[int]] = {}
        for intent, outcome in work.unclear:
            by_why.setdefault(outcome.why, []).append(intent.id)
            work.answers[intent.key] = Parked(absent_from)
            if outcome.look_now:
                work.taken.append(intent)
        for why, ids in by_why.items():
            self._journal.unknown(
                ids, why=why, absent_from=absent_from, lease=errand.lease, by=errand.by
            )

    def _look(self, work: _Round, *, errand: Errand) -> None:
        """Find out whose the taken names are: with one read for those that are ours exactly."""
        taken = work.taken
        found = self._payers.exact(taken, errand=errand) if len(taken) > 1 else {}
        if found is None:
            return
        work.answers |= found
        for intent in taken:
            if intent.key in found:
                continue
            errand.every()
            seen = self._payers.named(intent.key, errand=errand, intent=intent)
            if isinstance(seen, Linked | Blocked):
                work.answers[intent.key] = seen

    def _refused(self, intent: Intent, *, outcome: Refused, work: _Round, errand: Errand) -> None:
        work.attempts[intent.id] = work.attempts.get(intent.id, 0) + (
            outcome.passing is Passing.TRANSIENT
        )
        step = next_step(
            outcome,
            attempts=work.attempts[intent.id],
            max_retries=errand.max_retries,
            sends=intent.sends + work.attempts[intent.id],
            sends_max=errand.sends_max,
            sign_in_tried=True,
        )
        if step in {Step.TRY_AGAIN, Step.PAUSE}:
            self._journal.passed([intent.id], lease=errand.lease, by=errand.by)
            self._lanes.again([_sending(intent)], wait_ms=self._wait_ms(step))
        elif step is Step.STOP:
            self._journal.passed([intent.id], lease=errand.lease, by=errand.by)
            raise stop_for(outcome.cause)
        elif outcome.field in {"email", "phone"}:
            self._without(intent, outcome=outcome, work=work, errand=errand)
        else:
            self._payers.refuse(intent, outcome=outcome, errand=errand)
            work.answers[intent.key] = Blocked(outcome)

    def _wait_ms(self, step: Step) -> int:
        if step is Step.PAUSE:
            return 0  # the throttle itself holds everything back
        jitter_ms = self._world.chance.jitter_ms(most_ms=self._waits.retry_delay_ms // 5)
        return wait_before_ms(retry_delay_ms=self._waits.retry_delay_ms, jitter_ms=jitter_ms)

    def _without(self, intent: Intent, *, outcome: Refused, work: _Round, errand: Errand) -> None:
        """Create the customer again without contact data that QuickBooks refused."""
        field_name = outcome.field or "email"
        draft = work.drafts[intent.key]
        leaner = mapping.without_contact(draft, field=field_name, reason="refused by QuickBooks")
        self._payers.refuse(intent, outcome=outcome, errand=errand)
        if leaner == draft:
            work.answers[intent.key] = Blocked(outcome)
            return
        work.drafts[intent.key] = leaner
        closed = self._journal.intents_of(errand.realm.tag, kind=Kind.CUSTOMER, keys=[intent.key])
        pages = self._intend([intent.key], earlier=closed, work=work, errand=errand)
        self._lanes.again(pages[0], wait_ms=0)

    def _settle(self, intent: Intent, *, work: _Round, errand: Errand) -> Answer:
        """Find out what became of an earlier unclear creation of this customer."""
        errand.every()
        if intent.state is IntentState.SENDING:
            intent = self._orphan(intent, errand=errand)
        seen = self._payers.named(intent.key, errand=errand, intent=intent)
        now = self._world.clock.now()
        absent_from = intent.absent_from or now
        if seen is None:
            return Parked(max(absent_from, now))
        if not isinstance(seen, Nobody):
            return seen
        self._journal.look(intent.id, at=seen.asked_at)
        if seen.asked_at < absent_from or intent.looks == 0 or not seen.believable:
            return Parked(max(absent_from, now))
        if intent.sends >= errand.sends_max:
            # Answered unclearly each time and never kept: another send needs a person.
            given_up = Refused("quickbooks_rejected", text=intent.cause or "")
            self._payers.refuse(intent, outcome=given_up, errand=errand)
            return Blocked(given_up)
        self._journal.absent([intent.id], again=True, lease=errand.lease, by=errand.by)
        work.intents[intent.id] = intent
        self._drain(iter([[_sending(intent)]]), work=work, errand=errand)
        return work.answers.get(intent.key, Parked(now))

    def _orphan(self, intent: Intent, *, errand: Errand) -> Intent:
        """Write down, once, that the sender of an attempt died before its answer was durable."""
        now = self._world.clock.now()
        absent_from = absence_counts_from(
            intent.last_sent_at or now, lease_ended_at=now, grace_ms=self._waits.grace_ms
        )
        self._journal.unknown(
            [intent.id],
            why="sender_died",
            absent_from=absent_from,
            lease=errand.lease,
            by=errand.by,
        )
        kept = self._journal.intents_of(errand.realm.tag, kind=Kind.CUSTOMER, keys=[intent.key])
        return kept[intent.key]


def _sending(intent: Intent) -> Sending:
    return Sending(
        intent_id=intent.id,
        kind=Kind.CUSTOMER,
        key=intent.key,
        request_id=intent.request_id,
        payload=intent.payload,
    )
