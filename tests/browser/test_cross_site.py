"""A page of another site, in a real browser: whatever it sends reaches nothing behind the guard."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page
from typing_extensions import override

from application.services.roles import Role
from tests.rooms.guard_support import BATCH, STATUS, Site, site_on, until
from tests.rooms.store_support import rooms_on

PATIENCE_MS: Final = 30_000
EVIL: Final = """<!doctype html><meta charset="utf-8"><title>evil</title>
<form id="form" method="post" target="frame">
<input name="{&quot;a&quot;:&quot;" value="&quot;}"></form>
<iframe name="frame" title="frame"></iframe>"""

# Each way a page can send something; they end when the browser has done with it.
WAYS: Final = {
    "form": """address => new Promise(done => {
        const form = document.getElementById("form");
        document.querySelector("iframe").onload = () => done();
        form.action = address; form.enctype = "text/plain"; form.submit(); })""",
    "form sent as usual": """address => new Promise(done => {
        const form = document.getElementById("form");
        document.querySelector("iframe").onload = () => done();
        form.action = address; form.submit(); })""",
    "plain fetch": """address => fetch(address, {method: "POST", mode: "no-cors",
        body: "{}"}).then(() => "sent", wrong => "failed")""",
    "fetch as JSON": """address => fetch(address, {method: "POST", mode: "cors",
        headers: {"Content-Type": "application/json"}, body: "{}"})
        .then(() => "read", wrong => "failed")""",
    "fetch with a key": """address => fetch(address, {method: "POST", mode: "cors",
        headers: {"Authorization": "Bearer fb_1_x"}}).then(() => "read", wrong => "failed")""",
    "fetch without referrer": """address => fetch(address, {method: "POST", mode: "no-cors",
        referrerPolicy: "no-referrer", credentials: "include"})
        .then(() => "sent", () => "failed")""",
    "beacon": """address => navigator.sendBeacon(address, "{}")""",
    "beacon as JSON": """address => { try { return navigator.sendBeacon(address,
        new Blob(["{}"], {type: "application/json"})) } catch { return false } }""",
    "hidden page": """address => new Promise(done => {
        const frame = document.createElement("iframe");
        frame.sandbox = "allow-forms allow-scripts";
        frame.srcdoc = `<form method="post" action="${address}"></form>
            <script>document.forms[0].submit()<\\/script>`;
        frame.onload = () => setTimeout(done, 300); document.body.append(frame); })""",
    "put": """address => fetch(address, {method: "PUT", mode: "cors", body: "{}"})
        .then(() => "read", () => "failed")""",
}
READING: Final = {
    "image": """address => new Promise(done => { const image = new Image();
        image.onload = () => done("read"); image.onerror = () => done("failed");
        image.src = address; })""",
    "fetch": """address => fetch(address, {mode: "cors"}).then(() => "read", () => "failed")""",
    "script": """address => new Promise(done => { const one = document.createElement("script");
        one.onload = () => done("read"); one.onerror = () => done("failed");
        one.src = address; document.body.append(one); })""",
}


class _Evil(BaseHTTPRequestHandler):
    """The page of another site."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(EVIL.encode())

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return an empty page that may go anywhere."""
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page


@pytest.fixture
def evil() -> Iterator[str]:
    """Return the address of a page on another port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Evil)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    url = f"sqlite:///{tmp_path}/own/store.db"
    with (
        rooms_on(url, locks=tmp_path / "locks") as rooms,
        site_on(rooms, folder=tmp_path) as opened,
    ):
        yield opened


class TestForeignPage:
    @pytest.mark.parametrize("named", ["127.0.0.1", "localhost"])
    def test_changes_nothing_whatever_it_sends(
        self, site: Site, page: Page, evil: str, named: str
    ) -> None:
        """From the same host it is the same site to a browser, and still not the same origin."""
        address = f"http://{named}:{site.port}{BATCH}"
        for number, (way, script) in enumerate(WAYS.items(), start=1):
            page.goto(f"http://{evil}/{number}")
            before = len(site.answered())
            assert page.evaluate(script, address) != "read", way
            if way != "beacon as JSON":  # a browser may keep that one to itself
                until(lambda least=before: len(site.answered()) > least)

        assert site.inner.calls == []
        assert set(site.answered()) <= {403, 405}
        assert {403, 405} <= set(site.answered())

    def test_reads_nothing(self, site: Site, page: Page, evil: str) -> None:
        address = f"http://127.0.0.1:{site.port}{STATUS}"
        page.goto(f"http://{evil}/")

        for way, script in READING.items():
            assert page.evaluate(script, address) == "failed", way

        assert site.inner.changes == []

    def test_changes_nothing_where_keys_are_needed(self, site: Site, page: Page, evil: str) -> None:
        site.key(Role.ADMIN)
        address = f"http://127.0.0.1:{site.port}{BATCH}"
        page.goto(f"http://{evil}/")

        page.evaluate(WAYS["form"], address)
        page.evaluate(WAYS["plain fetch"], address)

        until(lambda: len(site.answered()) > 1)  # a form is sent after the page has moved on
        assert site.answered() == [403, 403]
        assert site.inner.calls == []

    def test_under_a_name_of_its_own_that_leads_to_us_is_refused(
        self, site: Site, page: Page
    ) -> None:
        """Any name below `localhost` leads a browser to this machine, as a rebound one would."""
        answer = page.goto(f"http://evil.localhost:{site.port}{STATUS}")

        assert answer is not None
        assert (answer.status, answer.json()["error_code"]) == (400, "host_refused")
        assert site.inner.calls == []


class TestOwnPage:
    def test_may_ask_and_change(self, site: Site, page: Page) -> None:
        """So the refusals above are for being foreign, not for being a browser."""
        page.goto(f"http://127.0.0.1:{site.port}{STATUS}")

        page.evaluate(WAYS["fetch as JSON"], BATCH)

        assert site.inner.changes == [("POST", BATCH, b"{}")]
