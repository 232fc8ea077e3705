"""Many invoices at once, picked by hand or all that fit: how many, how much, retried, held."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Final

from application.invoices.model import Environment, Status
from application.invoices.money import amount_to_send
from application.mis.reader import MisReader, Wanted
from application.services.choosing import Choosing
from application.services.company import Company
from application.services.listing import ROWS, Listed, Listing
from application.services.marking import Flag
from application.services.plans import Plans, pages_of
from application.services.progress import Progress
from application.services.reports import Actor
from application.services.searching import Asked, long_enough
from application.store.journal import Journal, TimelineEntry
from application.store.tables import Clash
from application.world import Clock

__all__ = ["Asked", "Picked", "Picking", "Sendable", "Sum"]

COUNTED_MOST: Final = 10_000
PICKED_MOST: Final = 100_000
FIXED_MOST: Final = 2_000
CONFIRMED_ABOVE: Final = 100  # invoices
FEES_KEPT_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Sum:
    """How many invoices fit, and what they are worth together."""

    count: int
    amount: Decimal
    more: bool = False  # there may be more than were counted


@dataclass(frozen=True, slots=True)
class Picked:
    """Invoices of which something is to be done."""

    ids: tuple[int, ...]
    amount: Decimal
    left_out: int  # chosen, and not fit for it


@dataclass(frozen=True, slots=True)
class Sendable:
    """What a run would take in now."""

    count: int  # that wait and nobody holds, and failures that look fixed
    amount: Decimal
    fixed: int  # of them failures that look fixed
    held: int  # that wait and stay out
    more: bool  # more failures may look fixed than were looked at


class Picking:
    """Answers about many invoices and holds them; sends nothing."""

    def __init__(
        self,
        *,
        reader: MisReader,
        listing: Listing,
        choosing: Choosing,
        progress: Progress,
        plans: Plans,
        journal: Journal,
        company: Company,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._listing = listing
        self._choosing = choosing
        self._progress = progress
        self._rule = plans.rules.amount
        self._journal = journal
        self._company = company
        self._clock = clock
        self._fees: tuple[int, dict[int, str]] | None = None

    def asked(
        self,
        *,
        status: str | None = None,
        flag: str | None = None,
        cause: str | None = None,
        q: str | None = None,
        fee: int | None = None,
        dated_from: date | None = None,
        dated_to: date | None = None,
    ) -> Asked:
        """Return the question a list answers, as `Listing.page` takes it.

        Raises:
            SearchWrong: `q` has fewer than three characters.
        """
        return Asked(
            status=Status[status.upper()] if status else None,
            flag=Flag(flag) if flag else None,
            cause=cause,
            text=long_enough(q.strip()) if q else None,
            fee=fee,
            dated_from=dated_from,
            dated_to=dated_to,
        )

    def sum_of(self, asked: Asked, *, most: int = COUNTED_MOST) -> Sum:
        """Return how many invoices fit a question; no more than `most` are counted.

        Raises:
            SearchWrong: The search begins too many names.
        """
        if len(asked.statuses) > 1:
            return Sum(0, Decimal(0))
        if asked.flag is None and asked.cause is None:
            searches = self._listing.searches(asked)
            tally = self._reader.tally(searches, rule=self._rule, most=most + 1)
            return Sum(min(tally.count, most), tally.amount, more=tally.count > most)
        if asked.sparse:  # most rows may not fit: what one look finds, and whether it saw them all
            page = self._listing.found(asked, limit=most)
            return _sum(page.invoices, more=page.next_cursor is not None)
        found = list(islice(self._listing.every(asked), most + 1))
        return _sum(found[:most], more=len(found) > most)

    def chosen(self, ids: Sequence[int]) -> Picked:
        """Return which of these invoices a retry sends: failed, and held by nobody."""
        return self._picked(self._each(ids))

    def failed(self, asked: Asked) -> Picked:
        """Return which invoices that fit a question a retry sends; raises as `sum_of` does."""
        if len(asked.statuses) > 1:
            return Picked((), Decimal(0), 0)
        return self._picked(islice(self._listing.every(asked), PICKED_MOST))

    def holdable(self, asked: Asked) -> list[int]:
        """Return which invoices that fit a question can be held; raises as `sum_of` does."""
        found = islice(self._listing.every(asked), PICKED_MOST)
        return [one.row.id for one in found if _can_be_held(one)]

    def hold(self, ids: Iterable[int], *, reason: str, by: Actor) -> int:
        """Keep invoices out of runs; return how many are held now that were not.

        Args:
            ids: Those neither sent nor being sent are held; others are passed over.
            reason: Why, in words.
            by: Who says so.
        """
        fit = [one.row.id for one in self._each(list(ids)) if _can_be_held(one)]
        try:
            return len(self._journal.hold_all(fit, reason=reason, by=by))
        except Clash:  # somebody held one of them at the same moment; the rest is ours
            return len(self._journal.hold_all(fit, reason=reason, by=by))

    def sendable(self) -> Sendable:
        """Return what a run would take in now."""
        counts = self._progress.counts()
        held, held_amount = self._held_waiting()
        tag = self._company.realm_tag()
        fixed = (
            islice(self._choosing.fixed(upto=None, realm_tag=tag), FIXED_MOST + 1) if tag else ()
        )
        ids = list(fixed)
        rows = self._reader.rows_of(ids[:FIXED_MOST])
        worth = sum(
            (amount_to_send(row, rule=self._rule) or Decimal(0) for row in rows), Decimal(0)
        )
        return Sendable(
            count=max(0, counts.not_synced - held) + len(rows),
            amount=counts.amounts["not_synced"] - held_amount + worth,
            fixed=len(rows),
            held=held,
            more=len(ids) > FIXED_MOST,
        )

    def asks_first(self, count: int) -> bool:
        """Return whether a person confirms before so many are sent: many, or the first for real."""
        return count > CONFIRMED_ABOVE or self.first_in_production()

    def first_in_production(self) -> bool:
        """Return whether nothing of ours is in the real company yet."""
        if self._company.state().environment is not Environment.PRODUCTION:
            return False
        tag = self._company.realm_tag()
        return tag is None or not self._journal.any_receipt(tag)

    def fees(self) -> dict[int, str]:
        """Return the fee categories invoices have, by number; at most a minute old."""
        now_ms = self._clock.since_boot_ms()
        kept = self._fees
        if kept is not None and now_ms - kept[0] < FEES_KEPT_MS:
            return kept[1]
        ids = sorted(self._reader.fees_in_use(every=True))
        named = self._reader.fees(ids)
        found = {one: named[one].name if one in named else "" for one in ids}
        self._fees = (now_ms, found)
        return found

    def bodies(self, timeline: Iterable[TimelineEntry]) -> dict[int, bytes]:
        """Return what was sent, byte for byte, by the intents a timeline names."""
        ids = sorted({one.intent_id for one in timeline if one.intent_id is not None})
        return {one.id: one.payload for one in self._journal.intents(ids)} if ids else {}

    def _each(self, ids: Sequence[int]) -> list[Listed]:
        return [
            one
            for page in pages_of(sorted(set(ids)), most=ROWS)
            for one in self._listing.some(page)
        ]

    def _picked(self, invoices: Iterable[Listed]) -> Picked:
        ids: list[int] = []
        amount = Decimal(0)
        left_out = 0
        for one in invoices:
            if one.status is not Status.FAILED or one.flag is Flag.HELD:
                left_out += 1
                continue
            ids.append(one.row.id)
            amount += one.amount or Decimal(0)
        return Picked(tuple(ids), amount, left_out)

    def _held_waiting(self) -> tuple[int, Decimal]:
        count, amount = 0, Decimal(0)
        for page in pages_of(sorted(self._journal.held_ids()), most=ROWS):
            wanted = Wanted(Status.NOT_SYNCED, ids=tuple(page))
            for row in self._reader.newest(wanted, before=None, limit=ROWS):
                count += 1
                amount += amount_to_send(row, rule=self._rule) or Decimal(0)
        return count, amount


def _sum(invoices: Sequence[Listed], *, more: bool) -> Sum:
    amount = sum((one.amount or Decimal(0) for one in invoices), Decimal(0))
    return Sum(len(invoices), amount, more=more)


def _can_be_held(one: Listed) -> bool:
    return one.status in {Status.NOT_SYNCED, Status.FAILED} and one.hold is None
