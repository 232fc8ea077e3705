"""InvoiceSyncService: single, batch, all, retry; lease, one pool, both lanes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from application.catalogue import NotFound, RealmBusy, StateConflict, Stop
from application.invoices.model import Realm, Status
from application.mis.reader import MisReader
from application.quickbooks.client import Client
from application.services.choosing import Choosing
from application.services.company import Company
from application.services.connection import Connection
from application.services.crossing import Crossing
from application.services.driving import Drive, Driving
from application.services.progress import Preview, Progress, Statistics
from application.services.reports import Caller, Failure, Order, Report
from application.services.settling import Settled, Settling
from application.services.sweeping import Sweeping
from application.services.trips import Ended, Trip
from application.store.items import Items
from application.store.journal import Journal
from application.store.leases import Leases
from application.store.runs import Run, Runs
from application.world import World

BOTH_LANES_ABOVE = 30
TAKEN_IN_MOST = 30
ASK_EVERY_MS = 200
ROUNDS_MOST = 20
PROFILE_AGE = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a run may do."""

    batch_size: int
    max_retries: int
    sends_max: int


class InvoiceSyncService:
    """Takes invoices from the MIS into QuickBooks; every door calls these verbs.

    Args:
        beside: A second crossing with lanes of its own, for requests served between two pages.
    """

    def __init__(
        self,
        *,
        progress: Progress,
        choosing: Choosing,
        company: Company,
        connection: Connection,
        crossing: Crossing,
        beside: Crossing,
        sweeping: Sweeping,
        settling: Settling,
        driving: Driving,
        reader: MisReader,
        client: Client,
        journal: Journal,
        items: Items,
        runs: Runs,
        leases: Leases,
        world: World,
        limits: Limits,
    ) -> None:
        self._progress = progress
        self._choosing = choosing
        self._company = company
        self._connection = connection
        self._crossing = crossing
        self._beside = beside
        self._sweeping = sweeping
        self._settling = settling
        self._driving = driving
        self._reader = reader
        self._client = client
        self._journal = journal
        self._items = items
        self._runs = runs
        self._leases = leases
        self._world = world
        self._limits = limits

    # -- the verbs --------------------------------------------------------------------------------

    def analyze(self) -> Statistics:
        """Return how many invoices stand where; reads the MIS only."""
        return self._progress.counts()

    def preview(self, *, limit: int = 10, offset: int = 0) -> Preview:
        """Return what the next run would send; sends nothing, claims nothing."""
        return self._progress.preview(limit=limit, offset=offset)

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

    def reset_stuck(self, *, caller: Caller, only: Sequence[int] | None = None) -> Settled:
        """Settle every invoice in progress that nobody sends, as far as is safe now.

        Raises:
            RealmBusy: A run is at work; it settles by itself.
            Stop: QuickBooks or the MIS cannot be asked.
        """
        realm = self._ready()
        order = Order("settle", 1, ids=())
        drive = self._driving.open(order, realm=realm, caller=caller)
        try:
            done = self._sweeping.sweep(
                realm=realm,
                sender=drive.sender,
                token_for=lambda: self._driving.token(drive),
                look_first=True,
            )
            done.add(
                self._settling.settle(
                    realm=realm,
                    sender=drive.sender,
                    sending=False,
                    only=only,
                    orphans=True,
                    now=True,
                )
            )
            drive.report.settled_before = len(done.confirmed) + len(done.released)
        except Stop as stop:
            self._driving.close(drive, stop=stop)
            raise
        self._driving.close(drive, stop=None)
        return done

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
            if order.ids is None or len(order.ids) > TAKEN_IN_MOST:
                raise
            return self._ask_the_sender(order, realm=realm, caller=caller)
        return self._drive(drive)

    def _drive(self, drive: Drive) -> Report:
        """Do the run; whatever stops it is noted, and nothing unsent stays claimed."""
        stop: Stop | None = None
        try:
            self._connection.bind(drive.realm)
            self._recover(drive)
            self._read_company(drive)
            self._cross(drive, ids=drive.order.ids)
            if drive.order.wait_for_unclear:
                self._stay(drive)
        except Stop as caught:
            stop = caught
        self._driving.close(drive, stop=stop)
        if stop is not None and not drive.report.processed:
            raise stop
        return drive.report

    def _recover(self, drive: Drive) -> None:
        """Bring to an end what earlier processes left: sweep, look, send what is absent."""
        self._runs.close_dead(realm_tag=drive.realm.tag, alive=drive.run.id, by=drive.caller.by)
        swept = self._sweeping.sweep(
            realm=drive.realm, sender=drive.sender, token_for=lambda: self._driving.token(drive)
        )
        swept.add(
            self._settling.settle(
                realm=drive.realm, sender=drive.sender, sending=True, orphans=True
            )
        )
        self._apply(swept, drive=drive)

    def _apply(self, settled: Settled, *, drive: Drive) -> None:
        """Send again what is absent, and count what was decided where it belongs."""
        now = self._world.clock.now()
        ended = [Ended(one, quickbooks_id=found) for one, found in settled.confirmed.items()]
        ended += [Ended(one, cause=cause) for one, cause in settled.refused.items()]
        ended += [Ended(one, freed=True, parked_until=now) for one in settled.released]
        if settled.again:
            trip = self._trip(drive, cold=False)
            ended += list(self._crossing.resend(settled.again, trip=trip))
        for one in ended:
            if one.invoice_id in drive.unclear:
                drive.take(one)
            else:
                drive.report.settled_before += one.synced

    def _read_company(self, drive: Drive) -> None:
        """Read products and preferences where what we hold is missing or old."""
        profile = self._items.profile(drive.realm.tag)
        now = self._world.clock.now()
        if profile is None or now - profile.read_at > PROFILE_AGE:
            self._connection.read_company(self._client)

    def _cross(self, drive: Drive, *, ids: Sequence[int] | None) -> None:
        report, order = drive.report, drive.order
        report.total = max(report.total, self._choosing.how_many(ids, most=order.most))
        cold = self._cold(drive.realm)
        pages = self._pages(drive, ids=ids)
        first = next(pages, None)
        if first is None:
            return
        if not self._journal.any_receipt(drive.realm.tag):
            first = self._alone(first, drive=drive, cold=cold)
        trip = self._trip(drive, cold=cold)
        rest = _chained(first, pages)
        for one in self._crossing.take(rest, trip=trip, cause_gone=self._choosing.cause_gone(ids)):
            drive.take(one)
            self._driving.tick(drive)

    def _alone(self, page: Sequence[int], *, drive: Drive, cold: bool) -> Sequence[int]:
        """Send one invoice alone into a company that has none of ours; return the rest.

        If QuickBooks does not keep our number, this shows with one invoice, not with thirty.
        """
        gone = self._choosing.cause_gone(drive.order.ids)
        for position, invoice_id in enumerate(page):
            trip = self._trip(drive, cold=cold)
            synced = False
            for one in self._crossing.take(iter([[invoice_id]]), trip=trip, cause_gone=gone):
                drive.take(one)
                synced |= one.synced
            if synced or drive.asked_to_stop:
                return page[position + 1 :]
        return []

    def _cold(self, realm: Realm) -> bool:
        """Return whether numbers of ours may stand in QuickBooks that our store does not know."""
        note = f"cold.{realm.tag}"
        known = self._items.recall(note)
        if known is None:
            found = self._client.count_numbered()
            if not isinstance(found, int):
                return True
            known = bool(found)
            self._items.remember(note, known)
        return bool(known)

    def _pages(self, drive: Drive, *, ids: Sequence[int] | None) -> Iterator[Sequence[int]]:
        """Yield the run's invoices; small requests of people go ahead of the next page."""
        order = drive.order
        for page in self._choosing.pages(
            ids,
            batch_size=order.batch_size,
            most=order.most,
            upto=drive.run.cut_off_id,
            realm_tag=drive.realm.tag,
        ):
            self._take_in(drive)
            drive.report.batches = 1 + drive.report.processed // order.batch_size
            yield page

    def _trip(self, drive: Drive, *, cold: bool) -> Trip:
        return Trip(
            realm=drive.realm,
            sender=drive.sender,
            token_for=lambda: self._driving.token(drive),
            every=lambda: self._driving.tick(drive),
            stop=lambda: self._driving.stopping(drive),
            both=drive.report.total > BOTH_LANES_ABOVE,
            cold=cold,
            max_retries=self._limits.max_retries,
            sends_max=self._limits.sends_max,
        )

    # -- waiting for the unclear ------------------------------------------------------------------

    def _stay(self, drive: Drive) -> None:
        """Stay until all is decided; where no server runs, nobody else would do it.

        What waited for a customer that is settled by now is crossed in another round.
        """
        for _ in range(ROUNDS_MOST):
            self._wait_for_unclear(drive)
            if not drive.parked or self._driving.stopping(drive):
                return
            self._sleep_until(max(drive.parked.values()), drive=drive)
            ids = sorted(drive.parked)
            drive.parked.clear()
            self._cross(drive, ids=ids)

    def _wait_for_unclear(self, drive: Drive) -> None:
        while not self._driving.stopping(drive):
            settled = self._settling.settle(realm=drive.realm, sender=drive.sender, sending=True)
            self._apply(settled, drive=drive)
            if not settled.left and not settled.again:
                break
            drive.report.settles_at = max(settled.left.values(), default=None)
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
                return self._report_of(now)
            if caller.stop():
                self._runs.finish(run.id, state="cancelled", cause=None, by=caller.by)
                return Report(run_id=run.id, kind=order.kind, state="cancelled")
            busy = self._leases.active(realm.tag)
            free = busy is None or not busy.live
            if free and self._runs.begin(run.id):
                drive = self._driving.with_lease(run, order=order, realm=realm, caller=caller)
                return self._drive(drive)
            self._world.clock.sleep_ms(ASK_EVERY_MS)

    def _take_in(self, drive: Drive) -> None:
        """Serve requests that people left, ahead of our next page, each as its own run."""
        for asked in self._runs.queued(drive.realm.tag):
            if not self._runs.begin(asked.id):
                continue
            order = Order(
                asked.kind, self._limits.batch_size, ids=tuple(asked.arguments.get("ids") or ())
            )
            guest = Drive(
                order=order,
                caller=Caller(by=asked.by, stop=drive.caller.stop),
                realm=drive.realm,
                run=asked,
                lease=drive.lease,
                report=Report(run_id=asked.id, kind=asked.kind, started_at=self._world.clock.now()),
                renewed_at=drive.renewed_at,
                counted_at=drive.counted_at,
            )
            self._serve(guest)

    def _serve(self, guest: Drive) -> None:
        pages = self._choosing.pages(
            guest.order.ids,
            batch_size=self._limits.batch_size,
            most=None,
            upto=guest.run.cut_off_id,
            realm_tag=guest.realm.tag,
        )
        trip = self._trip(guest, cold=self._cold(guest.realm))
        gone = self._choosing.cause_gone(guest.order.ids)
        for one in self._beside.take(pages, trip=trip, cause_gone=gone):
            guest.take(one)
        self._driving.count(guest)
        self._runs.finish(guest.run.id, state="finished", cause=None, by=guest.caller.by)

    def _report_of(self, run: Run) -> Report:
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


def _chained(first: Sequence[int], rest: Iterator[Sequence[int]]) -> Iterator[Sequence[int]]:
    if first:
        yield first
    yield from rest
