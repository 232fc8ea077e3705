"""What one row of misbehaviour is made of: how we ask, the good answer, the class it means."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.core.test_wire_answers import sample
from tests.rooms.hostile_peer import Script, answer, say

FAULT = json.dumps(json.loads(sample("400_2010.json").body), separators=(",", ":")).encode()


class Lane(StrEnum):
    """How we ask."""

    SINGLE = "single"
    BUNDLE = "bundle"
    QUERY = "query"


class Class(StrEnum):
    """The classes of section 8."""

    OK = "ok"
    REFUSED = "refused"
    PAUSE = "refused, pause"
    SIGN_IN = "refused, sign-in"
    NOT_SENT = "refused, not sent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Good:
    """What a good server would have answered on this lane."""

    lane: Lane
    body: bytes

    @property
    def whole(self) -> bytes:
        """The good answer, complete."""
        return answer(self.body)

    def changed(self, before: bytes, after: bytes) -> bytes:
        """Return the good body with one spelling changed everywhere."""
        assert before in self.body, before
        return self.body.replace(before, after)


@dataclass(frozen=True)
class Misbehaviour:
    """One row."""

    name: str
    does: Callable[[Good], Script]
    means: Class
    lanes: tuple[Lane, ...] = tuple(Lane)
    first_place_only: bool = False  # the bundle's second invoice is judged alone, and is fine


def _invoice(number: int) -> dict[str, object]:
    shown: dict[str, object] = json.loads(sample("200_invoice.json").body)["Invoice"]
    return shown | {"Id": str(265 + number), "DocNumber": f"MIS-{number}", "TotalAmt": 100}


def _body(shown: Mapping[str, object]) -> bytes:
    return json.dumps(shown, separators=(",", ":")).encode()


GOOD = {
    Lane.SINGLE: Good(Lane.SINGLE, _body({"Invoice": _invoice(1)})),
    Lane.BUNDLE: Good(
        Lane.BUNDLE,
        _body(
            {
                "BatchItemResponse": [
                    {"Invoice": _invoice(1), "bId": "i00"},
                    {"Invoice": _invoice(2), "bId": "i01"},
                ]
            }
        ),
    ),
    Lane.QUERY: Good(
        Lane.QUERY,
        _body({"QueryResponse": {"Invoice": [_invoice(1)], "startPosition": 1, "maxResults": 1}}),
    ),
}


def said(make: Callable[[Good], bytes]) -> Callable[[Good], Script]:
    return lambda good: say(make(good))


def fixed(whole: bytes) -> Callable[[Good], Script]:
    return lambda _good: say(whole)


def cut_at(byte: int, *, by: Callable[[bytes], Script]) -> Callable[[Good], Script]:
    return lambda good: by(good.whole[:byte])


def good_as(*, status: str = "200 OK", kind: str = "application/json") -> Callable[[Good], Script]:
    return lambda good: say(answer(good.body, status=status, kind=kind))


def fault(body: bytes = FAULT, *, status: str = "400 Bad Request", **headers: str) -> bytes:
    return answer(body, status=status, **headers)
