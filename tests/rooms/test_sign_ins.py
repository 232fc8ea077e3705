"""Sign-ins that wait for their answer: known by a hash, good for one use, gone with their time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from application.store.audit import Actor
from application.store.sign_ins import Begun, Gone, SignIns
from tests.rooms.store_support import KINDS, UWASE, Rooms, raw_engine, rooms_on, worn_address_on

STATE = "canary-state"
COOKIE = "canary-cookie"
VERIFIER = "canary-verifier"
TEN = timedelta(minutes=10)


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return worn_address_on(request.param, request=request, tmp_path=tmp_path)


@pytest.fixture
def rooms(url: str, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_on(url, locks=tmp_path / "locks") as opened:
        yield opened


@pytest.fixture
def sign_ins(rooms: Rooms) -> SignIns:
    return rooms.tokens().sign_ins


class TestASignIn:
    def test_comes_back_with_who_began_it(self, rooms: Rooms, sign_ins: SignIns) -> None:
        now = rooms.store.now()
        by = Actor("admin1", source="dashboard", address="10.0.0.14", process="desk-9")
        sign_ins.note(
            STATE, by=by, until=now + TEN, browser=COOKIE, verifier=VERIFIER, another_company=True
        )

        found = sign_ins.look(STATE, now=now)

        assert isinstance(found, Begun)
        assert (found.by, found.until, found.verifier) == (by, now + TEN, VERIFIER)
        assert found.another_company
        assert found.in_browser

    def test_is_of_one_browser(self, rooms: Rooms, sign_ins: SignIns) -> None:
        now = rooms.store.now()
        sign_ins.note(STATE, by=UWASE, until=now + TEN, browser=COOKIE)

        found = sign_ins.look(STATE, now=now)

        assert isinstance(found, Begun)
        assert found.is_of(COOKIE)
        assert [found.is_of(other) for other in ("", None, "another", COOKIE[:-1])] == [False] * 4

    def test_begun_without_a_browser_is_of_none(self, rooms: Rooms, sign_ins: SignIns) -> None:
        now = rooms.store.now()
        sign_ins.note(STATE, by=UWASE, until=now + TEN)

        found = sign_ins.look(STATE, now=now)

        assert isinstance(found, Begun)
        assert not found.in_browser
        assert not found.is_of("")
        assert not found.is_of(None)

    def test_is_good_for_one_use(self, rooms: Rooms, sign_ins: SignIns) -> None:
        now = rooms.store.now()
        sign_ins.note(STATE, by=UWASE, until=now + TEN, browser=COOKIE, verifier=VERIFIER)

        first = sign_ins.use(STATE, now=now, by=UWASE)
        second = sign_ins.use(STATE, now=now, by=UWASE)

        assert (first, second) == (None, Gone.USED)
        assert sign_ins.look(STATE, now=now) is Gone.USED

    def test_tried_by_many_at_once_is_used_by_one(self, rooms: Rooms, sign_ins: SignIns) -> None:
        now = rooms.store.now()
        sign_ins.note(STATE, by=UWASE, until=now + TEN)

        with ThreadPoolExecutor(4) as pool:
            tried = list(pool.map(lambda _n: sign_ins.use(STATE, now=now, by=UWASE), range(4)))

        assert sorted(tried, key=str) == [None, Gone.USED, Gone.USED, Gone.USED]

    def test_nobody_began_is_unknown(self, rooms: Rooms, sign_ins: SignIns) -> None:
        now = rooms.store.now()

        assert sign_ins.look("another", now=now) is Gone.UNKNOWN
        assert sign_ins.use("", now=now, by=UWASE) is Gone.UNKNOWN

    def test_ends_with_its_time_and_says_so_for_a_day(
        self, rooms: Rooms, sign_ins: SignIns
    ) -> None:
        now = rooms.store.now()
        sign_ins.note(STATE, by=UWASE, until=now)
        sign_ins.note("older", by=UWASE, until=now - timedelta(days=2))
        sign_ins.note("newest", by=UWASE, until=now + TEN)  # the oldest goes when another comes

        assert sign_ins.look(STATE, now=now) is Gone.OLD
        assert sign_ins.use(STATE, now=now, by=UWASE) is Gone.OLD
        assert sign_ins.look("older", now=now) is Gone.UNKNOWN

    def test_shows_its_secrets_nowhere(self, rooms: Rooms, sign_ins: SignIns, url: str) -> None:
        now = rooms.store.now()
        sign_ins.note(STATE, by=UWASE, until=now + TEN, browser=COOKIE, verifier=VERIFIER)
        found = sign_ins.look(STATE, now=now)
        sign_ins.use(STATE, now=now, by=UWASE)

        with raw_engine(url).connect() as connection:
            rows = connection.execute(text("SELECT * FROM sign_ins")).all()

        assert len(rows) == 1
        assert "canary" not in repr(rows) + repr(found) + repr(rooms.audit.entries())

    def test_is_told_in_the_audit_log(self, rooms: Rooms, sign_ins: SignIns) -> None:
        now = rooms.store.now()
        before = rooms.audit.head().id
        sign_ins.note(STATE, by=UWASE, until=now + TEN)
        sign_ins.use(STATE, now=now, by=UWASE)
        sign_ins.use(STATE, now=now, by=UWASE)

        told = [line.action for line in rooms.audit.entries(after=before)]
        assert told == ["signin.begun", "signin.returned"]
