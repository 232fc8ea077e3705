"""Connections under a real server: heads that never come, what is no HTTP, and too many of them."""

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from application.api.heads import heads_of
from tests.rooms.guard_support import (
    BATCH,
    STATUS,
    STEP_S,
    Site,
    all_of,
    server_of,
    serving,
    site_on,
    until,
)
from tests.rooms.store_support import rooms_on

QUESTION = f"GET {STATUS} HTTP/1.1\r\nHost: localhost\r\n".encode()
CHANGE = f"POST {BATCH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
END = b"Connection: close\r\n\r\n"
PAUSE_S = 0.2


@contextmanager
def heads_on(site: Site, *, head_s: int = 1, connections_max: int = 50) -> Iterator[Site]:
    """Serve what stands behind a site once more, on connections that have an end."""
    http = heads_of(site.rules, head_s=head_s, connections_max=connections_max)
    server = server_of(site.inner, rules=site.rules, http=http)
    with serving(server, inner=site.inner) as port:
        yield Site(site.inner, site.access, site.logs, site.rules, port=port)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Site]:
    url = f"sqlite:///{tmp_path}/own/store.db"
    with (
        rooms_on(url, locks=tmp_path / "locks") as rooms,
        site_on(rooms, folder=tmp_path) as opened,
    ):
        yield opened


@pytest.fixture
def site(plain: Site) -> Iterator[Site]:
    with heads_on(plain) as opened:
        yield opened


def trickled(line: socket.socket, text: bytes) -> bytes:
    """Send one byte after another, for longer than a head may take, and return what comes back."""
    line.settimeout(PAUSE_S)
    for number in range(STEP_S * 5):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(text[number % len(text) :][:1])
        with contextlib.suppress(TimeoutError):
            try:
                return line.recv(65_536)
            except ConnectionResetError:
                return b""
    raise AssertionError


class TestHead:
    def test_that_never_begins_ends_the_connection(self, site: Site) -> None:
        with site.open() as line:
            assert all_of(line) == b""

    def test_that_comes_byte_by_byte_ends_it_too(self, site: Site) -> None:
        with site.open() as line:
            line.sendall(QUESTION + b"X-Long: ")
            assert trickled(line, b"abc") == b""
        assert site.inner.calls == []

    def test_of_a_later_request_has_no_more_time(self, site: Site) -> None:
        with site.open() as line:
            line.sendall(QUESTION + b"\r\n")
            assert line.recv(65_536).startswith(b"HTTP/1.1 200")
            line.sendall(QUESTION + b"X-Long: ")
            assert b"HTTP/1.1" not in trickled(line, b"abc")
        assert len(site.inner.calls) == 1

    def test_that_came_in_time_leaves_the_answer_all_of_its_own(self, site: Site) -> None:
        with site.open() as line:
            line.sendall(QUESTION.replace(b"status", b"status?hold") + END)
            until(lambda: site.inner.held == 1)
            with site.open() as idle:
                assert all_of(idle) == b""  # so a head's time is over
            site.inner.free.set()
            assert all_of(line).startswith(b"HTTP/1.1 200")

    def test_split_anywhere_is_one_request(self, site: Site) -> None:
        whole = QUESTION + END

        assert site.say(whole[:20], whole[20:21], whole[21:]).startswith(b"HTTP/1.1 200")


class TestRubbish:
    @pytest.mark.parametrize(
        "sent",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"HELLO\r\n\r\n",
            b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
            QUESTION + b"No colon\r\n\r\n",
            QUESTION + b" folded: x\r\nA\x00B: x\r\n\r\n",
            QUESTION + b"X: " + b"x" * 20_000 + b"\r\n\r\n",
            QUESTION + b"X: " + b"x" * 60_000,
            CHANGE + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            CHANGE + b"Content-Length: -2\r\n\r\n{}",
            CHANGE + b"Content-Length: 2, 3\r\n\r\n{}",
            CHANGE + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            QUESTION + b"Content-Length: 5\r\n\r\n",
            QUESTION + b"Transfer-Encoding: chunked\r\n\r\n",
            QUESTION.replace(b"status", b"status?" + b"x" * 17_000) + b"\r\n",
        ],
        ids=lambda sent: repr(sent[-40:]),
    )
    def test_is_refused_in_the_envelope(self, site: Site, sent: bytes) -> None:
        head, _, body = site.say(sent).partition(b"\r\n\r\n")

        lines = head.decode().lower().split("\r\n")
        told = json.loads(body)
        assert lines[0] == "http/1.1 400 bad request"
        assert told["error_code"] == "bad_request"
        assert f"x-request-id: {told['meta']['request_id']}".lower() in lines
        for plain in (
            "content-type: application/json; charset=utf-8",
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "connection: close",
        ):
            assert plain in lines
        assert not [line for line in lines if line.startswith("server:")]
        assert site.inner.calls == []

    def test_in_the_body_reaches_nobody(self, site: Site) -> None:
        answer = site.say(CHANGE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}")

        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.count(b"HTTP/1.1") == 1
        assert site.inner.calls == []

    def test_after_an_answer_does_not_stand_inside_it(self, site: Site) -> None:
        answer = site.say(QUESTION + b"\r\n" + b"HELLO\r\n\r\n")

        first, _, rest = answer.partition(b"HTTP/1.1 400")
        assert first.startswith(b"HTTP/1.1 200")
        assert b"bad_request" in rest

    def test_is_in_the_log_without_a_word_of_it(self, site: Site) -> None:
        told = json.loads(site.say(b"fb_1_secret\r\n\r\n").partition(b"\r\n\r\n")[2])

        [line] = [one for one in site.lines() if one["event"] == "request.answered"]
        assert (line["http_status"], line["request_id"]) == (400, told["meta"]["request_id"])
        assert "secret" not in json.dumps(site.lines())


class TestMany:
    def test_above_the_most_are_cut_and_the_others_stay(self, plain: Site) -> None:
        with heads_on(plain, head_s=STEP_S, connections_max=3) as site:
            with contextlib.ExitStack() as lines:
                held = [lines.enter_context(site.open()) for _ in range(3)]
                for line in held[1:]:
                    line.sendall(QUESTION)
                assert site.say(QUESTION + END) == b""

                held[0].sendall(QUESTION + END)
                assert all_of(held[0]).startswith(b"HTTP/1.1 200")

            until(lambda: site.say(QUESTION + END).startswith(b"HTTP/1.1 200"))
