"""append-only, hash-chained history: what writes it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import Connection, bindparam, insert, update

from application.store.audit_reading import AuditLine, AuditReading, Sought, head_of
from application.store.audit_walk import GENESIS, Head, Verified, canonical, chained, hashed
from application.store.bulk import Bulk
from application.store.columns import clean, json_object, maybe_clean
from application.store.schema import audit, audit_head, audit_invoices
from application.store.tables import Store
from application.world import Gate, World

__all__ = [
    "GENESIS",
    "Actor",
    "Audit",
    "AuditLine",
    "Entry",
    "Head",
    "Sought",
    "Verified",
    "actor_json",
    "actor_of",
    "canonical",
    "chained",
    "invoices_text",
]

# Built once: every page writes through them, and building a statement costs more than running it.
_NEW_LINES = Bulk(insert(audit))
_NEW_PLACES = Bulk(insert(audit_invoices))
_NEW_HEAD = (
    update(audit_head)
    .where(audit_head.c.one == 1, audit_head.c.id == bindparam("b_id"))
    .values(id=bindparam("b_new"), hash=bindparam("b_hash"))
)
_ENCODE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str).encode
_ENVIRONMENTS = {"s": "simulator", "b": "sandbox", "p": "production"}


class Writable(Protocol):
    """Anything text can be written to; what it took is safe when it returns."""

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


class Audit(AuditReading):
    """The history of everything, which only grows.

    Args:
        store: Our own database.
        world: Clock and gates.
    """

    def __init__(self, store: Store, *, world: World) -> None:
        super().__init__(store)
        self._world = world

    def append(self, connection: Connection, *entries: Entry) -> int:
        """Write lines inside the caller's transaction and return the number of the last one.

        Call it last in the transaction: from here on every other writer waits.
        """
        head = head_of(connection, lock=True)
        at = self._store.moment(connection)
        number, previous = head.id, head.hash
        rows: list[dict[str, object]] = []
        found_by: list[dict[str, object]] = []
        for number, entry in enumerate(entries, start=head.id + 1):
            row = _row_of(entry, number=number, at=at)
            row["hash"] = chained(previous, line=hashed(row))
            row["previous"] = previous
            previous = str(row["hash"])
            rows.append(row)
            found_by += [
                {"invoice_id": one, "entry_id": number} for one in dict.fromkeys(entry.invoice_ids)
            ]
        if not rows:
            return number
        _NEW_LINES.run(connection, rows)
        _NEW_PLACES.run(connection, found_by)
        connection.execute(_NEW_HEAD, {"b_id": head.id, "b_new": number, "b_hash": previous})
        return number

    def note(self, *entries: Entry) -> int:
        """Write lines in a transaction of their own and return the number of the last one."""
        return self._store.write(lambda connection: self.append(connection, *entries))

    def anchor(self, out: Writable) -> Head:
        """Write where the chain ends as a line of JSON, for a place our database cannot reach."""
        head = self.head()
        at = self._world.clock.now().isoformat(timespec="seconds")
        out.write(canonical({"at": at, "id": head.id, "hash": head.hash}).decode() + "\n")
        self._world.gate(Gate.ANCHOR_WRITTEN)
        return head


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
    return _ENCODE(dict(value))


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
