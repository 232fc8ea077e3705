"""What stands under `data` in the answers about products and the schedule."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from application.api.shapes import Shape


class Suggested(Shape):
    """A product whose name is close."""

    item_id: str
    item: str


class MappingRow(Shape):
    """Which product takes one fee category."""

    fee_category: int
    fee: str | None
    item_id: str | None
    item: str | None
    source: Literal["person", "name", "created", "default", "none"]
    suggested: Suggested | None
    waiting: int
    failed: int


class ChosenRow(MappingRow):
    """A fee category after its product was chosen."""

    now_look_fixed: int


class Mapping(Shape):
    """Which product takes which fee category."""

    mapping: list[MappingRow]
    mapped: int
    total: int
    products_read_at: datetime | None


class Schedule(Shape):
    """When runs start by themselves."""

    enabled: bool
    cron: str | None
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] | None
    from_: str | None = Field(alias="from")
    to: str | None
    batch_size: int | None
    max_batches: int | None
    next_run_at: datetime | None
