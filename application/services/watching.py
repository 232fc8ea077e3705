"""How a run stands, told honestly: what is done, how fast, how long still, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final

from application.services.reports import TAKEN_IN_MOST
from application.store.events import PROGRESS, STATES, Event, Events
from application.store.journal import Journal
from application.store.runs import Run, Runs
from application.world import Clock

FAILURES_SHOWN: Final = 20
LOOKS: Final = 60  # newest progress that is looked at: half a minute
MINUTES_MOST: Final = 30
EARLY: Final = timedelta(seconds=30)
LEAST_MET: Final = 10  # fewer tell nothing of the pace
RECENT: Final = timedelta(minutes=5)
AT_LIMIT_PERCENT: Final = 90
UNSTEADY_PERCENT: Final = 125
ENDS: Final = frozenset({"finished", "cancelled", "failed"})
_THROTTLED: Final = "run.throttled"
_PAUSED: Final = "run.paused"
_RESUMED: Final = "run.resumed"
_FINISHED: Final = "run.finished"
_PERSON: Final = "person"


class Why(StrEnum):
    """Why a run takes as long as it does."""

    EARLY = "early"  # it has hardly begun
    LIMIT = "limit"  # QuickBooks takes no more in a minute
    SLOWED = "slowed"  # QuickBooks asked us to slow down a moment ago
    STEADY = "steady"  # by the pace of the last five minutes


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run at work is, and how long it will take: between two values while unsteady."""

    per_minute: int
    least: timedelta
    most: timedelta
    why: Why

    @property
    def unsteady(self) -> bool:
        """Whether only a range can be told honestly."""
        return self.most * 100 > self.least * UNSTEADY_PERCENT


@dataclass(frozen=True, slots=True)
class Slowed:
    """QuickBooks asked us to wait."""

    at: datetime
    seconds: int
    until: datetime
    now: bool  # whether the pause still lasts


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run went on by itself."""

    at: datetime
    interrupted: bool  # its sender was gone, as after a restart; else a condition had ended


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one invoice a person chose."""

    invoice_id: int
    status: str  # synced, failed, in_progress or not_synced
    quickbooks_id: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """One invoice a run refused."""

    invoice_id: int
    cause: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands at one moment."""

    run: Run
    at: datetime
    total: int
    left: int
    percent: Decimal
    limit_per_minute: int
    pace: Pace | None  # None: it is not at work, or nothing can be told yet
    slowed: Slowed | None
    resumed: Resumed | None
    batches_done: int | None  # None: it has none
    batches: int | None
    causes: tuple[tuple[str, int], ...]
    failures: tuple[Failed, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.run.state in ENDS

    @property
    def lasted(self) -> timedelta | None:
        """How long it took, or has taken so far."""
        started = self.run.started_at
        return None if started is None else (self.run.finished_at or self.at) - started


@dataclass(frozen=True, slots=True)
class Minute:
    """How many invoices a run met in one minute."""

    at: datetime
    met: int


class Watching:
    """Answers from our store alone, so that it can be asked often.

    Args:
        per_minute: The most invoices QuickBooks takes in a minute.
    """

    def __init__(
        self, *, runs: Runs, events: Events, journal: Journal, clock: Clock, per_minute: int
    ) -> None:
        self._runs = runs
        self._events = events
        self._journal = journal
        self._clock = clock
        self._per_minute = per_minute

    def standing(self, run_id: int) -> Standing | None:
        """Return how a run stands; None where there is none of that number."""
        run = self._runs.get(run_id)
        return None if run is None else self._standing(run)

    def paces(self, runs: Sequence[Run]) -> dict[int, Pace]:
        """Return how fast those of these runs are that are at work."""
        going = (run for run in runs if run.state == "running")
        found = {run.id: self._pace(run, slowed=None, now=self._clock.now()) for run in going}
        return {run_id: pace for run_id, pace in found.items() if pace is not None}

    def minutes(self, run_id: int) -> list[Minute]:
        """Return how many invoices a run met in each of its newest minutes, oldest first."""
        ends = self._events.minute_ends(run_id, most=MINUTES_MOST + 1)
        pairs = pairwise(ends)
        return [
            Minute(at=late.at, met=max(0, _met(late) - _met(early)))
            for early, late in pairs
            if late.at - early.at <= timedelta(minutes=2)
        ]

    def still_failed(self, run_id: int, *, most: int) -> int:
        """Return how many invoices a run refused are refused still, counted up to a bound."""
        return len(self._journal.refused_ids(run_id=run_id, limit=most))

    def _standing(self, run: Run) -> Standing:
        now = self._clock.now()
        total = max(run.total, run.processed)
        slowed = self._slowed(run, now=now)
        size = int(run.arguments.get("batch_size") or 1)
        batched = run.ids is None
        failures = self._runs.failures(run.id, limit=FAILURES_SHOWN)
        causes = self._runs.causes([run.id])[run.id]
        return Standing(
            run=run,
            at=now,
            total=total,
            left=total - run.processed,
            percent=percent_of(run.processed, total=total),
            limit_per_minute=self._per_minute,
            pace=self._pace(run, slowed=slowed, now=now) if run.state == "running" else None,
            slowed=slowed,
            resumed=self._resumed(run) if run.resumed else None,
            batches_done=-(-run.processed // size) if batched else None,
            batches=-(-total // size) if batched else None,
            causes=tuple(causes.items()),
            failures=tuple(
                Failed(one.invoice_id, one.cause, tuple(one.facts.items())) for one in failures
            ),
            outcomes=tuple(self._outcomes(run)),
        )

    def _slowed(self, run: Run, *, now: datetime) -> Slowed | None:
        newest = next(iter(self._events.newest_of(run.id, [_THROTTLED], limit=1)), None)
        if newest is None:
            return None
        until = datetime.fromisoformat(str(newest.content["until"]))
        seconds = int(str(newest.content["seconds"]))
        lasts = run.state == "running" and now < until
        return Slowed(at=newest.at, seconds=seconds, until=until, now=lasts)

    def _resumed(self, run: Run) -> Resumed | None:
        """Return when it last went on by itself; a person's resume is none."""
        changes = self._events.newest_of(run.id, STATES, limit=LOOKS)
        for late, early in pairwise(changes):
            if late.event != _RESUMED:
                continue
            if early.event != _PAUSED or early.content.get("reason") != _PERSON:
                return Resumed(at=late.at, interrupted=early.event != _PAUSED)
        return None

    def _pace(self, run: Run, *, slowed: Slowed | None, now: datetime) -> Pace | None:
        """Return the pace of the last five minutes, and how far that of the last moment is off."""
        looks = self._events.newest_of(run.id, [PROGRESS], limit=LOOKS)
        if not looks or _met(looks[0]) < LEAST_MET or (slowed is not None and slowed.now):
            return None
        left = max(0, max(run.total, run.processed) - run.processed)
        newest, oldest = looks[0], looks[-1]
        gone_ms = (newest.at - oldest.at) // timedelta(milliseconds=1)
        moment = (_met(newest) - _met(oldest)) * 60_000 // gone_ms if gone_ms else 0
        long = newest.content.get("rate_per_minute")
        rates = [one for one in (long, moment) if isinstance(one, int) and one > 0]
        if not rates:
            return None
        early = run.started_at is None or now - run.started_at < EARLY
        return Pace(
            per_minute=rates[0],
            least=timedelta(minutes=1) * left / max(rates),
            most=timedelta(minutes=1) * left / min(rates),
            why=self._why(rates[0], early=early, slowed=slowed, now=now),
        )

    def _why(self, rate: int, *, early: bool, slowed: Slowed | None, now: datetime) -> Why:
        if rate * 100 >= self._per_minute * AT_LIMIT_PERCENT:
            return Why.LIMIT
        if slowed is not None and now - slowed.until < RECENT:
            return Why.SLOWED
        return Why.EARLY if early else Why.STEADY

    def _outcomes(self, run: Run) -> list[Outcome]:
        """Return what became of each invoice of a small choice."""
        ids = run.ids or ()
        if not ids or len(ids) > TAKEN_IN_MOST:
            return []
        receipts = self._journal.receipts_for(run.realm_tag, ids)
        refused = {one.invoice_id: one for one in self._runs.failures(run.id, limit=len(ids))}
        found: list[Outcome] = []
        for one in ids:
            if one in receipts:
                found.append(Outcome(one, "synced", quickbooks_id=receipts[one].quickbooks_id))
            elif one in refused:
                found.append(Outcome(one, "failed", cause=refused[one].cause))
            else:
                found.append(
                    Outcome(one, "not_synced" if run.started_at is None else "in_progress")
                )
        return found


def percent_of(done: int, *, total: int) -> Decimal:
    """Return how much is done, two places; 0.00 of nothing."""
    if not total:
        return Decimal("0.00")
    return (Decimal(100 * done) / total).quantize(Decimal("0.01"))


def changed(events: Sequence[Event]) -> bool:
    """Return whether a run moved to another state with one of these."""
    return any(one.event in STATES for one in events)


def ended(events: Sequence[Event]) -> bool:
    """Return whether a run was over with one of these."""
    return any(one.event == _FINISHED for one in events)


def _met(progress: Event) -> int:
    count = progress.content.get("processed")
    return count if isinstance(count, int) else 0
