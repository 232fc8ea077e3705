"""How slow, how many and how often: bounds of the guard, and faults that stay in the envelope."""

import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typing_extensions import override

from application.api.guard import IN_HAND_MAX
from application.catalogue import StoreUnavailable
from application.services.access import Access
from application.services.roles import Role
from application.store.keys import Keys
from tests.rooms.guard_support import (
    BATCH,
    EVENTS,
    JSON,
    STATUS,
    Answer,
    Site,
    all_of,
    site_on,
    until,
)
from tests.rooms.store_support import Rooms, people_in, rooms_on

CHANGE = f"POST {BATCH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with rooms_on(f"sqlite:///{tmp_path}/own/store.db", locks=tmp_path / "locks") as opened:
        yield opened


@pytest.fixture
def site(rooms: Rooms, tmp_path: Path) -> Iterator[Site]:
    with site_on(rooms, folder=tmp_path, body_s=1) as opened:
        yield opened


class TestBody:
    def test_that_never_comes_is_given_up(self, site: Site) -> None:
        answer = site.say(CHANGE.encode() + b"Content-Length: 2\r\n\r\n{")

        assert answer.startswith(b"HTTP/1.1 400")
        assert b"did not come within 1 seconds" in answer
        assert site.inner.calls == []

    def test_that_comes_byte_by_byte_has_no_more_time(self, site: Site) -> None:
        pause = threading.Event()
        with site.open() as line:
            line.sendall(CHANGE.encode() + b"Content-Length: 9999\r\n\r\n")
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(15):
                    line.sendall(b" ")
                    pause.wait(0.1)
            assert b"400" in all_of(line).partition(b"\r\n")[0]
        assert site.inner.calls == []

    def test_that_is_cut_off_changes_nothing(self, site: Site) -> None:
        with site.open() as line:
            line.sendall(CHANGE.encode() + b"Content-Length: 20\r\n\r\n{}")

        until(lambda: len(site.answered()) == 1)
        assert site.inner.calls == []

    def test_of_unknown_length_is_measured_as_it_comes(self, site: Site) -> None:
        head = CHANGE.encode() + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        chunk = b"4000\r\n" + b" " * 16_384 + b"\r\n"

        assert b'"too_large"' in site.say(head, chunk * 5, b"0\r\n\r\n")
        assert site.say(head, b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n").startswith(b"HTTP/1.1 200")
        assert site.inner.calls == [("POST", BATCH, b"{}")]

    def test_is_not_waited_for_where_there_should_be_none(self, site: Site) -> None:
        """Whoever has no key must not hold a place for as long as a body may take."""
        key = site.key(Role.VIEWER)
        for path in ("/health/", "/api/v1/quickbooks/callback"):
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
            assert b"a GET has no body" in site.say(head.encode())
        head = f"POST {BATCH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        assert site.say(head.encode()).startswith(b"HTTP/1.1 401")
        line = f"Authorization: {key['Authorization']}\r\n"
        assert site.say(head[:-2].encode() + line.encode() + b"\r\n").startswith(b"HTTP/1.1 403")

    def test_is_asked_for_only_of_who_may_send_it(self, site: Site) -> None:
        expecting = CHANGE + "Content-Length: 2\r\nExpect: 100-continue\r\n"

        with site.open() as line:
            line.sendall(expecting.encode() + b"Connection: close\r\n\r\n")
            assert line.recv(65_536).startswith(b"HTTP/1.1 100 ")
            line.sendall(b"{}")
            assert all_of(line).startswith(b"HTTP/1.1 200")
        foreign = expecting.encode() + b"Origin: http://evil.example\r\n\r\n"
        assert site.say(foreign).startswith(b"HTTP/1.1 403")


class TestCrowd:
    def test_of_more_than_64_waits_its_turn(self, site: Site) -> None:
        with ThreadPoolExecutor(IN_HAND_MAX) as pool:
            held = [pool.submit(site.ask, "GET", f"{STATUS}?hold") for _ in range(IN_HAND_MAX)]
            until(lambda: site.inner.held == IN_HAND_MAX)

            refused = site.ask("GET", STATUS)
            site.inner.free.set()
            answers: list[Answer] = [one.result() for one in held]

        assert (refused.status, refused.code) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "1"
        assert {one.status for one in answers} == {200}
        assert site.ask("GET", STATUS).status == 200

    def test_of_live_views_takes_no_place_of_a_request(self, site: Site) -> None:
        with contextlib.ExitStack() as lines:
            for _ in range(IN_HAND_MAX + 2):
                line = lines.enter_context(site.open())
                line.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                assert line.recv(65_536).startswith(b"HTTP/1.1 200")
            until(lambda: site.inner.held == IN_HAND_MAX + 2)

            assert site.ask("GET", STATUS).status == 200
            site.inner.free.set()
            until(lambda: site.inner.held == 0)
        with ThreadPoolExecutor(IN_HAND_MAX) as pool:
            answers = list(pool.map(lambda _: site.ask("GET", STATUS), range(IN_HAND_MAX)))
        assert {one.status for one in answers} == {200}

    def test_of_requests_that_went_away_leaves_every_place_free(self, site: Site) -> None:
        for _ in range(IN_HAND_MAX + 6):
            with site.open() as line:
                line.sendall(CHANGE.encode() + b"Content-Length: 20\r\n\r\n{}")
        until(lambda: len(site.answered()) == IN_HAND_MAX + 6)

        assert site.ask("GET", STATUS).status == 200


class _Lost(Keys):
    """Keys in a store that is not there."""

    @override
    def any_live(self) -> bool:
        raise StoreUnavailable(detail="gone")


class _Broken(Keys):
    """Keys with a fault of ours in them."""

    @override
    def any_live(self) -> bool:
        raise ZeroDivisionError


class TestTrouble:
    def test_of_the_store_lets_nobody_in(self, rooms: Rooms, tmp_path: Path) -> None:
        keys = _Lost(rooms.store, audit=rooms.audit, world=rooms.world)
        access = Access(keys, people=people_in(rooms), world=rooms.world)
        with site_on(rooms, folder=tmp_path, access=access) as site:
            answer = site.ask("GET", STATUS)

            assert (answer.status, answer.code) == (503, "store_unavailable")
            assert site.ask("GET", "/health/").status == 200
            assert [path for _, path, _ in site.inner.calls] == ["/health/"]

    def test_of_our_own_stays_in_the_envelope(self, rooms: Rooms, tmp_path: Path) -> None:
        keys = _Broken(rooms.store, audit=rooms.audit, world=rooms.world)
        access = Access(keys, people=people_in(rooms), world=rooms.world)
        with site_on(rooms, folder=tmp_path, access=access) as site:
            answer = site.ask("POST", BATCH, headers={"X-Request-Id": "R1"}, body=b"{}")

            assert (answer.status, answer.code) == (500, "internal_error")
            assert b"ZeroDivision" not in answer.body
            [fault] = [one for one in site.lines() if one["event"] == "request.failed"]
            assert fault["request_id"] == "R1"
            assert site.inner.calls == []


class TestOrder:
    def test_tells_a_foreign_page_so_though_it_has_no_key(self, site: Site) -> None:
        site.key(Role.ADMIN)

        answer = site.ask("POST", BATCH, headers={"Origin": "http://evil.example"}, body=b"{}")

        assert (answer.status, answer.code) == (403, "cross_site")

    def test_names_the_client_of_a_proxy_on_this_machine(self, site: Site) -> None:
        key = site.key(Role.VIEWER)

        def seen(forwarded: str) -> str:
            headers = key | {"X-Forwarded-For": forwarded}
            return str(json.loads(site.ask("GET", STATUS, headers=headers).body)["peer"])

        assert seen("10.0.0.9, 192.0.2.7") == "192.0.2.7"
        assert seen("2001:db8::7") == "2001:db8::7"
        assert seen("10.0.0.9, <script>") == "127.0.0.1"
