"""People who sign in: roles, passwords, sessions, and how often a password may be tried."""

import hashlib
from collections import deque
from datetime import timedelta
from hmac import compare_digest
from threading import Lock
from typing import Final

from application.catalogue import NotFound, StateConflict, Stop
from application.services.access import RESERVED, TooMany, Visitor
from application.services.roles import Role
from application.store.audit import Actor
from application.store.people import LastAdmin, NameTaken, People, Person
from application.world import World

__all__ = ["IDLE", "LIFE", "Person", "PersonWrong", "SignIn"]

IDLE: Final = timedelta(minutes=30)
LIFE: Final = timedelta(hours=12)
PASSWORD_LEAST: Final = 12
PASSWORD_MOST: Final = 128
NAME_MOST: Final = 100
TRIES_MOST: Final = 10
TRIES_OF_ADDRESS_MOST: Final = 60
TRIES_WITHIN_MS: Final = 900_000
COUNTED_MOST: Final = 10_000
# Source: OWASP's password storage advice; 32 MB and about a tenth of a second a try.
COST_BITS: Final = 15
BLOCK: Final = 8
SALT_BITS: Final = 128
MEMORY_BYTES_MAX: Final = 2**26


class PersonWrong(Stop):
    """A person cannot be kept as asked. Facts: field, problem, got."""

    cause = "validation_failed"

    def __init__(self, *, field: str, problem: str, got: str = "") -> None:
        super().__init__(field=field, problem=f"{field} {problem}", got=got)


class SignIn:
    """Lets people in by name and password, and knows them again by their session.

    Args:
        people: Who there is.
        world: Clock and chance.
    """

    def __init__(self, people: People, *, world: World) -> None:
        self._people = people
        self._clock = world.clock
        self._chance = world.chance
        self._guard = Lock()
        self._hashing = Lock()  # one try takes 32 MB; many at once must not take all there is
        self._tries: dict[str, deque[int]] = {}
        self._nobody = self._hashed("nobody's password")

    # -- at the door ------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, *, by: Actor) -> str | None:
        """Return the secret a new session is known by; None where name or password is wrong.

        Args:
            name: As it was typed.
            password: As it was typed.
            by: Who tries, with the address they come from; the name of the session's line.

        Raises:
            TooMany: This name was tried too often from there, or too many names were.
        """
        address = by.address or ""
        known_as = hashlib.sha256(f"{address} {name.strip().casefold()}".encode()).hexdigest()
        self._refuse_often(f"address {address}", most=TRIES_OF_ADDRESS_MOST)
        self._refuse_often(known_as, most=TRIES_MOST)
        person = self._people.find(name.strip())
        # Hashed though nobody is called so: a quick refusal would tell which names exist.
        right = self._is(password, kept=person.password if person else self._nobody)
        if person is None or not right:
            return None
        if not person.password.startswith(f"scrypt${COST_BITS}$"):
            self._people.raise_cost(person, password=self._hashed(password))
        with self._guard:
            self._tries.pop(known_as, None)
        secret = self._chance.secret()
        who = Actor(person.name, by.source, by.address, by.run_id, by.process)
        self._people.begin(person, secret, by=who, life=LIFE)
        return secret

    def visitor_of(self, secret: str) -> Visitor | None:
        """Return who is signed in with this secret; None where nobody is, or no longer."""
        person = self._people.of_session(secret, idle=IDLE, life=LIFE)
        if person is None:
            return None
        return Visitor(name=person.name, role=Role(person.role), signed_in=True)

    def sign_out(self, secret: str, *, by: Actor) -> None:
        """End a session."""
        self._people.end(secret, by=by)

    # -- looking after them -----------------------------------------------------------------------

    def all(self) -> list[Person]:
        """Return everybody who may sign in."""
        return self._people.all()

    def add(self, name: str, *, role: Role, password: str, by: Actor) -> Person:
        """Let somebody sign in.

        Raises:
            PersonWrong: Name or password cannot be taken.
        """
        called = name.strip()
        if not 1 <= len(called) <= NAME_MOST or not called.isprintable():
            raise PersonWrong(field="name", problem=f"must have 1 to {NAME_MOST} characters")
        if called.lower() in RESERVED:
            raise PersonWrong(field="name", problem="is one the audit log itself uses", got=called)
        hashed = self._taken(password)
        try:
            return self._people.add(called, role=role.value, password=hashed, by=by)
        except NameTaken:
            raise PersonWrong(field="name", problem="is taken", got=called) from None

    def change_role(self, name: str, *, role: Role, by: Actor) -> Person:
        """Give somebody another role.

        Raises:
            NotFound: Nobody is called so.
            StateConflict: They are the last admin.
        """
        person = self._named(name)
        try:
            self._people.change_role(person, role=role.value, by=by)
        except LastAdmin:
            raise _last_admin(person) from None
        return self._named(name)

    def change_password(self, name: str, *, password: str, by: Actor) -> Person:
        """Give somebody another password; every browser they are signed in with is signed out.

        Raises:
            NotFound: Nobody is called so.
            PersonWrong: The password cannot be taken.
        """
        person = self._named(name)
        self._people.change_password(person, password=self._taken(password), by=by)
        return person

    def remove(self, name: str, *, by: Actor) -> Person:
        """Let somebody sign in no more.

        Raises:
            NotFound: Nobody is called so.
            StateConflict: They are the last admin.
        """
        person = self._named(name)
        try:
            self._people.remove(person, by=by)
        except LastAdmin:
            raise _last_admin(person) from None
        return person

    # -- parts ------------------------------------------------------------------------------------

    def _named(self, name: str) -> Person:
        person = self._people.find(name.strip())
        if person is None:
            raise NotFound(what=f"person {name.strip()}")
        return person

    def _taken(self, password: str) -> str:
        if not PASSWORD_LEAST <= len(password) <= PASSWORD_MOST:
            problem = f"must have {PASSWORD_LEAST} to {PASSWORD_MOST} characters"
            raise PersonWrong(field="password", problem=problem)
        return self._hashed(password)

    def _hashed(self, password: str) -> str:
        salt = self._chance.bits(size=SALT_BITS).to_bytes(SALT_BITS // 8, "big")
        found = self._stretched(password, salt=salt, bits=COST_BITS)
        return f"scrypt${COST_BITS}${salt.hex()}${found.hex()}"

    def _is(self, password: str, *, kept: str) -> bool:
        _, bits, salt, hashed = kept.split("$")
        found = self._stretched(password[:PASSWORD_MOST], salt=bytes.fromhex(salt), bits=int(bits))
        return compare_digest(found, bytes.fromhex(hashed))

    def _stretched(self, password: str, *, salt: bytes, bits: int) -> bytes:
        with self._hashing:
            return hashlib.scrypt(
                password.encode(), salt=salt, n=2**bits, r=BLOCK, p=1, maxmem=MEMORY_BYTES_MAX
            )

    def _refuse_often(self, name: str, *, most: int) -> None:
        now_ms = self._clock.since_boot_ms()
        with self._guard:
            if name not in self._tries and len(self._tries) >= COUNTED_MOST:
                self._tries.clear()
            tries = self._tries.setdefault(name, deque(maxlen=TRIES_OF_ADDRESS_MOST))
            while tries and now_ms - tries[0] >= TRIES_WITHIN_MS:
                tries.popleft()
            if len(tries) >= most:
                raise TooMany(retry_after_s=1 + (TRIES_WITHIN_MS - now_ms + tries[0]) // 1000)
            tries.append(now_ms)


def _last_admin(person: Person) -> StateConflict:
    return StateConflict(state=f"the last admin ({person.name}); name another one first")
