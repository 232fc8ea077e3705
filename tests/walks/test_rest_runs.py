"""Runs over REST: accepted, steered, alone in their company, beside a command line, on time."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.walks.desk import ASYNC, cancelled, command, slowed, steered, until
from tests.walks.server import SYNC, Server, serving
from tests.walks.university import University, university

SENT = {"total_processed", "successful", "failed", "errors"}
SCHEDULE = "/api/v1/settings/schedule"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[University]:
    """Return a university whose invoices the tests of a class use up one after the other."""
    with university(tmp_path_factory.mktemp("runs"), size=4_000) as place:
        yield place


@pytest.fixture(scope="module")
def server(place: University) -> Iterator[Server]:
    with serving(place.environment()) as server:
        yield server


def waiting_ids(server: Server, *, count: int) -> list[int]:
    """Return invoices at the end of the queue, which a run at work meets last."""
    total = server.get(f"{SYNC}/preview?limit=1").json["meta"]["total"]
    shown = server.get(f"{SYNC}/preview?limit={count}&offset={total - count}").data["invoices"]
    return [one["id"] for one in shown if one["ready"]]


class TestARun:
    def test_is_accepted_followed_paused_gone_on_with_and_cancelled(
        self, place: University, server: Server
    ) -> None:
        with slowed(place):
            begun = server.post(f"{SYNC}/all", {}, headers=ASYNC)
            run_id = begun.json["meta"]["run_id"]
            server.until_met(run_id, least=1)

            assert begun.status == 202
            assert begun.data.keys() == SENT
            assert begun.headers["location"] == f"{SYNC}/runs/{run_id}"
            assert begun.headers["retry-after"] == "5"
            assert begun.headers["preference-applied"] == "respond-async"
            polled = server.get(begun.headers["location"])
            assert polled.headers["retry-after"] == "5"
            assert polled.data["state"] == "running"

            assert steered(server, run_id, "pause").status == 200
            paused = server.until(run_id, "paused")
            assert server.get(f"{SYNC}/runs/{run_id}").headers["retry-after"] == "5"
            assert steered(server, run_id, "pause").json["error_code"] == "state_conflict"
            assert 3 not in place.look().counts

            assert steered(server, run_id, "resume").data["state"] in {"queued", "running"}
            server.until_met(run_id, least=paused["processed"] + 1)
            assert steered(server, run_id, "resume").json["error_code"] == "state_conflict"

            assert steered(server, run_id, "cancel").status == 200
            over = server.until(run_id, "cancelled")

        assert over["processed"] > paused["processed"]
        assert "retry-after" not in server.get(f"{SYNC}/runs/{run_id}").headers
        for verb in ("pause", "resume", "cancel"):
            late = steered(server, run_id, verb)
            assert (late.status, late.json["error_code"]) == (409, "state_conflict")
        assert place.look().problems == []
        assert 3 not in place.look().counts

    @pytest.mark.long
    def test_that_is_paused_keeps_others_out_until_it_is_cancelled(
        self, place: University, server: Server
    ) -> None:
        with slowed(place):
            run_id = server.started(f"{SYNC}/all", {})
            server.until_met(run_id, least=1)
            steered(server, run_id, "pause")
            server.until(run_id, "paused")

            other = server.post(f"{SYNC}/batch", {"batch_size": 5})
            assert steered(server, run_id, "cancel").data["state"] == "cancelled"

        assert (other.status, other.json["error_code"]) == (409, "run_active")
        assert other.json["details"]["run_id"] == run_id
        assert server.post(f"{SYNC}/batch", {"batch_size": 5}).status == 200

    @pytest.mark.covers("C1")
    def test_is_one_when_two_begin_it_at_the_same_instant(
        self, place: University, server: Server
    ) -> None:
        for _ in range(3):
            with slowed(place), ThreadPoolExecutor(4) as pool:
                asks = [
                    pool.submit(server.post, f"{SYNC}/{verb}", {}, headers=ASYNC)
                    for verb in ("all", "batch", "all", "batch")
                ]
                answers = sorted((one.result() for one in asks), key=lambda one: one.status)
                began, *refused = answers
                run_id = began.json["meta"]["run_id"]
                cancelled(server, run_id)

            assert began.status == 202
            for one in refused:
                assert (one.status, one.json["error_code"]) == (409, "run_active"), one.text
                assert one.json["details"]["run_id"] == run_id
                assert one.headers["retry-after"] == "30"
                assert one.json["retryable"] is True

    def test_takes_one_invoice_in_while_it_is_at_work(
        self, place: University, server: Server
    ) -> None:
        wanted = waiting_ids(server, count=5)[-1]
        with slowed(place):
            run_id = server.started(f"{SYNC}/all", {})
            server.until_met(run_id, least=1)
            single = server.post(f"{SYNC}/single/{wanted}")
            meanwhile = server.run(run_id)
            over = cancelled(server, run_id)

        assert single.status == 200, single.text
        assert single.data["invoice_id"] == wanted
        assert single.data["quickbooks_id"]
        assert meanwhile["state"] == "running"
        assert meanwhile["processed"] < over["total"]
        assert place.look().status[wanted] == 1

    def test_answers_at_once_whoever_waits_for_a_second(
        self, place: University, server: Server
    ) -> None:
        with slowed(place):
            begun = server.post(f"{SYNC}/all", {}, headers={"Prefer": "wait=1"})
            over = cancelled(server, begun.json["meta"]["run_id"])

        assert begun.status == 202, begun.text
        assert begun.headers["preference-applied"] == "wait=1"
        assert begun.data.keys() == SENT
        assert begun.json["meta"]["state"] in {"queued", "running"}
        assert begun.data["total_processed"] < over["total"]

    @pytest.mark.parametrize("preference", ["wait=0", "wait=301", "handling=strict", "wait=x", ""])
    def test_passes_over_a_preference_it_does_not_know(
        self, server: Server, preference: str
    ) -> None:
        answer = server.post(f"{SYNC}/batch", {"batch_size": 1}, headers={"Prefer": preference})

        assert answer.status == 200
        assert "preference-applied" not in answer.headers

    @pytest.mark.long
    def test_of_a_caller_who_hangs_up_goes_on(self, place: University, server: Server) -> None:
        with slowed(place):
            with pytest.raises(TimeoutError):
                server.post(f"{SYNC}/all", {}, timeout_s=1)
            run = server.get(f"{SYNC}/runs?limit=1").data["runs"][0]
            server.until_met(run["id"], least=run["processed"] + 1)
            over = cancelled(server, run["id"])

        assert run["state"] in {"queued", "running"}
        assert over["processed"] > run["processed"]

    def test_that_is_only_tried_sends_nothing(self, place: University, server: Server) -> None:
        before = place.look().counts
        runs = server.get(f"{SYNC}/runs?limit=1").data["runs"][0]["id"]
        batch = server.post(f"{SYNC}/batch", {"batch_size": 20, "dry_run": True})
        some = server.post(f"{SYNC}/all", {"max_batches": 2, "batch_size": 7, "dry_run": True})

        assert (batch.status, batch.data["total_processed"]) == (200, 20)
        assert some.data["total_processed"] == 14
        assert some.data.keys() == SENT
        assert batch.json["meta"]["run_id"] is None
        assert place.look().counts == before
        assert server.get(f"{SYNC}/runs?limit=1").data["runs"][0]["id"] == runs

    def test_lets_questions_be_answered(self, place: University, server: Server) -> None:
        with slowed(place):
            run_id = server.started(f"{SYNC}/all", {})
            server.until_met(run_id, least=1)
            found = {one: server.get(f"{SYNC}/{one}") for one in ("analyze", "preview", "status")}
            cancelled(server, run_id)

        assert {one.status for one in found.values()} == {200}
        active = found["status"].data["active_run"]
        assert active.keys() == {"id", "state", "processed", "total", "eta_seconds"}
        assert (active["id"], active["state"]) == (run_id, "running")


class TestTheCommandLineBesideIt:
    def test_is_told_of_a_run_of_the_server_and_steers_it(
        self, place: University, server: Server
    ) -> None:
        with slowed(place):
            run_id = server.started(f"{SYNC}/all", {})
            server.until_met(run_id, least=1)
            busy = command(place, "all", "--json")
            listed = command(place, "runs", "list", "--json").json["data"]["runs"][0]
            paused = command(place, "runs", "pause", str(run_id))
            server.until(run_id, "paused")
            resumed = command(place, "runs", "resume", str(run_id))
            server.until(run_id, "running")
            ended = command(place, "runs", "cancel", str(run_id))
            server.until(run_id, "cancelled")

        assert (busy.code, busy.json["error_code"]) == (7, "run_active")
        assert busy.json["details"]["run_id"] == run_id
        assert (listed["id"], listed["state"]) == (run_id, "running")
        assert (paused.code, resumed.code, ended.code) == (0, 0, 0)
        assert resumed.lines == [f"Run {run_id} goes on in the server."]

    @pytest.mark.covers("C1")
    def test_keeps_the_server_out_while_it_sends_itself(
        self, place: University, server: Server
    ) -> None:
        with slowed(place):
            child = place.start("all")
            until(lambda: server.get(f"{SYNC}/status").data["active_run"] is not None)
            run_id = server.get(f"{SYNC}/status").data["active_run"]["id"]
            until(lambda: server.run(run_id)["processed"] > 0)
            refused = server.post(f"{SYNC}/all", {})
            seen = server.get(f"{SYNC}/runs/{run_id}").data
            asked = steered(server, run_id, "cancel")
            out, err = child.communicate(timeout=60)

        assert (refused.status, refused.json["error_code"]) == (409, "run_active"), refused.text
        assert refused.json["details"]["run_id"] == run_id
        assert seen["state"] == "running"
        assert asked.status == 200
        assert out.startswith("cancelled "), out + err
        assert place.look().problems == []


class TestTheSchedule:
    def test_begins_a_run_and_its_window_ends_it(self, place: University, server: Server) -> None:
        now = datetime.fromisoformat(server.get(f"{SYNC}/status").data["last_updated"])
        terms = {
            "enabled": True,
            "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
            "from": f"{now - timedelta(minutes=2):%H:%M}",
            "to": f"{now + timedelta(hours=1):%H:%M}",
            "batch_size": 25,
            "max_batches": None,
        }
        with slowed(place):
            assert server.ask("PUT", SCHEDULE, body=terms).status == 200
            an_hour_ago_since_it_was_set(place.folder)
            until(lambda: scheduled(server) is not None)
            run_id = scheduled(server)["id"]
            server.until_met(run_id, least=1)
            steered(server, run_id, "pause")
            server.until(run_id, "paused")
            closes = window_closes(place.folder, run_id, now + timedelta(days=-1))
            steered(server, run_id, "resume")
            over = server.until(run_id, "finished")

        assert server.post(f"{SCHEDULE}/pause").status == 200
        assert over["started_by"] == "schedule"
        assert over["settings"]["batch_size"] == 25
        assert timedelta(minutes=58) < closes - now <= timedelta(minutes=60)
        assert over["processed"] < over["total"]
        assert 3 not in place.look().counts
        assert server.get(f"{SYNC}/preview?limit=1").json["meta"]["total"] > 0


def an_hour_ago_since_it_was_set(folder: Path) -> None:
    """Have the schedule stand since long ago, so that this day's start lies behind it."""
    with (
        closing(sqlite3.connect(folder / "var" / "store" / "store.db", timeout=30)) as store,
        store,
    ):
        store.execute("UPDATE schedules SET changed_at = changed_at - 3600000000, ticked_at = NULL")


def window_closes(folder: Path, run_id: int, at: datetime) -> datetime:
    """Move the end of a run's window, and return when it was."""
    with (
        closing(sqlite3.connect(folder / "var" / "store" / "store.db", timeout=30)) as store,
        store,
    ):
        (found,) = store.execute("SELECT arguments FROM runs WHERE id = ?", [run_id]).fetchone()
        arguments = json.loads(found)
        closes = datetime.fromisoformat(arguments["until"])
        moved = json.dumps({**arguments, "until": at.isoformat()})
        store.execute("UPDATE runs SET arguments = ? WHERE id = ?", [moved, run_id])
    return closes


def scheduled(server: Server) -> Any:  # noqa: ANN401 - a run as JSON
    runs = server.get(f"{SYNC}/runs?limit=1").data["runs"]
    return next((one for one in runs if one["started_by"] == "schedule"), None)


@pytest.fixture(scope="module")
def run_id(server: Server) -> int:
    """Return the run that sent the rest."""
    begun = server.post(f"{SYNC}/all", {}, headers={"Prefer": "wait=120"})
    assert begun.status == 200, begun.text
    assert begun.headers["preference-applied"] == "wait=120"
    return int(begun.json["meta"]["run_id"])


class TestOnceEverythingIsSent:
    @pytest.mark.parametrize("verb", ["batch", "all"])
    def test_nothing_waits(self, server: Server, run_id: int, verb: str) -> None:
        del run_id
        answer = server.post(f"{SYNC}/{verb}", {})

        assert answer.status == 200
        assert answer.data == {"total_processed": 0, "successful": 0, "failed": 0, "errors": []}
        assert answer.json["message"] == "Nothing to send."
        assert answer.json["meta"]["run_id"] is None

    def test_both_books_are_equal(self, place: University, run_id: int) -> None:
        del run_id
        books = place.look()

        assert books.problems == []
        assert set(books.counts) == {1, 2}
        assert place.simulator.violations() == {}

    def test_what_quickbooks_was_asked_is_added_up(
        self, place: University, server: Server, run_id: int
    ) -> None:
        run = server.run(run_id)
        month = server.get(f"{SYNC}/status").data["quickbooks"]["reads_this_month"]
        log = [one for one in place.simulator.log() if one["realm_id"] is not None]

        assert 0 < run["quickbooks_reads"] <= month
        assert month <= sum(one["method"] == "GET" for one in log)
        assert 0 < run["quickbooks_requests"] <= len(log)

    def test_failed_ones_are_retried_by_their_run(self, server: Server, run_id: int) -> None:
        run = server.run(run_id)
        answer = server.post(f"{SYNC}/retry", {"run_id": run_id})

        assert answer.status == 200, answer.text
        assert answer.data["failed"] == run["failed"]

    def test_failed_ones_are_retried_by_their_ids(self, server: Server, run_id: int) -> None:
        failed = server.get(f"{SYNC}/runs/{run_id}/failures").data["failures"]
        ids = [one["invoice_id"] for one in failed][:3]
        answer = server.post(f"{SYNC}/retry", {"invoice_ids": ids})

        assert answer.status == 200, answer.text
        assert answer.data["failed"] == len(ids) > 0
        assert [one["invoice_id"] for one in answer.data["errors"]] == ids

    def test_failed_ones_are_retried_by_their_cause(self, server: Server, run_id: int) -> None:
        del run_id
        groups = server.get(f"{SYNC}/errors").data["groups"]
        code, count = groups[0]["error_code"], groups[0]["count"]
        answer = server.post(f"{SYNC}/retry", {"error_code": code})
        fixed = server.post(f"{SYNC}/retry", {"error_code": code, "only_fixed": True})

        assert answer.data["failed"] == count
        assert fixed.json["message"] == "Nothing to retry."
        assert fixed.data.keys() == SENT

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 422, "validation_failed"),
            ({"invoice_ids": []}, 422, "validation_failed"),
            ({"invoice_ids": [1], "run_id": 1}, 422, "validation_failed"),
            ({"invoice_ids": [99_999_999]}, 404, "not_found"),
            ({"run_id": 99_999_999}, 404, "not_found"),
            ({"error_code": "no_such_cause"}, 404, "not_found"),
        ],
    )
    def test_a_retry_of_nothing_known_is_refused(
        self, server: Server, body: object, status: int, code: str
    ) -> None:
        answer = server.post(f"{SYNC}/retry", body)

        assert (answer.status, answer.json["error_code"]) == (status, code), answer.text

    def test_nothing_is_stuck(self, server: Server, run_id: int) -> None:
        del run_id
        for body in ({"dry_run": True}, {}, None):
            answer = server.post(f"{SYNC}/reset-stuck", body)

            assert answer.status == 200, answer.text
            assert answer.data == {
                "checked": 0,
                "marked_synced": [],
                "released": [],
                "conflicts": [],
                "left": [],
            }
