"""Runs: the list, one of them, its failures, its live events; paused, resumed, cancelled."""

from collections.abc import Callable
from datetime import date
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Response
from fastapi import Query as Parameters
from fastapi.responses import StreamingResponse
from pydantic import Field

from application.api import envelope, shapes
from application.api.door import (
    EVERYWHERE,
    ID_MOST,
    SOON,
    At,
    Here,
    Listing,
    NoQuery,
    cursor_of,
    documented,
    place_in,
)
from application.api.failing import wrong
from application.api.live import HEADERS, MEDIA_TYPE
from application.api.once import Once
from application.catalogue import NotFound
from application.services.reports import Failure, Run
from application.shown.runs import failure_entry, run_entry
from application.shown.texts import counted

router = APIRouter(prefix="/api/v1/sync/runs", tags=["runs"], route_class=Once)
RunId = Annotated[int, Path(ge=1, le=ID_MOST, description="The run's number.")]
CURSOR_WORDS = "is none of this list"


class Searched(Listing):
    """Which runs."""

    state: shapes.RunState | None = Field(default=None, description="How it stands.")
    by: str | None = Field(default=None, max_length=120, description="Who asked for it.")
    since: date | None = Field(default=None, alias="from", description="Asked for on or after.")
    until: date | None = Field(default=None, alias="to", description="Asked for on or before.")


@router.get("", responses=documented(model=shapes.Runs))
def listed(here: At, asked: Annotated[Searched, Parameters()]) -> Response:
    """List runs, newest first."""
    runs = here.services.runs.recent(
        limit=asked.limit + 1,
        after=place_of(asked.cursor, name="run"),
        state=asked.state,
        by=asked.by,
        since=here.since(asked.since),
        until=here.until(asked.until),
    )
    page, more = runs[: asked.limit], len(runs) > asked.limit
    return here.answer(
        {"runs": entries_of(here, page), "count": len(page)},
        message=f"{counted(len(page), 'run')}.",
        meta={"next_cursor": cursor_of(run=page[-1].id) if more else None},
    )


@router.get("/{run_id}", responses=documented(404, model=shapes.Run))
def one(here: At, run_id: RunId, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Show one run."""
    del asked
    run = seen(here, run_id)
    headers = {} if run.finished_at else SOON
    return here.answer(
        entries_of(here, [run])[0], message=f"Run {run_id}: {run.state}.", headers=headers
    )


@router.get("/{run_id}/failures", responses=documented(404, model=shapes.Failures))
def failures(here: At, run_id: RunId, asked: Annotated[Listing, Parameters()]) -> Response:
    """List the invoices a run refused, by their ids, with what to do about each."""
    seen(here, run_id)
    found = here.services.runs.failures(
        run_id, after=place_of(asked.cursor, name="invoice") or 0, limit=asked.limit + 1
    )
    page, more = found[: asked.limit], len(found) > asked.limit
    entries = [
        failure_entry(Failure(each.invoice_id, each.cause, dict(each.facts), each.attempts))
        for each in page
    ]
    return here.answer(
        {"failures": entries, "count": len(entries)},
        message=f"{counted(len(entries), 'failure')} of run {run_id}.",
        meta={"next_cursor": cursor_of(invoice=page[-1].invoice_id) if more else None},
    )


@router.get(
    "/{run_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
        204: {"description": "The run has ended and its last event was seen."},
        **{code: {"model": envelope.Refusal} for code in (*EVERYWHERE, 404)},
    },
)
async def events(
    here: At,
    run_id: RunId,
    asked: Annotated[NoQuery, Parameters()],
    last_event_id: Annotated[
        int | None,
        Header(alias="Last-Event-ID", ge=0, le=ID_MOST, description="The last one that was seen."),
    ] = None,
) -> Response:
    """Follow a run live; `Last-Event-ID` goes on where a lost connection ended."""
    del asked
    run = await run_sync(seen, here, run_id)
    if run.finished_at is not None and last_event_id is not None:
        heads = await run_sync(here.services.events.heads, [run_id])
        if last_event_id == heads[run_id].newest:
            return Response(status_code=204)  # a browser would ask again for ever
    frames = await here.door.hub.stream(run_id, last_event_id=last_event_id)
    return StreamingResponse(frames, media_type=MEDIA_TYPE, headers=HEADERS)


@router.post("/{run_id}/pause", responses=documented(404, 409, 413, 415, model=shapes.Run))
def pause(here: At, run_id: RunId, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Put a run down after the requests in hand; it keeps its place."""
    del asked
    return _steered(here, run_id, verb=here.services.ordering.pause, words="pauses")


@router.post("/{run_id}/resume", responses=documented(404, 409, 413, 415, model=shapes.Run))
def resume(here: At, run_id: RunId, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Go on with a paused or waiting run now."""
    del asked
    return _steered(here, run_id, verb=here.services.ordering.resume, words="goes on")


@router.post("/{run_id}/cancel", responses=documented(404, 409, 413, 415, model=shapes.Run))
def cancel(here: At, run_id: RunId, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """End a run after the requests in hand; what was sent stays."""
    del asked
    return _steered(here, run_id, verb=here.services.ordering.cancel, words="ends")


def _steered(here: Here, run_id: int, *, verb: Callable[..., Run], words: str) -> Response:
    run = verb(run_id, by=here.by)
    entry = entries_of(here, [run])[0]
    return here.answer(entry, message=f"Run {run_id} {words}: {run.state}.")


def seen(here: Here, run_id: int) -> Run:
    """Return a run.

    Raises:
        NotFound: There is none of that number.
    """
    run = here.services.runs.get(run_id)
    if run is None:
        raise NotFound(what=f"run {run_id}")
    return run


def entries_of(here: Here, runs: list[Run]) -> list[dict[str, object]]:
    """Return runs as programs read them."""
    services = here.services
    causes = services.runs.causes([run.id for run in runs])
    paces = services.paces(runs)
    return [
        run_entry(run, office=services.office, causes=causes[run.id], pace=paces.get(run.id))
        for run in runs
    ]


def place_of(cursor: str | None, *, name: str) -> int | None:
    """Return the place a cursor stands for.

    Raises:
        Wrong: It is none of this list's.
    """
    try:
        return place_in(cursor, name=name)
    except (ValueError, KeyError, TypeError):
        raise wrong(field="cursor", problem=CURSOR_WORDS, got=cursor) from None
