"""Durable runs, part by part: any process may do the next one, and doing one twice harms nothing.

What a run has done is read from the journal, so a part that was interrupted is taken up from our
own tables, whatever became of the process that began it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from application.catalogue import CompanyMismatch, LeaseLost, RealmBusy, Stop
from application.invoices.model import Realm
from application.mis.reader import MisReader
from application.services.choosing import Choosing
from application.services.connection import Connection
from application.services.driving import Drive, Driving
from application.services.passage import Passage
from application.services.reports import Report, nobody
from application.services.resting import SOON, UNCLEAR, Rest, Resting
from application.store.runs import Run, Runs
from application.store.slices import Place, Slice, Slices, Tally
from application.world import World

SLICE_BATCHES: Final = 40
# What a person or the end of this process asked for, and where the run is left for it.
WISHES: Final = {"cancel": "cancelled", "pause": "paused", "window": "finished", "stop": "queued"}


class Slicing:
    """Does the next part of a durable run."""

    def __init__(
        self,
        *,
        choosing: Choosing,
        connection: Connection,
        passage: Passage,
        driving: Driving,
        resting: Resting,
        reader: MisReader,
        runs: Runs,
        slices: Slices,
        world: World,
    ) -> None:
        self._choosing = choosing
        self._connection = connection
        self._passage = passage
        self._driving = driving
        self._resting = resting
        self._reader = reader
        self._runs = runs
        self._slices = slices
        self._world = world

    def advance(
        self,
        run_id: int,
        *,
        turn: int,
        stop: Callable[[], bool],
        watch: Callable[[Report], None] = nobody,
    ) -> bool:
        """Return whether another part follows at once.

        Args:
            run_id: The run.
            turn: The turn it was handed out with.
            stop: Whether this process is ending.
            watch: Shown the figures as they rise.
        """
        run = self._runs.get(run_id)
        if run is None or run.finished_at is not None or run.turn != turn or stop():
            return False
        try:
            realm = self._ready(run)
            drive = self._driving.enter(run, realm=realm, stop=stop, watch=watch)
        except RealmBusy:
            self._runs.postpone(run_id, turn=turn, wake_at=self._world.clock.now() + SOON)
            return False
        except Stop as stopped:
            self._resting.put_down(run, self._resting.of(stopped))
            return False
        return drive is not None and self._part(drive)

    def _ready(self, run: Run) -> Realm:
        self._reader.require(writing=True)
        realm = self._connection.standing_realm()
        if realm.tag != run.realm_tag:
            raise CompanyMismatch(company=run.company, environment=run.environment)
        return realm

    def _part(self, drive: Drive) -> bool:
        """Do one part under the lease, and leave the run where it belongs."""
        try:
            try:
                rest = self._crossed(drive)
            except LeaseLost:
                return False  # the sender that took over goes on with it
            except Stop as stopped:
                rest = self._resting.of(stopped)
            self._driving.count(drive)
            if rest is not None and self._resting.put_down(drive.run, rest) and rest.ends:
                self._tell(drive)
            return rest is None
        finally:
            # Whatever happened, nobody may wait for a lease whose holder does nothing.
            self._driving.leave(drive)

    def _crossed(self, drive: Drive) -> Rest | None:
        """Cross one part; return where the run rests, or None where the next part follows."""
        self._connection.bind(drive.realm)
        part = self._slices.open(drive.run.id)
        freed = self._count_before(drive, part=part)
        before = drive.report.processed
        try:
            settled = self._passage.recover(drive)
            self._passage.apply(settled, drive=drive)
            place = Place() if freed or settled.released else part.place
            walk = self._choosing.walk(drive.run, place=place)
            self._passage.read_company(drive)
            pages = walk.pages(batch_size=drive.order.batch_size, most=self._room(drive))
            self._passage.cross(drive, pages=pages, ids=drive.order.ids)
        except LeaseLost:
            raise
        except Stop:
            self._close(part, drive=drive, place=part.place)
            raise
        if drive.wish is not None or self._driving.stopping(drive):
            # What was claimed and given back lies before the walk's place: it is met again.
            self._close(part, drive=drive, place=part.place)
            return Rest(WISHES[drive.wish or "stop"])
        if not walk.over and not self._full(drive):
            self._close(part, drive=drive, place=walk.place)
            return None
        again = self._another_round(drive, moved=drive.report.processed > before)
        self._close(part, drive=drive, place=Place() if again else walk.place)
        return self._rest(drive, again=again)

    def _count_before(self, drive: Drive, *, part: Slice) -> bool:
        """Bring the figures to what earlier parts came to, and an interrupted one too.

        Returns:
            Whether what was unclear may wait again, behind the place the walk had come to.
        """
        run, tally = drive.run, part.tally
        unclear = self._slices.unclear(run.id, realm_tag=run.realm_tag)
        if part.interrupted:
            tally = self._slices.recount(
                run.id, realm_tag=run.realm_tag, since=part.opened_at, before=tally
            )
        elif tally.unsettled != len(unclear):
            # Somebody decided some of them meanwhile: only the journal knows how.
            tally = self._slices.recount(
                run.id, realm_tag=run.realm_tag, since=run.asked_at, before=Tally()
            )
        drive.unclear.update(dict.fromkeys(unclear, self._world.clock.now()))
        report = drive.report
        report.successful, report.failed = tally.successful, tally.failed
        report.unsettled = len(unclear)
        report.processed = report.successful + report.failed + report.unsettled
        if not part.number and not part.interrupted:
            order = drive.order
            report.total = self._choosing.how_many(order.ids, most=order.most)
        known = part.tally.successful + part.tally.failed + part.tally.unsettled
        return part.tally.unsettled > 0 and (part.interrupted or report.processed < known)

    def _room(self, drive: Drive) -> int:
        """Return how many invoices this part may meet."""
        most = SLICE_BATCHES * drive.order.batch_size
        if drive.order.batches_max is None:
            return most
        return max(0, min(most, (drive.order.most or 0) - drive.report.processed))

    def _full(self, drive: Drive) -> bool:
        """Return whether the run has met as many as it may."""
        return drive.order.batches_max is not None and not self._room(drive)

    def _another_round(self, drive: Drive, *, moved: bool) -> bool:
        """Return whether what was passed over is worth another walk from the start."""
        order = drive.order
        if order.ids is not None or not order.wait_for_unclear or self._full(drive):
            return False
        left = next(self._choosing.waiting(after=0, upto=drive.run.cut_off_id), None)
        return left is not None and (moved or bool(drive.parked))

    def _rest(self, drive: Drive, *, again: bool) -> Rest | None:
        order = drive.order
        waits = [*drive.parked.values()] if again else []
        if order.wait_for_unclear and drive.unclear:
            waits.append(self._passage.next_look(drive.realm))
        if not waits:
            return None if again else Rest("finished")
        self._passage.require_reads()
        soonest = max(min(waits), self._world.clock.later(wait_ms=1))
        return Rest("waiting_quickbooks", cause=UNCLEAR, wake_at=soonest)

    def _close(self, part: Slice, *, drive: Drive, place: Place) -> None:
        report = drive.report
        tally = Tally(report.successful, report.failed, report.unsettled)
        self._slices.close(part, tally=tally, place=place)

    def _tell(self, drive: Drive) -> None:
        report = drive.report
        now: datetime = self._world.clock.now()
        report.duration_ms = (now - (report.started_at or now)) // timedelta(milliseconds=1)
        self._driving.told_finished(drive)
