"""API keys as they are kept: hashed, found by the whole text, revoked for good."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import text

from application.store.audit import Actor
from application.store.keys import Keys
from application.world import World
from tests.rooms.store_support import (
    KINDS,
    UWASE,
    JumpingClock,
    Rooms,
    raw_engine,
    rooms_on,
    worn_address_on,
)

MUGISHA = Actor("mugisha", source="cli", process="desk-2")
HOUR = timedelta(hours=1)


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return worn_address_on(request.param, request=request, tmp_path=tmp_path)


@pytest.fixture
def rooms(url: str, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_on(url, locks=tmp_path / "locks") as opened:
        yield opened
        assert opened.audit.verify().intact


@pytest.fixture
def keys(rooms: Rooms) -> Keys:
    return Keys(rooms.store, audit=rooms.audit, world=rooms.world)


class TestCreate:
    def test_gives_a_key_and_the_text_it_opens_with(self, rooms: Rooms, keys: Keys) -> None:
        key, opens = keys.create("timetable", role="officer", by=UWASE)

        known, number, secret = opens.split("_", maxsplit=2)
        assert (known, number, len(secret)) == ("fb", str(key.id), 43)
        assert (key.name, key.role, key.made_by) == ("timetable", "officer", "uwase")
        assert abs(key.made_at - rooms.store.now()) < HOUR
        assert (key.used_at, key.revoked_at) == (None, None)
        assert keys.all() == [key]

    def test_leaves_a_line_without_the_secret(self, rooms: Rooms, keys: Keys) -> None:
        key, opens = keys.create("timetable", role="officer", by=UWASE)

        (line,) = rooms.audit.entries(action="key.")
        assert (line.action, line.subject, line.actor) == (
            "key.created",
            f"API key {key.id}",
            "uwase",
        )
        assert line.after == {"role": "officer"}
        assert opens[5:] not in repr(line)

    def test_keeps_a_hash_and_nothing_that_opens(self, url: str, keys: Keys) -> None:
        key, opens = keys.create("timetable", role="officer", by=UWASE)
        secret = opens.rsplit("_", maxsplit=1)[-1]

        with raw_engine(url).connect() as connection:
            rows = [
                *connection.execute(text("SELECT * FROM api_keys")).all(),
                *connection.execute(text("SELECT * FROM audit")).all(),
            ]
            (kept,) = connection.execute(text("SELECT secret_sha256 FROM api_keys")).one()
        assert kept == sha256(opens.encode()).hexdigest()
        assert secret not in repr(rows)
        assert secret not in repr([key, keys, keys.all(), keys.find(opens)])
        assert kept not in repr([key, keys, keys.all(), keys.find(opens)])

    def test_never_gives_the_same_twice(self, keys: Keys) -> None:
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: keys.create("desk", role="viewer", by=UWASE), range(12)))

        assert len({key.id for key, _ in made}) == 12
        assert len({opens for _, opens in made}) == 12
        for key, opens in made:
            assert keys.find(opens) == key

    def test_takes_a_name_no_database_would(self, keys: Keys) -> None:
        key, opens = keys.create("a\0" + "x" * 500, role="viewer", by=UWASE)

        assert len(key.name) <= 120
        assert keys.find(opens) == key


class TestFind:
    @pytest.mark.parametrize(
        "bent",
        [
            "",
            "fb_",
            "fb_1_",
            "{opens}x",
            "{opens}\n",
            " {opens}",
            "{upper}",
            "fb_{next}_{secret}",
            "fb_0{id}_{secret}",
            "fb_{id}_{other}",
            "{secret}",
            "fb_-1_{secret}",
            "fb_999999999999999999_{secret}",
            "fb_9999999999999999999999_{secret}",
            "fb_{id}_{secret}' OR '1'='1",
            "fb_\N{ARABIC-INDIC DIGIT ONE}_{secret}",
        ],
    )
    def test_takes_the_whole_text_and_no_other(self, keys: Keys, bent: str) -> None:
        key, opens = keys.create("timetable", role="officer", by=UWASE)
        secret = opens.split("_", maxsplit=2)[2]
        tried = bent.format(
            opens=opens,
            upper=opens.upper(),
            id=key.id,
            next=key.id + 1,
            secret=secret,
            other="A" * 43,
        )

        assert keys.find(opens) == key
        assert keys.find(tried) is None

    def test_does_not_take_the_secret_of_another(self, keys: Keys) -> None:
        first, _ = keys.create("first", role="admin", by=UWASE)
        _, opens = keys.create("second", role="viewer", by=UWASE)

        assert keys.find(f"fb_{first.id}_{opens.split('_', maxsplit=2)[2]}") is None

    def test_does_not_take_the_hash(self, keys: Keys) -> None:
        key, opens = keys.create("first", role="admin", by=UWASE)
        kept = sha256(opens.encode()).hexdigest()

        assert keys.find(kept) is None
        assert keys.find(f"fb_{key.id}_{kept[:43]}") is None


class TestRevoke:
    def test_closes_the_door_once(self, rooms: Rooms, keys: Keys) -> None:
        key, opens = keys.create("timetable", role="officer", by=UWASE)

        assert keys.revoke(key.id, by=MUGISHA)
        assert not keys.revoke(key.id, by=MUGISHA)

        assert keys.find(opens) is None
        (gone,) = keys.all()
        assert gone.revoked_at is not None
        lines = rooms.audit.entries(action="key.")
        assert sorted((line.action, line.actor) for line in lines) == [
            ("key.created", "uwase"),
            ("key.revoked", "mugisha"),
        ]

    def test_by_many_at_once_is_one(self, rooms: Rooms, keys: Keys) -> None:
        key, _ = keys.create("timetable", role="officer", by=UWASE)

        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: keys.revoke(key.id, by=UWASE), range(4)))

        assert done.count(True) == 1
        assert len(rooms.audit.entries(action="key.revoked")) == 1

    def test_of_a_key_that_is_not_there_changes_nothing(self, rooms: Rooms, keys: Keys) -> None:
        assert not keys.revoke(7, by=UWASE)
        assert not rooms.audit.entries(action="key.")

    def test_of_one_leaves_the_others(self, keys: Keys) -> None:
        first, _ = keys.create("first", role="viewer", by=UWASE)
        second, opens = keys.create("second", role="viewer", by=UWASE)

        keys.revoke(first.id, by=UWASE)

        assert keys.find(opens) == second
        assert [one.id for one in keys.all()] == [first.id, second.id]

    def test_of_the_last_leaves_none_that_is_live(self, keys: Keys) -> None:
        assert not keys.any_live()
        key, _ = keys.create("timetable", role="officer", by=UWASE)
        assert keys.any_live()
        keys.revoke(key.id, by=UWASE)
        assert not keys.any_live()


class TestUsed:
    def test_is_noted_once_a_minute_and_in_no_line(self, tmp_path: Path) -> None:
        clock = JumpingClock()
        url = f"sqlite:///{tmp_path}/own/store.db"
        with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as rooms:
            keys = Keys(rooms.store, audit=rooms.audit, world=rooms.world)
            key, _ = keys.create("timetable", role="officer", by=UWASE)

            seen = []
            for wall_ms in (0, 30_000, 120_000):
                clock.wall_ms = wall_ms
                keys.used(key.id)
                seen.append(keys.all()[0].used_at)

            assert seen[0] is not None
            assert seen[1] == seen[0]
            assert seen[2] is not None
            assert seen[2] - seen[0] > timedelta(minutes=1)
            assert len(rooms.audit.entries(action="key.")) == 1

    def test_is_noted_on_every_database(self, keys: Keys) -> None:
        key, _ = keys.create("timetable", role="officer", by=UWASE)
        other, _ = keys.create("other", role="viewer", by=UWASE)

        keys.used(key.id)
        keys.used(10_000)

        found = {one.id: one.used_at for one in keys.all()}
        assert found[key.id] is not None
        assert found[other.id] is None
