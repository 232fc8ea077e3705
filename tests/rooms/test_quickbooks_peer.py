"""The client against a hostile peer: what is not a whole, recognised answer is unknown."""

import gzip
import json
import socket
import threading
from collections.abc import Callable
from functools import partial

import pytest

from application.catalogue import LeaseLost, NotConnected, WrongEnvironment
from application.invoices.model import Environment, Kind
from application.invoices.outcomes import Ok, Outcome, Passing, Refused, Unknown
from application.quickbooks.client import Bundle, Client, Sending, Single, Work
from application.quickbooks.throttle import Throttle
from application.quickbooks.transport import check_address
from application.world import Gate, World
from tests.core.test_wire_answers import sample
from tests.rooms.hostile_peer import (
    HostilePeer,
    Script,
    answer,
    drip,
    reset_after,
    say,
    say_in_turn,
    silence,
)

TOKEN = "canary-access-token"  # noqa: S105 - a canary
GOOD = sample("200_invoice.json").body
GOOD_ANSWER = answer(GOOD)
EXPIRED = answer(sample("401_3200.json").body, status="401 Unauthorized")
HTML = b"<html><title>404 Not Found</title></html>"


def sending(number: int = 1) -> Sending:
    return Sending(
        intent_id=number,
        kind=Kind.INVOICE,
        key=f"MIS-{number}",
        request_id=f"fb{number:032d}",
        payload=b'{"DocNumber":"MIS-1","Line":[{"Amount":100.00}]}',
    )


class Setting:
    """A client with everything it asks for, and what it asked."""

    def __init__(
        self,
        url: str,
        *,
        read_timeout_ms: int = 2_000,
        check_to_send_ms: int = 2_000,
        fresh_token: Callable[[str], str] | None = None,
    ) -> None:
        self.gates: list[Gate] = []
        self.sent: list[Work] = []
        self.failed: list[str] = []
        self.world = World(gate=self.gates.append)
        self.throttle = Throttle(world=self.world)
        self._fresh = fresh_token
        self.client = Client(
            world=self.world,
            base_url=url,
            company_id="9130347",
            access_token=lambda: TOKEN,
            fresh_token=self._refreshed,
            throttle=self.throttle,
            read_timeout_ms=read_timeout_ms,
            connect_timeout_ms=2_000,
            check_to_send_ms=check_to_send_ms,
            environment=Environment.SIMULATOR,
        )

    def _refreshed(self, failed: str) -> str:
        self.failed.append(failed)
        return self._fresh(failed) if self._fresh else "fresh-token"

    def outcome(self, work: Work | None = None) -> Outcome:
        answered = self.client.send(work or Single(sending()), about_to_send=self.sent.append)
        return answered.outcomes[0]


def outcome_of(script: Script, *, read_timeout_ms: int = 2_000) -> Outcome:
    with HostilePeer(script) as peer:
        setting = Setting(peer.url, read_timeout_ms=read_timeout_ms)
        try:
            return setting.outcome()
        finally:
            setting.client.close()


class TestAnswer:
    def test_that_is_whole_is_judged(self) -> None:
        assert isinstance(outcome_of(say(GOOD_ANSWER)), Ok)

    def test_in_pieces_and_packed_is_judged(self) -> None:
        packed = gzip.compress(GOOD)
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(packed[at : at + 7]), packed[at : at + 7])
            for at in range(0, len(packed), 7)
        )
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\n"
            b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nIntuit-Tid: 1-abc\r\n\r\n"
        )

        outcome = outcome_of(say(head + chunks + b"0\r\n\r\n"))

        assert isinstance(outcome, Ok)
        assert outcome.intuit_tid == "1-abc"

    @pytest.mark.covers("A4", "E3")
    @pytest.mark.parametrize("at", [0, 1, 9, 20, 60, len(GOOD_ANSWER) // 2, len(GOOD_ANSWER) - 1])
    def test_reset_at_any_byte_is_unknown(self, at: int) -> None:
        assert isinstance(outcome_of(reset_after(GOOD_ANSWER[:at])), Unknown)

    @pytest.mark.covers("E3")
    @pytest.mark.parametrize("at", [0, 1, 9, 20, 60, len(GOOD_ANSWER) // 2, len(GOOD_ANSWER) - 1])
    def test_ended_at_any_byte_is_unknown(self, at: int) -> None:
        assert isinstance(outcome_of(say(GOOD_ANSWER[:at])), Unknown)

    @pytest.mark.covers("E4", "E5")
    @pytest.mark.parametrize(
        "whole",
        [
            answer(GOOD, content_length=str(len(GOOD) + 10)),
            answer(GOOD, content_length=str(len(GOOD) - 10)),
            answer(GOOD, content_length="-1"),
            answer(GOOD, content_encoding="br"),
            answer(GOOD, content_encoding="gzip, gzip"),
            answer(GOOD, content_encoding="gzip"),
            answer(gzip.compress(GOOD)[:-9], content_encoding="gzip"),
            answer(HTML, kind="text/html"),
            answer(GOOD, kind="text/html"),
            answer(HTML, kind="text/html", status="404 Not Found"),
            answer(HTML, kind="text/html", status="502 Bad Gateway"),
            answer(b"stream timeout", kind="text/plain", status="504 Gateway Timeout"),
            answer(GOOD.replace(b"100.00", b"NaN")),
            answer(GOOD.replace(b'"Id":"266"', b'"Id":"266","Id":"267"')),
            answer(b""),
            b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000,
            b"220 mail.example.org ESMTP\r\n",
            b"\x16\x03\x01",
        ],
        ids=lambda whole: whole[:60].decode("latin-1"),
    )
    def test_that_is_wrong_is_unknown(self, whole: bytes) -> None:
        assert isinstance(outcome_of(say(whole)), Unknown)

    @pytest.mark.covers("E4")
    def test_that_unpacks_to_a_gigabyte_is_unknown_and_stays_small(self) -> None:
        bomb = gzip.compress(bytes(64 * 1024 * 1024))

        assert outcome_of(say(answer(bomb, content_encoding="gzip"))) == Unknown(why="size")

    @pytest.mark.covers("C9", "E3")
    def test_that_drips_ends_at_the_deadline(self) -> None:
        over = threading.Event()

        outcome = outcome_of(drip(GOOD_ANSWER, pause=over), read_timeout_ms=300)
        over.set()

        assert outcome == Unknown(why="time_out")

    @pytest.mark.covers("C9")
    def test_that_never_comes_ends_at_the_deadline(self) -> None:
        over = threading.Event()

        with HostilePeer(partial(silence, until=over)) as peer:
            setting = Setting(peer.url, read_timeout_ms=200)
            outcome = setting.outcome()
            over.set()
            setting.client.close()

        assert outcome == Unknown(why="time_out")

    def test_that_sends_us_elsewhere_is_unknown_and_takes_no_token_there(self) -> None:
        with HostilePeer(say(GOOD_ANSWER)) as thief:
            redirect = answer(b"", status="307 Temporary Redirect", location=thief.url + "/v3")
            outcome = outcome_of(say(redirect))

        assert outcome == Unknown(why="type") or isinstance(outcome, Unknown)
        assert thief.requests == []

    def test_of_another_connection_is_asked_for_once(self) -> None:
        with HostilePeer(reset_after(b"")) as peer:
            setting = Setting(peer.url)
            setting.outcome()
            setting.client.close()

        assert len(peer.requests) == 1


class TestRequest:
    def test_carries_request_id_and_version_and_the_frozen_bytes(self) -> None:
        with HostilePeer(say(GOOD_ANSWER)) as peer:
            setting = Setting(peer.url)
            setting.outcome()
            setting.client.close()

        (request,) = peer.requests
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(
            b"POST /v3/company/9130347/invoice?minorversion=75&requestid=fb"
            + b"0" * 31
            + b"1 HTTP/1.1\r\n"
        )
        assert b"authorization: bearer canary-access-token\r\n" in head.lower() + b"\r\n"
        assert body == sending().payload

    def test_passes_every_gate_in_order(self) -> None:
        with HostilePeer(say(GOOD_ANSWER)) as peer:
            setting = Setting(peer.url)
            setting.outcome()
            setting.client.close()

        assert setting.gates == [
            Gate.SEND_PERMIT,
            Gate.SEND_TOKEN,
            Gate.SEND_CONNECTED,
            Gate.SEND_HEADERS,
            Gate.SEND_BODY,
            Gate.ANSWER_HEAD,
            Gate.ANSWER_BODY,
            Gate.ANSWER_CLASSIFIED,
        ]

    def test_of_a_bundle_carries_its_own_id(self) -> None:
        bundle = Bundle.of([sending(1), sending(2)])

        with HostilePeer(say(answer(sample("200_bundle.json").body))) as peer:
            setting = Setting(peer.url)
            answered = setting.client.send(bundle, about_to_send=setting.sent.append)
            setting.client.close()

        assert [type(outcome) for outcome in answered.outcomes] == [Ok, Ok]
        assert answered.lane == "batch"
        assert f"/batch?minorversion=75&requestid={bundle.id} ".encode() in peer.requests[0]
        body = json.loads(peer.requests[0].partition(b"\r\n\r\n")[2])
        assert [item["bId"] for item in body["BatchItemRequest"]] == ["i00", "i01"]

    def test_quotes_a_query_once(self) -> None:
        with HostilePeer(say(answer(sample("200_no_rows.json").body))) as peer:
            setting = Setting(peer.url)
            setting.client.parties_named("O'N\\eil & 100%")
            setting.client.close()

        assert (
            b"DisplayName%20in%20%28%27O%5C%27N%5C%5Ceil%20%26%20100%25%27%29" in peer.requests[0]
        )
        assert [b"from%20" + kind in each for kind, each in zip(
            (b"Customer", b"Vendor", b"Employee"), peer.requests, strict=True
        )] == [True] * 3  # fmt: skip


class TestNothingSent:
    @pytest.mark.covers("A11")
    def test_when_the_attempt_cannot_be_written(self) -> None:
        def lost(_work: Work) -> None:
            raise LeaseLost(epoch=7)

        with HostilePeer(say(GOOD_ANSWER)) as peer:
            setting = Setting(peer.url)
            with pytest.raises(LeaseLost):
                setting.client.send(Single(sending()), about_to_send=lost)
            setting.client.close()

        assert (peer.connections, peer.requests) == (1, [])
        assert setting.throttle.in_flight == 0

    @pytest.mark.covers("A11")
    def test_when_writing_the_attempt_took_too_long(self) -> None:
        with HostilePeer(say(GOOD_ANSWER)) as peer:
            setting = Setting(peer.url, check_to_send_ms=20)
            answered = setting.client.send(
                Single(sending()), about_to_send=lambda _work: setting.world.clock.sleep_ms(60)
            )
            setting.client.close()

        assert answered.outcomes == (Refused("quickbooks_unavailable", Passing.NOT_SENT),)
        assert peer.requests == []

    def test_when_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        setting = Setting(f"http://127.0.0.1:{port}")

        outcome = setting.outcome()

        assert outcome == Refused("quickbooks_unavailable", Passing.NOT_SENT)
        assert setting.sent == []

    def test_when_the_certificate_is_not_there(self) -> None:
        with HostilePeer(say(b"not tls at all")) as peer:
            setting = Setting(peer.url.replace("http:", "https:"))
            outcome = setting.outcome()
            setting.client.close()

        assert outcome == Refused("quickbooks_unavailable", Passing.NOT_SENT)
        assert not any(TOKEN.encode() in request for request in peer.requests)

    @pytest.mark.parametrize(
        ("address", "environment"),
        [
            ("https://quickbooks.api.intuit.com", Environment.SANDBOX),
            ("https://sandbox-quickbooks.api.intuit.com", Environment.PRODUCTION),
            ("http://quickbooks.api.intuit.com", Environment.PRODUCTION),
            ("https://quickbooks.api.intuit.com", Environment.SIMULATOR),
            ("https://quickbooks.api.intuit.com:8443", Environment.PRODUCTION),
            ("https://a:b@quickbooks.api.intuit.com", Environment.PRODUCTION),
            ("https://quickbooks.api.intuit.com.example.org", Environment.PRODUCTION),
            ("https://example.org", None),
            ("file://localhost/etc", None),
        ],
    )
    def test_to_another_host(self, address: str, environment: Environment | None) -> None:
        with pytest.raises(WrongEnvironment):
            check_address(address, environment=environment)

    @pytest.mark.parametrize(
        ("address", "environment"),
        [
            ("https://quickbooks.api.intuit.com/", Environment.PRODUCTION),
            ("https://quickbooks.api.intuit.com", None),
            ("http://127.0.0.1:9000", Environment.PRODUCTION),
        ],
    )
    def test_is_not_said_of_the_right_host(
        self, address: str, environment: Environment | None
    ) -> None:
        assert check_address(address, environment=environment) == address.rstrip("/")


class TestSignIn:
    @pytest.mark.covers("D5")
    def test_that_ended_is_renewed_once_and_the_same_bytes_go_again(self) -> None:
        with HostilePeer(say_in_turn(EXPIRED, GOOD_ANSWER)) as peer:
            setting = Setting(peer.url)
            outcome = setting.outcome()
            setting.client.close()

        first, second = peer.requests
        assert isinstance(outcome, Ok)
        assert setting.failed == [TOKEN]
        assert len(setting.sent) == 2
        assert first.replace(TOKEN.encode(), b"fresh-token") == second

    def test_refused_twice_stops_the_company(self) -> None:
        with HostilePeer(say(EXPIRED)) as peer:
            setting = Setting(peer.url)
            outcome = setting.outcome()
            setting.client.close()

        assert outcome == Refused("authentication_failed", Passing.STOP)
        assert len(peer.requests) == 2

    def test_that_cannot_be_renewed_leaves_the_invoice_unsent(self) -> None:
        def gone(_failed: str) -> str:
            raise NotConnected(since="", reason="invalid_grant")

        with HostilePeer(say(EXPIRED)) as peer:
            setting = Setting(peer.url, fresh_token=gone)
            outcome = setting.outcome()
            setting.client.close()

        assert outcome == Refused("authentication_failed", Passing.STOP)
        assert len(peer.requests) == 1


class TestPause:
    def test_follows_a_429(self) -> None:
        limited = answer(
            sample("429_3001.json").body, status="429 Too Many Requests", retry_after="7"
        )

        with HostilePeer(say(limited)) as peer:
            setting = Setting(peer.url)
            outcome = setting.outcome()
            setting.client.close()

        assert isinstance(outcome, Refused)
        assert outcome.passing is Passing.PAUSE
        assert setting.throttle.bundle_rate == 20
