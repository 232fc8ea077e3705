"""Who may do what: open or closed mode, API keys, roles, and how often a key may be tried."""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Final

from application.catalogue import Stop, StoreUnavailable
from application.services.roles import Role
from application.store.audit import Actor
from application.store.keys import USED_EVERY, Key, Keys
from application.store.people import People
from application.world import World

__all__ = ["Access", "Key", "KeyWrong", "TooMany", "Visitor"]

KNOWN_MS: Final = 900  # a key that was revoked opens nothing after a second
MINUTE_MS: Final = 60_000
BAD_MOST: Final = 10
GOOD_MOST: Final = 600
COUNTED_MOST: Final = 10_000
NAME_MOST: Final = 100
# The audit log names those who act without a key so; a key of that name would pass for them.
RESERVED: Final = frozenset({"local", "nobody", "schedule", "server"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks."""

    name: str
    role: Role
    key_id: int | None = None  # of whoever came with a key
    signed_in: bool = False  # with a password, in a browser


class KeyWrong(Stop):
    """A key cannot be made as asked. Facts: field, problem, got."""

    cause = "validation_failed"

    def __init__(self, *, field: str, problem: str, got: str) -> None:
        super().__init__(field=field, problem=f"{field} {problem}", got=got)


class TooMany(Stop):
    """More requests in a minute than are allowed. Facts: retry_after_s."""

    cause = "rate_limited"


class Access:
    """Tells who asks, by their key.

    Args:
        keys: The keys.
        people: Who signs in: where there is anybody, nobody comes in without.
        world: Clock.
    """

    def __init__(self, keys: Keys, *, people: People, world: World) -> None:
        self._keys = keys
        self._people = people
        self._clock = world.clock
        self._guard = Lock()
        self._known: dict[str, tuple[int, Key | None]] = {}
        self._open: tuple[int, bool] | None = None
        self._tries: dict[str, deque[int]] = {}

    def is_open(self) -> bool:
        """Return whether there is no key and no person yet: this machine's user needs none."""
        now_ms = self._clock.since_boot_ms()
        with self._guard:
            kept = self._open
        if kept is not None and now_ms - kept[0] < KNOWN_MS:
            return kept[1]
        found = not (self._keys.any_live() or self._people.any())
        with self._guard:
            self._open = (now_ms, found)
        return found

    def visitor_of(self, text: str, *, peer: str) -> Visitor | None:
        """Return who this key is; None where it opens nothing.

        Args:
            text: As it came.
            peer: Where it came from.

        Raises:
            TooMany: It, or its peer, asked too often.
        """
        # Looked up first: a neighbour with an old key must not keep a good one out.
        key = self._found(text)
        if key is None:
            self._refuse_often(f"peer {peer}", most=BAD_MOST)
            return None
        self._refuse_often(f"key {key.id}", most=GOOD_MOST)
        return Visitor(name=key.name, role=Role(key.role), key_id=key.id)

    def _found(self, text: str) -> Key | None:
        now_ms = self._clock.since_boot_ms()
        known_as = sha256(text.encode()).hexdigest()  # so that no key lies about in memory
        with self._guard:
            kept = self._known.get(known_as)
        if kept is not None and now_ms - kept[0] < KNOWN_MS:
            return kept[1]
        key = self._keys.find(text)
        if key is not None and self._stale(key):
            with suppress(StoreUnavailable):  # a question is answered though nothing can be noted
                self._keys.used(key.id)
        with self._guard:
            if len(self._known) >= COUNTED_MOST:
                self._known.clear()
            self._known[known_as] = (now_ms, key)
        return key

    def _stale(self, key: Key) -> bool:
        """Return whether a key's last use would be noted now; asking spares the writing."""
        return key.used_at is None or self._clock.now() - key.used_at > USED_EVERY

    def _refuse_often(self, name: str, *, most: int) -> None:
        """Count a request of the last minute, or refuse the one above the most."""
        now_ms = self._clock.since_boot_ms()
        with self._guard:
            if name not in self._tries and len(self._tries) >= COUNTED_MOST:
                self._tries.clear()
            tries = self._tries.setdefault(name, deque(maxlen=GOOD_MOST))
            while tries and now_ms - tries[0] >= MINUTE_MS:
                tries.popleft()
            if len(tries) >= most:
                raise TooMany(retry_after_s=1 + (MINUTE_MS - now_ms + tries[0]) // 1000)
            tries.append(now_ms)

    # -- looking after them -----------------------------------------------------------------------

    def create(self, name: str, *, role: Role, by: Actor) -> tuple[Key, str]:
        """Make a key; the text it opens with is shown once and kept nowhere.

        Raises:
            KeyWrong: Its name cannot be taken.
        """
        called = name.strip()
        if not 1 <= len(called) <= NAME_MOST or not called.isprintable():
            problem = f"must have 1 to {NAME_MOST} characters"
            raise KeyWrong(field="name", problem=problem, got=called[:NAME_MOST])
        if called.lower() in RESERVED:
            raise KeyWrong(field="name", problem="is one the audit log itself uses", got=called)
        made = self._keys.create(called, role=role.value, by=by)
        self.look_again()
        return made

    def look_again(self) -> None:
        """Forget whether somebody is needed to sign in: a person or key came or went."""
        with self._guard:
            self._open = None

    def revoke(self, key_id: int, *, by: Actor) -> bool:
        """Revoke a key; False where there is none, or it was revoked before."""
        done = self._keys.revoke(key_id, by=by)
        with self._guard:
            self._known.clear()
            self._open = None
        return done

    def all(self) -> list[Key]:
        """Return every key there ever was, oldest first."""
        return self._keys.all()
