"""Counts, amounts and the state of everything, as programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from application.services.company import ConnectionState
    from application.services.progress import Statistics
    from application.services.reports import Run

GUIDE_KEYS: Final = ("total_invoices", "not_synced", "already_synced", "failed", "in_progress")
WORKING: Final = frozenset({"running", "queued", "stopping"})


def guide_figures(counts: Statistics) -> dict[str, object]:
    """Return the counts under the guide's keys."""
    values = (counts.total, counts.not_synced, counts.synced, counts.failed, counts.in_progress)
    return dict(zip(GUIDE_KEYS, values, strict=True))


def amounts(counts: Statistics, *, currency: str) -> dict[str, object]:
    """Return the amounts beside the counts."""
    of = counts.amounts
    return {
        "currency": currency,
        "total": of["total"],
        "not_synced": of["not_synced"],
        "already_synced": of["synced"],
        "failed": of["failed"],
        "in_progress": of["in_progress"],
    }


def status_message(counts: Statistics, *, attention: int) -> str:
    """Return the state of everything in one sentence.

    Args:
        counts: Where the invoices stand.
        attention: How many need a person.
    """
    return f"{counts.percent}% synced, {attention} need attention."


def status_entry(
    counts: Statistics,
    *,
    state: ConnectionState,
    recent: list[Run],
    paces: Mapping[int, Mapping[str, object]],
    next_run_at: datetime | None,
    paused_until: datetime | None,
    reads: tuple[int, int] | None,
    now: datetime,
    office: ZoneInfo,
) -> dict[str, object]:
    """Return everything at a glance.

    Args:
        counts: Where the invoices stand.
        state: The connection as our store knows it.
        recent: The newest runs first.
        paces: What the newest progress of a run at work said.
        next_run_at: When the schedule starts the next run.
        paused_until: Until when QuickBooks asked us to wait.
        reads: Reads of this month, and how many Intuit grants.
        now: In office time.
        office: The zone times are told in.
    """
    active = next((run for run in recent if run.finished_at is None and run.sole), None)
    active = active or next((run for run in recent if run.state in WORKING), None)
    last = next((run for run in recent if run.finished_at and run.kind != "settle"), None)
    return {
        "statistics": guide_figures(counts),
        "progress_percentage": counts.percent,
        "quickbooks_connected": state.connected,
        "last_updated": now,
        "quickbooks": {
            "environment": state.environment.value,
            "company": state.company,
            "reconnect_by": state.reconnect_by.astimezone(office).date()
            if state.reconnect_by
            else None,
            "paused_until": paused_until.astimezone(office) if paused_until else None,
            "reads_this_month": reads[0] if reads else None,
            "reads_limit": reads[1] if reads else None,
        },
        "active_run": _active(active, pace=paces.get(active.id, {})) if active else None,
        "last_run": _last(last) if last else None,
        "next_run_at": next_run_at,
        "reconciliation": None,
    }


def _active(run: Run, *, pace: Mapping[str, object]) -> dict[str, object]:
    return {
        "id": run.id,
        "state": run.state,
        "processed": run.processed,
        "total": max(run.total, run.processed),
        "eta_seconds": pace.get("eta_seconds"),
    }


def _last(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "state": run.state,
        "successful": run.successful,
        "failed": run.failed,
    }
