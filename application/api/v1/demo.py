"""The demo's controls: listed, begun, ended; there are none where QuickBooks is real."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Response
from fastapi import Query as Parameters
from pydantic import Field

from application.api import demo_shapes as shapes
from application.api.door import ID_MOST, At, Here, NoQuery, Strict, documented
from application.api.once import Once
from application.shown.stage import control_entry
from application.stage.controls import Done

router = APIRouter(prefix="/api/v1/demo", tags=["demo"], route_class=Once)
Name = Annotated[
    str, Path(max_length=40, pattern="^[a-z-]+$", description="`name` of the control.")
]


class Start(Strict):
    """What a control is done to."""

    invoice_id: int | None = Field(
        default=None,
        ge=0,
        le=ID_MOST,
        description="Which failed invoice to mend, where `takes_invoice`; else the first.",
    )


@router.get("", responses=documented(404, model=shapes.DemoControls))
def controls(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """List what the demo lets you break and mend, and how each stands."""
    del asked
    seen = here.services.controls.seen()
    going = sum(one.state == "on" for one in seen)
    return here.answer(
        {"controls": [control_entry(one) for one in seen]},
        message=f"{len(seen)} controls, {going} at work.",
    )


@router.post("/{control}/start", responses=documented(404, 409, 413, 415, model=shapes.DemoControl))
def start(
    here: At,
    control: Name,
    query: Annotated[NoQuery, Parameters()],
    asked: Annotated[Start | None, Body()] = None,
) -> Response:
    """Do what a control does; `message` tells to what."""
    del query
    invoice_id = asked.invoice_id if asked is not None else None
    return _told(here, here.services.controls.start(control, by=here.by, invoice_id=invoice_id))


@router.post("/{control}/stop", responses=documented(404, 409, 413, 415, model=shapes.DemoControl))
def stop(here: At, control: Name, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """End what a control began, where it lasts."""
    del asked
    return _told(here, here.services.controls.stop(control, by=here.by))


def _told(here: Here, done: Done) -> Response:
    return here.answer(control_entry(done.seen), message=done.did)
