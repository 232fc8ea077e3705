"""runs of any kind: asked for, begun, counted, ended; what people ask of them meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from application.catalogue import RealmBusy
from application.store.audit import Actor, actor_json, actor_of
from application.store.columns import clean, maybe_clean
from application.store.events import add_events, insert_events
from application.store.records import refusal_of
from application.store.run_rows import (
    DEAD,
    PROCESS_ENDED,
    QUEUED,
    RUNNING,
    Run,
    locked,
    run_of,
)
from application.store.schema import intents, refusals, runs
from application.store.starts import Start, StartTaken, take
from application.store.tables import Clash
from application.store.turns import Turns
from application.store.usage import Spending

__all__ = ["Run", "RunFailure", "Runs"]

_FAILURES = 10_000
_REQUEST_LIFE = timedelta(hours=24)
# Built once: every run and every page of one runs them.
_NEW_RUN = insert(runs)
_CHANGE = update(runs).where(runs.c.id == bindparam("b_id"), runs.c.open.is_(True))
_ASKED = select(runs.c.asked, runs.c.open).where(runs.c.id == bindparam("run_id"))
_OPEN = select(runs).where(runs.c.open.is_(True)).order_by(runs.c.id)
_OPEN_OF = _OPEN.where(runs.c.realm_tag == bindparam("realm_tag"))
_ZERO = dict.fromkeys(("total", "processed", "successful", "failed", "unsettled"), 0)


@dataclass(frozen=True, slots=True)
class RunFailure:
    """One invoice a run refused."""

    invoice_id: int
    cause: str
    facts: Mapping[str, str]
    at: datetime
    attempts: int  # 0: nothing was sent


class Runs(Turns):
    """Every run, of whichever door."""

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
        durable: bool = False,
        sole: bool = False,
        total: int = 0,
        request_sha256: str | None = None,
        start: Start | None = None,
    ) -> Run:
        """Write down that a run was asked for, and return it with its number.

        Args:
            kind: batch, all, single, retry or settle.
            by: Who asked.
            environment: Of the company.
            realm_tag: The company.
            holder: Host and process that asked.
            state: `running`, or `queued` where somebody else is to begin it.
            arguments: What was asked for.
            cut_off_id: The highest id of the MIS at that moment.
            company: Its name, for people.
            durable: Whether any process may go on with it.
            sole: Whether it keeps other long runs of the realm out until it has ended.
            total: About how many invoices it will meet.
            request_sha256: The Idempotency-Key it was asked for with.
            start: The start of the schedule it is; taken with it, or neither is.

        Raises:
            StartTaken: Another server made this start.
            RealmBusy: A sole run was asked for and another one has not ended. Facts: run_id.
        """
        values = {
            "kind": kind,
            "state": state,
            "open": True,
            "actor": actor_json(by),
            "asked_by": clean(by.name, most=120),
            "arguments": dict(arguments or {}),
            "cut_off_id": cut_off_id,
            "environment": environment,
            "company": maybe_clean(company, most=200),
            "realm_tag": realm_tag,
            "holder": clean(holder, most=120),
            "durable": durable,
            "sole": 1 if sole else None,
            "request_sha256": request_sha256,
            **_ZERO,
            "total": total,
        }
        return self._opened(values, by=by, start=start)

    def _opened(self, values: Mapping[str, Any], *, by: Actor, start: Start | None) -> Run:
        def work(connection: Connection) -> int:
            if start is not None and not take(connection, start):
                raise StartTaken
            return self._open(connection, values, by=by)

        try:
            run = self.get(self._store.write(work))
        except Clash:
            other = self.sole(values["realm_tag"])
            known = {} if other is None else {"run_id": other.id, "state": other.state}
            raise RealmBusy(**known) from None
        if run is None:
            raise AssertionError  # it was durable a moment ago
        return run

    def _open(self, connection: Connection, values: Mapping[str, Any], *, by: Actor) -> int:
        now = self._store.moment(connection)
        kind, state = values["kind"], values["state"]
        times = {"asked_at": now, "started_at": now if state == RUNNING else None}
        made = connection.execute(_NEW_RUN, {**values, **times})
        key = made.inserted_primary_key
        run_id = int(key[0]) if key else 0
        if state == RUNNING:
            told = {"run_id": run_id, "kind": kind, "state": state}
            add_events(connection, run_id, [("run.started", told)], at=now)
        self.line(connection, f"run.{state}", run_id, by=by, tag=values["realm_tag"], kind=kind)
        return run_id

    def begin(self, run_id: int) -> bool:
        """Return whether a queued run is ours to drive now; one of several askers gets True."""

        def work(connection: Connection) -> bool:
            row = locked(connection, run_id)
            if row is None or row.state != QUEUED:
                return False
            self._change(connection, row, state=RUNNING, by=actor_of(row.actor))
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
        throttled_ms: int | None = None,
        spent: Spending | None = None,
        events: Sequence[tuple[str, Mapping[str, object]]] = (),
    ) -> None:
        """Make a run's figures and news visible. They follow other changes: no audit line."""
        values = {
            "processed": processed,
            "successful": successful,
            "failed": failed,
            "unsettled": unsettled,
        }
        if total is not None:
            values["total"] = total
        if throttled_ms is not None:
            values["throttled_ms"] = throttled_ms
        if spent is not None:
            values |= {"requests": spent.requests, "metered_reads": spent.reads}

        def work(connection: Connection) -> None:
            changed = connection.execute(_CHANGE, {**values, "b_id": run_id})
            if events:
                # A run that has ended was not changed, so its row is not taken yet.
                tell = add_events if changed.rowcount else insert_events
                tell(connection, run_id, events, at=self._store.moment(connection))

        self._store.write(work)

    def state(self, run_id: int, new: str, *, by: Actor) -> bool:
        """Change the state of a run that has not ended; return whether it changed."""
        return self._move(run_id, state=new, by=by, ended=False, cause=None)

    def finish(
        self,
        run_id: int,
        *,
        state: str,
        cause: str | None = None,
        by: Actor,
        turn: int | None = None,
    ) -> bool:
        """End a run; return False where it had ended before, or is in other hands by now.

        Args:
            run_id: The run.
            state: `finished`, `cancelled` or `failed`.
            cause: Why it ended early.
            by: Who ends it.
            turn: Only while it is handed out with this turn.
        """
        return self._move(run_id, state=state, by=by, ended=True, cause=cause, turn=turn)

    def recent(
        self,
        *,
        limit: int = 20,
        after: int | None = None,
        state: str | None = None,
        by: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Run]:
        """Return runs, newest first, from the one before `after`.

        Args:
            limit: At most so many.
            after: Only runs with a lower number.
            state: Only runs in this state.
            by: Only runs this person or program asked for.
            since: Only runs asked for from then on.
            until: Only runs asked for before then.
        """
        query = select(runs).order_by(runs.c.id.desc()).limit(limit)
        if after is not None:
            query = query.where(runs.c.id < after)
        if state is not None:
            query = query.where(runs.c.state == state)
        if by is not None:
            query = query.where(runs.c.asked_by == clean(by, most=120))
        if since is not None:
            query = query.where(runs.c.asked_at >= since)
        if until is not None:
            query = query.where(runs.c.asked_at < until)
        return self._all(query)

    def open_runs(self, realm_tag: str | None = None) -> list[Run]:
        """Return runs that have not ended, oldest first."""
        if realm_tag is None:
            return self._all(_OPEN)
        return self._all(_OPEN_OF, realm_tag=realm_tag)

    def queued(self, realm_tag: str) -> list[Run]:
        """Return runs that wait for the realm's sender, oldest first."""
        return [run for run in self.open_runs(realm_tag) if run.state == QUEUED]

    def of_request(self, request_sha256: str) -> Run | None:
        """Return the run a request with this Idempotency-Key began within the last 24 hours."""
        with self._store.read() as connection:
            since = self._store.moment(connection) - _REQUEST_LIFE
            query = (
                select(runs)
                .where(runs.c.request_sha256 == request_sha256, runs.c.asked_at > since)
                .order_by(runs.c.id.desc())
            )
            row = connection.execute(query).first()
        return None if row is None else run_of(row)

    def close_dead(self, *, realm_tag: str, alive: int | None, by: Actor) -> list[int]:
        """End runs whose process is gone; only the holder of the realm's lease may say so.

        A durable run is nobody's process: it is gone on with, not ended.

        Args:
            realm_tag: The realm whose lease the caller holds.
            alive: The caller's own run.
            by: Who closes them.
        """
        dead = [
            run.id
            for run in self.open_runs(realm_tag)
            if run.id != alive and run.state != QUEUED and not run.durable
        ]
        return [
            one
            for one in dead
            if self._move(one, state=DEAD, by=by, ended=True, cause=PROCESS_ENDED)
        ]

    def ask(self, run_id: int, wish: str, *, by: Actor) -> bool:
        """Leave a wish (pause, cancel, resume) for the sender; False where the run has ended."""

        def work(connection: Connection) -> bool:
            row = locked(connection, run_id)
            if row is None or not row.open:
                return False
            connection.execute(_CHANGE, {"asked": wish, "b_id": run_id})
            self.line(connection, f"run.{wish}_asked", run_id, by=by, tag=row.realm_tag)
            return True

        return self._store.write(work)

    def asked(self, run_id: int) -> str | None:
        """Return what a person last asked of a run; `cancel` where it has ended meanwhile."""
        with self._store.read() as connection:
            row = connection.execute(_ASKED, {"run_id": run_id}).first()
        if row is None or not row.open:
            return "cancel"
        wish: str | None = row.asked
        return wish

    def failures(
        self, run_id: int, *, after: int = 0, limit: int = _FAILURES
    ) -> Sequence[RunFailure]:
        """Return the invoices a run refused, by their ids, each with its last refusal in that run.

        Args:
            run_id: The run.
            after: Only invoices with a higher id.
            limit: At most so many.
        """
        last = (
            select(func.max(refusals.c.id))
            .where(refusals.c.run_id == run_id, refusals.c.invoice_id > after)
            .group_by(refusals.c.invoice_id)
            .order_by(refusals.c.invoice_id)
            .limit(limit)
        )
        with self._store.read() as connection:
            ids = list(connection.execute(last).scalars())
            query = (
                select(refusals, intents.c.tries)
                .outerjoin(intents, intents.c.id == refusals.c.intent_id)
                .where(refusals.c.id.in_(ids))
                .order_by(refusals.c.invoice_id)
            )
            rows = connection.execute(query).all()
        return [
            RunFailure(row.invoice_id, kept.cause, kept.facts, kept.at, row.tries or 0)
            for row in rows
            for kept in (refusal_of(row),)
        ]

    def causes(self, run_ids: Sequence[int]) -> dict[int, dict[str, int]]:
        """Return how many invoices each run refused for which cause."""
        count = func.count(refusals.c.invoice_id.distinct()).label("invoices")
        query = (
            select(refusals.c.run_id, refusals.c.cause, count)
            .where(refusals.c.run_id.in_(run_ids), refusals.c.invoice_id.is_not(None))
            .group_by(refusals.c.run_id, refusals.c.cause)
            .order_by(count.desc(), refusals.c.cause)
        )
        found: dict[int, dict[str, int]] = {run_id: {} for run_id in run_ids}
        with self._store.read() as connection:
            for row in connection.execute(query):
                found[row.run_id][row.cause] = row.invoices
        return found

    def _all(self, query: Any, **values: object) -> list[Run]:  # noqa: ANN401 - a statement's type names every column
        with self._store.read() as connection:
            return [run_of(row) for row in connection.execute(query, values)]

    def _move(
        self,
        run_id: int,
        *,
        state: str,
        by: Actor,
        ended: bool,
        cause: str | None,
        turn: int | None = None,
    ) -> bool:
        def work(connection: Connection) -> bool:
            row = locked(connection, run_id)
            if row is None or not row.open or (row.state == state and not ended):
                return False
            if turn is not None and row.turn != turn:
                return False
            self._change(connection, row, state=state, by=by, cause=cause)
            return True

        return self._store.write(work)
