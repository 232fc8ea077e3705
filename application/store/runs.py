"""runs of any kind: asked for, begun, counted, ended; what people ask of them meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from application.store.audit import Actor, Audit, Entry, actor_json, actor_of
from application.store.columns import clean, json_object, maybe_clean
from application.store.records import refusal_of
from application.store.schema import refusals, runs
from application.store.tables import Store
from application.world import World

QUEUED = "queued"
RUNNING = "running"
DEAD = "failed"
PROCESS_ENDED = "process_ended"
_FAILURES = 10_000
_ZERO = dict.fromkeys(("total", "processed", "successful", "failed", "unsettled"), 0)


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
    cause: str | None
    asked: str | None  # pause, cancel or resume, until the sender has seen it


@dataclass(frozen=True, slots=True)
class RunFailure:
    """One invoice a run refused."""

    invoice_id: int
    cause: str
    facts: Mapping[str, str]
    at: datetime


class Runs:
    """Every run, of whichever door."""

    def __init__(self, store: Store, *, audit: Audit, world: World) -> None:
        self._store = store
        self._audit = audit
        self._world = world

    def open(
        self,
        *,
        kind: str,
        by: Actor,
        environment: str,
        realm_tag: str,
        holder: str,
        state: str = RUNNING,
        arguments: Mapping[str, object] | None = None,
        cut_off_id: int | None = None,
        company: str | None = None,
    ) -> Run:
        """Write down that a run was asked for, and return it with its number."""
        values = {
            "kind": kind,
            "state": state,
            "open": True,
            "actor": actor_json(by),
            "arguments": dict(arguments or {}),
            "cut_off_id": cut_off_id,
            "environment": environment,
            "company": maybe_clean(company, most=200),
            "realm_tag": realm_tag,
            "holder": clean(holder, most=120),
        }

        def work(connection: Connection) -> int:
            now = self._store.moment(connection)
            times = {"asked_at": now, "started_at": now if state == RUNNING else None}
            made = connection.execute(insert(runs).values(**values, **_ZERO, **times))
            key = made.inserted_primary_key
            run_id = int(key[0]) if key else 0
            self._line(connection, f"run.{state}", run_id, by=by, tag=realm_tag, kind=kind)
            return run_id

        run = self.get(self._store.write(work))
        if run is None:
            raise AssertionError  # it was durable a moment ago
        return run

    def begin(self, run_id: int) -> bool:
        """Return whether a queued run is ours to drive now; one of several askers gets True."""

        def work(connection: Connection) -> bool:
            now = self._store.moment(connection)
            row = _locked(connection, run_id)
            if row is None or row.state != QUEUED:
                return False
            connection.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.state == QUEUED)
                .values(state=RUNNING, started_at=now)
            )
            self._line(connection, "run.running", run_id, by=actor_of(row.actor), tag=row.realm_tag)
            return True

        return self._store.write(work)

    def count(
        self,
        run_id: int,
        *,
        processed: int,
        successful: int,
        failed: int,
        unsettled: int,
        total: int | None = None,
    ) -> None:
        """Make a run's figures visible. They are counts of other changes, so no audit line."""
        values = {
            "processed": processed,
            "successful": successful,
            "failed": failed,
            "unsettled": unsettled,
        }
        if total is not None:
            values["total"] = total

        def work(connection: Connection) -> None:
            connection.execute(
                update(runs).where(runs.c.id == run_id, runs.c.open.is_(True)).values(**values)
            )

        self._store.write(work)

    def state(self, run_id: int, new: str, *, by: Actor) -> bool:
        """Change the state of a run that has not ended; return whether it changed."""
        return self._move(run_id, state=new, by=by, ended=False, cause=None)

    def finish(self, run_id: int, *, state: str, cause: str | None = None, by: Actor) -> bool:
        """End a run; return False where it had ended before."""
        return self._move(run_id, state=state, by=by, ended=True, cause=cause)

    def get(self, run_id: int) -> Run | None:
        """Return a run; None where there is none of that number."""
        with self._store.read() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
        return None if row is None else _run(row)

    def recent(self, *, limit: int = 20, after: int | None = None) -> list[Run]:
        """Return runs, newest first, from the one before `after`."""
        query = select(runs).order_by(runs.c.id.desc()).limit(limit)
        if after is not None:
            query = query.where(runs.c.id < after)
        return self._all(query)

    def open_runs(self, realm_tag: str | None = None) -> list[Run]:
        """Return runs that have not ended, oldest first."""
        query = select(runs).where(runs.c.open.is_(True)).order_by(runs.c.id)
        if realm_tag is not None:
            query = query.where(runs.c.realm_tag == realm_tag)
        return self._all(query)

    def queued(self, realm_tag: str) -> list[Run]:
        """Return runs that wait for the realm's sender, oldest first."""
        return [run for run in self.open_runs(realm_tag) if run.state == QUEUED]

    def close_dead(self, *, realm_tag: str, alive: int | None, by: Actor) -> list[int]:
        """End runs whose process is gone; only the holder of the realm's lease may say so.

        Args:
            realm_tag: The realm whose lease the caller holds.
            alive: The caller's own run.
            by: Who closes them.
        """
        dead = [
            run.id for run in self.open_runs(realm_tag) if run.id != alive and run.state != QUEUED
        ]
        return [
            one
            for one in dead
            if self._move(one, state=DEAD, by=by, ended=True, cause=PROCESS_ENDED)
        ]

    def ask(self, run_id: int, wish: str, *, by: Actor) -> bool:
        """Leave a wish (pause, cancel, resume) for the sender; False where the run has ended."""

        def work(connection: Connection) -> bool:
            row = _locked(connection, run_id)
            if row is None or not row.open:
                return False
            connection.execute(
                update(runs).where(runs.c.id == run_id, runs.c.open.is_(True)).values(asked=wish)
            )
            self._line(connection, f"run.{wish}_asked", run_id, by=by, tag=row.realm_tag)
            return True

        return self._store.write(work)

    def asked(self, run_id: int) -> str | None:
        """Return what a person last asked of a run."""
        with self._store.read() as connection:
            return connection.execute(
                select(runs.c.asked).where(runs.c.id == run_id)
            ).scalar_one_or_none()

    def failures(self, run_id: int) -> Sequence[RunFailure]:
        """Return the invoices a run refused, each with its last refusal in that run."""
        query = (
            select(refusals)
            .where(refusals.c.run_id == run_id, refusals.c.invoice_id.is_not(None))
            .order_by(refusals.c.id)
            .limit(_FAILURES)
        )
        with self._store.read() as connection:
            last = {row.invoice_id: refusal_of(row) for row in connection.execute(query)}
        return [RunFailure(one, kept.cause, kept.facts, kept.at) for one, kept in last.items()]

    def _all(self, query: Any) -> list[Run]:  # noqa: ANN401 - a statement's type names every column
        with self._store.read() as connection:
            return [_run(row) for row in connection.execute(query)]

    def _move(self, run_id: int, *, state: str, by: Actor, ended: bool, cause: str | None) -> bool:
        def work(connection: Connection) -> bool:
            now = self._store.moment(connection)
            row = _locked(connection, run_id)
            if row is None or not row.open or (row.state == state and not ended):
                return False
            values: dict[str, object] = {"state": state, "open": not ended}
            if ended:
                values |= {"finished_at": now, "cause": maybe_clean(cause, most=80)}
            elif row.started_at is None and state == RUNNING:
                values["started_at"] = now
            connection.execute(
                update(runs).where(runs.c.id == run_id, runs.c.state == row.state).values(**values)
            )
            self._line(
                connection, f"run.{state}", run_id, by=by, tag=row.realm_tag, cause=cause, row=row
            )
            return True

        return self._store.write(work)

    def _line(
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


def _locked(connection: Connection, run_id: int) -> Row[Any] | None:
    query = select(runs).where(runs.c.id == run_id).with_for_update()
    return connection.execute(query).first()


def _run(row: Row[Any]) -> Run:
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
    )
