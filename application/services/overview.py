"""Everything at one glance, from stored facts: what stands, who must act, what comes next."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import Final
from zoneinfo import ZoneInfo

from application.catalogue import CAUSES, RetryRule, Stop
from application.invoices.model import Status
from application.mis.reader import DayTally, MisReader
from application.services.causes import Causes, Group
from application.services.company import Company, ConnectionState
from application.services.listing import Listing
from application.services.progress import Progress, Statistics
from application.services.schedule import Schedule, Timetable
from application.store.runs import Run, Runs
from application.world import Clock

KEPT_MS: Final = 5_000
DETAILS_KEPT_MS: Final = 60_000
RECENT: Final = 20
MONTHS_MOST: Final = 12
OVERDUE: Final = 2  # starts without a run
WAITED_DAYS: Final = (1, 7, 30)  # the last day of each age but the oldest
WORKING: Final = frozenset({"running", "queued", "stopping"})


class Say(StrEnum):
    """What the headline says; the first one that is true is said."""

    SETUP = "setup"  # something of it is left
    TROUBLE = "trouble"  # a condition under which nothing can be sent, or read
    ATTENTION = "attention"
    OVERDUE = "overdue"
    RUNNING = "running"
    WAITING = "waiting"
    SETTLING = "settling"
    EMPTY = "empty"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class Headline:
    """The one sentence to read, and the facts in it."""

    say: Say
    cause: str | None = None  # of trouble
    facts: tuple[tuple[str, object], ...] = ()  # of the cause
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What stands, at one moment."""

    at: datetime
    counts: Statistics
    attention: int


@dataclass(frozen=True, slots=True)
class Month:
    """The invoices of one month; the parts add up to the total."""

    first: date | None  # None: those without a usable date, or all that came before
    earlier: bool
    total: int
    synced: int
    failed: int
    open: int  # not synced, or in progress


@dataclass(frozen=True, slots=True)
class Details:
    """What takes longer to add up."""

    at: datetime
    groups: tuple[Group, ...]
    months: tuple[Month, ...]
    waited: tuple[int, ...]  # one for each of WAITED_DAYS, and the oldest
    undated: int  # that wait, without a usable date


@dataclass(frozen=True, slots=True)
class Glance:
    """Everything the first page shows."""

    headline: Headline
    figures: Figures | None  # None: nothing is known yet
    details: Details | None
    trouble: Stop | None  # why the figures are not of now
    state: ConnectionState
    active: Run | None
    last: Run | None
    schedule: Schedule | None
    next_run_at: datetime | None
    starts_missed: int


class Overview:
    """Answers at a glance; reads the MIS and our store, keeps figures for a few seconds."""

    def __init__(
        self,
        *,
        reader: MisReader,
        progress: Progress,
        listing: Listing,
        causes: Causes,
        company: Company,
        runs: Runs,
        schedule: Timetable,
        clock: Clock,
        office: ZoneInfo,
        setup_left: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._progress = progress
        self._listing = listing
        self._causes = causes
        self._company = company
        self._runs = runs
        self._schedule = schedule
        self._clock = clock
        self._office = office
        self._setup_left = setup_left
        self._guard = Lock()
        self._figures: tuple[int, Figures] | None = None
        self._details: tuple[int, Statistics, Details] | None = None
        self._down: tuple[int, datetime, Stop] | None = None

    def figures(self) -> Figures:
        """Return what stands, at most five seconds old.

        Raises:
            Stop: The MIS or our store does not answer.
        """
        with self._guard:  # of many who ask at once one counts
            now_ms = self._clock.since_boot_ms()
            if self._figures is not None and now_ms - self._figures[0] < KEPT_MS:
                return self._figures[1]
            if self._down is not None and now_ms - self._down[0] < KEPT_MS:
                raise self._down[2]
            try:
                counts = self._progress.counts()
                attention = self._listing.attention(counts)
            except Stop as stop:
                since = self._down[1] if self._down else self._clock.now()
                self._down = (now_ms, since, stop)
                raise
            self._down = None
            found = Figures(at=self._clock.now(), counts=counts, attention=attention)
            self._figures = (now_ms, found)
            return found

    def glance(self) -> Glance:
        """Return everything at a glance; where the MIS is away, what was last known of it.

        Raises:
            Stop: Our own store does not answer.
        """
        state = self._company.state()
        recent = list(self._runs.recent(limit=RECENT))
        active = active_of(recent)
        missed = self._missed(recent)
        trouble: Stop | None = None
        figures: Figures | None = None
        details: Details | None = None
        try:
            now = self.figures()
            figures, details = now, self._added_up(now)
        except Stop as stop:
            trouble = stop
            figures = self._figures[1] if self._figures else None
            details = self._details[2] if self._details else None
        headline = (
            self._setting_up()
            or self._trouble(trouble, state=state, active=active)
            or headline_of(figures, active=active, missed=missed)
        )
        return Glance(
            headline=headline,
            figures=figures,
            details=details,
            trouble=trouble,
            state=state,
            active=active,
            last=next((run for run in recent if run.finished_at and run.kind != "settle"), None),
            schedule=self._schedule.get(),
            next_run_at=self._schedule.next_run_at(),
            starts_missed=missed,
        )

    def _setting_up(self) -> Headline | None:
        left = self._setup_left()
        return Headline(Say.SETUP, facts=(("left", left),)) if left else None

    def _trouble(
        self, trouble: Stop | None, *, state: ConnectionState, active: Run | None
    ) -> Headline | None:
        if trouble is not None:
            since = self._down[1] if self._down else None
            facts = tuple(trouble.facts.items())
            return Headline(Say.TROUBLE, cause=trouble.cause, facts=facts, since=since)
        if state.problem is not None:
            facts = (("reason", state.reason), ("company", state.company))
            return Headline(Say.TROUBLE, cause=state.problem, facts=facts, since=state.since)
        if active is not None and active.state.startswith("waiting_") and _blocks(active.cause):
            return Headline(Say.TROUBLE, cause=active.cause)
        return None

    def _missed(self, recent: Sequence[Run]) -> int:
        begun = [run.started_at for run in recent if run.started_at and run.kind != "settle"]
        return self._schedule.starts_missed(since=max(begun, default=None), most=OVERDUE)

    def _added_up(self, figures: Figures) -> Details:
        """Return the slower sums: those of before while they are young and nothing changed."""
        now_ms = self._clock.since_boot_ms()
        kept = self._details
        young = kept is not None and now_ms - kept[0] < DETAILS_KEPT_MS
        if kept is not None and young and kept[1] == figures.counts:
            return kept[2]
        now = self._clock.now()
        days = self._reader.by_day()
        waited, undated = waited_of(days, today=now.astimezone(self._office).date())
        found = Details(
            at=now,
            groups=tuple(self._causes.groups(checked=False)),
            months=months_of(days),
            waited=waited,
            undated=undated,
        )
        self._details = (now_ms, figures.counts, found)
        return found


def headline_of(figures: Figures | None, *, active: Run | None, missed: int) -> Headline:
    """Return what is to be said where nothing stands in the way."""
    if figures is None or not figures.counts.total:
        return Headline(Say.EMPTY)
    waiting = figures.counts.not_synced
    rules: tuple[tuple[Say, Callable[[], bool]], ...] = (
        (Say.ATTENTION, lambda: figures.attention > 0),
        (Say.OVERDUE, lambda: missed >= OVERDUE and waiting > 0),
        (Say.RUNNING, lambda: active is not None),
        (Say.WAITING, lambda: waiting > 0),
        (Say.SETTLING, lambda: figures.counts.in_progress > 0),
    )
    return Headline(next((say for say, true in rules if true()), Say.SENT))


def active_of(recent: Iterable[Run]) -> Run | None:
    """Return the run that is at work or will go on by itself, the long one first."""
    going = [run for run in recent if run.finished_at is None]
    long = next((run for run in going if run.sole), None)
    return long or next((run for run in going if run.state in WORKING), None)


def months_of(days: Iterable[DayTally]) -> tuple[Month, ...]:
    """Return the newest months first; older ones, and those without a date, as one each."""
    by_month: dict[date | None, Counter[Status]] = {}
    for one in days:
        first = None if one.dated is None else one.dated.replace(day=1)
        by_month.setdefault(first, Counter())[one.status] += one.count
    dated = sorted((first for first in by_month if first is not None), reverse=True)
    shown, older = dated[:MONTHS_MOST], dated[MONTHS_MOST:]
    months = [_month(first, by_month[first]) for first in shown]
    if older:
        together = sum((by_month[first] for first in older), Counter[Status]())
        months.append(_month(None, together, earlier=True))
    if None in by_month:
        months.append(_month(None, by_month[None]))
    return tuple(months)


def _month(first: date | None, counts: Counter[Status], *, earlier: bool = False) -> Month:
    return Month(
        first=first,
        earlier=earlier,
        total=counts.total(),
        synced=counts[Status.SYNCED],
        failed=counts[Status.FAILED],
        open=counts[Status.NOT_SYNCED] + counts[Status.IN_PROGRESS],
    )


def waited_of(days: Iterable[DayTally], *, today: date) -> tuple[tuple[int, ...], int]:
    """Return how many wait for how long, by their invoice date, and how many have none."""
    ages = [0] * (len(WAITED_DAYS) + 1)
    undated = 0
    for one in days:
        if one.status is not Status.NOT_SYNCED:
            continue
        if one.dated is None:
            undated += one.count
            continue
        age = (today - one.dated) // timedelta(days=1)
        place = next((at for at, last in enumerate(WAITED_DAYS) if age <= last), len(WAITED_DAYS))
        ages[place] += one.count
    return tuple(ages), undated


def _blocks(cause: str | None) -> bool:
    """Return whether a run waits for something a person should know; a pause ends by itself."""
    return cause is not None and cause in CAUSES and CAUSES[cause].retry is RetryRule.WAIT
