"""Signing in: by name and password, out again, and what those who did not sign in see."""

import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests import quick
from tests.browser.conftest import Site, served
from tests.walks.support import TOOL, Installation

Check = Callable[[Page], None]
PASSWORD = "mountains of Musanze"  # noqa: S105 - of invented people
WRONG = "The name or the password is wrong. Check both, then try again"


def added(installation: Installation, name: str, *, role: str, password: str = PASSWORD) -> str:
    """Add somebody as a person would; return what was said."""
    done = quick.run(
        [sys.executable, str(TOOL), "people", "add", name, "--role", role],
        cwd=installation.folder,
        env=installation.environment(),
        fed=f"{password}\n".encode(),
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.fixture(scope="module")
def closed(unsent: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a university whose people sign in."""
    own = unsent.copied_to(tmp_path_factory.mktemp("closed"))
    assert "now asks everyone to sign in" in added(own, "Uwase", role="officer")
    added(own, "mugisha", role="viewer")
    with served(own) as site:
        yield site


def sign_in(page: Page, site: Site, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{site.address}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


class TestSignIn:
    def test_leads_where_somebody_was_going_and_out_again(
        self, closed: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{closed.address}/help/errors?x=1")
        expect(page).to_have_url(f"{closed.address}/login?next=%2Fhelp%2Ferrors%3Fx%3D1")
        check_accessible(page)
        sign_in(page, closed, "uwase")
        expect(page.get_by_role("heading", level=2).first).to_have_text("1,250 invoices wait")
        kept = {one["name"]: one for one in page.context.cookies()}["feebridge_session"]
        assert (kept["httpOnly"], kept["sameSite"], kept["secure"]) == (True, "Lax", False)

        page.locator("details.person summary").click()
        expect(page.locator("details.person")).to_contain_text("Uwase, officer")
        page.get_by_role("button", name="Sign out").click()

        expect(page.get_by_text("You have signed out.")).to_be_visible()
        page.context.add_cookies(
            [{"name": kept["name"], "value": kept["value"], "url": closed.address}]
        )
        page.goto(closed.address)
        expect(page).to_have_url(f"{closed.address}/login")

    @pytest.mark.parametrize("name", ["uwase", "nobody-of-that-name"])
    def test_says_the_same_of_a_wrong_name_and_a_wrong_password(
        self, closed: Site, page: Page, check_accessible: Check, name: str
    ) -> None:
        sign_in(page, closed, name, "another password")

        expect(page.get_by_role("alert")).to_be_focused()
        expect(page.get_by_role("alert")).to_contain_text(WRONG)
        expect(page.get_by_label("Name")).to_have_value(name)
        expect(page.get_by_label("Password", exact=True)).to_have_value("")
        check_accessible(page)

    def test_works_without_javascript(self, closed: Site, plain_page: Page) -> None:
        sign_in(plain_page, closed, "mugisha")

        expect(plain_page).to_have_title("Overview · Feebridge")

    def test_never_leads_elsewhere(self, closed: Site, plain_page: Page) -> None:
        plain_page.goto(f"{closed.address}/login?next=//evil.example/")
        plain_page.get_by_label("Name").fill("mugisha")
        plain_page.get_by_label("Password", exact=True).fill(PASSWORD)
        plain_page.get_by_role("button", name="Sign in").click()

        expect(plain_page).to_have_url(f"{closed.address}/")

    def test_takes_ten_tries(self, closed: Site, page: Page) -> None:
        for _ in range(10):
            sign_in(page, closed, "habimana", "guessed again")
            expect(page.get_by_role("alert")).to_contain_text(WRONG)

        sign_in(page, closed, "habimana", "guessed again")

        expect(page.get_by_role("alert")).to_contain_text("Too many tries. Wait 15 minutes")


class TestForms:
    def test_of_another_browser_are_refused(self, closed: Site) -> None:
        answer = closed.server.ask(
            "POST",
            "/login",
            headers={"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"},
        )

        assert answer.status == 403
        assert "Form out of date" in answer.text
