"""Who passes the guard: every route with every key, hosts, sites, read-only, what is answered."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from application.api.table import PAGES, ROWS, Row, WrongMethod, find
from application.services.roles import Role
from application.world import World
from tests.rooms.guard_support import BATCH, STATUS, SYNC, Answer, Site, bearer, site_on
from tests.rooms.store_support import UWASE, JumpingClock, Rooms, rooms_on

TRY_MS = 6_100  # so far apart bad keys are never too many
BAD = bearer("fb_1_" + "A" * 43)
UNKNOWN = (
    "", "*", "/api", f"{SYNC}/", f"{STATUS}/", f"{SYNC}//status", f"{SYNC}/Status", "/health",
    f"{SYNC}/invoices/1/2", f"{SYNC}/invoices/", "/docs", "/redoc", "http://x/", f"{STATUS}\n",
    f"{SYNC}/../sync/status", f"x{STATUS}",
)  # fmt: skip
STRANGE_HOSTS = (
    "evil.example", "localhost.evil.example", "evil.example:5000", "localhost@evil.example", "",
    "127.0.0.1.evil.example", "127.0.0.2", "0", "localhost.", "[::2]", "localhost:x", "localhost:",
    "localhost evil.example", "localhost/", "::1",
)  # fmt: skip
PUBLIC = {
    ("GET", "/health/"),
    ("GET", "/api/v1/quickbooks/callback"),
    ("GET", "/quickbooks/disconnected"),
    ("GET", "/login"),
    ("GET", "/static/{name}"),
}
QUESTIONS = tuple(row for row in PAGES if row.method == "GET")  # a page's form is tried elsewhere
EVERY = (*ROWS, *QUESTIONS)
FORWARDED = (
    {"Forwarded": "for=10.0.0.9"},
    {"Via": "1.1 proxy"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "localhost"},
    {"X-Forwarded-Proto": "https"},
    {"x-forwarded-anything": ""},
)


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def rooms(tmp_path: Path, clock: JumpingClock) -> Iterator[Rooms]:
    url = f"sqlite:///{tmp_path}/own/store.db"
    with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as opened:
        yield opened


@pytest.fixture
def site(rooms: Rooms, tmp_path: Path) -> Iterator[Site]:
    with site_on(rooms, folder=tmp_path) as opened:
        yield opened


def address_of(row: Row) -> str:
    return re.sub(r"\{[a-z_]+\}", "12", row.path)


def asked(site: Site, row: Row, headers: Mapping[str, str]) -> Answer:
    return site.ask(row.method, address_of(row), headers=headers)


def refused(answer: Answer, status: int, code: str) -> bool:
    assert (answer.status, answer.code) == (status, code), answer.body
    return True


class TestTable:
    def test_has_each_address_and_method_once(self) -> None:
        every = (*ROWS, *PAGES)
        assert len({(row.method, row.path) for row in every}) == len(every)
        assert {row.method for row in PAGES} == {"GET", "POST"}
        assert {row.method for row in ROWS} <= {"GET", "POST", "PUT"}

    def test_lets_anybody_in_where_nothing_is_told(self) -> None:
        assert {(row.method, row.path) for row in EVERY if row.role is None} == PUBLIC

    def test_lets_nobody_change_anything_as_a_viewer(self) -> None:
        assert not [row for row in ROWS if row.method != "GET" and row.role is Role.VIEWER]
        assert not [row for row in ROWS if row.method != "GET" and row.role is None]

    @pytest.mark.parametrize("row", [*ROWS, *PAGES], ids=lambda row: f"{row.method} {row.path}")
    def test_finds_each_row_by_its_address(self, row: Row) -> None:
        assert find(row.method, address_of(row)) == row

    @pytest.mark.parametrize(
        "path",
        UNKNOWN,
    )
    def test_knows_no_other(self, path: str) -> None:
        assert find("GET", path) is None

    def test_tells_what_an_address_takes(self) -> None:
        assert find("POST", STATUS) == WrongMethod(("GET",))
        assert find("PATCH", "/api/v1/settings/schedule") == WrongMethod(("GET", "PUT"))
        assert find("PUT", "/api/v1/settings/mapping/refresh") == WrongMethod(("POST",))


class TestKeys:
    def test_open_each_route_to_their_role_and_above(self, site: Site) -> None:
        holders = {role: site.key(role) for role in Role}
        expected, found = {}, {}
        for row in EVERY:
            for role, headers in holders.items():
                passes = row.role is None or role.covers(row.role)
                name = (row.method, row.path, role)
                expected[name] = (200, "ok") if passes else (403, "forbidden")
                answer = asked(site, row, headers)
                found[name] = (answer.status, answer.code)

        assert found == expected
        passed = [name for name, (status, _) in expected.items() if status == 200]
        assert len(site.inner.calls) == len(passed)

    def test_refuse_every_route_without_one(self, site: Site) -> None:
        site.key(Role.VIEWER)

        for row in EVERY:
            answer = asked(site, row, {})
            if row.role is None:
                assert answer.status == 200, row
                assert answer.told["name"] == "nobody"
                assert answer.told["role"] == "viewer"
            else:
                assert refused(answer, 401, "unauthorized")
                assert answer.headers["www-authenticate"] == "Bearer"
        assert len(site.inner.calls) == len(PUBLIC)

    def test_that_are_wrong_open_nothing_in_either_mode(
        self, site: Site, clock: JumpingClock
    ) -> None:
        for _ in range(2):
            for row in EVERY:
                clock.boot_ms += TRY_MS
                assert refused(asked(site, row, BAD), 401, "unauthorized")
            site.key(Role.ADMIN)
        assert site.inner.calls == []

    @pytest.mark.parametrize(
        "given",
        [
            "{key}",
            "Basic {key}",
            "Bearer",
            "Bearer ",
            "Bearer {key} x",
            "Bearer {key},Bearer {key}",
            "Bearer\t{key}",
            "Token {key}",
            "Bearer \xe9{key}",
        ],
    )
    def test_come_in_one_form(self, site: Site, given: str) -> None:
        _, text = site.access.create("desk", role=Role.ADMIN, by=UWASE)

        answer = site.ask("GET", STATUS, headers={"Authorization": given.format(key=text)})

        assert refused(answer, 401, "unauthorized")

    def test_come_with_the_scheme_in_any_case(self, site: Site) -> None:
        _, text = site.access.create("desk", role=Role.ADMIN, by=UWASE)

        for scheme in ("bearer", "BEARER", "Bearer "):
            answer = site.ask("GET", STATUS, headers={"Authorization": f"{scheme} {text}"})
            assert answer.status == 200

    def test_count_nowhere_but_in_their_header(self, site: Site) -> None:
        _, text = site.access.create("desk", role=Role.ADMIN, by=UWASE)

        for path, headers in (
            (f"{STATUS}?key={text}&access_token={text}&authorization=Bearer%20{text}", {}),
            (STATUS, {"Cookie": f"key={text}; Authorization=Bearer {text}"}),
            (STATUS, {"X-Api-Key": text, "Proxy-Authorization": f"Bearer {text}"}),
        ):
            assert refused(site.ask("GET", path, headers=headers), 401, "unauthorized")
        assert text not in str(site.lines())

    def test_sent_twice_are_none(self, site: Site) -> None:
        _, text = site.access.create("desk", role=Role.ADMIN, by=UWASE)
        line = f"Authorization: Bearer {text}\r\n"

        head = f"GET {STATUS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{line}{line}\r\n"

        assert site.say(head.encode()).startswith(b"HTTP/1.1 401 ")

    def test_are_tried_ten_times_a_minute(self, site: Site, clock: JumpingClock) -> None:
        good = site.key(Role.VIEWER)
        for _ in range(10):
            assert refused(site.ask("GET", STATUS, headers=BAD), 401, "unauthorized")

        answer = site.ask("GET", STATUS, headers=BAD)

        assert refused(answer, 429, "rate_limited")
        assert int(answer.headers["retry-after"]) in range(1, 62)
        assert site.ask("GET", STATUS, headers=good).status == 200
        clock.boot_ms += 61_000
        assert refused(site.ask("GET", STATUS, headers=BAD), 401, "unauthorized")

    def test_behind_a_proxy_are_counted_for_its_client(self, site: Site) -> None:
        site.key(Role.VIEWER)
        for _ in range(10):
            site.ask("GET", STATUS, headers={**BAD, "X-Forwarded-For": "10.0.0.1, 10.0.0.8"})

        first = site.ask("GET", STATUS, headers={**BAD, "X-Forwarded-For": "10.0.0.2, 10.0.0.8"})
        other = site.ask("GET", STATUS, headers={**BAD, "X-Forwarded-For": "10.0.0.8, 10.0.0.9"})

        assert refused(first, 429, "rate_limited")
        assert refused(other, 401, "unauthorized")

    def test_end_when_revoked(self, site: Site) -> None:
        site.key(Role.VIEWER)
        key, text = site.access.create("old", role=Role.ADMIN, by=UWASE)
        assert site.ask("POST", BATCH, headers=bearer(text)).status == 200

        site.access.revoke(key.id, by=UWASE)

        assert refused(site.ask("POST", BATCH, headers=bearer(text)), 401, "unauthorized")

    def test_name_the_visitor(self, site: Site) -> None:
        told = site.ask("GET", STATUS, headers=site.key(Role.OFFICER)).told

        assert (told["name"], told["role"]) == ("officer-key", "officer")
        assert told["key_id"] == site.access.all()[0].id
        assert (told["peer"], told["once"]) == ("127.0.0.1", None)


class TestOpenMode:
    def test_lets_this_machines_user_do_everything(self, site: Site) -> None:
        for row in ROWS:
            told = asked(site, row, {}).told
            assert told["name"] == ("nobody" if row.role is None else "local")
            assert told["role"] == ("viewer" if row.role is None else "admin")
            assert told["key_id"] is None

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1:5000", "[::1]:5000"])
    def test_takes_every_name_of_this_machine(self, site: Site, host: str) -> None:
        assert site.ask("GET", STATUS, host=host).status == 200

    def test_works_over_both_kinds_of_address(self, rooms: Rooms, tmp_path: Path) -> None:
        with site_on(rooms, folder=tmp_path, host="::1") as site:
            assert site.ask("POST", BATCH, address="::1").told["peer"] == "::1"

    @pytest.mark.parametrize("headers", FORWARDED, ids=lambda headers: next(iter(headers)))
    def test_ends_behind_a_proxy(self, site: Site, headers: dict[str, str]) -> None:
        assert refused(site.ask("GET", STATUS, headers=headers), 401, "unauthorized")

    def test_ends_under_another_name(self, site: Site) -> None:
        assert refused(site.ask("GET", STATUS, host="fees.example"), 401, "unauthorized")

    def test_ends_where_others_can_reach_us(self, rooms: Rooms, tmp_path: Path) -> None:
        with site_on(rooms, folder=tmp_path, loopback_bound=False) as site:
            assert refused(site.ask("GET", STATUS), 401, "unauthorized")

    def test_ends_with_the_first_key(self, site: Site) -> None:
        assert site.ask("GET", STATUS).status == 200
        site.key(Role.VIEWER)
        assert refused(site.ask("GET", STATUS), 401, "unauthorized")


class TestHost:
    def test_that_is_not_ours_is_refused_on_every_route(self, site: Site) -> None:
        for row in ROWS:
            answer = site.ask(row.method, address_of(row), host="evil.example")
            assert refused(answer, 400, "host_refused")
        assert site.inner.calls == []

    @pytest.mark.parametrize(
        "host",
        STRANGE_HOSTS,
    )
    def test_is_one_of_ours(self, site: Site, host: str) -> None:
        assert refused(site.ask("GET", STATUS, host=host), 400, "host_refused")
        assert site.inner.calls == []

    def test_is_needed_once(self, site: Site) -> None:
        for hosts in (b"", b"Host: localhost\r\nHost: localhost\r\n"):
            head = b"GET " + STATUS.encode() + b" HTTP/1.1\r\n" + hosts + b"\r\n"
            assert site.say(head).startswith(b"HTTP/1.1 400 ")
        old = b"GET " + STATUS.encode() + b" HTTP/1.0\r\n\r\n"
        assert b"host_refused" in site.say(old)
        assert site.inner.calls == []
