"""Who may pass the server's door, how it refuses, and what every answer carries."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from application.catalogue import CAUSES
from tests.walks.desk import command, raw, until
from tests.walks.server import SYNC, Answer, Server, serving
from tests.walks.support import Installation
from tests.walks.university import University, university

BOOKS = "/api/v1/quickbooks"
REFUSAL = {
    *("success", "data", "message", "error", "error_code", "remedy", "retryable", "details"),
    "meta",
}
PROBLEM = (REFUSAL - {"success", "data"}) | {"type", "title", "status", "detail", "instance"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[University]:
    with university(tmp_path_factory.mktemp("doors"), size=60) as place:
        yield place


@pytest.fixture(scope="module")
def server(place: University) -> Iterator[Server]:
    with serving(place.environment()) as server:
        yield server


def refusal(answer: Answer, status: int, code: str) -> Any:  # noqa: ANN401 - any JSON document
    """Return what is told of a refusal, after looking at its envelope."""
    told = answer.json
    assert (answer.status, told["error_code"]) == (status, code), answer.text
    assert told.keys() == REFUSAL
    assert (told["success"], told["data"]) == (False, None)
    assert told["error"] == CAUSES[code].title
    assert told["message"]
    assert told["remedy"]
    assert told["meta"]["request_id"] == answer.headers["x-request-id"]
    assert plain(answer)
    return told


def plain(answer: Answer) -> bool:
    """Assert the headers every answer carries."""
    headers = answer.headers
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", headers["x-request-id"])
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert not [name for name in headers if name.startswith("access-control-")]
    return True


class TestARequestFromElsewhere:
    @pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.2", "x:5"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_under_another_host_name_reaches_nothing(
        self, place: University, server: Server, host: str, method: str
    ) -> None:
        before = len(place.simulator.log())
        path = "status" if method == "GET" else "batch"
        answer = server.ask(method, f"{SYNC}/{path}", headers={"Host": host})

        refusal(answer, 400, "host_refused")
        assert len(place.simulator.log()) == before
        assert 1 not in place.look().counts

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:1"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
        ids=lambda one: "-".join(one.values()),
    )
    def test_of_another_site_changes_nothing(
        self, place: University, server: Server, headers: Mapping[str, str]
    ) -> None:
        before = len(place.simulator.log())
        for path in ("batch", "all", "single/1", "reset-stuck"):
            refusal(server.post(f"{SYNC}/{path}", headers=headers), 403, "cross_site")

        assert len(place.simulator.log()) == before

    def test_of_its_own_site_passes(self, server: Server) -> None:
        own = {"Origin": f"http://127.0.0.1:{server.port}", "Sec-Fetch-Site": "same-origin"}

        answer = server.post(f"{SYNC}/batch", {"batch_size": 5, "dry_run": True}, headers=own)

        assert answer.status == 200

    @pytest.mark.parametrize(
        "header", ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Via"]
    )
    def test_through_a_proxy_is_asked_for_a_key(self, server: Server, header: str) -> None:
        answer = server.get(f"{SYNC}/status", headers={header: "203.0.113.7"})

        refusal(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        "request_head",
        [
            b"GET /health/ HTTP/1.1\r\nConnection: close\r\n\r\n",
            b"GET /health/ HTTP/1.1\r\nHost: a\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            b"GET /health/ HTTP/1.0\r\n\r\n",
        ],
        ids=["no host", "two hosts", "old"],
    )
    def test_without_one_host_name_is_refused(self, server: Server, request_head: bytes) -> None:
        assert b" 400 " in raw(server, request_head).split(b"\r\n")[0]


class TestEveryAnswer:
    @pytest.mark.parametrize(
        "path",
        [
            f"{SYNC}/status",
            f"{SYNC}/analyze",
            f"{SYNC}/runs",
            f"{BOOKS}/connection",
            "/health/",
            "/health/detailed",
            "/metrics",
            "/openapi.json",
            "/help/api",
            "/help/errors",
            "/nothing",
        ],
    )
    def test_carries_the_plain_headers(self, server: Server, path: str) -> None:
        assert plain(server.get(path))

    def test_in_json_says_so(self, server: Server) -> None:
        for path in ("status", "nothing"):
            kind = server.get(f"{SYNC}/{path}").headers["content-type"]
            assert kind == "application/json; charset=utf-8"

    def test_bears_the_caller_s_own_number_where_it_is_a_good_one(self, server: Server) -> None:
        kept = server.get(f"{SYNC}/status", headers={"X-Request-Id": "night-7.1"})
        other = server.get(f"{SYNC}/status", headers={"X-Request-Id": "a b\tc" * 40})

        assert kept.headers["x-request-id"] == kept.json["meta"]["request_id"] == "night-7.1"
        assert other.headers["x-request-id"] == other.json["meta"]["request_id"]
        assert re.fullmatch(r"[0-9A-Z]{26}", other.headers["x-request-id"])


class TestARefusal:
    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", f"{SYNC}/nothing", 404, "not_found"),
            ("GET", f"{SYNC}/runs/99999999", 404, "not_found"),
            ("GET", f"{SYNC}/errors/no_such", 404, "not_found"),
            ("GET", f"{SYNC}/batch", 405, "method_not_allowed"),
            ("DELETE", f"{SYNC}/runs/1", 405, "method_not_allowed"),
            ("GET", f"{SYNC}/preview?limit=abc", 400, "bad_request"),
            ("GET", f"{SYNC}/preview?limit=500", 422, "validation_failed"),
        ],
    )
    def test_comes_in_one_envelope_or_as_a_problem(
        self, server: Server, method: str, path: str, status: int, code: str
    ) -> None:
        refusal(server.ask(method, path), status, code)
        problem = server.ask(method, path, headers={"Accept": "application/problem+json"})

        told = problem.json
        assert problem.headers["content-type"].startswith("application/problem+json")
        assert told.keys() == PROBLEM
        assert (problem.status, told["status"], told["error_code"]) == (status, status, code)
        assert told["type"] == f"/help/errors#{code}"
        assert told["title"] == told["error"] == CAUSES[code].title
        assert told["instance"] == path.partition("?")[0]

    def test_of_a_value_names_the_field(self, server: Server) -> None:
        told = refusal(server.get(f"{SYNC}/preview?limit=500"), 422, "validation_failed")

        (field,) = told["details"]["fields"]
        assert (field["field"], field["got"]) == ("limit", "500")
        assert field["problem"].startswith("must be ")

    def test_of_a_method_names_the_right_ones(self, server: Server) -> None:
        assert server.get(f"{SYNC}/batch").headers["allow"] == "POST"

    @pytest.mark.parametrize(
        ("body", "kind", "status", "code"),
        [
            (b"{}", "text/plain", 415, "unsupported_media_type"),
            (b"{", "application/json", 400, "bad_request"),
            (b'{"batch_size": 1, "batch_size": 2}', "application/json", 400, "bad_request"),
            (b"[" * 40 + b"]" * 40, "application/json", 400, "bad_request"),
            (b"[]", "application/json", 400, "bad_request"),
            (b" " * 70_000, "application/json", 413, "too_large"),
        ],
        ids=["no JSON said", "half", "twice", "deep", "a list", "large"],
    )
    def test_of_a_body_says_why(
        self, server: Server, body: bytes, kind: str, status: int, code: str
    ) -> None:
        head = (
            f"POST {SYNC}/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        came = raw(server, head.encode() + body)
        told = json.loads(came.partition(b"\r\n\r\n")[2])

        assert came.split(b"\r\n")[0].split()[1] == str(status).encode()
        assert told["error_code"] == code


@pytest.fixture(scope="module")
def closed(
    waiting: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, Server, dict[str, dict[str, str]]]]:
    """Return an installation with a key of each role, its server, and the keys as headers."""
    own = waiting.copied_to(tmp_path_factory.mktemp("closed"))
    keys = {role: key_made(own, role, name=f"{role}-1") for role in ("viewer", "officer", "admin")}
    with serving(own.environment(), "--host", "0.0.0.0") as server:  # noqa: S104 - with keys it may
        yield own, server, keys


def key_made(own: Installation, role: str, *, name: str) -> dict[str, str]:
    file = own.folder / f"{name}.key"
    done = own.run("keys", "create", name, "--role", role, "--file", str(file))
    assert done.code == 0, done.err
    return {"Authorization": f"Bearer {file.read_text(encoding='ascii').strip()}"}


Closed = tuple[Installation, Server, dict[str, dict[str, str]]]


class TestWithKeys:
    def test_nobody_passes_without_one(self, closed: Closed) -> None:
        _, server, _ = closed
        for headers in (
            {},
            {"Authorization": "Bearer fb_1_wrong"},
            {"Authorization": "Basic YTpi"},
            {"Authorization": ""},
        ):
            answer = server.get(f"{SYNC}/status", headers=headers)
            refusal(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert server.get("/health/").json == {"status": "ok"}

    @pytest.mark.parametrize(
        ("role", "method", "path", "status"),
        [
            ("viewer", "GET", f"{SYNC}/status", 200),
            ("viewer", "GET", f"{SYNC}/audit", 200),
            ("viewer", "POST", f"{SYNC}/batch", 403),
            ("viewer", "POST", f"{SYNC}/single/12345", 403),
            ("viewer", "POST", f"{BOOKS}/test", 403),
            ("officer", "GET", f"{SYNC}/status", 200),
            ("officer", "POST", f"{SYNC}/batch", 200),
            ("officer", "POST", f"{BOOKS}/connect", 403),
            ("officer", "POST", f"{BOOKS}/disconnect", 403),
            ("officer", "PUT", "/api/v1/settings/schedule", 403),
            ("admin", "POST", f"{BOOKS}/connect", 200),
        ],
    )
    def test_a_role_reaches_so_far(
        self, closed: Closed, role: str, method: str, path: str, status: int
    ) -> None:
        _, server, keys = closed
        trial = {"dry_run": True} if path.endswith("/batch") else None
        answer = server.ask(method, path, body=trial, headers=keys[role])

        assert answer.status == status, answer.text
        if status != 200:
            refusal(answer, status, "forbidden")

    def test_a_viewer_sees_no_addresses(self, closed: Closed) -> None:
        _, server, keys = closed
        both = [
            server.get(f"{SYNC}/preview?limit=20", headers=keys[role]).data["invoices"]
            for role in ("viewer", "officer")
        ]
        emails = [
            {one["student_details"]["email"] for one in shown if one["student_details"]}
            for shown in both
        ]

        assert not {one for one in emails[0] if one and "*" not in one}
        assert {one for one in emails[1] if one and "@" in one}

    def test_one_that_was_revoked_opens_nothing_after_a_second(self, closed: Closed) -> None:
        own, server, _ = closed
        key = key_made(own, "viewer", name="short-lived")
        number = re.findall(r"fb_(\d+)_", key["Authorization"])[0]
        assert server.get(f"{SYNC}/status", headers=key).status == 200

        assert own.run("keys", "revoke", number).code == 0

        until(lambda: server.get(f"{SYNC}/status", headers=key).status == 401, patience_s=2)
        refusal(server.get(f"{SYNC}/status", headers=key), 401, "unauthorized")

    def test_the_audit_log_names_the_key(self, closed: Closed) -> None:
        _, server, keys = closed
        held = server.post(
            f"{SYNC}/invoices/12345/hold", {"reason": "letter"}, headers=keys["officer"]
        )
        entries = server.get(f"{SYNC}/audit?invoice_id=12345", headers=keys["viewer"]).data
        server.post(f"{SYNC}/invoices/12345/release", headers=keys["officer"])

        assert held.status == 200, held.text
        newest = entries["entries"][0]
        assert (newest["actor"], newest["source"]) == ("officer-1", "api")
        assert newest["address"] == "127.0.0.1"

    def test_no_key_is_in_a_log(self, closed: Closed) -> None:
        own, server, keys = closed
        server.get(f"{SYNC}/status", headers=keys["admin"])
        secrets = [one["Authorization"].removeprefix("Bearer ") for one in keys.values()]
        logs = "".join(one.read_text(encoding="utf-8") for one in own.folder.rglob("*.log"))

        assert "request.answered" in logs
        assert not [one for one in secrets if one in logs]


class TestReadOnly:
    def test_it_answers_questions_and_changes_nothing(self, place: University) -> None:
        with serving(place.environment(), "--read-only") as reader:
            for path in ("status", "analyze", "preview", "runs", "errors"):
                assert reader.get(f"{SYNC}/{path}").status == 200
            for method, path in (
                ("POST", f"{SYNC}/all"),
                ("POST", f"{SYNC}/single/1"),
                ("POST", f"{BOOKS}/connect"),
                ("PUT", "/api/v1/settings/schedule"),
            ):
                refusal(reader.ask(method, path), 403, "read_only")

    def test_it_may_stand_beside_one_that_is_not(self, place: University, server: Server) -> None:
        with serving(place.environment(), "--read-only") as reader:
            assert reader.get(f"{SYNC}/status").status == 200
        assert server.get(f"{SYNC}/status").status == 200


class TestTheStart:
    def test_for_others_without_a_key_names_the_command_that_makes_one(
        self, waiting: Installation
    ) -> None:
        done = waiting.run("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it is refused

        assert done.code == 9
        assert "feebridge keys create NAME --role admin --file FILE" in done.err
        assert "Traceback" not in done.err

    def test_on_a_port_in_use_says_so(self, place: University) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            done = command(place, "serve", "--port", str(port))

        assert done.code == 9
        assert f"127.0.0.1 port {port} cannot be used" in done.err
        assert "--port" in done.err
        assert "Traceback" not in done.err

    @pytest.mark.covers("H4")
    def test_of_a_second_server_is_refused(self, place: University, server: Server) -> None:
        done = command(place, "serve", "--port", "0")

        assert done.code == 2
        assert "another `feebridge serve`" in done.err
        assert "Traceback" not in done.err
        assert server.get(f"{SYNC}/status").status == 200

    def test_answers_on_both_loopback_addresses(self, server: Server) -> None:
        with socket.socket(socket.AF_INET6) as link:
            try:
                link.connect(("::1", server.port))
            except OSError:
                return  # a machine without IPv6 is served on the other address
            link.sendall(b"GET /health/ HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n")
            assert b" 200 " in link.recv(65_536).split(b"\r\n")[0]


class TestAnInstallationOfItsOwn:
    def test_is_closed_by_its_first_key_at_once(self, own: Installation, tmp_path: Path) -> None:
        with serving(own.environment()) as server:
            assert server.get(f"{SYNC}/status").status == 200
            made = own.run(
                "keys", "create", "desk", "--role", "admin", "--file", str(tmp_path / "desk.key")
            )

            assert made.code == 0
            until(lambda: server.get(f"{SYNC}/status").status == 401, patience_s=2)
