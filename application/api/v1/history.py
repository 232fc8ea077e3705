"""The audit log: read, verified, exported."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Query as Parameters
from fastapi.responses import StreamingResponse
from pydantic import Field

from application.api import envelope, shapes
from application.api.door import (
    EVERYWHERE,
    ID_MOST,
    At,
    Listing,
    NoQuery,
    Query,
    cursor_of,
    documented,
)
from application.api.once import Once
from application.api.v1.runs import place_of
from application.services.auditing import Sought

router = APIRouter(prefix="/api/v1/sync/audit", tags=["audit"], route_class=Once)
LINES = "application/x-ndjson"


class Searched(Listing):
    """Which entries."""

    invoice_id: int | None = Field(default=None, ge=1, le=ID_MOST, description="About one invoice.")
    actor: str | None = Field(default=None, max_length=120, description="Who did it.")
    action: str | None = Field(
        default=None, max_length=60, description="As `invoice.synced`, or all of `invoice.`"
    )
    since: date | None = Field(default=None, alias="from", description="On or after.")
    until: date | None = Field(default=None, alias="to", description="On or before.")


class Month(Query):
    """Which month."""

    month: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="As `2026-01`, in UTC.")


@router.get("", responses=documented(model=shapes.Entries))
def listed(here: At, asked: Annotated[Searched, Parameters()]) -> Response:
    """List entries, newest first."""
    page = here.services.auditing.entries(
        Sought(
            invoice_id=asked.invoice_id,
            actor=asked.actor,
            action=asked.action,
            since=here.since(asked.since),
            until=here.until(asked.until),
        ),
        limit=asked.limit,
        before=place_of(asked.cursor, name="entry"),
    )
    entries = [
        {**asdict(one), "at": one.at.astimezone(here.services.office)} for one in page.entries
    ]
    return here.answer(
        {"entries": entries, "count": len(entries)},
        message="1 entry." if len(entries) == 1 else f"{len(entries)} entries.",
        meta={"next_cursor": None if page.before is None else cursor_of(entry=page.before)},
    )


@router.get("/verify", responses=documented(model=shapes.Chain))
def verify(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Walk the whole chain and name the first entry that is not as it was written."""
    del asked
    seen = here.services.auditing.verify()
    words = "intact" if seen.intact else f"broken at entry {seen.first_bad}: {seen.problem}"
    return here.answer(
        {
            "intact": seen.intact,
            "entries": seen.entries,
            "head": seen.head,
            "first_bad": seen.first_bad,
        },
        message=f"Chain {words}.",
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {"content": {LINES: {"schema": {"type": "string"}}}},
        **{code: {"model": envelope.Refusal} for code in (*EVERYWHERE, 404)},
    },
)
def export(here: At, asked: Annotated[Month, Parameters()]) -> StreamingResponse:
    """Write a month's entries, one JSON document a line; the last line holds their SHA-256."""
    lines = here.services.auditing.export(asked.month)
    return StreamingResponse(lines, media_type=LINES)
