"""Runs as rows: what one says, how its state moves, and the line and the event each move leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from application.store.audit import Actor, Audit, Entry, actor_of
from application.store.columns import json_object, maybe_clean
from application.store.events import add_events
from application.store.schema import runs
from application.store.tables import Store
from application.store.usage import Spending
from application.world import World

QUEUED = "queued"
RUNNING = "running"
PAUSED = "paused"
STOPPING = "stopping"
FINISHED = "finished"
CANCELLED = "cancelled"
DEAD = "failed"
WAITING = ("waiting_connection", "waiting_quickbooks", "waiting_mis")
PROCESS_ENDED = "process_ended"
_ROW = select(runs).where(runs.c.id == bindparam("run_id"))
_LOCKED_ROW = _ROW.with_for_update()
_MOVE = update(runs).where(runs.c.id == bindparam("b_id"), runs.c.state == bindparam("b_state"))


@dataclass(frozen=True, slots=True)
class Run:
    """One run as it stands."""

    id: int
    kind: str
    state: str  # queued, running, paused, waiting_…, stopping; final: finished, cancelled, failed
    by: Actor
    arguments: Mapping[str, Any]
    cut_off_id: int | None
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    total: int
    processed: int
    successful: int
    failed: int
    unsettled: int
    environment: str
    company: str | None
    realm_tag: str
    holder: str
    cause: str | None  # why it waits or ended early
    asked: str | None  # pause or cancel, until the sender has seen it
    durable: bool  # any process may go on with it
    sole: bool  # the one long run of its realm
    turn: int  # rises when it is handed out anew; whoever holds an older turn has lost it
    wake_at: datetime | None
    resumed: int
    throttled_ms: int
    asked_of_quickbooks: Spending

    @property
    def ids(self) -> tuple[int, ...] | None:
        """The invoices a person chose, or None where it takes what waits."""
        chosen = self.arguments.get("ids")
        return None if chosen is None else tuple(int(one) for one in chosen)


class RunBook:
    """What every part of the runs writes with."""

    def __init__(self, store: Store, *, audit: Audit, world: World) -> None:
        self._store = store
        self._audit = audit
        self._world = world

    def get(self, run_id: int) -> Run | None:
        """Return a run; None where there is none of that number."""
        with self._store.read() as connection:
            row = connection.execute(_ROW, {"run_id": run_id}).first()
        return None if row is None else run_of(row)

    def _change(
        self,
        connection: Connection,
        row: Row[Any],
        *,
        state: str,
        by: Actor,
        cause: str | None = None,
        **values: object,
    ) -> None:
        """Move a run that is locked to another state, with its audit line and its event."""
        now = self._store.moment(connection)
        ended = state in {FINISHED, CANCELLED, DEAD}
        values |= {"state": state, "open": not ended, "cause": maybe_clean(cause, most=80)}
        if ended:
            values |= {"finished_at": now, "sole": None, "wake_at": None, "asked": None}
        elif row.started_at is None and state == RUNNING:
            values["started_at"] = now
        connection.execute(_MOVE, {**values, "b_id": row.id, "b_state": row.state})
        if state != row.state or values.get("resumed", row.resumed) != row.resumed:
            told = event_of(row, state=state, cause=cause, now=now)
            if told is not None:
                add_events(connection, row.id, [told], at=now)
        self.line(
            connection, f"run.{state}", row.id, by=by, tag=row.realm_tag, cause=cause, row=row
        )

    def line(
        self,
        connection: Connection,
        action: str,
        run_id: int,
        *,
        by: Actor,
        tag: str | None,
        cause: str | None = None,
        kind: str | None = None,
        row: Row[Any] | None = None,
    ) -> None:
        """Append the audit line of a change, last in its transaction."""
        after: dict[str, object] = {} if kind is None else {"kind": kind}
        if row is not None:
            after = {
                "processed": row.processed,
                "successful": row.successful,
                "failed": row.failed,
                "unsettled": row.unsettled,
            }
        actor = Actor(by.name, by.source, by.address, by.run_id or run_id, by.process)
        self._audit.append(
            connection,
            Entry(
                action=action,
                subject=f"run {run_id}",
                by=actor,
                before=None if row is None else {"state": row.state},
                after=after or None,
                realm_tag=tag,
                cause=cause,
            ),
        )


def event_of(
    row: Row[Any], *, state: str, cause: str | None, now: datetime
) -> tuple[str, dict[str, object]] | None:
    """Return what a live view is told of a move, or None where it shows nothing."""
    if state == RUNNING:
        name = "run.started" if row.started_at is None else "run.resumed"
        return name, {"run_id": row.id, "kind": row.kind, "state": state}
    if state == PAUSED or state in WAITING:
        reason = "person" if state == PAUSED else state
        return "run.paused", {"run_id": row.id, "reason": reason, "error_code": cause}
    if state not in {FINISHED, CANCELLED, DEAD}:
        return None
    return "run.finished", {
        "id": row.id,
        "kind": row.kind,
        "state": state,
        "started_by": actor_of(row.actor).name,
        "started_at": row.started_at.isoformat() if row.started_at else None,
        "finished_at": now.isoformat(),
        "environment": row.environment,
        "company": row.company,
        "total": row.total,
        "processed": row.processed,
        "successful": row.successful,
        "failed": row.failed,
        "unsettled": row.unsettled,
        "resumed": row.resumed,
        "error_code": cause,
    }


def locked(connection: Connection, run_id: int) -> Row[Any] | None:
    """Return a run's row, which nobody else changes before this transaction ends."""
    return connection.execute(_LOCKED_ROW, {"run_id": run_id}).first()


def run_of(row: Row[Any]) -> Run:
    """Return a stored run."""
    return Run(
        id=row.id,
        kind=row.kind,
        state=row.state,
        by=actor_of(row.actor),
        arguments=json_object(row.arguments),
        cut_off_id=row.cut_off_id,
        asked_at=row.asked_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        total=row.total,
        processed=row.processed,
        successful=row.successful,
        failed=row.failed,
        unsettled=row.unsettled,
        environment=row.environment,
        company=row.company,
        realm_tag=row.realm_tag or "",
        holder=row.holder,
        cause=row.cause,
        asked=row.asked,
        durable=bool(row.durable),
        sole=row.sole is not None,
        turn=row.turn,
        wake_at=row.wake_at,
        resumed=row.resumed,
        throttled_ms=row.throttled_ms,
        asked_of_quickbooks=Spending(requests=row.requests, reads=row.metered_reads),
    )
