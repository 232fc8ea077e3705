"""A request with an `Idempotency-Key` that comes again: one run, whatever comes between."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.walks.desk import ASYNC, cancelled, slowed
from tests.walks.server import SYNC, Answer, Server, serving, start
from tests.walks.university import University, university


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[University]:
    with university(tmp_path_factory.mktemp("once"), size=600) as place:
        yield place


@pytest.fixture(scope="module")
def server(place: University) -> Iterator[Server]:
    with serving(place.environment()) as server:
        yield server


def keyed(name: str, **more: str) -> dict[str, str]:
    return {"Idempotency-Key": name, **more}


def runs_of(server: Server) -> list[Any]:
    runs: list[Any] = server.get(f"{SYNC}/runs?limit=100").data["runs"]
    return runs


class TestARepeat:
    def test_of_a_request_that_was_answered_gets_the_same_answer(self, server: Server) -> None:
        body = {"batch_size": 20}
        first = server.post(f"{SYNC}/batch", body, headers=keyed("first"))
        before = len(runs_of(server))
        second = server.post(f"{SYNC}/batch", body, headers=keyed("first"))

        assert (first.status, second.status) == (200, 200)
        assert second.data == first.data
        assert "replayed" not in first.json["meta"]
        assert second.json["meta"]["replayed"] is True
        assert second.json["meta"]["run_id"] == first.json["meta"]["run_id"]
        assert len(runs_of(server)) == before

    def test_of_a_refusal_gets_the_same_refusal(self, server: Server) -> None:
        first = server.post(f"{SYNC}/single/99999999", headers=keyed("refused"))
        second = server.post(f"{SYNC}/single/99999999", headers=keyed("refused"))

        assert (first.status, second.status) == (404, 404)
        assert second.json["error_code"] == first.json["error_code"] == "not_found"
        assert second.json["meta"]["replayed"] is True

    def test_while_the_run_goes_on_tells_how_it_stands(
        self, place: University, server: Server
    ) -> None:
        with slowed(place):
            headers = keyed("going", **ASYNC)
            first = server.post(f"{SYNC}/all", {}, headers=headers)
            run_id = first.json["meta"]["run_id"]
            server.until_met(run_id, least=1)
            second = server.post(f"{SYNC}/all", {}, headers=headers)
            over = cancelled(server, run_id)
        third = server.post(f"{SYNC}/all", {}, headers=headers)

        assert (first.status, second.status) == (202, 202)
        assert second.json["meta"]["run_id"] == third.json["meta"]["run_id"] == run_id
        assert second.json["meta"]["replayed"] is True
        assert second.json["meta"]["state"] == "running"
        assert second.data["total_processed"] >= 1
        assert second.headers["location"] == f"{SYNC}/runs/{run_id}"
        assert (third.status, third.json["meta"]["state"]) == (200, "cancelled")
        assert third.data["total_processed"] == over["processed"]

    @pytest.mark.covers("C2")
    def test_at_the_same_instant_begins_one_run(self, place: University, server: Server) -> None:
        before = len(runs_of(server))
        with slowed(place), ThreadPoolExecutor(6) as pool:
            answers = list(
                pool.map(
                    lambda _: server.post(f"{SYNC}/all", {}, headers=keyed("at once", **ASYNC)),
                    range(6),
                )
            )
            again = server.post(f"{SYNC}/all", {}, headers=keyed("at once", **ASYNC))
            run_id = again.json["meta"]["run_id"]
            cancelled(server, run_id)

        accepted = [one for one in answers if one.status == 202]
        refused = [one for one in answers if one.status != 202]
        assert accepted
        assert {one.json["meta"]["run_id"] for one in accepted} == {run_id}
        assert {one.json["error_code"] for one in refused} <= {"idempotency_in_flight"}
        assert all(one.headers["retry-after"] == "5" for one in refused)
        assert len(runs_of(server)) == before + 1

    @pytest.mark.covers("C2")
    def test_of_a_single_invoice_sends_it_once(self, place: University, server: Server) -> None:
        shown = server.get(f"{SYNC}/preview?limit=50").data["invoices"]
        invoice_id = next(one["id"] for one in shown if one["ready"])
        first = server.post(f"{SYNC}/single/{invoice_id}", headers=keyed("one"))
        second = server.post(f"{SYNC}/single/{invoice_id}", headers=keyed("one"))

        assert second.data == first.data
        assert second.json["meta"]["already_synced"] is False
        assert second.json["meta"]["replayed"] is True
        assert place.look().documents[f"MIS-{invoice_id}"] == 1


class TestAKey:
    @pytest.mark.parametrize("body", [{"batch_size": 2}, {"batch_size": 1, "dry_run": True}, None])
    def test_belongs_to_one_body(self, server: Server, body: object) -> None:
        first = server.post(f"{SYNC}/batch", {"batch_size": 1}, headers=keyed("mine"))
        other = server.post(f"{SYNC}/batch", body, headers=keyed("mine"))

        assert first.status == 200
        assert (other.status, other.json["error_code"]) == (422, "idempotency_mismatch")

    def test_belongs_to_one_address(self, server: Server) -> None:
        begun = [
            server.post(f"{SYNC}/batch", {"batch_size": 1}, headers=keyed("where")),
            server.post(f"{SYNC}/all", {"batch_size": 1, "max_batches": 1}, headers=keyed("where")),
        ]

        assert [one.status for one in begun] == [200, 200]
        assert len({one.json["meta"]["run_id"] for one in begun}) == 2

    @pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9"])
    def test_that_is_none_is_refused(self, server: Server, key: str) -> None:
        answer = server.post(f"{SYNC}/batch", {"batch_size": 1}, headers=keyed(key))

        assert (answer.status, answer.json["error_code"]) == (422, "validation_failed")

    def test_of_the_longest_is_taken(self, server: Server) -> None:
        answer = server.post(f"{SYNC}/batch", {"batch_size": 1}, headers=keyed("x" * 255))

        assert answer.status == 200

    def test_that_was_refused_for_a_run_at_work_may_come_again(
        self, place: University, server: Server
    ) -> None:
        with slowed(place):
            run_id = server.started(f"{SYNC}/all", {})
            busy = server.post(f"{SYNC}/batch", {"batch_size": 3}, headers=keyed("later"))
            cancelled(server, run_id)
        other_key = server.post(f"{SYNC}/batch", {"batch_size": 3}, headers=keyed("later 2"))

        assert (busy.status, busy.json["error_code"]) == (409, "run_active")
        assert other_key.status == 200


class TestAServerThatDiesBetween:
    @pytest.mark.parametrize("least", [0, pytest.param(40, marks=pytest.mark.long)])
    def test_is_followed_by_one_that_knows_the_key(self, least: int, tmp_path: Path) -> None:
        with university(tmp_path, size=200) as place:
            headers = keyed("night-2026-01-05", **ASYNC)
            server = start(place.environment())
            first = server.post(f"{SYNC}/all", {}, headers=headers)
            run_id = first.json["meta"]["run_id"]
            if least:
                server.until_met(run_id, least=least)
            server.kill()

            with serving(place.environment()) as again:
                second = again.post(f"{SYNC}/all", {}, headers=headers)
                other = again.post(f"{SYNC}/all", {"max_batches": 1}, headers=headers)
                run = again.until(run_id, "finished")
                third = again.post(f"{SYNC}/all", {}, headers=headers)
                runs = runs_of(again)

        assert second.json["meta"]["run_id"] == third.json["meta"]["run_id"] == run_id
        assert second.json["meta"]["replayed"] is True
        assert (other.status, other.json["error_code"]) == (422, "idempotency_mismatch")
        assert third.data["total_processed"] == run["processed"] == 200
        assert [one["id"] for one in runs] == [run_id]

    @pytest.mark.long
    def test_while_a_caller_waits_is_followed_by_one_that_answers(self, tmp_path: Path) -> None:
        with university(tmp_path, size=200) as place:
            server = start(place.environment())

            def ask() -> Answer | None:
                try:
                    return server.post(f"{SYNC}/all", {}, headers=keyed("cut off"))
                except (ConnectionError, OSError):
                    return None

            with ThreadPoolExecutor(1) as pool:
                cut = pool.submit(ask)
                while not (runs := runs_of(server)) or not runs[0]["processed"]:
                    assert not cut.done()
                server.kill()
                assert cut.result() is None

            with serving(place.environment()) as again:
                repeated = again.post(f"{SYNC}/all", {}, headers=keyed("cut off"))
                run_id = repeated.json["meta"]["run_id"]
                again.until(run_id, "finished")
                assert [one["id"] for one in runs_of(again)] == [run_id] == [runs[0]["id"]]
            assert repeated.status in {200, 202}
            assert place.look().problems == []
