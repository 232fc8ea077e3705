"""The lines of an invoice: amounts, items, taxes, and what they add up to."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from qbo_simulator import refusals
from qbo_simulator.codec import Thing, rounded
from qbo_simulator.desk import Desk

ZERO: Final = Decimal(0)
DETAIL_TYPES: Final = frozenset(
    {
        "SalesItemLineDetail",
        "GroupLineDetail",
        "DescriptionOnly",
        "DiscountLineDetail",
        "SubTotalLineDetail",
    }
)


@dataclass(slots=True)
class Sums:
    """What the lines of one invoice come to."""

    lines: list[Thing]
    subtotal: Decimal = ZERO
    discount: Decimal = ZERO
    taxed: list[tuple[str, Decimal]] | None = None

    @property
    def net(self) -> Decimal:
        """The lines less discounts, before tax."""
        return self.subtotal - self.discount


def summed(desk: Desk, given: list[Thing], *, old: list[Thing]) -> Sums:
    """Return the lines as stored, numbered, priced, with their subtotal line last.

    Raises:
        Refusal: A line QuickBooks does not take.
    """
    sums = Sums(lines=[], taxed=[])
    known = {line["Id"] for line in old if "Id" in line}
    top = max((int(one) for one in known), default=0)
    for line in given:
        stored = _line(desk, line, sums=sums)
        if stored is None:
            continue
        line_id = str(line.get("Id", ""))
        if line_id not in known:
            top += 1
            line_id = str(top)
        number = {"LineNum": len(sums.lines) + 1}
        sums.lines.append({"Id": line_id, **number, **stored})
    if not any(line["DetailType"] == "SalesItemLineDetail" for line in sums.lines):
        raise refusals.missing("Line")
    places = desk.knobs.money_scale
    sums.lines.append(
        {
            "Amount": rounded(sums.subtotal, places=places),
            "DetailType": "SubTotalLineDetail",
            "SubTotalLineDetail": {},
        }
    )
    return sums


def _line(desk: Desk, line: Thing, *, sums: Sums) -> Thing | None:
    match line.get("DetailType"):
        case None:
            raise refusals.missing("Line.DetailType")
        case "SubTotalLineDetail":
            return None
        case "SalesItemLineDetail":
            return _sale(desk, line, sums=sums)
        case "DiscountLineDetail":
            return _discount(desk, line, sums=sums)
        case "DescriptionOnly" | "GroupLineDetail":
            return {
                name: line[name]
                for name in ("Description", "DetailType", "GroupLineDetail")
                if name in line
            }
        case other:
            raise refusals.Refusal(
                "2170",
                "Invalid Enumeration",
                f"Invalid Enumeration : {other}",
                element="Line.DetailType",
            )


def _sale(desk: Desk, line: Thing, *, sums: Sums) -> Thing:
    detail = line.get("SalesItemLineDetail")
    if detail is None:
        raise refusals.missing("Line.SalesItemLineDetail")
    amount = _priced(desk, line, detail=detail)
    stored = dict(detail)
    item = _item(desk, detail)
    if item is None and desk.knobs.missing_item == "ignore":
        amount = ZERO
    elif item is not None:
        stored["ItemRef"] = item
    code = _tax_code(desk, detail)
    if code is not None:
        stored["TaxCodeRef"] = {"value": code}
    _tracking(desk, stored)
    sums.subtotal += amount
    if sums.taxed is not None:
        sums.taxed.append((code or "", amount))
    kept = {"Description": line["Description"]} if "Description" in line else {}
    return {
        **kept,
        "Amount": amount,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": stored,
    }


def _priced(desk: Desk, line: Thing, *, detail: Thing) -> Decimal:
    places = desk.knobs.money_scale
    amount = line.get("Amount")
    quantity, price = detail.get("Qty"), detail.get("UnitPrice")
    if not quantity and not price:
        # A client that sends whole objects sends these two as zero when it means nothing.
        detail.pop("Qty", None)
        detail.pop("UnitPrice", None)
        quantity = price = None
    if quantity is not None and price is not None:
        product = rounded(quantity * price)
        if amount is None:
            amount = product
        if rounded(amount) != product:
            raise refusals.Refusal(
                "6070",
                "Amount calculation incorrect in the request",
                f"Amount is not equal to UnitPrice * Qty. Supplied value:{rounded(amount):,.2f}",
                element="",
            )
    if amount is None:
        raise refusals.missing("Line.Amount")
    return rounded(amount, places=places)


def _item(desk: Desk, detail: Thing) -> Thing | None:
    ref = detail.get("ItemRef")
    if ref is None:
        desk.notes.append("missing_item")
        if desk.knobs.missing_item == "refuse":
            raise refusals.missing("Line.SalesItemLineDetail.ItemRef")
        if desk.knobs.missing_item == "ignore":
            return None
        ref = {"value": "1"}
    if ref["value"] == "SHIPPING_ITEM_ID":
        return {"value": "SHIPPING_ITEM_ID"}
    row = desk.row_behind("Item", ref, element="Line.SalesItemLineDetail.ItemRef")
    return None if row is None else {"value": str(row.row_id), "name": row.name}


def _tax_code(desk: Desk, detail: Thing) -> str | None:
    code: str | None = detail.get("TaxCodeRef", {}).get("value")
    if not desk.prefers("TaxPrefs", "UsingSalesTax"):
        detail.pop("TaxCodeRef", None)
        return "NON" if desk.american() else None
    if desk.american():
        if code not in {None, "TAX", "NON"}:
            text = "You must specify TAX or NON as the tax code of a line."
            raise refusals.Refusal("6100", "Invalid Tax Code", text, element="TaxCodeRef")
        return code or "NON"
    if code is None:
        raise refusals.business(
            "Make sure all your transactions have a VAT rate before you save.", element=""
        )
    element = "Line.SalesItemLineDetail.TaxCodeRef"
    desk.row_behind("TaxCode", {"value": code}, element=element)
    return code


def _tracking(desk: Desk, stored: Thing) -> None:
    ref = stored.get("ClassRef")
    if ref is None:
        return
    if tracked(desk, "ClassTrackingPerTxnLine", what="Class"):
        row = desk.row_behind("Class", ref, element="Line.SalesItemLineDetail.ClassRef")
        if row is not None:
            stored["ClassRef"] = {"value": ref["value"], "name": row.name}
    else:
        del stored["ClassRef"]


def tracked(desk: Desk, preference: str, *, what: str) -> bool:
    """Return whether a class or location is kept; while tracking is off a knob decides.

    Raises:
        Refusal: Tracking is off and the knob refuses.
    """
    if desk.prefers("AccountingInfoPrefs", preference):
        return True
    desk.notes.append("tracking_off")
    if desk.knobs.tracking_off == "5020":
        raise refusals.Refusal("5020", "Permission Denied Error", f"{what} tracking is off.")
    if desk.knobs.tracking_off == "6000":
        raise refusals.business(f"{what} tracking is turned off.")
    return False


def _discount(desk: Desk, line: Thing, *, sums: Sums) -> Thing:
    detail = line.get("DiscountLineDetail")
    if detail is None:
        raise refusals.missing("Line.DiscountLineDetail")
    amount = line.get("Amount", ZERO)
    if detail.get("PercentBased"):
        amount = sums.subtotal * detail.get("DiscountPercent", ZERO) / 100
    amount = rounded(amount, places=desk.knobs.money_scale)
    sums.discount += amount
    return {"Amount": amount, "DetailType": "DiscountLineDetail", "DiscountLineDetail": detail}
