"""Sign-in: checklist 1 to 8 of the design's page on QuickBooks."""

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.rooms.simulator_support import Answer, RunningSimulator

CALLBACK = "http://localhost:5000/callback"
STATE = "a+b/c=%20é&x"
APPROVED = {"auto": "approve"}
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636, appendix B


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


def authorize(simulator: RunningSimulator, **changed: str) -> Answer:
    asked = {
        "client_id": simulator.client_id,
        "response_type": "code",
        "scope": "com.intuit.quickbooks.accounting",
        "redirect_uri": CALLBACK,
        "state": STATE,
        "auto": "approve",
    } | changed
    return simulator.call("GET", "/connect/oauth2?" + urlencode(asked))


def returned(answer: Answer) -> dict[str, str]:
    query = urlsplit(answer.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def post_token(simulator: RunningSimulator, *, guess: str = "", **form: str) -> Answer:
    return post_raw(simulator, urlencode(form).encode(), guess=guess)


def post_raw(
    simulator: RunningSimulator,
    body: bytes,
    *,
    guess: str = "",
    kind: str = "application/x-www-form-urlencoded",
    extra: dict[str, str] | None = None,
) -> Answer:
    pair = f"{simulator.client_id}:{guess or simulator.client_secret}".encode()
    headers = {
        "Authorization": "Basic " + base64.b64encode(pair).decode(),
        "Content-Type": kind,
        "Accept": "application/json",
    } | (extra or {})
    return simulator.call("POST", "/oauth2/v1/tokens/bearer", body=body, headers=headers)


class TestTheConsentAddress:
    @pytest.mark.parametrize(
        "changed",
        [{"client_id": "stranger"}, {"redirect_uri": "https://evil.example/"}, {"state": ""}],
        ids=["1 unknown client", "1 unknown redirect", "1 no state"],
    )
    def test_never_redirects_to_a_stranger(
        self, simulator: RunningSimulator, changed: dict[str, str]
    ) -> None:
        answer = authorize(simulator, **changed)

        assert answer.status == 400
        assert "location" not in answer.headers

    def test_1_returns_code_realm_and_state_byte_for_byte(
        self, simulator: RunningSimulator
    ) -> None:
        answer = authorize(simulator)

        assert answer.status == 302
        values = returned(answer)
        assert values["state"] == STATE
        assert values["realmId"] == simulator.realm_id
        assert 0 < len(values["code"]) <= 512

    def test_1_says_access_denied_and_invalid_scope_to_the_caller(
        self, simulator: RunningSimulator
    ) -> None:
        assert returned(authorize(simulator, auto="deny"))["error"] == "access_denied"
        assert returned(authorize(simulator, scope="everything"))["error"] == "invalid_scope"

    def test_shows_a_page_naming_the_company_with_two_buttons(
        self, simulator: RunningSimulator
    ) -> None:
        page = authorize(simulator, auto="").body.decode()

        assert "Demo University (simulator)" in page
        assert "Approve" in page
        assert "Cancel" in page

    def test_gives_the_browser_a_page_that_carries_everything_on(
        self, simulator: RunningSimulator
    ) -> None:
        asked = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        page = authorize(simulator, auto="", **asked).body.decode()
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))

        answer = simulator.call(
            "GET",
            "/connect/oauth2?"
            + urlencode({name: unescape(text) for name, text in hidden.items()} | APPROVED),
        )

        assert returned(answer)["state"] == STATE
        assert {"code_challenge", "code_challenge_method", "realm"} <= set(hidden)


class TestTheTokenAddress:
    def test_2_takes_a_code_once(self, simulator: RunningSimulator) -> None:
        code = returned(authorize(simulator))["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}

        first = post_token(simulator, **form)
        second = post_token(simulator, **form)

        assert first.status == 200
        assert first.json["expires_in"] == 3600
        assert second.status == 400
        assert second.json["error"] == "invalid_grant"

    def test_2_lets_a_code_die_soon(self, simulator: RunningSimulator) -> None:
        code = returned(authorize(simulator))["code"]
        simulator.control("POST", "clock", {"advance_s": 601})

        answer = post_token(
            simulator, grant_type="authorization_code", code=code, redirect_uri=CALLBACK
        )

        assert answer.json["error"] == "invalid_grant"

    def test_3_names_what_is_wrong_with_a_request(self, simulator: RunningSimulator) -> None:
        wrong = post_token(simulator, guess="wrong", grant_type="refresh_token")
        as_json = post_raw(simulator, b"{}", kind="application/json")
        other = post_token(simulator, grant_type="password")

        assert (wrong.status, wrong.json["error"]) == (401, "invalid_client")
        assert (as_json.status, as_json.json["error"]) == (400, "invalid_request")
        assert (other.status, other.json["error"]) == (400, "unsupported_grant_type")

    def test_5_rotates_the_refresh_token_and_kills_the_old_one(
        self, simulator: RunningSimulator
    ) -> None:
        old = simulator.token()["refresh_token"]

        fresh = post_token(simulator, grant_type="refresh_token", refresh_token=old)
        stale = post_token(simulator, grant_type="refresh_token", refresh_token=old)

        assert fresh.status == 200
        assert fresh.json["refresh_token"] != old
        assert (stale.status, stale.json["error"]) == (400, "invalid_grant")

    def test_5_keeps_the_value_for_a_day_in_the_daily_mode(
        self, simulator: RunningSimulator
    ) -> None:
        simulator.knob(refresh_rotation="daily")
        old = simulator.token()["refresh_token"]

        same = post_token(simulator, grant_type="refresh_token", refresh_token=old)
        simulator.control("POST", "clock", {"advance_s": 86_401})
        later = post_token(simulator, grant_type="refresh_token", refresh_token=old)

        assert same.json["refresh_token"] == old
        assert later.json["refresh_token"] != old

    def test_5_grants_the_old_token_its_grace_if_there_is_any(
        self, simulator: RunningSimulator
    ) -> None:
        simulator.knob(refresh_grace_s=86_400)
        old = simulator.token()["refresh_token"]

        first = post_token(simulator, grant_type="refresh_token", refresh_token=old)
        second = post_token(simulator, grant_type="refresh_token", refresh_token=old)

        assert (first.status, second.status) == (200, 200)

    def test_5_lets_one_of_two_at_once_win(self, simulator: RunningSimulator) -> None:
        old = simulator.token()["refresh_token"]

        def refresh(_number: int) -> int:
            answer = post_token(simulator, grant_type="refresh_token", refresh_token=old)
            return answer.status

        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(pool.map(refresh, range(2)))

        assert statuses == [200, 400]

    def test_6_ends_after_100_days_unused(self, simulator: RunningSimulator) -> None:
        token = simulator.token()["refresh_token"]
        simulator.control("POST", "clock", {"advance_s": 101 * 86_400})

        answer = post_token(simulator, grant_type="refresh_token", refresh_token=token)

        assert answer.json["error"] == "invalid_grant"

    def test_6_ends_after_five_years_however_often_it_is_used(
        self, simulator: RunningSimulator
    ) -> None:
        token = simulator.token()["refresh_token"]
        for _ in range(18):
            simulator.control("POST", "clock", {"advance_s": 100 * 86_400})
            token = post_token(simulator, grant_type="refresh_token", refresh_token=token).json[
                "refresh_token"
            ]
        simulator.control("POST", "clock", {"advance_s": 26 * 86_400})

        answer = post_token(simulator, grant_type="refresh_token", refresh_token=token)

        assert answer.json["error"] == "invalid_grant"

    def test_6_shows_the_hard_end_only_when_asked(self, simulator: RunningSimulator) -> None:
        token = simulator.token()["refresh_token"]
        form = urlencode({"grant_type": "refresh_token", "refresh_token": token}).encode()

        answer = post_raw(
            simulator, form, extra={"x-include-refresh-token-hard-expires-in": "true"}
        )
        plain = post_token(
            simulator, grant_type="refresh_token", refresh_token=answer.json["refresh_token"]
        )

        assert 157_600_000 < answer.json["x_refresh_token_hard_expires_in"] <= 157_680_000
        assert "x_refresh_token_hard_expires_in" not in plain.json

    def test_6_shows_the_hard_end_of_a_first_pair_too(self, simulator: RunningSimulator) -> None:
        code = returned(authorize(simulator))["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}

        answer = post_raw(
            simulator,
            urlencode(form).encode(),
            extra={"x-include-refresh-token-hard-expires-in": "true"},
        )

        assert answer.json["x_refresh_token_hard_expires_in"] == 157_680_000

    def test_7_ends_both_tokens_when_one_is_revoked(self, simulator: RunningSimulator) -> None:
        pair = simulator.token()
        basic = f"{simulator.client_id}:{simulator.client_secret}".encode()
        headers = {
            "Authorization": "Basic " + base64.b64encode(basic).decode(),
            "Content-Type": "application/json",
        }
        body = f'{{"token":"{pair["refresh_token"]}"}}'.encode()

        answer = simulator.call("POST", "/v2/oauth2/tokens/revoke", body=body, headers=headers)
        again = simulator.call("POST", "/v2/oauth2/tokens/revoke", body=body, headers=headers)

        assert (answer.status, again.status) == (200, 400)
        assert simulator.send("GET", "preferences", token=pair["access_token"]).status == 401
        refresh = post_token(
            simulator, grant_type="refresh_token", refresh_token=pair["refresh_token"]
        )
        assert refresh.status == 400

    def test_refuses_or_loses_a_refresh_on_demand(self, simulator: RunningSimulator) -> None:
        token = simulator.token()["refresh_token"]
        simulator.fault("refuse_refresh")
        simulator.fault("lose_refresh_answer")
        form = {"grant_type": "refresh_token", "refresh_token": token}

        refused = post_token(simulator, **form)
        with pytest.raises(ConnectionError):
            post_token(simulator, **form)
        rotated_meanwhile = post_token(simulator, **form)

        assert refused.json["error"] == "invalid_grant"
        assert rotated_meanwhile.status == 400


class TestAnAccessToken:
    def test_4_dies_after_an_hour_with_the_gateway_envelope(
        self, simulator: RunningSimulator
    ) -> None:
        token = simulator.token()["access_token"]
        simulator.control("POST", "clock", {"advance_s": 3600})

        answer = simulator.send("GET", "preferences", token=token)

        assert answer.status == 401
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["www-authenticate"].startswith('Bearer realm="Intuit"')
        whole = answer.json
        assert isinstance(whole["time"], int)
        assert whole["fault"]["type"] == "AUTHENTICATION"
        error = whole["fault"]["error"][0]
        assert error["message"] == "message=AuthenticationFailed; errorCode=003200; statusCode=401"
        assert error["detail"] == f"Token expired: {token}"
        assert error["code"] == "3200"

    def test_8_opens_neither_another_company_nor_another_environment(
        self, simulator: RunningSimulator
    ) -> None:
        simulator.control("POST", "realms", {"realm_id": "9130347999", "name": "Other"})
        theirs = simulator.token(realm="9130347999")["access_token"]
        sandbox = simulator.token(environment="sandbox")["access_token"]

        for token in (theirs, sandbox):
            answer = simulator.send("GET", "preferences", token=token)
            assert (answer.status, answer.code) == (403, "3100")
            assert answer.json["fault"]["type"] == "SERVICE"

    def test_dies_at_once_when_control_says_so(self, simulator: RunningSimulator) -> None:
        pair = simulator.token()
        simulator.control("POST", "expire-tokens")

        dead = simulator.send("GET", "preferences", token=pair["access_token"])
        answer = post_token(
            simulator, grant_type="refresh_token", refresh_token=pair["refresh_token"]
        )

        assert dead.status == 401
        fresh = answer.json["access_token"]
        assert simulator.send("GET", "preferences", token=fresh).status == 200

    def test_is_gone_for_good_after_a_disconnect(self, simulator: RunningSimulator) -> None:
        pair = simulator.token()
        simulator.control("POST", "revoke")

        assert simulator.send("GET", "preferences", token=pair["access_token"]).status == 401
        answer = post_token(
            simulator, grant_type="refresh_token", refresh_token=pair["refresh_token"]
        )
        assert answer.status == 400


class TestTheDiscoveryDocument:
    def test_names_every_address_a_client_reads(self, simulator: RunningSimulator) -> None:
        document = simulator.call("GET", "/.well-known/openid_configuration/").json

        for name in ("authorization", "token", "revocation", "userinfo"):
            assert document[f"{name}_endpoint"].startswith(simulator.url)
        assert document["issuer"] == "https://oauth.platform.intuit.com/op/v1"
        assert document["code_challenge_methods_supported"] == ["S256"]
        assert "jwks_uri" in document
