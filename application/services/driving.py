"""One run under the lease: opened, kept alive, counted, closed or put down."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from application.catalogue import LeaseLost, RealmBusy, Stop, explain
from application.invoices.model import Realm, doc_number
from application.logs import Logs
from application.mis.reader import MisReader
from application.services.company import Company
from application.services.progress import Progress
from application.services.recording import Pulse, Sender
from application.services.reports import Caller, Order, Report
from application.services.trips import Ended
from application.store.audit import Actor
from application.store.leases import Lease, LeaseRecord, Leases
from application.store.runs import Run, Runs
from application.store.tables import Clash
from application.store.usage import Spending
from application.world import Gate, Waits, World

COUNT_EVERY_MS = 500
ASK_EVERY_MS = 200
SETTLING_MOST_MS = 30_000
PACE_OVER = timedelta(minutes=5)
NAMED_MOST = 1_000  # a larger run names its failures only
NEWS_MOST = 500
News = tuple[str, Mapping[str, object]]


@dataclass(slots=True)
class Drive:
    """One run under the lease."""

    order: Order
    caller: Caller
    realm: Realm
    run: Run
    lease: Lease
    report: Report
    renewed_at: datetime
    counted_at: datetime
    wish: str | None = None  # a person's pause or cancel; stop: this process ends; window: closed
    throttled_ms: int = 0
    spent_before: Spending = field(default_factory=Spending)  # by earlier parts of this run
    spent_at_start: Spending = field(default_factory=Spending)  # by this process, before this part
    paused: bool = False
    parked: dict[int, datetime] = field(default_factory=dict)  # invoice -> when to try again
    unclear: dict[int, datetime] = field(default_factory=dict)  # invoice -> when it is decided
    news: deque[News] = field(default_factory=lambda: deque(maxlen=NEWS_MOST))
    pace: deque[tuple[datetime, int]] = field(default_factory=deque)

    @property
    def asked_to_stop(self) -> bool:
        """Whether nothing more should be claimed."""
        return self.wish is not None

    def take(self, one: Ended) -> None:
        """Count one invoice; one that was unclear before counts where it belongs now."""
        settled = self.unclear.pop(one.invoice_id, None) is not None
        if settled:
            self.report.forget_unclear()
        self.report.take(one)
        if one.parked_until is not None:
            self.parked[one.invoice_id] = one.parked_until
        elif one.unsettled_until is not None:
            self.unclear[one.invoice_id] = one.unsettled_until
        decided = not one.freed and one.unsettled_until is None
        if decided and (settled or one.cause or self.report.total <= NAMED_MOST):
            self.news.append(_news(one, settled=settled))

    @property
    def sender(self) -> Sender:
        """Who writes on behalf of this run."""
        return Sender(lease=self.lease, by=self.caller.by, run_id=self.run.id)


class Driving:
    """Holds the lease for a run and keeps its figures.

    Args:
        holder: Host and process, as the lease and the claim tokens name them.
        paused_ms: How long QuickBooks' limits hold us back now.
        spent: What this process has asked of QuickBooks so far.
        hand_on: Has that added up for every process to see: at once, or by an instant since the
            machine's start, if that was not done a short time before it.
        while_waiting: Told what to do while a read waits for a permit.
    """

    def __init__(
        self,
        *,
        runs: Runs,
        leases: Leases,
        reader: MisReader,
        company: Company,
        progress: Progress,
        world: World,
        waits: Waits,
        logs: Logs,
        holder: str,
        paused_ms: Callable[[], int],
        spent: Callable[[], Spending],
        hand_on: Callable[[int | None], None],
        while_waiting: Callable[[Callable[[], None] | None], None],
    ) -> None:
        self._runs = runs
        self._leases = leases
        self._reader = reader
        self._company = company
        self._progress = progress
        self._world = world
        self._waits = waits
        self._logs = logs
        self._holder = holder
        self._paused_ms = paused_ms
        self._spent = spent
        self._hand_on = hand_on
        self._while_waiting = while_waiting
        self._numbers = count(1)

    @property
    def holder(self) -> str:
        """Host and process."""
        return self._holder

    def open(self, order: Order, *, realm: Realm, caller: Caller) -> Drive:
        """Take the lease and open a run of this process under it.

        Raises:
            RealmBusy: Another sender is at work, or a long run of the realm has not ended.
        """
        busy = self._busy(realm)
        if busy is not None:
            raise RealmBusy(run_id=busy.run_id, until=busy.until, holder=busy.holder)
        long = self._runs.sole(realm.tag)
        if long is not None and not order.small and long.cause != "outcome_unknown":
            raise RealmBusy(run_id=long.id, state=long.state, holder=long.holder)
        run = self.note_run(order, realm=realm, caller=caller, state="running")
        try:
            return self.with_lease(run, order=order, realm=realm, caller=caller)
        except RealmBusy as stop:
            self._runs.finish(run.id, state="cancelled", cause=stop.cause, by=caller.by)
            raise

    def _busy(self, realm: Realm) -> LeaseRecord | None:
        """Return who sends now; a look for unclear answers is waited out, it is over soon."""
        waited_ms = 0
        while True:
            busy = self._leases.active(realm.tag)
            if busy is None or not busy.live:
                return None
            run = self._runs.get(busy.run_id) if busy.run_id is not None else None
            if run is None or run.kind != "settle" or waited_ms >= SETTLING_MOST_MS:
                return busy
            self._world.clock.sleep_ms(ASK_EVERY_MS)
            waited_ms += ASK_EVERY_MS

    def note_run(self, order: Order, *, realm: Realm, caller: Caller, state: str) -> Run:
        """Write down that a run was asked for, before anything happens."""
        profile = self._company.profile()
        run = self._runs.open(
            kind=order.kind,
            state=state,
            by=caller.by,
            arguments=order.arguments,
            cut_off_id=self._reader.highest_id(),
            realm_tag=realm.tag,
            environment=realm.environment.value,
            company=profile.name if profile else None,
            holder=self._holder,
        )
        self._world.gate(Gate.RUN_RECORDED)
        return run

    def with_lease(self, run: Run, *, order: Order, realm: Realm, caller: Caller) -> Drive:
        """Take the lease for a run that is written down.

        Raises:
            RealmBusy: Another sender is at work.
        """
        lease = self._leases.take(realm.tag, run_id=run.id, holder=self._holder)
        self._world.gate(Gate.LEASE_ACQUIRED)
        return self._begun(run, order=order, realm=realm, caller=caller, lease=lease)

    def _begun(
        self, run: Run, *, order: Order, realm: Realm, caller: Caller, lease: Lease
    ) -> Drive:
        now = self._world.clock.now()
        by = Actor(
            name=caller.by.name,
            source=caller.by.source,
            address=caller.by.address,
            run_id=run.id,
            process=caller.by.process,
        )
        drive = Drive(
            order=order,
            caller=Caller(by=by, watch=caller.watch, stop=caller.stop),
            realm=realm,
            run=run,
            lease=lease,
            report=Report(run_id=run.id, kind=order.kind, started_at=now),
            renewed_at=now,
            counted_at=now,
            spent_at_start=self._spent(),
        )
        self._while_waiting(lambda: self.tick(drive))
        return drive

    def enter(
        self,
        run: Run,
        *,
        realm: Realm,
        stop: Callable[[], bool],
        watch: Callable[[Report], None],
    ) -> Drive | None:
        """Take the lease for the next part of a durable run; None where it is in other hands.

        Raises:
            RealmBusy: Another sender is at work.
        """
        lease = self._leases.take(realm.tag, run_id=run.id, holder=self._holder)
        self._world.gate(Gate.LEASE_ACQUIRED)
        ours = self._runs.enter(run.id, turn=run.turn, holder=self._holder, by=run.by)
        if ours is None:
            self._release(lease)
            return None
        caller = Caller(by=run.by, stop=stop, watch=watch)
        drive = self._begun(ours, order=Order.of(ours), realm=realm, caller=caller, lease=lease)
        drive.throttled_ms = ours.throttled_ms
        drive.spent_before = ours.asked_of_quickbooks
        drive.report.total = ours.total
        drive.report.started_at = ours.started_at
        return drive

    def token(self, drive: Drive) -> str:
        """Return a fresh claim token: ASCII, at most 120 characters, never used twice."""
        return (f"fb1.{drive.realm.tag}.{drive.lease.ulid}.{next(self._numbers)}.{self._holder}")[
            :120
        ]

    def tick(self, drive: Drive) -> None:
        """Renew the lease in time, count, show; called often from the coordinating thread."""
        now = self._world.clock.now()
        if now - drive.renewed_at >= timedelta(milliseconds=self._waits.heartbeat_ms):
            drive.lease = self._leases.renew(drive.lease)
            drive.renewed_at = now
            self._world.gate(Gate.LEASE_RENEWED)
        self._note_pause(drive, now=now)
        if now - drive.counted_at >= timedelta(milliseconds=COUNT_EVERY_MS):
            drive.counted_at = now
            self.count(drive, now=now)
            drive.wish = self._runs.asked(drive.run.id) or drive.wish
        drive.caller.watch(drive.report)

    def pulse(self, drive: Drive) -> Pulse:
        """Return what keeps this run's lease alive while QuickBooks is asked again and again."""
        return Pulse(every=lambda: self.tick(drive), stop=lambda: self.stopping(drive))

    def _note_pause(self, drive: Drive, *, now: datetime) -> None:
        left_ms = self._paused_ms()
        drive.report.paused_ms = left_ms
        if left_ms and not drive.paused:
            drive.throttled_ms += left_ms
            until = now + timedelta(milliseconds=left_ms)
            told = {"run_id": drive.run.id, "seconds": -(-left_ms // 1000)}
            self._logs.event("run.throttled", run_id=drive.run.id, paused_ms=left_ms)
            drive.news.append(("run.throttled", {**told, "until": until.isoformat()}))
        drive.paused = bool(left_ms)

    def stopping(self, drive: Drive) -> bool:
        """Return whether the run should claim nothing more."""
        if drive.wish is None and drive.caller.stop():
            drive.wish = "stop"
        until = drive.order.until
        if drive.wish is None and until is not None and self._world.clock.now() >= until:
            drive.wish = "window"
        return drive.asked_to_stop

    def count(self, drive: Drive, *, now: datetime | None = None) -> None:
        """Make the run's figures and news visible to every door."""
        report = drive.report
        report.spent = drive.spent_before + self._spent() - drive.spent_at_start
        news = list(drive.news)
        drive.news.clear()
        if now is not None:
            news.append(("run.progress", self._progressed(drive, now=now)))
        self._runs.count(
            drive.run.id,
            total=report.total,
            processed=report.processed,
            successful=report.successful,
            failed=report.failed,
            unsettled=report.unsettled,
            throttled_ms=drive.throttled_ms,
            spent=report.spent,
            events=news,
        )
        self._hand_on(self._world.clock.since_boot_ms())

    def _progressed(self, drive: Drive, *, now: datetime) -> dict[str, object]:
        report = drive.report
        drive.pace.append((now, report.processed))
        while now - drive.pace[0][0] > PACE_OVER:
            drive.pace.popleft()
        since, before = drive.pace[0]
        gone_ms = (now - since) // timedelta(milliseconds=1)
        met = report.processed - before
        left = max(0, report.total - report.processed)
        return {
            "run_id": drive.run.id,
            "processed": report.processed,
            "total": report.total,
            "successful": report.successful,
            "failed": report.failed,
            "rate_per_minute": met * 60_000 // gone_ms if gone_ms else None,
            "eta_seconds": left * gone_ms // (met * 1000) if met > 0 else None,
        }

    def close(self, drive: Drive, *, stop: Stop | None) -> None:
        """End a run of this process: its figures, its state, its lease."""
        report = drive.report
        now = self._world.clock.now()
        report.duration_ms = int((now - (report.started_at or now)) / timedelta(milliseconds=1))
        report.stopped_by = stop
        report.state = _end_state(drive, stop=stop)
        if report.processed and drive.order.ids is None:
            report.batches = -(-report.processed // drive.order.batch_size)
        if isinstance(stop, LeaseLost):
            self._while_waiting(None)
            return  # the sender that took over closes this run
        self.count(drive)
        if drive.wish == "pause" and stop is None and self._put_down(drive):
            report.state = "paused"
        else:
            self._runs.finish(
                drive.run.id,
                state=report.state,
                cause=stop.cause if stop else None,
                by=drive.caller.by,
            )
        self._world.gate(Gate.RUN_FINISHED)
        self.leave(drive)
        report.remaining = self._progress.waiting()
        self.told_finished(drive)
        drive.caller.watch(report)

    def _put_down(self, drive: Drive) -> bool:
        """Leave a paused run for whoever resumes it; False where another long one waits."""
        try:
            return self._runs.rest(
                drive.run.id, turn=drive.run.turn, state="paused", by=drive.caller.by
            )
        except Clash:
            return False

    def leave(self, drive: Drive) -> None:
        """Give the lease back, and let every process know what was asked."""
        self._while_waiting(None)
        self._release(drive.lease)
        self._hand_on(None)

    def told_finished(self, drive: Drive) -> None:
        """Write the one line that tells all of a run."""
        report = drive.report
        self._logs.event(
            "run.finished",
            run_id=drive.run.id,
            successful=report.successful,
            failed=report.failed,
            unsettled=report.unsettled,
            milliseconds=report.duration_ms,
        )

    def _release(self, lease: Lease) -> None:
        self._leases.release(lease)
        self._world.gate(Gate.LEASE_RELEASED)


def _news(one: Ended, *, settled: bool) -> News:
    content: dict[str, object] = {
        "invoice_id": one.invoice_id,
        "doc_number": doc_number(one.invoice_id),
        "quickbooks_id": one.quickbooks_id,
    }
    if one.cause is not None:
        content |= {"error": explain(one.cause, {}).title, "error_code": one.cause}
    if one.cause is not None and not settled:
        return "invoice.failed", content
    return ("invoice.settled" if settled else "invoice.synced"), content


def _end_state(drive: Drive, *, stop: Stop | None) -> str:
    if stop is not None:
        return "failed"
    return "cancelled" if drive.asked_to_stop else "finished"
