"""Every endpoint is asked everything its description allows, and much that it does not."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from application.catalogue import CAUSES
from tests.proof.figures import PROVING, TRYING
from tests.walks.server import Server, serving
from tests.walks.support import Installation

CASES = 100_000 if PROVING else 3_280 if TRYING else 1_000
SYNC = "/api/v1/sync"
EVENTS = f"{SYNC}/runs/{{run_id}}/events"
ODD = {"nobody_knows": "this"}
SEED = 20_251_122
ASK_S = 90
ENOUGH = Decimal("0.92")
GROWTH_KB = 200_000
# What a server writes by itself, whatever it is asked.
PULSE = frozenset({"leases"})
SOME_OF_EACH: dict[str, tuple[object, ...]] = {
    "invoice_id": (123, 142, 1, 200, 1250, 999_999),
    "run_id": (1, 2, 3),
    "error_code": ("customer_not_found", "invalid_amount", "run_active"),
    "fee_category": (1, 12, 41),
    "control": ("numbers-off", "kill", "earthquake"),
}
CHECKS = (
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


@dataclass
class Fuzzed:
    """A server, its description, and what it answered so far."""

    installation: Installation
    server: Server
    whole: dict[str, Any]
    url: str
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)
    asked: "count[int]" = field(default_factory=count)
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def operations(self) -> list[APIOperation[Any, Any, Any, Any]]:
        schema = schemathesis.openapi.from_dict(self.whole)
        found = list(schema.get_all_operations())
        assert all(isinstance(each, Ok) for each in found), found
        return [each.ok() for each in found if isinstance(each, Ok)]


@pytest.fixture(scope="module")
def fuzzed(waiting: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    own = waiting.copied_to(tmp_path_factory.mktemp("fuzzed"))
    with serving(own.environment()) as server:
        whole = server.get("/openapi.json").json
        for _ in range(2):
            sent = server.post(f"{SYNC}/batch", headers={"Prefer": "wait=60"})
            assert sent.status == 200, sent.text
        yield Fuzzed(own, server, whole, f"http://127.0.0.1:{server.port}")


def rows_of(file: Path, *, leave: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return what stands in each table of a database, as a hash."""
    found: dict[str, str] = {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        asked = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for (table,) in database.execute(asked).fetchall():
            if table not in leave:
                rows = database.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608 - names from the file itself
                found[table] = hashlib.sha256(repr(sorted(map(repr, rows))).encode()).hexdigest()
    return found


def books_of(installation: Installation) -> dict[str, dict[str, str]]:
    return {
        "mis": rows_of(installation.mis_file),
        "store": rows_of(installation.store_file, leave=PULSE),
    }


def ask(fuzzed: Fuzzed, case: Case[Any]) -> None:
    """Put one case to the server, and hold its answer against the description."""
    number = next(fuzzed.asked)
    if number % 2 and case.meta is not None and case.meta.generation.mode.is_positive:
        for name in case.path_parameters or {}:
            known = SOME_OF_EACH[name]
            case.path_parameters[name] = known[number // 2 % len(known)]
    given = {"Prefer": "respond-async"} if case.method == "POST" else {}
    if number % 7 == 0:
        given["Accept"] = "application/problem+json"
    kwargs = case.as_transport_kwargs(fuzzed.url, headers=given)
    kwargs.pop("allow_redirects", None)
    follows = case.operation.path == EVENTS
    got = fuzzed.session.request(**kwargs, timeout=ASK_S, allow_redirects=False, stream=follows)
    fuzzed.statuses[f"{case.operation.label} {got.status_code}"] += 1
    if follows and got.status_code == 200:
        assert got.headers["content-type"].startswith("text/event-stream")
        got.close()
        return
    checks = [*CHECKS, negative_data_rejection] if wrong_before_the_head(case) else list(CHECKS)
    case.validate_response(got, checks=checks, headers=given)
    if ODD.keys() & (case.query or {}).keys():
        assert 400 <= got.status_code < 500, got.content
    hold(got)


def wrong_before_the_head(case: Case[Any]) -> bool:
    """Return whether a case is wrong on purpose, and elsewhere than in a header we may ignore."""
    meta = case.meta
    if meta is None or meta.generation.mode.is_positive:
        return False
    head = meta.components.get(ParameterLocation.HEADER)
    return head is None or head.mode.is_positive


def hold(got: requests.Response) -> None:
    """Check what every answer has, and what every refusal has."""
    assert got.headers["X-Request-Id"]
    assert got.headers["Cache-Control"] == "no-store"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    if got.status_code < 400:
        return
    refusal = json.loads(got.content)
    cause = CAUSES[refusal["error_code"]]
    assert refusal["error"] == cause.title
    assert refusal["remedy"].strip()
    assert refusal["message"].strip()
    if "replayed" not in refusal["meta"]:  # else it is the first one's, as everything in it
        assert refusal["meta"]["request_id"] == got.headers["X-Request-Id"]
    assert got.status_code != 500, refusal
    if got.status_code == 503:
        assert refusal["error_code"] in {"streams_full", "quickbooks_unavailable"}, refusal


def put_all(fuzzed: Fuzzed, asked: SearchStrategy[Case[Any]], *, cases: int) -> None:
    """Put so many cases to the server; what is wrong with an answer is noted, once of its kind."""

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=asked)
    def put(case: Case[Any]) -> None:
        try:
            ask(fuzzed, case)
        except (AssertionError, FailureGroup) as wrong:
            fuzzed.wrong.setdefault(f"{case.operation.label}: {str(wrong)[:60]}", str(wrong))

    put()


def run_cases(fuzzed: Fuzzed, *, reads: bool) -> None:
    """Ask every operation that reads, or every other, half of the cases wrong on purpose."""
    every = fuzzed.operations
    chosen = [each for each in every if (each.method.upper() == "GET") is reads]
    cases = -(-CASES // (len(every) * 2))
    before = fuzzed.statuses.total()
    for operation in chosen:
        put_all(fuzzed, operation.as_strategy(), cases=cases)
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        try:
            put_all(fuzzed, wrong, cases=cases)
        except Unsatisfiable:  # everything it takes is free text
            put_all(fuzzed, operation.as_strategy(query=ODD), cases=cases)

    assert fuzzed.wrong == {}
    assert fuzzed.statuses.total() - before > ENOUGH * CASES * len(chosen) / len(every)


def kilobytes_of(server: Server) -> int:
    """Return the memory a server holds now."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def wait_for_runs(server: Server) -> None:
    """Wait until no run is at work."""
    active = server.get(f"{SYNC}/status").data["active_run"]
    if active is not None:
        server.until(active["id"], "finished", "cancelled", "failed")


def test_asking_changes_nothing(fuzzed: Fuzzed) -> None:
    wait_for_runs(fuzzed.server)
    before = books_of(fuzzed.installation)

    run_cases(fuzzed, reads=True)

    assert books_of(fuzzed.installation) == before


def test_every_change_answers_as_described(fuzzed: Fuzzed) -> None:
    held_kb = kilobytes_of(fuzzed.server)

    run_cases(fuzzed, reads=False)

    assert kilobytes_of(fuzzed.server) - held_kb < GROWTH_KB
    wait_for_runs(fuzzed.server)
    assert fuzzed.server.get(f"{SYNC}/audit/verify").data["intact"] is True


def rude() -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the refusal and what is sent for it, of requests no description allows."""
    plain = {"Content-Type": "application/json"}
    kinds: tuple[dict[str, str], ...] = (
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=x"},
    )
    yield from ((415, {"method": "POST", "data": "{}", "headers": each}) for each in kinds)
    yield 413, {"method": "POST", "data": json.dumps("x" * 70_000), "headers": plain}
    for body in (
        b"{",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 99,
        b'"\\ud800"',
        b"1e999",
    ):
        yield 400, {"method": "POST", "data": body, "headers": plain}
    for method in ("DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND"):
        yield 405, {"method": method}
    yield 400, {"method": "POST", "headers": {"Host": "elsewhere.example.org"}}
    yield 403, {"method": "POST", "headers": {"Origin": "https://elsewhere.example.org"}}
    yield 403, {"method": "POST", "headers": {"Sec-Fetch-Site": "cross-site"}}
    yield 401, {"method": "POST", "headers": {"X-Forwarded-For": "192.0.2.1"}}


def test_what_no_description_allows_is_refused_as_described(fuzzed: Fuzzed) -> None:
    seen: Counter[int] = Counter()
    for operation in fuzzed.operations:
        if operation.method.upper() != "POST":
            continue
        told = operation.definition.raw["responses"]
        path = operation.path.format(invoice_id=1, run_id=1, control="earthquake")
        for status, request in rude():
            got = requests.request(url=fuzzed.url + path, timeout=ASK_S, **request)
            assert (got.status_code, path) == (status, path), (request, got.content)
            assert str(status) in told, path
            if request["method"] != "HEAD":
                hold(got)
            seen[status] += 1

    assert set(seen) == {400, 401, 403, 405, 413, 415}
    assert fuzzed.server.get("/health/").json == {"status": "ok"}
