"""What every endpoint has at hand: the services, the live views, who asks, under which request."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from application.api import envelope
from application.api.live import Hub
from application.services.access import Visitor
from application.services.doorway import Repeats
from application.services.reports import Actor
from application.services.roles import Role
from application.services.schedule import Timetable
from application.wiring import Services

SOON: Final = {"Retry-After": "5"}
ID_MOST: Final = 2**63 - 1
EVERYWHERE: Final = (400, 401, 403, 405, 422, 429, 500, 503)


@dataclass(frozen=True, slots=True)
class Door:
    """The REST interface of one server."""

    services: Services
    hub: Hub
    start: str  # name of this start of the server, so that a later one knows what died with it

    @property
    def repeats(self) -> Repeats:
        """Requests that may come again."""
        return self.services.repeats

    @property
    def schedule(self) -> Timetable:
        """When runs start by themselves."""
        return self.services.schedule


@dataclass(frozen=True, slots=True)
class Repeatable:
    """This request carries an `Idempotency-Key`."""

    id: int
    request_sha256: str


class Here:
    """One request on its way through an endpoint."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.door: Door = request.app.state.door
        self.services: Services = self.door.services

    @property
    def visitor(self) -> Visitor:
        """Who asks."""
        visitor: Visitor = self.request.state.visitor
        return visitor

    @property
    def request_id(self) -> str:
        """Under which this request is found again."""
        known: str = self.request.state.request_id
        return known

    @property
    def once(self) -> Repeatable | None:
        """What a repeat of this request is known by, where it carries a key."""
        known: Repeatable | None = getattr(self.request.state, "once", None)
        return known

    @property
    def by(self) -> Actor:
        """Who asks, as the audit log names them."""
        return self.services.actor("api", name=self.visitor.name, address=self.request.state.peer)

    @property
    def actor_key(self) -> str:
        """Who asks, told apart from everybody else who may carry the same name."""
        key_id = self.visitor.key_id
        return self.visitor.name if key_id is None else f"key {key_id}"

    @property
    def hidden(self) -> bool:
        """Whether e-mail and phone are masked for whoever asks."""
        return self.visitor.role is Role.VIEWER

    @property
    def now(self) -> datetime:
        """The present instant in office time."""
        now: datetime = self.services.world.clock.now()
        return now.astimezone(self.services.office)

    def since(self, day: date | None) -> datetime | None:
        """Return when a day of the office begins."""
        if day is None:
            return None
        return datetime.combine(day, time(), tzinfo=self.services.office)

    def until(self, day: date | None) -> datetime | None:
        """Return when a day of the office ends."""
        if day is None or day == date.max:
            return None
        return self.since(day + timedelta(days=1))

    def answer(
        self,
        content: object,
        *,
        message: str,
        meta: Mapping[str, object] | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return an answer in the envelope.

        Args:
            content: What stands under `data`.
            message: One full sentence.
            meta: What goes beside the standing entries of `meta`.
            status: 200 or 202.
            headers: More of them.
        """
        body = envelope.success(
            content, message=message, request_id=self.request_id, now=self.now, meta=meta
        )
        return Response(body, status, dict(headers or {}), envelope.JSON)


def here(request: Request) -> Here:
    """Return what an endpoint has at hand."""
    return Here(request)


At = Annotated[Here, Depends(here)]


class Strict(BaseModel):
    """A body: every name known, no value bent into another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """A request's parameters: every name known; text becomes a number where it is one."""

    model_config = ConfigDict(extra="forbid")


class NoQuery(Query):
    """No parameter at all."""


class Listing(Query):
    """Which page of a list."""

    limit: int = Field(default=50, ge=1, le=100, description="How many to return.")
    cursor: str | None = Field(
        default=None, max_length=400, description="`next_cursor` of the page before."
    )


def cursor_of(**place: object) -> str:
    """Return a place in a list as a caller hands it back."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_in(cursor: str | None, *, name: str) -> int | None:
    """Return the number a cursor of ours stands for.

    Raises:
        ValueError: It is none of ours.
    """
    if cursor is None:
        return None
    text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
    value = json.loads(text)[name]
    if type(value) is not int or not 0 <= value <= ID_MOST:
        raise ValueError(cursor)
    return value


def documented(*statuses: int, model: Any, **more: Any) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401 - FastAPI's own loose type
    """Return the answers an endpoint may give, for its description.

    Args:
        statuses: Those beyond the ones every endpoint may give.
        model: What stands under `data`.
        more: Further answers by name: `accepted` adds 202.
    """
    refused = {
        "model": envelope.Refusal,
        "content": {envelope.PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    answers: dict[int | str, dict[str, Any]] = dict.fromkeys(
        sorted({*EVERYWHERE, *statuses}), refused
    )
    answers[200] = {"model": envelope.Success[model]}
    if more.get("accepted"):
        answers[202] = {"model": envelope.Success[model]}
    return answers
