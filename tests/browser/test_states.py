"""Screens in rare states: what is offered there, and what is said."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Site

MISSING = 123  # its student is not in the MIS


class TestFixingInTheDemo:
    def test_is_offered_where_the_demo_can_mend_the_cause(self, demo: Site, page: Page) -> None:
        page.goto(f"{demo.address}/invoices/{MISSING}")
        page.get_by_role("button", name="Fix in demo MIS: add the student").click()
        expect(page).to_have_url(f"{demo.address}/invoices/{MISSING}")
        expect(page.locator(".said")).to_contain_text("was added to the demo MIS")
        expect(page.locator("main")).to_contain_text("It looks fixed")
        expect(page.get_by_role("button", name="Fix in demo MIS")).to_have_count(0)

        page.goto(f"{demo.address}/errors/customer_not_found")
        page.get_by_role("button", name="Fix in demo MIS: add the student").click()
        expect(page.locator(".looks")).to_contain_text(["2 of 4 look fixed"])
        page.goto(f"{demo.address}/errors")
        page.get_by_role("button", name="Fix in the demo: add the product").click()
        mended = page.locator("#fee_category_unmapped")
        expect(mended).to_contain_text("4 of 4 look fixed")
        expect(mended.get_by_role("button", name="Fix in")).to_have_count(0)
