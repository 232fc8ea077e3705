"""Intents and attempts: frozen before anything is sent, each send durable before its first byte."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Integer, Row, bindparam, insert, select, update

from application.invoices.model import Intent, IntentState, Kind
from application.store.audit import Actor, Entry
from application.store.bulk import Bulk
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

        def work(connection: Connection) -> list[Intent]:
            now = self._leases.guard(connection, lease)
            known = _latest(connection, wanted)
            step = _Freezing(now=now)
            for one in wanted:
                step.plan(one, kept=known.get(_place(one)))
            step.carry_out(connection)
            frozen = _latest(connection, wanted)
            rows = [frozen[_place(one)] for one in wanted]
            entries = [
                _intended(one, intent_id=row.id, by=by, lease=lease)
                for one, row, plan in zip(wanted, rows, step.planned, strict=True)
                if plan is not None
            ]
            self._append(connection, entries)
            return [intent_of(row) for row in rows]

        return self._store.write(work) if wanted else []

    def intents(self, ids: Sequence[int]) -> list[Intent]:
        """Return intents by their own ids, in that order."""
        with self._store.read() as connection:
            rows = connection.execute(_BY_ID, {"ids": list(ids)})
            found = {row.id: intent_of(row) for row in rows}
        return [found[one] for one in ids]

    def intents_of(self, realm_tag: str, *, kind: Kind, keys: Sequence[str]) -> dict[str, Intent]:
        """Return the latest generation of each key that has one."""
        found: dict[str, Intent] = {}
        with self._store.read() as connection:
            for row in _rows_of(connection, realm_tag, kind=kind.value, keys=keys):
                found[row.key] = intent_of(row)
        return found

    def unsettled(
        self, realm_tag: str, *, kind: Kind | None = None, limit: int = 10_000, after: int = 0
    ) -> list[Intent]:
        """Return intents whose outcome is open or unknown, oldest first."""
        asked: dict[str, object] = {"realm": realm_tag, "after": after, "most": limit}
        query = _UNSETTLED
        if kind is not None:
            query, asked["kind"] = _UNSETTLED_OF, kind.value
        with self._store.read() as connection:
            return [intent_of(row) for row in connection.execute(query, asked)]

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
                    intent=rows[one.intent_id],
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
            known = connection.execute(_MEMBERS, {"bundle": bundle_id}).scalar_one_or_none()
            if known is None:
                new = {"id": bundle_id, "realm_tag": realm_tag, "members": inside, "made_at": now}
                connection.execute(_NEW_BUNDLE, new)
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
        _NEW_ATTEMPTS.run(connection, new)
        _mark_sent(connection, sends, rows=rows, now=now)


# Statements are built once: every page runs them, and building one costs more than running it.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_BY_ID = select(intents).where(intents.c.id.in_(_IDS))
_UNSETTLED = (
    select(intents)
    .where(
        intents.c.realm_tag == bindparam("realm"),
        intents.c.state.in_((IntentState.SENDING.value, IntentState.UNKNOWN.value)),
        intents.c.id > bindparam("after"),
    )
    .order_by(intents.c.id)
    .limit(bindparam("most", type_=Integer))
)
_UNSETTLED_OF = _UNSETTLED.where(intents.c.kind == bindparam("kind"))
_BY_KEY = (
    select(intents)
    .where(
        intents.c.realm_tag == bindparam("realm"),
        intents.c.kind == bindparam("kind"),
        intents.c.key.in_(bindparam("keys", expanding=True)),
    )
    .order_by(intents.c.generation)
)
# Without the body and what it was made from: nobody who changes a state asks for them.
_LOCKED = (
    select(*(one for one in intents.c if one.name not in {"payload", "facts"}))
    .where(intents.c.id.in_(_IDS))
    .order_by(intents.c.id)
    .with_for_update()
)
_OPEN_ATTEMPTS = select(attempts.c.intent_id, attempts.c.id).where(
    attempts.c.intent_id.in_(_IDS), attempts.c.open == 1
)
_MEMBERS = select(bundles.c.members).where(bundles.c.id == bindparam("bundle"))
_NEW_INTENTS, _NEW_ATTEMPTS = Bulk(insert(intents)), Bulk(insert(attempts))
_NEW_BUNDLE = insert(bundles)
_MARK_SENT = Bulk(
    update(intents)
    .where(intents.c.id == bindparam("b_id"), intents.c.state == IntentState.INTENDED.value)
    .values(
        state=IntentState.SENDING.value,
        tries=intents.c.tries + 1,
        sends=intents.c.sends + 1,
        unsettled=1,
        in_bundle=bindparam("b_bundle"),
        first_sent_at=bindparam("b_first"),
        last_sent_at=bindparam("b_now"),
        absent_from=None,
        looks=0,
        cause=None,
    )
)


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

    def plan(self, wanted: NewIntent, *, kept: Row[Any] | None) -> None:
        """Decide about one draft."""
        values = _values_of(wanted, now=self._now)
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

    def carry_out(self, connection: Connection) -> None:
        """Write what was decided."""
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
                # An attempt that never left keeps its number, so counting goes on behind it.
                connection.execute(
                    update(intents)
                    .where(intents.c.id == one.replaces, intents.c.sends == 0)
                    .values(**one.values)
                )
        fresh = [one.values | {"tries": 0} for one in work if one.replaces is None]
        _NEW_INTENTS.run(connection, fresh)


def locked(connection: Connection, ids: Iterable[int]) -> dict[int, Row[Any]]:
    """Return intents by id, in one order for every writer, locked until the transaction ends."""
    rows = connection.execute(_LOCKED, {"ids": sorted(set(ids))})
    return {row.id: row for row in rows}


def _mark_sent(
    connection: Connection, sends: Sequence[Send], *, rows: Mapping[int, Row[Any]], now: datetime
) -> None:
    moved = [
        {
            "b_id": one.intent_id,
            "b_bundle": one.bundle_id is not None,
            "b_first": rows[one.intent_id].first_sent_at or now,
            "b_now": now,
        }
        for one in sends
    ]
    _MARK_SENT.run(connection, moved)


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


def _place(wanted: NewIntent) -> tuple[str, str, str]:
    return wanted.realm_tag, wanted.kind.value, wanted.key


def _latest(
    connection: Connection, wanted: Sequence[NewIntent]
) -> dict[tuple[str, str, str], Row[Any]]:
    """Return the latest generation of each of these drafts that has one."""
    keys: dict[tuple[str, str], list[str]] = {}
    for one in wanted:
        keys.setdefault((one.realm_tag, one.kind.value), []).append(one.key)
    return {
        (realm_tag, kind, row.key): row
        for (realm_tag, kind), inside in keys.items()
        for row in _rows_of(connection, realm_tag, kind=kind, keys=inside)
    }


def _rows_of(
    connection: Connection, realm_tag: str, *, kind: str, keys: Sequence[str]
) -> Iterator[Row[Any]]:
    """Yield the intents under these keys, of each key the latest generation last."""
    for start in range(0, len(keys), _CHUNK):
        asked = {"realm": realm_tag, "kind": kind, "keys": keys[start : start + _CHUNK]}
        yield from connection.execute(_BY_KEY, asked)


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
        "sends": 0,
        "unsettled": 0,
        "in_bundle": False,
        "looks": 0,
        "made_at": now,
    }


def _attempt_ids(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    rows = connection.execute(_OPEN_ATTEMPTS, {"ids": list(ids)})
    return {row.intent_id: row.id for row in rows}


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
