"""Sign-in: the journey against the simulator, the rest against a hostile peer."""

import socket
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from application.catalogue import ConfigInvalid, LeaseLost, WrongEnvironment
from application.invoices.model import Environment
from application.quickbooks.auth import (
    Auth,
    AuthRefused,
    AuthUnknown,
    TokenAnswer,
    check_redirect,
)
from application.world import World
from tests.rooms.hostile_peer import HostilePeer, Script, answer, reset_after, say
from tests.rooms.simulator_support import RunningSimulator

REDIRECT = "http://localhost:5000/api/v1/quickbooks/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B
PAIR = (
    b'{"token_type":"bearer","expires_in":3600,"refresh_token":"AB11canary",'
    b'"x_refresh_token_expires_in":8726400,"access_token":"eyJcanary"}'
)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


def auth_at(url: str, *, secret: str = "s", timeout_ms: int = 5_000, key: str = "k") -> Auth:  # noqa: S107 - the peer does not look
    return Auth(
        world=World(),
        environment=Environment.SIMULATOR,
        client_id=key,
        client_secret=secret,
        redirect_uri=REDIRECT,
        authorize_url=f"{url}/connect/oauth2",
        token_url=f"{url}/oauth2/v1/tokens/bearer",
        revoke_url=f"{url}/v2/oauth2/tokens/revoke",
        timeout_ms=timeout_ms,
    )


def auth_of(simulator: RunningSimulator) -> Auth:
    return auth_at(simulator.url, key=simulator.client_id, secret=simulator.client_secret)


def code_for(
    simulator: RunningSimulator, *, auth: Auth, state: str, verifier: str | None = None
) -> str:
    """Approve as a company administrator would and return the code."""
    address = urlsplit(auth.authorize_address(state, verifier=verifier))
    answer = simulator.call("GET", f"{address.path}?{address.query}&auto=approve")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["state"] == [state]
    return query["code"][0]


class TestJourney:
    def test_begins_where_an_administrator_approves(self) -> None:
        query = parse_qs(urlsplit(auth_at("http://127.0.0.1:1").authorize_address("s t/1")).query)

        assert query == {
            "response_type": ["code"],
            "client_id": ["k"],
            "redirect_uri": [REDIRECT],
            "scope": ["com.intuit.quickbooks.accounting"],
            "state": ["s t/1"],
        }

    def test_shows_a_challenge_and_keeps_the_verifier(self) -> None:
        address = auth_at("http://127.0.0.1:1").authorize_address("s", verifier=VERIFIER)
        query = parse_qs(urlsplit(address).query)

        assert query["code_challenge"] == ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
        assert query["code_challenge_method"] == ["S256"]
        assert VERIFIER not in address

    def test_opens_a_code_with_its_verifier_only(self, simulator: RunningSimulator) -> None:
        auth = auth_of(simulator)
        right, wrong = (
            code_for(simulator, auth=auth, state="abc", verifier=VERIFIER) for _ in range(2)
        )

        opened = auth.exchange(right, verifier=VERIFIER)
        refused = [auth.exchange(wrong), auth.exchange(wrong, verifier=VERIFIER)]
        auth.close()

        assert isinstance(opened, TokenAnswer)
        assert opened.hard_expires_in_s == 157_680_000
        assert refused == [AuthRefused("invalid_grant")] * 2  # the first try spent the code

    def test_turns_a_code_into_tokens_once(self, simulator: RunningSimulator) -> None:
        auth = auth_of(simulator)
        code = code_for(simulator, auth=auth, state="abc")

        first, second = auth.exchange(code), auth.exchange(code)
        auth.close()

        assert isinstance(first, TokenAnswer)
        assert (first.expires_in_s, first.refresh_expires_in_s) == (3_600, 8_726_400)
        assert second == AuthRefused("invalid_grant")

    def test_renews_and_the_old_token_dies(self, simulator: RunningSimulator) -> None:
        auth = auth_of(simulator)
        old = str(simulator.token()["refresh_token"])

        fresh, again = auth.refresh(old), auth.refresh(old)
        auth.close()

        assert isinstance(fresh, TokenAnswer)
        assert fresh.refresh_token != old
        assert again == AuthRefused("invalid_grant")

    def test_ends_with_a_revocation(self, simulator: RunningSimulator) -> None:
        auth = auth_of(simulator)
        token = str(simulator.token()["refresh_token"])

        ended = auth.revoke(token)
        after = auth.refresh(token)
        auth.close()

        assert ended is True
        assert after == AuthRefused("invalid_grant")

    def test_needs_the_right_secret(self, simulator: RunningSimulator) -> None:
        auth = auth_at(simulator.url, key=simulator.client_id, secret="wrong")  # noqa: S106 - on purpose

        refused = auth.refresh(str(simulator.token()["refresh_token"]))
        auth.close()

        assert refused == AuthRefused("invalid_client")

    def test_survives_a_lost_answer(self, simulator: RunningSimulator) -> None:
        auth = auth_of(simulator)
        token = str(simulator.token()["refresh_token"])
        simulator.fault("lose_refresh_answer", count=1)

        lost = auth.refresh(token)
        auth.close()

        assert isinstance(lost, AuthUnknown)
        assert lost.sent


def refreshed(
    script: Script, *, timeout_ms: int = 5_000
) -> TokenAnswer | AuthRefused | AuthUnknown:
    with HostilePeer(script) as peer:
        auth = auth_at(peer.url, timeout_ms=timeout_ms)
        try:
            return auth.refresh("AB11old")
        finally:
            auth.close()


def hold_on(line: socket.socket, _request: bytes) -> None:
    """Answer nothing until the other side goes."""
    line.recv(1)


class TestAnswer:
    def test_is_never_printed(self) -> None:
        pair = refreshed(say(answer(PAIR)))

        assert isinstance(pair, TokenAnswer)
        assert "canary" not in f"{pair} {pair!r}"

    @pytest.mark.parametrize(
        ("whole", "why"),
        [
            (answer(b"<html>", kind="text/html"), "type"),
            (answer(b"<html>", kind="text/html", status="502 Bad Gateway"), "type"),
            (answer(PAIR, status="500 Internal Server Error"), "status_500"),
            (answer(b'{"error":"temporarily_unavailable"}', status="400 Bad"), "status_400"),
            (answer(b'{"error":["invalid_grant"]}', status="400 Bad"), "status_400"),
            (answer(b'{"error":"invalid_grant"}', status="503 Busy"), "status_503"),
            (answer(PAIR.replace(b"3600", b'"3600"')), "shape_life"),
            (answer(PAIR.replace(b"3600", b"true")), "shape_life"),
            (answer(PAIR.replace(b"eyJcanary", b"a\\r\\nX-Evil: 1")), "shape_token"),
            (answer(PAIR.replace(b"AB11canary", b"")), "shape_token"),
            (answer(PAIR, content_encoding="br"), "encoding"),
        ],
    )
    def test_we_do_not_recognise_proves_nothing(self, whole: bytes, why: str) -> None:
        assert refreshed(say(whole)) == AuthUnknown(why=why, sent=True)

    def test_that_was_cut_proves_nothing(self) -> None:
        assert refreshed(reset_after(answer(PAIR)[:80])) == AuthUnknown(why="no_answer", sent=True)

    def test_that_never_comes_ends_at_the_deadline(self) -> None:
        outcome = refreshed(hold_on, timeout_ms=200)

        assert outcome == AuthUnknown(why="no_answer", sent=True)

    def test_elsewhere_is_not_followed(self) -> None:
        with HostilePeer(say(answer(PAIR))) as thief:
            moved = answer(b"", status="307 Temporary Redirect", location=thief.url)
            outcome = refreshed(say(moved))

        assert isinstance(outcome, AuthUnknown)
        assert thief.requests == []

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("200 OK", True),
            ("400 Bad Request", False),
            ("500 No", AuthUnknown(why="status_500", sent=True)),
        ],
    )
    def test_of_a_revocation(self, status: str, expected: object) -> None:
        with HostilePeer(say(answer(b"", status=status))) as peer:
            auth = auth_at(peer.url)
            ended = auth.revoke('AB"11')
            auth.close()

        assert ended == expected
        assert peer.requests[0].endswith(b'{"token": "AB\\"11"}')


class TestNothingSent:
    def test_when_the_lock_was_lost(self) -> None:
        def lost() -> None:
            raise LeaseLost(epoch=1)

        with HostilePeer(say(answer(PAIR))) as peer:
            auth = auth_at(peer.url)
            with pytest.raises(LeaseLost):
                auth.refresh("AB11old", about_to_send=lost)
            auth.close()

        assert peer.requests == []

    def test_when_nobody_listens(self) -> None:
        auth = auth_at("http://127.0.0.1:1")

        outcomes = [auth.refresh("AB11old"), auth.revoke("AB11old")]

        assert outcomes == [AuthUnknown(why="not_sent", sent=False)] * 2

    def test_to_another_host(self) -> None:
        with pytest.raises(WrongEnvironment):
            auth_at("https://oauth.platform.intuit.com.example.org")


class TestDiscovery:
    def test_at_the_simulator_offers_a_challenge(self, simulator: RunningSimulator) -> None:
        auth = auth_of(simulator)

        assert auth.offers_pkce()
        auth.close()

    @pytest.mark.parametrize(
        "script",
        [
            say(answer(b'{"code_challenge_methods_supported":["plain"]}')),
            say(answer(b'{"code_challenge_methods_supported":"S256"}')),
            say(answer(b'{"code_challenge_methods_supported":["S256"]}', status="404 Not Found")),
            say(answer(b"not json")),
            reset_after(b"HTTP/1.1 200"),
        ],
    )
    def test_that_says_nothing_clear_offers_none(self, script: Script) -> None:
        with HostilePeer(script) as peer:
            auth = auth_at(peer.url)
            offered = auth.offers_pkce()
            auth.close()

        assert offered is False
        assert b"Authorization" not in peer.requests[0]


class TestRedirectAddress:
    @pytest.mark.parametrize(
        ("address", "environment"),
        [
            ("https://fees.example.org/callback", Environment.PRODUCTION),
            ("https://fees.example.org:8443/api/v1/quickbooks/callback", Environment.PRODUCTION),
            ("https://fees.example.org/callback", Environment.SANDBOX),
            ("http://localhost:5000/callback", Environment.SANDBOX),
            ("http://127.0.0.1:5000/callback", Environment.SIMULATOR),
        ],
    )
    def test_is_taken(self, address: str, environment: Environment) -> None:
        assert check_redirect(address, environment=environment) == address

    @pytest.mark.parametrize(
        ("address", "environment"),
        [
            ("http://localhost:5000/callback", Environment.PRODUCTION),
            ("https://localhost/callback", Environment.PRODUCTION),
            ("http://fees.example.org/callback", Environment.PRODUCTION),
            ("https://10.0.0.14/callback", Environment.PRODUCTION),
            ("https://[2001:db8::1]/callback", Environment.PRODUCTION),
            ("http://fees.example.org/callback", Environment.SANDBOX),
            ("http://10.0.0.14/callback", Environment.SIMULATOR),
            ("https://fees.example.org/callback?a=b", Environment.PRODUCTION),
            ("https://fees.example.org/callback#a", Environment.PRODUCTION),
            ("https://me@fees.example.org/callback", Environment.PRODUCTION),
            ("https://fees.example.org", Environment.PRODUCTION),
            ("ftp://fees.example.org/callback", Environment.SANDBOX),
            ("", Environment.SIMULATOR),
        ],
    )
    def test_is_refused(self, address: str, environment: Environment) -> None:
        with pytest.raises(ConfigInvalid) as wrong:
            check_redirect(address, environment=environment)

        assert wrong.value.facts["setting"] == "QUICKBOOKS_REDIRECT_URI"
