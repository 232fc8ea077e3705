"""A timetable over a real store, and a clock that shows what a test wants."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from typing_extensions import override

from application.services.schedule import Timetable
from application.store.audit import Actor
from application.store.schedules import Schedules
from application.world import Clock
from tests.rooms.store_support import Rooms

KIGALI = ZoneInfo("Africa/Kigali")
LONDON = ZoneInfo("Europe/London")
SERVER = Actor("schedule", source="server", process="desk-1")
MONDAY = datetime(2025, 11, 17, 12, 0, tzinfo=KIGALI)
NIGHTLY = {"days": ["mon", "tue"], "from": "20:00", "to": "06:00"}


class SetClock(Clock):
    """A clock that shows what a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.at = MONDAY.astimezone(UTC)

    @override
    def now(self) -> datetime:
        return self.at

    def show(self, day: int, told: str, *, month: int = 11, office: ZoneInfo = KIGALI) -> datetime:
        hour, minute = map(int, told.split(":"))
        self.at = datetime(2025, month, day, hour, minute, tzinfo=office).astimezone(UTC)
        return self.at


def timetable_of(rooms: Rooms, *, office: ZoneInfo = KIGALI) -> Timetable:
    schedules = Schedules(rooms.store, audit=rooms.audit, world=rooms.world)
    return Timetable(schedules, office=office, clock=rooms.world.clock)


def next_in_utc(timetable: Timetable) -> datetime:
    """Return the next start; in the hour that comes twice only UTC compares with anything."""
    following = timetable.next_run_at()
    assert following is not None
    return following.astimezone(UTC)
