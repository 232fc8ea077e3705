"""Errors: what failed and why, mended in place, held, taken along; and while something is away."""

import sqlite3
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, disconnect, served
from tests.walks.support import Installation

Check = Callable[[Page], None]
LATER_MS = 90_000  # a bound on what must happen anyway
ACTING = "=1+1|2"


@pytest.fixture(scope="module")
def mended(sent: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a university whose failures these tests mend."""
    own = sent.copied_to(tmp_path_factory.mktemp("mended"))
    with served(own) as site:
        yield site


def failed_ids(site: Site) -> list[int]:
    """Return the invoices that failed for want of a customer, highest first."""
    groups = site.server.get("/api/v1/sync/errors").data["groups"]
    found = next(one for one in groups if one["error_code"] == "customer_not_found")
    ids: list[int] = found["sample_invoice_ids"]
    return ids


class TestErrors:
    def test_are_told_by_cause_the_largest_amount_first(
        self, mended: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{mended.address}/errors")

        titles = page.locator(".cause h2").all_inner_texts()
        assert titles == ["Fee category not mapped", "Customer not found", "Invalid amount"]
        first = page.locator("#customer_not_found")
        expect(first).to_contain_text("0 of 4 look fixed")
        expect(first).to_contain_text("Registry")
        first.get_by_text("Copy list for Registry").click()
        expect(first.locator("pre")).to_contain_text(f"MIS-{failed_ids(mended)[0]}")
        expect(first.get_by_role("button", name="Copy")).to_be_visible()
        check_accessible(page)

    def test_read_on_a_phone_and_without_javascript(
        self, mended: Site, narrow_page: Page, plain_page: Page, check_accessible: Check
    ) -> None:
        narrow_page.goto(f"{mended.address}/errors")
        check_accessible(narrow_page)
        narrow_page.goto(f"{mended.address}/errors/customer_not_found")
        check_accessible(narrow_page)

        plain_page.goto(f"{mended.address}/errors/customer_not_found")
        form = plain_page.locator(".cause")
        form.get_by_text("Hold…").click()
        form.get_by_role("button", name="Hold 4 invoices").click()
        expect(plain_page.get_by_role("alert")).to_contain_text("Write why they are held")

    def test_are_mended_and_green_three_clicks_after_overview(
        self, mended: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(mended.address)

        page.get_by_role("link", name="Fee category not mapped").click()
        page.get_by_label("choose a QuickBooks product").select_option(index=1)
        page.get_by_role("button", name="Save and retry 4").click()

        expect(page.locator(".outcomes .chip-synced")).to_have_count(4, timeout=LATER_MS)
        expect(page.locator("#run-figures")).to_contain_text("finished: 4 synced, 0 failed")
        check_accessible(page)
        page.goto(f"{mended.address}/errors")
        expect(page.locator("#fee_category_unmapped")).to_have_count(0)
        expect(page.locator(".also")).to_contain_text("4 invoices that had failed got into")

    def test_say_which_look_fixed_before_they_are_retried(self, mended: Site, page: Page) -> None:
        one = failed_ids(mended)[0]
        with sqlite3.connect(mended.installation.mis_file) as link:
            code = link.execute("SELECT reg_no FROM tbl_imvoice WHERE id = ?", [one]).fetchone()[0]
            link.execute(
                "INSERT INTO tbl_personal_ug (per_id_ug, reg_no, fname, lname) VALUES (?, ?, ?, ?)",
                [9_999_001, code, "Aline", "Uwera"],
            )

        page.goto(f"{mended.address}/errors")
        page.locator("#customer_not_found").get_by_text("1 of 4 look fixed").wait_for()
        page.get_by_role("button", name="Retry the 1 that looks fixed").click()

        expect(page.locator(".outcomes .chip-synced")).to_have_count(1, timeout=LATER_MS)

    def test_are_held_with_a_reason(self, mended: Site, page: Page) -> None:
        page.goto(f"{mended.address}/errors/invalid_amount")
        page.get_by_text("Hold…").click()
        page.get_by_label("Reason").fill("reversals of last term")
        page.get_by_role("button", name="Hold 4 invoices").click()

        expect(page.locator(".said")).to_have_text(
            "4 invoices are held. No run takes them up until somebody releases them."
        )
        expect(page.locator("tbody .chip-flag")).to_have_count(4)
        expect(page.get_by_role("button", name="Retry")).to_have_count(0)


class TestTheListAsAFile:
    def test_holds_no_formula(
        self, sent: Installation, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        own = sent.copied_to(tmp_path_factory.mktemp("acting"))
        with served(own) as site:
            one = failed_ids(site)[0]
            with sqlite3.connect(own.mis_file) as link:
                link.execute("UPDATE tbl_imvoice SET reg_no = ? WHERE id = ?", [ACTING, one])

            answer = site.server.get("/errors/customer_not_found/list.csv")

        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        lines = answer.text.splitlines()
        assert lines[0].startswith('\ufeff"invoice_id","doc_number","reg_no"')
        assert len(lines) == 5
        assert lines[1].startswith(f'"{one}","MIS-{one}","\'{ACTING}"')


class TestWhileSomethingIsAway:
    def test_one_card_says_that_quickbooks_is_not_connected(
        self, sent: Installation, tmp_path_factory: pytest.TempPathFactory, page: Page
    ) -> None:
        own = sent.copied_to(tmp_path_factory.mktemp("apart"))
        with served(own) as site:
            disconnect(site)
            page.goto(f"{site.address}/errors")

            expect(page.locator(".headline")).to_have_count(1)
            expect(page.locator(".headline")).to_contain_text("Authentication failed")
            expect(
                page.locator("#customer_not_found").get_by_role("button", name="Retry all 4")
            ).to_be_disabled()

    def test_nothing_failed_says_so(
        self, waiting_demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{waiting_demo.address}/errors")

        expect(page.locator(".empty")).to_contain_text("No errors.")
        check_accessible(page)
        page.goto(f"{waiting_demo.address}/errors/customer_not_found")
        expect(page.locator(".empty")).to_contain_text("No invoice has failed with this cause")
        page.goto(f"{waiting_demo.address}/errors/no_such_cause")
        expect(page.get_by_role("heading", level=1)).to_contain_text("There is no cause")
