"""What is not in order outside: each told in plain words, with its number, and nothing lost."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.walks.support import Done, Installation

NOWHERE = "http://127.0.0.1:1"
KEY = "c3ludGhldGljLWtleS1mb3ItdGVzdHMtb25seS0wMDE="


def sandbox(installation: Installation) -> dict[str, str]:
    """Return settings for Intuit's test company, which nobody has connected."""
    return {
        "QUICKBOOKS_ENVIRONMENT": "sandbox",
        "QUICKBOOKS_CLIENT_ID": "synthetic",
        "QUICKBOOKS_CLIENT_SECRET": "synthetic",
        "ENCRYPTION_KEYS": KEY,
        "MIS_DATABASE_URL": f"sqlite:///{installation.mis_file}",
    }


def code_told(done: Done) -> str:
    last = [line for line in done.err.splitlines() if line.startswith("  Code  ")][-1]
    return last.split()[1]


class TestQuickBooksThatDoesNotAnswer:
    def test_ends_the_command_and_leaves_everything_waiting(self, own: Installation) -> None:
        settings = {"QUICKBOOKS_API_URL": NOWHERE, "CLOCK_SCALE": "100"}
        done = own.run("batch", settings=settings)

        assert done.code == 6
        assert code_told(done) == "quickbooks_unavailable"
        assert "1,250 invoices stay waiting. Nothing was lost or sent twice." in done.err
        assert own.run("analyze", "--json").json["data"]["not_synced"] == 1250


class TestQuickBooksNobodyConnected:
    def test_ends_the_command(self, own: Installation) -> None:
        done = own.run("batch", settings=sandbox(own))

        assert done.code == 4
        assert done.err.startswith("Error: QuickBooks is not connected, so nothing was sent.")
        assert code_told(done) == "authentication_failed"

    def test_is_one_document_for_a_program(self, own: Installation) -> None:
        answer = own.run("batch", "--json", settings=sandbox(own)).json

        assert answer["success"] is False
        assert answer["data"] is None
        assert answer["error"] == "Authentication failed"
        assert answer["retryable"] is True
        assert answer["meta"]["environment"] == "sandbox"

    @pytest.mark.parametrize("command", ["analyze", "preview", "status", "errors", "runs"])
    def test_does_not_keep_questions_from_being_answered(
        self, own: Installation, command: str
    ) -> None:
        assert own.run(command, settings=sandbox(own)).code == 0

    def test_cannot_be_connected_with_an_address_of_another_sign_in(
        self, own: Installation
    ) -> None:
        done = own.run("connect", "--paste", settings=sandbox(own))

        assert done.code == 4
        assert "https://appcenter.intuit.com/connect/oauth2?" in done.err


class TestMis:
    @pytest.mark.covers("B12")
    def test_that_lacks_a_column_is_not_touched(self, own: Installation, tmp_path: Path) -> None:
        other = tmp_path / "other.db"
        shutil.copy(own.mis_file, other)
        with closing(sqlite3.connect(other)) as mis, mis:
            mis.execute("ALTER TABLE tbl_imvoice RENAME COLUMN dept TO debit")
        settings = {"MIS_DATABASE_URL": f"sqlite:///{other}"}

        assert own.run("batch", settings=settings).code == 9
        doctor = own.run("doctor", settings=settings)
        assert doctor.code == 8
        assert "dept" in next(line for line in doctor.lines if line.startswith("[fail]"))

    def test_that_is_not_there_is_not_made(self, own: Installation, tmp_path: Path) -> None:
        nowhere = tmp_path / "nowhere.db"
        done = own.run("analyze", settings={"MIS_DATABASE_URL": f"sqlite:///{nowhere}"})

        assert done.code == 5
        assert code_told(done) == "mis_unavailable"
        assert not nowhere.exists()


class TestStore:
    def test_that_does_not_answer_ends_the_command(self, own: Installation) -> None:
        address = "mysql://nobody:canary@127.0.0.1:1/store"
        done = own.run("batch", settings={"STORE_DATABASE_URL": address})

        assert done.code == 1
        assert code_told(done) == "store_unavailable"
        assert "canary" not in done.err


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            pytest.param("BATCH_SIZE", "many", id="no number"),
            pytest.param("QUICKBOOKS_ENVIRONMENT", "live", id="not one of three"),
            pytest.param("QUICKBOOKS_API_URL", "https://example.org", id="not on this machine"),
            pytest.param("TIME_ZONE", "Mars/Base", id="no such zone"),
        ],
    )
    def test_that_are_wrong_are_named(self, own: Installation, name: str, value: str) -> None:
        done = own.run("status", settings={name: value})

        assert done.code == 9
        assert code_told(done) == "config_invalid"
        assert name in done.err
