"""Audit: what it shows of hostile entries, its filters and pages, the chain intact and broken."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from application.store.audit import Actor, Audit, Entry
from application.store.tables import open_store
from application.world import World
from tests.browser.conftest import Site, served
from tests.browser.test_sign_in import added, sign_in
from tests.walks.support import Installation

Check = Callable[[Page], None]
HOSTILE = "<img src=x onerror=alert(1)>\u202e"


def noted(installation: Installation, words: str) -> None:
    """Write an entry about invoice 123 that holds these words wherever it can."""
    world = World()
    with closing(open_store(f"sqlite:///{installation.store_file}", world=world)) as store:
        by = Actor(words, source=words)
        entry = Entry("invoice.held", words, by=by, after={words: words}, invoice_ids=(123,))
        Audit(store, world=world).note(entry)


@pytest.fixture(scope="module")
def audited(sent: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a university after a full run, with an entry somebody meant ill with."""
    own = sent.copied_to(tmp_path_factory.mktemp("audited"))
    noted(own, HOSTILE)
    with served(own) as site:
        yield site


class TestList:
    def test_shows_hostile_words_as_words(
        self, audited: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{audited.address}/audit?about=MIS-123")

        row = page.get_by_role("row").filter(has_text="onerror")
        expect(row).to_contain_text("<img src=x onerror=alert(1)>")
        check_accessible(page)
        row.get_by_role("link").first.click()
        expect(page.get_by_role("table")).to_contain_text(r"\u202e")  # made visible, turns nothing
        assert page.locator("img").count() == 0
        check_accessible(page)

    def test_leads_through_every_entry_and_back_by_key(self, audited: Site, page: Page) -> None:
        page.goto(f"{audited.address}/audit?action=invoice.synced")
        first = page.get_by_role("row").all_text_contents()
        page.get_by_role("link", name="Older").click()
        second = page.get_by_role("row").all_text_contents()
        assert not set(first[1:]) & set(second[1:])
        page.get_by_role("link", name="Newer").click()
        assert page.get_by_role("row").all_text_contents() == first

    def test_is_narrowed_by_what_stands_in_it_without_javascript(
        self, audited: Site, plain_page: Page
    ) -> None:
        plain_page.goto(f"{audited.address}/audit")
        plain_page.get_by_label("Invoice, run or person").fill("run 1")
        plain_page.get_by_label("Action").select_option("Runs")
        plain_page.get_by_role("button", name="Show").click()
        subjects = plain_page.locator("#audit td:nth-child(4)").all_inner_texts()
        assert set(subjects) == {"run 1"}

        plain_page.get_by_role("link", name="Clear filters").click()
        plain_page.get_by_label("Invoice, run or person").fill("nobody-of-that-name")
        plain_page.get_by_role("button", name="Show").click()
        expect(plain_page.get_by_text("No entry matches these filters")).to_be_visible()

    def test_says_which_day_it_cannot_read(
        self, audited: Site, page: Page, check_accessible: Check
    ) -> None:
        answer = page.goto(f"{audited.address}/audit?from=yesterday&about=run+2")

        assert answer is not None
        assert answer.status == 422
        expect(page.get_by_role("alert")).to_be_focused()
        expect(page.get_by_role("link", name="Enter a day like 2025-11-22")).to_be_visible()
        expect(page.get_by_label("Invoice, run or person")).to_have_value("run 2")
        check_accessible(page)

    def test_reads_on_a_phone(
        self, audited: Site, narrow_page: Page, check_accessible: Check
    ) -> None:
        narrow_page.goto(f"{audited.address}/audit")
        check_accessible(narrow_page)
        narrow_page.goto(f"{audited.address}/audit/99")
        check_accessible(narrow_page)

    def test_hands_a_month_over_whole(self, audited: Site, page: Page) -> None:
        page.goto(f"{audited.address}/audit")
        with page.expect_download() as started:
            page.get_by_role("button", name="Export month").click()

        lines = started.value.path().read_text(encoding="utf-8").splitlines()
        assert started.value.suggested_filename.endswith(".ndjson")
        assert json.loads(lines[-1])["entries"] == len(lines) - 1 > 1_000


class TestChain:
    def test_is_walked_when_somebody_asks(self, audited: Site, page: Page) -> None:
        page.goto(f"{audited.address}/audit")
        expect(page.locator("#chain")).to_contain_text("not verified since the server started")

        page.get_by_role("button", name="Verify").click()

        expect(page.locator("#chain-title")).to_have_text(re.compile(r"Chain intact, [\d,]+ entr"))
        page.reload()
        expect(page.locator("#chain-title")).to_contain_text("Chain intact")

    def test_names_the_first_entry_that_was_changed(
        self, sent: Installation, tmp_path_factory: pytest.TempPathFactory, page: Page
    ) -> None:
        own = sent.copied_to(tmp_path_factory.mktemp("forged"))
        with closing(sqlite3.connect(own.store_file)) as store, store:
            for (name,) in store.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
            ).fetchall():
                store.execute(f"DROP TRIGGER {name}")
            store.execute("UPDATE audit SET actor = 'nobody' WHERE id = 1234")
        with served(own) as site:
            page.goto(f"{site.address}/audit")
            page.get_by_role("button", name="Verify").click()

            expect(page.locator("#chain-title")).to_have_text("Chain broken at entry 1234")
            expect(page.locator("#chain")).to_contain_text("changed after it was written")


class TestViewer:
    def test_sees_no_contacts_and_verifies_even_where_nothing_may_be_changed(
        self,
        sent: Installation,
        tmp_path_factory: pytest.TempPathFactory,
        page: Page,
        check_accessible: Check,
    ) -> None:
        own = sent.copied_to(tmp_path_factory.mktemp("viewed"))
        added(own, "mugisha", role="viewer")
        added(own, "Uwase", role="officer")
        with served(own, "--read-only") as site:
            for name, sees in (("mugisha", False), ("uwase", True)):
                sign_in(page, site, name)
                page.goto(f"{site.address}/audit?action=customer.intended")
                page.locator("#audit td a").first.click()
                body = page.get_by_label("What was to be sent")
                expect(body).to_contain_text("GivenName")
                assert ("@students.example.org" in body.inner_text()) is sees
                check_accessible(page)
                page.context.clear_cookies()
            sign_in(page, site, "mugisha")
            page.goto(f"{site.address}/audit")
            page.get_by_role("button", name="Verify").click()
            expect(page.locator("#chain-title")).to_contain_text("Chain intact")
            answer = page.goto(f"{site.address}/demo")
            assert answer is not None
            assert answer.status == 403
