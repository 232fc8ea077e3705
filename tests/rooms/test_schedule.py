"""A schedule as doors tell it: cron lines, days and windows; what cannot be is refused by name."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from application.catalogue import explain
from application.services.schedule import (
    Schedule,
    ScheduleWrong,
    Terms,
    Timetable,
    of_shape,
    shape_of,
)
from application.world import World
from tests.rooms.schedule_support import MONDAY, NIGHTLY, SetClock, timetable_of
from tests.rooms.store_support import UWASE, rooms_on


@pytest.fixture
def timetable(tmp_path: Path) -> Iterator[Timetable]:
    url = f"sqlite:///{tmp_path}/own/store.db"
    with rooms_on(url, locks=tmp_path / "locks", world=World(clock=SetClock())) as opened:
        yield timetable_of(opened)


def kept(terms: Terms) -> Schedule:
    at = datetime(2025, 11, 17, tzinfo=UTC)
    return Schedule(
        enabled=terms.enabled,
        cron=terms.cron,
        window_from=terms.window_from,
        window_to=terms.window_to,
        batch_size=terms.batch_size,
        max_batches=terms.max_batches,
        changed_by="uwase",
        changed_at=at,
        ticked_at=at,
    )


class TestShape:
    @pytest.mark.parametrize(
        ("days", "starts", "cron"),
        [
            (["mon", "tue"], "20:00", "0 20 * * 1,2"),
            (["tue", "mon", "mon"], "20:00", "0 20 * * 1,2"),
            (["sun", "sat"], "05:30", "30 5 * * 0,6"),
            (["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "00:05", "5 0 * * *"),
        ],
    )
    def test_of_days_becomes_a_cron_line(self, days: list[str], starts: str, cron: str) -> None:
        terms = of_shape({"days": days, "from": starts, "to": None})

        assert terms == Terms(
            enabled=True,
            cron=cron,
            window_from=None,
            window_to=None,
            batch_size=None,
            max_batches=None,
        )

    @pytest.mark.parametrize(
        ("cron", "days", "starts"),
        [
            ("0 20 * * 1,2", ["mon", "tue"], "20:00"),
            ("30 5 * * 0", ["sun"], "05:30"),
            ("30 5 * * 7", ["sun"], "05:30"),
            ("0 20 * * 1-5", ["mon", "tue", "wed", "thu", "fri"], "20:00"),
            ("0 20 * * 5-7", ["fri", "sat", "sun"], "20:00"),
            ("0 20 * * MON,wed", ["mon", "wed"], "20:00"),
            ("0 9 * * *", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "09:00"),
            ("0 20 1 * *", None, None),
            ("*/30 * * * *", None, None),
            ("0 20 * * 1#2", None, None),
            ("0 20 * * 5L", None, None),
            ("0 8,20 * * 1", None, None),
        ],
    )
    def test_names_days_where_the_cron_line_says_no_more(
        self, cron: str, days: list[str] | None, starts: str | None
    ) -> None:
        shape = shape_of(kept(of_shape({"cron": cron})), None)

        assert (shape["cron"], shape["days"], shape["from"]) == (cron, days, starts)

    def test_shows_everything_of_a_schedule(self) -> None:
        terms = of_shape({**NIGHTLY, "enabled": False, "batch_size": 50, "max_batches": 400})

        assert shape_of(kept(terms), MONDAY) == {
            **NIGHTLY,
            "enabled": False,
            "batch_size": 50,
            "max_batches": 400,
            "cron": "0 20 * * 1,2",
            "next_run_at": MONDAY,
        }

    def test_of_no_schedule_is_not_enabled(self) -> None:
        shape = shape_of(None, None)

        assert shape.pop("enabled") is False
        assert set(shape) == {*NIGHTLY, "batch_size", "max_batches", "cron", "next_run_at"}
        assert set(shape.values()) == {None}

    def test_keeps_a_window_that_opens_before_the_start(self) -> None:
        terms = of_shape({"cron": "0  22 * * 1", "from": "20:00", "to": "06:00"})

        shape = shape_of(kept(terms), None)

        assert (shape["cron"], shape["days"]) == ("0 22 * * 1", None)
        assert (shape["from"], shape["to"]) == ("20:00", "06:00")

    @pytest.mark.parametrize(
        "told",
        [
            {**NIGHTLY, "batch_size": 50},
            {"cron": "0 22 * * 1", "from": "20:00", "to": "06:00"},
            {"cron": "*/30 * * * *", "from": "20:00", "to": "06:00", "enabled": False},
            {"cron": "0 20 1 * *"},
            {"cron": "0 20 * * 1-5", "max_batches": 7},
        ],
    )
    def test_read_and_sent_back_changes_nothing(self, told: dict[str, object]) -> None:
        terms = of_shape(told)

        assert of_shape(shape_of(kept(terms), MONDAY)) == terms

    @pytest.mark.parametrize(
        ("change", "field", "problem"),
        [
            ({"enabled": "yes"}, "enabled", "enabled must be true or false"),
            ({"days": None}, "cron", "cron or days and from are needed"),
            ({"days": []}, "days", "days must be some of mon, tue"),
            ({"days": ["monday"]}, "days", "days must be some of mon, tue"),
            ({"days": "mon"}, "days", "days must be some of mon, tue"),
            ({"days": [["mon"]]}, "days", "days must be some of mon, tue"),
            ({"from": "8:00"}, "from", "from must look like 20:00"),
            ({"from": 20}, "from", "from must look like 20:00"),
            ({"to": "24:00"}, "to", "to must look like 20:00"),
            ({"to": "20:00"}, "to", "to must not be the same as from"),
            ({"cron": 7}, "cron", "cron must be a text"),
            ({"cron": "0 21 * * 1,2"}, "cron", "cron contradicts days and from"),
            ({"cron": "0 20 * * 1"}, "cron", "cron contradicts days and from"),
            ({"days": None, "cron": "0 22 * * 1", "to": None}, "from", "from needs to"),
            ({"days": None, "cron": "0 22 * * 1", "from": None}, "from", "from is needed with to"),
            ({"batch_size": 0}, "batch_size", "batch_size must be 1 to 100"),
            ({"batch_size": 101}, "batch_size", "batch_size must be 1 to 100"),
            ({"batch_size": True}, "batch_size", "batch_size must be a whole number"),
            ({"max_batches": "7"}, "max_batches", "max_batches must be a whole number"),
            ({"max_batches": -1}, "max_batches", "max_batches must be 1 to"),
        ],
    )
    def test_that_cannot_be_says_which_field(
        self, change: dict[str, object], field: str, problem: str
    ) -> None:
        with pytest.raises(ScheduleWrong) as stop:
            of_shape(NIGHTLY | change)

        assert stop.value.cause == "validation_failed"
        assert stop.value.facts["field"] == field
        assert str(stop.value.facts["problem"]).startswith(problem)
        assert stop.value.facts["got"] == (NIGHTLY | change).get(field)
        assert problem in explain(stop.value.cause, stop.value.facts).why


class TestCron:
    @pytest.mark.parametrize(
        ("cron", "problem"),
        [
            ("", "needs minute, hour, day, month and weekday"),
            ("@daily", "needs minute, hour, day, month and weekday"),
            ("0 0 20 * * 1", "needs minute, hour, day, month and weekday"),
            ("60 20 * * 1", "has a bad minute"),
            ("0 24 * * 1", "has a bad hour"),
            ("0 20 32 * 1", "has a bad day-of-month"),
            ("0 20 30 2 *", "has a bad day-of-month"),
            ("0 20 * 13 1", "has a bad month"),
            ("0 20 * * 8", "has a bad day-of-week"),
            ("0 20 * * mon;tue", "has a character cron does not know"),
            ("0 20 * * \u0661", "has a character cron does not know"),
            ("0 20 * * 1" + ",1" * 60, "is longer than 120 characters"),
            ("*/0 20 * * 1", "has a bad minute"),
        ],
    )
    def test_that_is_wrong_is_refused(self, cron: str, problem: str) -> None:
        with pytest.raises(ScheduleWrong) as stop:
            of_shape({"cron": cron})

        assert stop.value.facts["problem"] == f"cron {problem}"

    @settings(max_examples=400, deadline=None)
    @given(st.text(alphabet="0123456789*/,-#LWmontue \t", max_size=30) | st.text(max_size=30))
    def test_of_any_text_is_taken_or_refused(self, text: str) -> None:
        refused = None
        try:
            terms = of_shape({"cron": text})
            next(CronSim(terms.cron, MONDAY), None)
        except ScheduleWrong as stop:
            refused = stop.facts["field"]

        assert refused in {None, "cron"}

    @pytest.mark.parametrize(
        ("shape", "problem"),
        [
            ({"cron": "0 12 * * *", "from": "20:00", "to": "06:00"}, "between from and to"),
            ({"cron": "* 7-19 * * *", "from": "20:00", "to": "06:00"}, "between from and to"),
            ({"cron": "0 0 31 4,6,9,11 *"}, "bad day-of-month"),
            ({"cron": "0 0 31 2,4 1#1"}, None),
        ],
    )
    def test_without_a_start_is_not_kept(
        self, timetable: Timetable, shape: dict[str, object], problem: str | None
    ) -> None:
        if problem is None:
            timetable.save(of_shape(shape), by=UWASE)
            return
        with pytest.raises(ScheduleWrong, match=problem):
            timetable.save(of_shape(shape), by=UWASE)
        assert timetable.get() is None
