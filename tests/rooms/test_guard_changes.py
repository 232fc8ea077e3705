"""What a change must look like: from our own site, JSON, allowed; and what every answer carries."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.api.table import PAGES, ROWS
from application.services.roles import Role
from tests.rooms.guard_support import BATCH, JSON, STATUS, SYNC, Site, site_on, until
from tests.rooms.store_support import Rooms, rooms_on
from tests.rooms.test_guard import address_of, refused

SCHEDULE = "/api/v1/settings/schedule"
FOREIGN = (
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://localhost"},
    {"Origin": "http://localhost:1"},
    {"Origin": "http://127.0.0.1:{port}"},
    {"Origin": "http://localhost:{port}/"},
    {"Origin": "http://localhost:{port}.evil.example"},
    {"Origin": "ftp://localhost:{port}"},
    {"Origin": "HTTP://LOCALHOST:{port}"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "Same-Origin"},
    {"Origin": "http://localhost:{port}", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
)
OWN: tuple[dict[str, str], ...] = (
    {},
    {"Origin": "http://localhost:{port}"},
    {"Origin": "https://localhost:{port}"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost:{port}", "Sec-Fetch-Site": "same-origin"},
)
WELL_KEPT = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-type": "application/json; charset=utf-8",
}


def filled(headers: dict[str, str], *, port: int) -> dict[str, str]:
    return {name: value.replace("{port}", str(port)) for name, value in headers.items()}


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with rooms_on(f"sqlite:///{tmp_path}/own/store.db", locks=tmp_path / "locks") as opened:
        yield opened


@pytest.fixture
def site(rooms: Rooms, tmp_path: Path) -> Iterator[Site]:
    with site_on(rooms, folder=tmp_path) as opened:
        yield opened


class TestSite:
    @pytest.mark.parametrize("headers", FOREIGN, ids=str)
    def test_that_is_foreign_changes_nothing(self, site: Site, headers: dict[str, str]) -> None:
        own = filled(headers, port=site.port)

        for method, path in (("POST", BATCH), ("PUT", SCHEDULE)):
            assert refused(site.ask(method, path, headers=own, body=b"{}"), 403, "cross_site")
        assert site.inner.calls == []

    @pytest.mark.parametrize("headers", FOREIGN[:2], ids=str)
    def test_that_is_foreign_changes_nothing_with_a_key(
        self, site: Site, headers: dict[str, str]
    ) -> None:
        with_key = site.key(Role.ADMIN) | headers

        assert refused(site.ask("POST", BATCH, headers=with_key, body=b"{}"), 403, "cross_site")

    @pytest.mark.parametrize("headers", OWN, ids=str)
    def test_of_ours_may_change(self, site: Site, headers: dict[str, str]) -> None:
        answer = site.ask("POST", BATCH, headers=filled(headers, port=site.port), body=b"{}")

        assert answer.status == 200

    def test_that_is_foreign_is_refused_on_every_change(self, site: Site) -> None:
        for row in (*ROWS, *PAGES):
            if row.method != "GET":
                answer = site.ask(row.method, address_of(row), headers=FOREIGN[0])
                assert refused(answer, 403, "cross_site")
        assert site.inner.calls == []

    def test_said_twice_is_foreign_where_one_is(self, site: Site) -> None:
        own = f"Origin: http://localhost:{site.port}\r\n"
        for lines in (own + "Origin: http://evil.example\r\n", "Origin: null\r\n" + own):
            head = f"POST {BATCH} HTTP/1.1\r\nHost: localhost:{site.port}\r\n{lines}\r\n"
            assert b"cross_site" in site.say(head.encode())
        assert site.inner.calls == []


class TestReadOnly:
    def test_refuses_every_change_and_answers_questions(self, rooms: Rooms, tmp_path: Path) -> None:
        with site_on(rooms, folder=tmp_path, read_only=True) as site:
            for row in ROWS:
                answer = site.ask(row.method, address_of(row))
                if row.changes:
                    assert refused(answer, 403, "read_only")
                else:
                    assert answer.status == 200
            assert site.inner.changes == []


class TestMethod:
    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "DELETE", "PATCH", "PUT", "XX"])
    def test_that_is_not_listed_is_refused_with_those_that_are(
        self, site: Site, method: str
    ) -> None:
        answer = site.ask(method, STATUS)

        assert answer.status == 405
        assert answer.headers["allow"] == "GET"
        assert method == "HEAD" or answer.code == "method_not_allowed"
        assert site.inner.calls == []

    @pytest.mark.parametrize(
        "path", ["/docs", "/redoc", "/api/v1/sync", "/api/v1/sync/adopt", "/favicon.ico"]
    )
    def test_of_an_unknown_address_is_not_found(self, site: Site, path: str) -> None:
        assert refused(site.ask("GET", path), 404, "not_found")

    def test_of_an_address_with_a_hidden_slash_needs_the_role_of_what_it_means(
        self, site: Site
    ) -> None:
        viewer = site.key(Role.VIEWER)

        answer = site.ask("POST", f"{SYNC}/invoices%2F12%2Fhold", headers=viewer)

        assert refused(answer, 403, "forbidden")


class TestBody:
    @pytest.mark.parametrize(
        "kind",
        [
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            'application/json;charset="UTF-8"',
        ],
    )
    def test_is_handed_on_as_it_came(self, site: Site, kind: str) -> None:
        body = '{"reason": "Reçu \\u00e9 naïve", "n": [1, 2.5, null, true]}'.encode()

        assert site.ask("POST", BATCH, body=body, kind=kind).status == 200
        assert site.inner.calls == [("POST", BATCH, body)]

    @pytest.mark.parametrize(
        "kind",
        [
            None,
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonx",
            "application/json; charset=latin-1",
            "text/json",
            "application/json, text/plain",
            "text/plain; application/json",
        ],
    )
    def test_that_is_not_declared_as_json_is_refused(self, site: Site, kind: str | None) -> None:
        answer = site.ask("POST", BATCH, body=b"{}", kind=kind)

        assert refused(answer, 415, "unsupported_media_type")
        assert site.inner.calls == []

    @pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
    def test_that_is_empty_needs_no_kind(self, site: Site, kind: str | None) -> None:
        assert site.ask("POST", BATCH, body=b"", kind=kind).status == 200
        assert site.ask("POST", BATCH).status == 200

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"{'a': 1}",
            b'{"a": 1,}',
            b'{"a": 1} {}',
            b"\xef\xbb\xbf{}",
            b'{"a": "\xff"}',
            b'{"a": "\xed\xa0\x80"}',
            b'{"a": "\\ud800"}',
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"a": 1e999}',
            b'{"a": 1, "a": 2}',
            b'{"a": 1, "\\u0061": 2}',
            b'[{"b": {"a": 1, "a": 1}}]',
            b'{"a": ' + b"9" * 5_000 + b"}",
            b'{"a": "\n"}',
            b"[" * 33 + b"]" * 33,
            b'{"a":' * 33 + b"1" + b"}" * 33,
            b"[" * 60_000,
            b" ",
            "{}".encode("utf-16"),
        ],
        ids=lambda body: repr(body[:12]),
    )
    def test_that_is_no_json_of_ours_is_refused(self, site: Site, body: bytes) -> None:
        assert refused(site.ask("POST", BATCH, body=body), 400, "bad_request")
        assert site.inner.calls == []

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 32 + b"]" * 32,
            b'{"a": "[[[[{{{{' + b"[" * 40 + b'"}',
            b'{"a": "\\"[[[\\\\"}',
            json.dumps({"a": "x" * 65_500}).encode(),
            b'{"a": "\\ud83d\\ude00"}',
            b"null",
        ],
        ids=lambda body: repr(body[:12]),
    )
    def test_up_to_the_bounds_passes(self, site: Site, body: bytes) -> None:
        assert site.ask("POST", BATCH, body=body).status == 200

    @pytest.mark.parametrize("size", [65_537, 200_000, 3_000_000])
    def test_above_64_kb_is_refused_and_the_answer_arrives(self, site: Site, size: int) -> None:
        answer = site.ask("POST", BATCH, body=b'{"a": "' + b"x" * (size - 9) + b'"}')

        assert refused(answer, 413, "too_large")
        assert site.inner.calls == []

    def test_of_64_kb_passes(self, site: Site) -> None:
        body = b'{"a": "' + b"x" * (65_536 - 9) + b'"}'
        assert len(body) == 65_536
        assert site.ask("POST", BATCH, body=body).status == 200

    def test_on_a_question_is_refused(self, site: Site) -> None:
        assert refused(site.ask("GET", STATUS, body=b"{}"), 400, "bad_request")


class TestAnswer:
    def test_is_kept_nowhere_and_named(self, site: Site) -> None:
        answers = [
            site.ask("GET", STATUS),
            site.ask("GET", "/nowhere"),
            site.ask("POST", STATUS),
            site.ask("GET", STATUS, host="evil.example"),
            site.ask("POST", BATCH, headers=FOREIGN[0]),
            site.ask("POST", BATCH, body=b"x" * 70_000),
            site.ask("POST", BATCH, body=b"{}", kind="text/plain"),
        ]
        site.key(Role.VIEWER)
        answers.append(site.ask("GET", STATUS))

        assert [one.status for one in answers] == [200, 404, 405, 400, 403, 413, 415, 401]
        for answer in answers:
            assert WELL_KEPT.items() <= answer.headers.items()
            assert len(answer.headers["x-request-id"]) == 26
            assert not [name for name in answer.headers if name.startswith("access-control")]
            assert "server" not in answer.headers

    def test_of_a_live_view_says_what_it_is(self, site: Site) -> None:
        site.inner.free.set()

        answer = site.ask("GET", f"{SYNC}/runs/1/events")

        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store"

    def test_keeps_the_number_of_a_request(self, site: Site) -> None:
        for number in ("a", "Run-7.b_c", "x" * 64):
            answer = site.ask("GET", STATUS, headers={"X-Request-Id": number})
            assert answer.headers["x-request-id"] == number
            assert answer.told["request_id"] == number

    @pytest.mark.parametrize("number", ["", "x" * 65, "a b", "a\tb", "<b>", "é", "a,b", "a/b"])
    def test_replaces_a_number_that_is_none(self, site: Site, number: str) -> None:
        answer = site.ask("GET", "/nowhere", headers={"X-Request-Id": number})

        assert answer.headers["x-request-id"] != number
        assert answer.told["meta"]["request_id"] == answer.headers["x-request-id"]

    def test_is_a_problem_for_who_asks_for_one(self, site: Site) -> None:
        answer = site.ask("GET", "/nowhere", headers={"Accept": "application/problem+json"})

        assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
        assert (answer.told["status"], answer.told["instance"]) == (404, "/nowhere")

    def test_tells_nothing_of_what_was_asked(self, site: Site) -> None:
        site.key(Role.VIEWER)
        secret = "fb_1_" + "S" * 43

        for answer in (
            site.ask("GET", STATUS, headers={"Authorization": f"Bearer {secret}"}),
            site.ask("POST", BATCH, body=secret.encode(), headers=site.key(Role.ADMIN)),
        ):
            assert answer.status in {400, 401}
            assert secret not in answer.body.decode()
            assert secret not in str(answer.headers)

    def test_leaves_one_line_in_the_log(self, site: Site) -> None:
        headers = site.key(Role.VIEWER) | {"X-Request-Id": "one"}
        for method, path in (
            ("GET", f"{SYNC}/invoices/12345?q=Uwase"),
            ("GET", "/Uwase/123"),
            ("POST", BATCH),
        ):
            before = len(site.lines())
            site.ask(method, path, headers=headers)
            until(lambda before=before: len(site.lines()) > before)  # written after the answer

        lines = site.lines()
        assert [one["event"] for one in lines] == ["request.answered"] * 3
        assert [one["http_status"] for one in lines] == [200, 404, 403]
        assert lines[0]["route"] == f"{SYNC}/invoices/{{invoice_id}}"
        assert (lines[0]["key_id"], lines[0]["peer"]) == (site.access.all()[0].id, "loopback")
        assert lines[1]["route"] == "other"
        assert "Uwase" not in str(lines)
        assert JSON not in str(lines)
