"""An invoice: what it must hold, what QuickBooks adds, what it comes to."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from qbo_simulator import refusals
from qbo_simulator.books import Row
from qbo_simulator.codec import Thing, rounded
from qbo_simulator.company import currency_ref
from qbo_simulator.desk import Desk
from qbo_simulator.lines import Sums, summed, tracked

NUMBER_MAX: Final = 21
DAYS_DEFAULT: Final = 30
FULL_UPDATE_KEEPS: Final = (
    "DocNumber",
    "TxnDate",
    "CurrencyRef",
    "CustomerRef",
    "PrintStatus",
    "EmailStatus",
    "BillAddr",
    "ShipAddr",
    "LinkedTxn",
)
PASSED_ON: Final = (
    "PrivateNote",
    "CustomerMemo",
    "SalesTermRef",
    "BillEmail",
    "BillEmailCc",
    "BillEmailBcc",
    "Deposit",
    "DepositToAccountRef",
    "ShipDate",
    "TrackingNum",
    "ShipMethodRef",
    "DeliveryInfo",
)
ZERO: Final = Decimal(0)


def composed(desk: Desk, given: Thing, *, old: Thing | None) -> Thing:
    """Return the whole invoice without Id, token and times.

    Args:
        desk: The write in progress.
        given: The checked body; for an update already laid over the old invoice.
        old: What stood there before, None for a new one.

    Raises:
        Refusal: Whatever QuickBooks has against it.
    """
    customer = _customer(desk, given, old=old)
    if not given.get("Line"):
        raise refusals.missing("Line")
    dated = given.get("TxnDate")
    if dated is None:
        desk.notes.append("no_txn_date")
        dated = desk.today()
    refuse_closed(desk, dated)
    sums = summed(desk, given["Line"], old=old["Line"] if old else [])
    tax = _tax(desk, given, sums=sums)
    total = _total(desk, given, sums=sums, tax=tax)
    currency = _currency(desk, given, customer=customer)
    whole: Thing = {
        "AllowIPNPayment": given.get("AllowIPNPayment", False),
        "AllowOnlinePayment": False,
        "AllowOnlineCreditCardPayment": given.get("AllowOnlineCreditCardPayment", False),
        "AllowOnlineACHPayment": given.get("AllowOnlineACHPayment", False),
        "CustomField": given.get("CustomField", []),
    }
    number = _number(desk, given, old=old)
    if number is not None:
        whole["DocNumber"] = number
    whole |= {"TxnDate": dated, "CurrencyRef": currency_ref(currency)}
    whole |= {name: given[name] for name in PASSED_ON if name in given}
    whole |= _locations(desk, given)
    whole |= {
        "LinkedTxn": old["LinkedTxn"] if old else [],
        "Line": sums.lines,
        "TxnTaxDetail": tax,
        "CustomerRef": {"value": str(customer.row_id), "name": customer.name},
        **_addresses(given, customer=customer),
        "DueDate": _due(desk, given, dated=dated),
        "TotalAmt": total,
        "ApplyTaxAfterDiscount": given.get("ApplyTaxAfterDiscount", False),
        "PrintStatus": given.get("PrintStatus", "NeedToPrint"),
        "EmailStatus": _email_status(given),
        "Balance": total - _paid(old),
    }
    return whole | _home(desk, given, total=total)


def refuse_closed(desk: Desk, dated: str) -> None:
    """Refuse a date inside the closed period.

    Raises:
        Refusal: 6210.
    """
    closed = desk.prefers("AccountingInfoPrefs", "BookCloseDate")
    if closed and dated <= str(closed):
        raise refusals.closed_books()


def refuse_taken_number(desk: Desk, whole: Thing, *, own_id: int | None) -> None:
    """Refuse a document number another invoice holds, if this company minds.

    Raises:
        Refusal: 6140, naming the holder.
    """
    number = whole.get("DocNumber")
    if "allowduplicatedocnum" in desk.include:
        desk.notes.append("allowduplicatedocnum")
        return
    custom = desk.prefers("SalesFormsPrefs", "CustomTxnNumbers")
    minded = desk.knobs.duplicate_warning and (custom or desk.knobs.docnumber_when_auto)
    if not number or not minded:
        return
    for holder in desk.books.numbered(number):
        if holder != own_id:
            raise refusals.duplicate_number(number, txn_type="Invoice", txn_id=holder)
    stranger = desk.books.strangers.get(number)
    if stranger is not None and desk.knobs.docnumber_scope == "sales":
        txn_type, _, txn_id = stranger.rpartition(" ")
        raise refusals.duplicate_number(number, txn_type=txn_type, txn_id=int(txn_id))


def voided(whole: Thing) -> Thing:
    """Return the invoice after a void: nothing owed, everything else kept."""
    nothing = rounded(ZERO)
    note = whole.get("PrivateNote")
    lines = [{**line, "Amount": nothing} for line in whole["Line"]]
    for line in lines:
        detail = line.get("SalesItemLineDetail", {})
        detail.pop("UnitPrice", None)
    changed: Thing = {
        "PrivateNote": f"Voided - {note}" if note else "Voided",
        "Line": lines,
        "LinkedTxn": [],
        "TxnTaxDetail": {"TotalTax": 0},
        "TotalAmt": nothing,
        "Balance": nothing,
    }
    if "HomeTotalAmt" in whole:
        changed |= {"HomeTotalAmt": nothing, "HomeBalance": nothing}
    return whole | changed


def _customer(desk: Desk, given: Thing, *, old: Thing | None) -> Row:
    ref = given.get("CustomerRef")
    same = old is not None and ref is not None and old["CustomerRef"]["value"] == ref["value"]
    row = desk.row_behind("Customer", ref, element="CustomerRef", kept=same)
    if row is None:
        raise refusals.missing("CustomerRef")
    return row


def _number(desk: Desk, given: Thing, *, old: Thing | None) -> str | None:
    number: str | None = given.get("DocNumber")
    if number is not None and len(number) > NUMBER_MAX:
        if desk.knobs.docnumber_length == "6000":
            text = f"You cannot enter more than {NUMBER_MAX} characters in the doc_num field."
            raise refusals.business(text)
        raise refusals.too_long("DocNumber", longest=NUMBER_MAX, supplied=len(number))
    automatic = not desk.prefers("SalesFormsPrefs", "CustomTxnNumbers")
    kept = number is not None and not desk.knobs.number_not_kept
    if kept or (number is None and not automatic) or old is not None:
        return number
    taken = desk.books.next_number
    desk.books.next_number += 1
    desk.books.save()
    return str(taken)


def _tax(desk: Desk, given: Thing, *, sums: Sums) -> Thing:
    if not desk.prefers("TaxPrefs", "UsingSalesTax"):
        return {"TotalTax": 0}
    detail = given.get("TxnTaxDetail", {})
    treatment = given.get("GlobalTaxCalculation", "TaxExcluded")
    if desk.american():
        return {"TotalTax": rounded(detail.get("TotalTax", ZERO))}
    if treatment == "NotApplicable":
        if detail.get("TotalTax") or detail.get("TaxLine"):
            text = "TxnTaxDetail is not valid when tax is not applicable."
            raise refusals.Refusal("6170", "Invalid TxnTaxDetail", text, element="TxnTaxDetail")
        return {"TotalTax": 0}
    total = ZERO
    for code, amount in sums.taxed or []:
        rate = _rate(desk, code)
        base = rate + 100 if treatment == "TaxInclusive" else Decimal(100)
        total += rounded(amount * rate / base)
    return {"TotalTax": total}


def _rate(desk: Desk, code: str) -> Decimal:
    row = desk.books.row("TaxCode", int(code)) if code.isdecimal() else None
    if row is None:
        return ZERO
    rates = row.thing().get("SalesTaxRateList", {}).get("TaxRateDetail", [])
    total = ZERO
    for detail in rates:
        rate = desk.books.row("TaxRate", int(detail["TaxRateRef"]["value"]))
        total += Decimal(rate.thing()["RateValue"]) if rate else ZERO
    return total


def _total(desk: Desk, given: Thing, *, sums: Sums, tax: Thing) -> Decimal:
    inclusive = given.get("GlobalTaxCalculation") == "TaxInclusive"
    total = sums.net if inclusive else sums.net + tax["TotalTax"]
    if total < 0:
        raise refusals.business("You must specify a transaction amount that is 0 or greater.")
    return rounded(total, places=desk.knobs.money_scale)


def _currency(desk: Desk, given: Thing, *, customer: Row) -> str:
    home = desk.home_currency()
    asked: str | None = given.get("CurrencyRef", {}).get("value")
    if not desk.prefers("CurrencyPrefs", "MultiCurrencyEnabled"):
        if asked not in {None, home}:
            if desk.knobs.currency_fault == "2220":
                raise refusals.Refusal("2220", "Invalid Currency", "Invalid Currency", element="")
            raise _wrong_currency()
        return home
    theirs = str(customer.thing()["CurrencyRef"]["value"])
    if asked not in {None, theirs}:
        raise _wrong_currency()
    return theirs


def _wrong_currency() -> refusals.Refusal:
    return refusals.business(
        "The currency of the transaction is invalid for customer/vendor/account."
    )


def _home(desk: Desk, given: Thing, *, total: Decimal) -> Thing:
    if not desk.prefers("CurrencyPrefs", "MultiCurrencyEnabled"):
        return {}
    rate = given.get("ExchangeRate", Decimal(1))
    home = rounded(total * rate)
    return {"ExchangeRate": rate, "HomeTotalAmt": home, "HomeBalance": home}


def _locations(desk: Desk, given: Thing) -> Thing:
    found: Thing = {}
    for name, entity, preference in (
        ("DepartmentRef", "Department", "TrackDepartments"),
        ("ClassRef", "Class", "ClassTrackingPerTxn"),
    ):
        ref = given.get(name)
        if ref is not None and tracked(desk, preference, what=entity):
            row = desk.row_behind(entity, ref, element=name)
            if row is not None:
                found[name] = {"value": ref["value"], "name": row.name}
    return found


def _addresses(given: Thing, *, customer: Row) -> Thing:
    theirs = customer.thing() if "BillAddr" not in given or "ShipAddr" not in given else {}
    found: Thing = {}
    for name in ("BillAddr", "ShipAddr"):
        address = given.get(name) or theirs.get(name) or theirs.get("BillAddr")
        if address is not None:
            found[name] = address
    return found


def _due(desk: Desk, given: Thing, *, dated: str) -> str:
    if "DueDate" in given:
        return str(given["DueDate"])
    days = DAYS_DEFAULT
    default = desk.prefers("SalesFormsPrefs", "DefaultTerms")
    ref = given.get("SalesTermRef") or default
    if isinstance(ref, dict):
        row = desk.row_behind("Term", ref, element="SalesTermRef", kept=True)
        days = int(row.thing().get("DueDays", DAYS_DEFAULT)) if row else DAYS_DEFAULT
    return (date.fromisoformat(dated) + timedelta(days=days)).isoformat()


def _email_status(given: Thing) -> str:
    status = str(given.get("EmailStatus", "NotSet"))
    if status == "NeedToSend" and "BillEmail" not in given:
        text = "An email address is required to send this invoice."
        raise refusals.Refusal("6420", "Email Address Required", text, element="BillEmail")
    return status


def _paid(old: Thing | None) -> Decimal:
    return ZERO if old is None else Decimal(old["TotalAmt"]) - Decimal(old["Balance"])
