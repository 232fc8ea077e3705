"""Which properties each entity knows, how long they may be, and how a body is checked."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from qbo_simulator import refusals
from qbo_simulator.codec import Thing

DATE: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
EMAIL: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
WEB: Final = re.compile(r"https?://\S+\.\S+")
DIGITS_MAX: Final = 10  # before the point; QuickBooks documents a 10.5 format


@dataclass(frozen=True, slots=True)
class Field:
    """One property: what it holds and its limit."""

    kind: str
    longest: int = 0
    shape: "Shape | None" = None
    forbidden: str = ""
    choices: tuple[str, ...] = ()


Shape: TypeAlias = dict[str, Field]


@dataclass(slots=True)
class Check:
    """One body on its way through the table; `notes` collects what a good client never sends."""

    entity: str
    phone_max: int = 30
    notes: list[str] = field(default_factory=list)

    def clean(self, shape: Shape, given: Thing, *, path: str = "") -> Thing:
        """Return the body without empty and computed properties, money as Decimal.

        Raises:
            Refusal: Unknown property, wrong type or too long.
        """
        kept: Thing = {}
        for name, value in given.items():
            known = shape.get(name)
            if known is None:
                raise refusals.bad_property(name, entity=self.entity, known=list(shape))
            if value is None or value == "" or known.kind == "computed":
                continue
            cleaned = CHECKS[known.kind](self, known, value, path + name)
            if cleaned is not None:
                kept[name] = cleaned
        return kept


def _text(check: Check, known: Field, value: object, path: str) -> str:
    if not isinstance(value, str):
        if isinstance(value, dict | list | bool):
            raise refusals.malformed(f"{path} is no text and")
        value = str(value)
    longest = known.longest
    if known.kind == "phone":
        longest = check.phone_max
    if longest and len(value) > longest:
        raise refusals.too_long(path, longest=longest, supplied=len(value))
    for character in known.forbidden:
        if character in value:
            raise refusals.Refusal(
                "2040",
                "Invalid String",
                f"Invalid String. Supplied value contains {character!r}",
                element=path,
            )
    return value


def _email(check: Check, known: Field, value: object, path: str) -> str:
    text = _text(check, known, value, path)
    if not EMAIL.fullmatch(text):
        raise refusals.Refusal(
            "2210",
            "Email Address does not conform to the syntax rules of RFC 822.",
            f"Email Address does not conform to the syntax rules of RFC 822. Supplied value:{text}",
            element=path.removesuffix(".Address"),
        )
    return text


def _web(check: Check, known: Field, value: object, path: str) -> str:
    text = _text(check, known, value, path)
    if not WEB.fullmatch(text):
        raise refusals.Refusal(
            "2200",
            "Malformed Web Site Address format",
            f"Web Site URL does not have correct format. Supplied value:{text}",
            element=path.removesuffix(".URI"),
        )
    return text


def _number(_check: Check, _known: Field, value: object, path: str) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise InvalidOperation  # noqa: TRY301  # joins the one branch that words the refusal
        number = Decimal(value)
        if not number.is_finite():
            raise InvalidOperation  # noqa: TRY301  # as above
    except InvalidOperation:
        raise refusals.Refusal(
            "2090", "Invalid Decimal", f"{path} should be a decimal.", element=path
        ) from None
    if number.adjusted() >= DIGITS_MAX:
        raise refusals.Refusal(
            "2100", "Invalid Amount", f"{path} has too many digits.", element=path
        )
    return number


def _flag(_check: Check, _known: Field, value: object, path: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise refusals.Refusal("2230", "Invalid Boolean", f"{path} is no boolean.", element=path)


def _date(_check: Check, _known: Field, value: object, path: str) -> str:
    day = value[:10] if isinstance(value, str) else ""
    if not DATE.fullmatch(day):
        raise refusals.Refusal(
            "2060", "Invalid Date Format", f"{path} should be yyyy-mm-dd.", element=path
        )
    return day


def _choice(_check: Check, known: Field, value: object, path: str) -> str:
    if value not in known.choices:
        raise refusals.Refusal(
            "2170", "Invalid Enumeration", f"Invalid Enumeration : {value}", element=path
        )
    return str(value)


def _ref(check: Check, _known: Field, value: object, path: str) -> Thing | None:
    if not isinstance(value, dict):
        raise refusals.malformed(f"{path} is no reference and")
    for name in value:
        if name not in {"value", "name", "type"}:
            known = ["value", "name", "type"]
            raise refusals.bad_property(name, entity="ReferenceType", known=known)
    target = value.get("value")
    if target is None or target == "":
        return None
    if not isinstance(target, str):
        check.notes.append("numeric_id")
    return {"value": str(target)}


def _one(check: Check, known: Field, value: object, path: str) -> Thing | None:
    if not isinstance(value, dict) or known.shape is None:
        raise refusals.malformed(f"{path} is no object and")
    inner = check.clean(known.shape, value, path=f"{path}.")
    return inner if inner or not value else None


def _many(check: Check, known: Field, value: object, path: str) -> list[Thing]:
    if not isinstance(value, list) or known.shape is None:
        raise refusals.malformed(f"{path} is no list and")
    rows: list[Thing] = []
    for one in value:
        if not isinstance(one, dict):
            raise refusals.malformed(f"{path} holds no object and")
        rows.append(check.clean(known.shape, one, path=f"{path}."))
    return rows


CHECKS: Final[dict[str, Callable[[Check, Field, Any, str], Any]]] = {
    "text": _text,
    "phone": _text,
    "email": _email,
    "web": _web,
    "number": _number,
    "flag": _flag,
    "date": _date,
    "choice": _choice,
    "ref": _ref,
    "one": _one,
    "many": _many,
    "any": lambda _check, _known, value, _path: value,
}
