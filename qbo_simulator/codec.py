"""JSON in and out: an amount is a Decimal in memory and a plain number on the wire."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias

import msgspec

Thing: TypeAlias = dict[str, Any]

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class NotJson(ValueError):
    """The bytes are no JSON value."""


def decode(raw: bytes) -> object:
    """Return the value, every number with a point or an exponent as Decimal.

    Raises:
        NotJson: Malformed text, or bytes that are not UTF-8.
    """
    try:
        return _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(str(error)) from error


def thing(raw: bytes) -> Thing:
    """Return a JSON object.

    Raises:
        NotJson: Anything else than an object.
    """
    value = decode(raw)
    if not isinstance(value, dict):
        raise NotJson(type(value).__name__)
    return value


def encode(value: object) -> bytes:
    """Return the compact JSON text."""
    return _ENCODER.encode(value)


def rounded(amount: Decimal, *, places: int = 2) -> Decimal:
    """Return the amount at so many places, half up, as QuickBooks rounds."""
    return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
