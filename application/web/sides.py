"""Both sides of one invoice, and its history, line by line."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from application.invoices.model import AmountRule, Status, doc_number
from application.services.listing import Detail
from application.shown.invoices import happening, payload_of
from application.shown.texts import json_text
from application.web.visit import Visit

CONFLICT: Final = "document_conflict"
# Where a cause lies: the column of the MIS, and what it becomes.
AT_FAULT: Final[Mapping[str, tuple[str, str]]] = {
    "customer_not_found": ("reg_no", "CustomerRef"),
    "customer_inactive": ("reg_no", "CustomerRef"),
    "duplicate_customer_name": ("reg_no", "CustomerRef"),
    "name_not_allowed": ("reg_no", "CustomerRef"),
    "location_unmapped": ("reg_no", "CustomerRef"),
    "invalid_amount": ("dept", "Line.Amount"),
    "date_invalid": ("invoice_date", "TxnDate"),
    "period_closed": ("invoice_date", "TxnDate"),
    "fee_category_unmapped": ("fee_category", "ItemRef"),
    "item_inactive": ("fee_category", "ItemRef"),
    "tax_code_needed": ("fee_category", "ItemRef"),
    CONFLICT: ("id", "DocNumber"),
    "status_invalid": ("QuickBk_Status", ""),
}
EVENTS: Final = frozenset(
    {
        "absent",
        "attempt",
        "claimed",
        "confirmed",
        "conflict",
        "fenced",
        "held",
        "hold_ended",
        "intended",
        "passed",
        "refused",
        "released",
        "sending",
        "source_gone",
        "synced",
        "unknown",
    }
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of one side."""

    name: str
    text: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the history."""

    at: datetime
    who: str
    text: str
    json: str


def facts_of(detail: Detail) -> dict[str, object]:
    """Return what fills the texts of a cause for this invoice."""
    refusal = detail.listed.refusal
    known = refusal.facts if refusal else {}
    return {"number": doc_number(detail.listed.row.id), **detail.plan.facts, **known}


def variant_of(detail: Detail) -> str:
    """Return which of the stories this invoice has: key of its texts."""
    one = detail.listed
    if one.flag is not None:
        return one.flag.value
    if one.status is Status.FAILED and one.cause == CONFLICT:
        return "conflict"
    return one.status.name.lower()


def mis_side(visit: Visit, detail: Detail) -> list[Fact]:
    """Return the row as it stands in the MIS now."""
    row, fee = detail.listed.row, detail.listed.fee
    at_fault = AT_FAULT.get(detail.listed.cause or "", ("", ""))[0]
    named = f"{row.fee_category} {fee.name if fee else ''}".strip()
    lines = (
        ("id", str(row.id)),
        ("reg_no", row.reg_no),
        ("dept", visit.formats.money(row.dept)),
        ("credit", visit.formats.money(row.credit)),
        ("invoice_date", row.dated_text),
        ("fee_category", named if row.fee_category is not None else None),
        ("comment", row.comment),
        ("QuickBk_Status", str(row.status) if row.status is not None else None),
    )
    return [_fact(name, text, wrong=name == at_fault) for name, text in lines]


def our_side(visit: Visit, detail: Detail) -> list[Fact]:
    """Return what QuickBooks gets, also where it is not fit to go."""
    one, plan = detail.listed, detail.plan
    at_fault = AT_FAULT.get(one.cause or "", ("", ""))[1]
    payload = _document(visit, detail)
    note = payload.get("PrivateNote") if payload else one.row.comment
    lines = (
        ("DocNumber", doc_number(one.row.id)),
        ("CustomerRef", one.row.payer),
        ("Line.Amount", f"{one.amount:.2f}" if one.amount is not None else None),
        ("TxnDate", one.row.dated.isoformat() if one.row.dated else None),
        ("ItemRef", plan.item.name if plan.item else None),
        ("Description", plan.fee.name if plan.fee else None),
        ("PrivateNote", str(note) if note else None),
    )
    return [_fact(name, text, wrong=name == at_fault) for name, text in lines]


def _fact(name: str, text: str | None, *, wrong: bool) -> Fact:
    return Fact(name, text if text is not None and text.strip() else "\u2013", wrong=wrong)


def _document(visit: Visit, detail: Detail) -> Mapping[str, object] | None:
    return payload_of(detail.plan, rule=AmountRule(visit.services.settings.amount_rule))


def payload_text(visit: Visit, detail: Detail) -> str | None:
    """Return what QuickBooks would get now, as JSON; None where it would get nothing."""
    found = _document(visit, detail)
    return indented(found) if found else None


def history(visit: Visit, detail: Detail) -> list[Happened]:
    """Return what happened, newest first; of a send with the very bytes that went."""
    bodies = visit.services.picking.bodies(detail.timeline)
    found: list[Happened] = []
    for one in reversed(detail.timeline):
        entry = dict(happening(one, office=visit.services.office))
        body = bodies.get(one.intent_id) if one.intent_id is not None else None
        if one.event == "attempt" and body:
            entry["request"] = body.decode("utf-8", "replace")
        name = one.event.removeprefix("invoice.")
        told = visit.text(f"invoice_event.{name}") if name in EVENTS else one.event
        found.append(Happened(one.at, str(entry["actor"]), told, indented(entry)))
    return found


def indented(content: object, *, depth: int = 0) -> str:
    """Return JSON as a person reads it, one value on a line."""
    inner = "  " * (depth + 1)
    match content:
        case Mapping() if content:
            lines = [
                f'{inner}"{name}": {indented(each, depth=depth + 1)}'
                for name, each in content.items()
            ]
            return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"
        case list() | tuple() if content:
            lines = [inner + indented(each, depth=depth + 1) for each in content]
            return "[\n" + ",\n".join(lines) + "\n" + "  " * depth + "]"
        case _:
            return json_text(content)
