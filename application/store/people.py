"""People who sign in, and their sessions: passwords and secrets as hashes only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from application.store.audit import Actor, Audit, Entry
from application.store.columns import clean
from application.store.door_schema import people, sessions
from application.store.tables import Clash, Store
from application.world import World

__all__ = ["LastAdmin", "NameTaken", "People", "Person"]

ADMIN: Final = "admin"
SEEN_EVERY: Final = timedelta(minutes=1)
NAME_MOST: Final = 120


class LastAdmin(Exception):
    """Nobody would be left who may look after people and keys."""


class NameTaken(Exception):
    """Somebody is called so already."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in."""

    id: int
    name: str
    role: str  # viewer, officer or admin
    password: str  # salt and hash
    made_by: str
    made_at: datetime
    signed_in_at: datetime | None


class People:
    """The people, and the browsers they are signed in with.

    Args:
        store: Our own database.
        audit: Its log.
        world: Chance.
    """

    def __init__(self, store: Store, *, audit: Audit, world: World) -> None:
        self._store = store
        self._audit = audit
        self._world = world

    # -- who there is -----------------------------------------------------------------------------

    def all(self) -> list[Person]:
        """Return everybody who may sign in, oldest first."""
        query = select(people).where(people.c.known_as.is_not(None)).order_by(people.c.id)
        with self._store.read() as connection:
            return [_person(row) for row in connection.execute(query)]

    def find(self, name: str) -> Person | None:
        """Return who is called so, in whatever letters; None where nobody is."""
        query = select(people).where(people.c.known_as == _known_as(name))
        with self._store.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _person(row)

    def any(self) -> bool:
        """Return whether anybody may sign in."""
        query = select(people.c.id).where(people.c.known_as.is_not(None)).limit(1)
        with self._store.read() as connection:
            return connection.execute(query).first() is not None

    def add(self, name: str, *, role: str, password: str, by: Actor) -> Person:
        """Let somebody sign in.

        Args:
            name: What they sign in with.
            role: viewer, officer or admin.
            password: Salt and hash.
            by: Who lets them.

        Raises:
            NameTaken: Somebody is called so.
        """

        def work(connection: Connection) -> None:
            now = self._store.moment(connection)
            connection.execute(
                insert(people).values(
                    name=clean(name, most=NAME_MOST),
                    known_as=_known_as(name),
                    role=role,
                    password=password,
                    made_by=clean(by.name, most=NAME_MOST),
                    made_at=now,
                    changed_at=now,
                )
            )
            self._line(connection, "person.added", name, by=by, after={"role": role})

        try:
            self._store.write(work)
        except Clash:
            raise NameTaken from None
        found = self.find(name)
        if found is None:
            raise AssertionError  # it was durable a moment ago
        return found

    def change_role(self, person: Person, *, role: str, by: Actor) -> None:
        """Give somebody another role; their sessions go on with it.

        Raises:
            LastAdmin: They are the last admin.
        """

        def work(connection: Connection) -> None:
            if role != ADMIN:
                self._refuse_last(connection, person)
            self._set(connection, person, role=role)
            before, after = {"role": person.role}, {"role": role}
            self._line(connection, "person.role", person.name, by=by, before=before, after=after)

        self._store.write(work)

    def change_password(self, person: Person, *, password: str, by: Actor) -> None:
        """Give somebody another password and end their sessions."""

        def work(connection: Connection) -> None:
            self._set(connection, person, password=password)
            self._end_all(connection, person)
            self._line(connection, "person.password", person.name, by=by)

        self._store.write(work)

    def raise_cost(self, person: Person, *, password: str) -> None:
        """Keep the same password under a hash that costs more."""
        self._store.write(lambda connection: self._set(connection, person, password=password))

    def remove(self, person: Person, *, by: Actor) -> None:
        """Let somebody sign in no more and end their sessions; what they did keeps their name.

        Raises:
            LastAdmin: They are the last admin.
        """

        def work(connection: Connection) -> None:
            self._refuse_last(connection, person)
            now = self._store.moment(connection)
            gone = {"removed_at": now, "removed_by": clean(by.name, most=NAME_MOST)}
            self._set(connection, person, known_as=None, **gone)
            self._end_all(connection, person)
            self._line(connection, "person.removed", person.name, by=by)

        self._store.write(work)

    # -- sessions ---------------------------------------------------------------------------------

    def begin(self, person: Person, secret: str, *, by: Actor, life: timedelta) -> None:
        """Note that a browser is signed in; sessions that are over are dropped.

        Args:
            person: Who signed in.
            secret: What the browser keeps.
            by: The same person, with the address they came from.
            life: How long a session lasts at most.
        """

        def work(connection: Connection) -> None:
            now = self._store.moment(connection)
            connection.execute(delete(sessions).where(sessions.c.made_at < now - life))
            connection.execute(
                insert(sessions).values(
                    secret_sha256=_digest(secret), person_id=person.id, made_at=now, seen_at=now
                )
            )
            connection.execute(
                update(people)
                .where(people.c.id == person.id, people.c.known_as.is_not(None))
                .values(signed_in_at=now)
            )
            self._line(connection, "person.signed_in", person.name, by=by)

        self._store.write(work)

    def of_session(self, secret: str, *, idle: timedelta, life: timedelta) -> Person | None:
        """Return who is signed in with this secret; None where nobody is, or no longer."""
        query = (
            select(people, sessions.c.made_at.label("began_at"), sessions.c.seen_at)
            .join(sessions, sessions.c.person_id == people.c.id)
            .where(sessions.c.secret_sha256 == _digest(secret), people.c.known_as.is_not(None))
        )
        with self._store.read() as connection:
            row = connection.execute(query).first()
            now = self._store.moment(connection)
        if row is None or now - row.seen_at >= idle or now - row.began_at >= life:
            return None
        if now - row.seen_at >= SEEN_EVERY:
            self._seen(secret)
        return _person(row)

    def end(self, secret: str, *, by: Actor) -> None:
        """End one session."""

        def work(connection: Connection) -> None:
            gone = connection.execute(
                delete(sessions).where(sessions.c.secret_sha256 == _digest(secret))
            )
            if gone.rowcount:
                self._line(connection, "person.signed_out", by.name, by=by)

        self._store.write(work)

    # -- parts ------------------------------------------------------------------------------------

    def _seen(self, secret: str) -> None:
        def work(connection: Connection) -> None:
            now = self._store.moment(connection)
            connection.execute(
                update(sessions)
                .where(sessions.c.secret_sha256 == _digest(secret), sessions.c.seen_at < now)
                .values(seen_at=now)
            )

        self._store.write(work)

    def _set(self, connection: Connection, person: Person, **values: object) -> None:
        now = self._store.moment(connection)
        connection.execute(
            update(people)
            .where(people.c.id == person.id, people.c.known_as.is_not(None))
            .values(changed_at=now, **values)
        )

    def _end_all(self, connection: Connection, person: Person) -> None:
        connection.execute(delete(sessions).where(sessions.c.person_id == person.id))

    def _refuse_last(self, connection: Connection, person: Person) -> None:
        # Locked, so that of two admins who remove each other one stays.
        admins = connection.execute(
            select(people.c.id)
            .where(people.c.role == ADMIN, people.c.known_as.is_not(None))
            .with_for_update()
        ).scalars()
        if set(admins) == {person.id}:
            raise LastAdmin

    def _line(
        self,
        connection: Connection,
        action: str,
        name: str,
        *,
        by: Actor,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        subject = f"person {clean(name, most=NAME_MOST)}"
        self._audit.append(
            connection, Entry(action=action, subject=subject, by=by, before=before, after=after)
        )


def _known_as(name: str) -> str:
    return clean(name, most=NAME_MOST).casefold()[:NAME_MOST]


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _person(row: Row[Any]) -> Person:
    return Person(
        id=row.id,
        name=row.name,
        role=row.role,
        password=row.password,
        made_by=row.made_by,
        made_at=row.made_at,
        signed_in_at=row.signed_in_at,
    )
