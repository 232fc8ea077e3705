"""Invoices: filtered, searched, turned page by page; several retried or held at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request, Response

from application.catalogue import Stop
from application.services.listing import CursorWrong, Page, SearchWrong
from application.services.ordering import Asked
from application.services.overview import Figures
from application.services.picking import Picked, Sum
from application.shown.invoices import PAGES, name_of
from application.web.forms import Problem, problem_of
from application.web.questions import PATH, SIZES, Filters
from application.web.rendering import page
from application.web.starting import begun, told_first
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
AWAY: Final = ("mis_unavailable", "mis_permission", "mis_schema")
SURE: Final = "yes"
REASON_MOST: Final = 200
PICKED_BY_HAND_MOST: Final = 1_000
ID_DIGITS_MOST: Final = 18


@dataclass(frozen=True, slots=True)
class Found:
    """What a list shows; nothing of it where the MIS cannot be read."""

    page: Page | None
    total: Sum | None
    trouble: Stop | None
    problems: tuple[Problem, ...]


@router.get("/invoices")
def invoices(visit: Here, request: Request) -> Response:
    """List invoices, newest first."""
    query = request.query_params
    return _listed(visit, Filters.of(query), cursor=query.get("cursor"))


def _listed(
    visit: Visit,
    filters: Filters,
    *,
    cursor: str | None = None,
    problems: Sequence[Problem] = (),
) -> Response:
    glance = visit.services.overview.glance()
    found = _found(visit, filters, cursor=cursor, figures=glance.figures)
    if found is None:
        return visit.go(filters.path())
    wrong = [*problems, *found.problems]
    return page(
        visit,
        "invoices.html",
        status=503 if found.trouble else 422 if wrong else 200,
        problems=wrong,
        filters=filters,
        words=filters.words(visit),
        found=found,
        glance=glance,
        causes=sorted({group.cause for group in glance.details.groups} if glance.details else ()),
        fees=_fees(visit) if found.trouble is None else {},
        sizes=SIZES,
        document_page=PAGES.get(visit.services.environment),
        name_of=name_of,
        may_send=visit.may("officer") and glance.state.connected and not glance.trouble,
    )


def _found(
    visit: Visit, filters: Filters, *, cursor: str | None, figures: Figures | None
) -> Found | None:
    """Return what fits; None where the cursor belongs to another list."""
    problems = tuple(filters.problems(visit))
    if problems:
        return Found(None, None, None, problems)
    try:
        asked = filters.asked(visit)
        seen = visit.services.listing.found(asked, limit=filters.size, cursor=cursor)
        return Found(seen, _total(visit, filters, figures=figures), None, ())
    except CursorWrong:
        return None
    except SearchWrong as stop:
        return Found(None, None, None, (problem_of(stop, field="q"),))
    except Stop as stop:
        if stop.cause not in AWAY:
            raise
        return Found(None, None, stop, ())


def _total(visit: Visit, filters: Filters, *, figures: Figures | None) -> Sum:
    """Return how many fit; what a status alone asks for was counted already."""
    if figures is not None and set(filters.given) <= {"status"}:
        name = filters["status"] or "total"
        counts = figures.counts
        return Sum(getattr(counts, name), counts.amounts[name])
    return visit.services.picking.sum_of(filters.asked(visit))


def _fees(visit: Visit) -> dict[int, str]:
    return visit.services.picking.fees()


# -- several at once ------------------------------------------------------------------------------


@router.post("/invoices/retry")
def retry(visit: Here) -> Response:
    """Retry failed invoices: those that were picked, or all that fit; asked once more first."""
    filters = Filters.of(dict(visit.form))
    picked, problems = _picked(visit, filters)
    if picked is None:
        return _listed(visit, filters, problems=problems)
    if not picked.ids:
        return _listed(visit, filters, problems=[Problem("", visit.text("invoices.none_failed"))])
    count = len(picked.ids)
    if visit.field("sure") != SURE or visit.field("count") != str(count):
        return _asked_first(visit, filters, picked)
    run = visit.services.ordering.retry(picked.ids, asked=Asked(by=visit.by))
    if run is None:
        return visit.go(filters.path(), say="invoices.nothing")
    return begun(visit, run, back=filters.path())


def _asked_first(visit: Visit, filters: Filters, picked: Picked) -> Response:
    lines = told_first(visit, count=len(picked.ids), amount=picked.amount)
    if picked.left_out:
        lines.append(visit.text("invoices.left_out", count=picked.left_out))
    return page(
        visit,
        "confirm.html",
        title=visit.text("invoices.retry.title", count=len(picked.ids)),
        lines=[*lines, visit.text("invoices.retry.safe")],
        action="/invoices/retry",
        label=visit.text("invoices.retry.button", count=len(picked.ids)),
        fields={**_choice(visit, filters), "sure": SURE, "count": len(picked.ids)},
        back=filters.path(),
        kind="main",
    )


@router.post("/invoices/hold")
def hold(visit: Here) -> Response:
    """Keep invoices out of runs, those that were picked or all that fit, for a written reason."""
    filters = Filters.of(dict(visit.form))
    ids, problems = _holdable(visit, filters)
    if not ids:
        wrong = problems or [Problem("", visit.text("invoices.none_holdable"))]
        return _listed(visit, filters, problems=wrong)
    reason = visit.field("reason")
    asked = visit.field("asked") == SURE
    if not reason or len(reason) > REASON_MOST:
        wrong = [Problem("reason", visit.text("invoices.hold.no_reason"))] if asked else []
        return page(
            visit,
            "invoices_hold.html",
            status=422 if wrong else 200,
            problems=wrong,
            count=len(ids),
            reason=reason,
            fields={**_choice(visit, filters), "asked": SURE},
            back=_back(visit, filters),
        )
    done = visit.services.picking.hold(ids, reason=reason, by=visit.by)
    return visit.go(_back(visit, filters), say="invoices.held", count=done)


def _back(visit: Visit, filters: Filters) -> str:
    """Return where somebody came from: the one invoice, or the list."""
    alone = visit.field("alone")
    return filters.path(f"{PATH}/{alone}") if alone.isdigit() else filters.path()


def _choice(visit: Visit, filters: Filters) -> dict[str, str]:
    """Return what a form hands on of what was picked."""
    fields = dict(filters.fields)
    if visit.field("every") == SURE:
        return {**fields, "every": SURE}
    fields["ids"] = ",".join(str(one) for one in ids_in(visit))
    if visit.field("alone").isdigit():
        fields["alone"] = visit.field("alone")
    return fields


def ids_in(visit: Visit) -> list[int]:
    """Return the invoices that were picked by hand."""
    given = [*visit.fields("id"), *visit.field("ids").split(",")]
    ids = {
        int(one) for one in given if one.isascii() and one.isdigit() and len(one) <= ID_DIGITS_MOST
    }
    return sorted(ids)[:PICKED_BY_HAND_MOST]


def _picked(visit: Visit, filters: Filters) -> tuple[Picked | None, Sequence[Problem]]:
    picking = visit.services.picking
    if visit.field("every") != SURE:
        ids = ids_in(visit)
        if not ids:
            return None, [Problem("", visit.text("invoices.none_picked"))]
        return picking.chosen(ids), ()
    problems = filters.problems(visit)
    if problems:
        return None, problems
    try:
        return picking.failed(filters.asked(visit)), ()
    except SearchWrong as stop:
        return None, [problem_of(stop, field="q")]


def _holdable(visit: Visit, filters: Filters) -> tuple[list[int], Sequence[Problem]]:
    if visit.field("every") != SURE:
        ids = ids_in(visit)
        return ids, () if ids else [Problem("", visit.text("invoices.none_picked"))]
    problems = filters.problems(visit)
    if problems:
        return [], problems
    try:
        return visit.services.picking.holdable(filters.asked(visit)), ()
    except SearchWrong as stop:
        return [], [problem_of(stop, field="q")]
