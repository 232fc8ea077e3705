"""Failures that stand, grouped by cause: how many, how much, who, and which look fixed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from application.invoices.model import AmountRule, MisInvoice, Status
from application.invoices.money import amount_to_send
from application.invoices.validation import FAILED_ELSEWHERE
from application.mis.reader import MisReader, Wanted
from application.services.choosing import Choosing
from application.services.company import Company
from application.services.marking import cause_of
from application.services.progress import Progress
from application.store.journal import Journal

PAGE: Final = 500
CHECKED_MOST: Final = 2_000
SAMPLE: Final = 5
UNMAPPED: Final = "fee_category_unmapped"


@dataclass(frozen=True, slots=True)
class Group:
    """The failures of one cause; those of all causes add up to what failed."""

    cause: str
    count: int
    amount: Decimal
    looks_fixed: int | None  # None: too many to look at each
    first_seen: datetime | None  # None: nobody kept it
    sample_ids: tuple[int, ...]  # the newest few
    held: int = 0  # by people; a retry leaves them out
    fees: tuple[tuple[int, int], ...] = ()  # fee and count, where a product is what is missing


class Causes:
    """Groups failures; reads the MIS and our store, and writes nothing."""

    def __init__(
        self,
        *,
        reader: MisReader,
        journal: Journal,
        choosing: Choosing,
        progress: Progress,
        company: Company,
        rule: AmountRule,
    ) -> None:
        self._reader = reader
        self._journal = journal
        self._choosing = choosing
        self._progress = progress
        self._company = company
        self._rule = rule

    def groups(self, *, checked: bool = True, only: str | None = None) -> list[Group]:
        """Return one group a cause, most frequent first; other programs' failures are one.

        Args:
            checked: Whether each is looked at once more; without, none is said to look fixed.
            only: One cause; None: all.
        """
        first_seen = {one.cause: one.first_seen for one in self._progress.causes()}
        sums: dict[str, _Sum] = {}
        for rows in self._failed():
            ids = [row.id for row in rows]
            refusals, held = self._journal.refusals_for(ids), self._journal.held_ids(ids)
            for row in rows:
                cause = cause_of(row.status, refusal=refusals.get(row.id))
                amount = amount_to_send(row, rule=self._rule)
                sums.setdefault(cause, _Sum()).take(row, amount=amount, held=row.id in held)
        groups = [
            Group(
                cause=cause,
                count=one.count,
                amount=one.amount,
                looks_fixed=self._looks_fixed(one) if checked else None,
                first_seen=first_seen.get(cause),
                sample_ids=tuple(one.ids[:SAMPLE]),
                held=one.held,
                fees=tuple(one.fees.items()) if cause == UNMAPPED else (),
            )
            for cause, one in sums.items()
            if only is None or cause == only
        ]
        return sorted(groups, key=lambda one: (-one.count, one.cause))

    def how_many_fixed(self, *, cause: str, fee: int) -> int:
        """Return how many invoices of one fee category failed with a cause and look fixed."""
        return sum(1 for _ in self.fixed_of_fee(fee, cause=cause))

    def fixed_of_fee(self, fee: int, *, cause: str) -> Iterator[int]:
        """Yield the invoices of one fee category that failed with a cause and look fixed."""
        for rows in self._failed(fee=fee):
            refusals = self._journal.refusals_for([row.id for row in rows])
            yield from self._fixed([one for one in refusals if refusals[one].cause == cause])

    def amount_of(self, ids: Sequence[int]) -> Decimal:
        """Return what would be sent for these invoices; one without a valid amount counts as 0."""
        amounts = (amount_to_send(row, rule=self._rule) for row in self._reader.rows_of(ids))
        return sum((one for one in amounts if one is not None), Decimal(0))

    def how_many(self, *, cause: str, fee: int) -> int:
        """Return how many invoices of one fee category failed with a cause."""
        return sum(
            one.cause == cause
            for rows in self._failed(fee=fee)
            for one in self._journal.refusals_for([row.id for row in rows]).values()
        )

    def _failed(self, *, fee: int | None = None) -> Iterator[list[MisInvoice]]:
        wanted, below = Wanted(status=Status.FAILED, fee=fee), None
        while rows := self._reader.newest(wanted, before=below, limit=PAGE):
            yield rows
            below = rows[-1].id

    def _looks_fixed(self, group: "_Sum") -> int | None:
        return None if group.count > CHECKED_MOST else len(self._fixed(group.ids))

    def ids_of(
        self, *, cause: str | None = None, run_id: int | None = None, only_fixed: bool = False
    ) -> Iterator[int]:
        """Yield the failed invoices of one cause or run, lowest id first."""
        after = 0
        elsewhere = cause == FAILED_ELSEWHERE
        while True:
            if elsewhere:
                ids = self._reader.failed(after=after, limit=PAGE)
            else:
                ids = self._journal.refused_ids(cause=cause, run_id=run_id, after=after, limit=PAGE)
            if not ids:
                return
            after = ids[-1]
            known = self._journal.refusals_for(ids) if elsewhere else ()
            chosen = [one for one in ids if one not in known]
            yield from self._fixed(chosen) if only_fixed else chosen

    def _fixed(self, ids: Sequence[int]) -> Sequence[int]:
        tag = self._company.realm_tag()
        return self._choosing.fixed_of(ids, realm_tag=tag) if tag else ()


@dataclass(slots=True)
class _Sum:
    """What is added up for one cause."""

    count: int = 0
    amount: Decimal = Decimal(0)
    held: int = 0
    ids: list[int] = field(default_factory=list)  # highest first, no more than are looked at
    fees: Counter[int] = field(default_factory=Counter)

    def take(self, row: MisInvoice, *, amount: Decimal | None, held: bool) -> None:
        """Add one invoice."""
        self.count += 1
        self.amount += amount or Decimal(0)
        self.held += held
        if row.fee_category is not None:
            self.fees[row.fee_category] += 1
        if len(self.ids) < CHECKED_MOST:
            self.ids.append(row.id)
