"""Screens in rare states: what is offered there, and what is said."""

import pytest
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


class TestOnAPhone:
    def test_the_head_takes_one_line_with_its_badge(self, demo: Site, narrow_page: Page) -> None:
        narrow_page.goto(demo.address)

        tops = [narrow_page.locator(one).bounding_box() for one in (".menu.small", ".menu.person")]
        assert tops[0]
        assert tops[1]
        assert tops[0]["y"] == tops[1]["y"]

    def test_labels_and_captions_are_read_in_one_go(self, demo: Site, narrow_page: Page) -> None:
        narrow_page.goto(f"{demo.address}/settings/schedule")
        label = narrow_page.get_by_text("On these days, at the time below").bounding_box()
        assert label
        assert label["height"] < 60
        narrow_page.goto(f"{demo.address}/errors/customer_not_found")
        caption = narrow_page.locator("caption").bounding_box()
        assert caption
        assert caption["height"] < 60


class TestNoSuchAddress:
    @pytest.mark.parametrize("path", ["/runs/abc", "/settings/mapping/abc"])
    def test_is_said_of_a_number_that_is_none(self, demo: Site, page: Page, path: str) -> None:
        answer = page.goto(demo.address + path)

        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
