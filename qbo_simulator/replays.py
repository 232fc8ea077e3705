"""The memory behind `requestid`: the same id again gets the same bytes again."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from qbo_simulator.codec import encode, thing
from qbo_simulator.keeping import Keeper

BUSY_MAX: Final = 4096
# A shorter life may be made longer again by its knob, so a day is kept in any case.
FORGET_AFTER_S: Final = 86_400


@dataclass(slots=True)
class Kept:
    """One remembered answer."""

    at_s: float
    status: int
    fingerprint: str
    parts: tuple[bytes, ...]
    entity: str
    row_id: int

    @property
    def body(self) -> bytes:
        """The answer, byte for byte."""
        return b"".join(self.parts)


def fingerprint(body: bytes) -> str:
    """Return a short digest, to tell the same body from another."""
    return hashlib.blake2b(body, digest_size=12).hexdigest()


class Memory:
    """Remembered answers of one company, oldest first."""

    def __init__(self, *, realm_id: str, keeper: Keeper) -> None:
        self._realm_id = realm_id
        self._keeper = keeper
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self.busy_until_s: dict[str, float] = {}

    def find(self, key: str, *, now_s: float, life_s: int | None) -> Kept | None:
        """Return the answer once given under this id, if it is still remembered."""
        kept = self._kept.get(key)
        if kept is None or (life_s is not None and now_s - kept.at_s >= life_s):
            return None
        return kept

    def busy(self, key: str, *, until_s: float, now_s: float) -> None:
        """Note that the answer under this id is still on its way."""
        if len(self.busy_until_s) >= BUSY_MAX:
            late = {one: end for one, end in self.busy_until_s.items() if end > now_s}
            self.busy_until_s = late
        self.busy_until_s[key] = until_s

    def keep(self, key: str, kept: Kept, *, life_s: int | None) -> None:
        """Remember an answer; durable with the next commit of the file."""
        while life_s is not None and self._kept:
            oldest = next(iter(self._kept))
            if kept.at_s - self._kept[oldest].at_s < max(life_s, FORGET_AFTER_S):
                break
            del self._kept[oldest]
            self._keeper.put("replay", realm=self._realm_id, name=oldest, value=None)
        self._kept.pop(key, None)
        self._kept[key] = kept
        value = {
            "at_s": kept.at_s,
            "status": kept.status,
            "fingerprint": kept.fingerprint,
            "body": kept.body.decode(),
            "entity": kept.entity,
            "row_id": kept.row_id,
        }
        self._keeper.put("replay", realm=self._realm_id, name=key, value=encode(value))

    def restore(self, key: str, value: bytes) -> None:
        """Take one answer back from the file."""
        found = thing(value)
        self._kept[key] = Kept(
            float(found["at_s"]),
            found["status"],
            found["fingerprint"],
            (found["body"].encode(),),
            found["entity"],
            found["row_id"],
        )

    def __len__(self) -> int:
        """Return how many answers are remembered."""
        return len(self._kept)
