"""QuickBooks' objects as values: what we read of each, and nothing that does not fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal

from application.invoices.model import Document, Party

_ID_MAX = 30  # Intuit documents 21 digits
_MONEY_PLACES_MAX = 18  # the first digit that counts, before the point and behind it
_MONEY_DIGITS_MAX = 28
# The difference of two such amounts, with no digit lost: a total that differs in the last of
# them is another total.
_EXACT = Context(prec=64)


class Misshapen(Exception):
    """A field is missing or of another kind.

    Args:
        name: The field.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(name)
        self.why = f"shape_{name}"  # the machine word of the outcome


@dataclass(frozen=True, slots=True)
class Item:
    """A product or service."""

    id: str
    name: str
    active: bool
    kind: str  # Service, Inventory, NonInventory, Category, Group
    income_account_id: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the company's chart."""

    id: str
    name: str
    active: bool
    kind: str  # AccountType


@dataclass(frozen=True, slots=True)
class Company:
    """The company's own entry."""

    name: str
    legal_name: str | None
    country: str | None
    status: str | None  # SubscriptionStatus
    plan: str | None  # OfferingSku


@dataclass(frozen=True, slots=True)
class Preferences:
    """The switches that change what we may send. An absent switch counts as off."""

    custom_numbers: bool  # off: do not count on QuickBooks refusing a second number
    books_closed_until: date | None
    uses_tax: bool
    multicurrency: bool
    home_currency: str | None
    track_departments: bool
    class_per_txn: bool
    class_per_line: bool


def document_of(row: object) -> Document:
    """Return an invoice; `total` is TotalAmt without TotalTax.

    Raises:
        Misshapen: A field we compare is missing or unreadable.
    """
    entry = _entry(row, name="Invoice")
    if entry.get("status") == "Deleted":
        raise Misshapen(name="status")
    tax = entry.get("TxnTaxDetail")
    total = _money(entry.get("TotalAmt"), name="TotalAmt")
    total_tax = (
        _money(tax.get("TotalTax", 0), name="TotalTax") if isinstance(tax, dict) else Decimal()
    )
    number = entry.get("DocNumber")
    return Document(
        quickbooks_id=_id(entry.get("Id"), name="Id"),
        sync_token=_id(entry.get("SyncToken"), name="SyncToken"),
        doc_number=number if isinstance(number, str) else None,
        customer_id=_reference(entry, name="CustomerRef"),
        total=_EXACT.subtract(total, total_tax),
        dated=_date(entry.get("TxnDate"), name="TxnDate"),
        created_at=_created_at(entry.get("MetaData")),
        voided=_is_void(entry, total=total),
    )


def party_of(row: object, *, kind: str) -> Party:
    """Return a customer, vendor or employee.

    Raises:
        Misshapen: A field we use is missing or unreadable.
    """
    entry = _entry(row, name=kind)
    return Party(
        quickbooks_id=_id(entry.get("Id"), name="Id"),
        sync_token=_id(entry.get("SyncToken"), name="SyncToken"),
        display_name=_text(entry.get("DisplayName"), name="DisplayName"),
        active=entry.get("Active", True) is True,
        kind=kind,
    )


def item_of(row: object) -> Item:
    """Return a product or service.

    Raises:
        Misshapen: A field we use is missing or unreadable.
    """
    entry = _entry(row, name="Item")
    account = entry.get("IncomeAccountRef")
    return Item(
        id=_id(entry.get("Id"), name="Id"),
        name=_text(entry.get("Name"), name="Name"),
        active=entry.get("Active", True) is True,
        kind=_optional(entry.get("Type")) or "",
        income_account_id=_optional(account.get("value")) if isinstance(account, dict) else None,
    )


def account_of(row: object) -> Account:
    """Return an account.

    Raises:
        Misshapen: A field we use is missing or unreadable.
    """
    entry = _entry(row, name="Account")
    return Account(
        id=_id(entry.get("Id"), name="Id"),
        name=_text(entry.get("Name"), name="Name"),
        active=entry.get("Active", True) is True,
        kind=_optional(entry.get("AccountType")) or "",
    )


def company_of(row: object) -> Company:
    """Return the company's own entry.

    Raises:
        Misshapen: It has no name.
    """
    entry = _entry(row, name="CompanyInfo")
    pairs = entry.get("NameValue")
    named = {
        str(pair.get("Name")): pair.get("Value")
        for pair in (pairs if isinstance(pairs, list) else ())
        if isinstance(pair, dict)
    }
    return Company(
        name=_text(entry.get("CompanyName"), name="CompanyName"),
        legal_name=_optional(entry.get("LegalName")),
        country=_optional(entry.get("Country")),
        status=_optional(named.get("SubscriptionStatus")),
        plan=_optional(named.get("OfferingSku")),
    )


def preferences_of(row: object) -> Preferences:
    """Return the switches.

    Raises:
        Misshapen: There is no Preferences object, or its closing date is unreadable.
    """
    entry = _entry(row, name="Preferences")
    books, sales = _group(entry, name="AccountingInfoPrefs"), _group(entry, name="SalesFormsPrefs")
    tax, money = _group(entry, name="TaxPrefs"), _group(entry, name="CurrencyPrefs")
    closed = books.get("BookCloseDate")
    home = money.get("HomeCurrency")
    return Preferences(
        custom_numbers=sales.get("CustomTxnNumbers") is True,
        books_closed_until=_date(closed, name="BookCloseDate") if closed else None,
        uses_tax=tax.get("UsingSalesTax") is True,
        multicurrency=money.get("MultiCurrencyEnabled") is True,
        home_currency=_optional(home.get("value")) if isinstance(home, dict) else None,
        track_departments=books.get("TrackDepartments") is True,
        class_per_txn=books.get("ClassTrackingPerTxn") is True,
        class_per_line=books.get("ClassTrackingPerTxnLine") is True,
    )


def _entry(row: object, *, name: str) -> Mapping[str, object]:
    if not isinstance(row, dict):
        raise Misshapen(name=name)
    return row


def _group(entry: Mapping[str, object], *, name: str) -> Mapping[str, object]:
    group = entry.get(name)
    return group if isinstance(group, dict) else {}


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _text(value: object, *, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise Misshapen(name=name)
    return value


def _id(value: object, *, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _ID_MAX:
        raise Misshapen(name=name)
    if not (value.isascii() and value.isdigit()):
        raise Misshapen(name=name)
    return value


def _reference(entry: Mapping[str, object], *, name: str) -> str:
    reference = entry.get(name)
    return _id(reference.get("value") if isinstance(reference, dict) else None, name=name)


def _money(value: object, *, name: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Misshapen(name=name)
    amount = Decimal(value)
    # A huge exponent would fill the memory as soon as somebody writes the number out.
    if amount.adjusted() > _MONEY_PLACES_MAX or amount.adjusted() < -_MONEY_PLACES_MAX:
        raise Misshapen(name=name)
    if len(amount.as_tuple().digits) > _MONEY_DIGITS_MAX:
        raise Misshapen(name=name)
    return amount


def _date(value: object, *, name: str) -> date:
    try:
        return date.fromisoformat(_text(value, name=name))
    except ValueError:
        raise Misshapen(name=name) from None


def _created_at(value: object) -> datetime | None:
    text = value.get("CreateTime") if isinstance(value, dict) else None
    try:
        created = datetime.fromisoformat(text) if isinstance(text, str) else None
        return None if created is None or created.tzinfo is None else created.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_void(entry: Mapping[str, object], *, total: Decimal) -> bool:
    """Return whether the invoice was voided; no flag says so.

    Source:
        Recorded void of a sandbox invoice: amounts 0, `PrivateNote` begins with "Voided".
    """
    note = entry.get("PrivateNote")
    balance = entry.get("Balance")
    return total == 0 and balance == 0 and isinstance(note, str) and note.startswith("Voided")
