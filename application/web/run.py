"""One run, watched live: how it stands, what it waits for; paused, resumed, stopped, retried."""

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Final

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Response
from fastapi.responses import StreamingResponse

from application.catalogue import NotFound, StateConflict, Stop
from application.services.ordering import Asked
from application.services.reports import Run
from application.services.starting import CONFIRM_ABOVE
from application.services.watching import Standing, percent_of
from application.web.forms import Problem, problem_of
from application.web.fragments import view_of
from application.web.rendering import page
from application.web.runs import begun, trouble_of, where
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
ID_MOST: Final = 2**63 - 1
RETRY_MOST: Final = 100_000
PRESENT: Final = 0  # the id of no event: a view begins with how the run stands
MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RunId = Annotated[int, Path(ge=1, le=ID_MOST)]


@router.get("/runs/{run_id}")
def run(visit: Here, run_id: RunId) -> Response:
    """Show one run."""
    return _shown(visit, run_id)


def _shown(
    visit: Visit, run_id: int, *, problems: tuple[Problem, ...] = (), status: int = 200
) -> Response:
    standing = _seen(visit, run_id)
    services = visit.services
    settings = services.settings
    return page(
        visit,
        "run.html",
        status=status,
        problems=problems,
        standing=standing,
        has=visit.has,
        share=percent_of,
        minutes=services.watching.minutes(run_id),
        planned=services.cost(standing.run.processed),
        failed=services.watching.still_failed(run_id, most=RETRY_MOST) if standing.over else 0,
        trouble=trouble_of(services.starting.offer()),
        settings={
            "size": int(standing.run.arguments.get("batch_size") or 1),
            "attempts": settings.max_retries,
            "wait": settings.retry_delay_s,
        },
    )


def _seen(visit: Visit, run_id: int) -> Standing:
    standing = visit.services.watching.standing(run_id)
    if standing is None:
        raise NotFound(what=f"run {run_id}")
    return standing


@router.get("/runs/{run_id}/stream")
async def stream(visit: Here, run_id: RunId) -> Response:
    """Follow one run live, as parts of its page."""
    await run_sync(_seen, visit, run_id)
    live = visit.front.live
    frames = await live.stream(run_id, last_event_id=PRESENT, show=view_of(visit, run_id))
    return StreamingResponse(frames, media_type=MEDIA_TYPE, headers=HEADERS)


@router.post("/runs/{run_id}/pause")
def pause(visit: Here, run_id: RunId) -> Response:
    """Put a run down after the requests in hand; it keeps its place."""
    return _steered(visit, run_id, verb=visit.services.ordering.pause, say="runpage.pauses")


@router.post("/runs/{run_id}/resume")
def resume(visit: Here, run_id: RunId) -> Response:
    """Go on with a paused or waiting run now."""
    return _steered(visit, run_id, verb=visit.services.ordering.resume, say="runpage.goes_on")


@router.post("/runs/{run_id}/stop")
def stop(visit: Here, run_id: RunId) -> Response:
    """End a run after the requests in hand; what was sent stays."""
    return _steered(visit, run_id, verb=visit.services.ordering.cancel, say="runpage.stops")


def _steered(visit: Visit, run_id: int, *, verb: Callable[..., Run], say: str) -> Response:
    try:
        verb(run_id, by=visit.by)
    except StateConflict:  # it moved on since the page was made; the page tells where it stands
        return visit.go(f"/runs/{run_id}", say="runpage.moved_on", id=str(run_id))
    return visit.go(f"/runs/{run_id}", say=say, id=str(run_id))


@router.post("/runs/{run_id}/retry")
def retry(visit: Here, run_id: RunId) -> Response:
    """Send again what a run refused and what is refused still."""
    _seen(visit, run_id)
    services = visit.services
    ids = tuple(islice(services.causes.ids_of(run_id=run_id), RETRY_MOST))
    if len(ids) > CONFIRM_ABOVE and not visit.field("sure"):
        return _confirm(visit, run_id, ids=ids)
    try:
        again = services.ordering.retry(ids, asked=Asked(by=visit.by)) if ids else None
    except Stop as stop:
        return _shown(visit, run_id, problems=(problem_of(stop),), status=409)
    if again is None:
        return visit.go(f"/runs/{run_id}", say="runpage.none_failed")
    return begun(visit, again)


def _confirm(visit: Visit, run_id: int, *, ids: tuple[int, ...]) -> Response:
    services = visit.services
    amount = services.causes.amount_of(ids)
    return page(
        visit,
        "confirm.html",
        title=visit.text("runpage.retry", count=len(ids)),
        lines=[
            visit.text("errors.confirm.what", count=len(ids), amount=amount),
            *where(visit, services.starting.offer()),
        ],
        action=f"/runs/{run_id}/retry",
        label=visit.text("runpage.retry", count=len(ids)),
        fields={"sure": "1"},
        back=f"/runs/{run_id}",
        kind="main",
    )
