"""Who a key is, how soon a revoked one opens nothing, and how often one may be tried."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from typing_extensions import override

from application.catalogue import explain
from application.services.access import Access, KeyWrong, TooMany, Visitor
from application.services.roles import Role
from application.store.keys import Keys
from application.world import World
from tests.rooms.store_support import UWASE, JumpingClock, Rooms, people_in, rooms_on

HERE = "127.0.0.1"
BAD = "fb_1_" + "A" * 43
A_SECOND_MS = 1_000
A_MINUTE_MS = 60_000


class StillClock(JumpingClock):
    """A clock whose time since boot passes only when a test says so."""

    @override
    def since_boot_ms(self) -> int:
        return self.boot_ms


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def rooms(tmp_path: Path, clock: StillClock) -> Iterator[Rooms]:
    url = f"sqlite:///{tmp_path}/own/store.db"
    with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as opened:
        yield opened


def access_of(rooms: Rooms) -> Access:
    return Access(
        Keys(rooms.store, audit=rooms.audit, world=rooms.world),
        people=people_in(rooms),
        world=rooms.world,
    )


@pytest.fixture
def access(rooms: Rooms) -> Access:
    return access_of(rooms)


def tried(access: Access, text: str, *, times: int, peer: str = HERE) -> list[Visitor | None]:
    return [access.visitor_of(text, peer=peer) for _ in range(times)]


class TestRole:
    def test_covers_itself_and_what_is_below(self) -> None:
        covered = {(one, other) for one in Role for other in Role if one.covers(other)}

        assert covered == {
            (Role.VIEWER, Role.VIEWER),
            (Role.OFFICER, Role.VIEWER),
            (Role.OFFICER, Role.OFFICER),
            (Role.ADMIN, Role.VIEWER),
            (Role.ADMIN, Role.OFFICER),
            (Role.ADMIN, Role.ADMIN),
        }

    def test_grows_in_the_order_it_is_listed(self) -> None:
        assert all(more.covers(less) for less, more in pairwise(Role))


class TestOpen:
    def test_lasts_until_the_first_key(self, access: Access) -> None:
        assert access.is_open()
        key, _ = access.create("timetable", role=Role.OFFICER, by=UWASE)
        assert not access.is_open()
        access.revoke(key.id, by=UWASE)
        assert access.is_open()

    def test_is_over_within_a_second_of_a_key_made_elsewhere(
        self, rooms: Rooms, access: Access, clock: StillClock
    ) -> None:
        assert access.is_open()
        access_of(rooms).create("timetable", role=Role.OFFICER, by=UWASE)

        clock.boot_ms += A_SECOND_MS

        assert not access.is_open()


class TestVisitor:
    @pytest.mark.parametrize("role", Role)
    def test_is_named_as_the_key_and_has_its_role(self, access: Access, role: Role) -> None:
        key, text = access.create("timetable", role=role, by=UWASE)

        assert access.visitor_of(text, peer=HERE) == Visitor("timetable", role, key.id)
        assert access.all()[0].used_at is not None

    @pytest.mark.parametrize(
        "text", ["", "none", BAD, "fb_9_" + "B" * 43, "x" * 10_000, "\N{HONEYBEE}"]
    )
    def test_is_nobody_with_another_text(self, access: Access, text: str) -> None:
        access.create("timetable", role=Role.ADMIN, by=UWASE)

        assert access.visitor_of(text, peer=HERE) is None

    def test_ends_at_once_where_the_key_is_revoked(self, access: Access) -> None:
        key, text = access.create("timetable", role=Role.OFFICER, by=UWASE)
        assert access.visitor_of(text, peer=HERE) is not None

        assert access.revoke(key.id, by=UWASE)

        assert access.visitor_of(text, peer=HERE) is None
        assert not access.revoke(key.id, by=UWASE)

    def test_ends_within_a_second_of_a_revocation_elsewhere(
        self, rooms: Rooms, access: Access, clock: StillClock
    ) -> None:
        key, text = access.create("timetable", role=Role.OFFICER, by=UWASE)
        assert access.visitor_of(text, peer=HERE) is not None
        access_of(rooms).revoke(key.id, by=UWASE)

        clock.boot_ms += A_SECOND_MS

        assert access.visitor_of(text, peer=HERE) is None

    def test_is_known_no_longer_because_it_is_used_all_the_time(
        self, rooms: Rooms, access: Access, clock: StillClock
    ) -> None:
        key, text = access.create("timetable", role=Role.OFFICER, by=UWASE)
        assert access.visitor_of(text, peer=HERE) is not None
        access_of(rooms).revoke(key.id, by=UWASE)

        found = []
        for _ in range(5):
            found.append(access.visitor_of(text, peer=HERE))
            clock.boot_ms += A_SECOND_MS // 4

        assert found[-1] is None

    def test_shows_no_secret(self, access: Access) -> None:
        _, text = access.create("timetable", role=Role.OFFICER, by=UWASE)

        visitor = access.visitor_of(text, peer=HERE)

        assert text[5:] not in repr([access, visitor, access.all()])


class TestNames:
    @pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "local", " Server "])
    def test_that_would_mislead_are_refused(self, access: Access, name: str) -> None:
        with pytest.raises(KeyWrong):
            access.create(name, role=Role.VIEWER, by=UWASE)

        assert access.all() == []


class TestTries:
    def test_ten_bad_ones_a_minute_then_it_waits(self, access: Access, clock: StillClock) -> None:
        assert tried(access, BAD, times=10) == [None] * 10
        with pytest.raises(TooMany) as refused:
            access.visitor_of(BAD, peer=HERE)
        told = explain(refused.value.cause, refused.value.facts)
        assert told.http_status == 429
        assert refused.value.facts["retry_after_s"] in range(1, 62)

        clock.boot_ms += A_MINUTE_MS

        assert tried(access, BAD, times=10) == [None] * 10

    def test_of_one_peer_do_not_count_for_another(self, access: Access) -> None:
        tried(access, BAD, times=10, peer="10.0.0.1")

        assert access.visitor_of(BAD, peer="10.0.0.2") is None

    def test_that_are_refused_do_not_make_it_wait_longer(
        self, access: Access, clock: StillClock
    ) -> None:
        tried(access, BAD, times=10)
        for _ in range(5):
            clock.boot_ms += 10_000
            with pytest.raises(TooMany):
                access.visitor_of(BAD, peer=HERE)

        clock.boot_ms += 10_000

        assert access.visitor_of(BAD, peer=HERE) is None

    def test_come_free_one_by_one(self, access: Access, clock: StillClock) -> None:
        for _ in range(10):
            access.visitor_of(BAD, peer=HERE)
            clock.boot_ms += 1_000

        with pytest.raises(TooMany) as refused:
            access.visitor_of(BAD, peer=HERE)
        assert refused.value.facts["retry_after_s"] in {50, 51}
        clock.boot_ms += 51_000
        assert access.visitor_of(BAD, peer=HERE) is None

    def test_six_hundred_good_ones_a_minute_for_each_key(
        self, access: Access, clock: StillClock
    ) -> None:
        _, text = access.create("timetable", role=Role.OFFICER, by=UWASE)
        _, other = access.create("desk", role=Role.VIEWER, by=UWASE)

        assert None not in tried(access, text, times=600)
        with pytest.raises(TooMany):
            access.visitor_of(text, peer=HERE)
        with pytest.raises(TooMany):
            access.visitor_of(text, peer="10.0.0.9")
        assert access.visitor_of(other, peer=HERE) is not None
        clock.boot_ms += A_MINUTE_MS
        assert access.visitor_of(text, peer=HERE) is not None

    def test_counted_exactly_though_many_ask_at_once(self, access: Access) -> None:
        def one(_: int) -> str:
            try:
                return "refused" if access.visitor_of(BAD, peer=HERE) is None else "in"
            except TooMany:
                return "waits"

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(one, range(80)))

        assert (found.count("refused"), found.count("waits")) == (10, 70)

    def test_from_many_peers_are_not_kept_for_ever(self, access: Access) -> None:
        for number in range(10_050):
            access.visitor_of(f"{number}", peer=f"peer-{number}")

        assert len(access._tries) <= 10_000  # noqa: SLF001 - nothing else shows how much is kept
        assert len(access._known) <= 10_000  # noqa: SLF001 - nothing else shows how much is kept

    def test_of_another_do_not_keep_a_good_key_out(self, access: Access) -> None:
        _, text = access.create("timetable", role=Role.OFFICER, by=UWASE)
        tried(access, BAD, times=10)
        with pytest.raises(TooMany):
            access.visitor_of(BAD, peer=HERE)

        assert access.visitor_of(text, peer=HERE) is not None
