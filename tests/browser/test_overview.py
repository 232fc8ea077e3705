"""Overview in each state: by eye and ear, by keyboard, on a phone, without JavaScript."""

from collections.abc import Callable

from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import Site

Check = Callable[[Page], None]
FIGURES = ("synced", "not_synced", "failed", "in_progress", "total")


def figures(page: Page) -> dict[str, int]:
    """Return the count each tile shows."""
    found = {name: page.locator(f"[data-figure={name}]").inner_text() for name in FIGURES}
    return {name: int(text.replace(",", "")) for name, text in found.items()}


class TestAfterARun:
    def test_says_what_needs_a_person_first(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(demo.address)

        expect(page.get_by_role("heading", level=2).first).to_have_text(
            "12 invoices need attention"
        )
        assert figures(page) == {
            "synced": 1_238,
            "not_synced": 0,
            "failed": 12,
            "in_progress": 0,
            "total": 1_250,
        }
        table = page.get_by_role("table", name="Failed invoices by cause")
        expect(table.get_by_role("row")).to_have_count(4)
        expect(table).to_contain_text("Customer not found")
        expect(page.get_by_text("SIMULATOR", exact=True)).to_be_visible()
        check_accessible(page)

    def test_reads_on_a_phone(self, demo: Site, narrow_page: Page, check_accessible: Check) -> None:
        narrow_page.goto(demo.address)

        narrow_page.locator("summary").filter(has_text="Menu").click()
        expect(narrow_page.get_by_role("link", name="Overview")).to_be_visible()
        check_accessible(narrow_page)

    def test_reads_at_320_pixels_with_text_twice_as_large(
        self, demo: Site, narrow_page: Page, check_accessible: Check
    ) -> None:
        narrow_page.set_viewport_size({"width": 320, "height": 640})
        narrow_page.goto(demo.address)
        check_accessible(narrow_page)

        narrow_page.set_viewport_size({"width": 640, "height": 900})
        narrow_page.evaluate("document.documentElement.className = 'twice'")
        narrow_page.evaluate("document.styleSheets[0].insertRule('html.twice { font-size: 200% }')")
        check_accessible(narrow_page)

    def test_works_without_javascript(self, demo: Site, plain_page: Page) -> None:
        plain_page.goto(demo.address)

        plain_page.get_by_text("Show as table").click()
        expect(
            plain_page.get_by_role("table", name="Invoices by the month of their date")
        ).to_be_visible()

    def test_is_walked_by_keyboard(self, demo: Site, page: Page) -> None:
        page.goto(demo.address)

        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.locator("details.person summary").focus()
        page.keyboard.press("Enter")
        expect(page.locator("details.person").get_by_role("link", name="Help")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("details.person").get_by_role("link", name="Help")).to_be_hidden()
        expect(page.locator("details.person summary")).to_be_focused()

    def test_weighs_little(self, demo: Site, page: Page) -> None:
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - it must be a function of Python

        page.goto(demo.address, wait_until="load")

        sizes = {answer.url: len(answer.body()) for answer in answers}
        assert 50_000 < sum(sizes.values()) < 200_000, sizes


class TestBeforeARun:
    def test_says_how_many_wait_and_for_how_long(
        self, waiting_demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(waiting_demo.address)

        told = figures(page)
        assert told["not_synced"] == told["total"] == 1_250
        ages = page.locator(".ages dd").all_inner_texts()
        assert sum(int(text.replace(",", "")) for text in ages) == 1_250
        check_accessible(page)


class TestLostWays:
    def test_end_inside_the_frame_with_a_way_home(
        self, demo: Site, page: Page, check_accessible: Check
    ) -> None:
        answer = page.goto(f"{demo.address}/no/such/page")

        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
        expect(page.locator("details.person")).to_be_visible()
        check_accessible(page)
        page.get_by_role("link", name="Go to Overview").click()
        expect(page).to_have_title("Overview · Feebridge")
