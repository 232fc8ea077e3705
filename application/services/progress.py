"""read-only answers: counts, preview, status, runs, causes, one invoice's history."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from application.invoices.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from application.invoices.model import AmountRule, MisInvoice
    from application.mis.reader import Counts, MisReader
    from application.services.plans import Plan, Plans
    from application.store.journal import (
        CauseCount,
        Journal,
        ReceiptRecord,
        RefusalRecord,
        TimelineEntry,
    )
    from application.store.runs import Run, Runs

__all__ = [
    "History",
    "Previewed",
    "Progress",
    "Statistics",
    "statistics_of",
]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Where the invoices stand; the four counts add up to the total."""

    total: int
    not_synced: int
    synced: int
    failed: int
    in_progress: int
    amounts: dict[str, Decimal]  # total, not_synced, synced, failed, in_progress
    unknown_status: int

    @property
    def percent(self) -> Decimal:
        """Synced out of total, two places; 0.00 without invoices."""
        if not self.total:
            return Decimal("0.00")
        return (Decimal(100 * self.synced) / self.total).quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True)
class Previewed:
    """One invoice as the next run would meet it."""

    plan: Plan
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class History:
    """One invoice: its row, what our store knows, and what happened to it."""

    invoice: MisInvoice
    plan: Plan
    receipt: ReceiptRecord | None
    refusal: RefusalRecord | None
    timeline: tuple[TimelineEntry, ...]


class Progress:
    """Answers questions; reads the MIS and our store, never QuickBooks, and writes nothing.

    Args:
        reader: The MIS, which alone is needed to count.
        rule: Which amount of a row is sent.
        plans: Rows judged; it and the next two are made when first asked for.
        journal: What we know of each invoice.
        runs: Every run.
    """

    def __init__(
        self,
        *,
        reader: MisReader,
        rule: AmountRule,
        plans: Callable[[], Plans],
        journal: Callable[[], Journal],
        runs: Callable[[], Runs],
    ) -> None:
        self._reader = reader
        self._rule = rule
        self._plans = plans
        self._journal = journal
        self._runs = runs

    def counts(self) -> Statistics:
        """Return how many invoices stand where, and their amounts."""
        counts: Counts = self._reader.counts(rule=self._rule)
        return statistics_of(counts)

    def waiting(self) -> int:
        """Return how many invoices are not synced."""
        return self._reader.how_many_wait()

    def causes(self) -> Sequence[CauseCount]:
        """Return the causes of all failures that stand, most frequent first."""
        return self._journal().causes()

    def history(self, invoice_id: int, *, realm_tag: str | None) -> History | None:
        """Return everything known of one invoice, or None when the MIS has none."""
        rows = self._reader.rows_of([invoice_id])
        if not rows:
            return None
        receipts = self._journal().receipts_for(realm_tag, [invoice_id]) if realm_tag else {}
        return History(
            invoice=rows[0],
            plan=self._plans().of(rows, realm_tag=realm_tag)[0],
            receipt=receipts.get(invoice_id),
            refusal=self._journal().refusals_for([invoice_id]).get(invoice_id),
            timeline=tuple(self._journal().timeline(invoice_id)),
        )

    def runs(self, *, limit: int = 20) -> Sequence[Run]:
        """Return the newest runs first."""
        return self._runs().recent(limit=limit)


def statistics_of(counts: Counts) -> Statistics:
    """Return the counts of the MIS in the guide's words."""
    by = counts.by_status
    return Statistics(
        total=counts.total,
        not_synced=by[Status.NOT_SYNCED].count,
        synced=by[Status.SYNCED].count,
        failed=by[Status.FAILED].count,
        in_progress=by[Status.IN_PROGRESS].count,
        amounts={
            "total": counts.amount,
            "not_synced": by[Status.NOT_SYNCED].amount,
            "synced": by[Status.SYNCED].amount,
            "failed": by[Status.FAILED].amount,
            "in_progress": by[Status.IN_PROGRESS].amount,
        },
        unknown_status=counts.unknown_status,
    )
