"""The commands that send, through the guide's door, with the real simulator behind it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.walks.support import Installation, ended, interrupt_after, read_until

FAILED = 12
SYNCED = 1238
SLOW = {"CLOCK_SCALE": "2"}  # the demo's own pace would be over before anybody acts
TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"


class TestBatch:
    def test_sends_forty_eight_and_names_the_two_that_failed(self, own: Installation) -> None:
        done = own.run("batch", "--batch-size", "50")

        assert done.code == 3
        assert ": 48 synced, 2 failed, 0 unsettled, 1,200 left to send" in done.lines[0]
        assert [line.split()[0] for line in done.lines[1:3]] == ["MIS-123", "MIS-142"]
        assert "Customer not found  Registry: " in done.lines[1]
        assert "Invalid amount" in done.lines[2]
        assert "Finance: " in done.lines[2]
        assert done.lines[-1] == "Next: feebridge errors"

    def test_writes_plain_lines_where_nobody_watches(self, own: Installation) -> None:
        done = own.run("batch", "--batch-size", "50")
        lines = [line for line in done.err.splitlines() if line.startswith("run ")]

        assert lines[0].startswith("run 1 started kind=batch environment=simulator")
        assert lines[-1].startswith("run 1 finished synced=48 failed=2 unsettled=0 remaining=1200 ")
        assert "\x1b" not in done.err + done.out

    def test_answers_programs_under_the_guide_s_keys(self, own: Installation) -> None:
        done = own.run("batch", "--batch-size", "50", "--json")

        assert done.code == 3
        assert done.json["success"] is True
        assert done.json["data"] == {
            "total_processed": 50,
            "successful": 48,
            "failed": 2,
            "errors": [
                {"invoice_id": 123, "error": "Customer not found"},
                {"invoice_id": 142, "error": "Invalid amount"},
            ],
        }
        assert done.json["meta"]["remaining"] == 1200
        assert done.json["meta"]["exit_code"] == 3

    def test_tells_programs_each_event(self, own: Installation) -> None:
        done = own.run("--events", "batch", "--batch-size", "50")
        events = [json.loads(line) for line in done.lines]

        assert events[0]["event"] == "run.started"
        assert events[-1]["event"] == "run.finished"
        assert events[-1]["data"]["successful"] == 48
        assert {
            one["data"]["invoice_id"] for one in events if one["event"] == "invoice.failed"
        } == {123, 142}
        assert [one["id"] for one in events] == list(range(1, len(events) + 1))

    def test_sends_nothing_when_dry(self, own: Installation) -> None:
        done = own.run("batch", "--batch-size", "50", "--dry-run")

        assert done.code == 0
        assert done.lines[0] == (
            "Would send 50 invoices: 48 ready, 2 would fail. Nothing was sent."
        )
        assert own.run("analyze", "--json").json["data"]["not_synced"] == 1250
        assert own.run("runs", "--json").json["data"]["runs"] == []

    @pytest.mark.parametrize("size", ["0", "101"])
    def test_refuses_a_size_outside_its_bounds(self, waiting: Installation, size: str) -> None:
        assert waiting.run("batch", "--batch-size", size).code == 2

    def test_is_quiet_when_asked(self, own: Installation) -> None:
        done = own.run("-q", "batch", "--batch-size", "10")

        assert done.err == ""
        assert done.lines == [done.lines[0]]


class TestAll:
    def test_leaves_only_the_twelve_that_cannot_go(self, synced: Installation) -> None:
        data = synced.run("analyze", "--json").json["data"]

        assert data["already_synced"] == SYNCED
        assert data["failed"] == FAILED
        assert data["not_synced"] == data["in_progress"] == 0

    def test_has_nothing_to_send_the_second_time(self, synced: Installation) -> None:
        done = synced.run("all")

        assert done.code == 0
        assert done.lines[0] == "Nothing to send."

    def test_stops_after_as_many_batches_as_asked_for(self, own: Installation) -> None:
        done = own.run("all", "--max-batches", "2", "--batch-size", "20", "--json")

        assert done.json["data"]["total_processed"] == 40
        assert done.json["meta"]["batches_processed"] == 2

    def test_shows_the_progress_the_guide_shows(self, synced: Installation) -> None:
        done = synced.run("analyze")

        assert done.lines[6].strip().endswith("Progress: 99.0%")
        assert done.lines[-1] == "Next: feebridge errors"


class TestInterrupting:
    def test_finishes_the_request_in_hand_and_says_how_to_go_on(self, own: Installation) -> None:
        child = own.start("all", settings=SLOW)
        interrupt_after(child, words=b"started")
        done = ended(child)

        assert done.code == 130
        assert "Finishing the request in hand" in done.err
        assert "stopped as asked after" in done.out
        assert done.lines[-1] == "Next: feebridge all"
        counts = own.run("analyze", "--json").json["data"]
        assert counts["in_progress"] == 0
        assert counts["not_synced"] > 0

    def test_loses_nothing(self, own: Installation) -> None:
        child = own.start("all", settings=SLOW)
        interrupt_after(child, words=b"started")
        ended(child)

        assert own.run("all").code == 3
        counts = own.run("analyze", "--json").json["data"]
        assert (counts["already_synced"], counts["failed"]) == (SYNCED, FAILED)


class TestWhileAnotherRunSends:
    def test_a_large_request_is_told_who_is_at_work(self, own: Installation) -> None:
        child = own.start("all", settings=SLOW)
        read_until(child, words=b"started")
        done = own.run("all", settings=SLOW)
        own.run("runs", "cancel", "1")

        assert done.code == 7
        assert "Error: Another run is active, so nothing was sent." in done.err
        assert ended(child).code in {0, 3}

    def test_one_invoice_is_taken_in(self, own: Installation) -> None:
        child = own.start("all", settings=SLOW)
        read_until(child, words=b"started")
        done = own.run("single", "12345", settings=SLOW)
        own.run("runs", "cancel", "1")
        ended(child)

        assert done.code == 0, done.err
        assert done.lines[0].startswith("MIS-12345 synced: QuickBooks invoice ")

    def test_it_can_be_stopped_from_here(self, own: Installation) -> None:
        child = own.start("all", settings=SLOW)
        read_until(child, words=b"started")
        asked = own.run("runs", "cancel", "1")
        watched = own.run("runs", "watch", "1")
        over = ended(child)

        assert asked.out == "Run 1 ends after the request in hand.\n"
        assert "stopped as asked after" in over.out
        assert "stopped as asked after" in watched.out
        assert own.run("analyze", "--json").json["data"]["in_progress"] == 0


class TestSingle:
    def test_says_where_the_invoice_is(self, own: Installation) -> None:
        done = own.run("single", "12345")

        assert done.code == 0
        assert done.lines[0].startswith("MIS-12345 synced: QuickBooks invoice ")

    def test_sends_it_once(self, own: Installation) -> None:
        first = own.run("single", "12345", "--json").json
        second = own.run("single", "12345", "--json").json

        assert second["data"] == first["data"]
        assert second["meta"]["already_synced"] is True

    def test_tells_why_one_cannot_go(self, own: Installation) -> None:
        done = own.run("single", "123")

        assert done.code == 3
        errors = [line for line in done.err.splitlines() if not line.startswith(("run ", "No MIS"))]
        assert errors[0] == "Error: MIS-123 is not in QuickBooks: Customer not found."
        assert [line.split()[0] for line in errors] == ["Error:", "Why", "Do", "Code"]

    def test_knows_no_invoice_that_is_not_there(self, own: Installation) -> None:
        assert own.run("single", "99999").code == 2

    def test_leaves_a_held_one_alone(self, own: Installation) -> None:
        assert own.run("hold", "12345", "--reason", "scholarship letter").code == 0
        assert own.run("single", "12345").code == 2
        assert own.run("release", "12345").out == "MIS-12345 released.\n"
        assert own.run("single", "12345").code == 0


class TestErrors:
    def test_are_grouped_by_cause(self, synced: Installation) -> None:
        done = synced.run("errors")

        assert done.lines[0].startswith("12 failed, ")
        assert {line.split()[0]: line.split()[1] for line in done.lines[2:5]} == {
            "customer_not_found": "4",
            "fee_category_unmapped": "4",
            "invalid_amount": "4",
        }

    def test_of_one_cause_are_listed(self, synced: Installation) -> None:
        answer = synced.run("errors", "customer_not_found", "--json").json

        assert answer["data"]["count"] == 4
        assert 123 in [one["id"] for one in answer["data"]["invoices"]]

    def test_tell_an_invoice_s_story(self, synced: Installation) -> None:
        done = synced.run("show", "123")

        assert "Failed: Customer not found" in done.lines[0]
        assert any(line.startswith("  Do   Registry: ") for line in done.lines)


class TestRetry:
    def test_takes_up_what_was_mended(self, synced: Installation, tmp_path: Path) -> None:
        own = synced.copied_to(tmp_path)
        with closing(sqlite3.connect(own.mis_file)) as mis, mis:
            mis.execute("UPDATE tbl_imvoice SET dept = 450000, credit = 0 WHERE id = 142")
        done = own.run("retry", "--cause", "invalid_amount", "--only-fixed", "--json")

        assert done.json["data"]["successful"] == 1
        assert own.run("show", "142").lines[0].split("   ")[1] == "Synced"

    def test_needs_to_know_which(self, waiting: Installation) -> None:
        assert waiting.run("retry").code == 2
        assert waiting.run("retry", "123", "--cause", "invalid_amount").code == 2

    def test_changes_nothing_where_the_cause_stands(self, synced: Installation) -> None:
        done = synced.run("retry", "--cause", "customer_not_found", "--only-fixed")

        assert done.code == 0
        assert done.lines[0] == "None of them looks fixed."


class TestResetStuck:
    def test_has_nothing_to_do_after_a_clean_run(self, synced: Installation) -> None:
        done = synced.run("reset-stuck")

        assert done.code == 0
        assert done.lines == ["Nothing is stuck."]

    def test_does_not_free_what_another_program_holds(
        self, synced: Installation, tmp_path: Path
    ) -> None:
        own = synced.copied_to(tmp_path)
        with closing(sqlite3.connect(own.mis_file)) as mis, mis:
            mis.execute("UPDATE tbl_imvoice SET QuickBk_Status = 3, pushed_by = 'x' WHERE id = 150")
        done = own.run("reset-stuck")

        assert done.code == 0
        assert "MIS-150  " in done.out
        assert "back to not synced" not in done.out


class TestRuns:
    def test_are_listed_newest_first(self, synced: Installation) -> None:
        runs = synced.run("runs", "--json").json["data"]["runs"]

        assert runs[-1]["kind"] == "all"
        assert [one["id"] for one in runs] == sorted((one["id"] for one in runs), reverse=True)

    def test_are_shown_one_by_one(self, synced: Installation) -> None:
        assert "1,238 synced, 12 failed" in synced.run("runs", "show", "1").out
        assert synced.run("runs", "show", "77").code == 2

    def test_that_ended_cannot_be_stopped(self, synced: Installation) -> None:
        assert synced.run("runs", "cancel", "1").code == 2


class TestAudit:
    def test_is_whole(self, synced: Installation) -> None:
        done = synced.run("audit", "verify")

        assert done.code == 0
        assert done.out.startswith("Chain intact: ")

    def test_names_the_first_entry_somebody_changed(
        self, synced: Installation, tmp_path: Path
    ) -> None:
        own = synced.copied_to(tmp_path)
        with closing(sqlite3.connect(own.store_file)) as store, store:
            for name in [row[0] for row in store.execute(TRIGGERS)]:
                store.execute(f"DROP TRIGGER {name}")  # whoever edits the file can do that too
            store.execute("UPDATE audit SET actor = 'mallory' WHERE id = 7")
        done = own.run("audit", "verify")

        assert done.code == 8
        assert done.out.startswith("Chain broken at entry 7: ")

    def test_lists_what_happened_to_an_invoice(self, synced: Installation) -> None:
        entries = synced.run("audit", "list", "--invoice", "101", "--json").json["data"]["entries"]

        assert "invoice.synced" in {one["action"] for one in entries}

    def test_is_written_to_a_file(self, synced: Installation, tmp_path: Path) -> None:
        month = synced.run("audit", "list", "--json").json["data"]["entries"][0]["at"][:7]
        file = tmp_path / "audit.jsonl"
        done = synced.run("audit", "export", str(file), "--month", month)

        assert done.code == 0
        assert "SHA-256" in done.out
        assert len(file.read_text(encoding="utf-8").splitlines()) > SYNCED


class TestDoctor:
    def test_finds_nothing_wrong_with_the_demo(self, synced: Installation) -> None:
        done = synced.run("doctor")

        assert done.code == 0, done.out
        assert done.lines[-1].startswith("0 problems, ")
