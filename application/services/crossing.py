"""Pages of invoices across: claim, check, refer, freeze, send, record."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from application.catalogue import LeaseLost, MisUnavailable, Stop, StoreUnavailable
from application.invoices.model import (
    Document,
    Intent,
    IntentState,
    Kind,
    Status,
    doc_number,
)
from application.invoices.outcomes import Refused, Unknown, fits
from application.mis.claims import MisClaims
from application.mis.reader import MisReader
from application.quickbooks.client import Answered, Client, Sending
from application.quickbooks.lanes import Lanes
from application.services.arrivals import Arrivals
from application.services.customers import Customers
from application.services.payers import Blocked, Linked
from application.services.plans import Plan, Plans
from application.services.recording import Patience, Recording, Refusing, conflict_of
from application.services.settling import Settling
from application.services.trips import (
    Ended,
    Held,
    State,
    Trip,
    ended_by,
    errand_of,
    refused_by,
    refusing,
    sending_of,
    wanted_of,
)
from application.store.journal import Journal
from application.world import Gate, Waits, World


class Crossing:
    """Takes chosen invoices into QuickBooks, page by page."""

    def __init__(
        self,
        *,
        reader: MisReader,
        claims: MisClaims,
        journal: Journal,
        plans: Plans,
        customers: Customers,
        recording: Recording,
        settling: Settling,
        arrivals: Arrivals,
        lanes: Lanes,
        client: Client,
        world: World,
        waits: Waits,
        patiently: Patience,
    ) -> None:
        self._patiently = patiently
        self._reader = reader
        self._claims = claims
        self._journal = journal
        self._plans = plans
        self._customers = customers
        self._recording = recording
        self._settling = settling
        self._arrivals = arrivals
        self._lanes = lanes
        self._client = client
        self._world = world
        self._waits = waits

    def take(
        self,
        pages: Iterator[Sequence[int]],
        *,
        trip: Trip,
        cause_gone: Collection[int] = (),
    ) -> Iterator[Ended]:
        """Yield what became of each invoice, as it is known.

        Args:
            pages: Ids, at most 30 together; pulled when a lane is free.
            trip: Who sends, and how.
            cause_gone: Ids in status 2 that may be claimed.

        Raises:
            Stop: The run cannot go on; what was never sent is waiting again.
        """
        state = State(trip=trip)
        prepared = self._prepared(pages, state=state, cause_gone=cause_gone)
        yield from self._drain(prepared, state=state)

    def resend(self, absent: Sequence[tuple[Intent, str]], *, trip: Trip) -> Iterator[Ended]:
        """Send again, as singles, what is proved absent: the same bytes, the same request id."""
        state = State(trip=trip)
        rows = self._reader.rows_of([one.invoice_id or 0 for one, _ in absent])
        plans = {plan.invoice.id: plan for plan in self._plans.of(rows, realm_tag=trip.realm.tag)}
        page: list[Sending] = []
        for intent, token in absent:
            plan = plans.get(intent.invoice_id or 0)
            if plan is None:
                continue
            held = Held(plan=plan, token=token, intent=intent, sends=intent.sends)
            state.held[intent.id] = held
            state.claimed[plan.invoice.id] = token
            page.append(sending_of(intent))
        yield from self._drain(iter([page]), state=state, both=False)

    # -- the drain ------------------------------------------------------------------------------

    def _drain(
        self,
        pages: Iterator[Sequence[Sending]],
        *,
        state: State,
        both: bool | None = None,
    ) -> Iterator[Ended]:
        trip = state.trip

        def stopping() -> bool:
            return state.stopped_by is not None or trip.pulse.stop()

        try:
            for answered in self._lanes.drain(
                pages,
                both=trip.both if both is None else both,
                about_to_send=lambda work: self._recording.sending(work, sender=trip.sender),
                every=trip.pulse.every,
                stop=stopping,
            ):
                self._arrive(answered, state=state)
                while state.ended:
                    yield state.ended.popleft()
        except LeaseLost:
            raise  # another sender owns these rows now; it settles them
        except Stop as stop:
            state.stopped_by = state.stopped_by or stop
        self._let_go(state)
        yield from state.ended
        if state.stopped_by is not None:
            raise state.stopped_by

    def _arrive(self, answered: Answered, *, state: State) -> None:
        """Record an answer; what stops the run waits until every answer under way is here."""
        try:
            self._arrivals.answered(answered, state=state)
        except LeaseLost:
            raise
        except Stop as stop:
            state.stopped_by = state.stopped_by or stop

    def _let_go(self, state: State) -> None:
        """Give back what was claimed and provably never sent."""
        by_token: dict[str, list[int]] = {}
        unclear = {
            one.plan.invoice.id
            for one in state.held.values()
            if one.plan.invoice.id in state.claimed and one.sends and self._open(one)
        }
        for invoice_id, token in state.claimed.items():
            if invoice_id not in unclear:
                by_token.setdefault(token, []).append(invoice_id)
        for token, ids in by_token.items():
            try:
                self._recording.release(token, ids=ids, sender=state.trip.sender)
            except (MisUnavailable, StoreUnavailable):
                return  # the sweep of the next start releases them
            state.ended.extend(Ended(invoice_id=one, freed=True) for one in ids)
        state.claimed.clear()

    def _open(self, held: Held) -> bool:
        kept = self._journal.intents_of(
            held.intent.realm_tag, kind=Kind.INVOICE, keys=[held.intent.key]
        ).get(held.intent.key)
        return kept is not None and bool(kept.unsettled)

    # -- one page: claim, check, refer, freeze ----------------------------------------------------

    def _prepared(
        self,
        pages: Iterator[Sequence[int]],
        *,
        state: State,
        cause_gone: Collection[int],
    ) -> Iterator[Sequence[Sending]]:
        for ids in pages:
            if state.trip.pulse.stop():
                return
            yield self._prepare(ids, state=state, cause_gone=cause_gone)

    def _prepare(
        self, ids: Sequence[int], *, state: State, cause_gone: Collection[int]
    ) -> list[Sending]:
        trip = state.trip
        token, elsewhere = self._claim(ids, state=state, cause_gone=cause_gone)
        rows = self._patiently(lambda: self._reader.rows_of(sorted(elsewhere)))
        self._world.gate(Gate.PLAN_READ)
        plans = self._patiently(
            lambda: self._plans.of(rows, realm_tag=trip.realm.tag, sending=True)
        )
        intents = self._journal.intents_of(
            trip.realm.tag,
            kind=Kind.INVOICE,
            keys=[doc_number(row.id) for row in rows],
        )
        todo = self._set_aside(
            plans, token=token, intents=intents, elsewhere=elsewhere, state=state
        )
        todo = self._refuse_problems(todo, token=token, state=state)
        customers = self._refer(todo, token=token, state=state)
        held = self._freeze(customers, token=token, intents=intents, state=state)
        return [sending_of(one.intent) for one in held]

    def _claim(
        self, ids: Sequence[int], *, state: State, cause_gone: Collection[int]
    ) -> tuple[str, dict[int, bool]]:
        """Return the token and each row we won; True where another program had failed it."""
        trip = state.trip
        refused_by_us = self._journal.refusals_for(ids)  # a claim closes them
        token = trip.token_for()
        formers = self._patiently(lambda: self._reader.former_of(ids))
        self._journal.note_claim(
            lease=trip.sender.lease,
            token=token,
            run_id=trip.sender.run_id,
            formers=formers,
            by=trip.sender.by,
        )
        self._world.gate(Gate.CLAIM_RECORDED)
        gone = [one for one in ids if one in cause_gone]
        won = self._patiently(lambda: self._claims.claim(ids, token=token, cause_gone=gone))
        lost = sorted({former.id for former in formers} - set(won))
        if lost:
            self._journal.end_claim(token, lost)
        state.claimed.update(dict.fromkeys(won, token))
        elsewhere = {
            former.id: former.status == Status.FAILED and former.id not in refused_by_us
            for former in formers
        }
        return token, {one: elsewhere.get(one, False) for one in won}

    def _set_aside(
        self,
        plans: Sequence[Plan],
        *,
        token: str,
        intents: dict[str, Intent],
        elsewhere: dict[int, bool],
        state: State,
    ) -> list[Plan]:
        """Take out rows whose history must be cleared up before anything is sent."""
        kept: list[Plan] = []
        watched: list[Plan] = []
        for plan in plans:
            intent = intents.get(doc_number(plan.invoice.id))
            if intent is not None and intent.state is IntentState.CONFIRMED:
                self._confirm_known(plan, token=token, intent=intent, state=state)
            elif intent is not None and intent.unsettled:
                until = intent.absent_from or self._world.clock.now()
                state.end(Ended(plan.invoice.id, unsettled_until=until))
            elif intent is None and (elsewhere[plan.invoice.id] or self._plans.traced(plan)):
                watched.append(plan)
            else:
                kept.append(plan)
        if watched:
            self._watch(watched, state=state)
        return kept

    def _watch(self, plans: Sequence[Plan], *, state: State) -> None:
        trip = state.trip
        now = self._world.clock.now()
        since = {plan.invoice.id: min(plan.invoice.pushed_date or now, now) for plan in plans}
        for intent in self._settling.watch(
            plans, since=since, realm=trip.realm, sender=trip.sender
        ):
            until = now + timedelta(milliseconds=self._waits.lease_ms + self._waits.grace_ms)
            state.end(Ended(intent.invoice_id or 0, unsettled_until=until))

    def _confirm_known(self, plan: Plan, *, token: str, intent: Intent, state: State) -> None:
        """Our store holds a receipt for this number: it is read again, never created."""
        found = self._client.document_by_id(intent.quickbooks_id or "")
        self._world.gate(Gate.REREAD_BY_ID)
        invoice_id = plan.invoice.id
        if isinstance(found, Refused | Unknown):
            self._give_back({invoice_id: self._world.clock.now()}, token=token, state=state)
        elif (
            isinstance(found, Document)
            and intent.facts is not None
            and not found.voided
            and fits(intent.facts, found)
        ):
            self._recording.mark_synced([(invoice_id, token)], sender=state.trip.sender)
            state.end(Ended(invoice_id, quickbooks_id=found.quickbooks_id))
        else:
            seen = [found] if isinstance(found, Document) else []
            refusal = conflict_of(intent, token=token, found=seen, plan=plan)
            self._recording.refuse([refusal], sender=state.trip.sender)
            state.end(ended_by(refusal))

    def _refuse_problems(self, plans: Sequence[Plan], *, token: str, state: State) -> list[Plan]:
        refusals = [refusing(plan, token=token) for plan in plans if plan.problems]
        self._recording.refuse(refusals, sender=state.trip.sender)
        for refusal in refusals:
            state.end(ended_by(refusal))
        return [plan for plan in plans if not plan.problems]

    def _refer(self, plans: Sequence[Plan], *, token: str, state: State) -> list[tuple[Plan, str]]:
        """Return each plan with its customer's id; rows without one end here."""
        students = {plan.student.code: plan.student for plan in plans if plan.student}
        if not students:
            return []
        answers = self._customers.ids_for(
            students, errand=errand_of(state, recording=self._recording)
        )
        ready: list[tuple[Plan, str]] = []
        refusals: list[Refusing] = []
        parked: dict[int, datetime] = {}
        for plan in plans:
            answer = answers[plan.invoice.payer]
            if isinstance(answer, Linked):
                ready.append((plan, answer.customer_id))
            elif isinstance(answer, Blocked):
                refusals.append(refused_by(plan, token=token, outcome=answer.refused))
            else:
                parked[plan.invoice.id] = answer.until
        self._recording.refuse(refusals, sender=state.trip.sender)
        for refusal in refusals:
            state.end(ended_by(refusal))
        self._give_back(parked, token=token, state=state)
        return ready

    def _freeze(
        self,
        ready: Sequence[tuple[Plan, str]],
        *,
        token: str,
        intents: dict[str, Intent],
        state: State,
    ) -> list[Held]:
        if not ready:
            return []
        wanted = [
            wanted_of(
                plan,
                customer_id=customer_id,
                earlier=intents.get(doc_number(plan.invoice.id)),
                realm=state.trip.realm,
                rule=self._plans.rules.amount,
            )
            for plan, customer_id in ready
        ]
        sender = state.trip.sender
        frozen = self._journal.intend(wanted, lease=sender.lease, by=sender.by)
        self._world.gate(Gate.PLAN_FROZEN)
        held = [
            Held(plan=plan, token=token, intent=intent, sends=intent.sends)
            for (plan, _), intent in zip(ready, frozen, strict=True)
        ]
        state.held.update({one.intent.id: one for one in held})
        doubtful = [
            one for one in held if state.trip.cold or _in_conflict(intents.get(one.intent.key))
        ]
        settled = self._look_first(doubtful, token=token, state=state) if doubtful else set()
        return [one for one in held if one.intent.id not in settled]

    def _look_first(self, held: Sequence[Held], *, token: str, state: State) -> set[int]:
        """Search for numbers that may be taken; return the intents this decided."""
        answer = self._client.documents_by_number([one.intent.key for one in held])
        self._world.gate(Gate.SETTLE_ASKED)
        if isinstance(answer, Refused | Unknown):
            # The company may allow a number twice: then nothing but this look keeps us from it.
            now = self._world.clock.now()
            again = {one.plan.invoice.id: now for one in held}
            self._give_back(again, token=token, state=state)
            if state.trip.cold:
                self._client.require_reads()
            return {one.intent.id for one in held}
        decided: set[int] = set()
        for one in held:
            found = [doc for doc in answer.documents if doc.doc_number == one.intent.key]
            if found:
                self._arrivals.compare(one, found=found, adopted=True, tid=None, state=state)
                decided.add(one.intent.id)
        return decided

    def _give_back(self, parked: Mapping[int, datetime], *, token: str, state: State) -> None:
        """Free rows of which nothing was sent; each waits until it may be tried again."""
        self._recording.release(token, ids=list(parked), sender=state.trip.sender)
        for one, until in parked.items():
            state.end(Ended(one, freed=True, parked_until=until))


def _in_conflict(intent: Intent | None) -> bool:
    return intent is not None and intent.state is IntentState.CONFLICT
