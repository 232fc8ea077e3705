"""Which product takes which fee, and when runs start by themselves."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Response
from fastapi import Query as Parameters
from pydantic import Field

from application.api import settings_shapes as shapes
from application.api.door import ID_MOST, At, Here, NoQuery, Query, Strict, documented
from application.api.once import Once
from application.services.schedule import Schedule, of_shape, shape_of
from application.shown.mapping import chosen_entry, mapping_entry

router = APIRouter(prefix="/api/v1/settings", tags=["settings"], route_class=Once)
FeeCategory = Annotated[int, Path(ge=-ID_MOST, le=ID_MOST, description="Number of the fee.")]


class Unmapped(Query):
    """Which rows."""

    unmapped: bool = Field(default=False, description="Only fees without a product.")


class Choice(Strict):
    """The product that takes a fee; null goes back to the one of the same name."""

    item_id: str | None = Field(max_length=40)


class Scheduled(Strict):
    """When runs start: `cron`, or `days` and `from`; `to` closes a night's window."""

    enabled: bool = True
    cron: str | None = Field(default=None, max_length=120, description="Five fields, office time.")
    days: list[str] | None = Field(default=None, max_length=7, description="`mon` to `sun`.")
    from_: str | None = Field(default=None, alias="from", max_length=5, description="As `20:00`.")
    to: str | None = Field(default=None, max_length=5, description="As `06:00`.")
    batch_size: int | None = Field(default=None, ge=1, le=100)
    max_batches: int | None = Field(default=None, ge=1, le=1_000_000, description="A night's most.")


@router.get("/mapping", responses=documented(409, model=shapes.Mapping))
def mapping(here: At, asked: Annotated[Unmapped, Parameters()]) -> Response:
    """List fee categories in use and the products that take them."""
    return _mapped(here, unmapped=asked.unmapped)


@router.post("/mapping/refresh", responses=documented(409, 413, 415, model=shapes.Mapping))
def refresh(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Read products and preferences from QuickBooks again."""
    del asked
    here.services.read_company()
    return _mapped(here, unmapped=False)


def _mapped(here: Here, *, unmapped: bool) -> Response:
    page = here.services.mapping.rows(unmapped=unmapped)
    entry = mapping_entry(page, office=here.services.office)
    return here.answer(entry, message=f"{page.mapped} of {page.total} fees have a product.")


@router.put(
    "/mapping/{fee_category}", responses=documented(404, 409, 413, 415, model=shapes.ChosenRow)
)
def choose(
    here: At,
    fee_category: FeeCategory,
    query: Annotated[NoQuery, Parameters()],
    asked: Annotated[Choice, Body()],
) -> Response:
    """Let a product take a fee, or with null go back to the product of the same name."""
    del query
    chosen = (
        here.services.mapping.clear(fee_category, by=here.by)
        if asked.item_id is None
        else here.services.mapping.choose(fee_category, item_id=asked.item_id, by=here.by)
    )
    entry = chosen_entry(chosen)
    words = f"{chosen.now_look_fixed} failed invoices now look fixed."
    return here.answer(entry, message=words)


@router.get("/schedule", responses=documented(model=shapes.Schedule))
def schedule(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Show when runs start by themselves."""
    del asked
    return _shown(here, here.door.schedule.get())


@router.put("/schedule", responses=documented(413, 415, model=shapes.Schedule))
def set_schedule(
    here: At, query: Annotated[NoQuery, Parameters()], asked: Annotated[Scheduled, Body()]
) -> Response:
    """Set when runs start by themselves."""
    del query
    terms = of_shape(asked.model_dump(by_alias=True))
    return _shown(here, here.door.schedule.save(terms, by=here.by))


@router.post("/schedule/pause", responses=documented(404, 409, 413, 415, model=shapes.Schedule))
def pause(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Start no run until the schedule is resumed; a run at work goes on."""
    del asked
    return _shown(here, here.door.schedule.pause(by=here.by))


@router.post("/schedule/resume", responses=documented(404, 409, 413, 415, model=shapes.Schedule))
def resume(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Start runs again."""
    del asked
    return _shown(here, here.door.schedule.resume(by=here.by))


def _shown(here: Here, now: Schedule | None) -> Response:
    entry: dict[str, Any] = shape_of(now, here.door.schedule.next_run_at())
    when = entry["next_run_at"]
    words = f"Next run {when:%a %d %b %H:%M}." if when else "No run starts by itself."
    return here.answer(entry, message=words)
