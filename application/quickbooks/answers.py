"""An answer's bytes, read strictly: JSON, both fault envelopes, XML by pattern only."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime

BODY_BYTES_MAX = 16 * 1024 * 1024
VALUES_MAX = 500_000  # a value of two bytes weighs a hundred once it is read
DEPTH_MAX = 64
TEXT_MAX = 500

_XML_CODE = re.compile(r'<Error code="([0-9]{1,7})"')
_CODE_IN_TEXT = re.compile(r"errorCode=([0-9]{1,7})(?![0-9])")  # a longer one is another code
_DIGITS = re.compile(r"[0-9]{1,9}")
_XML_SHAPES = (401, 403, 429)


class Unreadable(Exception):
    """The body is not JSON as we accept it.

    Args:
        why: The machine word: encoding, json, doubled_key, depth, size or type.
    """

    def __init__(self, *, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete HTTP answer; header values are as received."""

    status: int
    content_type: str
    body: bytes
    intuit_tid: str | None = None
    retry_after: str | None = None
    date: str | None = None
    challenge: str | None = None  # WWW-Authenticate


@dataclass(frozen=True, slots=True)
class FaultLine:
    """One entry of a fault: code without leading zeros, words of QuickBooks, field it names."""

    code: str
    text: str
    element: str


_UNREAD = FaultLine(code="", text="", element="")


def parse(answer: Answer) -> dict[str, object]:
    """Return the JSON object of an answer, numbers with a point as Decimal.

    Raises:
        Unreadable: Another type, too large, too many values, not UTF-8, not JSON, NaN or
            Infinity, a doubled key, deeper than 64 levels, or no object on top.
    """
    if answer.content_type.partition(";")[0].strip().lower() != "application/json":
        raise Unreadable(why="type")
    if len(answer.body) > BODY_BYTES_MAX or _values_at_most(answer.body) > VALUES_MAX:
        raise Unreadable(why="size")
    try:
        text = answer.body.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable(why="encoding") from None
    try:
        value = json.loads(
            text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_object
        )
    except (ValueError, InvalidOperation, RecursionError):
        raise Unreadable(why="json") from None
    if not isinstance(value, dict):
        raise Unreadable(why="json")
    _check_depth_and_text(value)
    return value


def faults_in(body: Mapping[str, object]) -> tuple[FaultLine, ...] | None:
    """Return the fault's entries, or None when the body carries no fault.

    An envelope we cannot read gives one entry without a code, which no table knows. Two
    envelopes count as one: neither may hide what the other says.
    """
    found: list[FaultLine] = []
    for envelope, entries in (("Fault", "Error"), ("fault", "error")):
        fault = body.get(envelope)
        if fault is None:
            continue
        lines = fault.get(entries) if isinstance(fault, dict) else None
        found += [_line(line) for line in lines] if isinstance(lines, list) and lines else [_UNREAD]
    return tuple(found) or None


def faults_of_xml(answer: Answer) -> tuple[FaultLine, ...]:
    """Return what a gateway's XML fault names; none where XML is not expected.

    XML never meets an XML parser: the code is picked by pattern.
    """
    start = answer.body[:200].lstrip()
    if answer.status not in _XML_SHAPES or not start.startswith((b"<?xml", b"<Intuit", b"<Fault")):
        return ()
    text = answer.body[:20_000].decode("utf-8", errors="replace")
    return tuple(
        FaultLine(code=code.lstrip("0"), text="", element="") for code in _XML_CODE.findall(text)
    )


def clean(text: str) -> str:
    """Return QuickBooks' words on one line, at most 500 characters, for a person's page."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:TEXT_MAX]


def retry_after_s(answer: Answer) -> int | None:
    """Return the seconds QuickBooks asks us to wait: given as a number or as a date."""
    if answer.retry_after is None:
        return None
    if _DIGITS.fullmatch(answer.retry_after.strip()):
        return int(answer.retry_after)
    until, now = _moment(answer.retry_after), server_date(answer)
    if until is None or now is None:
        return None
    return max(0, int((until - now).total_seconds()))


def server_date(answer: Answer) -> datetime | None:
    """Return the instant of the answer's Date header, in UTC."""
    return None if answer.date is None else _moment(answer.date)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _values_at_most(body: bytes) -> int:
    """Return how many values a body can hold: each follows one of these, or stands on top."""
    return 1 + sum(body.count(mark) for mark in (b",", b"[", b"{"))


def _refuse(name: str) -> object:
    raise ValueError(name)


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise Unreadable(why="doubled_key")
    return built


def _check_depth_and_text(value: object) -> None:
    level: list[object] = [value]
    for _ in range(DEPTH_MAX + 1):
        if not level:
            return
        level = [inner for item in level for inner in _inside(item)]
    raise Unreadable(why="depth")


def _inside(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return (*item.keys(), *item.values())
    if isinstance(item, list):
        return item
    if isinstance(item, str):
        try:
            item.encode("utf-8")
        except UnicodeEncodeError:
            raise Unreadable(why="encoding") from None  # half a surrogate pair breaks every sink
    return ()


def _line(entry: object) -> FaultLine:
    if not isinstance(entry, dict):
        return _UNREAD
    named = {str(key).lower(): value for key, value in entry.items()}
    if len(named) != len(entry):
        return _UNREAD  # `code` beside `Code`: nobody can say which of them is meant
    text = " / ".join(
        part for key in ("message", "detail") if isinstance(part := named.get(key), str) and part
    )
    code = named.get("code")
    found = _DIGITS.fullmatch(code.strip()) if isinstance(code, str) else None
    if found is None:
        found = _CODE_IN_TEXT.search(text)
    element = named.get("element")
    return FaultLine(
        code=found.group().rpartition("=")[2].lstrip("0") if found else "",
        text=text,
        element=element if isinstance(element, str) else "",
    )
