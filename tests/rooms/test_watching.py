"""How a run stands, as its page tells it: from what our store holds, and no more than that."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typing_extensions import override

from application.services.watching import Standing, Watching, Why
from application.store.events import Events
from application.world import World
from tests.rooms.store_support import REALM, UWASE, JumpingClock, Rooms, refusal_of, rooms_on

LIMIT = 1_660
START = datetime(2025, 11, 22, 8, 0, tzinfo=UTC)


class StillClock(JumpingClock):
    """A clock that stands until a test moves it."""

    @override
    def now(self) -> datetime:
        return START + timedelta(milliseconds=self.wall_ms)


@dataclass
class View:
    """A run that is written down, and whoever asks how it stands."""

    rooms: Rooms
    clock: StillClock
    events: Events
    watching: Watching

    def begun(self, *, total: int, ids: list[int] | None = None, state: str = "running") -> int:
        """Begin a run of so many invoices."""
        run = self.rooms.runs.open(
            kind="retry" if ids else "all",
            state=state,
            by=UWASE,
            environment="simulator",
            realm_tag=REALM.tag,
            holder="desk-1",
            arguments={"batch_size": 50, "ids": ids},
            durable=True,
            total=total,
        )
        return run.id

    def met(self, run_id: int, processed: int, *, rate: int | None) -> None:
        """Let a run have met so many, by the pace of the last five minutes."""
        told = {"processed": processed, "rate_per_minute": rate}
        self.rooms.runs.count(
            run_id,
            processed=processed,
            successful=processed,
            failed=0,
            unsettled=0,
            events=[("run.progress", told)],
        )

    def seen(self, run_id: int) -> Standing:
        """Return how it stands."""
        found = self.watching.standing(run_id)
        assert found is not None
        return found


@pytest.fixture
def view(tmp_path: Path) -> Iterator[View]:
    clock = StillClock()
    url = f"sqlite:///{tmp_path}/own/store.db"
    with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as rooms:
        events = Events(rooms.store, world=rooms.world)
        watching = Watching(
            runs=rooms.runs,
            events=events,
            journal=rooms.journal,
            clock=clock,
            per_minute=LIMIT,
        )
        yield View(rooms, clock, events, watching)


class TestTimeLeft:
    def test_is_not_told_before_something_was_met(self, view: View) -> None:
        run_id = view.begun(total=20_000)
        assert view.seen(run_id).pace is None

        view.met(run_id, 3, rate=180)
        assert view.seen(run_id).pace is None

    def test_is_one_value_while_the_pace_is_steady(self, view: View) -> None:
        run_id = view.begun(total=1_000)
        for processed in (100, 200, 300):
            view.met(run_id, processed, rate=100)
            view.clock.wall_ms += 60_000

        standing = view.seen(run_id)

        assert (standing.left, standing.percent) == (700, Decimal("30.00"))
        assert standing.pace is not None
        assert standing.pace.least == timedelta(minutes=7)
        assert (standing.pace.unsteady, standing.pace.why) == (False, Why.STEADY)
        assert (standing.batches_done, standing.batches) == (6, 20)

    def test_is_a_range_while_it_is_not(self, view: View) -> None:
        run_id = view.begun(total=1_000)
        view.met(run_id, 300, rate=100)
        view.clock.wall_ms += 60_000
        view.met(run_id, 350, rate=100)

        pace = view.seen(run_id).pace

        assert pace is not None
        assert (pace.least, pace.most) == (timedelta(minutes=6.5), timedelta(minutes=13))
        assert pace.unsteady

    def test_says_that_quickbooks_takes_no_more(self, view: View) -> None:
        run_id = view.begun(total=20_000)
        view.met(run_id, 0, rate=None)
        view.clock.wall_ms += 60_000
        view.met(run_id, 1_600, rate=1_600)

        pace = view.seen(run_id).pace

        assert pace is not None
        assert pace.why is Why.LIMIT

    def test_waits_while_quickbooks_asked_us_to(self, view: View) -> None:
        run_id = view.begun(total=20_000)
        view.met(run_id, 100, rate=100)
        until = view.clock.now() + timedelta(seconds=60)
        told = {"run_id": run_id, "seconds": 60, "until": until.isoformat()}
        view.events.write(run_id, [("run.throttled", told)])
        paused = view.seen(run_id)
        view.clock.wall_ms += 61_000
        view.met(run_id, 160, rate=100)
        on = view.seen(run_id)

        assert paused.pace is None
        assert paused.slowed is not None
        assert (paused.slowed.seconds, paused.slowed.until, paused.slowed.now) == (60, until, True)
        assert on.slowed is not None
        assert not on.slowed.now
        assert on.pace is not None
        assert on.pace.why is Why.SLOWED


class TestGoingOn:
    def test_of_a_person_is_not_by_itself(self, view: View) -> None:
        run_id = view.begun(total=10)
        assert view.rooms.runs.rest(run_id, turn=0, state="paused", by=UWASE)
        turn = view.rooms.runs.hand_out(run_id, turn=0, by=UWASE)
        assert turn is not None
        view.rooms.runs.enter(run_id, turn=turn, holder="desk-1", by=UWASE)

        assert view.seen(run_id).resumed is None

    def test_after_its_sender_was_gone_is(self, view: View) -> None:
        run_id = view.begun(total=10)
        view.clock.wall_ms += 5_000
        view.rooms.runs.enter(run_id, turn=0, holder="desk-2", by=UWASE)

        resumed = view.seen(run_id).resumed

        assert resumed is not None
        assert resumed.interrupted
        assert resumed.at == view.clock.now()

    def test_after_a_condition_ended_is_no_interruption(self, view: View) -> None:
        run_id = view.begun(total=10)
        view.rooms.runs.rest(run_id, turn=0, state="waiting_mis", by=UWASE, cause="mis_unavailable")
        turn = view.rooms.runs.hand_out(run_id, turn=0, by=UWASE)
        assert turn is not None
        view.rooms.runs.enter(run_id, turn=turn, holder="desk-1", by=UWASE)

        resumed = view.seen(run_id).resumed

        assert resumed is not None
        assert not resumed.interrupted


class TestWhatBecameOfAChoice:
    def test_is_told_one_by_one(self, view: View) -> None:
        run_id = view.begun(total=3, ids=[1, 2, 3])
        lease = view.rooms.lease()
        view.rooms.confirmed([1], lease=lease)
        view.rooms.journal.refused([refusal_of(2, cause="date_invalid")], lease=lease, by=UWASE)

        standing = view.seen(run_id)

        assert run_id == 1  # refusals of these rooms are of run 1
        assert [(one.invoice_id, one.status) for one in standing.outcomes] == [
            (1, "synced"),
            (2, "failed"),
            (3, "in_progress"),
        ]
        assert standing.causes == (("date_invalid", 1),)
        assert view.watching.still_failed(run_id, most=10) == 1
        assert standing.batches is None

    def test_is_none_of_a_run_that_is_not_there(self, view: View) -> None:
        assert view.watching.standing(99) is None


class TestMinutes:
    def test_tell_what_was_met_in_each(self, view: View) -> None:
        run_id = view.begun(total=1_000)
        for processed in (100, 250, 300):
            view.met(run_id, processed - 20, rate=100)
            view.met(run_id, processed, rate=100)
            view.clock.wall_ms += 60_000

        assert [one.met for one in view.watching.minutes(run_id)] == [150, 50]
