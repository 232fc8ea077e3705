"""when runs start by themselves: one schedule, and the last start that was taken care of."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from application.store.audit import Actor, Audit, Entry
from application.store.columns import clean
from application.store.door_schema import schedules
from application.store.starts import Start, take
from application.store.tables import Clash, Store
from application.world import World

ONE: Final = 1
SUBJECT: Final = "schedule"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a schedule says."""

    enabled: bool
    cron: str  # five fields, in office time
    window_from: str | None  # HH:MM in office time; both or none
    window_to: str | None
    batch_size: int | None
    max_batches: int | None  # a night's limit


@dataclass(frozen=True, slots=True)
class Schedule:
    """The schedule as it stands."""

    enabled: bool
    cron: str
    window_from: str | None
    window_to: str | None
    batch_size: int | None
    max_batches: int | None
    changed_by: str
    changed_at: datetime
    ticked_at: datetime | None  # starts up to here are taken care of

    @property
    def terms(self) -> Terms:
        """What it says, without who said so."""
        return Terms(
            enabled=self.enabled,
            cron=self.cron,
            window_from=self.window_from,
            window_to=self.window_to,
            batch_size=self.batch_size,
            max_batches=self.max_batches,
        )


class Schedules:
    """The one schedule of this installation."""

    def __init__(self, store: Store, *, audit: Audit, world: World) -> None:
        self._store = store
        self._audit = audit
        self._world = world

    def get(self) -> Schedule | None:
        """Return the schedule; None before anybody has set one."""
        with self._store.read() as connection:
            row = connection.execute(select(schedules).where(schedules.c.one == ONE)).first()
        return None if row is None else _schedule(row)

    def save(self, terms: Terms, *, by: Actor) -> Schedule:
        """Keep what a person set, and return the schedule as it stands then.

        Saving what it says already changes nothing. Other times, and a pause that ends, count
        from now on: a start that lies before is never made up for.
        """

        def work(connection: Connection) -> Schedule:
            row = _locked(connection)
            former = None if row is None else _schedule(row)
            if former is None or former.terms != terms:
                self._write(connection, terms, former=former, by=by)
            found = connection.execute(select(schedules).where(schedules.c.one == ONE)).one()
            return _schedule(found)

        try:
            return self._store.write(work)
        except Clash:  # two people set it for the first time at once
            return self._store.write(work)

    def ticked(self, at: datetime, former: datetime | None) -> bool:
        """Return whether this start is ours to make; of several askers one gets True.

        Args:
            at: The start.
            former: `ticked_at` of the schedule the start was worked out from.
        """
        return self._store.write(lambda connection: take(connection, Start(at, former)))

    def missed(self, at: datetime, former: datetime | None, *, by: Actor) -> bool:
        """Note a start that nobody could make in time; True for the one who notes it."""

        def work(connection: Connection) -> bool:
            ours = take(connection, Start(at, former))
            if ours:
                entry = Entry(
                    action="schedule.missed",
                    subject=SUBJECT,
                    by=by,
                    after={"at": at.isoformat(timespec="seconds")},
                )
                self._audit.append(connection, entry)
            return ours

        return self._store.write(work)

    def _write(
        self, connection: Connection, terms: Terms, *, former: Schedule | None, by: Actor
    ) -> None:
        values = asdict(terms) | {
            "changed_by": clean(by.name, most=120),
            "changed_at": self._store.moment(connection),
        }
        if former is None or _starts(former.terms) != _starts(terms):
            # By our own clock, because the starts it is compared with are worked out by that.
            values["ticked_at"] = self._world.clock.now()
        if former is None:
            connection.execute(insert(schedules).values(one=ONE, **values))
        else:
            connection.execute(
                update(schedules)
                .where(schedules.c.one == ONE, schedules.c.changed_at == former.changed_at)
                .values(**values)
            )
        entry = Entry(
            action=_action(former, terms),
            subject=SUBJECT,
            by=by,
            before=None if former is None else asdict(former.terms),
            after=asdict(terms),
        )
        self._audit.append(connection, entry)


def _starts(terms: Terms) -> tuple[object, ...]:
    """Return what the starts follow from."""
    return terms.enabled, terms.cron, terms.window_from, terms.window_to


def _action(former: Schedule | None, terms: Terms) -> str:
    if former is None or former.enabled == terms.enabled:
        return "schedule.changed"
    return "schedule.resumed" if terms.enabled else "schedule.paused"


def _locked(connection: Connection) -> Row[Any] | None:
    query = select(schedules).where(schedules.c.one == ONE).with_for_update()
    return connection.execute(query).first()


def _schedule(row: Row[Any]) -> Schedule:
    return Schedule(
        enabled=bool(row.enabled),
        cron=row.cron,
        window_from=row.window_from,
        window_to=row.window_to,
        batch_size=row.batch_size,
        max_batches=row.max_batches,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
        ticked_at=row.ticked_at,
    )
