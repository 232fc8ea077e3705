"""What a person sees at a terminal, and that nothing is left running."""

import http.client
import json
import re
import signal
from pathlib import Path

import pytest

from tests.walks import observer
from tests.walks.support import Installation, ended, interrupt_after

pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

from tests.walks.demo_support import processes_of
from tests.walks.terminal import CTRL_C, Terminal

READY_LINE = re.compile(
    r"Demo ready: http://localhost:\d+ \u00b7 40 invoices, \d+ in QuickBooks \(simulator\)"
    r"(, \d+ fail on purpose)? \u00b7 Ctrl-C to stop"
)


def simulator_answers(*, port: int) -> bool:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        link.request("GET", "/_simulator/state")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


def port_of(installation: Installation) -> int:
    note = installation.folder / "demo" / "simulator.json"
    return int(json.loads(note.read_text(encoding="ascii"))["port"])


class TestProgress:
    def test_is_a_bar_that_gives_way_to_the_result(self, own: Installation) -> None:
        with Terminal(own, "batch", "--batch-size", "50") as terminal:
            code = terminal.end()

        assert code == 3
        assert "/50  " in terminal.seen
        assert " synced" in terminal.seen
        assert "Run 1 finished in " in terminal.seen


class TestQuestion:
    def test_comes_before_more_than_five_hundred(self, own: Installation) -> None:
        with Terminal(own, "all") as terminal:
            terminal.until("[y/N]")
            terminal.type("\n")
            code = terminal.end()

        assert code == 0
        assert "Send 1,250 invoices, " in terminal.seen
        assert "(SIMULATOR)?" in terminal.seen
        assert "Nothing was sent." in terminal.seen

    def test_is_not_asked_for_a_small_batch(self, own: Installation) -> None:
        with Terminal(own, "batch", "--batch-size", "1") as terminal:
            assert terminal.end() == 0

        assert "[y/N]" not in terminal.seen

    def test_is_answered_by_an_option(self, own: Installation) -> None:
        with Terminal(own, "all", "--yes") as terminal:
            terminal.until("/1,250  ")
            terminal.type(CTRL_C)
            code = terminal.end()

        assert code == 130
        assert "[y/N]" not in terminal.seen


class TestLeavingAtOnce:
    @pytest.mark.covers("C5")
    def test_takes_a_second_ctrl_c(self, own: Installation) -> None:
        with Terminal(own, "all", "--yes") as terminal:
            terminal.until("/1,250  ")
            terminal.type(CTRL_C)
            terminal.type(CTRL_C)
            code = terminal.end()

        assert code == 130
        assert own.run("reset-stuck").code == 0


class TestAClosedTerminal:
    @pytest.mark.covers("C5")
    def test_is_a_wish_to_stop_and_leaves_nothing_half_done(self, own: Installation) -> None:
        with Terminal(own, "all", "--yes") as terminal:
            terminal.until("/1,250  ")
            code = terminal.close()

        assert code == 130
        assert own.run("runs", "--json").json["data"]["runs"][0]["state"] == "cancelled"
        assert 3 not in observer.look(own.mis_file, []).counts

    @pytest.mark.covers("C5")
    def test_that_the_work_was_to_outlive_is_nothing_to_it(self, own: Installation) -> None:
        with Terminal(own, "batch", "--batch-size", "60", ignoring=signal.SIGHUP) as terminal:
            terminal.until("/60  ")
            terminal.close()

        assert own.run("runs", "--json").json["data"]["runs"][0]["state"] == "finished"


class TestDemo:
    def test_stays_up_until_ctrl_c_and_leaves_nothing_running(self, tmp_path: Path) -> None:
        here = Installation(tmp_path)
        with Terminal(here, "demo", "--invoices", "40", "--port", "0") as terminal:
            terminal.until("Ctrl-C to stop")
            up = processes_of(tmp_path)
            terminal.type(CTRL_C)
            code = terminal.end()

        [ready] = [line for line in terminal.seen.splitlines() if line.startswith("Demo ready")]
        assert READY_LINE.fullmatch(ready), ready
        assert code == 0
        assert len(up) == 3  # the command, the simulator, the server
        assert processes_of(tmp_path) == []

    def test_ends_by_itself_where_nobody_watches(self, tmp_path: Path) -> None:
        done = Installation(tmp_path).run("demo", "--invoices", "40")

        assert done.code == 0
        assert "$ feebridge analyze" in done.out
        assert "As QuickBooks has them" in done.out
        assert "Try next" in done.out
        assert not (tmp_path / "demo" / "simulator.json").exists()

    def test_ends_early_on_ctrl_c(self, tmp_path: Path) -> None:
        here = Installation(tmp_path)
        child = here.start("demo", settings={"CLOCK_SCALE": "2"})
        interrupt_after(child, words=b"run 2 started")
        port = port_of(here)

        assert ended(child).code == 130
        assert not simulator_answers(port=port)

    def test_can_build_only(self, waiting: Installation) -> None:
        assert waiting.run("analyze", "--json").json["data"]["already_synced"] == 0
