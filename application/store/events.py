"""live events: what views are told of a run; ids of one run become visible in their order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    func,
    insert,
    or_,
    select,
    type_coerce,
)

from application.catalogue import NotFound
from application.store.columns import clean, json_object
from application.store.door_schema import run_events
from application.store.purging import purge
from application.store.schema import runs
from application.store.tables import Store
from application.world import World

PAGE: Final = 500
MINUTE: Final = 60_000_000  # as instants are stored
PROGRESS: Final = "run.progress"
STATES: Final = ("run.started", "run.paused", "run.resumed", "run.finished")
_LOCKED_RUN = select(runs.c.id).where(runs.c.id == bindparam("run_id")).with_for_update()
_EVENTS = insert(run_events)

Item = tuple[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a live view is told."""

    id: int
    run_id: int
    event: str
    content: Mapping[str, object]
    at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """How far a run has come, seen in one look."""

    newest: int = 0  # id of its newest event; 0 without any
    over: bool = True  # no event follows; also of a run nobody knows


class Events:
    """The news of runs. They are derived from what is audited elsewhere, so no audit lines."""

    def __init__(self, store: Store, *, world: World) -> None:
        self._store = store
        self._world = world

    def write(self, run_id: int, items: Sequence[Item]) -> None:
        """Tell something of a run.

        Raises:
            NotFound: There is no such run.
        """

        def work(connection: Connection) -> None:
            insert_events(connection, run_id, items, at=self._store.moment(connection))

        self._store.write(work)

    def after(
        self,
        last_id: int,
        *,
        run_id: int | None = None,
        limit: int = PAGE,
        progress_from: int = 0,
    ) -> list[Event]:
        """Return events with a higher id, in order.

        Args:
            last_id: The last one seen.
            run_id: Of one run, where nothing is ever missed. Over all runs an id may appear after
                a higher one of another run; whoever follows several runs follows each of them.
            limit: At most that many.
            progress_from: Leave out progress that newer progress has replaced, up to this id.
        """
        query = select(run_events).where(run_events.c.id > last_id)
        if run_id is not None:
            query = query.where(run_events.c.run_id == run_id)
        if progress_from:
            query = query.where(
                or_(run_events.c.event != PROGRESS, run_events.c.id >= progress_from)
            )
        return self._all(query.order_by(run_events.c.id).limit(limit))

    def present(self, run_id: int, *, up_to: int) -> list[Event]:
        """Return the events that tell how a run stands: its last change of state, its progress."""
        newest = [
            select(func.max(run_events.c.id)).where(
                run_events.c.run_id == run_id, run_events.c.id <= up_to, which
            )
            for which in (run_events.c.event.in_(STATES), run_events.c.event == PROGRESS)
        ]
        with self._store.read() as connection:
            ids = [connection.execute(query).scalar_one() for query in newest]
        known = sorted(one for one in ids if one is not None)
        return self._all(
            select(run_events).where(run_events.c.id.in_(known)).order_by(run_events.c.id)
        )

    def newest_of(self, run_id: int, names: Sequence[str], *, limit: int) -> list[Event]:
        """Return the newest events of these names, newest first."""
        return self._all(
            select(run_events)
            .where(run_events.c.run_id == run_id, run_events.c.event.in_(list(names)))
            .order_by(run_events.c.id.desc())
            .limit(limit)
        )

    def minute_ends(self, run_id: int, *, most: int) -> list[Event]:
        """Return the last progress of each of the newest minutes, oldest first."""
        minute = type_coerce(run_events.c.at, BigInteger) // MINUTE
        last = (
            select(func.max(run_events.c.id).label("id"))
            .where(run_events.c.run_id == run_id, run_events.c.event == PROGRESS)
            .group_by(minute)
            .order_by(func.max(run_events.c.id).desc())
            .limit(most)
            .subquery()
        )
        query = select(run_events).join(last, last.c.id == run_events.c.id)
        return self._all(query.order_by(run_events.c.id))

    def newest_progress(self, run_id: int) -> int:
        """Return the id of a run's last progress; 0 without any."""
        return self._newest(run_events.c.run_id == run_id, run_events.c.event == PROGRESS)

    def heads(self, run_ids: Iterable[int]) -> dict[int, Head]:
        """Return how far runs have come; a run nobody knows is left out.

        One statement sees the state and the newest event together: where a run is over, every
        event it will ever have is there.
        """
        newest = (
            select(func.max(run_events.c.id))
            .where(run_events.c.run_id == runs.c.id)
            .scalar_subquery()
        )
        query = select(runs.c.id, runs.c.open, newest.label("newest")).where(
            runs.c.id.in_(list(run_ids))
        )
        with self._store.read() as connection:
            return {
                row.id: Head(newest=row.newest or 0, over=not row.open)
                for row in connection.execute(query)
            }

    def knows(self, event_id: int, *, run_id: int) -> bool:
        """Return whether it is the id of an event of that run."""
        query = select(run_events.c.id).where(
            run_events.c.run_id == run_id, run_events.c.id == event_id
        )
        with self._store.read() as connection:
            return connection.execute(query).first() is not None

    def newest_id(self) -> int:
        """Return the highest id that can be seen now; 0 without any."""
        return self._newest()

    def purge(self, before: datetime) -> int:
        """Forget events older than that of runs that have ended, and return how many."""
        ended = select(runs.c.id).where(runs.c.id == run_events.c.run_id, runs.c.open.is_(True))
        old = (
            select(run_events.c.id)
            .where(run_events.c.at < before, ~ended.exists())
            .order_by(run_events.c.id)
        )
        return purge(self._store, run_events.c.id, old=old)

    def _newest(self, *which: ColumnElement[bool]) -> int:
        query = select(func.max(run_events.c.id)).where(*which)
        with self._store.read() as connection:
            return connection.execute(query).scalar_one() or 0

    def _all(self, query: Select[Any]) -> list[Event]:
        with self._store.read() as connection:
            return [_event(row) for row in connection.execute(query)]


def insert_events(connection: Connection, run_id: int, items: Sequence[Item], at: datetime) -> None:
    """Write events of a run inside the caller's transaction.

    It takes the run's row first. Who comes second then draws its ids only after the first has
    committed, so of one run no id ever becomes visible after a higher one.

    Raises:
        NotFound: There is no such run.
    """
    if not items:
        return
    if connection.execute(_LOCKED_RUN, {"run_id": run_id}).first() is None:
        raise NotFound(what=f"run {run_id}")
    add_events(connection, run_id, items, at=at)


def add_events(connection: Connection, run_id: int, items: Sequence[Item], at: datetime) -> None:
    """Write events of a run whose row this transaction holds already."""
    rows = [
        {"run_id": run_id, "event": clean(event, most=40), "content": dict(content), "at": at}
        for event, content in items
    ]
    connection.execute(_EVENTS, rows)


def _event(row: Row[Any]) -> Event:
    return Event(
        id=row.id,
        run_id=row.run_id,
        event=row.event,
        content=json_object(row.content),
        at=row.at,
    )
