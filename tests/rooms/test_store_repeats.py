"""Requests that come again: one is done, the others are told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from application.store.repeats import (
    Answered,
    New,
    Other,
    Repeats,
    Running,
    request_sha,
)
from application.world import World
from tests.rooms.store_support import (
    KINDS,
    REALM,
    UWASE,
    JumpingClock,
    Rooms,
    rooms_on,
    worn_rooms_on,
)

POST = request_sha("uwase", "POST", "/api/v1/sync/batch", "a-key")
BODY = "b" * 64
HERE, BEFORE = "desk-1.start-2", "desk-1.start-1"
DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture(params=KINDS)
def rooms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rooms]:
    with worn_rooms_on(request, tmp_path=tmp_path) as opened:
        yield opened


@pytest.fixture
def repeats(rooms: Rooms) -> Repeats:
    return Repeats(rooms.store, world=rooms.world)


def begun(repeats: Repeats, *, request: str = POST, holder: str = HERE) -> int:
    found = repeats.begin(request, BODY, holder=holder)
    assert isinstance(found, New)
    return found.id


class TestRequest:
    def test_is_known_by_actor_method_path_and_key(self) -> None:
        same = request_sha("uwase", "post", "/api/v1/sync/batch", "a-key")
        others = {
            request_sha("mugisha", "POST", "/api/v1/sync/batch", "a-key"),
            request_sha("uwase", "PUT", "/api/v1/sync/batch", "a-key"),
            request_sha("uwase", "POST", "/api/v1/sync/all", "a-key"),
            request_sha("uwase", "POST", "/api/v1/sync/batch", "another"),
            request_sha("uwase POST", "", "/api/v1/sync/batch", "a-key"),
        }

        assert same == POST
        assert len(POST) == 64
        assert len(others | {POST}) == 6


class TestBegin:
    def test_gives_the_first_a_number(self, repeats: Repeats) -> None:
        other = request_sha("uwase", "POST", "/api/v1/sync/batch", "b-key")

        assert begun(repeats) != begun(repeats, request=other)

    def test_tells_a_second_to_wait(self, repeats: Repeats) -> None:
        begun(repeats)

        assert repeats.begin(POST, BODY, holder=HERE) == Running(None)

    def test_returns_what_was_answered(self, repeats: Repeats) -> None:
        repeat_id = begun(repeats)
        repeats.answer(repeat_id, 200, '{"message": "Batch finished: é \U0001f393"}')

        for holder in (HERE, BEFORE):
            found = repeats.begin(POST, BODY, holder=holder)

            assert found == Answered(200, '{"message": "Batch finished: é \U0001f393"}', None)

    def test_names_the_run_that_was_opened(self, repeats: Repeats) -> None:
        repeats.link(begun(repeats), 58)

        assert repeats.begin(POST, BODY, holder=HERE) == Running(58)
        assert repeats.begin(POST, BODY, holder=BEFORE) == Running(58)

    def test_refuses_another_body_whatever_became_of_the_first(self, repeats: Repeats) -> None:
        repeat_id = begun(repeats)
        assert repeats.begin(POST, "c" * 64, holder=HERE) == Other()
        assert repeats.begin(POST, "c" * 64, holder=BEFORE) == Other()

        repeats.answer(repeat_id, 200, "{}")

        assert repeats.begin(POST, "c" * 64, holder=HERE) == Other()

    @pytest.mark.covers("C2")
    @pytest.mark.parametrize("_turn", range(5))
    def test_lets_one_of_many_do_it(self, repeats: Repeats, _turn: int) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: repeats.begin(POST, BODY, holder=HERE), range(8)))

        assert sum(isinstance(one, New) for one in found) == 1
        assert found.count(Running(None)) == 7


class TestCrash:
    def test_leaves_a_request_to_be_begun_anew_by_one(self, repeats: Repeats) -> None:
        left = begun(repeats, holder=BEFORE)

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: repeats.begin(POST, BODY, holder=HERE), range(4)))

        assert found.count(New(left)) == 1
        assert found.count(Running(None)) == 3

    def test_between_opening_a_run_and_linking_it_still_finds_the_run(
        self, rooms: Rooms, repeats: Repeats
    ) -> None:
        begun(repeats, holder=BEFORE)
        run = rooms.runs.open(
            kind="batch",
            by=UWASE,
            environment="simulator",
            realm_tag=REALM.tag,
            holder=BEFORE,
            request_sha256=POST,
        )

        assert repeats.begin(POST, BODY, holder=HERE) == Running(run.id)


class TestAnswer:
    @pytest.mark.parametrize("status", [401, 403, 413, 415, 429, 503])
    def test_that_passes_by_itself_is_not_kept(self, repeats: Repeats, status: int) -> None:
        repeats.answer(begun(repeats), status, "{}")

        assert isinstance(repeats.begin(POST, BODY, holder=HERE), New)

    @pytest.mark.parametrize("status", [200, 400, 404, 409, 422, 500])
    def test_is_kept_otherwise(self, repeats: Repeats, status: int) -> None:
        repeats.answer(begun(repeats), status, "{}")

        assert repeats.begin(POST, BODY, holder=HERE) == Answered(status, "{}", None)

    @pytest.mark.parametrize("status", [202, 503])
    def test_gives_way_to_the_run(self, repeats: Repeats, status: int) -> None:
        repeat_id = begun(repeats)
        repeats.link(repeat_id, 58)

        repeats.answer(repeat_id, status, "{}")

        assert repeats.begin(POST, BODY, holder=HERE) == Running(58)

    def test_of_the_first_stays(self, repeats: Repeats) -> None:
        repeat_id = begun(repeats)
        repeats.answer(repeat_id, 200, "first")

        repeats.answer(repeat_id, 500, "second")
        repeats.drop(repeat_id)

        assert repeats.begin(POST, BODY, holder=HERE) == Answered(200, "first", None)

    def test_as_long_as_the_column_comes_back_and_a_longer_one_is_not_kept(
        self, repeats: Repeats
    ) -> None:
        longest = "é" * 32_767 + "x"
        repeats.answer(begun(repeats), 200, longest)
        assert repeats.begin(POST, BODY, holder=HERE) == Answered(200, longest, None)
        other = request_sha("uwase", "POST", "/", "b-key")

        repeats.answer(begun(repeats, request=other), 200, longest + "x")

        assert isinstance(repeats.begin(other, BODY, holder=HERE), New)


class TestDrop:
    def test_forgets_a_request(self, repeats: Repeats) -> None:
        repeats.drop(begun(repeats))

        assert isinstance(repeats.begin(POST, BODY, holder=HERE), New)

    def test_keeps_one_that_opened_a_run(self, repeats: Repeats) -> None:
        repeat_id = begun(repeats)
        repeats.link(repeat_id, 58)

        repeats.drop(repeat_id)

        assert repeats.begin(POST, BODY, holder=HERE) == Running(58)


class TestAge:
    def test_of_a_day_makes_a_request_new(self, tmp_path: Path) -> None:
        clock = JumpingClock()
        url = f"sqlite:///{tmp_path}/own/store.db"
        with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as rooms:
            repeats = Repeats(rooms.store, world=rooms.world)
            first = begun(repeats)
            repeats.answer(first, 200, "{}")

            clock.wall_ms = DAY_MS - 60_000
            assert repeats.begin(POST, "c" * 64, holder=HERE) == Other()
            clock.wall_ms = DAY_MS + 60_000
            assert isinstance(repeats.begin(POST, "c" * 64, holder=HERE), New)

    def test_lets_old_ones_be_purged(self, rooms: Rooms, repeats: Repeats) -> None:
        for number in range(3):
            begun(repeats, request=request_sha("uwase", "POST", "/", str(number)))
        now = rooms.store.now()

        assert repeats.purge(now - timedelta(days=1)) == 0
        assert repeats.purge(now + timedelta(minutes=1)) == 3
        assert repeats.purge(now + timedelta(minutes=1)) == 0
