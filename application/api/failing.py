"""Everything that is no success, in the envelope: conditions, wrong requests, faults of ours."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from application.api import envelope
from application.api.door import Here
from application.catalogue import InternalFault, NotFound, Stop

# What pydantic calls a value of another type: such a request is not readable.
UNREADABLE: Final = ("json_invalid", "_type", "_parsing", "date_from_datetime", "_too_large")
WORDS: Final = {
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "extra_forbidden": "is not known here",
    "missing": "is needed",
    "string_too_short": "must have {min_length} characters or more",
    "string_too_long": "must have {max_length} characters or fewer",
    "too_long": "must have {max_length} entries or fewer",
    "too_short": "must have {min_length} entries or more",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
}
RETRY_AFTER_S: Final = {
    "run_active": 30,
    "quickbooks_unavailable": 30,
    "quickbooks_rate_limited": 60,
    "invoice_in_progress": 60,
    "idempotency_in_flight": 5,
    "streams_full": 5,
    "mis_unavailable": 30,
    "store_unavailable": 30,
}
GOT_CHARACTERS_MAX: Final = 100
UNTOLD: Final = frozenset({"code", "state", "realmId", "url"})  # of a sign-in


class Unreadable(Stop):
    """A request that cannot be read. Facts: problem."""

    cause = "bad_request"


class Wrong(Stop):
    """A request that can be read and asks for what is not allowed. Facts: problem, fields."""

    cause = "validation_failed"


class MethodWrong(Stop):
    """The address does not take that method. Facts: none."""

    cause = "method_not_allowed"


def wrong(*, field: str, problem: str, got: object) -> Wrong:
    """Return the refusal of one field."""
    told = {"field": field, "problem": problem, "got": str(got)[:GOT_CHARACTERS_MAX]}
    return Wrong(problem=f"{field} {problem}", fields=[told])


def failed(request: Request, stop: Stop) -> Response:
    """Return what a condition reads like."""
    here = Here(request)
    retry_s = stop.facts.get("retry_after_s") or RETRY_AFTER_S.get(stop.cause)
    status, headers, body = envelope.failure(
        stop.cause,
        facts=stop.facts,
        request_id=here.request_id,
        now=here.now,
        details=_details(stop),
        instance=request.url.path,
        problem_json=envelope.wants_problem(request.headers.get("accept", "")),
    )
    more = {"Retry-After": str(retry_s)} if retry_s and "Retry-After" not in headers else {}
    return Response(body, status, {**headers, **more})


def _details(stop: Stop) -> Mapping[str, object]:
    return {name: fact for name, fact in stop.facts.items() if fact is not None}


def condition_of(unclear: RequestValidationError) -> Stop:
    """Return what is wrong with a request, field by field."""
    errors = unclear.errors()
    fields = [_field(one) for one in errors]
    problem = "; ".join(f"{one['field']} {one['problem']}" for one in fields[:3])
    if any(_unreadable(str(one["type"])) for one in errors):
        return Unreadable(problem=problem, fields=fields)
    return Wrong(problem=problem, fields=fields)


def _unreadable(kind: str) -> bool:
    return kind != "missing" and any(kind.endswith(part) or kind == part for part in UNREADABLE)


def _field(error: Mapping[str, Any]) -> dict[str, str]:
    place: Sequence[object] = error["loc"][1:] or error["loc"]
    name = ".".join(str(one) for one in place)
    words = WORDS.get(str(error["type"]))
    context = error.get("ctx") or {}
    problem = words.format(**context) if words else str(error["msg"]).lower()
    return {
        "field": name[:GOT_CHARACTERS_MAX],
        "problem": problem,
        "got": _got(name, error),
    }


def _got(name: str, error: Mapping[str, Any]) -> str:
    """Return what stood there, unless it may open a door or is more than the one value."""
    found = error.get("input")
    whole = error["type"] in {"missing", "extra_forbidden"} or isinstance(found, (dict, list))
    return "" if whole or name in UNTOLD else str(found)[:GOT_CHARACTERS_MAX]


def refusal_of(refused: HTTPException) -> Stop:
    """Return what is wrong with an address or method we do not have."""
    if refused.status_code == 405:  # noqa: PLR2004 - HTTP's own number
        return MethodWrong()
    if refused.status_code == 404:  # noqa: PLR2004 - HTTP's own number
        return NotFound(what="page")
    return Unreadable(problem=str(refused.detail))


def fault_of(request: Request, fault: Exception) -> Stop:
    """Return what a fault of ours reads like; where it arose is in the log."""
    here = Here(request)
    here.services.logs.fault("request.failed", fault, request_id=here.request_id)
    return InternalFault(of="a request")
