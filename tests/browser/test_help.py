"""Help: every page reads, every link inside leads somewhere, nothing is asked of the net."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from application.catalogue import CAUSES
from application.web.manual import leaves
from tests.browser.conftest import Site

Check = Callable[[Page], None]
LOOKED_AT = (
    "/help",
    "/help/errors",
    "/help/api",
    "/help/reference/statuses",
    "/help/how-to/install-linux",
    "/help/how-to/finance/first-morning",
    "/help/how-to/finance/read-the-overview",
)
IN_PAGES = "[...document.querySelectorAll('main a')].map(one => one.getAttribute('href'))"
IDENTS = "[...document.querySelectorAll('main [id]')].map(one => one.id)"


class TestHelp:
    def test_is_found_in_the_frame_and_leads_to_finance_first(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(demo.address)
        page.get_by_role("contentinfo").get_by_role("link", name="Help").click()
        expect(page.get_by_role("heading", level=2).first).to_have_text("For finance")

        page.get_by_role("link", name="Your first morning").click()

        expect(page.get_by_role("heading", level=1)).to_have_text("Your first morning")
        page.get_by_role("link", name="read the Overview").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Read the Overview")
        check_accessible(page)

    def test_reads_in_every_width(
        self, demo: Site, narrow_page: Page, page: Page, check_accessible: Check
    ) -> None:
        for path in LOOKED_AT:
            for each in (page, narrow_page):
                each.goto(f"{demo.address}{path}")
                check_accessible(each)

    def test_leads_nowhere_that_is_not_there(self, demo: Site, plain_page: Page) -> None:
        places: dict[str, set[str]] = {}
        links: set[str] = set()
        for leaf in leaves().values():
            answer = plain_page.goto(demo.address + leaf.address)
            assert answer is not None
            assert answer.status == 200, leaf.address
            assert plain_page.locator("h1").count() == 1, leaf.address
            places[leaf.address] = set(plain_page.evaluate(IDENTS))
            hrefs = plain_page.evaluate(IN_PAGES)
            links |= {leaf.address + one if one.startswith("#") else one for one in hrefs}

        inside = {one.partition("#") for one in links if "://" not in one}
        assert len(inside) > 100
        assert {page for page, _, _ in inside} - places.keys() == set()
        wrong = [f"{page}#{ident}" for page, _, ident in inside if ident not in {"", *places[page]}]
        assert wrong == []

    def test_keeps_an_anchor_for_every_cause(self, demo: Site, page: Page) -> None:
        page.goto(f"{demo.address}/help/errors#invalid_amount")

        assert set(page.evaluate(IDENTS)) >= set(CAUSES)
        expect(page.locator("#invalid_amount")).to_be_in_viewport()
        expect(page.locator("#invalid_amount")).to_contain_text("What to do")

    def test_knows_only_its_own_pages(self, demo: Site, page: Page) -> None:
        for path in ("how-to/nothing", "..%2f..%2fREADME/x", "how-to/finance/nothing"):
            answer = page.goto(f"{demo.address}/help/{path}")
            assert answer is not None
            assert answer.status == 404, path
            expect(page.locator("details.person")).to_be_visible()
