"""The right to send as a value, and the guard that every write of a sender passes."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from sqlalchemy import Connection, Select, bindparam, select

from application.catalogue import LeaseLost
from application.store.schema import lease_terms
from application.store.tables import Store, clock_in, has_clock


@dataclass(frozen=True, slots=True)
class Lease:
    """One term of one sender in one realm."""

    realm_tag: str
    epoch: int
    ulid: str
    run_id: int | None
    holder: str
    until: datetime  # by the database's clock, as it was when this value was made
    boot_id: str
    until_boot_ms: int  # the same end on the boot clock of this machine


class Guard(Protocol):
    """Says in a write transaction whether the lease still holds."""

    def guard(self, connection: Connection, lease: Lease) -> datetime:
        """Return the database's present while the lease holds until this transaction ends.

        Raises:
            LeaseLost: It does not hold; the transaction must write nothing.
        """


def held(connection: Connection, *, store: Store, lease: Lease, lock: bool) -> datetime:
    """Return the database's present while the lease holds by the database's clock.

    Args:
        connection: Of a transaction.
        store: Our database.
        lease: The lease.
        lock: Whether nobody may take it before the transaction ends.

    Raises:
        LeaseLost: It ended, or another sender took over.
    """
    query = _term(store.dialect, lock=lock)
    row = connection.execute(query, {"ulid": lease.ulid, "epoch": lease.epoch}).first()
    if row is None or row.ended_at is not None:
        raise LeaseLost(epoch=lease.epoch)
    now: datetime = row.now if has_clock(store.dialect) else store.moment(connection)
    if row.until <= now:
        raise LeaseLost(epoch=lease.epoch)
    return now


@cache
def _term(dialect: str, *, lock: bool) -> Select[Any]:
    """Return the question for a term, and for the database's clock where it has one.

    Every page and every send asks it; building it anew would take longer than asking.
    """
    clock = [clock_in(dialect).label("now")] if has_clock(dialect) else []
    query = select(lease_terms.c.until, lease_terms.c.ended_at, *clock).where(
        lease_terms.c.ulid == bindparam("ulid"), lease_terms.c.epoch == bindparam("epoch")
    )
    return query.with_for_update(read=True) if lock else query
