"""Runs: the list of them, and starting one: shown first, sent only when somebody says so."""

from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from application.catalogue import Explanation, Stop, explain
from application.services.ordering import Asked
from application.services.reports import Run
from application.services.starting import BATCH, EVERYTHING, KINDS, SINGLE, Offer
from application.web.forms import Problem, problem_of
from application.web.rendering import page
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
PAGE: Final = 30
ID_MOST: Final = 2**63 - 1
STATES: Final = (
    "running",
    "queued",
    "paused",
    "waiting_connection",
    "waiting_quickbooks",
    "waiting_mis",
    "finished",
    "cancelled",
    "failed",
)
DAYS: Final = ("7", "30", "90")
Chosen = Annotated[str, Query(max_length=30)]
Place = Annotated[int, Query(ge=0, le=ID_MOST)]


@router.get("/runs")
def runs(visit: Here, state: Chosen = "", days: Chosen = "", before: Place = 0) -> Response:
    """List runs, newest first, and offer to start one."""
    return shown(visit, state=state, days=days, before=before)


def shown(
    visit: Visit,
    *,
    state: str = "",
    days: str = "",
    before: int = 0,
    problems: tuple[Problem, ...] = (),
    status: int = 200,
) -> Response:
    """Return the list as a page.

    Args:
        visit: Who asks.
        state: Only runs in this state; "" for all.
        days: Only runs of so many days; "" for all.
        before: Only runs with a lower number; 0 for all.
        problems: What is wrong with a form of it.
        status: Of the answer.
    """
    state = state if state in STATES else ""
    days = days if days in DAYS else ""
    services = visit.services
    found = services.runs.recent(
        limit=PAGE + 1, after=before or None, state=state or None, since=_since(visit, days)
    )
    some = found[:PAGE]
    offer = services.starting.offer()
    return page(
        visit,
        "runs.html",
        status=status,
        problems=problems,
        runs=some,
        paces=services.watching.paces(some),
        offer=offer,
        off=why_not(visit, offer),
        states=STATES,
        days_known=DAYS,
        state=state,
        days=days,
        first=before == 0,
        older=_address(state, days, before=some[-1].id) if len(found) > PAGE else "",
        newest=_address(state, days),
    )


def _since(visit: Visit, days: str) -> datetime | None:
    return visit.now - timedelta(days=int(days)) if days else None


def _address(state: str, days: str, *, before: int = 0) -> str:
    asked = {"state": state, "days": days, "before": str(before or "")}
    text = urlencode({name: value for name, value in asked.items() if value})
    return f"/runs?{text}" if text else "/runs"


def why_not(visit: Visit, offer: Offer) -> str:
    """Return why no long run may begin now, in words; "" where one may."""
    told = trouble_of(offer)
    if told is not None and told.code == "authentication_failed":
        return visit.text("runs.off.disconnected")
    if told is not None:
        return visit.text("runs.off.trouble", title=told.title)
    if offer.active is not None:
        return visit.text("runs.off.active", id=str(offer.active.id))
    return ""


def trouble_of(offer: Offer) -> Explanation | None:
    """Return the condition under which nothing can be sent; None where there is none."""
    if offer.trouble is not None:
        return explain(offer.trouble.cause, offer.trouble.facts)
    state = offer.state
    if state.problem is None:
        return None
    return explain(state.problem, {"reason": state.reason, "company": state.company})


@router.post("/runs")
def start(visit: Here) -> Response:
    """Begin a run, after a word where it sends many."""
    kind = visit.field("kind") if visit.field("kind") in KINDS else BATCH
    offer = visit.services.starting.offer()
    count = min(offer.count, offer.batch_size) if kind == BATCH else offer.count
    try:
        if kind == SINGLE:
            return _one(visit, offer)
        if offer.needs_word(count) and not visit.field("sure"):
            return _confirm(visit, offer, kind=kind)
        ordering, asked = visit.services.ordering, Asked(by=visit.by)
        run = ordering.all(asked=asked) if kind == EVERYTHING else ordering.batch(asked=asked)
    except Stop as stop:
        return _refused(visit, stop)
    return visit.go("/runs", say="runs.nothing") if run is None else begun(visit, run)


def begun(visit: Visit, run: Run) -> Response:
    """Return the way to a run that was just begun."""
    return visit.go(f"/runs/{run.id}", say="runs.started", id=str(run.id))


def _one(visit: Visit, offer: Offer) -> Response:
    number = visit.field("number").upper().removeprefix("MIS-")
    if not number.isdigit() or not 0 < int(number) <= ID_MOST:
        wrong = Problem("number", visit.text("runs.number.wrong"))
        return shown(visit, problems=(wrong,), status=422)
    if offer.first and not visit.field("sure"):
        return _confirm(visit, offer, kind=SINGLE, number=number)
    run = visit.services.ordering.single(int(number), asked=Asked(by=visit.by))
    if isinstance(run, str):
        return visit.go("/runs", say="runs.there", number=f"MIS-{number}")
    return begun(visit, run)


def _refused(visit: Visit, stop: Stop) -> Response:
    field = "number" if stop.cause in {"not_found", "invoice_in_progress"} else ""
    problem = problem_of(stop, field=field)
    if stop.cause == "not_found":
        highest = str(stop.facts.get("highest") or 0)
        problem = Problem(field, visit.text("runs.number.gone", highest=highest))
    return shown(visit, problems=(problem,), status=explain(stop.cause, stop.facts).http_status)


def _confirm(visit: Visit, offer: Offer, *, kind: str, number: str = "") -> Response:
    off = why_not(visit, offer)
    if off:
        return shown(visit, problems=(Problem("", off),), status=409)
    count = {BATCH: min(offer.count, offer.batch_size), SINGLE: 1}.get(kind, offer.count)
    lines = [visit.text("runs.confirm.what", count=count)]
    if kind == EVERYTHING:
        lines = [visit.text("runs.confirm.all", count=count, amount=offer.amount)]
    if offer.first:
        lines.append(visit.text("runs.confirm.first"))
    return page(
        visit,
        "confirm.html",
        title=visit.text("runs.confirm.title", count=count),
        lines=[*lines, *where(visit, offer)],
        action="/runs",
        label=visit.text("runs.confirm.button", count=count),
        fields={"kind": kind, "number": number, "sure": "1"},
        back="/runs",
        kind="main",
    )


def where(visit: Visit, offer: Offer) -> list[str]:
    """Return into which company something is sent, and why twice is not possible."""
    company = offer.state.company or visit.text("strip.company_unread")
    environment = visit.text(f"environment.{offer.state.environment.value}")
    return [
        visit.text("runs.confirm.where", company=company, environment=environment),
        visit.text("runs.confirm.once"),
    ]
