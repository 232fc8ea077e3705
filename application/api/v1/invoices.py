"""Invoices: the list, one with its story, holds; failures, retries; settling what hangs."""

from datetime import date
from itertools import islice
from typing import Annotated, Self

from anyio.to_thread import run_sync
from fastapi import APIRouter, Body, Path, Response
from fastapi import Query as Parameters
from pydantic import Field, model_validator

from application.api import shapes
from application.api.door import ID_MOST, At, Here, Listing, NoQuery, Strict, documented
from application.api.once import Once
from application.api.v1.runs import seen
from application.api.v1.sync import InvoiceId
from application.api.waiting import answered, started
from application.catalogue import CAUSES, NotFound, StateConflict
from application.invoices.model import AmountRule, doc_number
from application.services.listing import Page
from application.services.ordering import IDS_MOST, Asked
from application.services.reports import Caller, Run
from application.services.settling import Settled
from application.shown.causes import causes_entry
from application.shown.invoices import detail_entry, invoice_entry
from application.shown.runs import guide_keys
from application.shown.texts import counted

router = APIRouter(prefix="/api/v1/sync", tags=["invoices"], route_class=Once)
RETRY_MOST = 100_000
CauseCode = Annotated[str, Path(max_length=60, description="A code of the catalogue.")]


class Searched(Listing):
    """Which invoices."""

    status: shapes.Status | None = Field(default=None, description="Where it stands.")
    flag: shapes.Flag | None = Field(default=None, description="What is to be looked at.")
    cause: str | None = Field(default=None, max_length=60, description="A code of the catalogue.")
    q: str | None = Field(
        default=None,
        min_length=3,
        max_length=100,
        description="Number or registration number, whole; or the beginning of a name.",
    )
    fee: int | None = Field(default=None, ge=-ID_MOST, le=ID_MOST, description="Fee category.")
    since: date | None = Field(default=None, alias="from", description="Dated on or after.")
    until: date | None = Field(default=None, alias="to", description="Dated on or before.")


class Reason(Strict):
    """Why an invoice is kept out of runs."""

    reason: str = Field(min_length=1, max_length=200, pattern=r"\S")


class Retried(Strict):
    """Which failed invoices are sent again: one of the three."""

    invoice_ids: list[Annotated[int, Field(ge=1, le=ID_MOST)]] | None = Field(
        default=None, min_length=1, max_length=IDS_MOST
    )
    run_id: int | None = Field(default=None, ge=1, le=ID_MOST)
    error_code: str | None = Field(default=None, max_length=60)
    only_fixed: bool = False

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        chosen = (self.invoice_ids, self.run_id, self.error_code)
        if sum(one is not None for one in chosen) != 1:
            raise ValueError("takes one of invoice_ids, run_id and error_code")  # noqa: EM101, TRY003 - as pydantic hears it
        return self


class Stuck(Strict):
    """Which invoices in progress to settle."""

    invoice_ids: list[Annotated[int, Field(ge=1, le=ID_MOST)]] | None = Field(
        default=None, min_length=1, max_length=IDS_MOST
    )
    dry_run: bool = Field(default=False, description="Tell what is stuck; settle nothing.")


@router.get("/invoices", responses=documented(model=shapes.Invoices))
def listed(here: At, asked: Annotated[Searched, Parameters()]) -> Response:
    """List invoices, newest first."""
    page = here.services.listing.page(
        status=asked.status,
        flag=asked.flag,
        cause=asked.cause,
        q=asked.q,
        fee=asked.fee,
        dated_from=asked.since,
        dated_to=asked.until,
        limit=asked.limit,
        cursor=asked.cursor,
    )
    return _listed(here, page)


def _listed(here: Here, page: Page, *, words: str = "") -> Response:
    entries = [invoice_entry(one, office=here.services.office) for one in page.invoices]
    return here.answer(
        {"invoices": entries, "count": len(entries)},
        message=f"{words}{counted(len(entries), 'invoice')}.",
        meta={"next_cursor": page.next_cursor},
    )


@router.get("/invoices/{invoice_id}", responses=documented(404, model=shapes.InvoiceDetail))
def one(here: At, invoice_id: InvoiceId, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Show one invoice: both sides, and everything that happened to it."""
    del asked
    services = here.services
    found = services.listing.one(invoice_id)
    if found is None:
        raise NotFound(what=f"invoice {invoice_id}", highest=services.reader.highest_id())
    entry = detail_entry(
        found,
        office=services.office,
        environment=services.environment,
        rule=AmountRule(services.settings.amount_rule),
    )
    return here.answer(entry, message=f"{doc_number(invoice_id)}: {entry['status']}.")


@router.post(
    "/invoices/{invoice_id}/hold", responses=documented(404, 409, 413, 415, model=shapes.Invoice)
)
def hold(
    here: At,
    invoice_id: InvoiceId,
    query: Annotated[NoQuery, Parameters()],
    asked: Annotated[Reason, Body()],
) -> Response:
    """Keep an invoice out of runs, with a written reason."""
    del query
    _there(here, invoice_id)
    journal = here.services.journal
    if not journal.hold(invoice_id, reason=asked.reason.strip(), by=here.by):
        raise StateConflict(state="held already", invoice_id=invoice_id)
    return _entry(here, invoice_id, words=f"held by {here.visitor.name}")


@router.post(
    "/invoices/{invoice_id}/release",
    responses=documented(404, 409, 413, 415, model=shapes.Invoice),
)
def release(here: At, invoice_id: InvoiceId, query: Annotated[NoQuery, Parameters()]) -> Response:
    """Let a held invoice go again."""
    del query
    _there(here, invoice_id)
    if not here.services.journal.release_hold(invoice_id, by=here.by):
        raise StateConflict(state="not held", invoice_id=invoice_id)
    return _entry(here, invoice_id, words="released")


def _there(here: Here, invoice_id: int) -> None:
    reader = here.services.reader
    if not reader.exists(invoice_id):
        raise NotFound(what=f"invoice {invoice_id}", highest=reader.highest_id())


def _entry(here: Here, invoice_id: int, *, words: str) -> Response:
    found = here.services.listing.one(invoice_id)
    if found is None:
        raise NotFound(what=f"invoice {invoice_id}")
    return here.answer(
        invoice_entry(found.listed, office=here.services.office),
        message=f"{doc_number(invoice_id)} {words}.",
    )


# -- failures -------------------------------------------------------------------------------------


@router.get("/errors", responses=documented(model=shapes.Causes))
def errors(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Group the failures that stand by their cause."""
    del asked
    entry = causes_entry(here.services.causes.groups(), office=here.services.office)
    return here.answer(entry, message=f"{entry['total']} failed.")


@router.get("/errors/{error_code}", responses=documented(404, model=shapes.Invoices))
def errors_of(here: At, error_code: CauseCode, asked: Annotated[Listing, Parameters()]) -> Response:
    """List the invoices that failed with one cause."""
    _known(error_code)
    page = here.services.listing.page(
        status="failed", cause=error_code, limit=asked.limit, cursor=asked.cursor
    )
    return _listed(here, page, words=f"{CAUSES[error_code].title}: ")


def _known(code: str) -> None:
    if code not in CAUSES:
        raise NotFound(what=f"cause {code}")


@router.post("/retry", responses=documented(404, 409, 413, 415, model=shapes.Sent, accepted=True))
async def retry(
    here: At, query: Annotated[NoQuery, Parameters()], asked: Annotated[Retried, Body()]
) -> Response:
    """Send failed invoices again; it cannot make a second one."""
    del query

    def start(who: Asked) -> Run | None:
        ids = _chosen(here, asked)
        return here.services.ordering.retry(ids, asked=who) if ids else None

    run = await started(here, start)
    if isinstance(run, Run):
        return await answered(here, run)
    return here.answer(
        guide_keys(0, 0, 0, []),
        message="Nothing to retry.",
        meta={"run_id": None, "state": "finished", "unsettled": 0, "failures": []},
    )


def _chosen(here: Here, asked: Retried) -> tuple[int, ...]:
    services = here.services
    if asked.invoice_ids is not None:
        known = {row.id for row in services.reader.former_of(asked.invoice_ids)}
        missing = [one for one in asked.invoice_ids if one not in known]
        if missing:
            raise NotFound(what=f"invoice {missing[0]}")
        ids = tuple(asked.invoice_ids)
        tag = services.company.realm_tag()
        if asked.only_fixed:
            return tuple(services.choosing.fixed_of(ids, realm_tag=tag)) if tag else ()
        return ids
    if asked.run_id is not None:
        seen(here, asked.run_id)
    elif asked.error_code is not None:
        _known(asked.error_code)
    found = services.causes.ids_of(
        cause=asked.error_code, run_id=asked.run_id, only_fixed=asked.only_fixed
    )
    return tuple(islice(found, RETRY_MOST))


# -- settling -------------------------------------------------------------------------------------


@router.post("/reset-stuck", responses=documented(409, 413, 415, model=shapes.StuckReset))
async def reset_stuck(
    here: At,
    query: Annotated[NoQuery, Parameters()],
    asked: Annotated[Stuck | None, Body()] = None,
) -> Response:
    """Settle what is in progress and nobody sends, as far as is safe; shortens no wait."""
    del query
    wanted = asked or Stuck()
    if wanted.dry_run:
        content = await run_sync(_stuck_now, here, wanted.invoice_ids)
        return here.answer(content, message="Nothing was settled.", meta={"dry_run": True})
    services = here.services
    done = await run_sync(
        lambda: services.sync.reset_stuck(caller=Caller(by=here.by), only=wanted.invoice_ids)
    )
    content = _settled_entry(done, here=here)
    return here.answer(content, message=f"{content['checked']} looked at.")


def _stuck_now(here: Here, ids: list[int] | None) -> dict[str, object]:
    until = here.services.listing.settling(ids)
    return {
        "checked": len(until),
        "marked_synced": [],
        "released": [],
        "conflicts": [],
        "left": [
            {"invoice_id": one, "settles_at": at.astimezone(here.services.office)}
            for one, at in sorted(until.items())
        ],
    }


def _settled_entry(done: Settled, *, here: Here) -> dict[str, object]:
    met = len(done.confirmed) + len(done.released) + len(done.refused) + len(done.left)
    return {
        "checked": met,
        "marked_synced": [
            {"invoice_id": one, "quickbooks_id": kept}
            for one, kept in sorted(done.confirmed.items())
        ],
        "released": sorted(done.released),
        "conflicts": sorted(done.refused),
        "left": [
            {"invoice_id": one, "settles_at": until.astimezone(here.services.office)}
            for one, until in sorted(done.left.items())
        ],
    }
