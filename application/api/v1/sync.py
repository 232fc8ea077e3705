"""The guide's six endpoints, to the letter; what they add stands in `meta`."""

from collections.abc import Callable
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Body, Path, Response
from fastapi import Query as Parameters
from pydantic import Field

from application.api import shapes
from application.api.door import ID_MOST, At, Here, NoQuery, Query, Strict, documented
from application.api.once import Once
from application.api.waiting import answered, started
from application.catalogue import explain
from application.invoices.model import AmountRule, doc_number
from application.services.ordering import Asked
from application.services.reports import Run
from application.shown import figures, invoices
from application.shown.runs import guide_keys

router = APIRouter(prefix="/api/v1/sync", tags=["sync"], route_class=Once)
InvoiceId = Annotated[int, Path(ge=1, le=ID_MOST, description="The invoice's id in the MIS.")]
BatchSize = Annotated[int | None, Field(default=None, ge=1, le=100, description="[BATCH_SIZE]")]
NOTHING = "Nothing to send."
RECENT = 20


class Previewing(Query):
    """What of the waiting invoices to show."""

    limit: int = Field(default=10, ge=1, le=100, description="How many to return.")
    offset: int = Field(default=0, ge=0, le=ID_MOST, description="How many to pass over.")
    cursor: str | None = Field(
        default=None, max_length=400, description="In place of `offset`: quick at any depth."
    )


class OneBatch(Strict):
    """One batch."""

    batch_size: BatchSize = None
    dry_run: bool = Field(default=False, description="Map and check; send nothing.")


class Everything(Strict):
    """Batch after batch."""

    max_batches: int | None = Field(
        default=None, ge=1, le=ID_MOST, description="At most so many; absent: until none is left."
    )
    batch_size: BatchSize = None
    dry_run: bool = Field(default=False, description="Map and check; send nothing.")


class OneInvoice(Strict):
    """One invoice."""

    dry_run: bool = Field(default=False, description="Map and check; send nothing.")


@router.get("/analyze", responses=documented(model=shapes.Statistics))
def analyze(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Count invoices by status, with amounts. Reads the MIS only."""
    del asked
    counts = here.services.progress.counts()
    meta = {
        "amounts": figures.amounts(counts, currency=here.services.currency),
        "flags": here.services.listing.flag_counts(counts),
        "as_of": here.now,
    }
    return here.answer(
        figures.guide_figures(counts),
        message="Synchronization analysis completed successfully",
        meta=meta,
    )


@router.get("/preview", responses=documented(model=shapes.Preview))
def preview(here: At, asked: Annotated[Previewing, Parameters()]) -> Response:
    """Show what the next run would send first; nothing is sent or claimed."""
    services = here.services
    seen = services.listing.preview(limit=asked.limit, offset=asked.offset, cursor=asked.cursor)
    rule = AmountRule(services.settings.amount_rule)
    entries = [invoices.preview_entry(one, rule=rule, hidden=here.hidden) for one in seen.invoices]
    return here.answer(
        {
            "invoices": entries,
            "count": len(entries),
            "limit": asked.limit,
            "offset": asked.offset,
        },
        message=invoices.preview_message(seen),
        meta={"total": seen.waiting, "next_cursor": seen.next_cursor},
    )


@router.get("/status", responses=documented(model=shapes.SyncStatus))
def status(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Tell everything at a glance; answers while QuickBooks is disconnected."""
    del asked
    services = here.services
    counts = services.progress.counts()
    recent = list(services.runs.recent(limit=RECENT))
    content = figures.status_entry(
        counts,
        state=services.company.state(),
        recent=recent,
        paces=services.paces(recent),
        next_run_at=services.schedule.next_run_at(),
        paused_until=services.paused_until(),
        reads=services.reads(),
        now=here.now,
        office=services.office,
    )
    attention = services.listing.attention(counts)
    return here.answer(content, message=figures.status_message(counts, attention=attention))


@router.post("/batch", responses=documented(409, 413, 415, model=shapes.Sent, accepted=True))
async def batch(
    here: At,
    query: Annotated[NoQuery, Parameters()],
    asked: Annotated[OneBatch | None, Body()] = None,
) -> Response:
    """Send one batch."""
    del query
    wanted = asked or OneBatch()
    if wanted.dry_run:
        size = wanted.batch_size or here.services.settings.batch_size
        return await run_sync(_tried, here, size)
    return await _run(
        here,
        lambda who: here.services.ordering.batch(asked=who, batch_size=wanted.batch_size),
    )


@router.post("/all", responses=documented(409, 413, 415, model=shapes.Sent, accepted=True))
async def send_all(
    here: At,
    query: Annotated[NoQuery, Parameters()],
    asked: Annotated[Everything | None, Body()] = None,
) -> Response:
    """Send batch after batch until none is left, or the bound is met."""
    del query
    wanted = asked or Everything()
    if wanted.dry_run:
        size = wanted.batch_size or here.services.settings.batch_size
        most = wanted.max_batches * size if wanted.max_batches else None
        return await run_sync(_tried, here, most)

    def start(who: Asked) -> Run | None:
        return here.services.ordering.all(
            asked=who, max_batches=wanted.max_batches, batch_size=wanted.batch_size
        )

    return await _run(here, start)


async def _run(here: Here, start: Callable[[Asked], Run | None]) -> Response:
    run = await started(here, start)
    if isinstance(run, Run):
        return await answered(here, run)
    return here.answer(
        guide_keys(0, 0, 0, []),
        message=NOTHING,
        meta={"run_id": None, "state": "finished", "remaining": 0, "unsettled": 0, "failures": []},
    )


@router.post(
    "/single/{invoice_id}",
    responses=documented(404, 409, 413, 415, model=shapes.SentOne, accepted=True),
)
async def single(
    here: At,
    invoice_id: InvoiceId,
    query: Annotated[NoQuery, Parameters()],
    asked: Annotated[OneInvoice | None, Body()] = None,
) -> Response:
    """Send one invoice; a failed one is taken up as by a person's retry."""
    del query
    if asked is not None and asked.dry_run:
        return await run_sync(_tried_one, here, invoice_id)
    run = await started(here, lambda who: here.services.ordering.single(invoice_id, asked=who))
    if isinstance(run, Run):
        return await answered(here, run)
    return here.answer(
        {"invoice_id": invoice_id, "quickbooks_id": run or None},
        message=f"Invoice {invoice_id} is in QuickBooks{f' as {run}' if run else ''} already.",
        meta={
            "run_id": None,
            "doc_number": doc_number(invoice_id),
            "already_synced": True,
            "state": "finished",
        },
    )


# -- trying without sending -----------------------------------------------------------------------


def _tried(here: Here, most: int | None) -> Response:
    tried = here.services.trials.waiting(most=most)
    return here.answer(
        guide_keys(tried.ready + tried.bad, tried.ready, tried.bad, tried.failures),
        message=f"Would send {tried.ready + tried.bad}: {tried.ready} ready, {tried.bad} would "
        "fail. Nothing was sent.",
        meta={"run_id": None, "state": "dry_run", "dry_run": True},
    )


def _tried_one(here: Here, invoice_id: int) -> Response:
    problems = here.services.trials.problems_of(invoice_id)
    ready = "is ready" if not problems else "would fail"
    return here.answer(
        {"invoice_id": invoice_id, "quickbooks_id": None},
        message=f"Invoice {invoice_id} {ready}. Nothing was sent.",
        meta={
            "dry_run": True,
            "ready": not problems,
            "problems": [
                {"error": told.title, "error_code": told.code, "remedy": told.remedy}
                for told in (explain(each.cause, each.facts) for each in problems)
            ],
        },
    )
