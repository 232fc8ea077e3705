"""Connection and Setup against a sandbox: connected, refused in words, bound by a typed name."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from application.store.tokens import new_key
from tests.browser.conftest import PATIENCE_MS, VIOLATED, WIDE, Watched, watched_page
from tests.rooms.simulator_support import RunningSimulator
from tests.walks.server import Server, serving
from tests.walks.support import Installation

Check = Callable[[Page], None]
BOOKS: Final = "/api/v1/quickbooks"
NAME: Final = "Demo University (simulator)"
OTHER_ID: Final = "9130347999"


@dataclass
class Sandbox:
    """A served university whose QuickBooks company nobody has connected."""

    server: Server
    simulator: RunningSimulator

    @property
    def page(self) -> str:
        return f"http://localhost:{self.server.port}/connection"

    def disconnect(self) -> None:
        state = self.server.get(f"{BOOKS}/connection").data
        if state["connected"]:
            name = {"confirm": state["company"]}
            assert self.server.post(f"{BOOKS}/disconnect", name).status == 200

    def connected(self) -> bool:
        return bool(self.server.get(f"{BOOKS}/connection").data["connected"])


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    place = Installation(tmp_path_factory.mktemp("sandbox"))
    mis = f"sqlite:///{place.folder / 'mis.db'}"
    made = place.run("demo-mis", mis, "--profile", "guide")
    assert made.code == 0, made.err
    port = free_port()
    with RunningSimulator.start() as simulator:
        simulator.control("POST", "realms", {"realm_id": OTHER_ID, "name": "Other Ltd"})
        settings = {
            "MIS_DATABASE_URL": mis,
            "QUICKBOOKS_ENVIRONMENT": "sandbox",
            "QUICKBOOKS_CLIENT_ID": simulator.client_id,
            "QUICKBOOKS_CLIENT_SECRET": simulator.client_secret,
            "QUICKBOOKS_REDIRECT_URI": f"http://localhost:{port}{BOOKS}/callback",
            "QUICKBOOKS_API_URL": simulator.url,
            "QUICKBOOKS_AUTHORIZE_URL": f"{simulator.url}/connect/oauth2",
            "QUICKBOOKS_TOKEN_URL": f"{simulator.url}/oauth2/v1/tokens/bearer",
            "QUICKBOOKS_REVOKE_URL": f"{simulator.url}/v2/oauth2/tokens/revoke",
            "ENCRYPTION_KEYS": new_key(),
        }
        with serving(place.environment(settings), "--port", str(port)) as server:
            yield Sandbox(server, simulator)


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.disconnect()
    return running


@contextmanager
def journey(browser: Browser, **more: Any) -> Iterator[Page]:  # noqa: ANN401 - handed on
    """Yield a page that may go to QuickBooks and back; no rule of ours for pages may break."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}, **more)
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(VIOLATED)
    watched = Watched()
    context.on("console", watched.said)
    yield context.new_page()
    context.close()
    assert watched.wrong == []


@pytest.fixture
def away(browser: Browser) -> Iterator[Page]:
    with journey(browser) as page:
        yield page


@pytest.fixture
def plain_away(browser: Browser) -> Iterator[Page]:
    with journey(browser, java_script_enabled=False) as page:
        yield page


def begun(page: Page, sandbox: Sandbox, *, button: str = "Connect to QuickBooks") -> str:
    """Begin a sign-in and return the address of QuickBooks that the page links to."""
    page.goto(sandbox.page)
    page.get_by_role("button", name=button).click()
    link = page.get_by_role("link", name="Go to QuickBooks").get_attribute("href")
    assert link is not None
    return link


def is_connected(page: Page) -> None:
    expect(page.locator("h1 + .chip")).to_have_text("Connected")


class TestConnecting:
    def test_leads_to_quickbooks_and_back_then_tests_and_ends(
        self, sandbox: Sandbox, away: Page, check_accessible: Check
    ) -> None:
        away.goto(sandbox.page)
        expect(away.locator("h1 + .chip")).to_have_text("Not connected")
        expect(away.get_by_text("1,250 invoices are waiting")).to_be_visible()
        expect(away.locator("#redirect")).to_contain_text(f"{sandbox.server.port}{BOOKS}/callback")
        expect(away.get_by_text(sandbox.simulator.client_secret)).to_have_count(0)
        check_accessible(away)

        away.get_by_role("button", name="Connect to QuickBooks").click()
        away.get_by_role("button", name="Approve").click()  # followed by itself

        is_connected(away)
        expect(away).to_have_url(sandbox.page)
        expect(away.get_by_role("heading", name=NAME)).to_be_visible()
        expect(away.locator("dd", has_text="by local, today")).to_be_visible()
        expect(away.get_by_text("Not looked at yet")).to_be_visible()
        away.get_by_role("button", name="Test the connection").click()
        expect(away.locator(".checks")).to_contain_text("Custom transaction numbers")
        expect(away.locator(".check-fix").first).to_contain_text("What to do:")
        check_accessible(away)

        away.get_by_role("link", name="Disconnect").click()
        away.get_by_label("Type the name to confirm").fill("Other Ltd")
        away.get_by_role("button", name="Disconnect").click()
        expect(away.get_by_role("alert")).to_contain_text(f"Type the name as it is shown: {NAME}")
        check_accessible(away)
        assert sandbox.connected()
        away.get_by_label("Type the name to confirm").fill(NAME)
        away.get_by_role("button", name="Disconnect").click()
        expect(away.get_by_text("The sign-in is revoked at QuickBooks.")).to_be_visible()
        assert not sandbox.connected()

    def test_works_without_javascript(self, sandbox: Sandbox, plain_away: Page) -> None:
        begun(plain_away, sandbox)
        plain_away.get_by_role("link", name="Go to QuickBooks").click()
        plain_away.get_by_role("button", name="Approve").click()

        is_connected(plain_away)

    def test_is_finished_by_pasting(self, sandbox: Sandbox, plain_away: Page) -> None:
        address = begun(plain_away, sandbox)
        reply = sandbox.simulator.call(
            "GET", f"{address.removeprefix(sandbox.simulator.url)}&auto=approve"
        )

        plain_away.goto(sandbox.page)
        plain_away.get_by_text("ended on a page that would not open?").click()
        plain_away.get_by_label("Its full address").fill("http://localhost/elsewhere?code=x")
        plain_away.get_by_role("button", name="Finish the sign-in").click()
        expect(plain_away.get_by_role("alert")).to_contain_text("Copy the whole address")
        plain_away.get_by_label("Its full address").fill(reply.headers["location"])
        plain_away.get_by_role("button", name="Finish the sign-in").click()

        is_connected(plain_away)


class TestRefused:
    def test_says_what_happened_in_its_own_words(
        self, sandbox: Sandbox, plain_away: Page, check_accessible: Check, page: Page
    ) -> None:
        cancelled = begun(plain_away, sandbox)
        plain_away.goto(f"{cancelled}&auto=deny")
        expect(plain_away.get_by_text("Somebody pressed Cancel in QuickBooks")).to_be_visible()
        assert not sandbox.connected()

        used = begun(plain_away, sandbox)
        reply = sandbox.simulator.call(
            "GET", f"{used.removeprefix(sandbox.simulator.url)}&auto=approve"
        )
        plain_away.goto(reply.headers["location"])
        is_connected(plain_away)
        plain_away.goto(reply.headers["location"])
        expect(plain_away.get_by_text("This sign-in was used before")).to_be_visible()
        assert "state=" not in plain_away.url

        page.goto(f"{sandbox.page}?ended=wrong_environment")
        expect(page.get_by_text("QuickBooks does not know our keys")).to_be_visible()
        check_accessible(page)
        page.goto(f"{sandbox.page}?ended=<b>nothing-we-know</b>")
        expect(page.get_by_text("QuickBooks was not connected")).to_have_count(0)

    def test_tells_programs_as_before(self, sandbox: Sandbox) -> None:
        answer = sandbox.server.get(f"{BOOKS}/callback?state=x&code=y&realmId=1")

        assert (answer.status, answer.json["error_code"]) == (400, "sign_in_refused")


class TestSetup:
    def test_tells_what_is_left_until_it_is_done(
        self, sandbox: Sandbox, page: Page, check_accessible: Check
    ) -> None:
        home = sandbox.page.removesuffix("/connection")
        page.goto(home)
        expect(page.get_by_role("heading", level=2).first).to_have_text(
            "Finish setup: 4 of 6 steps left"
        )
        page.get_by_role("link", name="Go on with setup").click()

        expect(page.locator("[aria-current=step] h2")).to_have_text("3 Connect to QuickBooks")
        check_accessible(page)
        page.get_by_role("button", name="Check the database").click()
        expect(page.get_by_role("status").first).to_contain_text("this step is done")
        page.get_by_role("button", name="Run all checks").click()
        expect(page.get_by_role("status").first).to_contain_text("something is left to do")
        expect(page.locator(".check-fail").first).to_contain_text("Authentication failed")
        check_accessible(page)


class TestAnotherCompany:
    def test_is_refused_and_taken_only_by_its_name(
        self, sandbox: Sandbox, plain_away: Page, check_accessible: Check, browser: Browser
    ) -> None:
        plain_away.goto(f"{begun(plain_away, sandbox)}&auto=approve")
        assert sandbox.server.post(f"{BOOKS}/bind", {"confirm": NAME}).status == 200
        sandbox.disconnect()

        plain_away.goto(f"{begun(plain_away, sandbox)}&auto=approve&realm={OTHER_ID}")
        expect(plain_away.get_by_text("That was another company")).to_be_visible()
        assert not sandbox.connected()

        wanted = begun(plain_away, sandbox, button="Connect another company")
        plain_away.goto(f"{wanted}&auto=approve&realm={OTHER_ID}")
        expect(plain_away.get_by_role("heading", name="This is Other Ltd")).to_be_visible()
        expect(plain_away.get_by_text(f"0 invoices belong to {NAME}.")).to_be_visible()
        with watched_page(browser) as page:
            page.goto(sandbox.page)
            check_accessible(page)
        plain_away.get_by_role("link", name="Bind this MIS to Other Ltd").click()
        plain_away.get_by_label("Type the name to confirm").fill(NAME)
        plain_away.get_by_role("button", name="Bind to Other Ltd").click()
        expect(plain_away.get_by_role("alert")).to_contain_text("as it is shown: Other Ltd")
        plain_away.get_by_label("Type the name to confirm").fill("Other Ltd")
        plain_away.get_by_role("button", name="Bind to Other Ltd").click()

        expect(plain_away.get_by_text("This MIS now belongs to Other Ltd.")).to_be_visible()
        assert sandbox.server.get(f"{BOOKS}/connection").data["bound"] is True
        plain_away.goto(f"{sandbox.page}/bind")
        expect(plain_away).to_have_url(sandbox.page)  # there is nothing left to bind


class TestRemovedInQuickBooks:
    def test_is_told_to_anybody(
        self, sandbox: Sandbox, page: Page, check_accessible: Check
    ) -> None:
        page.goto(sandbox.page.replace("/connection", "/quickbooks/disconnected"))

        expect(page.get_by_role("heading", level=1)).to_contain_text("is disconnected")
        check_accessible(page)
