"""The interface's description: what FastAPI tells of the endpoints, and what it cannot know."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI

from application.api import envelope
from application.api.examples import EXAMPLES, Example
from application.api.table import ROWS

Part = dict[str, Any]
REFS: Final = "#/components/schemas/{model}"
REFUSED_FROM: Final = 400
ACCEPTED: Final = "202"
_ENVELOPE = re.compile(r"\bSuccess_(\w+?)_\b")
METHODS: Final = ("get", "post", "put")
ABOUT: Final[Mapping[str, str]] = {
    "200": "Done.",
    "202": "Accepted and still going; `Location` tells how it goes.",
    "204": "The run has ended and its last event was seen.",
    "302": "To the connection page, whatever became of it.",
    "400": "The request cannot be read.",
    "401": "No valid key.",
    "403": "The role of the key does not reach, or another site sent this.",
    "404": "There is none of that name or number.",
    "405": "The address takes other methods.",
    "409": "Something stands in the way; `error_code` and `remedy` tell what.",
    "413": "The body is larger than 64 kB.",
    "415": "The body is not declared as `application/json`.",
    "422": "The request can be read and asks for what is not allowed, or an invoice was refused.",
    "429": "Too many requests, or QuickBooks asks for patience.",
    "500": "A fault of ours; where it arose is in the log under `request_id`.",
    "503": "The MIS, the store or QuickBooks does not answer now.",
}
_TEXT: Final[Part] = {"type": "string"}
_SECONDS: Final[Part] = {"type": "integer", "minimum": 1}
REQUEST_ID: Final[Part] = {
    "description": "Under which the request is found again.",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
HEADERS: Final[Mapping[str, Mapping[str, Part]]] = {
    "202": {
        "Location": {"description": "The run.", "required": True, "schema": _TEXT},
        "Retry-After": {"description": "Seconds.", "required": True, "schema": _SECONDS},
    },
    "302": {"Location": {"description": "The page.", "required": True, "schema": _TEXT}},
    "401": {"WWW-Authenticate": {"description": "`Bearer`.", "required": True, "schema": _TEXT}},
    "405": {"Allow": {"description": "Methods.", "required": True, "schema": _TEXT}},
    "409": {"Retry-After": {"description": "Seconds, where it passes.", "schema": _SECONDS}},
    "429": {"Retry-After": {"description": "Seconds.", "required": True, "schema": _SECONDS}},
    "503": {"Retry-After": {"description": "Seconds, where it passes.", "schema": _SECONDS}},
}
ASKED_ID: Final[Part] = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "Kept where it is 1 to 64 letters, digits, dots, lines; else one is made.",
    "schema": _TEXT,
}
ONCE: Final[Part] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A repeat with the same key and body gets the first one's answer, for 24 h.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
PREFER: Final[Part] = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async`, or `wait=N` with 1 to 300 seconds; anything else is ignored.",
    "schema": _TEXT,
}


def described(app: FastAPI) -> Part:
    """Return the whole description (OpenAPI 3.1); it is made once.

    Args:
        app: The interface, with all its routes.
    """
    known: Part | None = getattr(app.state, "description", None)
    if known is None:
        # Programs are made from it, and bear the names of its parts.
        named = _ENVELOPE.sub(r"\1Answer", json.dumps(app.openapi()))
        known = _complete(json.loads(named))
        app.state.description = known
    return known


def operations(whole: Mapping[str, Any]) -> Iterator[tuple[str, str, Part]]:
    """Yield method, path and operation of everything a description tells.

    Args:
        whole: The description.
    """
    for path, methods in whole["paths"].items():
        for method in METHODS:
            if method in methods:
                yield method.upper(), path, methods[method]


def _complete(whole: Part) -> Part:
    parts = whole["components"]
    parts["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of `feebridge keys create`. On this machine, as long as there "
            "is none, no key is needed.",
        }
    }
    schemas = parts["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (envelope.Refusal, envelope.Problem):
        schemas[model.__name__] = model.model_json_schema(ref_template=REFS)
        schemas[model.__name__].pop("$defs", None)
    whole["security"] = [{"key": []}, {}]
    roles = {(row.method, row.path): row.role for row in ROWS}
    for method, path, told in operations(whole):
        role = roles[method, path]
        if role is None:
            told["security"] = [{}]
        _tell(told, method=method, path=path)
        about = "Anybody may ask." if role is None else f"Role: {role.value}."
        told["description"] = f"{told['description']} {about}"
    return whole


def _tell(told: Part, *, method: str, path: str) -> None:
    told["summary"] = told["description"].partition("\n")[0].rstrip(".")
    told["operationId"] = "_".join(_words(method.lower(), path))
    parameters = told.setdefault("parameters", [])
    parameters.append(ASKED_ID)
    if method == "POST":
        parameters.append(ONCE)
    if ACCEPTED in told["responses"]:
        parameters.append(PREFER)
    for status, answer in told["responses"].items():
        answer["description"] = ABOUT[status]
        answer["headers"] = {"X-Request-Id": REQUEST_ID, **HEADERS.get(status, {})}
        if int(status) >= REFUSED_FROM:
            answer["content"] = _refusals()
    told["responses"] = dict(sorted(told["responses"].items()))
    example = EXAMPLES.get(f"{method} {path}")
    if example is not None:
        _show(told, example)


def _show(told: Part, example: Example) -> None:
    told["responses"]["200"]["content"][envelope.JSON]["example"] = example.whole
    if example.body is not None:
        told["requestBody"]["content"][envelope.JSON]["example"] = dict(example.body)


def _refusals() -> Part:
    return {
        media: {"schema": {"$ref": REFS.format(model=model.__name__)}}
        for media, model in (
            (envelope.JSON, envelope.Refusal),
            (envelope.PROBLEM, envelope.Problem),
        )
    }


def _words(method: str, path: str) -> Iterator[str]:
    yield method
    for part in path.removeprefix("/api/v1").split("/"):
        if part:
            yield part.strip("{}").replace("-", "_").removesuffix(".json")
