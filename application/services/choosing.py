"""Which invoices a run takes, in which order: what waits, then failures that look fixed."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from typing_extensions import override

from application.invoices.model import Status
from application.mis.reader import MisReader
from application.services.plans import Plans, pages_of
from application.store.journal import Journal

PAGE = 30
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
        """Yield the invoices of a run, at most 30 together and never across a batch's end.

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
        taken = 0
        while True:
            room = min(PAGE, batch_size - taken % batch_size)
            page = list(islice(source, room))
            if not page:
                return
            taken += len(page)
            yield page

    def cause_gone(self, ids: Sequence[int] | None) -> Collection[int]:
        """Return which rows in status 2 this run may claim: those it chose itself."""
        return frozenset(ids) if ids is not None else _Everything()

    def how_many(self, ids: Sequence[int] | None, *, most: int | None) -> int:
        """Return about how many invoices the run will meet, for the progress bar."""
        if ids is not None:
            return len(ids)
        waiting = self._reader.how_many_wait()
        return waiting if most is None else min(waiting, most)

    def fixed(self, *, upto: int | None, realm_tag: str) -> Iterator[int]:
        """Yield failed invoices whose cause is gone from the MIS or the mapping."""
        after = 0
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
        after = 0
        while True:
            ids = self._reader.waiting(after=after, limit=FAILED_PAGE, upto=upto)
            if not ids:
                break
            after = ids[-1]
            held = self._journal.held_ids(ids)
            yield from (one for one in ids if one not in held)
        yield from fixed
