"""`feebridge connect` against a sandbox: the browser comes back, or the address is pasted."""

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from application import wiring
from application.embedded import Place
from application.store.tokens import new_key
from tests.quick import Quick
from tests.rooms.simulator_support import RunningSimulator
from tests.walks.server import serving
from tests.walks.support import PATIENCE_S, TOOL, Done, Installation

OPEN = "Open "
BOOKS = "/api/v1/quickbooks"
OTHER_ID = "9130347999"


class Sandbox:
    """An installation whose keys, MIS and address are those of Intuit's test company."""

    def __init__(self, folder: Path, simulator: RunningSimulator) -> None:
        self.simulator = simulator
        self.port = free_port()
        self.redirect = f"http://localhost:{self.port}/api/v1/quickbooks/callback"
        self._installation = Installation(folder)
        self._settings = {
            "MIS_DATABASE_URL": f"sqlite:///{folder / 'mis.db'}",
            "QUICKBOOKS_ENVIRONMENT": "sandbox",
            "QUICKBOOKS_CLIENT_ID": simulator.client_id,
            "QUICKBOOKS_CLIENT_SECRET": simulator.client_secret,
            "QUICKBOOKS_REDIRECT_URI": self.redirect,
            "QUICKBOOKS_API_URL": simulator.url,
            "QUICKBOOKS_AUTHORIZE_URL": f"{simulator.url}/connect/oauth2",
            "QUICKBOOKS_TOKEN_URL": f"{simulator.url}/oauth2/v1/tokens/bearer",
            "QUICKBOOKS_REVOKE_URL": f"{simulator.url}/v2/oauth2/tokens/revoke",
            "ENCRYPTION_KEYS": new_key(),
        }

    def environment(self) -> dict[str, str]:
        return self._installation.environment(self._settings)

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command with a line to its stdin."""
        return Quick(
            [sys.executable, str(TOOL), *words],
            cwd=self._installation.folder,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # what a reader here read ahead, `communicate` would not find
        )

    def run(self, *words: str) -> Done:
        return self._installation.run(*words, settings=self._settings)

    def approved(
        self, child: "subprocess.Popen[bytes]", *, auto: str = "approve", realm: str = ""
    ) -> str:
        """Press a button at the address the command prints; return where QuickBooks leads."""
        assert child.stderr is not None
        line = child.stderr.readline().decode()
        while not line.startswith(OPEN):
            assert line
            line = child.stderr.readline().decode()
        return self.pressed(line.removeprefix(OPEN).split()[0], auto=auto, realm=realm)

    def pressed(self, address: str, *, auto: str = "approve", realm: str = "") -> str:
        """Press a button at QuickBooks' address; return where it leads."""
        where = urlsplit(address)
        at = f"&realm={realm}" if realm else ""
        reply = self.simulator.call("GET", f"{where.path}?{where.query}&auto={auto}{at}")
        return reply.headers["location"]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def visit(address: str) -> tuple[int, dict[str, str], str]:
    """Open an address as a browser would, without following."""
    where = urlsplit(address)
    link = http.client.HTTPConnection("127.0.0.1", where.port, timeout=30)
    try:
        link.request("GET", where.path + (f"?{where.query}" if where.query else ""))
        answer = link.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read().decode()
    finally:
        link.close()


def end_of(child: "subprocess.Popen[bytes]", *, typed: str = "") -> Done:
    out, err = child.communicate(typed.encode(), timeout=PATIENCE_S)
    return Done(child.returncode, out.decode(), err.decode())


@contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    place = Place(folder=tmp_path, demo=False)
    wiring.make_demo_mis(f"sqlite:///{tmp_path / 'mis.db'}", profile="fresh", size=20, place=place)
    with RunningSimulator.start(environment="sandbox") as simulator:
        yield Sandbox(tmp_path, simulator)


class TestTheBrowser:
    def test_that_comes_back_connects_the_company(self, sandbox: Sandbox) -> None:
        child = sandbox.start("connect")
        address = sandbox.approved(child)
        came = until_open(address)
        page = visit(f"http://localhost:{sandbox.port}{came[1]['location']}")
        done = end_of(child)

        assert done.code == 0, done.err
        assert done.out.startswith("Connected: Demo University (simulator) (SANDBOX). Reconnect by")
        assert (came[0], came[2]) == (302, "")
        assert came[1]["referrer-policy"] == "no-referrer"
        assert (page[0], "Go back to the terminal" in page[2]) == (200, True)
        secrets = [part.partition("=")[2] for part in urlsplit(address).query.split("&")]
        assert [one for one in secrets if one in done.out + done.err + page[2]] == []
        found = sandbox.run("status", "--json").json["data"]["quickbooks"]
        assert found["company"] == "Demo University (simulator)"

    def test_whose_person_cancels_ends_the_command(self, sandbox: Sandbox) -> None:
        child = sandbox.start("connect")
        until_open(sandbox.approved(child, auto="deny"))
        done = end_of(child)

        assert done.code == 4
        assert "somebody pressed Cancel in QuickBooks" in done.err

    def test_of_others_is_not_heard(self, sandbox: Sandbox) -> None:
        child = sandbox.start("connect")
        address = sandbox.approved(child)
        icon = until_open(f"http://localhost:{sandbox.port}/favicon.ico")
        knock = visit(sandbox.redirect)
        visit(address)
        done = end_of(child)

        assert (icon[0], knock[0]) == (404, 404)
        assert done.code == 0, done.err


class TestTheServer:
    def test_is_connected_by_a_browser_and_knows_the_company_by_name(
        self, sandbox: Sandbox
    ) -> None:
        with serving(sandbox.environment()) as server:
            before = server.get(f"{BOOKS}/connection").data
            begun = server.post(f"{BOOKS}/connect", {})
            cookie = {"Cookie": begun.headers["set-cookie"].partition(";")[0]}
            came = urlsplit(sandbox.pressed(begun.data["authorization_url"]))

            back = server.ask("GET", f"{BOOKS}/callback?{came.query}", headers=cookie)
            page = server.get(back.headers["location"])
            after = server.get(f"{BOOKS}/connection").data
            again = server.ask("GET", f"{BOOKS}/callback?{came.query}", headers=cookie)

        assert (before["connected"], before["company"]) == (False, None)
        assert (back.status, back.text, back.headers["location"]) == (302, "", "/connection")
        assert page.status == 200
        assert came.query not in page.text
        assert (after["connected"], after["company"]) == (True, "Demo University (simulator)")
        assert again.status == 400  # good for one use


class TestAPaste:
    def test_connects_the_company(self, sandbox: Sandbox) -> None:
        child = sandbox.start("connect", "--paste")
        done = end_of(child, typed=sandbox.approved(child) + "\n")

        assert done.code == 0, done.err
        assert sandbox.run("disconnect", "--confirm", "Demo University (simulator)").code == 0

    def test_is_asked_for_where_the_port_is_taken(self, sandbox: Sandbox) -> None:
        with listening(sandbox.port):
            child = sandbox.start("connect")
            done = end_of(child, typed=sandbox.approved(child) + "\n")

        assert done.code == 0, done.err
        assert f"Port {sandbox.port} is in use" in done.err

    def test_of_another_sign_in_is_refused(self, sandbox: Sandbox) -> None:
        first = sandbox.start("connect", "--paste")
        address = sandbox.approved(first)
        end_of(first)  # nothing is pasted

        second = sandbox.start("connect", "--paste")
        sandbox.approved(second)
        done = end_of(second, typed=address + "\n")

        assert done.code == 4
        assert "this sign-in was begun by another program" in done.err
        assert sandbox.run("status", "--json").json["data"]["quickbooks_connected"] is False

    def test_of_nothing_is_no_sign_in(self, sandbox: Sandbox) -> None:
        done = end_of(sandbox.start("connect", "--paste"), typed="\n")

        assert done.code == 4
        assert "no address was pasted" in done.err


def until_open(address: str) -> tuple[int, dict[str, str], str]:
    """Visit an address once the command listens there."""
    while True:
        try:
            return visit(address)
        except ConnectionRefusedError:
            time.sleep(0.05)


class TestAnotherCompany:
    def test_takes_the_mis_over_when_its_name_is_typed(self, sandbox: Sandbox) -> None:
        simulator = sandbox.simulator
        child = sandbox.start("connect", "--paste")
        assert end_of(child, typed=sandbox.approved(child) + "\n").code == 0
        items = [{"Name": name} for name in ("Tuition fee", "Registration fee")]
        simulator.control("POST", "seed", {"items": items})
        assert sandbox.run("batch", "--yes").code in {0, 3}  # the first live use binds the MIS
        simulator.control("POST", "realms", {"realm_id": OTHER_ID, "name": "Other Ltd"})

        plain = sandbox.start("connect", "--paste")
        refused = end_of(plain, typed=sandbox.approved(plain, realm=OTHER_ID) + "\n")
        wrong = sandbox.start("connect", "--paste", "--bind", "Another Ltd")
        mistyped = end_of(wrong, typed=sandbox.approved(wrong, realm=OTHER_ID) + "\n")
        kept_out = sandbox.run("batch", "--yes")
        right = sandbox.start("connect", "--paste", "--bind", "Other Ltd", "--yes")
        taken = end_of(right, typed=sandbox.approved(right, realm=OTHER_ID) + "\n")

        assert (refused.code, "Demo University (simulator) (sandbox)" in refused.err) == (9, True)
        assert mistyped.code == 2
        assert kept_out.code == 9
        assert taken.code == 0, taken.err
        assert taken.out.startswith("Connected: Other Ltd (SANDBOX).")
