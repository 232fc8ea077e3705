"""Products, accounts, departments, classes, terms: named lists that can only be made inactive."""

from typing import Final

from qbo_simulator import refusals
from qbo_simulator.codec import Thing
from qbo_simulator.desk import Desk
from qbo_simulator.people import GONE

FULL_UPDATE_KEEPS: Final = ("Name", "Active", "Type", "AccountType", "AccountSubType", "Taxable")
CLASSIFICATIONS: Final = {
    "Bank": ("Asset", "Checking"),
    "Accounts Receivable": ("Asset", "AccountsReceivable"),
    "Other Current Asset": ("Asset", "OtherCurrentAssets"),
    "Fixed Asset": ("Asset", "OtherFixedAssets"),
    "Other Asset": ("Asset", "OtherLongTermAssets"),
    "Accounts Payable": ("Liability", "AccountsPayable"),
    "Credit Card": ("Liability", "CreditCard"),
    "Other Current Liability": ("Liability", "OtherCurrentLiabilities"),
    "Long Term Liability": ("Liability", "NotesPayable"),
    "Equity": ("Equity", "OpeningBalanceEquity"),
    "Income": ("Revenue", "ServiceFeeIncome"),
    "Other Income": ("Revenue", "OtherMiscellaneousIncome"),
    "Expense": ("Expense", "OtherMiscellaneousServiceCost"),
    "Other Expense": ("Expense", "OtherMiscellaneousExpense"),
    "Cost of Goods Sold": ("Expense", "OtherCostsOfServiceCos"),
}
INCOME_TYPES: Final = frozenset({"Income", "Other Income"})
COMPUTED: Final = frozenset({"Name", "Active", "FullyQualifiedName"})


def composed(desk: Desk, given: Thing, *, entity: str, old: Thing | None) -> Thing:
    """Return the whole list entry without Id, token and times.

    Raises:
        Refusal: No name, a taken name, a missing or wrong account.
    """
    active = given.get("Active", True)
    was_active = old is None or old["Active"]
    name = _name(given, active=active, was_active=was_active)
    if active:
        holder = desk.books.named(entity, name)
        if holder is not None and (old is None or holder != (entity, int(old["Id"]))):
            raise desk.next_name_text(holder[1])
    parent = desk.row_behind(entity, given.get("ParentRef"), element="ParentRef")
    above = f"{parent.thing()['FullyQualifiedName']}:" if parent else ""
    whole: Thing = {"Name": name, "Active": active, "FullyQualifiedName": above + name}
    whole |= {key: value for key, value in given.items() if key not in COMPUTED}
    if entity == "Item":
        whole |= _item(desk, given)
    elif entity == "Account":
        whole |= _account(desk, given, old=old)
    elif entity == "Term":
        kind = "DATE_DRIVEN" if "DayOfMonthDue" in given else "STANDARD"
        whole |= {"Type": kind}
    else:
        whole |= {f"Sub{entity}": parent is not None}
    return whole


def _name(given: Thing, *, active: bool, was_active: bool) -> str:
    name = str(given.get("Name", "")).strip()
    if not name:
        raise refusals.missing("Name")
    if active and not was_active:
        return name.removesuffix(GONE)
    if not active and was_active:
        return name + GONE
    return name


def _item(desk: Desk, given: Thing) -> Thing:
    kind = given.get("Type", "Service")
    whole: Thing = {
        "Taxable": given.get("Taxable", False),
        "UnitPrice": given.get("UnitPrice", 0),
        "Type": kind,
        "PurchaseCost": given.get("PurchaseCost", 0),
        "TrackQtyOnHand": given.get("TrackQtyOnHand", False),
    }
    if kind in {"Category", "Group", "Bundle"}:
        return whole
    account = desk.row_behind(
        "Account", given.get("IncomeAccountRef"), element="IncomeAccountRef", kept=True
    )
    if account is None:
        raise refusals.missing("IncomeAccountRef")
    if account.thing()["AccountType"] not in INCOME_TYPES:
        text = "You need to select a different type of account for this transaction."
        raise refusals.business(text, element="IncomeAccountRef")
    if kind == "Inventory" and "AssetAccountRef" not in given:
        raise refusals.Refusal(
            "2020",
            "Required param missing, need to supply the required value for the API",
            "Required parameter is missing in the request. An inventory assetaccount is required "
            "if you are tracking inventory quantities for this product.",
            element="AssetAccountRef",
        )
    whole["IncomeAccountRef"] = {"value": str(account.row_id), "name": account.name}
    return whole


def _account(desk: Desk, given: Thing, *, old: Thing | None) -> Thing:
    kind = given.get("AccountType")
    subtype = given.get("AccountSubType")
    if kind is None and subtype is not None:
        by_subtype = {pair[1]: name for name, pair in CLASSIFICATIONS.items()}
        kind = by_subtype.get(subtype)
    if kind is None:
        text = "An account type or an account sub type is required."
        raise refusals.Refusal("6010", "Account Type Needed", text, element="AccountType")
    if kind not in CLASSIFICATIONS:
        raise refusals.Refusal(
            "2170", "Invalid Enumeration", f"Invalid Enumeration : {kind}", element="AccountType"
        )
    classification, usual = CLASSIFICATIONS[kind]
    return {
        "AccountType": kind,
        "AccountSubType": subtype or usual,
        "Classification": classification,
        "SubAccount": "ParentRef" in given,
        "CurrentBalance": old["CurrentBalance"] if old else 0,
        "CurrentBalanceWithSubAccounts": old["CurrentBalanceWithSubAccounts"] if old else 0,
        "CurrencyRef": {"value": desk.home_currency()},
    }
