"""Every reason an invoice may not go, all at once; does the cause of a failure look gone."""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from application.catalogue import CAUSES, RetryRule
from application.invoices.model import AmountRule, Fee, MisInvoice, Oddity, Status, Student
from application.invoices.money import why_no_amount

NAME_CHARACTERS_MAX = 500  # Source: Intuit, Customer, DisplayName
YEAR_FIRST, YEAR_LAST = 2000, 2099
_BEYOND_A_NAME = frozenset({"Cc", "Cs", "Zl", "Zp"})

CUSTOMER_NOT_FOUND = "customer_not_found"
INVALID_AMOUNT = "invalid_amount"
DATE_INVALID = "date_invalid"
FEE_UNMAPPED = "fee_category_unmapped"
NAME_NOT_ALLOWED = "name_not_allowed"
PERIOD_CLOSED = "period_closed"
STATUS_INVALID = "status_invalid"
FAILED_ELSEWHERE = "failed_elsewhere"


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason an invoice may not go: a cause, and what its texts may name."""

    cause: str
    facts: Mapping[str, str]


def problems_in(
    invoice: MisInvoice,
    *,
    student: Student | None,
    fee: Fee | None,
    item_id: str | None,
    rule: AmountRule,
    books_closed_until: date | None,
) -> tuple[Problem, ...]:
    """Return every problem of a row: customer, amount, date, fee, name, period.

    Args:
        invoice: The row.
        student: Who its payer code leads to.
        fee: What its fee category leads to.
        item_id: The product of that fee; `""` where products are not known and none is missed.
        rule: Which amount is sent.
        books_closed_until: The company's closing date, where known.
    """
    found = (
        _customer_problem(invoice, student=student),
        _amount_problem(invoice, rule=rule),
        _date_problem(invoice),
        _fee_problem(invoice, fee=fee, item_id=item_id),
        _name_problem(invoice),
        _period_problem(invoice, closed_until=books_closed_until),
    )
    return tuple(one for one in found if one is not None)


def _customer_problem(invoice: MisInvoice, *, student: Student | None) -> Problem | None:
    if not invoice.payer:
        reason = "the row names no payer"
    elif student is None:
        reason = "neither `tbl_personal_ug` nor `tbl_online_application` has that code"
    elif not student.agreed:
        reason = f"{student.rows} rows carry that code and they name different people"
    else:
        return None
    return Problem(CUSTOMER_NOT_FOUND, {"reg_no": invoice.payer, "reason": reason})


def _amount_problem(invoice: MisInvoice, *, rule: AmountRule) -> Problem | None:
    reason = why_no_amount(invoice, rule=rule)
    return None if reason is None else Problem(INVALID_AMOUNT, {"reason": reason})


def _date_problem(invoice: MisInvoice) -> Problem | None:
    if invoice.dated is not None and YEAR_FIRST <= invoice.dated.year <= YEAR_LAST:
        return None
    return Problem(DATE_INVALID, {"invoice_date": invoice.dated_text or ""})


def _fee_problem(invoice: MisInvoice, *, fee: Fee | None, item_id: str | None) -> Problem | None:
    if fee is not None and item_id is not None:
        return None
    if fee is not None:
        return Problem(FEE_UNMAPPED, {"fee": fee.name, "reason": "choose one, or name one so"})
    if invoice.fee_category is None:
        return Problem(FEE_UNMAPPED, {"fee": "", "reason": "the row names no fee category"})
    reason = "`tbl_income_category` has no such row"
    return Problem(FEE_UNMAPPED, {"fee": str(invoice.fee_category), "reason": reason})


def _name_problem(invoice: MisInvoice) -> Problem | None:
    code = invoice.payer
    if any(one == ":" or unicodedata.category(one) in _BEYOND_A_NAME for one in code):
        reason = "it holds a colon, a tab, a line break or another control character"
    elif len(code) > NAME_CHARACTERS_MAX:
        reason = f"it is longer than {NAME_CHARACTERS_MAX} characters"
    else:
        return None
    return Problem(NAME_NOT_ALLOWED, {"reg_no": code, "reason": reason})


def _period_problem(invoice: MisInvoice, *, closed_until: date | None) -> Problem | None:
    if invoice.dated is None or closed_until is None or invoice.dated > closed_until:
        return None
    facts = {"invoice_date": invoice.dated.isoformat(), "closed_until": closed_until.isoformat()}
    return Problem(PERIOD_CLOSED, facts)


def fingerprint_of(
    invoice: MisInvoice,
    *,
    student: Student | None,
    fee: Fee | None,
    item_id: str | None,
    cause: str,
) -> str:
    """Return the SHA-256 of what one cause depends on, and of nothing else.

    The three columns we write ourselves are never part of it: a claim is not a correction.
    """
    parts = [cause, *_inputs(invoice, student=student, fee=fee, item_id=item_id, cause=cause)]
    return hashlib.sha256(ascii(parts).encode("ascii")).hexdigest()


def _inputs(
    invoice: MisInvoice,
    *,
    student: Student | None,
    fee: Fee | None,
    item_id: str | None,
    cause: str,
) -> Iterator[object]:
    match cause:
        case "customer_not_found":
            yield from (invoice.payer, *_person(student))
        case "invalid_amount":
            yield from _money(invoice)
        case "date_invalid" | "period_closed":
            yield from (invoice.dated_text, invoice.dated)
        case "fee_category_unmapped" | "item_inactive" | "tax_code_needed":
            yield from (invoice.fee_category, fee.name if fee else None, item_id)
        case "name_not_allowed" | "customer_inactive" | "duplicate_customer_name":
            yield invoice.payer
        case "status_invalid":
            yield invoice.status
        case _:
            yield from (invoice.payer, *_person(student), *_money(invoice))
            yield from (invoice.dated_text, invoice.dated, invoice.comment, invoice.fee_category)
            yield from ((fee.name, fee.description) if fee else (None, None))
            yield item_id


def _person(student: Student | None) -> Iterator[object]:
    if student is not None:
        yield from (student.code, student.kind.value, student.rows, student.agreed)
        yield from (student.first_name, student.middle_name, student.last_name)
        yield from (student.emails, student.phones)


def _money(invoice: MisInvoice) -> Iterator[object]:
    for value in (invoice.dept, invoice.credit):
        yield None if value is None else str(value)
    yield Oddity.NOT_EXACT in invoice.oddities


def looks_fixed(
    cause: str,
    *,
    problems_now: Sequence[Problem],
    fingerprint_then: str,
    fingerprint_now: str,
    books_closed_until: date | None,
    invoice: MisInvoice,
) -> bool:
    """Return whether a later run takes a failed invoice up by itself.

    Args:
        cause: Why it failed.
        problems_now: What is wrong with the row today.
        fingerprint_then: `fingerprint_of` this cause when it failed; `""` when nobody kept it.
        fingerprint_now: The same today.
        books_closed_until: The company's closing date, where known.
        invoice: The row today.
    """
    rule = CAUSES[cause].retry if cause in CAUSES else RetryRule.PERSON
    if rule in {RetryRule.AUTO, RetryRule.PAUSE, RetryRule.WAIT}:
        return True
    if rule is not RetryRule.FIXED or cause in {problem.cause for problem in problems_now}:
        return False
    if cause == FAILED_ELSEWHERE:
        return not problems_now
    if cause == STATUS_INVALID:
        return invoice.status is None or invoice.status in set(Status)
    reopened = cause == PERIOD_CLOSED and books_closed_until is not None
    # Where QuickBooks refused what our own check lets pass, only a changed row is a reason to
    # send again; else every run would meet the same refusal.
    return reopened or fingerprint_now != fingerprint_then
