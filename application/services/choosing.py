"""Which invoices a run takes, in which order: what waits, then failures that look fixed."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from typing_extensions import override

from application.invoices.model import Status
from application.mis.reader import MisReader
from application.services.costs import BUNDLE
from application.services.plans import Plans, pages_of
from application.store.journal import Journal
from application.store.runs import Run
from application.store.slices import FAILED, WAITING, Place

FAILED_PAGE = 500


class _Everything(Collection[int]):
    """Every id: a run may claim any failed invoice that it chose because its cause is gone."""

    @override
    def __contains__(self, one: object) -> bool:
        return isinstance(one, int)

    @override
    def __iter__(self) -> Iterator[int]:
        return iter(())

    @override
    def __len__(self) -> int:
        return 0


class Choosing:
    """Chooses by key, never by offset: a run meets each invoice at most once."""

    def __init__(self, *, reader: MisReader, journal: Journal, plans: Plans) -> None:
        self._reader = reader
        self._journal = journal
        self._plans = plans

    def pages(
        self,
        ids: Sequence[int] | None,
        *,
        batch_size: int,
        most: int | None,
        upto: int | None,
        realm_tag: str,
    ) -> Iterator[Sequence[int]]:
        """Yield the invoices of a run, at most 30 together, and no more than a batch.

        A page is one request of the batch lane: cut at every batch's end, batches of 50 would
        send 25 at a time where QuickBooks takes 30.

        Args:
            ids: A person's choice, or None for all that waits.
            batch_size: Invoices in a batch.
            most: The most to take.
            upto: The highest id of the MIS when the run began; later rows wait for the next run.
            realm_tag: The company whose products decide whether a failure looks fixed.
        """
        source = iter(ids) if ids is not None else self._all(upto=upto, realm_tag=realm_tag)
        if most is not None:
            source = islice(source, most)
        while page := list(islice(source, min(BUNDLE, batch_size))):
            yield page

    def walk(self, run: Run, *, place: Place) -> "Walk":
        """Return the invoices of a durable run from where its last part ended."""
        return Walk(self, run=run, place=place)

    def waiting(self, *, after: int, upto: int | None) -> Iterator[int]:
        """Yield what waits and is not held, from the one behind `after`."""
        while True:
            ids = self._reader.waiting(after=after, limit=FAILED_PAGE, upto=upto)
            if not ids:
                return
            after = ids[-1]
            held = self._journal.held_ids(ids)
            yield from (one for one in ids if one not in held)

    def not_refused_by(self, run_id: int, ids: Sequence[int]) -> list[int]:
        """Return those of these invoices that this very run has not refused."""
        refusals = self._journal.refusals_for(ids)
        return [one for one in ids if one not in refusals or refusals[one].run_id != run_id]

    def cause_gone(self, ids: Sequence[int] | None) -> Collection[int]:
        """Return which rows in status 2 this run may claim: those it chose itself."""
        return frozenset(ids) if ids is not None else _Everything()

    def how_many(self, ids: Sequence[int] | None, *, most: int | None) -> int:
        """Return about how many invoices the run will meet, for the progress bar."""
        if ids is not None:
            return len(ids)
        waiting = self._reader.how_many_wait()
        return waiting if most is None else min(waiting, most)

    def fixed(self, *, upto: int | None, realm_tag: str, after: int = 0) -> Iterator[int]:
        """Yield failed invoices whose cause is gone from the MIS or the mapping."""
        while True:
            ids = self._reader.failed(after=after, limit=FAILED_PAGE)
            if not ids:
                return
            after = ids[-1]
            known = [one for one in ids if upto is None or one <= upto]
            yield from self.fixed_of(known, realm_tag=realm_tag)

    def fixed_of(self, ids: Sequence[int], *, realm_tag: str) -> list[int]:
        """Return those of these failed invoices that look fixed, in order."""
        held = self._journal.held_ids(ids)
        refusals = self._journal.refusals_for(ids)
        good: list[int] = []
        for page in pages_of([one for one in ids if one not in held], most=FAILED_PAGE):
            plans = self._plans.of(self._reader.rows_of(page), realm_tag=realm_tag)
            good += [
                plan.invoice.id
                for plan in plans
                if plan.invoice.status == Status.FAILED
                and self._plans.looks_fixed(
                    plan, refusal=refusals.get(plan.invoice.id), realm_tag=realm_tag
                )
            ]
        return good

    def _all(self, *, upto: int | None, realm_tag: str) -> Iterator[int]:
        fixed = list(self.fixed(upto=upto, realm_tag=realm_tag))  # before this run adds its own
        yield from self.waiting(after=0, upto=upto)
        yield from fixed


class Walk:
    """The invoices of a durable run in their order; remembers up to where it has given them out.

    Args:
        choosing: Knows what waits.
        run: The run.
        place: Where to go on.
    """

    def __init__(self, choosing: Choosing, *, run: Run, place: Place) -> None:
        self._choosing = choosing
        self._run = run
        self.place = place
        self.over = False

    def pages(self, *, batch_size: int, most: int) -> Iterator[Sequence[int]]:
        """Yield at most so many invoices, at most 30 together, and no more than a batch."""
        taken = 0
        source = self._ids()
        while taken < most:
            room = min(BUNDLE, most - taken, batch_size)
            page = list(islice(source, room))
            if not page:
                self.over = True
                return
            taken += len(page)
            yield [invoice_id for invoice_id, _ in page]
            self.place = page[-1][1]

    def _ids(self) -> Iterator[tuple[int, Place]]:
        run, start = self._run, self.place
        if run.ids is not None:
            ids = [one for one in sorted(run.ids) if one > start.after]
            for chosen in pages_of(ids, most=FAILED_PAGE):
                for one in self._choosing.not_refused_by(run.id, chosen):
                    yield one, Place(after=one)
            return
        upto = run.cut_off_id
        if start.phase == WAITING:
            for one in self._choosing.waiting(after=start.after, upto=upto):
                yield one, Place(after=one)
        after = start.after if start.phase == FAILED else 0
        fixed = self._choosing.fixed(upto=upto, realm_tag=run.realm_tag, after=after)
        while page := list(islice(fixed, BUNDLE)):
            for one in self._choosing.not_refused_by(run.id, page):
                yield one, Place(phase=FAILED, after=one)
