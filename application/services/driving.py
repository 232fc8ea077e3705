"""One run under the lease: opened, kept alive, counted, closed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from application.catalogue import LeaseLost, RealmBusy, Stop
from application.invoices.model import Realm
from application.logs import Logs
from application.mis.reader import MisReader
from application.services.company import Company
from application.services.progress import Progress
from application.services.recording import Sender
from application.services.reports import Caller, Order, Report
from application.services.trips import Ended
from application.store.audit import Actor
from application.store.leases import Lease, Leases
from application.store.runs import Run, Runs
from application.world import Gate, Waits, World

COUNT_EVERY_MS = 500


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
    asked_to_stop: bool = False
    parked: dict[int, datetime] = field(default_factory=dict)  # invoice -> when to try again
    unclear: dict[int, datetime] = field(default_factory=dict)  # invoice -> when it is decided

    def take(self, one: Ended) -> None:
        """Count one invoice; one that was unclear before counts where it belongs now."""
        if self.unclear.pop(one.invoice_id, None) is not None:
            self.report.forget_unclear()
        self.report.take(one)
        if one.parked_until is not None:
            self.parked[one.invoice_id] = one.parked_until
        elif one.unsettled_until is not None:
            self.unclear[one.invoice_id] = one.unsettled_until

    @property
    def sender(self) -> Sender:
        """Who writes on behalf of this run."""
        return Sender(lease=self.lease, by=self.caller.by, run_id=self.run.id)


class Driving:
    """Holds the lease for a run and keeps its figures.

    Args:
        holder: Host and process, as the lease and the claim tokens name them.
        paused_ms: How long QuickBooks' limits hold us back now.
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
        self._while_waiting = while_waiting
        self._numbers = count(1)

    def open(self, order: Order, *, realm: Realm, caller: Caller) -> Drive:
        """Take the lease and open a run under it.

        Raises:
            RealmBusy: Another sender is at work.
        """
        busy = self._leases.active(realm.tag)
        if busy is not None and busy.live:
            raise RealmBusy(run_id=busy.run_id, until=busy.until, holder=busy.holder)
        run = self.note_run(order, realm=realm, caller=caller, state="running")
        try:
            return self.with_lease(run, order=order, realm=realm, caller=caller)
        except RealmBusy as stop:
            self._runs.finish(run.id, state="cancelled", cause=stop.cause, by=caller.by)
            raise

    def note_run(self, order: Order, *, realm: Realm, caller: Caller, state: str) -> Run:
        """Write down that a run was asked for, before anything happens."""
        profile = self._company.profile()
        run = self._runs.open(
            kind=order.kind,
            state=state,
            by=caller.by,
            arguments={
                "batch_size": order.batch_size,
                "max_batches": order.batches_max,
                "ids": list(order.ids) if order.ids is not None else None,
            },
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
        )
        self._while_waiting(lambda: self.tick(drive))
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
        drive.report.paused_ms = self._paused_ms()
        if now - drive.counted_at >= timedelta(milliseconds=COUNT_EVERY_MS):
            drive.counted_at = now
            self.count(drive)
            drive.asked_to_stop |= self._runs.asked(drive.run.id) in {"pause", "cancel"}
        drive.caller.watch(drive.report)

    def stopping(self, drive: Drive) -> bool:
        """Return whether the run should claim nothing more."""
        drive.asked_to_stop |= drive.caller.stop()
        return drive.asked_to_stop

    def count(self, drive: Drive) -> None:
        """Make the run's figures visible to every door."""
        report = drive.report
        self._runs.count(
            drive.run.id,
            total=report.total,
            processed=report.processed,
            successful=report.successful,
            failed=report.failed,
            unsettled=report.unsettled,
        )

    def close(self, drive: Drive, *, stop: Stop | None) -> None:
        """End the run: its figures, its state, its lease."""
        report = drive.report
        now = self._world.clock.now()
        report.duration_ms = int((now - (report.started_at or now)) / timedelta(milliseconds=1))
        report.stopped_by = stop
        self._while_waiting(None)
        report.state = _end_state(drive, stop=stop)
        if report.processed and drive.order.ids is None:
            report.batches = -(-report.processed // drive.order.batch_size)
        if isinstance(stop, LeaseLost):
            return  # the sender that took over closes this run
        self.count(drive)
        self._runs.finish(
            drive.run.id,
            state=report.state,
            cause=stop.cause if stop else None,
            by=drive.caller.by,
        )
        self._world.gate(Gate.RUN_FINISHED)
        self._leases.release(drive.lease)
        self._world.gate(Gate.LEASE_RELEASED)
        report.remaining = self._progress.waiting()
        self._logs.event(
            "run.finished",
            run_id=drive.run.id,
            successful=report.successful,
            failed=report.failed,
            unsettled=report.unsettled,
            milliseconds=report.duration_ms,
        )
        drive.caller.watch(report)


def _end_state(drive: Drive, *, stop: Stop | None) -> str:
    if stop is not None:
        return "failed"
    return "cancelled" if drive.asked_to_stop else "finished"
