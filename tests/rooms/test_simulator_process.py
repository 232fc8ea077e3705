"""The simulator as a process: start, stop, file, seed file, clock."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rooms.simulator_support import ROOT, RunningSimulator, invoice_body


class TestTheProcess:
    def test_ends_with_zero_when_asked_to(self) -> None:
        simulator = RunningSimulator.start()

        assert simulator.stop() == 0

    def test_ends_by_itself_when_its_parent_is_gone(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "qbo_simulator", "--exit-with-parent"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            assert process.stdin is not None
            greeting = json.loads(process.stdout.readline())

            process.stdin.close()

            assert process.wait(timeout=20) == 0
        assert set(greeting) == {"port", "control_port", "realm_id", "client_id", "client_secret"}

    def test_refuses_a_knob_it_does_not_have(self) -> None:
        process = subprocess.run(
            [sys.executable, "-m", "qbo_simulator", "--knob", "nonsense=1"],
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=20,
        )

        assert process.returncode == 2
        assert b"nonsense" in process.stderr

    def test_forgets_everything_without_a_file(self) -> None:
        with RunningSimulator.start() as simulator:
            simulator.create("Customer", {"DisplayName": "25/00411/BBA"})
            simulator.restart()

            assert simulator.ledger("Customer") == []


class TestTheFile:
    def test_keeps_a_created_invoice_through_a_kill(self, tmp_path: Path) -> None:
        with RunningSimulator.start(file=tmp_path / "books.db") as simulator:
            customer = simulator.create("Customer", {"DisplayName": "25/00411/BBA"})
            simulator.create("Invoice", invoice_body(customer["Id"], number="MIS-1"))
            before = simulator.ledger()

            simulator.kill()
            simulator.restart()

            assert simulator.ledger() == before
            assert simulator.ledger("Customer")[0]["Balance"] == "150000.00"

    def test_keeps_tokens_replays_and_sequences_through_a_kill(self, tmp_path: Path) -> None:
        with RunningSimulator.start(file=tmp_path / "books.db") as simulator:
            customer = simulator.create("Customer", {"DisplayName": "25/00411/BBA"})
            body = invoice_body(customer["Id"], number="MIS-1")
            first = simulator.send("POST", "invoice", body, requestid="one")

            simulator.kill()
            simulator.restart()

            again = simulator.send("POST", "invoice", body, requestid="one")
            assert again.body == first.body
            fresh = simulator.create("Invoice", invoice_body(customer["Id"], number="MIS-2"))
            assert int(fresh["Id"]) > int(first.json["Invoice"]["Id"])

    def test_keeps_void_deleted_merged_and_closed_states(self, tmp_path: Path) -> None:
        with RunningSimulator.start(file=tmp_path / "books.db") as simulator:
            simulator.control(
                "POST",
                "seed",
                {
                    "invoices": [
                        {"DocNumber": "A", "CustomerName": "Uwase", "Total": 10, "voided": True},
                        {"DocNumber": "B", "CustomerName": "Uwase", "Total": 10, "deleted": True},
                    ],
                    "customers": [{"DisplayName": "Mugisha", "Active": False}],
                },
            )
            simulator.knob(suspended=True, book_close_date="2025-06-30")

            simulator.kill()
            simulator.restart()

            assert [one["state"] for one in simulator.ledger()] == ["voided", "deleted"]
            state = simulator.control("GET", "state")["realms"][simulator.realm_id]
            assert state["suspended"] is True
            prefs = simulator.control("GET", "preferences")["AccountingInfoPrefs"]
            assert prefs["BookCloseDate"] == "2025-06-30"

    def test_lets_a_token_die_on_the_clock_that_went_on(self, tmp_path: Path) -> None:
        with RunningSimulator.start(file=tmp_path / "books.db") as simulator:
            token = simulator.token()["access_token"]
            simulator.control("POST", "clock", {"advance_s": 3000})
            simulator.kill()
            simulator.restart()
            assert simulator.send("GET", "preferences", token=token).status == 200

            simulator.control("POST", "clock", {"advance_s": 601})

            assert simulator.send("GET", "preferences", token=token).status == 401


class TestTheSeedFile:
    @pytest.mark.parametrize("by_line", [True, False], ids=["json lines", "one json object"])
    def test_fills_the_books_before_the_first_request(
        self, tmp_path: Path, *, by_line: bool
    ) -> None:
        path = tmp_path / "seed"
        if by_line:
            path.write_text('{"entity":"Item","Name":"Tuition"}\n{"entity":"Item","Name":"Exam"}\n')
        else:
            path.write_text('{"items":[{"Name":"Tuition"},{"Name":"Exam"}]}')

        with RunningSimulator.start(seed_file=path) as simulator:
            found = simulator.query("select * from Item orderby Id")

        assert [one["Name"] for one in found["Item"]] == ["Services", "Tuition", "Exam"]


class TestTheClock:
    def test_runs_as_many_times_faster_as_asked(self) -> None:
        with RunningSimulator.start(clock_scale=100_000) as simulator:
            token = simulator.token()["access_token"]
            start_s = simulator.control("GET", "state")["virtual_s"]
            while simulator.control("GET", "state")["virtual_s"] < start_s + 3700:
                pass

            assert simulator.send("GET", "preferences", token=token).status == 401
