"""Send: what would go, to which company, and a run that takes it."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Response

from application.catalogue import Stop
from application.services.listing import Outlook
from application.services.ordering import Asked
from application.services.overview import Glance
from application.services.picking import Sendable
from application.services.reports import Run
from application.shown.invoices import name_of
from application.web.facts import known
from application.web.forms import Problem, problem_of
from application.web.rendering import page
from application.web.starting import RUN_PAGE, begun, told_first
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
SHOWN: Final = 10
FEW: Final = "few"
BATCH: Final = "batch"
ALL: Final = "all"
SURE: Final = "yes"


@router.get("/send")
def send(visit: Here) -> Response:
    """Show what would be sent; nothing is."""
    return _shown(visit)


@router.post("/send")
def start(visit: Here) -> Response:
    """Begin a run over ten, a batch or all; many, and the first for real, are asked once more."""
    size = visit.field("size")
    if size not in {FEW, BATCH, ALL}:
        return _shown(visit, problems=[Problem("", visit.text("send.no_size"))])
    if visit.field("sure") != SURE:
        question = _question(visit, size)
        if question is not None:
            return question
    try:
        run = _begun(visit, size)
    except Stop as stop:
        return _shown(visit, problems=[problem_of(stop)])
    if run is None:
        return visit.go("/send", say="send.nothing")
    return begun(visit, run, back="/send")


def _begun(visit: Visit, size: str) -> Run | None:
    ordering, asked = visit.services.ordering, Asked(by=visit.by)
    match size:
        case "all":
            return ordering.all(asked=asked)
        case "few":
            return ordering.batch(asked=asked, batch_size=SHOWN)
        case _:
            return ordering.batch(asked=asked)


def _question(visit: Visit, size: str) -> Response | None:
    """Return the page that asks once more; None where so few may go at once."""
    services = visit.services
    what = services.picking.sendable()
    sizes = {FEW: SHOWN, BATCH: services.settings.batch_size, ALL: what.count}
    count = min(sizes[size], what.count)
    if not services.picking.asks_first(count):
        return None
    lines = told_first(visit, count=count, amount=what.amount if count == what.count else None)
    return page(
        visit,
        "confirm.html",
        title=visit.text("send.title.sure", count=count),
        lines=[*lines, visit.text("send.safe")],
        action="/send",
        label=visit.text("send.button", count=count),
        fields={"size": size, "sure": SURE},
        back="/send",
        kind="main",
    )


def _shown(visit: Visit, *, problems: Sequence[Problem] = ()) -> Response:
    services = visit.services
    glance = services.overview.glance()
    what: Sendable | None = None
    first: Outlook | None = None
    if glance.trouble is None:
        what = services.picking.sendable()
        first = services.listing.preview(limit=SHOWN)
    return page(
        visit,
        "send.html",
        status=422 if problems else 503 if what is None else 200,
        problems=problems,
        glance=glance,
        what=what,
        cost=services.cost(what.count if what else 0),
        reads=known(services.reads),
        first=first,
        sizes=_sizes(visit, what),
        off=_off(visit, glance),
        run_page=visit.has(RUN_PAGE),
        name_of=name_of,
    )


def _sizes(visit: Visit, what: Sendable | None) -> list[tuple[str, int]]:
    """Return what can be chosen: its word, and how many invoices go."""
    if what is None or not what.count:
        return []
    batch = visit.services.settings.batch_size
    few = [(word, most) for word, most in ((FEW, SHOWN), (BATCH, batch)) if most < what.count]
    return [*few, (ALL, what.count)]


def _off(visit: Visit, glance: Glance) -> str:
    """Return why nothing can be sent at the moment, "" where it can."""
    if not visit.may("officer"):
        return visit.text("send.off.role")
    if glance.trouble is not None:
        return visit.text("send.off.mis")
    if not glance.state.connected:
        return visit.text("send.off.connection")
    if glance.active is not None and glance.active.sole:
        return visit.text("send.off.run", id=str(glance.active.id))
    return ""
