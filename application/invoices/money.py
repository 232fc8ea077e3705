"""Decimal in, Decimal out; which amount is sent; the only rounding rule."""

from decimal import ROUND_HALF_UP, Context, Decimal

from application.invoices.model import AmountRule, MisInvoice, Oddity

CENT = Decimal("0.01")
# Source: QuickBooks takes ten digits before the point and two after it.
AMOUNT_MOST = Decimal("9999999999.99")
# The MIS boundary casts to DECIMAL(20,2); nothing it can hand over needs more digits than these.
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_READABLE_MOST = Decimal(10) ** 40


def cents(value: Decimal) -> Decimal:
    """Return the value with two places, half rounded away from zero.

    Args:
        value: Below 10 to the power of 40; the MIS cannot hold more.
    """
    return value.quantize(CENT, context=_EXACT)


def amount_to_send(invoice: MisInvoice, *, rule: AmountRule) -> Decimal | None:
    """Return the amount QuickBooks is to get, or None where the row has no valid one."""
    if why_no_amount(invoice, rule=rule) is not None:
        return None
    return _amount(invoice, rule=rule)


def why_no_amount(invoice: MisInvoice, *, rule: AmountRule) -> str | None:
    """Return in words why a row has no amount to send, or None where it has one."""
    dept, credit = invoice.dept, invoice.credit
    if dept is None:
        return "`dept` is empty"
    if Oddity.NOT_EXACT in invoice.oddities:
        return "an amount has more than two decimal places that count"
    if not (_readable(dept) and (credit is None or _readable(credit))):
        return "`dept` or `credit` is no number QuickBooks could take"
    dept, credit = cents(dept), cents(credit or Decimal(0))
    if dept <= 0:
        return f"`dept` is {shown(dept)}, not above 0"
    if dept <= credit:
        return f"`credit` of {shown(credit)} leaves nothing of `dept`, {shown(dept)}"
    too_much = _amount(invoice, rule=rule) > AMOUNT_MOST
    return f"it is above {shown(AMOUNT_MOST)}, the most QuickBooks takes" if too_much else None


def shown(amount: Decimal) -> str:
    """Return an amount for a person: `450,000`, or `12,500.50` where cents count."""
    rounded = cents(amount)
    whole = rounded == rounded.to_integral_value(context=_EXACT)
    return f"{rounded:,.0f}" if whole else f"{rounded:,.2f}"


def _amount(invoice: MisInvoice, *, rule: AmountRule) -> Decimal:
    dept = cents(invoice.dept or Decimal(0))
    if rule is AmountRule.DEBIT:
        return dept
    return _EXACT.subtract(dept, cents(invoice.credit or Decimal(0)))


def _readable(value: Decimal) -> bool:
    return value.is_finite() and value.copy_abs() < _READABLE_MOST
