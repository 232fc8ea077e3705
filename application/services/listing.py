"""Invoices in pages, by key: searched, flagged, previewed; one with its story."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Final

from application.invoices.model import DOC_NUMBER_PREFIX, Fee, MisInvoice, Status, Student
from application.invoices.validation import looks_fixed
from application.mis.reader import MisReader, Wanted
from application.mis.rows import ClaimedRow
from application.services.choosing import Choosing
from application.services.company import Company
from application.services.marking import UNRECORDED, Flag, Marking, Marks
from application.services.plans import Plan, Plans, pages_of
from application.services.progress import Previewed, Progress, Statistics
from application.services.searching import (
    FAILED,
    NEWER,
    PREVIEW,
    WAITING,
    Asked,
    CursorWrong,
    Place,
    SearchWrong,
    cursor_of,
    long_enough,
    opened,
    preview_place,
    wrong,
)
from application.store.flags import Flags
from application.store.journal import (
    Hold,
    Journal,
    ReceiptRecord,
    RefusalRecord,
    TimelineEntry,
)
from application.store.leases import Leases
from application.world import Waits, World

__all__ = ["CursorWrong", "Detail", "Flag", "Listed", "Listing", "Outlook", "Page", "SearchWrong"]

ROWS: Final = 500  # looked at together where most will not fit
LOOKS_MOST: Final = 20
NAMED_MOST: Final = 2_000
_HELD_IN: Final = (Status.NOT_SYNCED, Status.FAILED)
_NUMBER: Final = re.compile(rf"(?:{DOC_NUMBER_PREFIX})?([0-9]{{1,18}})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listed:
    """One invoice with what both databases know of it."""

    row: MisInvoice
    student: Student | None
    fee: Fee | None
    amount: Decimal | None  # that would be sent; None where the row has no valid one
    status: Status
    flag: Flag | None
    cause: str | None  # of a failed one
    refusal: RefusalRecord | None  # of a failed one that we refused
    looks_fixed: bool | None  # of a failed one, where a company is known
    hold: Hold | None
    receipt: ReceiptRecord | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some invoices, newest first."""

    invoices: tuple[Listed, ...]
    next_cursor: str | None  # None: there are no more
    newer_cursor: str | None = None  # of the page before; None: this is the first


@dataclass(frozen=True, slots=True)
class Detail:
    """One invoice, what would be sent for it now, and what happened to it."""

    listed: Listed
    plan: Plan
    timeline: tuple[TimelineEntry, ...]
    customer: str | None  # whose invoice it is in QuickBooks, by the code the MIS knows


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the next run would send first, in its order."""

    invoices: tuple[Previewed, ...]
    waiting: int
    next_cursor: str | None


class Listing:
    """Answers lists; reads the MIS and our store, never QuickBooks, and writes nothing."""

    def __init__(
        self,
        *,
        reader: MisReader,
        plans: Plans,
        choosing: Choosing,
        progress: Progress,
        journal: Journal,
        flags: Flags,
        leases: Leases,
        company: Company,
        world: World,
        waits: Waits,
    ) -> None:
        self._reader = reader
        self._plans = plans
        self._choosing = choosing
        self._progress = progress
        self._journal = journal
        self._flags = flags
        self._company = company
        self._marking = Marking(
            flags=flags,
            journal=journal,
            leases=leases,
            rule=plans.rules.amount,
            waits=waits,
            clock=world.clock,
        )

    def page(
        self,
        *,
        status: str | None = None,
        flag: str | None = None,
        cause: str | None = None,
        q: str | None = None,
        fee: int | None = None,
        dated_from: date | None = None,
        dated_to: date | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return the invoices that fit, newest first.

        Args:
            status: `not_synced`, `synced`, `failed` or `in_progress`.
            flag: `settling`, `stuck`, `held`, `unverified` or `changed`.
            cause: Code of why it failed.
            q: Number or registration number, whole; or how a first or last name begins.
            fee: Fee category.
            dated_from: First day.
            dated_to: Last day.
            limit: How many at most; fewer may come although `next_cursor` tells of more.
            cursor: `next_cursor` of the page before.

        Raises:
            CursorWrong: The cursor belongs to another question, or to none.
            SearchWrong: `q` has fewer than three characters, or begins too many names.
        """
        asked = Asked(
            status=Status[status.upper()] if status else None,
            flag=Flag(flag) if flag else None,
            cause=cause,
            text=None if q is None else long_enough(q.strip()),
            fee=fee,
            dated_from=dated_from,
            dated_to=dated_to,
        )
        return self.found(asked, limit=limit, cursor=cursor)

    def found(self, asked: Asked, *, limit: int, cursor: str | None = None) -> Page:
        """Return a page of the invoices that fit a question; raises as `page` does."""
        edge = None if cursor is None else opened(cursor, of=asked.mark)
        if len(asked.statuses) > 1:
            return Page((), None)
        return self._found(asked, edge=edge, limit=limit)

    def every(self, asked: Asked) -> Iterator[Listed]:
        """Yield all invoices that fit, newest first, read page by page; raises as `page` does."""
        cursor = None
        while True:
            page = self.found(asked, limit=ROWS - 1, cursor=cursor)
            yield from page.invoices
            cursor = page.next_cursor
            if cursor is None:
                return

    def around(self, asked: Asked, invoice_id: int) -> tuple[int | None, int | None]:
        """Return which invoices of a list stand just before and just behind one, by their ids."""
        if len(asked.statuses) > 1:
            return None, None
        newer = self._found(asked, edge=Place(NEWER, invoice_id), limit=1).invoices
        older = self._found(asked, edge=Place("", invoice_id), limit=1).invoices
        return (
            next((one.row.id for one in newer if one.row.id > invoice_id), None),
            next((one.row.id for one in older), None),
        )

    def searches(self, asked: Asked) -> list[Wanted]:
        """Return what the MIS is asked for; raises SearchWrong as `page` does."""
        return self._searches(asked)

    def some(self, ids: Sequence[int]) -> list[Listed]:
        """Return these invoices, at most 500, in scope or not, by their ids; none that is gone."""
        rows = self._reader.rows_of(ids)
        tag = self._company.realm_tag()
        marks = self._marking.of(rows, realm_tag=tag)
        plans = self._plans.of(rows, realm_tag=tag)
        return list(self._listed(plans, marks=marks, realm_tag=tag))

    def one(self, invoice_id: int) -> Detail | None:
        """Return one invoice, in scope or not; None where the MIS has none."""
        rows = self._reader.rows_of([invoice_id])
        if not rows:
            return None
        tag = self._company.realm_tag()
        plans = self._plans.of(rows, realm_tag=tag)
        marks = self._marking.of(rows, realm_tag=tag)
        (listed,) = self._listed(plans, marks=marks, realm_tag=tag)
        timeline = tuple(self._journal.timeline(invoice_id))
        customer = self._customer(plans[0].invoice, realm_tag=tag)
        return Detail(listed=listed, plan=plans[0], timeline=timeline, customer=customer)

    def flag_counts(self, counts: Statistics | None = None) -> dict[str, int | None]:
        """Return how many invoices carry each flag; `changed` is not counted: it reads them all.

        Args:
            counts: As read just now, where the caller has them.
        """
        tag = self._company.realm_tag()
        hanging = [self._marking.hanging(at) for at in self.settling().values()]
        known = self._journal.how_many_receipts(tag) if tag else 0
        synced = (counts or self._progress.counts()).synced
        return {
            "settling": hanging.count(Flag.SETTLING),
            "stuck": hanging.count(Flag.STUCK),
            "held": sum(self._held_count(one) for one in _HELD_IN),
            "unverified": max(0, synced - known),
            "changed": None,
        }

    def attention(self, counts: Statistics) -> int:
        """Return how many invoices need a person: failed and not held, or stuck."""
        hanging = [self._marking.hanging(at) for at in self.settling().values()]
        failed = counts.failed - self._held_count(Status.FAILED)
        return max(0, failed) + hanging.count(Flag.STUCK)

    def settling(self, ids: Collection[int] | None = None) -> dict[int, datetime]:
        """Return from when each invoice in progress that nobody sends can be decided.

        Args:
            ids: These alone; None: all.
        """
        tag = self._company.realm_tag()
        found: dict[int, datetime] = {}
        for page in self._in_progress():
            rows = [row for row in page if ids is None or row.id in ids]
            found |= self._marking.settling(rows, realm_tag=tag)
        return found

    def preview(self, *, limit: int, cursor: str | None = None, offset: int = 0) -> Outlook:
        """Return what the next run would send first: what waits, then failures that look fixed.

        Args:
            limit: How many at most.
            cursor: `next_cursor` of the page before.
            offset: How many to pass over from there.

        Raises:
            CursorWrong: The cursor is none of a preview.
        """
        tag = self._company.realm_tag()
        start = Place(WAITING, 0) if cursor is None else preview_place(cursor)
        met = list(islice(self._coming(start, realm_tag=tag), offset, offset + limit + 1))
        ids = [one.after for one in met[:limit] if not one.passed]
        rows = {row.id: row for row in self._reader.rows_of(ids)}
        plans = self._plans.of([rows[one] for one in ids if one in rows], realm_tag=tag)
        more = len(met) > limit or any(one.passed for one in met)
        return Outlook(
            invoices=tuple(Previewed(plan, self._plans.amount(plan)) for plan in plans),
            waiting=self._reader.how_many_wait(),
            next_cursor=cursor_of(met[:limit][-1], of=PREVIEW) if more else None,
        )

    def _coming(self, start: Place, *, realm_tag: str | None) -> Iterator[Place]:
        """Yield what comes, in order; the last one may only say how far was looked."""
        after = 0
        if start.phase == WAITING:
            for one in self._choosing.waiting(after=start.after, upto=None):
                yield Place(WAITING, one)
        else:
            after = start.after
        if realm_tag is None:
            return
        for _ in range(LOOKS_MOST):
            ids = self._reader.failed(after=after, limit=ROWS)
            for one in self._choosing.fixed_of(ids, realm_tag=realm_tag):
                yield Place(FAILED, one)
            if len(ids) < ROWS:
                return
            after = ids[-1]
        yield Place(FAILED, after, passed=True)

    # -- pages ------------------------------------------------------------------------------------

    def _found(self, asked: Asked, *, edge: Place | None, limit: int) -> Page:
        tag = self._company.realm_tag()
        size = ROWS if asked.sparse else limit + 1
        searches = self._searches(asked)
        up = edge is not None and edge.phase == NEWER
        at = edge.after if edge else None
        kept: list[MisInvoice] = []
        marks: dict[int, Marks] = {}
        for _ in range(LOOKS_MOST):
            rows, at = self._rows(asked, searches=searches, at=at, up=up, size=size)
            marks |= self._marking.of(rows, realm_tag=tag)
            fit = [row for row in rows if asked.fits(marks[row.id])]
            kept = fit + kept if up else kept + fit
            if at is None or len(kept) >= limit:
                break
        if up and at is None and len(kept) < limit:
            return self._found(asked, edge=None, limit=limit)  # the first page, filled
        shown = kept[-limit:] if up else kept[:limit]
        if len(kept) > limit or (len(kept) == limit and at is not None):
            at = shown[0 if up else -1].id
        plans = self._plans.of(shown, realm_tag=tag)
        listed = tuple(self._listed(plans, marks=marks, realm_tag=tag))
        return _page(listed, asked=asked, edge=edge, at=at)

    def _rows(
        self,
        asked: Asked,
        *,
        searches: Sequence[Wanted],
        at: int | None,
        up: bool,
        size: int,
    ) -> tuple[list[MisInvoice], int | None]:
        """Return rows to look at, highest first, and the last id met; None: none lies behind."""
        below, above = (None, at) if up else (at, None)
        if asked.flag is Flag.HELD:
            among = self._flags.held(below=below, above=above, limit=size)
        elif asked.cause is not None and asked.cause not in UNRECORDED:
            among = self._flags.refused(asked.cause, below=below, above=above, limit=size)
        else:
            rows = self._merged(searches, below=below, above=above, size=size)
            return rows, rows[0 if up else -1].id if len(rows) == size else None
        last = among[0 if up else -1] if len(among) == size else None
        narrowed = [replace(one, ids=_both(one.ids, among)) for one in searches]
        return self._merged(narrowed, below=None, above=None, size=size), last

    def _merged(
        self, searches: Sequence[Wanted], *, below: int | None, above: int | None, size: int
    ) -> list[MisInvoice]:
        found = {
            row.id: row
            for wanted in searches
            if wanted.ids != ()
            for row in self._reader.newest(wanted, before=below, after=above, limit=size)
        }
        ids = sorted(found, reverse=True)
        return [found[one] for one in (ids[:size] if above is None else ids[-size:])]

    def _searches(self, asked: Asked) -> list[Wanted]:
        """Return what the MIS is asked for: by number, and by payers of that code or name."""
        text, wanted = asked.text, asked.wanted
        if text is None:
            return [wanted]
        codes = self._reader.codes_named(text, limit=NAMED_MOST + 1)
        if len(codes) > NAMED_MOST:
            raise wrong(SearchWrong, "q", problem="begins too many names: write more", got=text)
        number = _NUMBER.fullmatch(text)
        payers = replace(wanted, payers=(text, *dict.fromkeys(codes)))
        return [payers, replace(wanted, ids=(int(number[1]),))] if number else [payers]

    def _held_count(self, status: Status) -> int:
        held = sorted(self._journal.held_ids())
        return sum(
            len(self._reader.newest(Wanted(status, ids=tuple(page)), before=None, limit=ROWS))
            for page in pages_of(held, most=ROWS)
        )

    def _customer(self, row: MisInvoice, *, realm_tag: str | None) -> str | None:
        sent = self._flags.sent(realm_tag, [row.id]).get(row.id) if realm_tag else None
        codes = sent.codes if sent else frozenset()
        return row.payer if row.payer in codes else min(codes, default=None)

    def _listed(
        self, plans: Sequence[Plan], *, marks: dict[int, Marks], realm_tag: str | None
    ) -> Iterator[Listed]:
        profile = self._company.profile()  # once a page; `Plans.looks_fixed` reads it each time
        closed = profile.books_closed_until if profile else None
        for plan in plans:
            known = marks[plan.invoice.id]
            fixed: bool | None = None
            if known.status is Status.FAILED and realm_tag is not None:
                fixed = plan.invoice.status == Status.FAILED and (
                    known.refusal is None
                    or _looks_fixed(plan, refusal=known.refusal, books_closed_until=closed)
                )
            yield Listed(
                row=plan.invoice,
                student=plan.student,
                fee=plan.fee,
                amount=self._plans.amount(plan),
                status=known.status,
                flag=known.flag,
                cause=known.cause,
                refusal=known.refusal,
                looks_fixed=fixed,
                hold=known.hold,
                receipt=known.receipt,
            )

    def _in_progress(self) -> Iterator[list[ClaimedRow]]:
        after = 0
        while rows := self._reader.in_progress(after=after, limit=ROWS):
            after = rows[-1].id
            yield rows


def _looks_fixed(plan: Plan, *, refusal: RefusalRecord, books_closed_until: date | None) -> bool:
    return looks_fixed(
        refusal.cause,
        problems_now=plan.problems,
        fingerprint_then=refusal.fingerprint,
        fingerprint_now=plan.fingerprint(cause=refusal.cause),
        books_closed_until=books_closed_until,
        invoice=plan.invoice,
    )


def _both(ids: tuple[int, ...] | None, among: Sequence[int]) -> tuple[int, ...]:
    return tuple(one for one in among if ids is None or one in ids)


def _page(listed: tuple[Listed, ...], *, asked: Asked, edge: Place | None, at: int | None) -> Page:
    """Return a page with the ways on from it, either way.

    Args:
        listed: What it shows.
        asked: The question.
        edge: From where it was looked for.
        at: Up to where.
    """
    first = listed[0].row.id if listed else max(0, edge.after - 1) if edge else 0
    older: int | None = at
    newer: int | None = first if edge is not None else None
    if edge is not None and edge.phase == NEWER:
        newer, older = at, listed[-1].row.id if listed else None
    return Page(
        invoices=listed,
        next_cursor=None if older is None else cursor_of(Place("", older), of=asked.mark),
        newer_cursor=None if newer is None else cursor_of(Place(NEWER, newer), of=asked.mark),
    )
