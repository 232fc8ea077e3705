"""Questions to the audit log: newest first, one month as text, the whole chain."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from application.catalogue import NotFound, Stop, StoreUnavailable
from application.store.audit_walk import Head, Line, Verified, Walk, canonical, hashed
from application.store.schema import audit, audit_head, audit_invoices, intents
from application.store.tables import Store

PAGE = 1_000
_HEAD = select(audit_head.c.id, audit_head.c.hash).where(audit_head.c.one == 1)
_LOCKED_HEAD = _HEAD.with_for_update()
_MONTH = re.compile(r"[12][0-9]{3}-(0[1-9]|1[0-2])")


class MonthWrong(Stop):
    """A month is not written like 2025-11. Facts: problem, got."""

    cause = "validation_failed"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line as it stands in the log."""

    id: int
    at: datetime
    actor: str
    source: str
    address: str | None
    action: str
    subject: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    environment: str | None
    realm_tag: str | None
    run_id: int | None
    process: str
    intent_id: int | None
    attempt_id: int | None
    request_id: str | None
    payload_sha256: str | None
    answer_sha256: str | None
    quickbooks_id: str | None
    intuit_tid: str | None
    cause: str | None
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Sought:
    """Which lines somebody asks for; what is None does not narrow them."""

    invoice_id: int | None = None  # lines that speak of it
    actor: str | None = None
    action: str | None = None  # with a dot at its end all of that kind, as in `invoice.`
    since: datetime | None = None
    until: datetime | None = None  # the first instant that no longer counts
    run_id: int | None = None


ALL = Sought()


class AuditReading:
    """What the log says; whoever has only this cannot write.

    Args:
        store: Our own database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def head(self) -> Head:
        """Return where the chain ends."""
        with self._store.read() as connection:
            return head_of(connection, lock=False)

    def entries(
        self,
        *,
        invoice_id: int | None = None,
        actor: str | None = None,
        action: str | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> list[AuditLine]:
        """Return lines in their order, oldest first, from the one behind `after`.

        Args:
            invoice_id: Only lines that speak of this invoice.
            actor: Only lines of this actor.
            action: Only this action, or with a dot at its end all of that kind, as in `invoice.`.
            after: Number of the last line already seen.
            limit: Most lines to return.
        """
        query = _narrowed(Sought(invoice_id, actor, action)).order_by(audit.c.id).limit(limit)
        if after is not None:
            query = query.where(audit.c.id > after)
        return self._lines(query)

    def latest(
        self, sought: Sought = ALL, *, before: int | None = None, limit: int = 50
    ) -> list[AuditLine]:
        """Return lines newest first, from the one in front of `before`.

        Args:
            sought: Which ones.
            before: Number of the last line already seen.
            limit: Most lines to return.
        """
        query = _narrowed(sought).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.id < before)
        return self._lines(query)

    def following(self, sought: Sought = ALL, *, after: int, limit: int = 50) -> list[AuditLine]:
        """Return the lines that follow `after`, oldest first.

        Args:
            sought: Which ones.
            after: Number of the last line already seen.
            limit: Most lines to return.
        """
        query = _narrowed(sought).where(audit.c.id > after).order_by(audit.c.id).limit(limit)
        return self._lines(query)

    def line(self, number: int) -> AuditLine | None:
        """Return one line; None where there is none of that number."""
        return next(iter(self._lines(select(audit).where(audit.c.id == number))), None)

    def body_of(self, intent_id: int) -> bytes:
        """Return what was promised to be sent, to the byte; empty where nothing of ours was."""
        query = select(intents.c.payload).where(intents.c.id == intent_id)
        with self._store.read() as connection:
            return bytes(connection.execute(query).scalar() or b"")

    def span(self) -> tuple[datetime, datetime] | None:
        """Return when the first and the last line were written; None while there is none."""
        # Two questions: SQLite reads both ends of an index for one each, and all of it for both.
        ends = [select(most(audit.c.at)).scalar_subquery() for most in (func.min, func.max)]
        with self._store.read() as connection:
            first, last = connection.execute(select(*ends)).one()
        return None if first is None else (first, last)

    def verify(
        self,
        progress: Callable[[int], None] | None = None,
        *,
        known: Sequence[Head] = (),
    ) -> Verified:
        """Walk the whole chain and name the first line that is not as it was written.

        Args:
            progress: Called with the number of lines walked, once a page.
            known: Heads kept elsewhere; only they betray a chain that was cut and closed again.
        """
        head = self.head()
        walk = Walk(known)
        for page in self._pages():
            for row in page:
                if row["id"] > head.id and walk.seen.id == head.id:
                    # Written while we walked, or planted behind the end: the newer head tells.
                    head = self.head()
                if not walk.step(row):
                    return walk.result()
            if progress is not None:
                progress(walk.seen.id)
        return walk.end(head)

    def export(self, month: str) -> Iterator[str]:
        """Return a month's lines as text, one JSON object a line, a page at a time.

        The last line tells how many there are and the SHA-256 of all before it.

        Args:
            month: `YYYY-MM`, in UTC, as the lines tell their time.

        Raises:
            MonthWrong: It is not written like that; raised at once, not by the iterator.
            NotFound: No line was written in it; raised at once too.
        """
        start, end = _bounds(month)
        inside = (audit.c.at >= start, audit.c.at < end)
        query = select(func.min(audit.c.id), func.max(audit.c.id)).where(*inside)
        with self._store.read() as connection:
            first, last = connection.execute(query).one()
        if first is None:
            raise NotFound(what=f"audit entry of {month}")
        return self._told(self._pages(*inside, after=first - 1, upto=last))

    def _told(self, pages: Iterator[Sequence[Line]]) -> Iterator[str]:
        digest = hashlib.sha256()
        count = 0
        for page in pages:
            text = "".join(
                canonical(hashed(row) | {"previous": row["previous"], "hash": row["hash"]}).decode()
                + "\n"
                for row in page
            )
            digest.update(text.encode())
            count += len(page)
            yield text
        yield canonical({"entries": count, "sha256": digest.hexdigest()}).decode() + "\n"

    def _pages(
        self, *asked: ColumnElement[bool], after: int | None = None, upto: int | None = None
    ) -> Iterator[Sequence[Line]]:
        """Yield lines in their order, a page in memory at a time."""
        while True:
            query = select(audit).where(*asked).order_by(audit.c.id).limit(PAGE)
            if after is not None:
                query = query.where(audit.c.id > after)
            if upto is not None:
                query = query.where(audit.c.id <= upto)
            with self._store.read() as connection:
                page = connection.execute(query).mappings().all()
            if not page:
                return
            yield page
            after = page[-1]["id"]

    def _lines(self, query: Select[Any]) -> list[AuditLine]:
        with self._store.read() as connection:
            return [_line(row) for row in connection.execute(query).mappings()]


def head_of(connection: Connection, *, lock: bool) -> Head:
    """Return where the chain ends, as this transaction sees it.

    Args:
        connection: The transaction.
        lock: Whether every other writer is to wait from now on.

    Raises:
        StoreUnavailable: Somebody removed the row.
    """
    row = connection.execute(_LOCKED_HEAD if lock else _HEAD).first()
    if row is None:
        raise StoreUnavailable(detail="the head of the audit log is gone")
    return Head(row.id, row.hash)


def _narrowed(sought: Sought) -> Select[Any]:
    query: Select[Any] = select(audit)
    if sought.invoice_id is not None:
        query = query.join(audit_invoices, audit_invoices.c.entry_id == audit.c.id).where(
            audit_invoices.c.invoice_id == sought.invoice_id
        )
    if sought.actor is not None:
        query = query.where(audit.c.actor == sought.actor)
    if sought.run_id is not None:
        query = query.where(audit.c.run_id == sought.run_id)
    if sought.action is not None:
        kind = audit.c.action.startswith(sought.action, autoescape=True)
        whole = audit.c.action == sought.action
        query = query.where(kind if sought.action.endswith(".") else whole)
    if sought.since is not None:
        query = query.where(audit.c.at >= sought.since)
    if sought.until is not None:
        query = query.where(audit.c.at < sought.until)
    return query


def _bounds(month: str) -> tuple[datetime, datetime]:
    """Return the first instant of a month and of the next."""
    if _MONTH.fullmatch(month) is None:
        raise MonthWrong(problem="month must look like 2025-11", got=month)
    year, number = (int(part) for part in month.split("-"))
    start = datetime(year, number, 1, tzinfo=UTC)
    return start, (start + timedelta(days=32)).replace(day=1)


def _line(row: Line) -> AuditLine:
    values: dict[str, Any] = dict(row)
    for name in ("before", "after"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return AuditLine(**values)
