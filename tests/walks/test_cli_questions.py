"""The commands that only ask, through the guide's door."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from application.api import settings_shapes, shapes
from tests.walks.support import Installation

GUIDE_SAMPLE = """📊 Synchronization Statistics:
   Total Invoices: 1,250
   ✅ Already Synced: 0
   ⏳ Not Synced: 1,250
   ❌ Failed: 0
   🔄 In Progress: 0
   📈 Progress: 0.0%
"""


class TestAnalyze:
    def test_prints_the_guide_s_sample_to_the_byte(self, waiting: Installation) -> None:
        done = waiting.run("analyze")

        assert done.code == 0
        assert done.out.startswith(GUIDE_SAMPLE + "\n")

    def test_says_how_much_waits_and_what_to_do_next(self, waiting: Installation) -> None:
        done = waiting.run("analyze")

        assert "   To send: " in done.out
        assert done.lines[-1] == "Next: feebridge preview"

    def test_answers_programs_under_the_guide_s_keys(self, waiting: Installation) -> None:
        answer = waiting.run("--json", "analyze").json

        assert answer["data"] == {
            "total_invoices": 1250,
            "not_synced": 1250,
            "already_synced": 0,
            "failed": 0,
            "in_progress": 0,
        }
        assert answer["message"] == "Synchronization analysis completed successfully"
        assert answer["meta"]["command"] == "analyze"
        assert answer["meta"]["environment"] == "simulator"

    def test_uses_signs_where_the_encoding_has_no_emoji(self, waiting: Installation) -> None:
        done = waiting.run("analyze", settings={"PYTHONIOENCODING": "ascii"})

        assert [line.split()[0] for line in done.lines[:7]] == [
            "[i]", "Total", "[ok]", "[..]", "[x]", "[>]", "[%]",
        ]  # fmt: skip

    def test_says_that_the_demo_stands_in_on_stderr_only(self, waiting: Installation) -> None:
        done = waiting.run("analyze")

        assert done.err.splitlines() == ["No MIS is set: using the demo MIS and the simulator."]


class TestPreview:
    def test_shows_as_many_as_asked_for(self, waiting: Installation) -> None:
        done = waiting.run("preview", "--limit", "10")

        assert done.code == 0
        assert done.lines[0].startswith("Would send 10 of 1,250 waiting to ")
        assert done.lines[0].endswith("Preview sends nothing.")
        assert [line.split()[0] for line in done.lines[2:12]] == [
            f"MIS-{each}" for each in range(101, 111)
        ]
        assert done.lines[12] == "10 ready, 0 would fail."

    def test_names_what_would_fail(self, waiting: Installation) -> None:
        done = waiting.run("preview", "--limit", "100")
        by_number = {line.split()[0]: line for line in done.lines if "MIS-" in line}

        assert by_number["MIS-123"].endswith("Customer not found")
        assert by_number["MIS-142"].endswith("Invalid amount")

    def test_passes_over_the_offset(self, waiting: Installation) -> None:
        answer = waiting.run("preview", "--limit", "2", "--offset", "3", "--json").json

        assert [one["id"] for one in answer["data"]["invoices"]] == [104, 105]
        assert answer["data"]["count"] == 2
        assert answer["meta"]["total"] == 1250

    def test_is_a_list_on_a_narrow_terminal(self, waiting: Installation) -> None:
        done = waiting.run("preview", "--limit", "1", settings={"COLUMNS": "50"})

        assert "  NUMBER: MIS-101" in done.lines
        assert any(line.startswith("    AMOUNT RWF: ") for line in done.lines)

    @pytest.mark.parametrize("limit", ["0", "101"])
    def test_refuses_a_limit_outside_its_bounds(self, waiting: Installation, limit: str) -> None:
        done = waiting.run("preview", "--limit", limit, "--json")

        assert done.code == 2
        assert done.json["error_code"] == "validation_failed"


class TestStatus:
    def test_answers_while_quickbooks_is_not_connected(self, waiting: Installation) -> None:
        done = waiting.run("status")

        assert done.code == 0
        assert done.lines[0].startswith("QuickBooks   not connected")
        assert "Progress     0.0%  0 of 1,250 synced, 1,250 waiting" in done.out

    def test_has_the_keys_of_the_endpoint(self, waiting: Installation) -> None:
        data = waiting.run("status", "--json").json["data"]

        assert data["statistics"]["total_invoices"] == 1250
        assert data["quickbooks_connected"] is False
        assert data["progress_percentage"] == 0


class TestShow:
    def test_tells_one_invoice(self, waiting: Installation) -> None:
        done = waiting.run("show", "MIS-12345")

        assert done.code == 0
        assert done.lines[0].startswith("MIS-12345   Not synced   ")
        assert done.lines[0].endswith("not in QuickBooks")

    def test_knows_an_invoice_that_is_not_there(self, waiting: Installation) -> None:
        done = waiting.run("show", "99999")

        assert done.code == 2
        assert done.err.splitlines()[-4].startswith("Error: There is no invoice 99999")


class TestShapes:
    """A program reads the same of a noun here and through the REST interface."""

    @pytest.mark.parametrize(
        ("words", "shape"),
        [
            ("analyze", shapes.Statistics),
            ("preview --limit 3", shapes.Preview),
            ("status", shapes.SyncStatus),
            ("show 123", shapes.InvoiceDetail),
            ("show 101", shapes.InvoiceDetail),
            ("errors", shapes.Causes),
            ("errors customer_not_found", shapes.Invoices),
            ("runs", shapes.Runs),
            ("runs show 1", shapes.Run),
            ("mapping list", settings_shapes.Mapping),
        ],
    )
    def test_are_those_of_the_rest_interface(
        self, synced: Installation, words: str, shape: type[shapes.Shape]
    ) -> None:
        done = synced.run(*words.split(), "--json")

        assert done.code == 0, done.err
        shape.model_validate(done.json["data"])

    def test_of_a_choice_tell_what_it_mends(self, synced: Installation, tmp_path: Path) -> None:
        own = synced.copied_to(tmp_path)
        rows = own.run("mapping", "list", "--json").json["data"]["mapping"]
        fee = next(str(one["fee_category"]) for one in rows if one["item"] is None)
        chosen = own.run("mapping", "set", fee, "Tuition fee", "--json").json
        cleared = own.run("mapping", "clear", fee, "--json").json

        assert settings_shapes.ChosenRow.model_validate(chosen["data"]).source == "person"
        assert chosen["data"]["now_look_fixed"] == 4
        assert chosen["message"].endswith(" 4 failed invoices now look fixed.")
        assert settings_shapes.ChosenRow.model_validate(cleared["data"]).now_look_fixed == 0

    def test_tell_what_was_asked_of_quickbooks(self, synced: Installation) -> None:
        run = shapes.Run.model_validate(synced.run("runs", "show", "1", "--json").json["data"])
        status = synced.run("status", "--json").json["data"]["quickbooks"]

        assert run.successful / 30 < run.quickbooks_requests < run.processed * 2
        assert 0 < run.quickbooks_reads <= status["reads_this_month"]
        assert status["reads_limit"] == 500_000
        assert (
            f"Reads        {status['reads_this_month']} of the 500,000" in synced.run("status").out
        )

    def test_of_a_synced_invoice_show_both_sides(self, synced: Installation) -> None:
        detail = shapes.InvoiceDetail.model_validate(
            synced.run("show", "101", "--json").json["data"]
        )

        assert detail.quickbooks is not None
        assert (detail.quickbooks.customer, detail.quickbooks.url) == (detail.reg_no, None)
        assert detail.quickbooks.total == detail.amount
        assert [one.actor for one in detail.timeline if one.event == "attempt"] == ["run 1"]
        assert "run 1  attempt" in synced.run("show", "101").out

    def test_count_the_flags_beside_the_statistics(self, synced: Installation) -> None:
        flags = synced.run("analyze", "--json").json["meta"]["flags"]

        assert flags == {"settling": 0, "stuck": 0, "held": 0, "unverified": 0, "changed": None}

    def test_say_how_many_need_a_person(self, synced: Installation, tmp_path: Path) -> None:
        own = synced.copied_to(tmp_path)
        own.run("hold", "123", "--reason", "scholarship letter")

        assert own.run("status", "--json").json["message"] == "99.04% synced, 11 need attention."


class TestFailures:
    def test_of_other_programs_have_their_own_cause(
        self, synced: Installation, tmp_path: Path
    ) -> None:
        own = synced.copied_to(tmp_path)
        with closing(sqlite3.connect(own.mis_file)) as mis, mis:
            mis.execute("UPDATE tbl_imvoice SET QuickBk_Status = 2 WHERE id = 101")
            mis.execute("UPDATE tbl_imvoice SET QuickBk_Status = 7 WHERE id = 102")
        groups = own.run("errors", "--json").json["data"]["groups"]
        listed = own.run("errors", "failed_elsewhere", "--json").json["data"]["invoices"]
        shown = own.run("show", "102")

        assert {one["error_code"]: one["count"] for one in groups} == {
            "customer_not_found": 4,
            "fee_category_unmapped": 4,
            "invalid_amount": 4,
            "failed_elsewhere": 1,
            "status_invalid": 1,
        }
        assert [(one["id"], one["error_code"]) for one in listed] == [(101, "failed_elsewhere")]
        assert "Failed: Status value not known" in shown.lines[0]

    def test_that_look_fixed_are_previewed_after_what_waits(
        self, synced: Installation, tmp_path: Path
    ) -> None:
        own = synced.copied_to(tmp_path)
        with closing(sqlite3.connect(own.mis_file)) as mis, mis:
            mis.execute("UPDATE tbl_imvoice SET dept = 450000, credit = 0 WHERE id = 142")
        done = own.run("preview")
        answer = own.run("preview", "--json").json

        assert done.lines[0].startswith("Would send 0 of 0 waiting and 1 failed again to ")
        assert [one["id"] for one in answer["data"]["invoices"]] == [142]
        assert answer["message"] == ("0 of 0 waiting invoices, 1 of those that failed")
        assert answer["meta"] | {"total": 0, "next_cursor": None} == answer["meta"]

    def test_shown_in_part_are_counted_in_full(self, synced: Installation) -> None:
        done = synced.run("errors", "--limit", "1")

        assert done.lines[0].startswith("12 failed, ")
        assert done.lines[0].endswith("(1 of 3 causes shown here)")


class TestExplain:
    def test_tells_why_what_to_do_and_who(self, waiting: Installation) -> None:
        done = waiting.run("explain", "period_closed")

        assert done.lines[0].startswith("Books closed for that date. Why: ")
        assert "Who: Finance. Retry: fixed." in done.lines[1]

    def test_does_not_know_what_is_not_listed(self, waiting: Installation) -> None:
        assert waiting.run("explain", "bad_weather").code == 2


class TestMistakes:
    def test_are_answered_with_the_nearest_command(self, waiting: Installation) -> None:
        done = waiting.run("priview")

        assert done.code == 2
        assert done.out == ""
        assert "Did you mean 'preview'?" in done.err
        assert [line.split()[0] for line in done.err.splitlines()] == [
            "Error:",
            "Why",
            "Do",
            "Code",
        ]

    def test_are_one_document_for_a_program(self, waiting: Installation) -> None:
        done = waiting.run("preview", "--limit", "many", "--json")

        assert done.code == 2
        assert done.json["success"] is False
        assert done.json["meta"]["exit_code"] == 2

    def test_json_and_events_exclude_each_other(self, waiting: Installation) -> None:
        assert waiting.run("analyze", "--json", "--events").code == 2


class TestConditions:
    def test_a_wrong_setting_is_named(self, waiting: Installation) -> None:
        done = waiting.run("analyze", settings={"BATCH_SIZE": "1000"})

        assert done.code == 9
        assert "BATCH_SIZE" in done.err
        assert "config_invalid" in done.err

    def test_a_mis_that_is_not_there_is_said_so(self, waiting: Installation) -> None:
        address = "mysql://nobody:secret@127.0.0.1:1/mis"
        done = waiting.run("analyze", settings={"MIS_DATABASE_URL": address})

        assert done.code == 5
        assert "mis_unavailable" in done.err
        assert "secret" not in done.err

    def test_a_mis_that_is_not_there_is_one_document_too(self, waiting: Installation) -> None:
        address = "mysql://nobody:secret@127.0.0.1:1/mis"
        done = waiting.run("analyze", "--json", settings={"MIS_DATABASE_URL": address})

        assert done.code == 5
        assert done.json["error_code"] == "mis_unavailable"
        assert done.json["retryable"] is True


class TestInit:
    def test_writes_settings_for_the_owner_only(self, tmp_path: Path) -> None:
        done = Installation(tmp_path).run("init")
        file = tmp_path / ".env"

        assert done.code == 0
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "ENCRYPTION_KEYS=" in file.read_text(encoding="utf-8")
        assert "GRANT UPDATE (QuickBk_Status, pushed_by, pushed_date)" in done.out

    def test_does_not_write_over_settings(self, tmp_path: Path) -> None:
        Installation(tmp_path).run("init")
        before = (tmp_path / ".env").read_bytes()

        assert Installation(tmp_path).run("init").code == 2
        assert (tmp_path / ".env").read_bytes() == before


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_prints_the_script_of_a_shell(self, tmp_path: Path, shell: str) -> None:
        done = Installation(tmp_path).run("completion", shell)

        assert done.code == 0
        assert "_FEEBRIDGE_COMPLETE" in done.out

    def test_completes_a_command(self, tmp_path: Path) -> None:
        asked = {
            "_FEEBRIDGE_COMPLETE": "complete_bash",
            "COMP_WORDS": "feebridge prev",
            "COMP_CWORD": "1",
        }

        assert "preview" in Installation(tmp_path).run(settings=asked).out
