"""What a cause says in one case, and which exit code several make; Stop."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar, Final

from application.causes import CAUSES, Cause, Owner, RetryRule

__all__ = ["CAUSES", "Cause", "Owner", "RetryRule"]  # the rest of this file needs no list

FACT_CHARACTERS_MAX = 300
EXIT_OK = 0
# Of several that apply the first counts. A fault of ours comes first: nobody else can mend it.
EXITS_IN_ORDER = (1, 9, 5, 4, 6, 7, 3, 8, 2)
_PASSING = frozenset({RetryRule.AUTO, RetryRule.PAUSE, RetryRule.SETTLE, RetryRule.WAIT})
_BRACES = re.compile(r"\{([a-z_]+)\}")
# What stands in a sentence when a fact is not known to whoever asks.
_UNKNOWN = {
    "column": "column",
    "company": "another company",
    "detail": "no more is known",
    "differences": "it differs from what was sent",
    "environment": "environment unknown",
    "fee": "in question",
    "invoice_date": "empty or not read",
    "number": "this number",
    "problem": "it is missing or wrong",
    "reason": "no more is known",
    "reg_no": "in question",
    "right": "not named",
    "role": "of an officer or administrator",
    "run_id": "number not known",
    "setting": "in question",
    "state": "in another state",
    "table": "table",
    "until": "a later time",
    "what": "entry",
}


class Stop(Exception):
    """What stops a run; below it stands one class for each condition of the installation.

    Args:
        facts: What fills the braces of the cause's texts, by name.
    """

    cause: ClassVar[str]

    def __init__(self, **facts: object) -> None:
        super().__init__(self.cause, facts)
        self.facts = facts


class RealmBusy(Stop):
    """Another sender holds the lease of this company. Facts: run_id, until, holder."""

    cause = "run_active"


class LeaseLost(Stop):
    """Our lease ended while we were at work; nothing more may be sent. Facts: epoch."""

    cause = "run_active"


class MisUnavailable(Stop):
    """The MIS database does not answer. Facts: detail."""

    cause = "mis_unavailable"


class MisPermission(Stop):
    """The MIS user lacks a right. Facts: right, grant."""

    cause = "mis_permission"


class MisSchema(Stop):
    """The MIS lacks a table or column, or it has a type we cannot trust. Facts: table, column."""

    cause = "mis_schema"


class StoreUnavailable(Stop):
    """Our own database does not answer or cannot be written. Facts: detail."""

    cause = "store_unavailable"


class ConfigInvalid(Stop):
    """A setting is missing or wrong. Facts: setting, problem."""

    cause = "config_invalid"


NO_SIGN_IN: Final = "no sign-in is kept here"  # the reason where there is none at all


class NotConnected(Stop):
    """QuickBooks' sign-in is missing, expired or revoked. Facts: since, reason."""

    cause = "authentication_failed"


class RateLimited(Stop):
    """QuickBooks asked us to wait, and waiting is over the bound. Facts: until."""

    cause = "quickbooks_rate_limited"


class QuickBooksUnavailable(Stop):
    """No connection to QuickBooks could be opened; nothing was sent. Facts: detail."""

    cause = "quickbooks_unavailable"


class PermissionLost(Stop):
    """The person who connected may no longer do so. Facts: none."""

    cause = "permission_lost"


class CompanyInactive(Stop):
    """The QuickBooks subscription ended. Facts: none."""

    cause = "company_inactive"


class CompanyReset(Stop):
    """Intuit wiped the company; every id we know is void. Facts: none."""

    cause = "company_reset"


class WrongEnvironment(Stop):
    """Keys and company belong to different environments. Facts: detail."""

    cause = "wrong_environment"


class CompanyMismatch(Stop):
    """This MIS is bound to another company. Facts: company, environment."""

    cause = "company_mismatch"


class ReadsUsedUp(Stop):
    """Intuit's monthly reads are spent. Facts: until."""

    cause = "reads_used_up"


class NumberNotKept(Stop):
    """QuickBooks stored an invoice under another number than ours; look-ups would miss it."""

    cause = "custom_numbers_off"


class InvoiceInProgress(Stop):
    """The invoice is being sent or settled right now. Facts: invoice_id, until."""

    cause = "invoice_in_progress"


class NotFound(Stop):
    """There is no such invoice, run or cause. Facts: what, highest."""

    cause = "not_found"


class StateConflict(Stop):
    """Not possible in the present state. Facts: state."""

    cause = "state_conflict"


class InternalFault(Stop):
    """Something that cannot happen did; a person must report it. Facts: of."""

    cause = "internal_error"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A cause told for one case: its texts with the facts filled in."""

    code: str
    title: str
    why: str
    remedy: str
    owner: Owner
    retry: RetryRule
    exit_code: int
    http_status: int


def cause(code: str) -> Cause:
    """Return the entry of a code.

    Raises:
        KeyError: No such code; a code in our own code that is not listed fails the law tests.
    """
    return CAUSES[code]


def explain(code: str, facts: Mapping[str, object]) -> Explanation:
    """Return what a person is told.

    Args:
        code: A cause; one we no longer know (from an older store) is told as an unexpected error.
        facts: By the names in the texts; what is missing becomes a neutral word.
    """
    entry = CAUSES.get(code) or CAUSES["internal_error"]
    return Explanation(
        code=entry.code,
        title=entry.title,
        why=_filled(entry.why, facts),
        remedy=_filled(entry.remedy, facts),
        owner=entry.owner,
        retry=entry.retry,
        exit_code=entry.exit_code,
        http_status=entry.http_status,
    )


def retryable(code: str) -> bool:
    """Return whether it passes by waiting, with nobody changing anything."""
    return code in CAUSES and CAUSES[code].retry in _PASSING


def exit_code_of(codes: Iterable[str]) -> int:
    """Return the exit code of a command that met these causes; 0 without any."""
    met = {CAUSES[code].exit_code if code in CAUSES else 1 for code in codes}
    return min(met, key=EXITS_IN_ORDER.index, default=EXIT_OK)


def _filled(text: str, facts: Mapping[str, object]) -> str:
    return _BRACES.sub(lambda found: _told(found.group(1), facts), text)


def _told(name: str, facts: Mapping[str, object]) -> str:
    value = facts.get(name)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, date):
        return value.isoformat()
    told = "" if value is None else printable(str(value)).strip()
    return told or _UNKNOWN.get(name, "unknown")


def printable(text: str) -> str:
    r"""Return text that cannot move a cursor or turn a line round: the unseen becomes `\x1b`.

    A no-break space is shown too: it is why two codes look alike and are not.
    """
    cut = text[:FACT_CHARACTERS_MAX] + ("\u2026" if len(text) > FACT_CHARACTERS_MAX else "")
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in cut
    )
