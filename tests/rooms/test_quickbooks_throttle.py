"""The limiter on a clock that jumps: no window by arrival ever holds more than its limit."""

import json
import random
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from application.catalogue import RateLimited
from application.quickbooks.throttle import Limits, Permit, Spent, Throttle, Use
from application.world import Clock, World

MORNING = datetime(2026, 1, 15, 7, tzinfo=UTC)


class JumpingClock(Clock):
    """Time passes when somebody sleeps."""

    def __init__(self, *, scale: int = 1, since_boot_ms: int = 5_000_000) -> None:
        super().__init__(scale=scale)
        self._begun_ms = self._ms = since_boot_ms

    def since_boot_ms(self) -> int:  # type: ignore[explicit-override]  # typing has it from 3.12
        return self._ms

    def now(self) -> datetime:  # type: ignore[explicit-override]  # as above
        return MORNING + timedelta(milliseconds=self._ms - self._begun_ms)

    def sleep_ms(self, wait_ms: int) -> None:  # type: ignore[explicit-override]  # as above
        self._ms += wait_ms


def stored(spent: Spent) -> Spent:
    """Return it as a later process finds it in the store."""
    return Spent.of(json.loads(json.dumps(spent.kept())))


def limiter(clock: Clock, *, in_flight_max: int = 10) -> Throttle:
    return Throttle(world=World(clock=clock), limits=Limits(in_flight_max=in_flight_max))


def most_in(instants: Sequence[int], *, window_ms: int) -> int:
    """Return the most instants any window of that length holds."""
    instants = sorted(instants)
    first = most = 0
    for last, at in enumerate(instants):
        while at - instants[first] >= window_ms:
            first += 1
        most = max(most, last - first + 1)
    return most


def go(throttle: Throttle, clock: Clock, *, use: Use, beside_bundles: bool = False) -> int:
    """Wait for a permit, send, and return the instant."""
    while (permit := throttle.take(use, beside_bundles=beside_bundles)) is None:
        clock.sleep_ms(max(1, throttle.wait_ms(use, beside_bundles=beside_bundles)))
    permit.sent()
    permit.give_back()
    return clock.since_boot_ms()


class TestWindows:
    @pytest.mark.parametrize("scale", [1, 60])
    def test_of_requests_hold_at_full_speed(self, scale: int) -> None:
        clock = JumpingClock(scale=scale)
        throttle = limiter(clock)

        sent = [go(throttle, clock, use=Use.SINGLE) for _ in range(3_000)]

        assert most_in(sent, window_ms=1_000 // scale) <= 10
        assert most_in(sent, window_ms=60_000 // scale) <= 500
        if scale == 1:
            assert len(sent) / (sent[-1] - sent[0]) * 60_000 > 450

    def test_of_bundles_hold_beside_singles(self) -> None:
        clock = JumpingClock()
        throttle = limiter(clock)
        sent: list[tuple[Use, int]] = []

        for _ in range(3_000):
            use = Use.BUNDLE if throttle.wait_ms(Use.BUNDLE) == 0 else Use.SINGLE
            sent.append((use, go(throttle, clock, use=use, beside_bundles=True)))

        bundles = [at for use, at in sent if use is Use.BUNDLE]
        minutes = (sent[-1][1] - sent[0][1]) / 60_000
        assert most_in(bundles, window_ms=60_000) == 40
        assert most_in([at for _, at in sent], window_ms=60_000) <= 500
        assert len(bundles) / minutes > 36

    @pytest.mark.parametrize("seed", range(20))
    def test_hold_by_arrival_however_slow_the_road_is(self, seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - a seeded test
        clock = JumpingClock()
        throttle = limiter(clock)
        steps: list[tuple[int, Callable[[], None]]] = []
        arrived: list[int] = []

        def after(wait_ms: int, step: Callable[[], None]) -> None:
            steps.append((clock.since_boot_ms() + wait_ms, step))

        def leave(permit: Permit) -> None:
            permit.sent()
            answer_ms = dice.choice([1, 30, 150, 400, 2_500])
            arrived.append(clock.since_boot_ms() + dice.randint(0, min(answer_ms, 200)))
            after(answer_ms, permit.give_back)

        for _ in range(6_000):
            if permit := throttle.take(Use.SINGLE):
                after(dice.choice([0, 5, 900, 3_000]), partial(leave, permit))
            clock.sleep_ms(dice.choice([0, 1, 40]))
            for due in [each for each in steps if each[0] <= clock.since_boot_ms()]:
                steps.remove(due)
                due[1]()

        assert most_in(arrived, window_ms=1_000) <= 10
        assert len(arrived) > 100

    def test_leave_no_place_taken_by_what_was_never_sent(self) -> None:
        clock = JumpingClock()
        throttle = limiter(clock)

        for _ in range(1_000):
            permit = throttle.take(Use.BUNDLE)
            assert permit is not None
            permit.give_back()
            permit.give_back()

        assert (throttle.in_flight, clock.since_boot_ms()) == (0, 5_000_000)


class TestInFlight:
    def test_never_exceeds_its_limit(self) -> None:
        throttle = limiter(JumpingClock(), in_flight_max=3)

        taken = [throttle.take(Use.READ) for _ in range(5)]

        assert [permit is not None for permit in taken] == [True, True, True, False, False]
        assert throttle.in_flight == 3

    def test_is_counted_over_every_thread(self) -> None:
        limits = Limits(per_second=10_000, per_minute=10_000, in_flight_max=4)
        throttle = Throttle(world=World(), limits=limits)
        most: list[int] = []

        def work() -> None:
            for _ in range(50):
                permit = throttle.acquire(Use.SINGLE)
                most.append(throttle.in_flight)
                permit.sent()
                permit.give_back()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(most) == 400
        assert max(most) <= 4
        assert throttle.in_flight == 0


class TestPause:
    @pytest.mark.covers("E1")
    def test_lasts_a_minute_or_as_long_as_asked_up_to_ten(self) -> None:
        clock = JumpingClock()

        waits: list[int] = []
        for asked in (None, 7_000, 9_999_999):
            throttle = limiter(clock)
            throttle.pause(asked)
            waits.append(throttle.wait_ms(Use.READ))

        assert waits == [60_000, 7_000, 600_000]

    def test_halves_the_bundles_and_clean_minutes_give_them_back(self) -> None:
        clock = JumpingClock()
        throttle = limiter(clock)

        rates: list[int] = []
        for _ in range(7):
            throttle.pause()
            throttle.pause()  # of the same burst
            rates.append(throttle.bundle_rate)
            clock.sleep_ms(61_000)
        clock.sleep_ms(5 * 61_000)
        rates.append(throttle.bundle_rate)
        clock.sleep_ms(100 * 61_000)

        assert rates == [20, 10, 5, 2, 1, 1, 1, 6]
        assert throttle.bundle_rate == 40

    def test_longer_than_our_patience_is_told(self) -> None:
        throttle = limiter(JumpingClock())
        throttle.pause(30_000)

        with pytest.raises(RateLimited):
            throttle.acquire(Use.READ, patience_ms=20_000)
        assert throttle.acquire(Use.READ, patience_ms=40_000) is not None


class TestReadsRefusedAlone:
    """A month's reads that are used up and a minute with too many requests get one answer."""

    @pytest.mark.covers("E19")
    def test_rest_after_rest_are_used_up_and_nothing_else_waits_for_them(self) -> None:
        clock = JumpingClock()
        throttle = limiter(clock)

        for _ in range(3):
            throttle.pause(use=Use.READ)
            throttle.pause(use=Use.READ)  # of the same burst
            assert (throttle.reads_rest_ms(), throttle.wait_ms(Use.SINGLE)) == (0, 60_000)
            clock.sleep_ms(60_000)
        throttle.pause(use=Use.READ)

        assert throttle.reads_rest_ms() == 600_000
        assert throttle.wait_ms(Use.SINGLE) == throttle.wait_ms(Use.BUNDLE) == 0

    @pytest.mark.parametrize("passes", ["a read", "a refused write"])
    def test_are_a_limit_where_one_was_answered_or_a_write_refused_too(self, passes: str) -> None:
        clock = JumpingClock()
        throttle = limiter(clock)
        for turn in range(12):
            throttle.pause(use=Use.READ)
            clock.sleep_ms(60_000)
            if turn % 3 == 2:
                throttle.read() if passes == "a read" else throttle.pause()
                clock.sleep_ms(60_000)

        assert throttle.reads_rest_ms() == 0

    def test_that_are_used_up_are_asked_for_again_every_ten_minutes(self) -> None:
        clock = JumpingClock()
        throttle = limiter(clock)
        for _ in range(4):
            throttle.pause(use=Use.READ)
            clock.sleep_ms(60_000)
        clock.sleep_ms(540_000)
        assert throttle.reads_rest_ms() == 0

        throttle.pause(use=Use.READ)
        assert throttle.reads_rest_ms() == 600_000
        clock.sleep_ms(600_000)
        throttle.read()
        throttle.pause(use=Use.READ)

        assert (throttle.reads_rest_ms(), throttle.wait_ms(Use.READ)) == (0, 60_000)

    def test_are_known_to_the_next_process_which_tries_one_read(self) -> None:
        kept: list[Spent] = []
        clock = JumpingClock()
        first = Throttle(world=World(clock=clock), remember=kept.append)
        for _ in range(4):
            first.pause(use=Use.READ)
            clock.sleep_ms(60_000)

        second = Throttle(world=World(clock=clock), recall=lambda: stored(kept[-1]))

        assert second.reads_rest_ms() == 0
        second.pause(use=Use.READ)
        assert (second.reads_rest_ms(), second.wait_ms(Use.SINGLE)) == (600_000, 0)


class TestBreaker:
    @pytest.mark.covers("E2")
    def test_holds_back_after_five_lost_and_lets_one_see(self) -> None:
        clock = JumpingClock()
        throttle = limiter(clock)

        for _ in range(5):
            assert throttle.wait_ms(Use.SINGLE) == 0
            throttle.note(answered=False)
        waits = [throttle.wait_ms(Use.SINGLE)]
        for _ in range(5):
            clock.sleep_ms(throttle.wait_ms(Use.SINGLE))
            scout = throttle.take(Use.SINGLE)
            assert scout is not None
            assert throttle.take(Use.SINGLE) is None
            scout.give_back()
            throttle.note(answered=False)
            waits.append(throttle.wait_ms(Use.SINGLE))

        assert waits == [60_000, 120_000, 240_000, 480_000, 600_000, 600_000]
        throttle.note(answered=True)
        assert throttle.wait_ms(Use.SINGLE) == 0

    def test_counts_losses_in_a_row_only(self) -> None:
        throttle = limiter(JumpingClock())

        for _ in range(20):
            throttle.note(answered=False)
            throttle.note(answered=True)

        assert throttle.wait_ms(Use.SINGLE) == 0


class TestRestart:
    def test_keeps_everything_there_is_to_keep(self) -> None:
        spent = Spent(requests=(1, 2), bundles=(3,), paused_until=4, kept_at=5, reads_refused=6)

        assert stored(spent) == spent

    def test_reads_what_an_older_version_kept(self) -> None:
        old = {"requests": [1], "bundles": [], "paused_until": 2, "kept_at": 3}

        assert Spent.of(old).reads_refused == 0

    def test_keeps_the_windows(self) -> None:
        kept: list[Spent] = []
        clock = JumpingClock()
        first = Throttle(world=World(clock=clock), remember=kept.append)
        sent = [go(first, clock, use=Use.SINGLE) for _ in range(490)]
        boot = JumpingClock(since_boot_ms=1_000)
        boot._begun_ms -= clock.since_boot_ms() - 5_000_000  # noqa: SLF001 - another boot, same day

        second = Throttle(world=World(clock=boot), recall=lambda: stored(kept[-1]))
        away = clock.since_boot_ms() - boot.since_boot_ms()
        sent += [go(second, boot, use=Use.SINGLE) + away for _ in range(490)]

        assert most_in(sent, window_ms=1_000) <= 10
        assert most_in(sent, window_ms=60_000) <= 500
        assert len(kept) < 120

    def test_keeps_a_pause(self) -> None:
        kept: list[Spent] = []
        clock = JumpingClock()
        Throttle(world=World(clock=clock), remember=kept.append).pause(50_000)
        clock.sleep_ms(10_000)

        second = Throttle(world=World(clock=clock), recall=lambda: kept[-1])

        assert second.wait_ms(Use.READ) == 40_000

    def test_after_a_long_while_starts_empty(self) -> None:
        old = Spent(requests=(5,) * 500, bundles=(5,) * 40, paused_until=9, kept_at=5)

        throttle = Throttle(world=World(clock=JumpingClock()), recall=lambda: old)

        assert throttle.wait_ms(Use.BUNDLE) == 0

    def test_without_anything_kept_starts_empty(self) -> None:
        throttle = Throttle(world=World(clock=JumpingClock()), recall=lambda: None)

        assert throttle.wait_ms(Use.BUNDLE) == 0
