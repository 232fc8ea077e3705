"""A second reading of an answer, by the standard library alone: what it truly shows or refuses.

It shares no line with the classifier and its lists are those of section 8 of the protocol, typed
in again. Where the two readings differ, one of them is wrong.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from application.quickbooks.answers import Answer

_REFUSED = re.compile(
    "100|110|3200|120|130|3100|6190|7001|10200|3001|140|150|4002|2020|2030|2040|2050|2060|2070"
    "|2080|2090|2100|2110|2120|2140|2150|2160|2170|2200|2210|2220|2230|2240|2250|2290|2300|2600"
    "|620|700|800|900|6010|6080|6180|6220|6270|6280|6310|6420|6450|6480|6540|6560|610|2500|6250"
    "|6430|6440|6100|6160|6170|6230|5020|5030|6200|6210|1040|2000|2010|2130|3202|4000|4001|6070"
    "|10100"
)
_GATE_CODES = {
    401: ("100", "110", "120", "130", "3100", "3200", "3202"),
    403: ("120", "130", "3100", "5020", "5030", "6190", "7001"),
}
_REFUSED_WORDS = re.compile(
    "exactly the same time|one name at a time|calculating tax|0 or greater|cannot enter more than"
    "|activate this item|list element that has been deleted|gst/hst rate|vat rate|sales tax code"
    "|do not have a tax code|currency of the transaction"
)
_SAVED_WORDS = re.compile("accessing or saving|unexpected internal error")
_DUPLICATE_WORDS = re.compile("duplicate document number|number has already been used")
_XML_START = re.compile(rb"\s*(<\?xml|<Intuit|<Fault)")
_XML_ERROR = re.compile(rb'<Error code="([0-9]{1,7})"')
_SAID_CODE = re.compile(r"errorCode=([0-9]+)")
_ENVELOPES = {"Fault": "Error", "fault": "error"}


@dataclass(frozen=True)
class Shown:
    """What a created object shows."""

    id: str
    number: object
    customer_id: str | None = None
    total: Fraction | None = None
    dated: date | None = None


class _Bad(Exception):
    """Not JSON as anybody should accept it."""


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise _Bad
    return dict(pairs)


def _constant(_name: str) -> object:
    raise _Bad


def body_of(answer: Answer) -> dict[str, object] | None:
    """Return the body, or None where it is not whole, plain JSON that says it is JSON."""
    if answer.content_type.split(";")[0].strip().lower() != "application/json":
        return None
    try:
        body = json.loads(
            answer.body.decode(),
            parse_float=Decimal,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
        json.dumps(body, default=str, ensure_ascii=False).encode()
    except (_Bad, ValueError, ArithmeticError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def has_fault(entry: Mapping[str, object]) -> bool:
    """Return whether any envelope is there at all."""
    return any(entry.get(name) is not None for name in _ENVELOPES)


def shows(entry: Mapping[str, object], *, entity: str) -> Shown | None:
    """Return the created object of a body or of a bundle's item; None where it shows none."""
    row = entry.get(entity)
    if has_fault(entry) or not isinstance(row, dict):
        return None
    made = row.get("Id")
    if not isinstance(made, str) or not re.fullmatch("[0-9]{1,30}", made):
        return None
    return Shown(made, row.get("DisplayName")) if entity == "Customer" else _invoice(made, row)


def _invoice(made: str, row: Mapping[str, object]) -> Shown | None:
    tax, total = row.get("TxnTaxDetail"), row.get("TotalAmt")
    taxed = tax.get("TotalTax", 0) if isinstance(tax, dict) else 0
    reference, dated = row.get("CustomerRef"), row.get("TxnDate")
    customer = reference if isinstance(reference, dict) else {}
    whole = isinstance(dated, str) and row.get("status") != "Deleted"
    if not whole or not all(type(each) in {int, Decimal} for each in (total, taxed)):
        return None
    try:
        return Shown(
            made,
            row.get("DocNumber"),
            customer_id=str(customer.get("value")),
            total=_exact(total) - _exact(taxed),
            dated=date.fromisoformat(str(dated)),
        )
    except (ValueError, OverflowError):
        return None


def _exact(value: object) -> Fraction:
    sized = Decimal(str(value)) if isinstance(value, Decimal) else value
    if isinstance(sized, Decimal) and abs(sized.adjusted()) > 1000:
        raise OverflowError
    assert isinstance(sized, int | Decimal)
    return Fraction(sized)


def refuses(answer: Answer) -> bool:
    """Return whether the whole answer may be read as a definite refusal."""
    if answer.status in {413, 429}:
        return True
    bearer = (answer.challenge or "").strip().lower().startswith("bearer")
    if answer.status == 401 and bearer:
        return True
    body = body_of(answer)
    if body is None:
        return _xml_refuses(answer)
    if any(body.get(name) for name in ("Invoice", "Customer", "Item")):
        return False
    return entry_refuses(body, status=answer.status)


def entry_refuses(entry: Mapping[str, object], *, status: int) -> bool:
    """Return whether every error of a fault is one that QuickBooks documents as a refusal."""
    codes = list(_errors(entry))
    return bool(codes) and all(_is_refusal(code, words, status=status) for code, words in codes)


def _errors(entry: Mapping[str, object]) -> Iterator[tuple[str | None, str]]:
    for envelope, plural in _ENVELOPES.items():
        fault = entry.get(envelope)
        if fault is None:
            continue
        errors = fault.get(plural) if isinstance(fault, dict) else None
        if not isinstance(errors, list) or not errors:
            yield None, ""
            continue
        for error in errors:
            yield _error(error)


def _error(error: object) -> tuple[str | None, str]:
    if not isinstance(error, dict):
        return None, ""
    named = {key.lower(): value for key, value in error.items()}
    if len(named) < len(error):
        return None, ""
    said = [named[key] for key in ("message", "detail") if isinstance(named.get(key), str)]
    element = named.get("element")
    words = " ".join([*said, element if isinstance(element, str) else ""]).lower()
    code = named.get("code")
    if isinstance(code, str) and re.fullmatch("[0-9]{1,9}", code.strip()):
        return code.strip().lstrip("0"), words
    named_in_words = _SAID_CODE.search(" / ".join(each for each in said if each))
    return (named_in_words.group(1).lstrip("0") if named_in_words else None), words


def _is_refusal(code: str | None, words: str, *, status: int) -> bool:
    if code is None or code == "3001" or status not in {200, 400}:
        return code == "3001" or code in _GATE_CODES.get(status, ())
    if code == "500":
        return status == 400
    if code == "6000":
        return bool(_REFUSED_WORDS.search(words)) and not _SAVED_WORDS.search(words)
    if code == "6210":
        return not _DUPLICATE_WORDS.search(words)
    return bool(_REFUSED.fullmatch(code))


def _xml_refuses(answer: Answer) -> bool:
    if answer.status not in {401, 403} or not _XML_START.match(answer.body[:200]):
        return False
    codes = [each.decode().lstrip("0") for each in _XML_ERROR.findall(answer.body)]
    return bool(codes) and all(_is_refusal(code, "", status=answer.status) for code in codes)
