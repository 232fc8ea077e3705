"""Invoices in a browser: found, understood, retried, held, by mouse, by key and on a phone."""

import csv
import io
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Site

Check = Callable[[Page], None]
FAILED = "/invoices?status=failed"
MISSING = 123  # its student is not in the MIS
EXTRA = 733


def rows(page: Page) -> Locator:
    """Return the numbers on the page."""
    return page.locator("table.invoices tbody a[href^='/invoices/']")


def add_student(site: Site, invoice_id: int) -> None:
    """Let the registry add the student of an invoice."""
    with closing(sqlite3.connect(site.installation.mis_file)) as mis, mis:
        mis.execute(
            "INSERT INTO tbl_personal_ug (reg_no, fname, lname)"
            " SELECT reg_no, 'Aline', 'Uwase' FROM tbl_imvoice WHERE id = ?",
            (invoice_id,),
        )


class TestList:
    def test_counts_by_status_and_narrows(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{demo.address}/invoices")

        tabs = page.get_by_role("navigation", name="Status")
        expect(tabs.get_by_role("link", name="All 1,250")).to_be_visible()
        expect(page.get_by_text("50 shown of 1,250")).to_be_visible()
        check_accessible(page)

        tabs.get_by_role("link", name="Failed 12").click()
        expect(rows(page)).to_have_count(12)
        page.get_by_label("Search").fill("MIS-123")
        page.keyboard.press("Enter")
        expect(rows(page)).to_have_text(["MIS-123"])
        assert "q=MIS-123" in page.url
        assert "status=failed" in page.url
        page.get_by_role("link", name="Clear filters").click()
        expect(page).to_have_url(f"{demo.address}/invoices")

    def test_turns_pages_both_ways_and_ends_where_it_began(self, demo: Site, page: Page) -> None:
        page.goto(f"{demo.address}/invoices?per=25")
        first = rows(page).all_inner_texts()
        page.get_by_role("link", name="Older").click()
        expect(rows(page).first).not_to_have_text(first[0])
        second = rows(page).all_inner_texts()
        page.get_by_role("link", name="Older").click()
        expect(rows(page).first).not_to_have_text(second[0])
        page.get_by_role("link", name="Newer").click()
        expect(rows(page)).to_have_text(second)
        page.get_by_role("link", name="Newer").click()

        expect(rows(page)).to_have_text(first)
        assert len({*first, *second}) == 50
        expect(page.get_by_role("link", name="Newer")).to_have_count(0)

    def test_says_what_is_wrong_and_keeps_what_was_written(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{demo.address}/invoices?q=ab&from=2025-12-01&to=2025-11-01")

        problems = page.get_by_role("alert")
        expect(problems).to_contain_text("Search for at least 3 characters")
        expect(problems).to_contain_text("The first day is after the last day")
        expect(page.get_by_label("Search")).to_have_value("ab")
        check_accessible(page)
        page.goto(f"{demo.address}{FAILED}&q=25/999")
        expect(page.get_by_text("No invoice matches: Failed, 25/999")).to_be_visible()

    def test_reads_on_a_phone(self, demo: Site, narrow_page: Page, check_accessible: Check) -> None:
        narrow_page.goto(f"{demo.address}{FAILED}")
        check_accessible(narrow_page)
        narrow_page.goto(f"{demo.address}/invoices/{MISSING}?status=failed")
        check_accessible(narrow_page)


class TestFiles:
    def test_csv_holds_all_that_fit_and_no_formula(self, demo: Site) -> None:
        with closing(sqlite3.connect(demo.installation.mis_file)) as mis, mis:
            mis.execute("UPDATE tbl_imvoice SET reg_no = '=1+1' WHERE id = 401")

        answer = demo.server.get("/invoices.csv?status=failed")

        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.text.startswith("\ufeffinvoice_id,doc_number,reg_no,student,fee,amount,")
        lines = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert len(lines) == 12
        by_id = {line["invoice_id"]: line for line in lines}
        assert by_id["401"]["reg_no"] == "'=1+1"
        assert (by_id["401"]["amount"], by_id["401"]["currency"]) == ("120000.00", "RWF")
        assert by_id["123"]["error_code"] == "customer_not_found"
        whole = demo.server.get("/invoices.csv").text
        assert len(list(csv.reader(io.StringIO(whole)))) == 1_251

    def test_excel_holds_typed_cells(self, demo: Site, page: Page) -> None:
        page.goto(f"{demo.address}{FAILED}")

        with page.expect_download() as waited:
            page.get_by_role("link", name="Excel").click()

        with zipfile.ZipFile(waited.value.path()) as book:
            sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert sheet.count("<row ") == 13
        assert "<f>" not in sheet
        assert "<v>123</v>" in sheet
        assert "customer_not_found" in sheet


class TestOne:
    def test_tells_why_and_marks_the_field(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{demo.address}{FAILED}")
        page.get_by_role("link", name="MIS-123", exact=True).click()

        expect(page.get_by_role("heading", level=1)).to_contain_text("MIS-123")
        story = page.get_by_role("region", name="What happened, and what to do")
        expect(story).to_contain_text("Customer not found")
        expect(story).to_contain_text("Registry")
        expect(story).to_contain_text("a retry cannot create a duplicate")
        expect(page.locator(".at-fault dt")).to_have_text(["reg_no", "CustomerRef"])
        check_accessible(page)
        page.get_by_role("link", name="Newer").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("MIS-142")
        expect(page.get_by_role("link", name="Invoices: Failed")).to_be_visible()

    def test_goes_to_quickbooks_once_its_cause_is_gone(self, demo: Site, page: Page) -> None:
        add_student(demo, EXTRA)
        page.goto(f"{demo.address}/invoices/{EXTRA}")
        expect(page.get_by_text("It looks fixed")).to_be_visible()

        page.get_by_role("button", name="Retry now").click()

        expect(page.locator("h1 .chip")).to_have_text("Synced")
        expect(page.get_by_role("region", name="In QuickBooks")).to_contain_text("same")
        page.get_by_role("button", name="Read it in QuickBooks (1 read)").click()
        expect(page.locator(".looked")).to_contain_text(f"MIS-{EXTRA}")
        expect(page.locator(".looked .differs")).to_have_count(0)
        page.get_by_text("JSON sent to QuickBooks").click()
        expect(page.get_by_text('\\"DocNumber\\"').first).to_be_visible()

    def test_that_does_not_exist_shows_a_way_on(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        answer = page.goto(f"{demo.address}/invoices/99999999")

        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "The MIS has no invoice 99999999."
        )
        check_accessible(page)
        page.get_by_label("Search").fill("MIS-123")
        page.keyboard.press("Enter")
        expect(rows(page)).to_have_text(["MIS-123"])


class TestSeveral:
    def test_are_held_and_released_without_javascript(self, demo: Site, plain_page: Page) -> None:
        page = plain_page
        page.goto(f"{demo.address}{FAILED}")
        page.get_by_label("Pick MIS-142").check()
        page.get_by_label("Pick MIS-205").check()
        page.get_by_role("button", name="Hold selected").click()
        page.get_by_role("button", name="Hold 2 invoices").click()
        expect(page.get_by_role("alert")).to_contain_text("Write why")
        page.get_by_label("Reason").fill("waiting for the scholarship letter")
        page.get_by_role("button", name="Hold 2 invoices").click()

        expect(page.get_by_text("2 invoices are held now.")).to_be_visible()
        page.goto(f"{demo.address}/invoices?flag=held")
        expect(rows(page)).to_have_text(["MIS-205", "MIS-142"])
        page.get_by_role("link", name="MIS-142").click()
        page.get_by_role("button", name="Release").click()
        expect(page.get_by_text("Released: the next run may take it.")).to_be_visible()

    def test_are_retried_after_a_question(self, demo: Site, page: Page) -> None:
        page.goto(f"{demo.address}{FAILED}&cause=invalid_amount")
        page.get_by_role("button", name="Retry selected").click()
        expect(page.get_by_role("alert")).to_contain_text("Pick at least one invoice")
        page.get_by_label("Pick all on this page").check()
        page.get_by_role("button", name="Retry selected (4)").click()

        expect(page.get_by_role("heading", level=1)).to_have_text("Retry 4 invoices?")
        expect(page.get_by_text("Demo University")).to_have_count(2)
        page.get_by_role("button", name="Retry 4 invoices").click()
        expect(page.get_by_text("has begun")).to_be_visible()


class TestSending:
    def test_shows_what_would_go_and_sends_ten(
        self, waiting_demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{waiting_demo.address}/send")
        expect(page.get_by_text("1,250").first).to_be_visible()
        table = page.get_by_role("table", name="What goes first")
        expect(table.get_by_role("row")).to_have_count(11)
        check_accessible(page)

        page.get_by_role("button", name="Send 10 invoices").click()

        told = page.get_by_role("status").get_by_text("has begun").inner_text()
        waiting_demo.server.until(int(told.split()[1]), "finished")
        page.goto(f"{waiting_demo.address}/invoices?status=synced")
        expect(page.locator("table.invoices tbody tr")).to_have_count(10)

    def test_asks_once_more_before_many_go(self, waiting_demo: Site, plain_page: Page) -> None:
        plain_page.goto(f"{waiting_demo.address}/send")
        plain_page.locator("button[value=all]").click()

        expect(plain_page.get_by_role("heading", level=1)).to_contain_text("to QuickBooks?")
        expect(plain_page.get_by_text("Demo University (simulator) (SIMULATOR)")).to_be_visible()
        plain_page.get_by_role("link", name="Back, change nothing").click()
        expect(plain_page.get_by_role("heading", level=1)).to_have_text("Send to QuickBooks")
