"""One invoice: what happened, why, what to do and who; both sides of it, and its history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from application.catalogue import Explanation, NotFound, Stop, explain
from application.invoices.model import Document, doc_number
from application.services.listing import Detail
from application.services.ordering import Asked
from application.services.reports import Caller, Run
from application.shown.invoices import PAGES
from application.web.forms import Problem, problem_of
from application.web.questions import PATH, Filters
from application.web.rendering import page
from application.web.sides import (
    facts_of,
    history,
    mis_side,
    our_side,
    payload_text,
    variant_of,
)
from application.web.starting import told_first
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
ID_DIGITS_MOST: Final = 18
SURE: Final = "yes"


@dataclass(frozen=True, slots=True)
class Looked:
    """What QuickBooks showed just now."""

    documents: Sequence[Document]
    problem: Explanation | None = None


@router.get("/invoices/{invoice_id}")
def invoice(visit: Here, invoice_id: str, request: Request) -> Response:
    """Show one invoice."""
    return _shown(
        visit, invoice_id, filters=Filters.of(request.query_params), run=_run(visit, request)
    )


@router.post("/invoices/{invoice_id}/retry")
def retry(visit: Here, invoice_id: str) -> Response:
    """Send one invoice now; the first one for real is asked once more."""
    number, filters = _number(invoice_id), Filters.of(dict(visit.form))
    picking = visit.services.picking
    if picking.asks_first(1) and visit.field("sure") != SURE:
        detail = visit.services.listing.one(number)
        amount = detail.listed.amount if detail else None
        return page(
            visit,
            "confirm.html",
            title=visit.text("send.title.sure", count=1),
            lines=told_first(visit, count=1, amount=amount),
            action=f"{PATH}/{number}/retry",
            label=visit.text("send.button", count=1),
            fields={**filters.fields, "sure": SURE},
            back=filters.path(f"{PATH}/{number}"),
            kind="main",
        )
    try:
        run = visit.services.ordering.single(number, asked=Asked(by=visit.by))
    except NotFound:
        return _shown(visit, invoice_id, filters=filters)
    except Stop as stop:
        return _shown(visit, invoice_id, filters=filters, problems=[problem_of(stop)])
    if isinstance(run, Run):
        return visit.go(filters.path(f"{PATH}/{number}", run=run.id), say="invoice.sending")
    return visit.go(filters.path(f"{PATH}/{number}"), say="invoice.already")


@router.post("/invoices/{invoice_id}/release")
def release(visit: Here, invoice_id: str) -> Response:
    """Let a held invoice go again."""
    number, filters = _number(invoice_id), Filters.of(dict(visit.form))
    gone = visit.services.journal.release_hold(number, by=visit.by)
    say = "invoice.released" if gone else "invoice.not_held"
    return visit.go(filters.path(f"{PATH}/{number}"), say=say)


@router.post("/invoices/{invoice_id}/check")
def check(visit: Here, invoice_id: str) -> Response:
    """Look in QuickBooks for an invoice whose answer was lost, and settle it as far as is safe."""
    number, filters = _number(invoice_id), Filters.of(dict(visit.form))
    path = filters.path(f"{PATH}/{number}")
    try:
        done = visit.services.sync.reset_stuck(caller=Caller(by=visit.by), only=[number])
    except Stop as stop:
        return _shown(visit, invoice_id, filters=filters, problems=[problem_of(stop)])
    if number in done.left:
        until = visit.formats.moment(done.left[number])
        return visit.go(path, say="invoice.settles", until=until)
    return visit.go(path, say="invoice.settled")


@router.post("/invoices/{invoice_id}/look")
def look(visit: Here, invoice_id: str) -> Response:
    """Read the document in QuickBooks now, and show it beside ours; changes nothing."""
    filters = Filters.of(dict(visit.form))
    detail = visit.services.listing.one(_number(invoice_id))
    ids = _known_ids(detail) if detail else []
    try:
        looked = Looked(visit.services.documents(ids) if ids else ())
    except Stop as stop:
        looked = Looked((), problem=explain(stop.cause, stop.facts))
    return _shown(visit, invoice_id, filters=filters, looked=looked)


def _known_ids(detail: Detail) -> list[str]:
    one = detail.listed
    if one.receipt is not None:
        return [one.receipt.quickbooks_id]
    other = one.refusal.quickbooks_id if one.refusal else None
    return [each for each in (other or "").split(",") if each]


def _number(text: str) -> int:
    """Return an id in an address; 0, which no invoice has, where it is none."""
    known = text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MOST
    return int(text) if known else 0


def _run(visit: Visit, request: Request) -> Run | None:
    """Return the run an address names that was begun for this invoice."""
    number = _number(request.query_params.get("run", ""))
    return visit.services.runs.get(number) if number else None


def _shown(
    visit: Visit,
    invoice_id: str,
    *,
    filters: Filters,
    run: Run | None = None,
    looked: Looked | None = None,
    problems: Sequence[Problem] = (),
) -> Response:
    number = _number(invoice_id)
    detail = visit.services.listing.one(number)
    if detail is None:
        highest = visit.services.reader.highest_id()
        return page(visit, "invoice_none.html", status=404, asked=invoice_id[:40], highest=highest)
    newer, older = _around(visit, filters, number)
    return page(
        visit,
        "invoice.html",
        status=422 if problems else 200,
        problems=problems,
        filters=filters,
        words=filters.words(visit),
        newer=newer,
        older=older,
        detail=detail,
        one=detail.listed,
        number=doc_number(number),
        looked=looked,
        document_page=PAGES.get(visit.services.environment),
        run=run,
        going=run is not None and run.finished_at is None,
        in_doubt=any(each.event == "attempt" for each in detail.timeline),
        **_story(visit, detail),
        **_sides(visit, detail),
    )


def _story(visit: Visit, detail: Detail) -> dict[str, Any]:
    """Return what happened, and what may be done about it."""
    services, one = visit.services, detail.listed
    glance = services.overview.glance()
    groups = glance.details.groups if glance.details else ()
    return {
        "glance": glance,
        "variant": variant_of(detail),
        "told": explain(one.cause, facts_of(detail)) if one.cause else None,
        "group": next((each for each in groups if each.cause == one.cause), None),
        "settles": services.listing.settling([one.row.id]).get(one.row.id) if one.flag else None,
    }


def _sides(visit: Visit, detail: Detail) -> dict[str, Any]:
    """Return both sides and the history."""
    return {
        "mis": mis_side(visit, detail),
        "ours": our_side(visit, detail),
        "payload": payload_text(visit, detail),
        "history": history(visit, detail),
    }


def _around(visit: Visit, filters: Filters, number: int) -> tuple[int | None, int | None]:
    if filters.problems(visit):
        return None, None
    return visit.services.listing.around(filters.asked(visit), number)
