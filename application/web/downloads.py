"""The list on screen as a file: CSV of any size, or Excel."""

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from io import StringIO
from itertools import chain, islice
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from application.services.listing import Listed, SearchWrong
from application.shown.invoices import invoice_entry
from application.web.forms import Problem, problem_of
from application.web.questions import Filters
from application.web.rendering import page
from application.web.tables import COLUMNS, MARK, safe
from application.web.visit import Here, Visit
from application.web.workbook import ROWS_MOST, workbook

router = APIRouter(include_in_schema=False)
CHUNK: Final = 500  # rows written together
EXCEL: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/invoices.csv")
def as_csv(visit: Here, request: Request) -> Response:
    """Return all invoices that fit, line by line while they are read."""
    filters = Filters.of(request.query_params)
    refused = _refused(visit, filters)
    if refused is not None:
        return refused
    rows = _rows(visit, filters)
    first = list(islice(rows, 1))  # what stands in the way is told before the file begins
    return StreamingResponse(
        _lines(chain(first, rows)),
        media_type="text/csv; charset=utf-8",
        headers=_named(visit, "csv"),
    )


@router.get("/invoices.xlsx")
def as_excel(visit: Here, request: Request) -> Response:
    """Return all invoices that fit on one sheet."""
    filters = Filters.of(request.query_params)
    refused = _refused(visit, filters)
    if refused is not None:
        return refused
    plain = not (filters["flag"] or filters["cause"])  # then one statement counts them
    picking = visit.services.picking
    too_many = plain and picking.sum_of(filters.asked(visit), most=ROWS_MOST).more
    rows = [] if too_many else list(islice(_rows(visit, filters), ROWS_MOST + 1))
    if too_many or len(rows) > ROWS_MOST:
        return page(visit, "invoices_too_many.html", status=422, filters=filters, most=ROWS_MOST)
    made = workbook(COLUMNS, rows, name=visit.text("invoices.title"))
    return Response(made, media_type=EXCEL, headers=_named(visit, "xlsx"))


def _refused(visit: Visit, filters: Filters) -> Response | None:
    """Return the page that says what is wrong with the filter; None where nothing is."""
    problems: list[Problem] = filters.problems(visit)
    if not problems:
        try:
            visit.services.listing.searches(filters.asked(visit))
        except SearchWrong as stop:
            problems = [problem_of(stop, field="q")]
    return visit.go(filters.path()) if problems else None


def _rows(visit: Visit, filters: Filters) -> Iterator[Sequence[object]]:
    for one in visit.services.listing.every(filters.asked(visit)):
        yield _row(visit, one)


def _row(visit: Visit, one: Listed) -> Sequence[object]:
    entry = invoice_entry(one, office=visit.services.office)
    return [
        visit.services.currency
        if head == "currency"
        else entry["id" if head == "invoice_id" else head]
        for head in COLUMNS
    ]


def _lines(rows: Iterator[Sequence[object]]) -> Iterator[str]:
    yield MARK + _written([COLUMNS])
    while some := list(islice(rows, CHUNK)):
        yield _written([[_plain(value) for value in row] for row in some])


def _written(rows: Sequence[Sequence[object]]) -> str:
    kept = StringIO()
    csv.writer(kept).writerows(rows)
    return kept.getvalue()


def _plain(value: object) -> object:
    """Return a value as it may stand in a file that a spreadsheet opens: text is no formula."""
    match value:
        case str():
            return safe(value)
        case Decimal():
            return f"{value:.2f}"
        case datetime():
            return value.isoformat(timespec="seconds")
        case _:
            return value


def _named(visit: Visit, ending: str) -> dict[str, str]:
    name = f"invoices-{visit.now:%Y-%m-%d}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}
