"""What a month's requests to QuickBooks came to; Intuit grants only so many reads among them."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from application.store.schema import notes
from application.store.tables import Clash, Store

_LOCKED = select(notes.c.value).where(notes.c.name == bindparam("name")).with_for_update()
_KNOWN = select(notes.c.value).where(notes.c.name == bindparam("name"))
_AGAIN = update(notes).where(notes.c.name == bindparam("b_name"))
_NEW = insert(notes)


@dataclass(frozen=True, slots=True)
class Spending:
    """What was asked of QuickBooks: in a month by every process of this installation, or by a run.

    Args:
        requests: All of them, reads too.
        reads: Lookups, queries and single documents; what Intuit meters.
    """

    requests: int = 0
    reads: int = 0

    def __add__(self, other: "Spending") -> "Spending":
        """Return both together."""
        return Spending(self.requests + other.requests, self.reads + other.reads)

    def __sub__(self, other: "Spending") -> "Spending":
        """Return what came after the other."""
        return Spending(self.requests - other.requests, self.reads - other.reads)


class Usage:
    """Adds up requests, month by month. Months are those of UTC; Intuit names no zone.

    Args:
        store: Our database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, realm_tag: str, spent: Spending) -> None:
        """Add what a process has asked since it last told."""

        def work(connection: Connection) -> None:
            now = self._store.moment(connection)
            name = _name(realm_tag, at=now)
            value = connection.execute(_LOCKED, {"name": name}).scalar_one_or_none()
            note = {"value": asdict(_read(value) + spent), "at": now}
            if value is None:
                connection.execute(_NEW, {"name": name, **note})
            else:
                connection.execute(_AGAIN, {"b_name": name, **note})

        try:
            self._store.write(work)
        except Clash:  # two processes began the month at once
            self._store.write(work)

    def of_month(self, realm_tag: str, *, at: datetime) -> Spending:
        """Return what the month of an instant came to so far."""
        with self._store.read() as connection:
            name = _name(realm_tag, at=at)
            return _read(connection.execute(_KNOWN, {"name": name}).scalar_one_or_none())


def _name(realm_tag: str, *, at: datetime) -> str:
    return f"usage.{realm_tag}.{at:%Y-%m}"


def _read(value: object) -> Spending:
    if not isinstance(value, dict):
        return Spending()
    return Spending(requests=int(value["requests"]), reads=int(value["reads"]))
