"""The right to send as a value, and the guard that every write of a sender passes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection


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
