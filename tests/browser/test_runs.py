"""Runs: started, watched by two at once, steered; a lost view, a server that ends while watched."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import PATIENCE_MS, Site, disconnect, served, watched_page
from tests.walks.desk import slowed, until
from tests.walks.server import Server, serving, start
from tests.walks.support import Installation
from tests.walks.university import University, university

Check = Callable[[Page], None]
SIZE = 130
SLOW_MS = 400  # a run is at work while somebody steers it
KILLED_MS = 400  # with one request at a time, more is to come when the first is seen
WATCHED_MS = 150  # long enough for titles to change while somebody looks
LOOK_MS = 500
OVER_S = 1  # the end of a run has reached a page that watches it live
LATER_MS = 90_000  # a bound on what must happen anyway


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[University]:
    with university(tmp_path_factory.mktemp("runs"), size=SIZE) as place:
        yield place


def address(server: Server) -> str:
    return f"http://localhost:{server.port}"


def start_all(page: Page, server: Server) -> str:
    """Start a run of everything by hand; return the address of its page."""
    page.goto(f"{address(server)}/runs")
    page.get_by_role("button", name=f"All waiting ({SIZE})").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        f"Send {SIZE} invoices to QuickBooks?"
    )
    expect(page.locator("main")).to_contain_text("Demo University (simulator) (SIMULATOR)")
    page.get_by_role("button", name=f"Send {SIZE} invoices").click()
    page.wait_for_url("**/runs/*")
    return page.url


def figures(page: Page) -> dict[str, str]:
    """Return what a run's page shows now."""
    found: dict[str, str] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#run-figures [data-figure]")]
            .map(one => [one.dataset.figure, one.textContent]))"""
    )
    return found


class LateAnswer:
    """Lets the page have an answer only when the run that it shows at work has ended."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.came = False

    def __call__(self, route: Route) -> None:
        answer = route.fetch()
        run_id = int(route.request.url.rpartition("/")[2])
        until(lambda: self._server.run(run_id)["state"] == "finished")
        time.sleep(OVER_S)
        route.fulfill(response=answer)
        self.came = True


@contextmanager
def careless_page(browser: Browser) -> Iterator[Page]:
    """Yield a page whose requests may fail: its server goes away."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS * 2)
    yield context.new_page()
    context.close()


class TestARunWatchedLive:
    def test_says_the_same_to_two_browsers_without_being_asked(
        self, place: University, browser: Browser, page: Page, check_accessible: Check
    ) -> None:
        with (
            serving(place.environment()) as server,
            slowed(place, latency_ms=WATCHED_MS),
            watched_page(browser) as other,
        ):
            where = start_all(page, server)
            other.goto(where)
            for one in (page, other):
                one.evaluate("""() => {
                    window.titles = new Set();
                    new MutationObserver(() => window.titles.add(document.title))
                        .observe(document.head, {childList: true, subtree: true});
                }""")
            for one in (page, other):  # a title changes twice, and nobody asked for it
                until(lambda one=one: one.evaluate("window.titles.size") > 1)  # type: ignore[misc]  # bound now
            check_accessible(page)
            for one in (page, other):
                expect(one.locator("#run-figures")).to_contain_text("finished:", timeout=LATER_MS)
            run_id = int(where.rpartition("/")[2])
            run = server.run(run_id)

            assert figures(page) == figures(other)
            assert figures(page)["synced"] == f"{run['successful']:,}"
            assert figures(page)["failed"] == str(run["failed"])
            expect(page).to_have_title(f"Run {run_id} · Feebridge")
            retry = page.get_by_role("button", name=f"Retry the {run['failed']} failed")
            expect(retry).to_be_visible()
            check_accessible(page)
            retry.click()  # what fails again is told as it ends
            expect(page.locator("#run-figures")).to_contain_text("finished:", timeout=LATER_MS)

    def test_is_asked_for_every_five_seconds_where_its_view_is_lost(
        self, place: University, browser: Browser
    ) -> None:
        with (
            serving(place.environment()) as server,
            slowed(place, latency_ms=SLOW_MS),
            careless_page(browser) as page,
        ):
            page.route("**/stream", lambda route: route.abort())
            start_all(page, server)

            note = page.locator("[data-live-note]")
            expect(note).to_have_text("Live view lost, updating every 5 s.", timeout=LATER_MS)
            expect(page.locator("#run-figures")).to_contain_text("finished:", timeout=LATER_MS)
            expect(note).to_be_hidden()
            expect(page.get_by_role("button", name="Pause")).to_have_count(0)

    def test_goes_on_by_itself_after_its_server_was_killed(
        self, place: University, browser: Browser
    ) -> None:
        server = start(place.environment() | {"IN_FLIGHT_MAX": "1"})
        with careless_page(browser) as page, slowed(place, latency_ms=KILLED_MS):
            where = start_all(page, server)
            server.until_met(int(where.rpartition("/")[2]), least=1)
            server.kill()
            note = page.locator("[data-live-note]")
            expect(note).to_have_text("Live view lost, updating every 5 s.", timeout=LATER_MS)
            with serving(place.environment(), "--port", str(server.port)) as again:
                late = LateAnswer(again)
                page.route(where, late, times=1)
                expect(note).to_have_text("Live again.", timeout=LATER_MS)
                expect(page.locator("#run-figures")).to_contain_text(
                    "resumed by itself at", timeout=LATER_MS
                )
                for _ in range(LATER_MS // LOOK_MS):
                    if late.came:
                        break
                    page.wait_for_timeout(LOOK_MS)
                assert late.came
                page.wait_for_timeout(LOOK_MS)  # for it to be shown
                expect(page.locator("#run-figures")).to_contain_text("finished:", timeout=LATER_MS)
        assert place.look().problems == []


class TestSteering:
    def test_pauses_resumes_and_stops_without_javascript(
        self, place: University, plain_page: Page
    ) -> None:
        with serving(place.environment()) as server, slowed(place, latency_ms=SLOW_MS):
            where = start_all(plain_page, server)
            run_id = int(where.rpartition("/")[2])
            expect(plain_page.get_by_role("link", name="Refresh")).to_be_visible()

            plain_page.get_by_role("button", name="Pause").click()
            expect(plain_page.locator(".said")).to_contain_text("pauses after the requests in hand")
            server.until(run_id, "paused")
            plain_page.get_by_role("link", name="Refresh").click()
            expect(plain_page.locator("#run-figures")).to_contain_text("Paused by a person")
            expect(plain_page.locator("#run-figures")).not_to_contain_text("The run goes on")

            plain_page.goto(f"{address(server)}/runs")
            expect(plain_page.locator(".off-line")).to_contain_text(f"Run {run_id} is still active")
            expect(plain_page.get_by_role("button", name="Batch of 50")).to_be_disabled()

            plain_page.goto(where)
            plain_page.get_by_role("button", name="Resume").click()
            expect(plain_page.locator(".said")).to_contain_text("goes on")
            plain_page.get_by_role("button", name="Stop").click()
            server.until(run_id, "cancelled")
            plain_page.goto(where)
            expect(plain_page.locator("#run-figures")).to_contain_text("was stopped:")


class TestTheList:
    def test_is_empty_at_first_and_says_how_to_begin(
        self, waiting_demo: Site, page: Page, check_accessible: Check
    ) -> None:
        page.goto(f"{waiting_demo.address}/runs")

        expect(page.locator(".empty")).to_contain_text("No runs yet")
        expect(page.locator("#start")).to_contain_text("1,250 invoices wait")
        check_accessible(page)

    def test_takes_no_number_that_is_none(self, waiting_demo: Site, page: Page) -> None:
        for number, told in (("abc", "Enter the number"), ("99999999", "no such invoice")):
            page.goto(f"{waiting_demo.address}/runs")
            page.get_by_label("One invoice").fill(number)
            page.get_by_role("button", name="Send this one").click()
            expect(page.get_by_role("alert")).to_contain_text(told)
            expect(page.get_by_label("One invoice")).to_have_value(number)

    def test_sends_nothing_while_quickbooks_is_not_connected(
        self, unsent: Installation, tmp_path_factory: pytest.TempPathFactory, page: Page
    ) -> None:
        own = unsent.copied_to(tmp_path_factory.mktemp("apart"))
        with served(own) as site:
            disconnect(site)
            page.goto(f"{site.address}/runs")

            expect(page.locator(".off-line")).to_contain_text("QuickBooks is not connected")
            for name in ("Batch of 50", "All waiting (1,250)", "Send this one"):
                expect(page.get_by_role("button", name=name)).to_be_disabled()

    def test_is_filtered_and_read_on_a_phone(
        self, demo: Site, narrow_page: Page, check_accessible: Check
    ) -> None:
        narrow_page.goto(f"{demo.address}/runs")
        expect(narrow_page.get_by_role("link", name="Run 1")).to_be_visible()
        check_accessible(narrow_page)

        narrow_page.get_by_label("State").select_option("paused")
        narrow_page.get_by_role("button", name="Show").click()
        expect(narrow_page.locator(".empty")).to_contain_text("No run matches this filter")
        narrow_page.goto(f"{demo.address}/runs/1")
        check_accessible(narrow_page)
