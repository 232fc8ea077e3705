"""The one envelope every answer comes in, as JSON of ours or as a problem (RFC 9457)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from application.catalogue import explain, retryable
from application.shown.texts import json_text, sentence_of

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
SHARED: Final = ("message", "error", "error_code", "remedy", "retryable", "details", "meta")
T = TypeVar("T")


class Meta(BaseModel):
    """What stands beside every answer; more may."""

    model_config = ConfigDict(extra="allow")
    request_id: str
    timestamp: datetime


class Success(BaseModel, Generic[T]):
    """An answer."""

    model_config = ConfigDict(extra="forbid")
    success: Literal[True]
    content: T = Field(alias="data")
    message: str
    meta: Meta


class Refusal(BaseModel):
    """A refusal, with its cause and what to do."""

    model_config = ConfigDict(extra="forbid")
    success: Literal[False]
    content: None = Field(alias="data")
    message: str
    error: str
    error_code: str
    remedy: str
    retryable: bool
    details: dict[str, Any]
    meta: Meta


class Problem(BaseModel):
    """The same as a problem, where `Accept` asks for `application/problem+json`."""

    model_config = ConfigDict(extra="forbid")
    type: str
    title: str
    status: int
    detail: str
    instance: str
    message: str
    error: str
    error_code: str
    remedy: str
    retryable: bool
    details: dict[str, Any]
    meta: Meta


def success(
    content: object,
    *,
    message: str,
    request_id: str,
    now: datetime,
    meta: Mapping[str, object] | None = None,
) -> bytes:
    """Return an answer's body.

    Args:
        content: What stands under `data`.
        message: One full sentence.
        request_id: Of this request.
        now: In office time.
        meta: What goes beside the standing entries.
    """
    return json_text(
        {
            "success": True,
            "data": content,
            "message": message,
            "meta": {**(meta or {}), "request_id": request_id, "timestamp": now},
        }
    ).encode()


def failure(
    cause: str,
    *,
    facts: Mapping[str, object],
    request_id: str,
    now: datetime,
    details: Mapping[str, object] | None = None,
    instance: str = "",
    problem_json: bool = False,
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of a refusal.

    Args:
        cause: A catalogue code.
        facts: By the names in its texts.
        request_id: Of this request.
        now: In office time.
        details: What a program may want to know.
        instance: The address that was asked.
        problem_json: Whether it is told as a problem.
    """
    told = explain(cause, facts)
    message = f"{sentence_of(cause, facts)}. {told.why}"
    body: dict[str, object] = {
        "message": message,
        "error": told.title,
        "error_code": told.code,
        "remedy": told.remedy,
        "retryable": retryable(told.code),
        "details": dict(details or {}),
        "meta": {"request_id": request_id, "timestamp": now},
    }
    media_type, text = refusal(
        body, status=told.http_status, instance=instance, problem_json=problem_json
    )
    headers = {"Content-Type": media_type}
    if told.http_status == 401:  # noqa: PLR2004 - HTTP's own number
        headers["WWW-Authenticate"] = "Bearer"
    return told.http_status, headers, text


def refusal(
    body: Mapping[str, Any], *, status: int, instance: str, problem_json: bool
) -> tuple[str, bytes]:
    """Return media type and text of a refusal, whichever way it was told before.

    Args:
        body: What both ways have, or one of them whole.
        status: Of the answer.
        instance: The address that was asked.
        problem_json: Whether it is told as a problem.
    """
    shared = {name: body[name] for name in SHARED}
    if not problem_json:
        return JSON, text_of({"success": False, "data": None, **shared})
    told = {
        "type": f"/help/errors#{body['error_code']}",
        "title": body["error"],
        "status": status,
        "detail": body["message"],
        "instance": instance,
    }
    return PROBLEM, text_of({**told, **shared})


def text_of(content: object) -> bytes:
    """Return a document that was read as JSON, as JSON again."""
    return json_text(content).encode()


def wants_problem(accept: str) -> bool:
    """Return whether a caller asks for problems rather than for our envelope."""
    ranges = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return PROBLEM in ranges and JSON not in ranges[: ranges.index(PROBLEM)]
