"""Rows on their way out of the MIS: money, dates and texts made clean, oddities named."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from application.invoices.model import MisInvoice, Oddity, Status

YEAR_FIRST = 2000
YEAR_LAST = 2099
# A FLOAT keeps 24 bits: from here on neighbouring whole numbers become one.
FLOAT_EXACT_BELOW = 16_777_216
WIDE_MOST = Decimal(10) ** 20
FRACTION_PLACES = Decimal("0.0001")
TRACE = " [QB_ID:"  # what the earlier program left in comments
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:$|[ T])")


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A row in status 3."""

    id: int
    token: str | None  # what `pushed_by` holds, whoever wrote it
    pushed_at: datetime | None  # by the database's clock; None when missing or unreadable


@dataclass(frozen=True, slots=True)
class Former:
    """The three columns we write, as they stand, so that they can be given back exactly."""

    id: int
    status: int | None
    pushed_by: str | None
    pushed_date_text: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many, and what would be sent for them."""

    count: int
    amount: Decimal


NOTHING: Final = Tally(0, Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class Counts:
    """Every invoice in scope, by status; the parts add up to the whole in count and amount.

    An amount holds only rows whose own amount is valid: what is refused is worth nothing here.
    """

    by_status: Mapping[Status, Tally]
    unknown_status: int  # also counted as failed

    @property
    def total(self) -> int:
        """How many invoices there are."""
        return sum(one.count for one in self.by_status.values())

    @property
    def amount(self) -> Decimal:
        """What they are worth together."""
        return sum((one.amount for one in self.by_status.values()), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class DayTally:
    """How many invoices of one day stand in one status."""

    dated: date | None  # None: those without a usable date
    status: Status
    count: int


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing the start check looked at."""

    name: str
    result: str  # ok, warn or fail
    text: str
    remedy: str | None = None
    cause: str | None = None  # catalogue code of a failure


@dataclass(frozen=True, slots=True)
class MoneyKinds:
    """What the amount columns are made of."""

    inexact: frozenset[str] = frozenset()  # FLOAT of 24 bits
    exact: frozenset[str] = frozenset()  # DECIMAL


def invoice_of(row: Mapping[str, Any], *, kinds: MoneyKinds) -> MisInvoice:
    """Return one row of `tbl_imvoice` after the boundary.

    Args:
        row: `dept` and `credit` with two places, `dept_wide` and `credit_wide` with ten.
        kinds: What the columns are made of.
    """
    dated_text = text(row["invoice_date"])
    return MisInvoice(
        id=int(row["id"]),
        reg_no=text(row["reg_no"]),
        fee_category=whole(row["fee_category"]),
        dept=money(row["dept"]),
        credit=money(row["credit"]),
        dated=day(dated_text),
        dated_text=dated_text,
        comment=text(row["comment"]),
        status=status_number(row["QuickBk_Status"]),
        pushed_by=text(row["pushed_by"]),
        pushed_date=instant(text(row["pushed_date"])),
        reference_number=text(row.get("reference_number")),
        oddities=_oddities(row, kinds=kinds),
    )


def known_status(value: object) -> Status:
    """Return where a row stands: an empty status waits, one nobody knows counts as failed."""
    number = status_number(value) or 0
    return Status(number) if number in set(Status) else Status.FAILED


def money(value: object) -> Decimal | None:
    """Return an amount as the database rounded it; never a negative zero."""
    if value is None:
        return None
    try:
        return Decimal(str(value)) + 0
    except InvalidOperation:
        return Decimal("NaN")


def cents_sum(value: object, *, in_cents: bool) -> Decimal:
    """Return a sum of SQL as an amount with two places."""
    amount = Decimal(str(value or 0))
    return (amount.scaleb(-2) if in_cents else amount).quantize(Decimal("0.01"))


def day(dated: str | None) -> date | None:
    """Return a stored date as a day, or None where it is no real one of this century."""
    match = _DAY.match(dated or "")
    if match is None:
        return None
    year, month, number = (int(part) for part in match.groups())
    if not YEAR_FIRST <= year <= YEAR_LAST:
        return None
    try:
        return date(year, month, number)
    except ValueError:
        return None


def instant(pushed: str | None) -> datetime | None:
    """Return a stored time as UTC, which is what we write."""
    try:
        return None if pushed is None else datetime.fromisoformat(pushed).replace(tzinfo=UTC)
    except ValueError:
        return None


def text(value: object) -> str | None:
    """Return a text column; bytes appear where its type or collation is binary."""
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def whole(value: object) -> int | None:
    """Return a number column, or None where it holds none."""
    try:
        return None if value is None else int(str(value))
    except ValueError:
        return None


def status_number(value: object) -> int | None:
    """Return `QuickBk_Status`; -1 stands for something that is no number at all."""
    if value is None:
        return None
    number = whole(value)
    return -1 if number is None else number


def _oddities(row: Mapping[str, Any], *, kinds: MoneyKinds) -> frozenset[Oddity]:
    found: set[Oddity] = set()
    for name in kinds.exact & {"dept", "credit"}:
        if money(row[f"{name}_wide"]) != money(row[name]):
            found.add(Oddity.NOT_EXACT)
    wide = money(row["dept_wide"])
    if wide is not None and wide.is_finite():
        if wide.copy_abs() < WIDE_MOST and _is_broken(wide):
            found.add(Oddity.FRACTION)
        if "dept" in kinds.inexact and wide.copy_abs() >= FLOAT_EXACT_BELOW:
            found.add(Oddity.PRECISION)
    if TRACE.strip() in (text(row["comment"]) or ""):
        found.add(Oddity.TRACED)
    return frozenset(found)


def _is_broken(wide: Decimal) -> bool:
    rounded = wide.quantize(FRACTION_PLACES)
    return rounded != rounded.to_integral_value()
