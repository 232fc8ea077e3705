"""Settings: fees mapped with their effect shown first, a schedule, checks, people and keys."""

import re
from collections.abc import Callable
from typing import Final

from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.walks.desk import until

Check = Callable[[Page], None]
TABS: Final = ("mapping", "schedule", "database", "people", "keys", "about")
SCHEDULE: Final = "/api/v1/settings/schedule"
PASSWORD: Final = "mountains of Musanze"  # noqa: S105 - of invented people


def said(page: Page, words: str) -> None:
    expect(page.locator(".said")).to_contain_text(words)


class TestEachTab:
    def test_reads_for_everybody_on_any_screen(
        self, demo: Site, narrow_page: Page, check_accessible: Check
    ) -> None:
        for tab in TABS:
            narrow_page.goto(f"{demo.address}/settings/{tab}")
            expect(narrow_page.locator(".tabs [aria-current=page]")).to_have_count(1)
            check_accessible(narrow_page)


class TestMapping:
    def test_shows_what_a_choice_mends_before_it_is_kept(
        self, demo: Site, plain_page: Page
    ) -> None:
        page = plain_page
        page.goto(f"{demo.address}/settings")
        page.get_by_role("link", name="Show the 1 that is not mapped").click()
        rows = page.get_by_role("table", name="Fee categories in use").get_by_role("row")
        expect(rows).to_have_count(2)
        expect(rows.last).to_contain_text("Caution money")
        page.get_by_role("link", name="Choose Caution money").click()
        page.get_by_label("Product in QuickBooks").select_option(label="Library fee")
        page.get_by_role("button", name="Show what this does").click()

        expect(page.get_by_role("heading", name="Caution money will be sent as")).to_be_visible()
        expect(page.get_by_text("4 failed invoices will be able to go.")).to_be_visible()
        expect(page.get_by_text(re.compile(r"^MIS-\d+$"))).to_be_visible()
        listed = demo.server.get("/api/v1/settings/mapping?unmapped=true").data["mapping"]
        assert [one["fee"] for one in listed] == ["Caution money"]  # nothing is kept yet

        page.get_by_role("button", name="Save: Library fee").click()
        said(page, "Caution money: 4 failed invoices look fixed")
        page.goto(f"{demo.address}/settings/mapping?show=unmapped")
        expect(page.get_by_text("Every fee in use has a product")).to_be_visible()

        page.goto(f"{demo.address}/settings/mapping")
        page.get_by_role("link", name="Choose Caution money").click()
        page.get_by_role("button", name="Go back to the product of the same name").click()
        said(page, "Caution money: the choice holds from the next run on")

    def test_reads_products_again(self, demo: Site, page: Page) -> None:
        page.goto(f"{demo.address}/settings/mapping")
        page.get_by_role("button", name="Read products").click()

        said(page, "products were read from QuickBooks")


class TestSchedule:
    def test_explains_what_is_wrong_at_the_field_and_keeps_what_was_typed(
        self, demo: Site, plain_page: Page
    ) -> None:
        page = plain_page
        page.goto(f"{demo.address}/settings/schedule")
        expect(page.get_by_role("heading", name="No run starts by itself")).to_be_visible()
        page.get_by_label("From").fill("8 pm")
        page.get_by_role("button", name="Save the schedule").click()
        expect(page.locator("#from-wrong")).to_have_text("From must look like 20:00")
        expect(page.get_by_label("From")).to_have_value("8 pm")

        page.get_by_label("By a cron line").check()
        page.get_by_label("Cron line", exact=True).fill("every night")
        page.get_by_label("From").fill("20:00")
        page.get_by_role("button", name="Save the schedule").click()
        expect(page.locator("#cron-wrong")).to_contain_text("needs minute, hour, day")
        page.get_by_label("On these days").check()
        page.get_by_label("Batch size").fill("many")
        page.get_by_role("button", name="Save the schedule").click()
        expect(page.locator("#batch_size-wrong")).to_have_text("Batch size must be a whole number")
        assert demo.server.get(SCHEDULE).data["cron"] is None

    def test_is_set_paused_and_resumed(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{demo.address}/settings/schedule")
        page.get_by_label("Sun", exact=True).uncheck()
        page.get_by_label("Batch size").fill("25")
        page.get_by_role("button", name="Save the schedule").click()

        said(page, "The schedule is saved.")
        expect(page.get_by_role("heading", name="Next run")).to_be_visible()
        kept = demo.server.get(SCHEDULE).data
        assert kept["days"] == ["mon", "tue", "wed", "thu", "fri", "sat"]
        assert (kept["from"], kept["to"], kept["batch_size"]) == ("20:00", "06:00", 25)
        page.get_by_role("button", name="Pause the schedule").click()
        expect(page.get_by_role("heading", name="The schedule is paused")).to_be_visible()
        page.get_by_role("button", name="Save the schedule").click()  # it stays paused
        expect(page.get_by_role("heading", name="The schedule is paused")).to_be_visible()
        check_accessible(page)
        page.get_by_role("button", name="Resume the schedule").click()
        expect(page.get_by_role("heading", name="Next run")).to_be_visible()


class TestLooking:
    def test_shows_what_doctor_finds_and_keeps_it(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{demo.address}/settings/database")
        expect(page.get_by_text("Not looked at yet")).to_be_visible()
        page.get_by_role("button", name="Check the database").click()
        expect(page.locator(".checks")).to_contain_text("tbl_imvoice")

        page.goto(f"{demo.address}/settings/about")
        page.get_by_role("button", name="Run all checks").click()
        said(page, "checks were made; 0 failed")
        page.reload()
        expect(page.locator(".checks")).to_contain_text("chain intact")
        expect(page.locator("tr", has_text="ENCRYPTION_KEYS")).to_contain_text("not set")
        check_accessible(page)
        with page.expect_download() as coming:
            page.get_by_role("link", name="Download the support file").click()
        text = coming.value.path().read_text(encoding="utf-8")
        assert "Packed: versions, checks" in text
        assert "[ok] Audit log: chain intact" in text


class TestPeopleAndKeys:
    """One story in its order: the first person closes the door behind them."""

    def test_the_first_person_is_an_admin_and_stays_one(
        self, waiting_demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{waiting_demo.address}/settings/keys")
        expect(page.get_by_text("Add a person first")).to_be_visible()
        page.get_by_role("link", name="Add the first person").click()
        page.get_by_label("Name").fill("Uwase")
        page.get_by_label("Password", exact=True).fill("short")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.locator("#password-wrong")).to_have_text("Use 12 to 128 characters")
        expect(page.get_by_label("Name")).to_have_value("Uwase")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Add", exact=True).click()

        expect(page).to_have_url(re.compile("/login"))
        page.get_by_label("Name").fill("Uwase")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_title("People · Feebridge")
        self.is_the_last_admin(page)
        self.others_may_less(waiting_demo, page, check_accessible)
        self.a_key_opens_until_it_is_revoked(waiting_demo, page, check_accessible)

    def is_the_last_admin(self, page: Page) -> None:
        page.get_by_role("link", name="Change Uwase").click()
        page.get_by_label("Role").select_option("viewer")
        page.get_by_role("button", name="Change the role").click()
        expect(page.get_by_role("alert")).to_contain_text("This is the last admin")
        expect(page.get_by_role("button", name="Remove")).to_have_count(0)  # nor is that offered
        expect(page.locator("main section").last).to_contain_text("This is the last admin")

    def others_may_less(self, site: Site, page: Page, check_accessible: Check) -> None:
        page.goto(f"{site.address}/settings/people")
        page.get_by_label("Name").fill("mugisha")
        page.get_by_label("Role").select_option("viewer")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Add", exact=True).click()
        said(page, "mugisha may sign in now.")
        check_accessible(page)
        context = page.context.browser.new_context() if page.context.browser else page.context
        other = context.new_page()
        other.goto(f"{site.address}/login")
        other.get_by_label("Name").fill("mugisha")
        other.get_by_label("Password", exact=True).fill(PASSWORD)
        other.get_by_role("button", name="Sign in").click()
        expect(other).to_have_title("Overview · Feebridge")
        answer = other.goto(f"{site.address}/settings/people")
        assert answer is not None
        assert answer.status == 403
        other.goto(f"{site.address}/settings/schedule")
        expect(other.get_by_role("button")).to_have_count(0)
        expect(other.get_by_text("An admin of Feebridge sets the schedule.")).to_be_visible()
        page.get_by_role("link", name="Change mugisha").click()
        page.get_by_label("Password", exact=True).fill(f"{PASSWORD} again")
        page.get_by_role("button", name="Set the password").click()
        said(page, "mugisha has a new password")
        other.goto(f"{site.address}/settings/schedule")
        expect(other).to_have_url(re.compile("/login"))
        context.close()

    def a_key_opens_until_it_is_revoked(
        self, site: Site, page: Page, check_accessible: Check
    ) -> None:
        def status(key: str) -> int:
            return site.server.get(SCHEDULE, headers={"Authorization": f"Bearer {key}"}).status

        page.goto(f"{site.address}/settings/keys")
        page.get_by_label("What it is for").fill("local")
        page.get_by_role("button", name="Make the key").click()
        expect(page.locator("#name-wrong")).to_contain_text("the audit log itself uses")
        page.get_by_label("What it is for").fill("night report")
        page.get_by_role("button", name="Make the key").click()
        key = page.locator("#key").inner_text()
        check_accessible(page)
        assert status(key) == 200
        page.get_by_role("link", name="I have copied it").click()
        assert key not in page.content()
        page.get_by_role("button", name="Revoke").click()
        page.get_by_role("button", name="Revoke").click()
        said(page, "The key night report is revoked.")
        until(lambda: status(key) == 401)
