"""JSON as every door writes it, and the one sentence an error begins with."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from application.catalogue import explain, printable

# The first sentence, where the catalogue's title alone would not say what the matter is.
WHAT: Final = {
    "authentication_failed": "QuickBooks is not connected",
    "quickbooks_rate_limited": "QuickBooks asked us to wait",
    "quickbooks_unavailable": "QuickBooks does not answer",
    "mis_unavailable": "The MIS database is not reachable",
    "store_unavailable": "Feebridge's own database is not reachable",
    "mis_permission": "The MIS user lacks a right",
    "mis_schema": "The MIS lacks a table or column",
    "config_invalid": "A setting is missing or wrong",
    "company_mismatch": "This MIS belongs to a different QuickBooks company",
    "not_found": "There is no such thing",
    "internal_error": "Something unexpected happened in Feebridge",
}


def json_text(content: object) -> str:
    """Return one JSON document on one line; an amount is a plain number with two places.

    Args:
        content: Mappings, sequences, texts, whole numbers, Decimal, dates and instants.
    """
    match content:
        case Decimal():
            return f"{content:.2f}"
        case Mapping():
            inner = (f"{json.dumps(str(key))}: {json_text(each)}" for key, each in content.items())
            return "{" + ", ".join(inner) + "}"
        case list() | tuple():
            return "[" + ", ".join(json_text(each) for each in content) + "]"
        case datetime():
            return json.dumps(content.isoformat(timespec="seconds"))
        case date():
            return json.dumps(content.isoformat())
        case _:
            return json.dumps(content, ensure_ascii=False)


def sentence_of(cause: str, facts: Mapping[str, object]) -> str:
    """Return the sentence an error begins with, without its full stop."""
    if cause == "not_found":
        return f"There is no {printable(str(facts.get('what', 'such thing')))}"
    return WHAT.get(cause, explain(cause, facts).title)


def counted(count: int, noun: str) -> str:
    """Return `1 invoice`, `2 invoices`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
