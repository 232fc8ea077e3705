"""What the last looks at an installation found, kept until somebody looks again."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from application.store.items import Items
from application.world import Clock

DOCTOR: Final = "doctor"
DOCTOR_MIS: Final = "doctor.mis"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    result: str  # ok, warn or fail
    text: str
    remedy: str | None = None
    cause: str | None = None

    @property
    def word(self) -> str:
        """Its name for a program, such as `custom_transaction_numbers`."""
        return self.name.lower().replace(" ", "_")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found."""

    at: datetime
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing stands in the way; advice does not."""
        return all(one.result != "fail" for one in self.checks)


class Looks:
    """Remembers looks by name.

    Args:
        items: Where small things are remembered.
        clock: The present.
    """

    def __init__(self, items: Items, *, clock: Clock) -> None:
        self._items = items
        self._clock = clock

    def keep(self, name: str, checks: Iterable[Check]) -> None:
        """Keep what a look found in place of the one before."""
        kept = {
            "at": self._clock.now().isoformat(),
            "checks": [asdict(one) for one in checks],
        }
        self._items.remember(name, kept)

    def known(self, name: str) -> Seen | None:
        """Return what the last look found; None where nobody has looked."""
        kept = self._items.recall(name)
        if not isinstance(kept, dict):
            return None
        return Seen(
            at=datetime.fromisoformat(kept["at"]),
            checks=tuple(Check(**one) for one in kept["checks"]),
        )
