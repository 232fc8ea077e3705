"""Intents and attempts: frozen before anything is sent, each send durable before its first byte."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, tuple_, update

from application.invoices.model import Intent, IntentState, Kind
from application.store.audit import Actor, Entry
from application.store.fence import Lease
from application.store.records import (
    UNFINISHED,
    Book,
    IllegalEdge,
    NewIntent,
    Send,
    entry_of,
    facts_json,
    intent_of,
)
from application.store.schema import attempts, bundles, intents
from application.world import Gate

_CHUNK = 500


class Promising(Book):
    """The part of the journal about intents and attempts."""

    def intend(self, wanted: Sequence[NewIntent], *, lease: Lease, by: Actor) -> list[Intent]:
        """Freeze drafts in one transaction and return their intents in the order they came.

        A kept intent with the same body is returned as it is. One of which nothing was ever sent
        is rebuilt in place. One whose sends are all settled gives way to the next generation. A
        watched number (no body) leaves an unfinished intent as it is.

        Raises:
            LeaseLost: Nothing was frozen.
            IllegalEdge: A sent body would change, or an unsettled send would be forgotten.
        """

        def work(connection: Connection) -> list[int]:
            now = self._leases.guard(connection, lease)
            places = [(one.realm_tag, one.kind.value, one.key) for one in wanted]
            known = _latest(connection, places)
            step = _Freezing(now=now)
            for one in wanted:
                step.plan(one, kept=known.get((one.realm_tag, one.kind.value, one.key)))
            ids = step.carry_out(connection, wanted)
            fresh = [n for n, one in enumerate(step.planned) if one is not None]
            entries = [_intended(wanted[n], intent_id=ids[n], by=by, lease=lease) for n in fresh]
            self._append(connection, entries)
            return ids

        if not wanted:
            return []
        return self.intents(self._store.write(work))

    def intents(self, ids: Sequence[int]) -> list[Intent]:
        """Return intents by their own ids, in that order."""
        with self._store.read() as connection:
            rows = connection.execute(select(intents).where(intents.c.id.in_(ids)))
            found = {row.id: intent_of(row) for row in rows}
        return [found[one] for one in ids]

    def intents_of(self, realm_tag: str, *, kind: Kind, keys: Sequence[str]) -> dict[str, Intent]:
        """Return the latest generation of each key that has one."""
        found: dict[str, Intent] = {}
        with self._store.read() as connection:
            for start in range(0, len(keys), _CHUNK):
                query = (
                    select(intents)
                    .where(
                        intents.c.realm_tag == realm_tag,
                        intents.c.kind == kind.value,
                        intents.c.key.in_(keys[start : start + _CHUNK]),
                    )
                    .order_by(intents.c.generation)
                )
                found |= {row.key: intent_of(row) for row in connection.execute(query)}
        return found

    def unsettled(
        self, realm_tag: str, *, kind: Kind | None = None, limit: int = 10_000, after: int = 0
    ) -> list[Intent]:
        """Return intents whose outcome is open or unknown, oldest first."""
        states = (IntentState.SENDING.value, IntentState.UNKNOWN.value)
        query = (
            select(intents)
            .where(
                intents.c.realm_tag == realm_tag,
                intents.c.state.in_(states),
                intents.c.id > after,
            )
            .order_by(intents.c.id)
            .limit(limit)
        )
        if kind is not None:
            query = query.where(intents.c.kind == kind.value)
        with self._store.read() as connection:
            return [intent_of(row) for row in connection.execute(query)]

    def attempt(self, sends: Sequence[Send], *, lease: Lease, by: Actor) -> list[int]:
        """Make sends durable and return the ids of their attempts; only then may a byte leave.

        Raises:
            LeaseLost: Nothing may be sent.
            StoreUnavailable: Nothing may be sent.
            IllegalEdge: An intent is not ready to be sent.
        """

        def work(connection: Connection) -> list[int]:
            now = self._leases.guard(connection, lease)
            rows = _ready(connection, [one.intent_id for one in sends])
            self._note_bundles(connection, sends, realm_tag=lease.realm_tag, now=now)
            self._open_attempts(connection, sends, rows=rows, lease=lease, now=now)
            ids = _attempt_ids(connection, list(rows))
            entries = [
                entry_of(
                    "sending",
                    by=by,
                    lease=lease,
                    intent=intent_of(rows[one.intent_id]),
                    attempt_id=ids[one.intent_id],
                    after={
                        "n": rows[one.intent_id].tries + 1,
                        "lane": one.lane,
                        "bundle": one.bundle_id,
                        "place": one.place,
                        "epoch": lease.epoch,
                    },
                )
                for one in sends
            ]
            self._append(connection, entries)
            return [ids[one.intent_id] for one in sends]

        if not sends:
            return []
        found = self._store.write(work)
        self._world.gate(Gate.ATTEMPT_DURABLE)
        return found

    def look(self, intent_id: int, *, at: datetime) -> None:
        """Count a look-up that found nothing."""

        def work(connection: Connection) -> None:
            connection.execute(
                update(intents)
                .where(intents.c.id == intent_id)
                .values(looks=intents.c.looks + 1, looked_at=at)
            )

        self._store.write(work)

    def _note_bundles(
        self, connection: Connection, sends: Sequence[Send], *, realm_tag: str, now: datetime
    ) -> None:
        members: dict[str, list[int]] = {}
        for one in sends:
            if one.bundle_id is not None:
                members.setdefault(one.bundle_id, []).append(one.intent_id)
        for bundle_id, inside in members.items():
            known = connection.execute(
                select(bundles.c.members).where(bundles.c.id == bundle_id)
            ).scalar_one_or_none()
            if known is None:
                connection.execute(
                    insert(bundles).values(
                        id=bundle_id, realm_tag=realm_tag, members=inside, made_at=now
                    )
                )
            elif known != inside:
                raise IllegalEdge(wanted="bundle", intent_id=inside[0], state=bundle_id)

    def _open_attempts(
        self,
        connection: Connection,
        sends: Sequence[Send],
        *,
        rows: Mapping[int, Row[Any]],
        lease: Lease,
        now: datetime,
    ) -> None:
        clock = self._world.clock
        shared = {
            "open": 1,
            "lease_ulid": lease.ulid,
            "epoch": lease.epoch,
            "sent_at": now,
            "boot_id": clock.boot_id(),
            "boot_ms": clock.since_boot_ms(),
            "outcome": "open",
        }
        new = [
            shared
            | {
                "intent_id": one.intent_id,
                "n": rows[one.intent_id].tries + 1,
                "lane": one.lane,
                "bundle_id": one.bundle_id,
                "place": one.place,
            }
            for one in sends
        ]
        connection.execute(insert(attempts), new)
        _mark_sent(connection, sends, rows=rows, now=now)


_SENT: dict[str, Any] = {
    "state": IntentState.SENDING.value,
    "tries": intents.c.tries + 1,
    "sends": intents.c.sends + 1,
    "unsettled": 1,
    "in_bundle": bindparam("b_bundle"),
    "first_sent_at": bindparam("b_first"),
    "absent_from": None,
    "looks": 0,
    "cause": None,
}


@dataclass(slots=True)
class _Planned:
    """What freezing one draft writes."""

    values: dict[str, object]
    replaces: int | None = None  # this never-sent intent is rebuilt in place
    closes: int | None = None  # this settled intent gives way first


class _Freezing:
    """Decides for each draft whether it is kept, rebuilt or new, then writes them together."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now
        self.planned: list[_Planned | None] = []  # None: kept as it is
        self._kept: list[int] = []

    def plan(self, wanted: NewIntent, *, kept: Row[Any] | None) -> None:
        """Decide about one draft."""
        values = _values_of(wanted, now=self._now)
        self._kept.append(kept.id if kept is not None else 0)
        if kept is None or kept.state not in UNFINISHED:
            if kept is not None and wanted.generation <= kept.generation:
                raise IllegalEdge(wanted="intend", intent_id=kept.id, state=kept.state)
            self.planned.append(_Planned(values))
        elif not wanted.payload or _same(wanted, kept):
            self.planned.append(None)
        elif kept.state != IntentState.INTENDED or kept.unsettled:
            raise IllegalEdge(wanted="intend", intent_id=kept.id, state=kept.state)
        elif kept.sends == 0:
            self.planned.append(_Planned(values, replaces=kept.id))
        elif wanted.generation > kept.generation:
            self.planned.append(_Planned(values, closes=kept.id))
        else:
            raise IllegalEdge(wanted="change a sent body", intent_id=kept.id, state=kept.state)

    def carry_out(self, connection: Connection, wanted: Sequence[NewIntent]) -> list[int]:
        """Write what was decided and return the ids in order."""
        work = [one for one in self.planned if one is not None]
        closing = [one.closes for one in work if one.closes is not None]
        if closing:
            connection.execute(
                update(intents)
                .where(intents.c.id.in_(closing), intents.c.state == IntentState.INTENDED.value)
                .values(state=IntentState.ABSENT.value, open=None)
            )
        for one in work:
            if one.replaces is not None:
                connection.execute(
                    update(intents)
                    .where(intents.c.id == one.replaces, intents.c.sends == 0)
                    .values(**one.values)
                )
        fresh = [one.values for one in work if one.replaces is None]
        if fresh:
            connection.execute(insert(intents), fresh)
        return self._ids(connection, wanted)

    def _ids(self, connection: Connection, wanted: Sequence[NewIntent]) -> list[int]:
        places = [(one.realm_tag, one.kind.value, one.key) for one in wanted]
        known = _latest(connection, places)
        return [known[place].id for place in places]


def locked(connection: Connection, ids: Iterable[int]) -> dict[int, Row[Any]]:
    """Return intents by id, in one order for every writer, locked until the transaction ends."""
    query = (
        select(intents)
        .where(intents.c.id.in_(sorted(set(ids))))
        .order_by(intents.c.id)
        .with_for_update()
    )
    return {row.id: row for row in connection.execute(query)}


def _mark_sent(
    connection: Connection, sends: Sequence[Send], *, rows: Mapping[int, Row[Any]], now: datetime
) -> None:
    moved = [
        {
            "b_id": one.intent_id,
            "b_bundle": one.bundle_id is not None,
            "b_first": rows[one.intent_id].first_sent_at or now,
        }
        for one in sends
    ]
    connection.execute(
        update(intents)
        .where(intents.c.id == bindparam("b_id"), intents.c.state == IntentState.INTENDED.value)
        .values(**_SENT, last_sent_at=now),
        moved,
    )


def _ready(connection: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return intents that may be sent now, locked.

    Raises:
        IllegalEdge: One of them may not.
    """
    rows = locked(connection, ids)
    for one in ids:
        state = rows[one].state if one in rows else "missing"
        if state != IntentState.INTENDED or rows[one].unsettled:
            raise IllegalEdge(wanted="attempt", intent_id=one, state=state)
    return rows


def _latest(
    connection: Connection, places: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], Row[Any]]:
    query = (
        select(intents)
        .where(tuple_(intents.c.realm_tag, intents.c.kind, intents.c.key).in_(places))
        .order_by(intents.c.generation)
    )
    return {(row.realm_tag, row.kind, row.key): row for row in connection.execute(query)}


def _same(wanted: NewIntent, kept: Row[Any]) -> bool:
    return bool(
        kept.generation == wanted.generation
        and kept.request_id == wanted.request_id
        and bytes(kept.payload) == wanted.payload
        and kept.source_sha256 == wanted.source_sha256
    )


def _values_of(wanted: NewIntent, *, now: datetime) -> dict[str, object]:
    return {
        "realm_tag": wanted.realm_tag,
        "kind": wanted.kind.value,
        "key": wanted.key,
        "generation": wanted.generation,
        "open": 1,
        "request_id": wanted.request_id,
        "payload": wanted.payload,
        "payload_sha256": hashlib.sha256(wanted.payload).hexdigest(),
        "source_sha256": wanted.source_sha256,
        "state": IntentState.INTENDED.value,
        "invoice_id": wanted.invoice_id,
        "facts": facts_json(wanted.facts),
        "tries": 0,
        "sends": 0,
        "unsettled": 0,
        "in_bundle": False,
        "looks": 0,
        "made_at": now,
    }


def _attempt_ids(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    query = select(attempts.c.intent_id, attempts.c.id).where(
        attempts.c.intent_id.in_(ids), attempts.c.open == 1
    )
    return {row.intent_id: row.id for row in connection.execute(query)}


def _intended(wanted: NewIntent, *, intent_id: int, by: Actor, lease: Lease) -> Entry:
    total = None if wanted.facts is None else format(wanted.facts.total, ".2f")
    line = entry_of(
        "intended",
        by=by,
        lease=lease,
        invoice_id=wanted.invoice_id,
        request_id=wanted.request_id,
        payload_sha256=hashlib.sha256(wanted.payload).hexdigest(),
        after={"number": wanted.key, "generation": wanted.generation, "total": total},
    )
    kind = wanted.kind.value
    subject = line.subject if wanted.kind is Kind.INVOICE else f"customer {wanted.key}"
    return Entry(
        action=f"{kind}.intended",
        subject=subject,
        by=by,
        after=line.after,
        realm_tag=lease.realm_tag,
        invoice_ids=line.invoice_ids,
        intent_id=intent_id,
        request_id=line.request_id,
        payload_sha256=line.payload_sha256,
    )
