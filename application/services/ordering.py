"""Durable runs as people ask for them: begun, paused, resumed, cancelled; nothing is sent here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from application.catalogue import InvoiceInProgress, NotFound, RealmBusy, StateConflict
from application.invoices.model import Realm, Status
from application.mis.reader import MisReader
from application.services.choosing import Choosing
from application.services.company import Company
from application.services.connection import Connection
from application.services.reports import Order
from application.services.resting import UNCLEAR
from application.store.audit import Actor
from application.store.journal import Journal
from application.store.leases import Leases
from application.store.runs import Run, Runs
from application.store.starts import Start
from application.world import Gate, World

IDS_MOST: Final = 1_000
IN_PROGRESS_AGAIN: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Asked:
    """A person's or program's request for a run."""

    by: Actor
    request_sha256: str | None = None  # its Idempotency-Key
    start: Start | None = None  # of the schedule, where nobody asked


class Ordering:
    """Writes runs down and hands them to whoever drives them.

    Args:
        submit: Hands a run with its turn to the engine of this process; where there is none, the
            server's looks for it by itself.
        holder: Host and process.
        batch_size: Invoices in a batch where nobody says.
    """

    def __init__(
        self,
        *,
        runs: Runs,
        leases: Leases,
        reader: MisReader,
        choosing: Choosing,
        journal: Journal,
        connection: Connection,
        company: Company,
        world: World,
        submit: Callable[[Run], None],
        holder: str,
        batch_size: int,
    ) -> None:
        self._runs = runs
        self._leases = leases
        self._reader = reader
        self._choosing = choosing
        self._journal = journal
        self._connection = connection
        self._company = company
        self._world = world
        self._submit = submit
        self._holder = holder
        self._batch_size = batch_size

    # -- begun ------------------------------------------------------------------------------------

    def batch(self, *, asked: Asked, batch_size: int | None = None) -> Run | None:
        """Have one batch sent; None where nothing waits.

        Raises:
            RealmBusy: Another long run has not ended. Facts: run_id.
            Stop: A condition under which nothing can be sent.
        """
        order = Order("batch", batch_size or self._batch_size, batches_max=1)
        return self._begin(order, asked=asked) if self._something_waits() else None

    def all(
        self,
        *,
        asked: Asked,
        max_batches: int | None = None,
        batch_size: int | None = None,
        until: datetime | None = None,
    ) -> Run | None:
        """Have batch after batch sent until none is left; None where nothing waits.

        Args:
            asked: By whom.
            max_batches: At most so many.
            batch_size: Invoices in a batch.
            until: Nothing is claimed after this.

        Raises:
            RealmBusy: Another long run has not ended. Facts: run_id.
            Stop: A condition under which nothing can be sent.
        """
        order = Order(
            "all",
            batch_size or self._batch_size,
            batches_max=max_batches,
            wait_for_unclear=True,
            until=until,
        )
        return self._begin(order, asked=asked) if self._something_waits() else None

    def single(self, invoice_id: int, *, asked: Asked) -> Run | str:
        """Have one invoice sent; its QuickBooks id where it is there already.

        Raises:
            NotFound: The MIS has no such invoice.
            InvoiceInProgress: It is being sent or settled.
            StateConflict: A person holds it.
            Stop: A condition under which nothing can be sent.
        """
        known = self.admitted(invoice_id)
        if known is not None:
            return known
        return self._begin(Order("single", 1, ids=(invoice_id,)), asked=asked)

    def admitted(self, invoice_id: int) -> str | None:
        """Return the QuickBooks id of an invoice that is synced, None for one that may be sent.

        Raises:
            NotFound: The MIS has no such invoice.
            InvoiceInProgress: It is being sent or settled.
            StateConflict: A person holds it.
        """
        formers = self._reader.former_of([invoice_id])
        if not formers:
            raise NotFound(what=f"invoice {invoice_id}", highest=self._reader.highest_id())
        if formers[0].status == Status.SYNCED:
            tag = self._company.realm_tag()
            receipts = self._journal.receipts_for(tag, [invoice_id]) if tag else {}
            return receipts[invoice_id].quickbooks_id if invoice_id in receipts else ""
        if formers[0].status == Status.IN_PROGRESS:
            until = self._world.clock.now() + IN_PROGRESS_AGAIN
            raise InvoiceInProgress(invoice_id=invoice_id, until=until)
        if invoice_id in self._journal.held_ids([invoice_id]):
            raise StateConflict(state="held", invoice_id=invoice_id)
        return None

    def retry(self, ids: Sequence[int], *, asked: Asked) -> Run | None:
        """Have failed invoices sent again, as a person's decision; None where all are held.

        Raises:
            RealmBusy: More than a sender takes in, and another long run has not ended.
            Stop: A condition under which nothing can be sent.
        """
        held = self._journal.held_ids(ids)
        wanted = tuple(one for one in sorted(set(ids)) if one not in held)
        if not wanted:
            return None
        return self._begin(Order("retry", self._batch_size, ids=wanted), asked=asked)

    def _something_waits(self) -> bool:
        self._reader.require(writing=True)
        if self._reader.how_many_wait():
            return True
        tag = self._connection.realm().tag
        upto = self._reader.highest_id()
        return next(self._choosing.fixed(upto=upto, realm_tag=tag), None) is not None

    def _begin(self, order: Order, *, asked: Asked) -> Run:
        self._reader.require(writing=True)
        realm = self._connection.realm()
        if not order.small:
            self._make_room(realm, by=asked.by)
        profile = self._company.profile()
        run = self._runs.open(
            kind=order.kind,
            state="queued",
            by=asked.by,
            arguments=order.arguments,
            cut_off_id=self._reader.highest_id(),
            realm_tag=realm.tag,
            environment=realm.environment.value,
            company=profile.name if profile else None,
            holder=self._holder,
            durable=True,
            sole=not order.small,
            total=self._choosing.how_many(order.ids, most=order.most),
            request_sha256=asked.request_sha256,
            start=asked.start,
        )
        self._world.gate(Gate.RUN_RECORDED)
        self._submit(run)
        return run

    def _make_room(self, realm: Realm, *, by: Actor) -> None:
        """Refuse a second long run; one that only waits for unclear answers ends instead.

        Whoever sends next settles those first, so nothing is lost with it.
        """
        busy = self._leases.active(realm.tag)
        if busy is not None and busy.live and busy.run_id is not None:
            holder = self._runs.get(busy.run_id)
            settling = holder is not None and holder.kind == "settle"  # over in a moment
            if holder is None or not (holder.durable or settling):
                raise RealmBusy(run_id=busy.run_id, until=busy.until, holder=busy.holder)
        long = self._runs.sole(realm.tag)
        if long is not None and long.cause == UNCLEAR:
            self._runs.finish(long.id, state="finished", by=by, turn=long.turn)

    # -- meanwhile --------------------------------------------------------------------------------

    def pause(self, run_id: int, *, by: Actor) -> Run:
        """Have a run put down after the requests in hand; it keeps its place.

        Raises:
            NotFound: No such run.
            StateConflict: It has ended or is paused already.
        """
        run = self._open(run_id, action="pause", not_in=("paused",))
        if run.state == "running":
            self._runs.ask(run_id, "pause", by=by)
        elif not self._runs.rest(run_id, turn=run.turn, state="paused", by=by, sole=run.sole):
            return self.pause(run_id, by=by)  # it moved on between the look and the change
        return self._seen(run_id)

    def resume(self, run_id: int, *, by: Actor, here: bool = False) -> Run:
        """Have a paused or waiting run gone on with now.

        Args:
            run_id: The run.
            by: Who wants it.
            here: No server runs and the caller drives it: what a server left queued, or was
                driving when it died, may be taken up too.

        Raises:
            NotFound: No such run.
            StateConflict: It has ended, or is at work already.
        """
        if here and self._left(run := self._seen(run_id)):
            return run
        run = self._open(run_id, action="resume", not_in=("queued", "running"))
        turn = self._runs.hand_out(run_id, turn=run.turn, by=by)
        if turn is None:
            return self.resume(run_id, by=by, here=here)  # it moved on since it was looked at
        self._submit(replace(run, turn=turn, state="queued"))
        return self._seen(run_id)

    def _left(self, run: Run) -> bool:
        """Return whether nobody drives a run that was handed out."""
        if run.state != "running":
            return run.state == "queued"
        return self._leases.active(run.realm_tag) is None

    def cancel(self, run_id: int, *, by: Actor) -> Run:
        """Have a run ended after the requests in hand.

        Raises:
            NotFound: No such run.
            StateConflict: It has ended.
        """
        run = self._open(run_id, action="cancel")
        if run.state == "running":
            self._runs.ask(run_id, "cancel", by=by)
        else:
            self._runs.finish(run_id, state="cancelled", by=by)
        return self._seen(run_id)

    def _open(self, run_id: int, *, action: str, not_in: Sequence[str] = ()) -> Run:
        run = self._seen(run_id)
        if run.finished_at is not None or run.state in not_in:
            raise StateConflict(state=run.state, action=action, run_id=run_id)
        return run

    def _seen(self, run_id: int) -> Run:
        run = self._runs.get(run_id)
        if run is None:
            raise NotFound(what=f"run {run_id}")
        return run
