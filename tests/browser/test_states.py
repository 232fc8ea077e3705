"""Screens in rare states: to who only looks, without a company, an invoice or a run that came."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, disconnect, served
from tests.browser.test_sign_in import added, sign_in
from tests.walks.support import Installation

Check = Callable[[Page], None]
Factory = pytest.TempPathFactory
MISSING = 123  # its student is not in the MIS
DAYS_US = timedelta(days=5) // timedelta(microseconds=1)


@pytest.fixture(scope="module")
def apart(sent: Installation, tmp_path_factory: Factory) -> Iterator[Site]:
    """Serve a university after a full run whose company is disconnected."""
    with served(sent.copied_to(tmp_path_factory.mktemp("apart"))) as site:
        disconnect(site)
        yield site


@pytest.fixture(scope="module")
def looked_at(sent: Installation, tmp_path_factory: Factory) -> Iterator[Site]:
    """Serve a university to an admin and to somebody who may only look."""
    own = sent.copied_to(tmp_path_factory.mktemp("looked-at"))
    added(own, "Uwase", role="admin")
    added(own, "mugisha", role="viewer")
    with served(own) as site:
        yield site


class TestDisconnected:
    def test_says_that_nothing_waits_instead_of_counting_none(
        self, apart: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(apart.address)
        expect(page.locator(".headline")).to_contain_text("Nothing is lost")
        expect(page.locator("main")).not_to_contain_text("0 invoices stay")
        check_accessible(page)

        page.goto(f"{apart.address}/connection")
        expect(page.locator("main")).not_to_contain_text("0 invoices are waiting")
        page.goto(f"{apart.address}/runs")
        expect(page.locator("#start")).to_contain_text("Nothing waits.")
        expect(page.locator("#start")).not_to_contain_text("company not read")
        expect(page.get_by_label("State")).to_contain_text("Waits for QuickBooks")

    def test_leads_to_connecting_from_a_page_that_needs_a_company(
        self, apart: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{apart.address}/settings/mapping/5")

        check_accessible(page)
        page.get_by_role("link", name="Connect QuickBooks").click()
        expect(page).to_have_url(f"{apart.address}/connection")

    def test_says_which_of_both_sides_keeps_a_button_off(self, apart: Site, page: Page) -> None:
        for path in ("/invoices?status=failed", f"/invoices/{MISSING}"):
            page.goto(apart.address + path)
            expect(page.locator(".off-why").first).to_have_text("QuickBooks is not connected.")


class TestWhoOnlyLooks:
    def test_is_offered_nothing_that_would_be_refused(
        self, looked_at: Site, page: Page, check_accessible: Check
    ) -> None:
        sign_in(page, looked_at, "mugisha")
        for path in ("/errors", "/errors/fee_category_unmapped", "/send", f"/invoices/{MISSING}"):
            page.goto(looked_at.address + path)
            expect(page.locator("main form[method=post]")).to_have_count(0)

        page.goto(f"{looked_at.address}/setup")
        for name in ("Map fees", "Set the schedule"):
            expect(page.get_by_role("link", name=name)).to_have_count(0)
        check_accessible(page)
        for path in ("/connection", "/settings/database", "/settings/about"):
            page.goto(looked_at.address + path)
            expect(page.locator(".empty")).to_contain_text("An officer or an admin looks")


class TestNoInvoiceAtAll:
    def test_is_said_where_one_would_send(
        self, unsent: Installation, tmp_path_factory: Factory, page: Page, check_accessible: Check
    ) -> None:
        own = unsent.copied_to(tmp_path_factory.mktemp("empty"))
        with closing(sqlite3.connect(own.mis_file)) as mis, mis:
            mis.execute("DELETE FROM tbl_imvoice")
        with served(own) as site:
            page.goto(f"{site.address}/send")
            expect(page.locator(".empty")).to_contain_text("No invoices found in tbl_imvoice")
            check_accessible(page)
            page.goto(f"{site.address}/runs")
            expect(page.locator("#start")).to_contain_text("Nothing waits.")


class TestTheMisIsAway:
    def test_a_page_that_needs_it_says_so_and_can_be_tried_again(
        self, unsent: Installation, tmp_path_factory: Factory, page: Page, check_accessible: Check
    ) -> None:
        own = unsent.copied_to(tmp_path_factory.mktemp("away"))
        aside = own.mis_file.with_suffix(".aside")
        with served(own) as site:
            own.mis_file.rename(aside)
            page.goto(f"{site.address}/invoices/{MISSING}")
            expect(page.get_by_role("link", name="Try again")).to_be_visible()
            check_accessible(page)
            page.get_by_role("link", name="Try again").click()
            expect(page.get_by_role("link", name="Try again")).to_be_visible()

            aside.rename(own.mis_file)
            page.get_by_role("link", name="Try again").click()
            expect(page.get_by_role("heading", level=1)).to_contain_text(f"MIS-{MISSING}")
            expect(page).to_have_url(f"{site.address}/invoices/{MISSING}")


class TestOverdue:
    def test_says_what_did_not_happen_and_who_sees_to_it(
        self, unsent: Installation, tmp_path_factory: Factory, page: Page, check_accessible: Check
    ) -> None:
        own = unsent.copied_to(tmp_path_factory.mktemp("overdue"))
        with served(own) as site:
            asked = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "20:00"}
            assert site.server.ask("PUT", "/api/v1/settings/schedule", body=asked).status == 200
            with closing(sqlite3.connect(own.store_file)) as store, store:
                store.execute("UPDATE schedules SET changed_at = changed_at - ?", [DAYS_US])

            page.goto(site.address)

            expect(page.locator(".headline h2")).to_have_text(
                "Runs are overdue; 1,250 invoices wait"
            )
            expect(page.locator(".headline")).to_contain_text("IT: see that feebridge serve keeps")
            check_accessible(page)


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
