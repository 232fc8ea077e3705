"""Limiters of several processes on one folder: together they keep every limit."""

import random
from pathlib import Path

import pytest

from application.quickbooks.throttle import Spent, Throttle, Use
from application.store.notices import Notices
from application.world import Clock, World
from tests.rooms.test_quickbooks_throttle import JumpingClock, go, most_in, stored


class TestSeveralProcesses:
    """Two limiters on one folder, as two processes have it."""

    @pytest.mark.parametrize("seed", range(2))
    def test_keep_every_limit_together(self, tmp_path: Path, seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - a repeatable draw
        clock = JumpingClock()
        pair = [beside(tmp_path, clock, name=name) for name in "ab"]
        sent: list[int] = []
        bundles: list[int] = []

        while clock.since_boot_ms() < 5_000_000 + 130_000:
            throttle, use = dice.choice(pair), dice.choice([Use.SINGLE, Use.BUNDLE])
            permit = throttle.take(use)
            if permit is None:
                clock.sleep_ms(dice.randrange(1, 40))
                continue
            permit.sent()
            sent.append(clock.since_boot_ms())
            bundles += [sent[-1]] if use is Use.BUNDLE else []
            permit.give_back()

        assert most_in(sent, window_ms=1_000) <= 10
        assert most_in(sent, window_ms=60_000) <= 500
        assert most_in(bundles, window_ms=60_000) <= 40
        assert len(sent) > 1_000

    def test_have_ten_requests_under_way_between_them(self, tmp_path: Path) -> None:
        clock = JumpingClock()
        first, second = (beside(tmp_path, clock, name=name) for name in "ab")
        for _ in range(2):
            for _ in range(4):
                send_one(first)
            clock.sleep_ms(2_000)

        taken = [second.take(Use.SINGLE) is not None for _ in range(3)]

        assert taken == [True, True, False]

    def test_wait_for_no_one_who_froze(self, tmp_path: Path) -> None:
        clock = JumpingClock()
        frozen, second = (beside(tmp_path, clock, name=name) for name in "ab")
        for _ in range(10):
            send_one(frozen)

        clock.sleep_ms(5_000)
        held_back = second.wait_ms(Use.SINGLE)
        clock.sleep_ms(10_000)

        assert (held_back > 0, second.wait_ms(Use.SINGLE)) == (True, 0)

    def test_who_wait_for_an_answer_still_count(self, tmp_path: Path) -> None:
        clock = JumpingClock()
        patient, second = (beside(tmp_path, clock, name=name) for name in "ab")
        for _ in range(10):
            send_one(patient)

        for _ in range(60):
            clock.sleep_ms(1_000)
            patient.wait_ms(Use.SINGLE)  # as whoever waits for an answer does all the time

        assert second.wait_ms(Use.SINGLE) > 0

    def test_rest_together(self, tmp_path: Path) -> None:
        clock = JumpingClock()
        first, second = (beside(tmp_path, clock, name=name) for name in "ab")

        first.pause(30_000)

        assert second.wait_ms(Use.READ) == 30_000

    def test_count_what_a_dead_one_sent_and_not_what_it_had_under_way(self, tmp_path: Path) -> None:
        clock = JumpingClock()
        notices = notices_in(tmp_path, clock, name="dead")
        dead = Throttle(world=World(clock=clock), beside=notices)
        for _ in range(10):
            send_one(dead)
        notices.close()

        second = beside(tmp_path, clock, name="next")

        assert second.wait_ms(Use.SINGLE) > 1_000
        clock.sleep_ms(2_000)
        assert second.wait_ms(Use.SINGLE) == 0
        clock.sleep_ms(70_000)
        assert second.take(Use.SINGLE) is not None
        assert [one.name for one in tmp_path.glob("*.note")] == ["windows.s1.next.note"]

    def test_need_no_guess_at_what_an_earlier_one_sent(self, tmp_path: Path) -> None:
        kept: list[Spent] = []
        clock = JumpingClock()
        notices = notices_in(tmp_path, clock, name="first")
        first = Throttle(world=World(clock=clock), remember=kept.append, beside=notices)
        go(first, clock, use=Use.SINGLE)
        notices.close()

        second = Throttle(
            world=World(clock=clock),
            recall=lambda: stored(kept[-1]),
            beside=notices_in(tmp_path, clock, name="second"),
        )

        assert second.wait_ms(Use.SINGLE) == 0

    def test_understand_what_another_version_wrote(self, tmp_path: Path) -> None:
        clock = JumpingClock()
        newer = notices_in(tmp_path, clock, name="newer")
        with newer.turn():
            newer.put({"in_flight": 10, "at": clock.since_boot_ms(), "moons": 3})

        assert beside(tmp_path, clock, name="ours").wait_ms(Use.SINGLE) > 0

    def test_are_alone_where_the_folder_cannot_be_used(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        clock = JumpingClock()

        throttle = beside(tmp_path / "file", clock, name="a")

        assert throttle.take(Use.SINGLE) is not None


def send_one(throttle: Throttle) -> None:
    """Have a request under way."""
    permit = throttle.take(Use.SINGLE)
    assert permit is not None
    permit.sent()


def beside(folder: Path, clock: Clock, *, name: str) -> Throttle:
    return Throttle(world=World(clock=clock), beside=notices_in(folder, clock, name=name))


def notices_in(folder: Path, clock: Clock, *, name: str) -> Notices:
    return Notices(folder, subject="windows.s1", name=name, nap=clock.sleep_ms)
