"""A sign-in to QuickBooks: begun here, come back to where it was begun, kept for one company."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from application.catalogue import (
    CompanyMismatch,
    NotConnected,
    Stop,
    WrongEnvironment,
    explain,
)
from application.invoices.model import Environment, Realm
from application.services.connection import NameNotTyped
from application.services.signing_in import Begun, Door, SignInRefused, Why
from application.store.audit import Actor
from tests.rooms.hostile_peer import HostilePeer, answer, say
from tests.rooms.simulator_support import RunningSimulator
from tests.walks.sign_in_desk import (
    ADMIN,
    MIS,
    OFFICER,
    OTHER_ID,
    REDIRECT,
    TERMINAL,
    Desk,
    desk_at,
)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


@pytest.fixture
def desk(simulator: RunningSimulator, tmp_path: Path) -> Iterator[Desk]:
    with desk_at(tmp_path, simulator) as opened:
        yield opened


def refused(
    desk: Desk, address: str, *, door: Door = "callback", browser: str | None = None,
    by: Actor | None = None,
) -> Why:  # fmt: skip
    """Return why an address is not taken, after looking that nothing was asked for or told."""
    before = desk.exchanges
    with pytest.raises(SignInRefused) as stopped:
        desk.connection.finish(address, browser=browser, door=door, by=by)

    told = explain(stopped.value.cause, stopped.value.facts)
    assert (told.code, told.http_status) == ("sign_in_refused", 400)
    assert desk.exchanges == before
    assert desk.tokens.load(Environment.SIMULATOR) is None
    shown = f"{stopped.value} {stopped.value!r} {told}" + desk.log.read_text(encoding="utf-8")
    assert [one for one in desk.told if len(one) > 10 and one in shown] == []
    return stopped.value.why


class TestBegin:
    def test_asks_for_accounting_only_under_a_challenge(self, desk: Desk) -> None:
        begun = desk.connection.begin(by=ADMIN, browser="")

        assert begun.address.startswith(f"{desk.simulator.url}/connect/oauth2?")
        assert "scope=com.intuit.quickbooks.accounting&" in begun.address
        assert "code_challenge_method=S256" in begun.address
        assert "canary" not in repr(begun)

    def test_makes_every_state_and_every_secret_anew(self, desk: Desk) -> None:
        begun = [desk.connection.begin(by=ADMIN, browser="") for _ in range(3)]

        assert len({one.address for one in begun}) == 3
        assert len({one.browser_secret for one in begun}) == 3
        assert all(len(one.browser_secret or "") == 43 for one in begun)

    def test_lets_two_tabs_of_one_browser_share_its_secret(self, desk: Desk) -> None:
        first = desk.connection.begin(by=ADMIN, browser="")
        second = desk.connection.begin(by=ADMIN, browser=first.browser_secret)

        assert second.browser_secret == first.browser_secret
        address = desk.answer(first)
        assert desk.connection.finish(
            address, browser=second.browser_secret, door="callback"
        ).connected

    def test_takes_no_secret_of_another_shape(self, desk: Desk) -> None:
        chosen = "chosen by me"

        assert desk.connection.begin(by=ADMIN, browser=chosen).browser_secret != chosen

    @pytest.mark.parametrize(
        "document",
        [
            answer(b"{}"),
            answer(b'{"code_challenge_methods_supported":["plain"]}'),
            answer(b"<html>", kind="text/html", status="502 Bad Gateway"),
            b"",
        ],
        ids=["says nothing", "offers another", "is broken", "is not there"],
    )
    def test_sends_no_challenge_where_the_discovery_document(
        self, simulator: RunningSimulator, tmp_path: Path, document: bytes
    ) -> None:
        with (
            HostilePeer(say(document)) as peer,
            desk_at(tmp_path, simulator, auth_url=peer.url) as desk,
        ):
            begun = desk.connection.begin(by=ADMIN, browser=None)

        assert "code_challenge" not in begun.address
        assert b"GET /.well-known/openid_configuration" in peer.requests[0]


class TestFinish:
    def test_takes_what_comes_back_to_the_same_browser(self, desk: Desk) -> None:
        begun = desk.connection.begin(by=ADMIN, browser="")

        state = desk.connection.finish(
            desk.answer(begun), browser=begun.browser_secret, door="callback"
        )

        assert state.connected
        assert (state.connected_by, state.problem, state.bound) == ("admin1", None, False)
        assert desk.connection.realm() == desk.realm
        assert desk.opens_its_company()
        found = [line for line in desk.rooms.audit.entries() if line.action == "signin.connected"]
        assert [line.actor for line in found] == ["admin1"]

    @pytest.mark.parametrize("browser", [None, "", "x" * 43], ids=["none", "empty", "another"])
    def test_leaves_a_callback_of_another_browser_to_its_own(
        self, desk: Desk, browser: str | None
    ) -> None:
        begun = desk.connection.begin(by=ADMIN, browser="")
        address = desk.answer(begun)

        why = refused(desk, address, browser=browser)

        assert why is Why.ANOTHER_BROWSER
        # It was not used up: the right browser, or a paste, still gets in.
        assert desk.connection.finish(
            address, browser=begun.browser_secret, door="callback"
        ).connected

    def test_lets_the_administrator_who_began_paste_without_the_cookie(self, desk: Desk) -> None:
        begun = desk.connection.begin(by=ADMIN, browser="")

        state = desk.connection.finish(
            f"  {desk.answer(begun)}\n", browser=None, door="paste", by=ADMIN
        )

        assert state.connected

    @pytest.mark.parametrize("by", [OFFICER, None], ids=["another", "nobody"])
    def test_takes_no_paste_of_somebody_else(self, desk: Desk, by: Actor | None) -> None:
        begun = desk.connection.begin(by=ADMIN, browser="")

        assert refused(desk, desk.answer(begun), door="paste", by=by) is Why.ANOTHER_PERSON

    def test_keeps_the_command_line_to_the_program_that_began(self, desk: Desk) -> None:
        begun = desk.connection.begin(by=TERMINAL, browser=None)
        address = desk.answer(begun)
        other = Actor("local", source="cli", process="desk-2")

        assert refused(desk, address, door="cli", by=other) is Why.ANOTHER_PROGRAM
        assert refused(desk, address, door="callback", browser="x" * 43) is Why.ANOTHER_BROWSER
        assert desk.connection.finish(address, browser=None, door="cli", by=TERMINAL).connected

    def test_takes_no_browser_s_sign_in_on_the_command_line(self, desk: Desk) -> None:
        begun = desk.connection.begin(by=TERMINAL, browser="")

        assert refused(desk, desk.answer(begun), door="cli", by=TERMINAL) is Why.ANOTHER_PROGRAM

    def test_takes_an_answer_once(self, desk: Desk) -> None:
        begun = desk.connection.begin(by=ADMIN, browser="")
        address = desk.answer(begun)
        desk.connection.finish(address, browser=begun.browser_secret, door="callback")
        desk.connection.disconnect()

        assert refused(desk, address, browser=begun.browser_secret) is Why.USED

    def test_takes_none_that_is_older_than_ten_minutes(self, desk: Desk) -> None:
        begun = desk.connection.begin(by=ADMIN, browser="")
        address = desk.answer(begun)
        desk.clock.wall_ms = 600_001

        assert refused(desk, address, browser=begun.browser_secret) is Why.OLD

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("", Why.ADDRESS),
            ("https://[", Why.ADDRESS),
            ("{redirect}/more?{query}", Why.ADDRESS),
            ("https://localhost:5000/api/v1/quickbooks/callback?{query}", Why.ADDRESS),
            ("http://localhost.evil.example:5000/api/v1/quickbooks/callback?{query}",
             Why.ADDRESS),
            ("http://localhost:8443/api/v1/quickbooks/callback?{query}", Why.ADDRESS),
            ("{redirect}", Why.UNKNOWN),
            ("{redirect}?code=abc&realmId=1&state=" + "x" * 43, Why.UNKNOWN),
            ("{redirect}?code=abc&realmId=1&state=", Why.UNKNOWN),
            ("{redirect}?{query}&state=" + "x" * 43, Why.DOUBLED),
            ("{redirect}?{query}&realmId=1", Why.DOUBLED),
            ("{redirect}?state={state}", Why.INCOMPLETE),
            ("{redirect}?state={state}&code=abc", Why.INCOMPLETE),
            ("{redirect}?state={state}&code=abc&realmId=12%2F..%2F13", Why.INCOMPLETE),
            ("{redirect}?state={state}&code=a%0D%0Ab&realmId=1", Why.INCOMPLETE),
            ("{redirect}?state={state}&error=access_denied", Why.CANCELLED),
            ("{redirect}?state={state}&error=invalid_scope", Why.SCOPE),
            ("{redirect}?state={state}&error=%3Cscript%3Ecanary-error", Why.DECLINED),
        ],
    )  # fmt: skip
    def test_takes_no_other_address(self, desk: Desk, address: str, why: Why) -> None:
        begun = desk.connection.begin(by=ADMIN, browser="")
        query = desk.answer(begun).partition("?")[2]
        state = next(part[6:] for part in query.split("&") if part.startswith("state="))
        given = address.format(redirect=REDIRECT, query=query, state=state)

        assert refused(desk, given, browser=begun.browser_secret) is why

    def test_uses_up_an_answer_that_says_no(self, desk: Desk) -> None:
        begun = desk.connection.begin(by=ADMIN, browser="")
        address = desk.answer(begun, auto="deny")

        assert refused(desk, address, browser=begun.browser_secret) is Why.CANCELLED
        assert refused(desk, address, browser=begun.browser_secret) is Why.USED

    def test_with_a_code_that_was_tampered_with_connects_nobody(self, desk: Desk) -> None:
        mine = desk.connection.begin(by=ADMIN, browser="")
        theirs = desk.connection.begin(by=OFFICER, browser="")
        code = next(one for one in desk.answer(theirs).split("&") if "code=" in one)
        address = desk.answer(mine)
        ours = next(one for one in address.split("&") if "code=" in one)

        with pytest.raises(NotConnected) as stopped:  # the code is tied to the other verifier
            desk.connection.finish(
                address.replace(ours.partition("code=")[2], code.partition("code=")[2]),
                browser=mine.browser_secret,
                door="callback",
            )

        assert stopped.value.facts["reason"] == "invalid_grant"
        assert desk.tokens.load(Environment.SIMULATOR) is None

    def test_with_wrong_keys_says_so(self, simulator: RunningSimulator, tmp_path: Path) -> None:
        say_no = answer(b'{"error":"invalid_client"}', status="401 Unauthorized")
        with (
            HostilePeer([say(answer(b"{}")), say(say_no)]) as peer,
            desk_at(tmp_path, simulator, auth_url=peer.url) as desk,
        ):
            begun = desk.connection.begin(by=ADMIN, browser="")
            with pytest.raises(WrongEnvironment):
                desk.connection.finish(
                    desk.answer(begun), browser=begun.browser_secret, door="callback"
                )


class TestAnotherCompany:
    @pytest.fixture
    def bound(self, desk: Desk) -> Desk:
        desk.connect()
        desk.connection.read_company(desk.client())
        desk.connection.bind(desk.connection.realm())
        desk.open_other()
        return desk

    def test_is_refused_kept_nowhere_and_forgotten_by_quickbooks(self, bound: Desk) -> None:
        before = bound.tokens.load(Environment.SIMULATOR)
        begun = bound.connection.begin(by=ADMIN, browser="")
        address = bound.answer(begun, realm=OTHER_ID)

        with pytest.raises(CompanyMismatch) as stopped:
            bound.connection.finish(address, browser=begun.browser_secret, door="callback")

        assert stopped.value.facts["company"] == "Demo University (simulator)"
        assert explain(stopped.value.cause, stopped.value.facts).http_status == 409
        assert bound.tokens.load(Environment.SIMULATOR) == before
        assert bound.revocations == 1
        assert bound.opens_its_company()  # the company of before is still connected

    def test_takes_over_only_when_its_name_is_typed(self, bound: Desk) -> None:
        bound.connect(realm=OTHER_ID, another_company=True)
        state = bound.company.state()
        assert (state.bound, state.problem) == (False, "company_mismatch")
        with pytest.raises(CompanyMismatch):
            bound.connection.realm()
        with pytest.raises(CompanyMismatch):
            bound.connection.bind(bound.connection.connected_realm())
        bound.connection.read_company(bound.client())

        for name in ("", "Demo University (simulator)", "other ltd"):
            with pytest.raises(NameNotTyped):
                bound.connection.rebind(confirm=name, by=ADMIN)
        state = bound.connection.rebind(confirm="Other Ltd", by=ADMIN)

        assert (state.company, state.bound, state.problem) == ("Other Ltd", True, None)
        assert bound.connection.realm().company_id == OTHER_ID
        assert bound.revocations == 1  # the sign-in of the company before

    def test_gets_no_token_of_the_one_that_came_after(self, bound: Desk) -> None:
        company_id = bound.simulator.realm_id
        token = bound.connection.access_token(company_id=company_id)

        bound.connect(realm=OTHER_ID, another_company=True)

        with pytest.raises(CompanyMismatch):
            bound.connection.access_token(company_id=company_id)
        with pytest.raises(CompanyMismatch):
            bound.connection.fresh_token(token, company_id=company_id)

    def test_simulated_never_takes_a_real_one_s_mis(self, desk: Desk) -> None:
        real = Realm(Environment.PRODUCTION, "9130350000000002")
        desk.rooms.leases.bind(MIS, realm=real, company_name="Demo University", by=ADMIN)

        with pytest.raises(CompanyMismatch):
            desk.connect()
        desk.connect(another_company=True)
        desk.connection.read_company(desk.client())
        with pytest.raises(CompanyMismatch):
            desk.connection.rebind(confirm="Demo University (simulator)", by=ADMIN)

    def test_named_in_the_address_alone_is_not_connected(self, desk: Desk) -> None:
        desk.open_other()
        begun = desk.connection.begin(by=ADMIN, browser="")
        address = desk.answer(begun).replace(desk.simulator.realm_id, OTHER_ID)

        desk.connection.finish(address, browser=begun.browser_secret, door="callback")

        with pytest.raises(WrongEnvironment):  # the token opens the company it was given for
            desk.connection.read_company(desk.client())


def test_a_sign_in_shows_its_address_nowhere() -> None:
    begun = Begun(address="canary", browser_secret="canary", until=None)  # type: ignore[arg-type]  # noqa: S106 - what is printed does not depend on the time; a canary

    assert "canary" not in repr(begun)
    assert issubclass(SignInRefused, Stop)
