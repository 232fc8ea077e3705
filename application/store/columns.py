"""Column types that mean one thing in every database, and text every database takes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from sqlalchemy import BigInteger, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONE_SURROGATES = dict.fromkeys(range(55296, 57344), "�")
# Made once: the module's own functions make an encoder for every value.
_ENCODE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_DECODE: Final = json.JSONDecoder(parse_float=Decimal).decode
_FORBIDDEN = _LONE_SURROGATES | {0: None}


def clean(text: str, *, most: int) -> str:
    """Return text every database takes: no NUL, no lone surrogate, at most that many characters."""
    if text.isascii() and "\0" not in text:
        return text[:most]  # nearly every text, and translating is the slow part
    return text.translate(_FORBIDDEN)[:most]


def maybe_clean(text: str | None, *, most: int) -> str | None:
    """Return the text cleaned, or None where there is none."""
    return None if text is None else clean(text, most=most)


def microseconds(at: datetime) -> int:
    """Return an instant as whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def instant(count: int) -> datetime:
    """Return the instant that many microseconds after 1970, aware, in UTC."""
    return _EPOCH + count * _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant, stored as microseconds: one meaning in every database and zone."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return what is stored."""
        return None if value is None else microseconds(value)

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return what was stored."""
        return None if value is None else instant(int(value))


class Amount(TypeDecorator[Decimal]):
    """Money as plain digits: SQLite has no exact number of its own."""

    impl = String(40)
    cache_ok = True

    @override
    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Return what is stored."""
        return None if value is None else format(value, "f")

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """Return what was stored."""
        return None if value is None else Decimal(value)


class Json(TypeDecorator[object]):
    """A small JSON value as ASCII text, so that any string comes back as it went in."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:
        """Return what is stored."""
        return None if value is None else _ENCODE(value)

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> object:
        """Return what was stored."""
        return None if value is None else _DECODE(value)


class FormerRow(Protocol):
    """What a MIS row said before we claimed it."""

    @property
    def id(self) -> int:
        """The invoice."""

    @property
    def status(self) -> int | None:
        """Its status."""

    @property
    def pushed_by(self) -> str | None:
        """Its second column."""

    @property
    def pushed_date_text(self) -> str | None:
        """Its third column, as stored."""


def json_object(value: object) -> dict[str, object]:
    """Return a stored JSON object; an empty one where nothing was stored."""
    return dict(value) if isinstance(value, Mapping) else {}
