"""A start of the schedule, taken once: in one transaction with whatever it leads to."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from application.store.door_schema import schedules


@dataclass(frozen=True, slots=True)
class Start:
    """A start that nobody has taken yet.

    Args:
        at: The start.
        former: `ticked_at` of the schedule it was worked out from.
    """

    at: datetime
    former: datetime | None


class StartTaken(Exception):
    """Another server was faster, or the schedule is another one by now."""


def take(connection: Connection, start: Start) -> bool:
    """Return whether this start is ours; of several askers one gets True."""
    row = connection.execute(select(schedules).with_for_update()).first()
    if row is None or not row.enabled or row.ticked_at != start.former:
        return False
    connection.execute(
        update(schedules)
        .where(schedules.c.one == row.one, schedules.c.changed_at == row.changed_at)
        .values(ticked_at=start.at)
    )
    return True
