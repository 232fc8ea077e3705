"""Runs as programs read them: under the guide's keys, and as a run of its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from application.catalogue import Explanation, explain
from application.invoices.model import doc_number
from application.services.reports import FAILURES_SHOWN, Failure, Report, Run
from application.store.runs import RunFailure

STATE_WORDS: Final = {
    "queued": "Run {id} waits for its turn: {processed} of {total}.",
    "running": "Still running: {processed} of {total}. Follow run {id}.",
    "paused": "Run {id} is paused: {processed} of {total}.",
    "waiting_connection": "Run {id} waits for the QuickBooks connection: {processed} of {total}.",
    "waiting_quickbooks": "Run {id} waits for QuickBooks: {processed} of {total}.",
    "waiting_mis": "Run {id} waits for the MIS: {processed} of {total}.",
    "stopping": "Run {id} is stopping: {processed} of {total}.",
}
ENDS: Final = {"finished": "finished", "cancelled": "stopped as asked", "failed": "ended early"}


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """A run under the guide's keys."""

    content: dict[str, object]
    message: str
    meta: dict[str, object]


def run_answer(run: Run, *, failures: Sequence[RunFailure], remaining: int) -> RunAnswer:
    """Return a stored run under the guide's keys.

    Args:
        run: As it stands.
        failures: The first hundred.
        remaining: How many invoices still wait.
    """
    told = [Failure(one.invoice_id, one.cause, dict(one.facts), one.attempts) for one in failures]
    told = told[:FAILURES_SHOWN]
    size = int(run.arguments.get("batch_size") or 1)
    meta: dict[str, object] = {
        "run_id": run.id,
        "state": run.state,
        "batches_processed": -(-run.processed // size),
        "remaining": remaining,
        "unsettled": run.unsettled,
        "duration_s": _lasted(run),
        "failures": [failure_entry(one) for one in told],
        "status_url": f"/api/v1/sync/runs/{run.id}",
        "events_url": f"/api/v1/sync/runs/{run.id}/events",
    }
    if run.cause:
        meta["error_code"] = run.cause
    return RunAnswer(
        content=guide_keys(run.processed, run.successful, run.failed, told),
        message=message_of(run),
        meta=meta,
    )


def message_of(run: Run) -> str:
    """Return a run in one sentence."""
    words = STATE_WORDS.get(run.state)
    if words is not None:
        return words.format(id=run.id, processed=run.processed, total=run.total)
    kind = "Batch" if run.kind == "batch" else f"Run {run.id}"
    unsettled = f", {run.unsettled} unsettled" if run.unsettled else ""
    return f"{kind} {ENDS[run.state]}: {run.successful} synced, {run.failed} failed{unsettled}."


def guide_keys(
    processed: int, successful: int, failed: int, failures: Iterable[Failure]
) -> dict[str, object]:
    """Return the guide's four keys."""
    return {
        "total_processed": processed,
        "successful": successful,
        "failed": failed,
        "errors": [
            {"invoice_id": one.invoice_id, "error": explain(one.cause, one.facts).title}
            for one in failures
        ],
    }


def report_entry(report: Report) -> dict[str, object]:
    """Return a run of this process under the guide's keys."""
    return guide_keys(report.processed, report.successful, report.failed, report.failures)


def report_meta(report: Report) -> dict[str, object]:
    """Return what goes beside the guide's keys."""
    stop = report.stopped_by
    return {
        "run_id": report.run_id,
        "state": report.state,
        "batches_processed": report.batches,
        "remaining": report.remaining,
        "unsettled": report.unsettled,
        "duration_s": Decimal(report.duration_ms) / 1000,
        "failures": [failure_entry(one) for one in report.failures],
        **({"error_code": stop.cause} if stop is not None else {}),
    }


def told_of(one: Failure) -> Explanation:
    """Return the cause of a failure in this case's words."""
    return explain(one.cause, {"number": doc_number(one.invoice_id), **one.facts})


def failure_entry(one: Failure) -> dict[str, object]:
    """Return one refused invoice, with what to do."""
    told = told_of(one)
    return {
        "invoice_id": one.invoice_id,
        "error_code": told.code,
        "why": told.why,
        "remedy": told.remedy,
        "owner": told.owner,
        "retry": told.retry,
        "attempts": one.attempts,
    }


def run_entry(
    run: Run,
    *,
    office: ZoneInfo,
    causes: Mapping[str, int] | None = None,
    pace: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return one run.

    Args:
        run: As it stands.
        office: The zone times are told in.
        causes: How many it refused for which cause.
        pace: What its newest progress said of rate and time left, while it runs.
    """
    going = pace if pace is not None and run.state == "running" else {}
    return {
        "id": run.id,
        "kind": run.kind,
        "state": run.state,
        "started_by": run.by.name,
        "started_at": _local(run.started_at, office=office),
        "finished_at": _local(run.finished_at, office=office),
        "environment": run.environment,
        "company": run.company,
        "total": max(run.total, run.processed),
        "processed": run.processed,
        "successful": run.successful,
        "failed": run.failed,
        "unsettled": run.unsettled,
        "rate_per_minute": going.get("rate_per_minute"),
        "eta_seconds": going.get("eta_seconds"),
        "throttled_seconds": run.throttled_ms // 1000,
        "quickbooks_requests": run.asked_of_quickbooks.requests,
        "quickbooks_reads": run.asked_of_quickbooks.reads,
        "resumed": run.resumed,
        "settings": {
            "batch_size": run.arguments.get("batch_size"),
            "max_batches": run.arguments.get("max_batches"),
        },
        "failures_by_cause": dict(causes or {}),
        "error_code": run.cause,
        "wake_at": _local(run.wake_at, office=office),
    }


def _local(at: datetime | None, *, office: ZoneInfo) -> datetime | None:
    return at.astimezone(office) if at else None


def _lasted(run: Run) -> Decimal | None:
    if run.started_at is None or run.finished_at is None:
        return None
    return Decimal((run.finished_at - run.started_at) // timedelta(milliseconds=1)) / 1000
