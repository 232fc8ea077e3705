"""Errors: failures by cause, what to do about each, and doing it: retry, hold, map a fee."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from application.catalogue import CAUSES, NotFound, Stop, explain
from application.invoices.model import doc_number
from application.services.board import Board, Card
from application.services.causes import UNMAPPED
from application.services.listing import Listed, Page
from application.services.ordering import IDS_MOST, Asked
from application.services.starting import CONFIRM_ABOVE
from application.shown.invoices import name_of
from application.web.forms import Problem, missing, problem_of
from application.web.rendering import page
from application.web.runs import begun, trouble_of, where, why_not
from application.web.tables import COLUMNS, MARK, line_of, values_of
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
RETRY_MOST: Final = 100_000
ROWS: Final = 50
EXPORTED: Final = 500  # rows read together
COPIED: Final = 100
REASON_MOST: Final = 200
Code = Annotated[str, Path(max_length=60)]
Cursor = Annotated[str, Query(max_length=400)]
FeeNumber = Annotated[int, Path(ge=-(2**63), le=2**63 - 1)]


@router.get("/errors")
def errors(visit: Here) -> Response:
    """Show every cause."""
    return _all(visit)


def _all(visit: Visit, *, problems: tuple[Problem, ...] = (), status: int = 200) -> Response:
    services = visit.services
    offer = services.starting.offer()
    board: Board | None = None
    trouble = trouble_of(offer)
    try:
        board = services.boards.board()
    except Stop as stop:
        trouble = explain(stop.cause, stop.facts)
    return page(
        visit,
        "errors.html",
        status=status,
        problems=problems,
        board=board,
        known=services.overview.glance() if board is None else None,
        trouble=trouble,
        offer=offer,
        products=_products(visit) if board and any(one.fees for one in board.cards) else [],
        copied={one.group.cause: _copied(visit, one) for one in board.cards} if board else {},
        holdable=IDS_MOST,
    )


@router.get("/errors/{error_code}")
def error(visit: Here, error_code: Code, cursor: Cursor = "") -> Response:
    """Show the invoices that failed with one cause, newest first."""
    return _one(visit, error_code, cursor=cursor)


def _one(
    visit: Visit,
    code: str,
    *,
    cursor: str = "",
    problems: tuple[Problem, ...] = (),
    status: int = 200,
) -> Response:
    _known(code)
    services = visit.services
    card = services.boards.card(code)
    found = services.listing.page(status="failed", cause=code, limit=ROWS, cursor=cursor or None)
    offer = services.starting.offer()
    older = (
        f"/errors/{code}?{urlencode({'cursor': found.next_cursor})}" if found.next_cursor else ""
    )
    return page(
        visit,
        "error.html",
        status=status,
        problems=problems,
        told=explain(code, card.facts if card else {}),
        card=card,
        rows=found.invoices,
        why=why_of,
        name_of=name_of,
        offer=offer,
        trouble=trouble_of(offer),
        off=why_not(visit, offer),
        products=_products(visit) if card and card.fees else [],
        copied={code: _copied(visit, card)} if card else {},
        holdable=IDS_MOST,
        older=older,
        first=not cursor,
    )


def _known(code: str) -> None:
    if code not in CAUSES:
        raise NotFound(what=f"cause {code}")


def why_of(one: Listed) -> str:
    """Return why one invoice failed, with its own facts."""
    facts = {**(one.refusal.facts if one.refusal else {}), "number": doc_number(one.row.id)}
    return explain(one.cause or "internal_error", facts).why


def _products(visit: Visit) -> list[tuple[str, str]]:
    return [(one.id, one.name) for one in visit.services.mapping.products()]


def _copied(visit: Visit, card: Card) -> str:
    """Return what somebody is sent who can mend it: records, no amounts, no people's names."""
    told = explain(card.group.cause, card.facts)
    found = visit.services.listing.page(
        status="failed", cause=card.group.cause, limit=COPIED
    ).invoices
    lines = [f"{doc_number(one.row.id)}  {one.row.payer}" for one in found]
    if card.group.count > len(found):
        lines.append(visit.text("errors.copy.more", count=card.group.count - len(found)))
    return "\n".join([f"{told.title}. {told.remedy}", *lines])


# -- what is done about it ------------------------------------------------------------------------


@router.post("/errors/{error_code}/retry")
def retry(visit: Here, error_code: Code) -> Response:
    """Send the invoices of one cause again: all, or those that look fixed."""
    _known(error_code)
    services = visit.services
    only_fixed = visit.field("which") == "fixed"
    found = services.causes.ids_of(cause=error_code, only_fixed=only_fixed)
    ids = tuple(islice(found, RETRY_MOST))
    if len(ids) > CONFIRM_ABOVE and not visit.field("sure"):
        return _confirm(visit, error_code, ids=ids)
    try:
        run = services.ordering.retry(ids, asked=Asked(by=visit.by)) if ids else None
    except Stop as stop:
        return _one(visit, error_code, problems=(problem_of(stop),), status=409)
    if run is None:
        return visit.go(f"/errors/{error_code}", say="errors.nothing")
    return begun(visit, run)


def _confirm(visit: Visit, code: str, *, ids: tuple[int, ...]) -> Response:
    services = visit.services
    amount = services.causes.amount_of(ids)
    label = visit.text("errors.retry", count=len(ids))
    return page(
        visit,
        "confirm.html",
        title=label,
        lines=[
            visit.text("errors.confirm.what", count=len(ids), amount=amount),
            *where(visit, services.starting.offer()),
        ],
        action=f"/errors/{code}/retry",
        label=label,
        fields={"which": visit.field("which"), "sure": "1"},
        back=f"/errors/{code}",
        kind="main",
    )


@router.post("/errors/{error_code}/hold")
def hold(visit: Here, error_code: Code) -> Response:
    """Keep the invoices of one cause out of runs, with a written reason."""
    _known(error_code)
    field = f"reason-{error_code}"  # a page shows the form of each cause
    problems = missing(visit, **{field: "errors.hold.missing"})
    if problems:
        return _one(visit, error_code, problems=tuple(problems), status=422)
    services = visit.services
    ids = list(islice(services.causes.ids_of(cause=error_code), IDS_MOST))
    reason = visit.field(field)[:REASON_MOST]
    held = sum(services.journal.hold(one, reason=reason, by=visit.by) for one in ids)
    return visit.go(f"/errors/{error_code}", say="errors.held", count=held)


@router.post("/errors/{error_code}/fees/{fee_category}")
def choose(visit: Here, error_code: Code, fee_category: FeeNumber) -> Response:
    """Let a product take a fee, and send again what failed for want of one: one action."""
    if error_code != UNMAPPED:
        raise NotFound(what="page")
    field = f"product-{fee_category}"
    problems = missing(visit, **{field: "errors.fee.missing"})
    if problems:
        return _one(visit, UNMAPPED, problems=tuple(problems), status=422)
    services = visit.services
    try:
        services.mapping.choose(fee_category, item_id=visit.field(field), by=visit.by)
    except Stop as stop:
        wrong = problem_of(stop, field=field)
        return _one(visit, UNMAPPED, problems=(wrong,), status=409)
    ids = tuple(islice(services.causes.fixed_of_fee(fee_category, cause=UNMAPPED), RETRY_MOST))
    if not ids or len(ids) > CONFIRM_ABOVE:
        return visit.go(f"/errors/{UNMAPPED}", say="errors.fee.saved", count=len(ids))
    try:
        run = services.ordering.retry(ids, asked=Asked(by=visit.by))
    except Stop as stop:
        told = explain(stop.cause, stop.facts)
        return visit.go(f"/errors/{UNMAPPED}", say="errors.fee.saved_only", why=told.title)
    return begun(visit, run) if run else visit.go(f"/errors/{UNMAPPED}", say="errors.nothing")


# -- the list as a file ---------------------------------------------------------------------------


@router.get("/errors/{error_code}/list.csv")
def listed(visit: Here, error_code: Code) -> Response:
    """Return every invoice of one cause as a file a spreadsheet opens."""
    _known(error_code)
    first = _page(visit, error_code, cursor=None)  # what stops it must not come after the head
    name = f"{error_code}-{visit.now:%Y-%m-%d}.csv"
    return StreamingResponse(
        _lines(visit, error_code, first=first),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _page(visit: Visit, code: str, *, cursor: str | None) -> Page:
    return visit.services.listing.page(status="failed", cause=code, limit=EXPORTED, cursor=cursor)


def _lines(visit: Visit, code: str, *, first: Page) -> Iterator[str]:
    yield MARK + line_of(COLUMNS)
    found = first
    while True:
        for one in found.invoices:
            yield line_of(values_of(visit, one))
        if found.next_cursor is None:
            return
        found = _page(visit, code, cursor=found.next_cursor)
