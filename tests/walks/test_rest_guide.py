"""The guide's curl lines, run by a shell as they stand there; answers as the guide prints them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from application.catalogue import CAUSES
from tests.walks.desk import CURLS, GUIDE, curled
from tests.walks.server import SYNC, Server, serving
from tests.walks.support import Installation

PRINTED: list[Any] = [
    json.loads(one)
    for one in re.findall(r"\*\*Response:\*\*\n```json\n(.*?)```", GUIDE, flags=re.DOTALL)
]
ANALYZED, BATCHED = PRINTED
COUNTS = set(ANALYZED["data"])


@pytest.fixture(scope="module")
def server(waiting: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = waiting.copied_to(tmp_path_factory.mktemp("guide"))
    with serving(own.environment()) as server:
        yield server


@pytest.fixture(scope="module")
def answers(server: Server) -> list[Any]:
    """Return what each line of the guide answers, run one after the other as it stands there."""
    return [curled(line, server=server) for line in CURLS]


def of(answers: list[Any], words: str, *, last: bool = False) -> Any:  # noqa: ANN401 - any JSON
    found = [answer for line, answer in zip(CURLS, answers, strict=True) if words in line]
    return found[-1 if last else 0]


class TestEachLineOfTheGuide:
    def test_is_one_of_seven(self) -> None:
        paths = [re.findall(r"/api/v1/sync/(\w+)", line) for line in CURLS]

        assert [path for (path,) in paths] == [
            *("status", "analyze", "preview", "batch", "all", "single", "status")
        ]

    def test_is_answered_in_one_envelope(self, answers: list[Any]) -> None:
        for answer in answers:
            assert answer.keys() == {"success", "data", "message", "meta"}
            assert answer["success"] is True
            assert answer["message"]
            assert answer["meta"].keys() >= {"request_id", "timestamp"}

    def test_analyzes_as_printed(self, answers: list[Any]) -> None:
        answer = of(answers, "/analyze")

        assert {name: answer[name] for name in ANALYZED} == ANALYZED

    def test_previews_ten_in_the_order_they_will_go(self, answers: list[Any]) -> None:
        answer = of(answers, "/preview")
        found = answer["data"]

        assert found.keys() == {"invoices", "count", "limit", "offset"}
        assert (found["count"], found["limit"], found["offset"]) == (10, 10, 0)
        ids = [one["id"] for one in found["invoices"]]
        assert ids == sorted(ids)
        assert len(ids) == 10
        assert answer["meta"]["total"] == 1250

    def test_sends_a_batch_as_printed(self, answers: list[Any]) -> None:
        answer = of(answers, "/batch")
        printed = dict(BATCHED["data"])
        named = printed.pop("errors")

        assert answer["data"].keys() == BATCHED["data"].keys()
        assert printed.items() <= answer["data"].items()
        assert answer["data"]["errors"] == [
            *named,
            {"invoice_id": 142, "error": "Invalid amount"},
        ]
        assert answer["meta"]["remaining"] == 1200
        assert answer["meta"]["state"] == "finished"

    def test_sends_ten_batches(self, answers: list[Any]) -> None:
        answer = of(answers, "/all")

        assert answer["data"].keys() == BATCHED["data"].keys()
        assert (answer["data"]["total_processed"], answer["data"]["failed"]) == (500, 4)
        assert len(answer["data"]["errors"]) == 4
        assert answer["meta"]["batches_processed"] == 10

    def test_sends_one(self, answers: list[Any]) -> None:
        answer = of(answers, "/single")

        assert answer["data"].keys() == {"invoice_id", "quickbooks_id"}
        assert answer["data"]["invoice_id"] == 12345
        assert answer["meta"]["doc_number"] == "MIS-12345"
        assert answer["meta"]["already_synced"] is False

    def test_tells_the_status_before_and_after(self, answers: list[Any]) -> None:
        before = of(answers, "/status")["data"]
        after = of(answers, "/status", last=True)["data"]

        assert before.keys() == after.keys()
        assert before["statistics"].keys() == COUNTS
        assert (before["progress_percentage"], before["last_run"]) == (0, None)
        assert after["statistics"] == {
            "total_invoices": 1250,
            "not_synced": 699,
            "already_synced": 545,
            "failed": 6,
            "in_progress": 0,
        }
        assert after["progress_percentage"] == 43.6
        assert after["quickbooks_connected"] is True


class TestOneInvoice:
    def test_is_sent_once(self, server: Server, answers: list[Any]) -> None:
        again = server.post(f"{SYNC}/single/12345")

        assert again.status == 200
        assert again.data == of(answers, "/single")["data"]
        assert again.json["meta"]["already_synced"] is True

    def test_that_is_not_there_is_not_found(self, server: Server) -> None:
        answer = server.post(f"{SYNC}/single/99999")

        assert (answer.status, answer.json["error_code"]) == (404, "not_found")
        assert answer.json.keys() == {
            *("success", "data", "message", "error", "error_code", "remedy", "retryable"),
            *("details", "meta"),
        }
        assert (answer.json["success"], answer.json["data"]) == (False, None)

    def test_that_cannot_go_says_why(self, server: Server, answers: list[Any]) -> None:
        del answers  # the batch has met it
        answer = server.post(f"{SYNC}/single/123")

        assert answer.status == 422
        assert answer.json["error"] == "Customer not found"
        assert answer.json["error_code"] == "customer_not_found"
        assert answer.json["details"]["invoice_id"] == 123
        assert answer.json["remedy"]

    def test_may_be_tried_without_sending(self, server: Server) -> None:
        waiting = server.get(f"{SYNC}/preview?limit=1").data["invoices"][0]["id"]
        answer = server.post(f"{SYNC}/single/{waiting}", {"dry_run": True})

        assert answer.status == 200
        assert answer.data == {"invoice_id": waiting, "quickbooks_id": None}
        assert answer.json["meta"]["ready"] in {True, False}
        assert server.get(f"{SYNC}/preview?limit=1").data["invoices"][0]["id"] == waiting


class TestARequestOfTheGuideWithAWrongValue:
    @pytest.mark.parametrize(
        ("request_line", "body", "code"),
        [
            ("GET preview?limit=abc", None, "bad_request"),
            ("GET preview?limit=0", None, "validation_failed"),
            ("GET preview?limit=101", None, "validation_failed"),
            ("GET preview?offset=-1", None, "validation_failed"),
            ("GET analyze?limit=1", None, "validation_failed"),
            ("POST batch", {"batch_size": 0}, "validation_failed"),
            ("POST batch", {"batch_size": 101}, "validation_failed"),
            ("POST batch", {"batch_size": "50"}, "bad_request"),
            ("POST batch", {"size": 50}, "validation_failed"),
            ("POST all", {"max_batches": 0}, "validation_failed"),
            ("POST single/0", None, "validation_failed"),
            ("POST single/abc", None, "bad_request"),
            ("GET batch", None, "method_not_allowed"),
        ],
    )
    def test_is_told_which(
        self, server: Server, request_line: str, body: object, code: str
    ) -> None:
        method, path = request_line.split()
        answer = server.ask(method, f"{SYNC}/{path}", body=body)

        assert answer.json["error_code"] == code, answer.text
        assert answer.status == CAUSES[code].http_status
