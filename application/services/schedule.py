"""When runs start by themselves: five cron fields and a window, in office time."""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from application.catalogue import NotFound, StateConflict, Stop
from application.store.audit import Actor
from application.store.schedules import Schedule, Schedules, Terms
from application.store.starts import Start
from application.world import Clock

__all__ = ["Due", "Schedule", "ScheduleWrong", "Terms", "Timetable", "of_shape", "shape_of"]

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIELDS: Final = 5
CRON_CHARACTERS_MAX: Final = 120
BATCH_MOST: Final = 100
BATCHES_MOST: Final = 1_000_000
_ASK_AGAIN_DAYS: Final = 8 * 366  # 29 February comes at least that often
_LOOKS_MOST: Final = 8 * 366
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_GRACE: Final = timedelta(minutes=2)  # a start this young may still be on its way
_LOOK_BACKS: Final = tuple(timedelta(hours=one) for one in (1, 24, 200, 1_000, 9_000, 72_000))
_CRON: Final = re.compile(r"[0-9A-Za-z*/,#-]+( [0-9A-Za-z*/,#-]+){4}")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_SIMPLE: Final = re.compile(r"([0-9]{1,2}) ([0-9]{1,2}) \* \* (\*|[0-7A-Za-z,-]+)")


class ScheduleWrong(Stop):
    """A schedule asks for something that cannot be. Facts: field, problem, got."""

    cause = "validation_failed"

    def __init__(self, *, field: str, problem: str, got: object) -> None:
        super().__init__(field=field, problem=f"{field} {problem}", got=got)


@dataclass(frozen=True, slots=True)
class Due:
    """A start that nobody has taken care of."""

    at: datetime
    former: datetime | None  # for `ticked` and `missed`, which only one of several askers wins
    until: datetime | None  # when its window ends
    missed: bool  # the window is over: note it, start nothing

    @property
    def start(self) -> Start:
        """What is taken together with the run it leads to."""
        return Start(self.at, self.former)


class Timetable:
    """The schedule: read, set, paused, and asked what is due.

    Args:
        schedules: Where it is kept.
        office: The zone its times are told in.
        clock: The present.
    """

    def __init__(self, schedules: Schedules, *, office: ZoneInfo, clock: Clock) -> None:
        self._schedules = schedules
        self._office = office
        self._clock = clock

    def get(self) -> Schedule | None:
        """Return the schedule; None before anybody has set one."""
        return self._schedules.get()

    def save(self, terms: Terms, *, by: Actor) -> Schedule:
        """Keep a schedule and return it as it stands then.

        Raises:
            ScheduleWrong: It has no start, or one of its values is out of its limits.
        """
        checked = _checked(terms)
        if next(_ahead(checked, after=self._clock.now(), office=self._office), None) is None:
            problem = "never comes to a start"
            if checked.window_from is not None:
                problem = "has no start between from and to"
            raise ScheduleWrong(field="cron", problem=problem, got=checked.cron)
        return self._schedules.save(checked, by=by)

    def pause(self, *, by: Actor) -> Schedule:
        """Let no run start by itself.

        Raises:
            NotFound: No schedule is set.
            StateConflict: It is paused already.
        """
        return self._turn(enabled=False, by=by)

    def resume(self, *, by: Actor) -> Schedule:
        """Let runs start by themselves again.

        Raises:
            NotFound: No schedule is set.
            StateConflict: It is not paused.
        """
        return self._turn(enabled=True, by=by)

    def next_run_at(self) -> datetime | None:
        """Return the next start, in office time; None where there is none."""
        schedule = self.get()
        if schedule is None or not schedule.enabled:
            return None
        now = self._clock.now()
        at = next(_ahead(schedule.terms, after=now, office=self._office), None)
        return None if at is None else at.astimezone(self._office)

    def due(self, now: datetime) -> Due | None:
        """Return the newest start up to now that nobody has taken care of.

        Of several that passed while no server ran only the newest counts: one run does it all.
        """
        schedule = self.get()
        if schedule is None or not schedule.enabled:
            return None
        since = schedule.ticked_at or schedule.changed_at
        at = _newest(schedule.terms, since=since, now=now, office=self._office)
        if at is None:
            return None
        window = _window_at(schedule.terms, at, office=self._office)
        until = None if window is None else window.closes
        return Due(
            at=at,
            former=schedule.ticked_at,
            until=until,
            missed=until is not None and now >= until,
        )

    def starts_missed(self, *, since: datetime | None, most: int) -> int:
        """Return how many starts have passed without a run.

        Args:
            since: When the last run began; None: there was none.
            most: Counting ends there.
        """
        schedule = self.get()
        if schedule is None or not schedule.enabled:
            return 0
        begin = max(since, schedule.changed_at) if since else schedule.changed_at
        place = self._clock.now() - _GRACE
        for count in range(most):
            at = _newest(schedule.terms, since=begin, now=place, office=self._office)
            if at is None:
                return count
            place = at - _SECOND
        return most

    def ticked(self, due: Due) -> bool:
        """Return whether a start that leads to no run is ours to note; of several one gets True."""
        return self._schedules.ticked(due.at, due.former)

    def missed(self, due: Due, *, by: Actor) -> bool:
        """Note a start whose window ended before anybody could make it; True for who notes it."""
        return self._schedules.missed(due.at, due.former, by=by)

    def window_ends(self, at: datetime) -> datetime | None:
        """Return when a run that starts then must end: `at` itself outside, None without window."""
        schedule = self.get()
        if schedule is None or schedule.window_from is None:
            return None
        window = _window_at(schedule.terms, at, office=self._office)
        return at if window is None else window.closes

    def is_inside(self, now: datetime) -> bool:
        """Return whether the schedule's runs may be at work now."""
        schedule = self.get()
        if schedule is None:
            return False
        return schedule.window_from is None or (
            _window_at(schedule.terms, now, office=self._office) is not None
        )

    def _turn(self, *, enabled: bool, by: Actor) -> Schedule:
        schedule = self.get()
        if schedule is None:
            raise NotFound(what="schedule")
        if schedule.enabled == enabled:
            raise StateConflict(state="paused" if not enabled else "not paused")
        return self._schedules.save(replace(schedule.terms, enabled=enabled), by=by)


# -- as doors show it ---------------------------------------------------------------------------


def shape_of(schedule: Schedule | None, next_run_at: datetime | None) -> dict[str, object]:
    """Return a schedule as doors show it; before one is set, one that is not enabled."""
    if schedule is None:
        names = ("days", "from", "to", "batch_size", "max_batches", "cron", "next_run_at")
        return {"enabled": False, **dict.fromkeys(names)}
    days, starts = _simple(schedule.cron)
    if schedule.window_from not in {None, starts}:
        days, starts = None, schedule.window_from
    return {
        "enabled": schedule.enabled,
        "days": days,
        "from": starts,
        "to": schedule.window_to,
        "batch_size": schedule.batch_size,
        "max_batches": schedule.max_batches,
        "cron": schedule.cron,
        "next_run_at": next_run_at,
    }


def of_shape(shape: Mapping[str, object]) -> Terms:
    """Return what a door was told, checked value by value.

    Args:
        shape: As `shape_of` returns it. Either `cron`, or `days` and `from`; with both, they must
            agree. Without `to` there is no window: a run goes on until it is done.

    Raises:
        ScheduleWrong: A value is missing, wrong, or contradicts another one.
    """
    enabled = shape.get("enabled", True)
    if not isinstance(enabled, bool):
        raise ScheduleWrong(field="enabled", problem="must be true or false", got=enabled)
    starts, ends = _clock_time(shape, "from"), _clock_time(shape, "to")
    cron = _cron_of(shape, days=_days_of(shape), starts=starts)
    windowed = ends is not None
    if windowed and starts is None:
        raise ScheduleWrong(field="from", problem="is needed with to", got=None)
    return _checked(
        Terms(
            enabled=enabled,
            cron=cron,
            window_from=starts if windowed else None,
            window_to=ends,
            batch_size=_count(shape, "batch_size"),
            max_batches=_count(shape, "max_batches"),
        )
    )


def _cron_of(shape: Mapping[str, object], *, days: list[str] | None, starts: str | None) -> str:
    told = shape.get("cron")
    if told is not None and not isinstance(told, str):
        raise ScheduleWrong(field="cron", problem="must be a text", got=told)
    if told is None:
        if days is None or starts is None:
            raise ScheduleWrong(field="cron", problem="or days and from are needed", got=None)
        return _derived(days, starts)
    cron = " ".join(told.split())
    simple_days, simple_start = _simple(cron)
    if days is not None and (simple_days, simple_start) != (days, starts):
        problem = "contradicts days and from; leave one of them out"
        raise ScheduleWrong(field="cron", problem=problem, got=cron)
    if shape.get("to") is None and starts not in {None, simple_start}:
        raise ScheduleWrong(field="from", problem="needs to, or no cron", got=starts)
    return cron


def _days_of(shape: Mapping[str, object]) -> list[str] | None:
    told = shape.get("days")
    if told is None:
        return None
    if not isinstance(told, list | tuple) or not told or not set(map(str, told)) <= set(DAYS):
        raise ScheduleWrong(field="days", problem=f"must be some of {', '.join(DAYS)}", got=told)
    return [day for day in DAYS if day in told]


def _clock_time(shape: Mapping[str, object], field: str) -> str | None:
    told = shape.get(field)
    if told is None:
        return None
    if not isinstance(told, str) or not _TIME.fullmatch(told):
        raise ScheduleWrong(field=field, problem="must look like 20:00", got=told)
    return told


def _count(shape: Mapping[str, object], field: str) -> int | None:
    told = shape.get(field)
    if told is not None and (not isinstance(told, int) or isinstance(told, bool)):
        raise ScheduleWrong(field=field, problem="must be a whole number", got=told)
    return told


def _derived(days: list[str], starts: str) -> str:
    hour, minute = (int(part) for part in starts.split(":"))
    # cron counts from Sunday, which is 0
    numbers = sorted((DAYS.index(day) + 1) % len(DAYS) for day in days)
    which = "*" if len(numbers) == len(DAYS) else ",".join(map(str, numbers))
    return f"{minute} {hour} * * {which}"


def _simple(cron: str) -> tuple[list[str] | None, str | None]:
    """Return the days and the time of a cron that says no more than that."""
    found = _SIMPLE.fullmatch(cron)
    if found is None:
        return None, None
    minute, hour, which = found.groups()
    starts = f"{int(hour):02}:{int(minute):02}"
    if which == "*":
        return list(DAYS), starts
    chosen: set[int] = set()
    for part in which.lower().split(","):
        first, _, last = part.partition("-")
        low, high = _weekday(first), _weekday(last or first)
        if low is None or high is None or high < low:
            return None, None
        chosen |= {number % len(DAYS) for number in range(low, high + 1)}
    return [day for at, day in enumerate(DAYS, start=1) if at % len(DAYS) in chosen], starts


def _weekday(word: str) -> int | None:
    """Return the number cron has for a day."""
    if word in DAYS:
        return (DAYS.index(word) + 1) % len(DAYS)
    return int(word) if len(word) == 1 and word.isdigit() else None


# -- what may be kept ---------------------------------------------------------------------------


def _checked(terms: Terms) -> Terms:
    """Return terms whose values are each within their limits."""
    cron = " ".join(terms.cron.split())
    _refuse_bad_cron(cron)
    for field, told in (("from", terms.window_from), ("to", terms.window_to)):
        _clock_time({field: told}, field)
    if (terms.window_from is None) != (terms.window_to is None):
        raise ScheduleWrong(field="to", problem="from and to go together", got=terms.window_to)
    if terms.window_from is not None and terms.window_from == terms.window_to:
        raise ScheduleWrong(field="to", problem="must not be the same as from", got=terms.window_to)
    for field, count, most in (
        ("batch_size", terms.batch_size, BATCH_MOST),
        ("max_batches", terms.max_batches, BATCHES_MOST),
    ):
        if count is not None and not 1 <= count <= most:
            raise ScheduleWrong(field=field, problem=f"must be 1 to {most}", got=count)
    return replace(terms, cron=cron)


def _refuse_bad_cron(cron: str) -> None:
    if len(cron) > CRON_CHARACTERS_MAX:
        problem = f"is longer than {CRON_CHARACTERS_MAX} characters"
        raise ScheduleWrong(field="cron", problem=problem, got=cron[:CRON_CHARACTERS_MAX])
    if len(cron.split()) != FIELDS:
        problem = "needs minute, hour, day, month and weekday"
        raise ScheduleWrong(field="cron", problem=problem, got=cron)
    if not _CRON.fullmatch(cron):
        raise ScheduleWrong(field="cron", problem="has a character cron does not know", got=cron)
    try:
        CronSim(cron, datetime(2025, 1, 1, tzinfo=UTC))
    except CronSimError as wrong:
        problem = str(wrong).replace("Bad", "has a bad")
        raise ScheduleWrong(field="cron", problem=problem, got=cron) from None


# -- starts and windows -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Window:
    """One night's window, as instants; it holds the first and not the second."""

    opens: datetime
    closes: datetime


def _instant(day: date, told: str, *, office: ZoneInfo) -> datetime:
    """Return when the clock of the office first shows that time, or jumps over it, on a day."""
    wall = datetime.combine(day, time.fromisoformat(told), tzinfo=office)
    while wall.astimezone(UTC).astimezone(office).replace(tzinfo=None) != wall.replace(tzinfo=None):
        wall += _MINUTE
    return wall.astimezone(UTC)


def _windows_near(
    terms: Terms, at: datetime, *, office: ZoneInfo, days: range
) -> Iterator[_Window]:
    """Yield the windows that open some days before or after an instant."""
    opens_at, closes_at = terms.window_from, terms.window_to
    if opens_at is None or closes_at is None:
        return
    today = at.astimezone(office).date()
    over_midnight = _DAY if closes_at <= opens_at else timedelta()
    for offset in days:
        day = today + offset * _DAY
        opens = _instant(day, opens_at, office=office)
        closes = _instant(day + over_midnight, closes_at, office=office)
        if opens < closes:
            yield _Window(opens, closes)


def _window_at(terms: Terms, at: datetime, *, office: ZoneInfo) -> _Window | None:
    """Return the window an instant lies in; None outside, and where there is no window."""
    near = _windows_near(terms, at, office=office, days=range(-1, 1))
    return next((one for one in near if one.opens <= at < one.closes), None)


def _ahead(terms: Terms, *, after: datetime, office: ZoneInfo) -> Iterator[datetime]:
    """Yield the starts after an instant; none where none comes for years."""
    last = after + _ASK_AGAIN_DAYS * _DAY
    place = after
    for _ in range(_LOOKS_MOST):
        at = _cron_next(terms.cron, place, office=office)
        if at is None or at > last:
            return
        if terms.window_from is None or _window_at(terms, at, office=office) is not None:
            yield at
            place = at
            continue
        following = _windows_near(terms, at, office=office, days=range(3))
        opening = min((one.opens for one in following if one.opens > at), default=at + _DAY)
        place = opening - _SECOND


def _newest(terms: Terms, *, since: datetime, now: datetime, office: ZoneInfo) -> datetime | None:
    """Return the last start in (since, now]."""
    place = now
    for _ in range(_LOOKS_MOST):
        at = _cron_last(terms.cron, since=since, up_to=place, office=office)
        if at is None:
            return None
        if terms.window_from is None or _window_at(terms, at, office=office) is not None:
            return at
        former = _windows_near(terms, at, office=office, days=range(-3, 1))
        closing = max((one.closes for one in former if one.closes <= at), default=at - _DAY)
        place = closing - _SECOND
    return None


def _cron_next(cron: str, after: datetime, *, office: ZoneInfo) -> datetime | None:
    """Return the first start after an instant."""
    return next(_cron_starts(cron, after, office=office), None)


def _cron_last(cron: str, *, since: datetime, up_to: datetime, office: ZoneInfo) -> datetime | None:
    """Return the last start in (since, up_to]; found forwards, so it is one that was announced."""
    for look_back in _LOOK_BACKS:
        begin = max(since, up_to - look_back)
        starts = _cron_starts(cron, begin, office=office)
        last = deque(takewhile(lambda one: one <= up_to, starts), maxlen=1)
        if last or begin == since:
            return last[0] if last else None
    return None


def _cron_starts(cron: str, after: datetime, *, office: ZoneInfo) -> Iterator[datetime]:
    starts = (one.astimezone(UTC) for one in CronSim(cron, after.astimezone(office)))
    # In the hour that comes twice the library begins with its first time, so it may look back.
    return (one for one in starts if one > after)
