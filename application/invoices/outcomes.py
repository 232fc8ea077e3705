"""Ok | Refused | Unknown; a status' legal moves; intent against what was found: verdict."""

from dataclasses import dataclass
from enum import StrEnum

from application.invoices.model import Document, Party


class Passing(StrEnum):
    """Whether a refusal passes by itself, and how."""

    NO = "no"  # permanent: a cause for this invoice
    NOT_SENT = "not_sent"  # no byte left us; counts as a passing refusal and for the breaker
    PAUSE = "pause"  # the realm pauses, no attempt is counted
    TRANSIENT = "transient"  # up to MAX_RETRIES attempts
    SIGN_IN = "sign_in"  # 401: one refresh, then again under the same request id
    STOP = "stop"  # the realm waits for a person


@dataclass(frozen=True, slots=True)
class Ok:
    """QuickBooks did it, and the answer shows what."""

    found: Document | Party
    intuit_tid: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """QuickBooks definitely did not do it (or no byte left us)."""

    cause: str  # catalogue code
    passing: Passing = Passing.NO
    code: str | None = None  # QuickBooks' code without leading zeros
    text: str | None = None  # QuickBooks' words, cleaned, at most 500 characters; never logged
    intuit_tid: str | None = None
    retry_after_s: int | None = None
    reference: str | None = None  # "customer" or "item" when the refusal names one
    field: str | None = None  # "email" or "phone" when contact data was refused


@dataclass(frozen=True, slots=True)
class Unknown:
    """We cannot tell; settling decides."""

    why: str  # short machine word: time_out, reset, html, code_600, number_taken, ...
    look_now: bool = False  # 6140 and 6240: look before anything else
    txn_id: str | None = None  # where the answer named a document
    code: str | None = None
    text: str | None = None
    intuit_tid: str | None = None
    unclassified: bool = False  # nothing in our tables matched: an alarm


Outcome = Ok | Refused | Unknown
