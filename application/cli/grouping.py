"""Failures that stand, grouped by cause: how many, how much, who, and which look fixed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from application.wiring import Services

PAGE: Final = 500
ELSEWHERE: Final = "failed_elsewhere"


@dataclass(frozen=True, slots=True)
class Group:
    """The failures of one cause."""

    cause: str
    count: int
    amount: Decimal
    looks_fixed: int
    invoice_ids: tuple[int, ...]  # the first few


def groups_of(services: "Services") -> list[Group]:
    """Return one group a cause, most frequent first; failures of other programs are one of them."""
    tag = services.company.realm_tag()
    groups: list[Group] = []
    for one in services.progress.causes():
        amount, fixed = Decimal(0), 0
        for ids in _pages(invoices_of(services, cause=one.cause)):
            amount += sum(
                (row.dept or Decimal(0) for row in services.reader.rows_of(ids)), Decimal(0)
            )
            fixed += len(services.choosing.fixed_of(ids, realm_tag=tag)) if tag else 0
        groups.append(Group(one.cause, one.count, amount, fixed, tuple(one.invoice_ids)))
    return _with_others(groups, services=services)


def _with_others(groups: list[Group], *, services: "Services") -> list[Group]:
    counts = services.progress.counts()
    rest = counts.failed - sum(group.count for group in groups)
    if rest <= 0:
        return groups
    amount = counts.amounts["failed"] - sum((group.amount for group in groups), Decimal(0))
    return [*groups, Group(ELSEWHERE, rest, amount, 0, ())]


def invoices_of(
    services: "Services", *, cause: str | None = None, run_id: int | None = None
) -> Iterator[int]:
    """Yield the failed invoices of one cause or run, lowest id first."""
    after = 0
    while True:
        ids = services.journal.refused_ids(cause=cause, run_id=run_id, after=after, limit=PAGE)
        if not ids:
            return
        after = ids[-1]
        yield from ids


def _pages(ids: Iterator[int]) -> Iterator[Sequence[int]]:
    while page := list(islice(ids, PAGE)):
        yield page
