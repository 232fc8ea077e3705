"""Spoils answers that were once good: in their structure, then in their bytes, then around them.

Everything follows from one `Random`, so a number repeats a case for ever.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from application.quickbooks.answers import Answer
from tests.core.test_wire_answers import SAMPLES, sample

STATUSES = (200, 400, 401, 403, 404, 429, 413, 500, 503, 201, 302, 204, 226, 409)
TYPES = ("application/json", "application/json;charset=utf-8", "APPLICATION/JSON", "text/html",
         "text/xml", "application/xml", "", "application/json, text/html", "json")  # fmt: skip
CHALLENGES = (None, None, None, 'Bearer realm="Intuit"', "Basic realm=proxy", "", " bearer")
WAITS = (None, "7", "-1", "soon", "9" * 40, "Fri, 31 Dec 9999 23:59:59 -2300", "\x00", "٣")
CODES = ("6000", "6140", "6210", "6240", "600", "630", "5010", "10000", "2010",
         "2020", "2500", "3001", "3200", "610", "500", "1040", "0", "99999")  # fmt: skip
WORDS = (
    "exactly the same time", "while accessing or saving your data", "0 or greater", "VAT rate",
    "unexpected internal error", "duplicate document number", "errorCode=003100;",
    "errorCode=00020201", "TxnType=Invoice with TxnId=6575", "une erreur est survenue",
)  # fmt: skip
SCRAPS: tuple[object, ...] = (
    None, True, False, 0, -1, 266, 10**30, "", "0", "266", "MIS-1043", "٢٦٦", "\x00", "x" * 40,
    "2020-09-29", "2020-13-41", [], {}, [[]], {"value": "1"}, {"Error": []},
)  # fmt: skip
RAW = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1e-999999999", b"0.1", b"\xff", b"\\ud800",
       b"\x00", b"{}", b"[]", b"null", b",", b":", b'"', b"}", b"]", b"//", b"\xef\xbb\xbf",
       b"100.00000000000000000000000000001", b"9" * 5000)  # fmt: skip
SPELLINGS = (str.lower, str.upper, str.title, lambda key: f"{key} ")
GOOD: tuple[Answer, ...] = tuple(sample(path.name) for path in sorted(SAMPLES.iterdir()))
LITERALS = ("NaN", "-Infinity", "1e999", "1e-999999999", "-0", "-0.0", "0.1e3", "1e18", "1e19",
            f"100.{'0' * 30}1", "9" * 5000, "99.99", "01", "+1", ".5", "'1'")  # fmt: skip
_UNQUOTED = re.compile('"\ue001([^"]*)\ue001"')
_REPEATED = "\ue000"  # marks a key that stands for a second one of the same name


@dataclass(frozen=True)
class Place:
    """Where a value stands: below a key of an object or at a number of a list."""

    holder: dict[str, object] | list[object]
    key: str | int

    @property
    def value(self) -> object:
        return dict(_inside(self.holder))[self.key]

    def put(self, value: object) -> None:
        if isinstance(self.holder, dict):
            self.holder[str(self.key)] = value
        elif isinstance(self.key, int):
            self.holder[self.key] = value

    def drop(self) -> None:
        if isinstance(self.holder, dict):
            del self.holder[str(self.key)]
        elif isinstance(self.key, int):
            del self.holder[self.key]


def spoiled(base: Answer, *, chance: Random, others: Sequence[Answer] = GOOD) -> Answer:
    """Return an answer with one to four things wrong with it, or none in one case of twenty."""
    answer = base
    if chance.random() < 0.8:
        answer = replace(answer, body=_structure(answer.body, chance=chance, others=others))
    if chance.random() < 0.3:
        answer = replace(answer, body=_bytes(answer.body, chance=chance))
    if chance.random() < 0.25:
        answer = replace(answer, status=chance.choice(STATUSES))
    if chance.random() < 0.1:
        answer = replace(answer, content_type=chance.choice(TYPES))
    if chance.random() < 0.1:
        answer = replace(answer, challenge=chance.choice(CHALLENGES))
    if chance.random() < 0.1:
        answer = replace(answer, retry_after=chance.choice(WAITS), date=chance.choice(WAITS))
    return answer


def _structure(body: bytes, *, chance: Random, others: Sequence[Answer]) -> bytes:
    try:
        tree = json.loads(body)
    except ValueError:
        return body
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places = places_in(tree)
        if not places:
            return body
        chance.choice(_CHANGES)(chance.choice(places), chance, others)
    text = json.dumps(tree, ensure_ascii=False).replace(_REPEATED, "")
    text = _UNQUOTED.sub(r"\1", text)
    return text.encode(errors="surrogatepass")


def places_in(tree: object) -> list[Place]:
    """Return every place of a tree, from the top."""
    found: list[Place] = []
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list):
            found += [Place(holder, key) for key, _ in _inside(holder)]
            waiting += [value for _, value in _inside(holder)]
    return found


def _inside(
    holder: dict[str, object] | list[object],
) -> Iterable[tuple[str | int, object]]:
    return list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))


def _drop(place: Place, _chance: Random, _others: Sequence[Answer]) -> None:
    place.drop()


def _scrap(place: Place, chance: Random, _others: Sequence[Answer]) -> None:
    place.put(chance.choice(SCRAPS))


def _literal(place: Place, chance: Random, _others: Sequence[Answer]) -> None:
    place.put(f"\ue001{chance.choice(LITERALS)}\ue001")


def _amount(place: Place, chance: Random, others: Sequence[Answer]) -> None:
    """Change a total where there is one, else whatever stands here."""
    if isinstance(place.holder, dict) and "TotalAmt" in place.holder:
        _literal(Place(place.holder, "TotalAmt"), chance, others)
    else:
        _literal(place, chance, others)


def _nest(place: Place, chance: Random, _others: Sequence[Answer]) -> None:
    value = place.value
    for _ in range(chance.choice((1, 1, 2, 70))):
        value = [value] if chance.random() < 0.5 else {"value": value}
    place.put(value)


def _retype(place: Place, _chance: Random, _others: Sequence[Answer]) -> None:
    match place.value:
        case str() as text if text.isdecimal():
            place.put(int(text))
        case bool() | int() | float() as plain:
            place.put(str(plain))
        case list() as many:
            place.put({str(number): one for number, one in enumerate(many)})
        case dict() as named:
            place.put(list(named.values()))
        case _:
            place.put(None)


def _respell(place: Place, chance: Random, _others: Sequence[Answer]) -> None:
    if isinstance(place.holder, dict):
        value = place.value
        place.drop()
        place.holder[chance.choice(SPELLINGS)(str(place.key))] = value


def _repeat(place: Place, chance: Random, _others: Sequence[Answer]) -> None:
    if isinstance(place.holder, dict):
        again = chance.choice(SPELLINGS)(str(place.key)) if chance.random() < 0.5 else place.key
        other = place.value if chance.random() < 0.5 else chance.choice((*SCRAPS, *CODES))
        place.holder[f"{again}{_REPEATED}"] = other
    else:
        place.holder.append(place.value)


def _graft(place: Place, chance: Random, others: Sequence[Answer]) -> None:
    """Put a part of another answer here, or beside here under its own name."""
    try:
        grown = json.loads(chance.choice(others).body)
    except ValueError:
        return
    if not (places := places_in(grown)):
        return
    part = chance.choice(places if chance.random() < 0.5 else places[:2])
    if isinstance(place.holder, dict) and chance.random() < 0.6:
        place.holder[str(part.key)] = part.value
    else:
        place.put(part.value)


def _code(place: Place, chance: Random, _others: Sequence[Answer]) -> None:
    """Change what an error says, wherever it stands; else leave a code where none belongs."""
    code = chance.choice(CODES) if chance.random() < 0.5 else str(chance.randrange(11_000))
    if place.key in {"Message", "Detail", "message", "detail"}:
        place.put(chance.choice(WORDS))
    elif isinstance(place.holder, dict) and "Error" not in place.holder:
        place.holder["code" if chance.random() < 0.8 else "Code"] = "0" * chance.randrange(3) + code
    else:
        place.put({"code": code, "Message": chance.choice(WORDS)})


_CHANGES: tuple[Callable[[Place, Random, Sequence[Answer]], None], ...] = (
    _drop,
    _scrap,
    _literal,
    _amount,
    _nest,
    _retype,
    _respell,
    _repeat,
    _graft,
    _code,
)


def _bytes(body: bytes, *, chance: Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    match chance.randrange(5):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + chance.choice(RAW) + body[at:]
        case 2:
            return (
                body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :]
                if at < len(body)
                else body + body
            )
        case 3:
            return body[:at] + body[at + chance.randrange(1, 9) :]
        case _:
            other = chance.choice(GOOD).body
            return body[:at] + other[chance.randrange(len(other) + 1) :]
