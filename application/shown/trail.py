"""What was sent, as people read it: laid out, contacts masked for those who may not see them."""

import json
import re
from typing import Final

from application.catalogue import printable
from application.shown.invoices import masked

CONTACTS: Final = frozenset({"Address", "FreeFormNumber"})  # e-mail and telephone, in QuickBooks
_NUMBER: Final = re.compile(r'"\\u0000([-+.0-9eE]+)"')


def body_told(body: bytes, *, hidden: bool) -> str:
    """Return a body of ours laid out as JSON, every number as it was written.

    Args:
        body: What was to be sent.
        hidden: Whether e-mail and phone are masked.
    """
    # A float would lose the cents of 450000.00; a text with a mark in front does not.
    document = json.loads(body, parse_float=lambda text: f"\0{text}")
    told = json.dumps(_without(document) if hidden else document, indent=2, ensure_ascii=False)
    return "\n".join(whole(line) for line in _NUMBER.sub(r"\1", told).split("\n"))


def whole(text: str) -> str:
    """Return text with the unseen made seen, as `printable` does, and nothing cut."""
    return "".join(printable(one) for one in text)


def _without(document: object) -> object:
    """Return a document with its contacts masked."""
    match document:
        case dict():
            return {name: _kept(name, value) for name, value in document.items()}
        case list():
            return [_without(one) for one in document]
        case _:
            return document


def _kept(name: str, value: object) -> object:
    return masked(value) if name in CONTACTS and isinstance(value, str) else _without(value)
