"""What a refusal means: cause; pause, transient, content or stop; unlisted = unknown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from application.invoices.outcomes import Passing, Refused, Unknown
from application.quickbooks.answers import FaultLine, clean

BAD_REQUEST = 400
UNAUTHORIZED = 401
FORBIDDEN = 403
PAUSING_CODES = frozenset({"140", "150"})  # transient, and the whole company rests meanwhile


class Care(IntEnum):
    """How careful a class is; of several errors in one fault the most careful wins."""

    CONTENT = 0
    TRANSIENT = 1
    PAUSE = 2
    STOP = 3
    LOOK = 4
    UNKNOWN = 5


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one code (with its text) means.

    Args:
        care: The class.
        word: The catalogue's cause of a refusal, or the machine word of an unknown.
        passing: How a refusal passes.
        reference: `customer` or `item` where the refusal names one.
        field: `email` or `phone` where contact data was refused.
    """

    care: Care
    word: str
    passing: Passing = Passing.NO
    reference: str | None = None
    field: str | None = None


def _content(cause: str, *, reference: str | None = None, field: str | None = None) -> Meaning:
    return Meaning(Care.CONTENT, cause, reference=reference, field=field)


def _stop(cause: str) -> Meaning:
    return Meaning(Care.STOP, cause, Passing.STOP)


_OURS = _content("internal_error")
_REJECTED = _content("quickbooks_rejected")
_AMOUNT = _content("invalid_amount")
_TAX = _content("tax_code_needed")
_CURRENCY = _content("currency_mismatch")
_ITEM = _content("item_inactive")
_ITEM_NAMED = _content("item_inactive", reference="item")
_CUSTOMER = _content("customer_inactive", reference="customer")
_PERIOD = _content("period_closed")
_BUSY = Meaning(Care.TRANSIENT, "quickbooks_busy", Passing.TRANSIENT)
_LIMIT = Meaning(Care.PAUSE, "quickbooks_rate_limited", Passing.PAUSE)
_SIGN_IN = Meaning(Care.PAUSE, "authentication_failed", Passing.SIGN_IN)
_NUMBER_TAKEN = Meaning(Care.LOOK, "number_taken")
_NAME_TAKEN = Meaning(Care.LOOK, "name_taken")
_MAYBE_SAVED = Meaning(Care.UNKNOWN, "maybe_saved")
UNCLASSIFIED = Meaning(Care.UNKNOWN, "unclassified")

# Source: Intuit, "Error codes" and the bodies collected in our notes on QuickBooks. A code
# stands here only when somebody saw it or Intuit describes it; the rest must stay unknown.
CODES: dict[str, Meaning] = {
    code: meaning
    for codes, meaning in (
        ("100 110 3200", _SIGN_IN),
        ("120", _stop("permission_lost")),
        ("130 3100", _stop("wrong_environment")),
        ("6190 7001", _stop("company_inactive")),
        ("10200", _stop("company_reset")),
        ("3001", _LIMIT),
        ("140 150 4002", _BUSY),
        ("620 700 800 900 2020 2030 2040 2050 2080 2090 2100 2110 2120", _REJECTED),
        ("2140 2150 2160 2170 2200 2230 2240 2250 2300 2600", _REJECTED),
        ("6010 6080 6180 6220 6270 6280 6310 6420 6450 6480 6540 6560", _REJECTED),
        ("2210", _content("quickbooks_rejected", field="email")),
        ("2060 2070", _content("date_invalid")),
        ("2290", _AMOUNT),
        ("2220", _CURRENCY),
        ("610 2500 6430 6440", _ITEM),
        ("6250", _CUSTOMER),
        ("6100 6160 6170 6230", _TAX),
        ("5020 5030", _content("feature_missing")),
        ("6200 6210", _PERIOD),
        ("1040 2000 2010 2130 3202 4000 4001 6070 10100", _OURS),
        ("6140", _NUMBER_TAKEN),
        ("6240", _NAME_TAKEN),
        ("600", Meaning(Care.UNKNOWN, "request_id_used")),
        ("630", Meaning(Care.UNKNOWN, "duplicate_object")),
        ("1000 1010 1020", Meaning(Care.UNKNOWN, "operation_failed")),
        ("5010", Meaning(Care.UNKNOWN, "stale_object")),
        ("10000", Meaning(Care.UNKNOWN, "system_failure")),
    )
    for code in codes.split()
}

# Text only refines a code; it is localised, so nothing may depend on it alone. First hit wins.
TEXTS: dict[str, tuple[tuple[str, Meaning], ...]] = {
    "6000": (
        ("accessing or saving", _MAYBE_SAVED),
        ("unexpected internal error", _MAYBE_SAVED),
        ("exactly the same time", _BUSY),
        ("one name at a time", _BUSY),
        ("calculating tax", _BUSY),
        ("list element that has been deleted", _ITEM),
        ("activate this item", _ITEM_NAMED),
        ("gst/hst rate", _TAX),
        ("vat rate", _TAX),
        ("sales tax code", _TAX),
        ("do not have a tax code", _TAX),
        ("currency of the transaction", _CURRENCY),
        ("0 or greater", _AMOUNT),
        ("cannot enter more than", _REJECTED),
    ),
    "6210": (
        ("duplicate document number", _NUMBER_TAKEN),
        ("number has already been used", _NUMBER_TAKEN),
    ),
    "610": (("itemref", _ITEM_NAMED), ("customerref", _CUSTOMER), ("names element", _CUSTOMER)),
    "2500": (
        ("names element", _CUSTOMER),
        ("customerref", _CUSTOMER),
        ("itemref", _ITEM_NAMED),
        ("accounts element", _ITEM_NAMED),
        ("depts element", _content("location_unmapped")),
        ("departmentref", _content("location_unmapped")),
        ("klasses element", _content("feature_missing")),
        ("classref", _content("feature_missing")),
        ("taxcoderef", _TAX),
    ),
    "2050": (("primaryphone", _content("quickbooks_rejected", field="phone")),),
}

# Codes that only make sense under their own status; elsewhere they prove nothing.
_UNDER_STATUS = {
    UNAUTHORIZED: frozenset({"100", "110", "120", "130", "3001", "3100", "3200", "3202"}),
    FORBIDDEN: frozenset({"120", "130", "3001", "3100", "5020", "5030", "6190", "7001"}),
}
_OTHER_WORD = Meaning(Care.UNKNOWN, "rule_without_name")  # a 6000 we cannot read: settle first
_TXN = re.compile(r"TxnType=(.+?) with TxnId=([0-9]{1,21})(?![0-9])")
_ID = re.compile(r"\bId=([0-9]{1,21})(?![0-9])")


def meaning(line: FaultLine, *, status: int) -> Meaning:
    """Return what one error means under an HTTP status.

    Args:
        line: The error as QuickBooks wrote it.
        status: 200, 400, 401 or 403; under another one the caller does not ask.
    """
    if line.code == "500" and status == BAD_REQUEST:
        return _OURS
    if line.code not in _UNDER_STATUS.get(status, {line.code}):
        return UNCLASSIFIED
    words = f"{line.text} {line.element}".lower()
    for part, refined in TEXTS.get(line.code, ()):
        if part in words:
            return refined
    if line.code == "6000":
        return _OTHER_WORD
    return CODES.get(line.code, UNCLASSIFIED)


def judge(
    lines: Sequence[FaultLine],
    *,
    status: int,
    intuit_tid: str | None = None,
    retry_after_s: int | None = None,
) -> Refused | Unknown:
    """Return the outcome of a fault: the most careful of its errors decides.

    Args:
        lines: At least one error.
        status: The HTTP status they came under.
        intuit_tid: Intuit's id of the exchange.
        retry_after_s: What QuickBooks asked us to wait.
    """
    weighed = [(meaning(line, status=status), line) for line in lines]
    worst, line = max(weighed, key=lambda pair: pair[0].care)
    text = clean(line.text) or None
    if worst.care >= Care.LOOK:
        return _unknown(worst, line=line, text=text, intuit_tid=intuit_tid)
    return Refused(
        cause=worst.word,
        passing=worst.passing,
        code=line.code,
        # A refused sign-in repeats the token in its text.
        text=None if worst.passing is Passing.SIGN_IN else text,
        intuit_tid=intuit_tid,
        retry_after_s=retry_after_s if worst.passing is not Passing.NO else None,
        reference=worst.reference,
        field=worst.field,
    )


def _unknown(
    worst: Meaning, *, line: FaultLine, text: str | None, intuit_tid: str | None
) -> Unknown:
    why, txn_id = worst.word, None
    if worst is _NUMBER_TAKEN and (found := _TXN.search(line.text)):
        txn_id = found.group(2)
        if found.group(1).strip() != "Invoice":
            why = "number_taken_by_other_type"
    if worst is _NAME_TAKEN and (found := _ID.search(line.text)):
        txn_id = found.group(1)
    return Unknown(
        why=why,
        look_now=worst.care is Care.LOOK,
        txn_id=txn_id,
        code=line.code or None,
        text=text,
        intuit_tid=intuit_tid,
        unclassified=worst is UNCLASSIFIED,
    )
