"""A repeated request is answered in the form it asks for, and never kept from what has passed."""

import pytest

from tests.walks.server import SYNC, serving
from tests.walks.support import Installation

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(("first", "then"), [("*/*", PROBLEM), (PROBLEM, "*/*")])
def test_a_refusal_comes_again_as_it_is_asked_for(own: Installation, first: str, then: str) -> None:
    with serving(own.environment()) as server:
        path, key = f"{SYNC}/runs/999999/pause", {"Idempotency-Key": "twice"}
        told = server.post(path, headers={**key, "Accept": first})
        again = server.post(path, headers={**key, "Accept": then})

    assert told.status == again.status == 404
    once, twice = told.json, again.json
    assert twice["meta"].pop("replayed") is True
    shared = {"message", "error", "error_code", "remedy", "retryable", "details", "meta"}
    assert {name: once[name] for name in shared} == {name: twice[name] for name in shared}
    for answer, accept in ((told, first), (again, then)):
        problem = accept == PROBLEM
        kind = PROBLEM if problem else "application/json"
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
        assert ("success" in answer.json) is not problem
        assert answer.json.get("instance") == (path if problem else None)


def test_what_passes_by_waiting_is_not_repeated(own: Installation) -> None:
    key = {"Idempotency-Key": "patient", "Prefer": "wait=100"}
    with serving(own.environment()) as server:
        run_id = server.started(f"{SYNC}/all")
        refused = server.post(f"{SYNC}/batch", headers=key)
        server.post(f"{SYNC}/runs/{run_id}/cancel")
        server.until(run_id, "cancelled", "finished")
        then = server.post(f"{SYNC}/batch", headers=key)

    assert refused.status == 409
    assert refused.json["error_code"] == "run_active"
    assert "retry-after" in refused.headers
    assert then.status == 200
    assert "replayed" not in then.json["meta"]
