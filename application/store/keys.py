"""API keys: hashes only; which one opens the door, whose it is, and when it was last used."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from application.store.audit import Actor, Audit, Entry
from application.store.columns import clean
from application.store.door_schema import api_keys
from application.store.tables import Store
from application.world import World

USED_EVERY: Final = timedelta(minutes=1)
_SHAPE = re.compile(r"fb_([1-9][0-9]{0,17})_[A-Za-z0-9_-]{43}")
_NOT_YET = "0" * 64


@dataclass(frozen=True, slots=True)
class Key:
    """One key as it may be shown."""

    id: int
    name: str
    role: str  # viewer, officer or admin
    made_by: str
    made_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class Keys:
    """The API keys."""

    def __init__(self, store: Store, *, audit: Audit, world: World) -> None:
        self._store = store
        self._audit = audit
        self._world = world

    def create(self, name: str, *, role: str, by: Actor) -> tuple[Key, str]:
        """Make a key; return it with the text that opens the door, which is kept nowhere."""
        secret = self._world.chance.secret()

        def work(connection: Connection) -> tuple[int, str]:
            now = self._store.moment(connection)
            made = connection.execute(
                insert(api_keys).values(
                    name=clean(name, most=120),
                    role=role,
                    secret_sha256=_NOT_YET,
                    made_by=clean(by.name, most=120),
                    made_at=now,
                )
            )
            number = made.inserted_primary_key
            key_id = int(number[0]) if number else 0
            text = f"fb_{key_id}_{secret}"
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == key_id, api_keys.c.secret_sha256 == _NOT_YET)
                .values(secret_sha256=_digest(text))
            )
            self._line(connection, "key.created", key_id, by=by, role=role)
            return key_id, text

        key_id, text = self._store.write(work)
        key = next(one for one in self.all() if one.id == key_id)
        return key, text

    def all(self) -> list[Key]:
        """Return every key there ever was, oldest first."""
        with self._store.read() as connection:
            query = select(api_keys).order_by(api_keys.c.id)
            return [_key(row) for row in connection.execute(query)]

    def revoke(self, key_id: int, *, by: Actor) -> bool:
        """Let a key open nothing any more; return False where it does not exist or did already."""

        def work(connection: Connection) -> bool:
            now = self._store.moment(connection)
            gone = connection.execute(
                update(api_keys)
                .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=now, revoked_by=clean(by.name, most=120))
            )
            if gone.rowcount:
                self._line(connection, "key.revoked", key_id, by=by)
            return bool(gone.rowcount)

        return self._store.write(work)

    def find(self, text: str) -> Key | None:
        """Return the live key this text is; None where it is none."""
        shape = _SHAPE.fullmatch(text)
        if shape is None:
            return None
        with self._store.read() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == int(shape[1]))).first()
        # Compared even where there is no such key, so that both take the same time.
        kept = row.secret_sha256 if row is not None else _NOT_YET
        same = compare_digest(kept, _digest(text))
        if row is None or not same or row.revoked_at is not None:
            return None
        return _key(row)

    def any_live(self) -> bool:
        """Return whether any key opens the door."""
        query = select(api_keys.c.id).where(api_keys.c.revoked_at.is_(None)).limit(1)
        with self._store.read() as connection:
            return connection.execute(query).first() is not None

    def used(self, key_id: int) -> None:
        """Note that a key was used, at most once a minute; that is no change of anything."""

        def work(connection: Connection) -> None:
            now = self._store.moment(connection)
            connection.execute(
                update(api_keys)
                .where(
                    api_keys.c.id == key_id,
                    api_keys.c.used_at.is_(None) | (api_keys.c.used_at < now - USED_EVERY),
                )
                .values(used_at=now)
            )

        self._store.write(work)

    def _line(
        self,
        connection: Connection,
        action: str,
        key_id: int,
        *,
        by: Actor,
        role: str | None = None,
    ) -> None:
        after = None if role is None else {"role": role}
        line = Entry(action=action, subject=f"API key {key_id}", by=by, after=after)
        self._audit.append(connection, line)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        role=row.role,
        made_by=row.made_by,
        made_at=row.made_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
