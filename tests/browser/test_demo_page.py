"""The demo's page: controls begun and ended by forms, what cannot be done now, and by whom."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.walks.server import SYNC

Check = Callable[[Page], None]


class TestDemoPage:
    def test_is_found_from_the_strip_and_begins_and_ends_what_lasts(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(demo.address)
        page.get_by_role("link", name="Break things").click()
        check_accessible(page)
        books = page.locator("#books-closed")

        books.get_by_role("button", name="Start").click()

        expect(page.get_by_text("Books closed: begun.")).to_be_visible()
        expect(books).to_contain_text("Broken now")
        expect(page.get_by_text("1 thing is broken now: Books closed")).to_be_visible()
        check_accessible(page)
        page.reload()
        books.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("Books closed: ended.")).to_be_visible()
        expect(books.get_by_role("button", name="Start")).to_be_visible()

    def test_does_what_is_over_at_once_without_javascript(
        self, demo: Site, plain_page: Page
    ) -> None:
        plain_page.goto(f"{demo.address}/demo")

        plain_page.locator("#new-term").get_by_role("button", name="Do it").click()

        expect(plain_page.get_by_role("status").first).to_contain_text("200 invoices were entered")
        assert demo.server.get(f"{SYNC}/analyze").data["not_synced"] == 200

    def test_says_why_something_cannot_be_done(self, demo: Site, page: Page) -> None:
        """This server is minded by nobody, so nobody would start it again."""
        page.goto(f"{demo.address}/demo")

        kill = page.locator("#kill")
        expect(kill.get_by_role("button")).to_be_disabled()
        expect(kill).to_contain_text("nobody would start this server again")

    def test_reads_on_a_phone(self, demo: Site, narrow_page: Page, check_accessible: Check) -> None:
        narrow_page.goto(f"{demo.address}/demo")
        check_accessible(narrow_page)

    def test_shows_the_mis_away_and_back(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{demo.address}/demo")
        page.locator("#mis-down").get_by_role("button", name="Start").click()
        expect(page.get_by_text("MIS is down: begun.")).to_be_visible()
        for path in ("/audit", "/help"):  # neither asks the MIS
            answer = page.goto(demo.address + path)
            assert answer is not None
            assert answer.status == 200, path
        check_accessible(page)
        page.goto(f"{demo.address}/demo")
        page.locator("#mis-down").get_by_role("button", name="Stop").click()
        expect(page.get_by_text("MIS is down: ended.")).to_be_visible()
