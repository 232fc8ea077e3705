"""The demo as a supervisor: one in a folder, on the port it was told, and nothing of it is left."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from application import wiring
from application.catalogue import NotFound
from application.stage.table import NotNow
from application.store.tokens import new_key
from tests.rooms.simulator_support import RunningSimulator
from tests.walks.demo_support import DEMO, Shown, processes_of, shown
from tests.walks.desk import until
from tests.walks.support import Installation


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A demo of forty invoices, which wait."""
    here = shown(Installation(tmp_path_factory.mktemp("small")), "--invoices", "40", "--no-sync")
    try:
        yield here
    finally:
        here.interrupt()


def pid_of(demo: Shown, words: str) -> int:
    """Return which process of a demo has these words in its command line."""
    folder = str(demo.installation.folder).encode()
    for one in Path("/proc").glob("[0-9]*"):
        try:
            line = (one / "cmdline").read_bytes().replace(b"\0", b" ")
            there = folder in (one / "environ").read_bytes()
        except OSError:
            continue
        if there and words.encode() in line:
            return int(one.name)
    raise AssertionError(words)


class TestThePort:
    def test_that_is_taken_is_named_and_no_other_is_used(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = Installation(tmp_path).run("demo", "--serve", settings={"PORT": str(port)})

        assert done.code == 9
        assert f"127.0.0.1 port {port} cannot be used" in done.err
        assert "name a free one with PORT" in done.err
        assert not (tmp_path / "demo" / "mis.db").exists()


class TestTheDemo:
    def test_says_what_waits_and_where(self, small: Shown) -> None:
        last = small.told.splitlines()[-1]

        assert f"http://localhost:{small.port} \u00b7 40 invoices, 0 in QuickBooks" in last
        assert "40 waiting" in last

    def test_is_one_in_a_folder(self, small: Shown) -> None:
        second = small.command("demo", "--serve", "--port", "0")

        assert second.code == 2
        assert "the demo runs already" in second.err

    def test_starts_a_simulator_again_that_died(self, small: Shown) -> None:
        ports = small.note
        os.kill(pid_of(small, "qbo_simulator"), signal.SIGKILL)
        until(lambda: small.get(DEMO).status == 200 and not small.refuses())

        assert small.note == ports

    def test_leaves_nothing_even_when_it_is_killed(self, small: Shown) -> None:
        small.process.kill()

        until(lambda: processes_of(small.installation.folder) == [])


class TestElsewhere:
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FEEBRIDGE_HOME", str(tmp_path))

    def test_there_are_no_controls_where_quickbooks_is_real(self, tmp_path: Path) -> None:
        settings = wiring.load_settings(
            quickbooks_environment="sandbox",
            quickbooks_client_id="client",
            quickbooks_client_secret="secret",  # noqa: S106 - of nothing
            mis_database_url=f"sqlite:///{tmp_path / 'mis.db'}",
            encryption_keys=[new_key()],
        )

        with wiring.build(settings) as services, pytest.raises(NotFound):
            services.controls.seen()

    def test_another_mis_than_the_demo_s_own_is_never_touched(self, tmp_path: Path) -> None:
        mis = tmp_path / "mis.db"
        wiring.make_demo_mis(f"sqlite:///{mis}", profile="fresh", size=10)
        before = mis.read_bytes()
        with RunningSimulator.start() as simulator:
            settings = wiring.load_settings(
                quickbooks_api_url=simulator.url,
                mis_database_url=f"sqlite:///{mis}",
            )
            with wiring.build(settings) as services:
                controls = services.controls
                states = {one.control.name: one.state for one in controls.seen()}
                for name in ("new-term", "mis-down", "fix-amount", "kill"):
                    with pytest.raises(NotNow):
                        controls.start(name, by=services.actor("cli"))

        missing = {name for name, state in states.items() if state == "unavailable"}
        assert missing >= {"new-term", "mis-down", "kill", "fix-student"}
        assert states["limit"] == "off"
        assert mis.read_bytes() == before
