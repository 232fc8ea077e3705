"""The right to send as a value, and the guard that every write of a sender passes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, select

from application.catalogue import LeaseLost
from application.store.schema import lease_terms
from application.store.tables import Store


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
    query = select(lease_terms.c.until, lease_terms.c.ended_at, store.clock().label("now")).where(
        lease_terms.c.ulid == lease.ulid, lease_terms.c.epoch == lease.epoch
    )
    row = connection.execute(query.with_for_update(read=True) if lock else query).first()
    if row is None or row.ended_at is not None or row.until <= row.now:
        raise LeaseLost(epoch=lease.epoch)
    now: datetime = row.now
    return now
