"""A code that is tied to a secret of whoever asked for it: RFC 7636, S256 and nothing else."""

from collections.abc import Iterator

import pytest

from tests.rooms.simulator_support import RunningSimulator
from tests.rooms.test_simulator_oauth import CALLBACK, CHALLENGE, authorize, post_token, returned

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as running:
        yield running


class TestTheConsentAddress:
    @pytest.mark.parametrize(
        "asked",
        [
            {"code_challenge": "short", "code_challenge_method": "S256"},
            {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
            {"code_challenge": CHALLENGE},
            {"code_challenge_method": "S256"},
        ],
        ids=["no digest", "plain", "no method", "no challenge"],
    )
    def test_takes_no_other_challenge_than_it_offers(
        self, simulator: RunningSimulator, asked: dict[str, str]
    ) -> None:
        values = returned(authorize(simulator, **asked))

        assert values["error"] == "invalid_request"
        assert "code" not in values


class TestTheTokenAddress:
    @pytest.mark.parametrize(
        ("verifier", "status"),
        [(VERIFIER, 200), ("", 400), ("v" * 43, 400), (CHALLENGE, 400), ("short", 400)],
        ids=["the right one", "none", "another", "the challenge itself", "too short"],
    )
    def test_opens_a_code_to_its_verifier_only(
        self, simulator: RunningSimulator, verifier: str, status: int
    ) -> None:
        asked = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        code = returned(authorize(simulator, **asked))["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        form |= {"code_verifier": verifier} if verifier else {}

        answer = post_token(simulator, **form)

        assert answer.status == status
        assert status == 200 or answer.json["error"] == "invalid_grant"
        assert post_token(simulator, **form).status == 400  # either way the code is spent

    def test_takes_no_verifier_for_a_code_without_a_challenge(
        self, simulator: RunningSimulator
    ) -> None:
        code = returned(authorize(simulator))["code"]

        answer = post_token(
            simulator,
            grant_type="authorization_code",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        )

        assert answer.json["error"] == "invalid_grant"
