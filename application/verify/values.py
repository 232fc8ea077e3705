"""What the checker reads and what it finds, as values; its own, so that no error is shared."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

PAGE: Final = 1_000
KEPT_MOST: Final = 1_000  # of one check; whatever is beyond is counted
_NUMBER = re.compile(r"MIS-([1-9][0-9]{0,17})")

CHECKS: Final = {
    "I1": "One live document per invoice",
    "I2": "Synced means in QuickBooks",
    "I3": "Nothing there without an invoice",
    "I4": "Failed means not in QuickBooks",
    "I5": "Nothing in progress for too long",
    "I6": "Every step was allowed",
    "I7": "Every change is in the history",
    "I10": "Money equal to the cent",
    "I12": "Each invoice on its own payer",
    "I18": "History unbroken",
}


class Unreadable(Exception):
    """One of the books cannot be read, so nothing is proved.

    Args:
        book: `mis`, `store`, `anchors` or `quickbooks`.
        detail: Why, without secrets.
    """

    def __init__(self, *, book: str, detail: str) -> None:
        super().__init__(book, detail)
        self.book = book
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Terms:
    """What the installation says of itself."""

    mis_key: str
    realm_tag: str | None  # of the company that is connected; the binding wins
    invoices_from: date | None
    net: bool  # `dept - credit` is sent instead of `dept`
    stuck_after: timedelta
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class MisRow:
    """One row of `tbl_imvoice`."""

    id: int
    payer: str
    fee: int | None
    status: int | None
    pushed_by: str
    pushed_at: datetime | None
    dated: str
    amount: Decimal | None

    @property
    def number(self) -> str:
        """What it is called in QuickBooks."""
        return f"MIS-{self.id}"


@dataclass(frozen=True, slots=True)
class Document:
    """One invoice of QuickBooks."""

    id: str
    number: str
    customer: str
    total: Decimal
    dated: str
    live: bool

    @property
    def invoice_id(self) -> int | None:
        """The invoice whose number it carries; None where that is none of ours."""
        return invoice_of(self.number)


@dataclass(frozen=True, slots=True)
class Promise:
    """The newest intent of an invoice, as our store keeps it."""

    state: str
    quickbooks_id: str
    total: Decimal | None
    sends: int  # attempts of all its intents together
    confirmed: bool  # any of them
    absent_from: datetime | None  # from when "not found" may be believed


@dataclass(slots=True)
class Story:
    """What the history says of one invoice."""

    phase: str = "new"
    before: str = "new"  # where a release leads back to
    token: str = ""
    tokens: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)  # tokens under which nothing happened
    frozen: str = ""  # request id
    payload: str = ""  # its SHA-256
    sent: list[str] = field(default_factory=list)
    sends: int = 0
    receipt: str = ""
    total: str = ""
    dated: str = ""
    customer: str = ""
    cause: str = ""
    entry: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where the books, the store or the history do not agree."""

    check: str
    invoice_id: int | None
    number: str  # `MIS-123`, or what else it is about
    what: str
    why: str
    remedy: str


@dataclass(slots=True)
class Check:
    """One invariant and what became of it."""

    code: str
    looked_at: int = 0
    problems: int = 0
    findings: list[Finding] = field(default_factory=list)
    skipped: str | None = None  # why it was not judged, or not in full

    @property
    def title(self) -> str:
        """The invariant in words."""
        return CHECKS[self.code]


@dataclass(frozen=True, slots=True)
class Sums:
    """One way of adding up both books."""

    by: str
    groups: int
    differing: int
    mis: Decimal
    quickbooks: Decimal


@dataclass(slots=True)
class Report:
    """Everything one pass found."""

    checks: dict[str, Check] = field(default_factory=lambda: {one: Check(one) for one in CHECKS})
    sums: list[Sums] = field(default_factory=list)
    invoices: int = 0
    documents: int = 0
    entries: int = 0
    head: str = ""
    anchors: int = 0
    reads: int = 0
    unverified: int = 0  # synced elsewhere: no receipt of ours
    conflicts: int = 0  # failed because another document holds the number
    outside: int = 0  # dated before the first day in scope
    left: int = 0  # in progress, or waiting for its answer: not judged
    busy: str | None = None  # who sends while we look
    quickbooks: bool = True

    @property
    def problems(self) -> int:
        """How many there are."""
        return sum(one.problems for one in self.checks.values())

    def add(self, finding: Finding) -> None:
        """Take in one finding."""
        check = self.checks[finding.check]
        check.problems += 1
        if len(check.findings) < KEPT_MOST:
            check.findings.append(finding)


def invoice_of(number: str) -> int | None:
    """Return the invoice a document's number stands for; None where it is none of ours."""
    match = _NUMBER.fullmatch(number)
    return int(match[1]) if match else None


def shown(amount: Decimal | None) -> str:
    """Return an amount for a person: no decimals unless there are any."""
    if amount is None:
        return "no amount"
    whole = amount == amount.to_integral_value()
    return f"{amount:,.0f}" if whole else f"{amount:,.2f}"
