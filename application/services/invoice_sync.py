"""InvoiceSyncService: single, batch, all, retry; lease, one pool, both lanes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from application.catalogue import NotFound, RealmBusy, StateConflict, Stop
from application.invoices.model import Kind, Realm, Status
from application.mis.reader import MisReader
from application.services.choosing import Choosing
from application.services.company import Company
from application.services.connection import Connection
from application.services.driving import Drive, Driving
from application.services.passage import Passage
from application.services.progress import Progress, Statistics
from application.services.reports import Caller, Failure, Order, Report
from application.services.resting import Resting
from application.services.settling import Settled, Settling
from application.services.slicing import Slicing
from application.services.sweeping import Sweeping
from application.store.journal import Journal
from application.store.leases import Leases
from application.store.runs import Run, Runs
from application.world import World

ASK_EVERY_MS = 200
ROUNDS_MOST = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a run may do."""

    batch_size: int
    max_retries: int
    sends_max: int


class InvoiceSyncService:
    """Takes invoices from the MIS into QuickBooks, in this process; every door calls these verbs.

    Args:
        passage: The steps of a run.
        slicing: The parts of a durable run.
    """

    def __init__(
        self,
        *,
        progress: Progress,
        choosing: Choosing,
        company: Company,
        connection: Connection,
        passage: Passage,
        slicing: Slicing,
        resting: Resting,
        sweeping: Sweeping,
        settling: Settling,
        driving: Driving,
        reader: MisReader,
        journal: Journal,
        runs: Runs,
        leases: Leases,
        world: World,
        limits: Limits,
    ) -> None:
        self._progress = progress
        self._choosing = choosing
        self._company = company
        self._connection = connection
        self._passage = passage
        self._slicing = slicing
        self._resting = resting
        self._sweeping = sweeping
        self._settling = settling
        self._driving = driving
        self._reader = reader
        self._journal = journal
        self._runs = runs
        self._leases = leases
        self._world = world
        self._limits = limits

    # -- the verbs --------------------------------------------------------------------------------

    def analyze(self) -> Statistics:
        """Return how many invoices stand where; reads the MIS only."""
        return self._progress.counts()

    def batch(self, *, caller: Caller, batch_size: int | None = None) -> Report:
        """Send one batch.

        Raises:
            Stop: A condition known before the first invoice was claimed.
        """
        size = batch_size or self._limits.batch_size
        return self._start(Order("batch", size, batches_max=1), caller=caller)

    def all(
        self,
        *,
        caller: Caller,
        max_batches: int | None = None,
        batch_size: int | None = None,
        wait_for_unclear: bool = False,
    ) -> Report:
        """Send batch after batch until none is left or the bound is met.

        Raises:
            Stop: A condition known before the first invoice was claimed.
        """
        order = Order(
            "all",
            batch_size or self._limits.batch_size,
            batches_max=max_batches,
            wait_for_unclear=wait_for_unclear,
        )
        return self._start(order, caller=caller)

    def single(self, invoice_id: int, *, caller: Caller) -> Report:
        """Send one invoice; a failed one is taken up as by a person's retry.

        Raises:
            NotFound: The MIS has no such invoice.
            InvoiceInProgress: It is being sent or settled.
            StateConflict: A person holds it.
            Stop: A condition known before the invoice was claimed.
        """
        formers = self._reader.former_of([invoice_id])
        if not formers:
            raise NotFound(what=f"invoice {invoice_id}", highest=self._reader.highest_id())
        if formers[0].status == Status.SYNCED:
            return self._already(invoice_id)
        if invoice_id in self._journal.held_ids([invoice_id]):
            raise StateConflict(state="held")
        return self._start(Order("single", 1, ids=(invoice_id,)), caller=caller)

    def retry(self, ids: Sequence[int], *, caller: Caller) -> Report:
        """Send these failed invoices again, as a person's decision.

        Raises:
            Stop: A condition known before the first invoice was claimed.
        """
        held = self._journal.held_ids(ids)
        wanted = tuple(one for one in sorted(set(ids)) if one not in held)
        return self._start(Order("retry", self._limits.batch_size, ids=wanted), caller=caller)

    def reset_stuck(
        self, *, caller: Caller, only: Sequence[int] | None = None, look_now: bool = True
    ) -> Settled:
        """Settle every invoice in progress that nobody sends, as far as is safe now.

        Args:
            caller: Who asked.
            only: These invoices alone.
            look_now: Search QuickBooks even where the next look is not due, and for rows of which
                our store knows that nothing was sent.

        Raises:
            RealmBusy: A run is at work; it settles by itself.
            Stop: QuickBooks or the MIS cannot be asked.
        """
        return self._settle(self._ready(), caller=caller, only=only, look_now=look_now)

    def _settle(
        self, realm: Realm, *, caller: Caller, only: Sequence[int] | None, look_now: bool
    ) -> Settled:
        order = Order("settle", 1, ids=())
        drive = self._driving.open(order, realm=realm, caller=caller)
        try:
            done = self._sweeping.sweep(
                realm=realm,
                sender=drive.sender,
                pulse=self._driving.pulse(drive),
                token_for=lambda: self._driving.token(drive),
                look_first=look_now,
            )
            done.add(
                self._settling.settle(
                    realm=realm,
                    sender=drive.sender,
                    pulse=self._driving.pulse(drive),
                    sending=False,
                    only=only,
                    orphans=True,
                    now=look_now,
                )
            )
            drive.report.settled_before = len(done.confirmed) + len(done.released)
            if done.left and not (drive.report.settled_before or done.refused):
                self._passage.require_reads()
        except Stop as stop:
            self._driving.close(drive, stop=stop)
            raise
        self._driving.close(drive, stop=None)
        return done

    def settle_due(self, *, caller: Caller) -> Settled | None:
        """Settle what nobody sends and what is due, where nobody is at work; None where nothing is.

        Raises:
            RealmBusy: A run is at work; it settles by itself.
            Stop: QuickBooks or the MIS cannot be asked.
        """
        self._reader.require(writing=True)
        realm = self._connection.standing_realm()
        unclear = self._journal.unsettled(realm.tag, kind=Kind.INVOICE)
        now = self._world.clock.now()
        due = any(self._settling.due_at(one) <= now for one in unclear)
        rows = self._reader.in_progress(after=0, limit=len(unclear) + 1)
        if not due and len(rows) <= len(unclear):
            return None
        self._passage.require_reads()
        return self._settle(realm, caller=caller, only=None, look_now=False)

    def advance(self, run_id: int, *, turn: int, stop: Callable[[], bool]) -> bool:
        """Do the next part of a durable run; return whether another part follows at once.

        Args:
            run_id: The run.
            turn: The turn it was handed out with.
            stop: Whether this process is ending.
        """
        return self._slicing.advance(run_id, turn=turn, stop=stop)

    def drive(self, run_id: int, *, caller: Caller) -> Run:
        """Do a durable run to its end in this process, as a server would; return it as it is left.

        It waits out whatever a server would wait out, until the caller asks to stop.
        """
        idle = False  # another process is at it, or the run was put down
        while True:
            run = self._runs.get(run_id)
            if run is None:
                raise NotFound(what=f"run {run_id}")
            if run.finished_at is not None or run.state == "paused" or caller.stop():
                return run
            if idle or not self._resting.over(run):
                self._world.clock.sleep_ms(ASK_EVERY_MS)
                idle = False
                continue
            turn = run.turn
            if run.state.startswith("waiting_"):
                turn = self._runs.hand_out(run_id, turn=run.turn, by=caller.by) or turn
            idle = not self._slicing.advance(
                run_id, turn=turn, stop=caller.stop, watch=caller.watch
            )

    def _already(self, invoice_id: int) -> Report:
        report = Report(run_id=None, kind="single", state="finished")
        tag = self._company.realm_tag()
        receipts = self._journal.receipts_for(tag, [invoice_id]) if tag else {}
        found = receipts.get(invoice_id)
        report.quickbooks_ids[invoice_id] = found.quickbooks_id if found else ""
        return report

    # -- one run --------------------------------------------------------------------------------

    def _ready(self) -> Realm:
        """Check everything that must hold before anything is claimed."""
        self._reader.require(writing=True)
        return self._connection.realm()

    def _start(self, order: Order, *, caller: Caller) -> Report:
        realm = self._ready()
        try:
            drive = self._driving.open(order, realm=realm, caller=caller)
        except RealmBusy:
            if not order.small:
                raise
            return self._ask_the_sender(order, realm=realm, caller=caller)
        return self._drive(drive)

    def _drive(self, drive: Drive) -> Report:
        """Do the run; whatever stops it is noted, and nothing unsent stays claimed."""
        stop: Stop | None = None
        try:
            self._connection.bind(drive.realm)
            self._passage.apply(self._passage.recover(drive), drive=drive)
            self._passage.read_company(drive)
            self._cross(drive, ids=drive.order.ids)
            if drive.order.wait_for_unclear:
                self._stay(drive)
        except Stop as caught:
            stop = caught
        self._driving.close(drive, stop=stop)
        if stop is not None and not drive.report.processed:
            raise stop
        return drive.report

    def _cross(self, drive: Drive, *, ids: Sequence[int] | None) -> None:
        report, order = drive.report, drive.order
        report.total = max(report.total, self._choosing.how_many(ids, most=order.most))
        pages = self._choosing.pages(
            ids,
            batch_size=order.batch_size,
            most=order.most,
            upto=drive.run.cut_off_id,
            realm_tag=drive.realm.tag,
        )
        self._passage.cross(drive, pages=pages, ids=ids)

    # -- waiting for the unclear ------------------------------------------------------------------

    def _stay(self, drive: Drive) -> None:
        """Stay until all is decided; where no server runs, nobody else would do it.

        What waited for a customer that is settled by now is crossed in another round.
        """
        for _ in range(ROUNDS_MOST):
            self._wait_for_unclear(drive)
            if not drive.parked or self._driving.stopping(drive):
                return
            self._passage.require_reads()
            self._sleep_until(max(drive.parked.values()), drive=drive)
            ids = sorted(drive.parked)
            drive.parked.clear()
            self._cross(drive, ids=ids)

    def _wait_for_unclear(self, drive: Drive) -> None:
        while not self._driving.stopping(drive):
            settled = self._passage.settle(drive)
            self._passage.apply(settled, drive=drive)
            # Left by somebody else, never sent: it waits since the last page of this run.
            now = self._world.clock.now()
            drive.parked.update(dict.fromkeys(settled.released, now))
            if not settled.left and not settled.again:
                break
            drive.report.settles_at = max(settled.left.values(), default=None)
            self._passage.require_reads()
            self._world.clock.sleep_ms(ASK_EVERY_MS)
            self._driving.tick(drive)
        drive.report.settles_at = max(drive.unclear.values(), default=None)

    def _sleep_until(self, when: datetime, *, drive: Drive) -> None:
        while self._world.clock.now() < when and not self._driving.stopping(drive):
            drive.report.settles_at = when
            self._world.clock.sleep_ms(ASK_EVERY_MS)
            self._driving.tick(drive)
        drive.report.settles_at = None

    # -- a person's small request during a long run -----------------------------------------------

    def _ask_the_sender(self, order: Order, *, realm: Realm, caller: Caller) -> Report:
        """Leave a small request for the running sender, and wait for its answer."""
        run = self._driving.note_run(order, realm=realm, caller=caller, state="queued")
        while True:
            now = self._runs.get(run.id)
            if now is not None and now.finished_at is not None:
                return self.report_of(now)
            if caller.stop():
                self._runs.finish(run.id, state="cancelled", cause=None, by=caller.by)
                return Report(run_id=run.id, kind=order.kind, state="cancelled")
            busy = self._leases.active(realm.tag)
            free = busy is None or not busy.live
            if free and self._runs.begin(run.id):
                drive = self._driving.with_lease(run, order=order, realm=realm, caller=caller)
                return self._drive(drive)
            self._world.clock.sleep_ms(ASK_EVERY_MS)

    def report_of(self, run: Run) -> Report:
        """Return what a stored run has done."""
        report = Report(
            run_id=run.id,
            kind=run.kind,
            total=run.total,
            processed=run.processed,
            successful=run.successful,
            failed=run.failed,
            unsettled=run.unsettled,
            state=run.state,
            started_at=run.started_at,
        )
        report.failures = [
            Failure(one.invoice_id, one.cause, dict(one.facts), 1)
            for one in self._runs.failures(run.id)
        ]
        ids = [int(one) for one in run.arguments.get("ids") or ()]
        receipts = self._journal.receipts_for(run.realm_tag, ids)
        report.quickbooks_ids = {one: kept.quickbooks_id for one, kept in receipts.items()}
        return report
