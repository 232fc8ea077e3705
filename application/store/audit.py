"""append-only, hash-chained history; verify."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, RowMapping, insert, select, update

from application.catalogue import StoreUnavailable
from application.store.columns import clean, json_object, maybe_clean
from application.store.schema import audit, audit_head, audit_invoices
from application.store.tables import Store
from application.world import Gate, World

Line = RowMapping  # a stored line, by column name

GENESIS = "0" * 64
PAGE = 1_000
_FIELDS = (
    "id", "at", "actor", "source", "address", "action", "subject", "before", "after",
    "environment", "realm_tag", "run_id", "process", "intent_id", "attempt_id", "request_id",
    "payload_sha256", "answer_sha256", "quickbooks_id", "intuit_tid", "cause",
)  # fmt: skip
_ENVIRONMENTS = {"s": "simulator", "b": "sandbox", "p": "production"}


class Writable(Protocol):
    """Anything text can be written to."""

    def write(self, text: str, /) -> object:
        """Take the text."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and through which door."""

    name: str
    source: str = "cli"
    address: str | None = None
    run_id: int | None = None
    process: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line to be written. No names of students, no contact data, bodies or tokens inside."""

    action: str
    subject: str
    by: Actor
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    realm_tag: str | None = None
    invoice_ids: Sequence[int] = ()  # the invoices this line is found by
    intent_id: int | None = None
    attempt_id: int | None = None
    request_id: str | None = None
    payload_sha256: str | None = None
    answer_sha256: str | None = None
    quickbooks_id: str | None = None
    intuit_tid: str | None = None
    cause: str | None = None


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
class Head:
    """Where the chain ends: what an anchor keeps elsewhere."""

    id: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What walking the whole chain showed."""

    intact: bool
    entries: int
    head: str
    first_bad: int | None
    problem: str | None


def canonical(line: Mapping[str, object]) -> bytes:
    """Return the one byte form of a line: sorted keys, UTF-8, no spaces."""
    return json.dumps(
        line, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def chained(previous: str, *, line: Mapping[str, object]) -> str:
    """Return the hash that binds a line to all before it."""
    return hashlib.sha256(b"\x00" + bytes.fromhex(previous) + canonical(line)).hexdigest()


class Audit:
    """The history of everything, which only grows."""

    def __init__(self, store: Store, *, world: World) -> None:
        self._store = store
        self._world = world

    def append(self, connection: Connection, *entries: Entry) -> int:
        """Write lines inside the caller's transaction and return the number of the last one.

        Call it last in the transaction: from here on every other writer waits.
        """
        head = self._head(connection, lock=True)
        at = self._store.moment(connection)
        number, previous = head.id, head.hash
        rows: list[dict[str, object]] = []
        found_by: list[dict[str, object]] = []
        for number, entry in enumerate(entries, start=head.id + 1):
            row = _row_of(entry, number=number, at=at)
            row["hash"] = chained(previous, line=_hashed(row))
            row["previous"] = previous
            previous = str(row["hash"])
            rows.append(row)
            found_by += [
                {"invoice_id": one, "entry_id": number} for one in dict.fromkeys(entry.invoice_ids)
            ]
        if not rows:
            return number
        connection.execute(insert(audit), rows)
        if found_by:
            connection.execute(insert(audit_invoices), found_by)
        connection.execute(
            update(audit_head)
            .where(audit_head.c.one == 1, audit_head.c.id == head.id)
            .values(id=number, hash=previous)
        )
        return number

    def note(self, *entries: Entry) -> int:
        """Write lines in a transaction of their own and return the number of the last one."""
        return self._store.write(lambda connection: self.append(connection, *entries))

    def head(self) -> Head:
        """Return where the chain ends."""
        with self._store.read() as connection:
            return self._head(connection, lock=False)

    def anchor(self, out: Writable) -> Head:
        """Write where the chain ends as a line of JSON, for a place our database cannot reach."""
        head = self.head()
        at = self._world.clock.now().isoformat(timespec="seconds")
        out.write(canonical({"at": at, "id": head.id, "hash": head.hash}).decode() + "\n")
        self._world.gate(Gate.ANCHOR_WRITTEN)
        return head

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
        query = select(audit).order_by(audit.c.id).limit(limit)
        if invoice_id is not None:
            query = query.join(audit_invoices, audit_invoices.c.entry_id == audit.c.id).where(
                audit_invoices.c.invoice_id == invoice_id
            )
        if actor is not None:
            query = query.where(audit.c.actor == actor)
        if action is not None:
            kind = audit.c.action.startswith(action, autoescape=True)
            query = query.where(kind if action.endswith(".") else audit.c.action == action)
        if after is not None:
            query = query.where(audit.c.id > after)
        with self._store.read() as connection:
            return [_line(row) for row in connection.execute(query).mappings()]

    def latest(self, *, limit: int = 50) -> list[AuditLine]:
        """Return the newest lines, newest first."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        with self._store.read() as connection:
            return [_line(row) for row in connection.execute(query).mappings()]

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
        with self._store.read() as connection:
            head = self._head(connection, lock=False)
        kept = {one.id: one.hash for one in known}
        walk = _Walk(kept)
        for page in self._pages(upto=None):
            for row in page:
                if row["id"] > head.id and walk.seen.id == head.id:
                    # Written while we walked, or planted behind the end: the newer head tells.
                    head = self.head()
                if not walk.step(row):
                    return walk.result()
            if progress is not None:
                progress(walk.seen.id)
        return walk.end(head)

    def export(self, month: str, out: Writable) -> tuple[int, str]:
        """Write a month's lines as JSON, one a line, and return their count and SHA-256.

        Args:
            month: `YYYY-MM`, in UTC.
            out: Takes the text.
        """
        start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        end = (start + timedelta(days=32)).replace(day=1)
        digest = hashlib.sha256()
        count = 0
        for page in self._pages(upto=(start, end)):
            for row in page:
                full = _hashed(row) | {"previous": row["previous"], "hash": row["hash"]}
                text = canonical(full).decode() + "\n"
                digest.update(text.encode())
                out.write(text)
                count += 1
        return count, digest.hexdigest()

    def _pages(self, *, upto: tuple[datetime, datetime] | None) -> Iterator[Sequence[Line]]:
        after = None
        while True:
            query = select(audit).order_by(audit.c.id).limit(PAGE)
            if after is not None:
                query = query.where(audit.c.id > after)
            if upto is not None:
                query = query.where(audit.c.at >= upto[0], audit.c.at < upto[1])
            with self._store.read() as connection:
                page = connection.execute(query).mappings().all()
            if not page:
                return
            yield page
            after = page[-1]["id"]

    def _head(self, connection: Connection, *, lock: bool) -> Head:
        query = select(audit_head.c.id, audit_head.c.hash).where(audit_head.c.one == 1)
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise StoreUnavailable(detail="the head of the audit log is gone")
        return Head(row.id, row.hash)


class _Walk:
    """One pass over the chain, one line at a time."""

    def __init__(self, kept: Mapping[int, str]) -> None:
        self.seen = Head(0, GENESIS)
        self._kept = kept
        self._bad: tuple[int, str] | None = None

    def step(self, row: Line) -> bool:
        """Return whether this line follows from the one before and says what was hashed."""
        wanted = self.seen.id + 1
        if row["id"] != wanted:
            missing = row["id"] > wanted
            self._bad = (
                (wanted, "missing") if missing else (int(row["id"]), "planted before the first")
            )
        elif row["previous"] != self.seen.hash:
            self._bad = (wanted, "does not follow from the entry before it")
        elif not _says_what_was_hashed(row):
            self._bad = (wanted, "changed after it was written")
        elif self._kept.get(wanted, row["hash"]) != row["hash"]:
            self._bad = (wanted, "differs from a head that was kept elsewhere")
        if self._bad is None:
            self.seen = Head(wanted, row["hash"])
        return self._bad is None

    def end(self, head: Head) -> Verified:
        """Return the result after the last line."""
        most = max([head.id, *self._kept])
        if self.seen.id < most:
            self._bad = (self.seen.id + 1, "missing at the end")
        elif self.seen.id > head.id:
            self._bad = (head.id + 1, "stands behind the end of the chain")
        elif self.seen.hash != head.hash:
            self._bad = (self.seen.id, "differs from the head of the chain")
        return self.result()

    def result(self) -> Verified:
        """Return what was found so far."""
        first_bad, problem = self._bad or (None, None)
        return Verified(
            intact=self._bad is None,
            entries=self.seen.id,
            head=self.seen.hash,
            first_bad=first_bad,
            problem=problem,
        )


def _says_what_was_hashed(row: Line) -> bool:
    try:
        return bool(chained(row["previous"], line=_hashed(row)) == row["hash"])
    except (ValueError, TypeError, UnicodeError):
        return False  # somebody wrote what we never write, such as broken JSON


def _row_of(entry: Entry, *, number: int, at: datetime) -> dict[str, object]:
    by = entry.by
    return {
        "id": number,
        "at": at,
        "actor": clean(by.name, most=120),
        "source": clean(by.source, most=40),
        "address": maybe_clean(by.address, most=64),
        "action": clean(entry.action, most=60),
        "subject": clean(entry.subject, most=200),
        "before": _json(entry.before),
        "after": _json(entry.after),
        "environment": _ENVIRONMENTS.get((entry.realm_tag or "?")[0]),
        "realm_tag": entry.realm_tag,
        "run_id": by.run_id,
        "process": clean(by.process, most=120),
        "intent_id": entry.intent_id,
        "attempt_id": entry.attempt_id,
        "request_id": entry.request_id,
        "payload_sha256": entry.payload_sha256,
        "answer_sha256": entry.answer_sha256,
        "quickbooks_id": maybe_clean(entry.quickbooks_id, most=200),
        "intuit_tid": maybe_clean(entry.intuit_tid, most=120),
        "cause": maybe_clean(entry.cause, most=80),
    }


def _json(value: Mapping[str, object] | None) -> str | None:
    if value is None:
        return None
    # ASCII inside, so that no database and no driver can change a character on the way.
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), default=str)


def _hashed(row: Line | dict[str, object]) -> dict[str, object]:
    """Return the part of a stored line that its hash covers, in the form it covers it."""
    line = {name: row[name] for name in _FIELDS}
    at = line["at"]
    line["at"] = at.isoformat(timespec="microseconds") if isinstance(at, datetime) else None
    return line


def _line(row: Line) -> AuditLine:
    values: dict[str, Any] = dict(row)
    for name in ("before", "after"):
        values[name] = None if values[name] is None else json.loads(values[name])
    values.pop("invoice_id", None)
    values.pop("entry_id", None)
    return AuditLine(**values)


def invoices_text(ids: Iterable[int]) -> str:
    """Return the subject of a line about invoices."""
    known = list(ids)
    return f"invoice {known[0]}" if len(known) == 1 else f"{len(known)} invoices"


def actor_json(by: Actor) -> dict[str, object]:
    """Return an actor as it is stored beside what they asked for."""
    return {
        "name": clean(by.name, most=120),
        "source": by.source,
        "address": by.address,
        "run_id": by.run_id,
        "process": by.process,
    }


def actor_of(stored: object) -> Actor:
    """Return a stored actor."""
    known = json_object(stored)
    run_id, address = known.get("run_id"), known.get("address")
    return Actor(
        name=str(known.get("name", "")),
        source=str(known.get("source", "")),
        address=address if isinstance(address, str) else None,
        run_id=run_id if isinstance(run_id, int) else None,
        process=str(known.get("process", "")),
    )
