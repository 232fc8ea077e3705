"""Durable runs from hand to hand: handed out, entered, put to rest; a turn fences former holders.

The state and its turn are compared in every change, so of several processes that reach for a run
one gets it, and one that slept through its turn changes nothing.
"""

from datetime import datetime

from sqlalchemy import Connection, bindparam

from application.store.audit import Actor
from application.store.run_rows import (
    PAUSED,
    QUEUED,
    RUNNING,
    WAITING,
    Run,
    RunBook,
    locked,
    run_of,
)
from application.store.schema import runs

# Built once: every run asks them.
_RESTING = runs.select().where(runs.c.open.is_(True), runs.c.durable.is_(True)).order_by(runs.c.id)
_RESTING_OF = _RESTING.where(runs.c.realm_tag == bindparam("realm_tag"))
_SOLE = runs.select().where(runs.c.realm_tag == bindparam("realm_tag"), runs.c.sole == 1)


class Turns(RunBook):
    """The changes of hand."""

    def hand_out(self, run_id: int, *, turn: int, by: Actor) -> int | None:
        """Return the new turn of a run that somebody should go on with; None where it moved on.

        Args:
            run_id: An open, durable run that waits, was interrupted, or was paused.
            turn: The turn it was seen with.
            by: Who decided so.
        """

        def work(connection: Connection) -> int | None:
            row = locked(connection, run_id)
            if row is None or not row.open or not row.durable or row.turn != turn:
                return None
            again = int(row.started_at is not None and row.state != PAUSED)
            self._change(
                connection,
                row,
                state=QUEUED,
                by=by,
                turn=turn + 1,
                wake_at=None,
                asked=None if row.state == PAUSED else row.asked,
                resumed=row.resumed + again,
            )
            return turn + 1

        return self._store.write(work)

    def enter(self, run_id: int, *, turn: int, holder: str, by: Actor) -> Run | None:
        """Return the run, running in our hands; None where it is over or somebody else's."""

        def work(connection: Connection) -> bool:
            row = locked(connection, run_id)
            ours = row is not None and row.open and row.turn == turn
            if row is None or not ours or row.state not in {QUEUED, RUNNING}:
                return False
            # Another process was at it: it died, and this one goes on in its place.
            again = row.state == RUNNING and row.holder != holder
            self._change(
                connection,
                row,
                state=RUNNING,
                by=by,
                holder=holder,
                wake_at=None,
                resumed=row.resumed + again,
            )
            return True

        return self.get(run_id) if self._store.write(work) else None

    def rest(
        self,
        run_id: int,
        *,
        turn: int,
        state: str,
        by: Actor,
        cause: str | None = None,
        wake_at: datetime | None = None,
        sole: bool = True,
    ) -> bool:
        """Put a run down until a condition ends or a person acts; True where it was ours.

        Args:
            run_id: The run.
            turn: Our turn.
            state: `queued`, `paused` or one of the waiting states.
            by: Whose run it is.
            cause: The condition it waits for.
            wake_at: When to look at it again; None: when a person says so.
            sole: Whether it keeps other long runs of the realm out.
        """

        def work(connection: Connection) -> bool:
            row = locked(connection, run_id)
            if row is None or not row.open or row.turn != turn:
                return False
            self._change(
                connection,
                row,
                state=state,
                by=by,
                cause=cause,
                wake_at=wake_at,
                durable=True,
                asked=None if state == PAUSED else row.asked,
                sole=1 if sole else row.sole,
            )
            return True

        return self._store.write(work)

    def postpone(self, run_id: int, *, turn: int, wake_at: datetime) -> None:
        """Have a queued run looked at later; another sender is at work now."""

        def work(connection: Connection) -> None:
            connection.execute(
                runs.update()
                .where(runs.c.id == run_id, runs.c.turn == turn, runs.c.state == QUEUED)
                .values(wake_at=wake_at)
            )

        self._store.write(work)

    def resting(self, realm_tag: str | None = None) -> list[Run]:
        """Return durable runs that have not ended, oldest first."""
        query = _RESTING if realm_tag is None else _RESTING_OF
        values = {} if realm_tag is None else {"realm_tag": realm_tag}
        with self._store.read() as connection:
            return [run_of(row) for row in connection.execute(query, values)]

    def sole(self, realm_tag: str) -> Run | None:
        """Return the one long run of a realm that has not ended."""
        with self._store.read() as connection:
            row = connection.execute(_SOLE, {"realm_tag": realm_tag}).first()
        return None if row is None else run_of(row)


def waits(run: Run) -> bool:
    """Return whether a run has put itself down until a condition ends."""
    return run.state in WAITING
