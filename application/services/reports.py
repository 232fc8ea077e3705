"""What somebody wants sent, who asked, and what a run has done so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Self

from application.catalogue import Stop
from application.store.audit import Actor
from application.store.runs import Run
from application.store.usage import Spending

if TYPE_CHECKING:
    from application.services.trips import Ended  # only its name: trips know how to send

__all__ = ["Actor", "Caller", "Failure", "Order", "Report", "Run", "never", "nobody"]

FAILURES_SHOWN = 100
TAKEN_IN_MOST = 30


@dataclass(frozen=True, slots=True)
class Failure:
    """One invoice this run could not send."""

    invoice_id: int
    cause: str
    facts: dict[str, str]
    attempts: int


@dataclass(slots=True)
class Report:
    """What a run has done so far, and at its end."""

    run_id: int | None
    kind: str
    total: int = 0
    processed: int = 0
    successful: int = 0
    failed: int = 0
    unsettled: int = 0
    batches: int = 0
    remaining: int = 0
    settled_before: int = 0  # unclear invoices of earlier runs that this one cleared up
    failures: list[Failure] = field(default_factory=list)
    quickbooks_ids: dict[int, str] = field(default_factory=dict)  # of the last few
    settles_at: datetime | None = None
    started_at: datetime | None = None
    duration_ms: int = 0
    state: str = "running"
    stopped_by: Stop | None = None
    spent: Spending = field(default_factory=Spending)
    paused_ms: int = 0  # QuickBooks asked us to wait this long; 0 when not

    def forget_unclear(self) -> None:
        """Take one unclear invoice out of the counts; it is counted anew."""
        self.processed -= 1
        self.unsettled -= 1

    def take(self, one: "Ended") -> None:
        """Count one invoice."""
        if one.freed:
            return
        self.processed += 1
        if one.synced:
            self.successful += 1
            if len(self.quickbooks_ids) < FAILURES_SHOWN:
                self.quickbooks_ids[one.invoice_id] = one.quickbooks_id or ""
        elif one.cause is not None:
            self.failed += 1
            if len(self.failures) < FAILURES_SHOWN:
                self.failures.append(
                    Failure(one.invoice_id, one.cause, dict(one.facts), one.attempts)
                )
        else:
            self.unsettled += 1
            self.settles_at = max(
                filter(None, (self.settles_at, one.unsettled_until)), default=None
            )


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants sent."""

    kind: str  # batch, all, single, retry
    batch_size: int
    batches_max: int | None = None
    ids: tuple[int, ...] | None = None  # a person's choice; None: what waits
    wait_for_unclear: bool = False
    until: datetime | None = None  # nothing is claimed after this: the schedule's window closes

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return what a stored run was asked for."""
        asked = run.arguments
        until = asked.get("until")
        return cls(
            kind=run.kind,
            batch_size=int(asked.get("batch_size") or 1),
            batches_max=asked.get("max_batches"),
            ids=run.ids,
            wait_for_unclear=bool(asked.get("wait_for_unclear")),
            until=datetime.fromisoformat(until) if until else None,
        )

    @property
    def arguments(self) -> dict[str, object]:
        """What is stored of it."""
        return {
            "batch_size": self.batch_size,
            "max_batches": self.batches_max,
            "ids": list(self.ids) if self.ids is not None else None,
            "wait_for_unclear": self.wait_for_unclear,
            "until": self.until.isoformat() if self.until else None,
        }

    @property
    def small(self) -> bool:
        """Whether a sender at work takes it in between two pages."""
        return self.ids is not None and len(self.ids) <= TAKEN_IN_MOST

    @property
    def most(self) -> int | None:
        """The most invoices it may take, or None for all there are."""
        if self.ids is not None:
            return len(self.ids)
        return None if self.batches_max is None else self.batches_max * self.batch_size


def nobody(report: Report) -> None:
    """Watch nothing."""


def never() -> bool:
    """Never ask to stop."""
    return False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked, how they watch, and how they say stop."""

    by: Actor
    watch: Callable[[Report], None] = nobody
    stop: Callable[[], bool] = never
