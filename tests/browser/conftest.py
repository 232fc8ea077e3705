"""A browser that forgives nothing, and universities served to it, for the tests of every screen."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.conftest import REQUIRED
from tests.walks.prepared import sent_copy, waiting_copy
from tests.walks.server import Server, serving
from tests.walks.support import Installation

# The shell has the same engine without the windows around it, which cost more than our pages.
CHROMIUMS: Final = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
PATIENCE_MS: Final = 30_000
WIDE: Final = (1280, 900)
NARROW: Final = (390, 844)
WCAG: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
VIOLATED: Final = """document.addEventListener("securitypolicyviolation", event =>
    console.error("CSP " + event.violatedDirective + " " + event.blockedURI))"""
# A table shown as cards is one to a screen reader by its roles only; marks of code are no words.
ROLES: Final = """() => [...document.querySelectorAll("table.cards, table.cards *")]
    .filter(one => /^(TABLE|THEAD|TBODY|TR|TH|TD)$/.test(one.tagName) && !one.hasAttribute("role"))
    .map(one => one.outerHTML)"""
TICKS: Final = """() => {
    const words = document.querySelector("main").cloneNode(true);
    words.querySelectorAll("code, pre, textarea").forEach(one => one.remove());
    return words.textContent.split("\\n").filter(line => line.includes("`"));
}"""
LOOK: Final = """async tags => {
    const found = await axe.run({runOnly: tags, resultTypes: ["violations"]});
    return found.violations.map(one => [one.id, one.help, ...one.nodes.map(node => node.html)]);
}"""


@dataclass
class Site:
    """A served university.

    Args:
        installation: Its folder; `run` asks its command line.
        server: `feebridge serve`.
    """

    installation: Installation
    server: Server

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"http://localhost:{self.server.port}"


@dataclass
class Watched:
    """What a page did that it must not do."""

    origins: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def said(self, message: ConsoleMessage) -> None:
        """Note an error, but not that an address was answered with a status that says so."""
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.wrong.append(message.text)

    def asked(self, request: Request) -> None:
        """Note a request to anywhere but the first place this page was at."""
        if request.url.startswith(("data:", "blob:")):
            return
        self.origins.add("/".join(request.url.split("/", maxsplit=3)[:3]))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return Chromium, started once."""
    chromium = next((one for one in CHROMIUMS if one.exists()), None)
    if chromium is None:
        if os.environ.get(REQUIRED) == "1":  # noqa: TID251 - the tests' own switch, no setting
            pytest.fail(f"Chromium is not installed, and {REQUIRED}=1 asks for it")
        pytest.skip("Chromium is not installed")
    # As root its sandbox cannot be had; it opens nothing but the pages of these tests.
    with sync_playwright() as browsers:
        opened = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def watched_page(browser: Browser, size: tuple[int, int] = WIDE, **more: Any) -> Iterator[Page]:  # noqa: ANN401 - handed on
    """Yield an empty page; at its end it has asked one place only and complained of nothing."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **more)
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(VIOLATED)
    watched = Watched()
    context.on("console", watched.said)
    context.on("weberror", lambda one: watched.wrong.append(str(one.error)))
    context.on("request", watched.asked)
    yield context.new_page()
    context.close()
    assert watched.wrong == []
    assert len(watched.origins) <= 1, watched.origins


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return an empty page, 1280 wide; it fails on errors and on requests elsewhere."""
    with watched_page(browser) as opened:
        yield opened


@pytest.fixture
def narrow_page(browser: Browser) -> Iterator[Page]:
    """Return a page as wide as a phone."""
    with watched_page(browser, NARROW) as opened:
        yield opened


@pytest.fixture
def plain_page(browser: Browser) -> Iterator[Page]:
    """Return a page without JavaScript."""
    with watched_page(browser, java_script_enabled=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def check_accessible() -> Callable[[Page], None]:
    """Return what holds a page against WCAG 2.2 AA, sideways scrolling, and the marks of code."""

    def check(page: Page) -> None:
        page.wait_for_load_state()  # without its style a page has other sizes
        page.evaluate(AXE_SCRIPT)
        assert page.evaluate(LOOK, WCAG) == []
        assert page.evaluate(ROLES) == []
        assert page.evaluate(TICKS) == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.locator("h1").count() == 1

    return check


@pytest.fixture(scope="session")
def unsent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Return an installation whose 1,250 invoices all wait; tests copy it."""
    return waiting_copy(request, tmp_path_factory)


@pytest.fixture(scope="session")
def sent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return an installation after a full run: 1,238 synced, 12 failed; tests copy it."""
    return sent_copy(request, tmp_path_factory)


@contextmanager
def served(installation: Installation, *words: str) -> Iterator[Site]:
    """Serve an installation."""
    with serving(installation.environment(), *words) as server:
        yield Site(installation, server)


def disconnect(site: Site) -> None:
    """Forget the sign-in of a served university; it comes back when something is sent."""
    told = {"confirm": site.server.get("/api/v1/quickbooks/connection").data["company"]}
    answer = site.server.post("/api/v1/quickbooks/disconnect", told)
    assert answer.status == 200, answer.text


@pytest.fixture(scope="module")
def demo(sent: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a university after a full run, for one file of tests."""
    with served(sent.copied_to(tmp_path_factory.mktemp("demo"))) as site:
        yield site


@pytest.fixture(scope="module")
def waiting_demo(unsent: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a university of which nothing was sent yet, for one file of tests."""
    with served(unsent.copied_to(tmp_path_factory.mktemp("waiting"))) as site:
        yield site
