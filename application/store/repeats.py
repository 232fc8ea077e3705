"""requests with an Idempotency-Key: which one is answered, which waits, which is begun anew."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from application.store.columns import clean
from application.store.door_schema import repeats
from application.store.purging import purge
from application.store.schema import runs
from application.store.tables import Clash, Store
from application.world import World

LIFE: Final = timedelta(hours=24)
ANSWER_BYTES_MAX: Final = 65_535  # what the column holds on MariaDB
NOT_STORED: Final = frozenset({401, 403, 413, 415, 429, 503})  # what may be otherwise in a moment
ACCEPTED: Final = 202
_TURNS: Final = 5


@dataclass(frozen=True, slots=True)
class New:
    """Nobody has done it: do it now, and answer under this number."""

    id: int


@dataclass(frozen=True, slots=True)
class Answered:
    """It was done and answered like this."""

    status: int
    answer: str
    run_id: int | None


@dataclass(frozen=True, slots=True)
class Running:
    """It was begun and has no stored answer; the run, where one was opened, says how it stands."""

    run_id: int | None


@dataclass(frozen=True, slots=True)
class Other:
    """The key was used for a request with another body."""


Found = New | Answered | Running | Other


def request_sha(actor: str, method: str, path: str, key: str) -> str:
    """Return what one request is known by: who asks, for what, under which key."""
    return sha256(json.dumps([actor, method.upper(), path, key]).encode()).hexdigest()


class Repeats:
    """Requests that may come again.

    They are the memory of a door; what a request changes has its own audit lines.
    """

    def __init__(self, store: Store, *, world: World) -> None:
        self._store = store
        self._world = world

    def begin(self, request_sha256: str, body_sha256: str, *, holder: str) -> Found:
        """Return what to do with a request; of several that ask at once one gets `New`.

        Args:
            request_sha256: From `request_sha`.
            body_sha256: Of the body; the same request under the same key has the same one.
            holder: This start of the server. What another start left undecided it will never
                answer, so that is begun anew unless it had opened a run.
        """
        name = clean(holder, most=120)

        def work(connection: Connection) -> Found:
            now = self._store.moment(connection)
            row = _locked(connection, request_sha256)
            if row is not None and row.made_at <= now - LIFE:
                connection.execute(
                    delete(repeats).where(repeats.c.id == row.id, repeats.c.made_at == row.made_at)
                )
                row = None
            if row is not None:
                return _of_row(connection, row, body=body_sha256, holder=name, now=now)
            values = {"request_sha256": request_sha256, "body_sha256": body_sha256}
            made = connection.execute(insert(repeats).values(**values, holder=name, made_at=now))
            key = made.inserted_primary_key
            return New(int(key[0]) if key else 0)

        for _ in range(_TURNS):
            try:
                return self._store.write(work)
            except Clash:  # somebody was faster; theirs is there now
                continue
        return Running(None)

    def link(self, repeat_id: int, run_id: int) -> None:
        """Note which run a request opened; from now on a repeat is told how that stands."""

        def work(connection: Connection) -> None:
            connection.execute(
                update(repeats)
                .where(repeats.c.id == repeat_id, repeats.c.run_id.is_(None))
                .values(run_id=run_id)
            )

        self._store.write(work)

    def answer(self, repeat_id: int, status: int, answer_text: str) -> None:
        """Keep the answer of a request; the first one stays.

        What passes by itself is not kept, nor is an answer too long for its column: without a run
        the request is forgotten, so that it can be sent again. With one, the run stands for the
        answer, as it does for a 202.
        """
        size = len(answer_text.encode(errors="surrogatepass"))
        if status in NOT_STORED or size > ANSWER_BYTES_MAX:
            self.drop(repeat_id)
            return
        mine = [repeats.c.id == repeat_id, repeats.c.status.is_(None)]
        if status == ACCEPTED:
            mine.append(repeats.c.run_id.is_(None))
        text = clean(answer_text, most=ANSWER_BYTES_MAX)

        def work(connection: Connection) -> None:
            connection.execute(update(repeats).where(*mine).values(status=status, answer=text))

        self._store.write(work)

    def drop(self, repeat_id: int) -> None:
        """Forget a request that came to nothing; one that opened a run or was answered stays."""

        def work(connection: Connection) -> None:
            connection.execute(
                delete(repeats).where(
                    repeats.c.id == repeat_id,
                    repeats.c.status.is_(None),
                    repeats.c.run_id.is_(None),
                )
            )

        self._store.write(work)

    def purge(self, before: datetime) -> int:
        """Forget requests older than that, and return how many."""
        old = select(repeats.c.id).where(repeats.c.made_at < before).order_by(repeats.c.made_at)
        return purge(self._store, repeats.c.id, old=old)


def _locked(connection: Connection, request_sha256: str) -> Row[Any] | None:
    query = select(repeats).where(repeats.c.request_sha256 == request_sha256)
    return connection.execute(query.with_for_update()).first()


def _of_row(
    connection: Connection, row: Row[Any], *, body: str, holder: str, now: datetime
) -> Found:
    if row.body_sha256 != body:
        return Other()
    if row.status is not None:
        return Answered(row.status, row.answer or "", row.run_id)
    run_id = row.run_id or _run_of(connection, row.request_sha256, since=now - LIFE)
    if run_id is not None or row.holder == holder:
        return Running(run_id)
    connection.execute(
        update(repeats)
        .where(repeats.c.id == row.id, repeats.c.holder == row.holder, repeats.c.status.is_(None))
        .values(holder=holder)
    )
    return New(row.id)


def _run_of(connection: Connection, request_sha256: str, *, since: datetime) -> int | None:
    """Return the run a request opened whose server died before it could link it."""
    query = (
        select(runs.c.id)
        .where(runs.c.request_sha256 == request_sha256, runs.c.asked_at > since)
        .order_by(runs.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()
