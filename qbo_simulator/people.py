"""Customers, vendors and employees: one list of names for all three."""

from typing import Final

from qbo_simulator import refusals
from qbo_simulator.codec import Thing
from qbo_simulator.company import currency_ref
from qbo_simulator.desk import Desk

LEVELS_MAX: Final = 5
GONE: Final = " (deleted)"
FULL_UPDATE_KEEPS: Final = (
    "DisplayName",
    "Active",
    "CurrencyRef",
    "PreferredDeliveryMethod",
    "Taxable",
    "DefaultTaxCodeRef",
    "PrintOnCheckName",
    "Balance",
    "BalanceWithJobs",
)
OWN: Final = frozenset(
    {
        "DisplayName",
        "Active",
        "CurrencyRef",
        "PrintOnCheckName",
        "FullyQualifiedName",
        "Balance",
        "BalanceWithJobs",
    }
)


def composed(desk: Desk, given: Thing, *, entity: str, old: Thing | None) -> Thing:
    """Return the whole person without Id, token and times.

    Raises:
        Refusal: No name, a name somebody else has, a bad parent.
    """
    active = given.get("Active", True)
    name = _name(given, active=active, was_active=old is None or old["Active"])
    if active:
        holder = desk.books.named(entity, name)
        own = old is not None and holder == (entity, int(old["Id"]))
        if holder is not None and not own:
            raise desk.next_name_text(holder[1])
    elif old is not None and old.get("Balance") and old["Active"]:
        text = "The customer has a balance and cannot be made inactive."
        raise refusals.Refusal("6220", "Delete Entity Has Balance", text, element="")
    whole: Thing = {}
    if entity == "Customer":
        whole |= _customer_head(desk, given, old=old)
    elif entity == "Vendor":
        whole |= {"Balance": old["Balance"] if old else 0}
    whole |= {key: value for key, value in given.items() if key not in OWN and key not in whole}
    whole |= {
        "FullyQualifiedName": name,
        "DisplayName": name,
        "PrintOnCheckName": given.get("PrintOnCheckName", name),
        "Active": active,
    }
    if entity != "Employee":
        whole["CurrencyRef"] = currency_ref(_currency(desk, given, old=old))
    if "ParentRef" in given:
        whole |= _below(desk, given, name=name)
    return whole


def _name(given: Thing, *, active: bool, was_active: bool) -> str:
    name = str(given.get("DisplayName", "")).strip()
    if not name:
        parts = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")
        name = " ".join(given[part].strip() for part in parts if part in given).strip()
    if not name:
        name = str(given.get("CompanyName", "")).strip()
    if not name:
        text = "At least one name field must be provided."
        raise refusals.Refusal("6080", "No Name Provided", text, element="")
    if active and not was_active:
        return name.removesuffix(GONE)
    if not active and was_active:
        return name + GONE
    return name


def _customer_head(desk: Desk, given: Thing, *, old: Thing | None) -> Thing:
    desk.row_behind("Term", given.get("SalesTermRef"), element="SalesTermRef")
    return {
        "Taxable": given.get("Taxable", desk.american()),
        "Job": "ParentRef" in given,
        "BillWithParent": given.get("BillWithParent", False),
        "Balance": old["Balance"] if old else 0,
        "BalanceWithJobs": old["BalanceWithJobs"] if old else 0,
        "PreferredDeliveryMethod": given.get("PreferredDeliveryMethod", "Print"),
    }


def _currency(desk: Desk, given: Thing, *, old: Thing | None) -> str:
    home = desk.home_currency()
    asked = str(given.get("CurrencyRef", {}).get("value", home))
    if old is not None and "CurrencyRef" in old:
        # Write-once: a change is refused by name, silence keeps the first one.
        first = str(old["CurrencyRef"]["value"])
        if "CurrencyRef" in given and asked != first:
            raise refusals.business("You cannot change the currency of a customer or vendor.")
        return first
    if asked != home and not desk.prefers("CurrencyPrefs", "MultiCurrencyEnabled"):
        raise refusals.business(
            "The currency of the transaction is invalid for customer/vendor/account."
        )
    return asked


def _below(desk: Desk, given: Thing, *, name: str) -> Thing:
    parent = desk.row_behind("Customer", given["ParentRef"], element="ParentRef")
    above = parent.thing() if parent else {}
    level = int(above.get("Level", 0)) + 1
    if level >= LEVELS_MAX:
        text = f"Sub-customers may be at most {LEVELS_MAX} levels deep."
        raise refusals.Refusal("6180", "Subitem Level Exceeded", text, element="ParentRef")
    path = f"{above.get('FullyQualifiedName', '')}:{name}"
    return {"Level": level, "FullyQualifiedName": path, "ParentRef": given["ParentRef"]}
