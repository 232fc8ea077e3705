"""Invoices as programs read them: in lists, in a preview, and one with its whole story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from application.catalogue import explain, printable
from application.invoices.model import (
    Environment,
    Status,
    doc_number,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal
    from zoneinfo import ZoneInfo

    from application.invoices.model import (
        AmountRule,
        Draft,
        Student,
    )
    from application.services.listing import Detail, Listed, Outlook
    from application.services.plans import Plan
    from application.services.progress import Previewed
    from application.store.journal import TimelineEntry

STATUS_WORDS: Final = {
    Status.NOT_SYNCED: ("not_synced", "Not synced"),
    Status.SYNCED: ("synced", "Synced"),
    Status.FAILED: ("failed", "Failed"),
    Status.IN_PROGRESS: ("in_progress", "In progress"),
}
PAGES: Final = {
    Environment.SANDBOX: "https://app.sandbox.qbo.intuit.com/app/invoice?txnId=",
    Environment.PRODUCTION: "https://app.qbo.intuit.com/app/invoice?txnId=",
}
SHOWN_AT_ENDS: Final = 2


def status_of(code: int | None) -> tuple[str, str]:
    """Return a status as programs and as people read it; an unknown one counts as failed."""
    known = {int(one): words for one, words in STATUS_WORDS.items()}
    return known.get(code or 0, known[Status.FAILED])


def name_of(student: Student | None) -> str:
    """Return the person's name as it stands in the MIS."""
    if student is None:
        return ""
    parts = (student.first_name, student.middle_name, student.last_name)
    return printable(" ".join(" ".join(filter(None, parts)).split()))


def masked(text: str | None) -> str | None:
    """Return text of which only the ends show."""
    if text is None:
        return None
    if len(text) <= 2 * SHOWN_AT_ENDS:
        return "*" * len(text)
    return f"{text[:SHOWN_AT_ENDS]}{'*' * 5}{text[-SHOWN_AT_ENDS:]}"


def invoice_entry(one: Listed, *, office: ZoneInfo) -> dict[str, object]:
    """Return an invoice of a list."""
    row = one.row
    return {
        "id": row.id,
        "doc_number": doc_number(row.id),
        "reg_no": row.reg_no,
        "student": name_of(one.student) or None,
        "fee_category": row.fee_category,
        "fee": one.fee.name if one.fee else None,
        "amount": one.amount if one.amount is not None else row.dept,
        "invoice_date": row.dated,
        "status": status_of(row.status)[0],
        "status_code": row.status or 0,
        "flag": one.flag,
        "error": explain(one.cause, {}).title if one.cause else None,
        "error_code": one.cause,
        "looks_fixed": one.looks_fixed,
        "hold_reason": one.hold.reason if one.hold else None,
        "quickbooks_id": one.receipt.quickbooks_id if one.receipt else None,
        "pushed_by": row.pushed_by,
        "pushed_date": _local(row.pushed_date, office=office),
    }


def detail_entry(
    one: Detail, *, office: ZoneInfo, environment: Environment, rule: AmountRule
) -> dict[str, object]:
    """Return one invoice with both sides and what happened to it."""
    row = one.listed.row
    return {
        **invoice_entry(one.listed, office=office),
        "mis": {"dept": row.dept, "credit": row.credit, "comment": row.comment},
        "payload": payload_of(one.plan, rule=rule),
        "quickbooks": _kept_entry(one, environment=environment, office=office),
        "timeline": [happening(each, office=office) for each in one.timeline],
    }


def happening(one: TimelineEntry, *, office: ZoneInfo) -> dict[str, object]:
    """Return one thing that happened to an invoice."""
    return {
        "at": one.at.astimezone(office),
        "actor": f"run {one.run_id}" if one.run_id else one.actor,
        "event": one.event,
        "text": one.text,
        "intuit_tid": one.intuit_tid,
    }


def _kept_entry(
    one: Detail, *, environment: Environment, office: ZoneInfo
) -> dict[str, object] | None:
    kept = one.listed.receipt
    if kept is None:
        return None
    facts, page = kept.facts, PAGES.get(environment)
    return {
        "id": kept.quickbooks_id,
        "doc_number": kept.doc_number,
        "customer": one.customer,
        "total": facts.total if facts else None,
        "date": facts.dated if facts else None,
        "sync_token": kept.sync_token,
        "read_at": kept.receipt_at.astimezone(office),
        "url": f"{page}{kept.quickbooks_id}" if page else None,
    }


def preview_message(seen: Outlook) -> str:
    """Return a preview in one sentence; failures that look fixed are told apart."""
    failed = sum(one.plan.invoice.status == Status.FAILED for one in seen.invoices)
    words = f"{len(seen.invoices) - failed} of {seen.waiting} waiting invoices"
    return f"{words}, {failed} of those that failed" if failed else words


def preview_entry(one: Previewed, *, rule: AmountRule, hidden: bool = False) -> dict[str, object]:
    """Return one invoice of a preview; what QuickBooks would get is known once products are.

    Args:
        one: The invoice as the next run would meet it.
        rule: Which amount is sent.
        hidden: Whether e-mail and phone are masked.
    """
    row, plan = one.plan.invoice, one.plan
    draft = _draft_of(plan, rule=rule)
    return {
        "id": row.id,
        "reg_no": row.reg_no,
        "dept": row.dept,
        "credit": row.credit,
        "invoice_date": row.dated,
        "comment": row.comment,
        "fee_category": row.fee_category,
        "QuickBk_Status": row.status or 0,
        "student_details": _student_entry(plan.student, hidden=hidden),
        "ready": not plan.problems,
        "problems": [
            {"error": told.title, "error_code": told.code, "remedy": told.remedy}
            for told in (explain(each.cause, each.facts) for each in plan.problems)
        ],
        "notes": list(draft.reasons) if draft else [],
        "quickbooks": _document(draft) if draft else None,
    }


def _student_entry(student: Student | None, *, hidden: bool) -> dict[str, object] | None:
    if student is None:
        return None
    email = next(filter(None, student.emails), None)
    phone = next(filter(None, student.phones), None)
    return {
        "full_name": name_of(student),
        "email": masked(email) if hidden else email,
        "phone": masked(phone) if hidden else phone,
    }


def payload_of(plan: Plan, *, rule: AmountRule) -> Mapping[str, object] | None:
    """Return what QuickBooks would get now, or None where it would get nothing."""
    draft = _draft_of(plan, rule=rule)
    return _document(draft) if draft else None


def _draft_of(plan: Plan, *, rule: AmountRule) -> Draft | None:
    if plan.problems or plan.item is None:
        return None
    return plan.draft(customer_id="", rule=rule)


def _document(draft: Draft) -> dict[str, object]:
    item = {"value": draft.item_id, "name": draft.item_name}
    line: dict[str, Decimal | str | dict[str, dict[str, str]] | None] = {
        "Amount": draft.amount,
        "DetailType": "SalesItemLineDetail",
        "Description": draft.description,
        "SalesItemLineDetail": {"ItemRef": item},
    }
    return {
        "DocNumber": draft.doc_number,
        "CustomerRef": {"name": draft.customer_name},
        "TxnDate": draft.dated,
        "PrivateNote": draft.note,
        "Line": [line],
    }


def _local(at: datetime | None, *, office: ZoneInfo) -> datetime | None:
    return at.astimezone(office) if at else None
