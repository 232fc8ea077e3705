"""What every run does under the lease: recover, read the company, cross, take small requests in."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from application.catalogue import ReadsUsedUp
from application.invoices.model import Kind, Realm
from application.quickbooks.client import Client
from application.services.choosing import Choosing
from application.services.connection import Connection
from application.services.costs import BOTH_LANES_ABOVE
from application.services.crossing import Crossing
from application.services.driving import Drive, Driving
from application.services.reports import Caller, Order, Report
from application.services.settling import Settled, Settling
from application.services.sweeping import Sweeping
from application.services.trips import Ended, Trip
from application.store.items import Items
from application.store.journal import Journal
from application.store.runs import Runs
from application.world import World

PROFILE_AGE = timedelta(hours=12)


class Passage:
    """The steps of one run, whoever drives it.

    Args:
        beside: A second crossing with lanes of its own, for requests served between two pages.
        max_retries: Attempts on a refusal that passes.
        sends_max: Sends of one frozen body.
    """

    def __init__(
        self,
        *,
        choosing: Choosing,
        connection: Connection,
        crossing: Crossing,
        beside: Crossing,
        sweeping: Sweeping,
        settling: Settling,
        driving: Driving,
        client: Client,
        journal: Journal,
        items: Items,
        runs: Runs,
        world: World,
        max_retries: int,
        sends_max: int,
    ) -> None:
        self._choosing = choosing
        self._connection = connection
        self._crossing = crossing
        self._beside = beside
        self._sweeping = sweeping
        self._settling = settling
        self._driving = driving
        self._client = client
        self._journal = journal
        self._items = items
        self._runs = runs
        self._world = world
        self._max_retries = max_retries
        self._sends_max = sends_max
        self._warm: set[str] = set()  # companies of which our store knows all it should

    def recover(self, drive: Drive) -> Settled:
        """Bring to an end what earlier processes left: sweep, look, send what is absent."""
        self._runs.close_dead(realm_tag=drive.realm.tag, alive=drive.run.id, by=drive.caller.by)
        swept = self._sweeping.sweep(
            realm=drive.realm,
            sender=drive.sender,
            pulse=self._driving.pulse(drive),
            token_for=lambda: self._driving.token(drive),
        )
        swept.add(self.settle(drive, orphans=True))
        return swept

    def settle(self, drive: Drive, *, orphans: bool = False) -> Settled:
        """Look for what is unclear and due."""
        return self._settling.settle(
            realm=drive.realm,
            sender=drive.sender,
            pulse=self._driving.pulse(drive),
            sending=True,
            orphans=orphans,
        )

    def next_look(self, realm: Realm) -> datetime:
        """Return when the next look for something unclear is due."""
        unclear = self._journal.unsettled(realm.tag, kind=Kind.INVOICE)
        due = [self._settling.due_at(one) for one in unclear]
        return min(due, default=self._world.clock.now())

    def apply(self, settled: Settled, *, drive: Drive) -> None:
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

    def read_company(self, drive: Drive) -> None:
        """Read products and preferences where what we hold is missing or old.

        Raises:
            Stop: QuickBooks cannot be asked now.
        """
        profile = self._items.profile(drive.realm.tag)
        now = self._world.clock.now()
        if profile is not None and now - profile.read_at <= PROFILE_AGE:
            return
        try:
            self._connection.read_company(self._client)
        except ReadsUsedUp:
            if profile is None:
                raise
            # What we hold may be old: then QuickBooks refuses a row, and says why.

    def require_reads(self) -> None:
        """Raise where QuickBooks answers no look this month, so that waiting is in vain.

        Raises:
            ReadsUsedUp: Sending goes on, looking waits.
        """
        self._client.require_reads()

    def cross(
        self, drive: Drive, *, pages: Iterator[Sequence[int]], ids: Sequence[int] | None
    ) -> None:
        """Take these pages across and count them.

        Args:
            drive: The run.
            pages: Ids, at most 30 together.
            ids: A person's choice among them, or None.
        """
        cold = self._cold(drive.realm)
        rest = self._between(drive, pages=pages)
        first = next(rest, None)
        if first is None:
            return
        if not self._journal.any_receipt(drive.realm.tag):
            first = self._alone(first, drive=drive, cold=cold)
        trip = self._trip(drive, cold=cold)
        chained = _chained(first, rest)
        for one in self._crossing.take(
            chained, trip=trip, cause_gone=self._choosing.cause_gone(ids)
        ):
            drive.take(one)
            self._driving.tick(drive)

    def _between(self, drive: Drive, *, pages: Iterator[Sequence[int]]) -> Iterator[Sequence[int]]:
        """Yield the pages; small requests of people go ahead of each."""
        for page in pages:
            self._take_in(drive)
            drive.report.batches = 1 + drive.report.processed // drive.order.batch_size
            yield page

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
        """Return whether numbers of ours may stand in QuickBooks that our store does not know.

        The first count that is answered decides for good: a company that was empty then holds
        what we sent. Each process counts again before its first page, because what a store
        noted of itself is true of the day it was copied.
        """
        if realm.tag in self._warm:
            return False
        note = f"cold.{realm.tag}"
        kept = self._items.recall(note)
        if kept is True:
            return True
        found = self._client.count_numbered()
        if not isinstance(found, int):
            # Without its looks a cold store sends nothing: there is no need to claim rows for it.
            self._client.require_reads()
            return True
        if kept is None:
            # Not compared with receipts: of ours some may be deleted, and hide as many others.
            self._items.remember(note, bool(found))
            cold = bool(found)
        else:
            cold = found > self._journal.how_many_receipts(realm.tag)
        if not cold:
            self._warm.add(realm.tag)
        return cold

    def _trip(self, drive: Drive, *, cold: bool) -> Trip:
        return Trip(
            realm=drive.realm,
            sender=drive.sender,
            token_for=lambda: self._driving.token(drive),
            pulse=self._driving.pulse(drive),
            both=drive.report.total > BOTH_LANES_ABOVE,
            cold=cold,
            max_retries=self._max_retries,
            sends_max=self._sends_max,
        )

    # -- a person's small request during a long run -----------------------------------------------

    def _take_in(self, drive: Drive) -> None:
        """Serve requests that people left, ahead of our next page, each as its own run."""
        for asked in self._runs.queued(drive.realm.tag):
            order = Order.of(asked)
            if asked.id == drive.run.id or not order.small or not self._runs.begin(asked.id):
                continue
            now = self._world.clock.now()
            guest = Drive(
                order=order,
                caller=Caller(by=asked.by, stop=drive.caller.stop),
                realm=drive.realm,
                run=asked,
                lease=drive.lease,
                report=Report(run_id=asked.id, kind=asked.kind, started_at=now),
                renewed_at=drive.renewed_at,
                counted_at=drive.counted_at,
            )
            self._serve(guest)

    def _serve(self, guest: Drive) -> None:
        pages = self._choosing.pages(
            guest.order.ids,
            batch_size=guest.order.batch_size,
            most=None,
            upto=guest.run.cut_off_id,
            realm_tag=guest.realm.tag,
        )
        guest.report.total = len(guest.order.ids or ())
        trip = self._trip(guest, cold=self._cold(guest.realm))
        gone = self._choosing.cause_gone(guest.order.ids)
        for one in self._beside.take(pages, trip=trip, cause_gone=gone):
            guest.take(one)
        self._driving.count(guest)
        self._runs.finish(guest.run.id, state="finished", cause=None, by=guest.caller.by)


def _chained(first: Sequence[int], rest: Iterator[Sequence[int]]) -> Iterator[Sequence[int]]:
    if first:
        yield first
    yield from rest
