"""Invoices and runs as programs and tables read them."""

from typing import TYPE_CHECKING, Final

from application import catalogue
from application.catalogue import printable
from application.cli.printing import number
from application.invoices.model import (
    AmountRule,
    Draft,
    MisInvoice,
    Status,
    Student,
    doc_number,
)

if TYPE_CHECKING:
    from application.services.progress import Previewed, Run

STATUS_WORDS: Final = {
    Status.NOT_SYNCED: ("not_synced", "Not synced"),
    Status.SYNCED: ("synced", "Synced"),
    Status.FAILED: ("failed", "Failed"),
    Status.IN_PROGRESS: ("in_progress", "In progress"),
}


def status_words(code: int | None) -> str:
    """Return a status as people read it; an unknown one counts as failed."""
    return _status(code)[1]


def _status(code: int | None) -> tuple[str, str]:
    known = {int(one): words for one, words in STATUS_WORDS.items()}
    return known.get(code or 0, known[Status.FAILED])


def name_of(student: Student | None) -> str:
    """Return the person's name as it stands in the MIS."""
    if student is None:
        return ""
    parts = (student.first_name, student.middle_name, student.last_name)
    return printable(" ".join(" ".join(filter(None, parts)).split()))


def invoice_entry(row: MisInvoice, *, cause: str | None) -> dict[str, object]:
    """Return one invoice as programs read it."""
    return {
        "id": row.id,
        "doc_number": doc_number(row.id),
        "reg_no": row.reg_no,
        "fee_category": row.fee_category,
        "amount": row.dept,
        "invoice_date": row.dated,
        "status": _status(row.status)[0],
        "status_code": row.status or 0,
        "error": catalogue.explain(cause, {}).title if cause else None,
        "error_code": cause,
        "pushed_by": row.pushed_by,
        "pushed_date": row.pushed_date,
    }


def preview_entry(one: "Previewed", *, rule: AmountRule) -> dict[str, object]:
    """Return one invoice of a preview; what QuickBooks would get is known once products are."""
    row, plan = one.plan.invoice, one.plan
    student = plan.student
    draft = None
    if not plan.problems and plan.item is not None:
        draft = plan.draft(customer_id="", rule=rule)
    return {
        "id": row.id,
        "reg_no": row.reg_no,
        "dept": row.dept,
        "credit": row.credit,
        "invoice_date": row.dated,
        "comment": row.comment,
        "fee_category": row.fee_category,
        "QuickBk_Status": row.status or 0,
        "student_details": None
        if student is None
        else {
            "full_name": name_of(student),
            "email": next(filter(None, student.emails), None),
            "phone": next(filter(None, student.phones), None),
        },
        "ready": not plan.problems,
        "problems": [
            {"error": told.title, "error_code": told.code, "remedy": told.remedy}
            for told in (catalogue.explain(each.cause, each.facts) for each in plan.problems)
        ],
        "notes": list(draft.reasons) if draft else [],
        "quickbooks": _document(draft) if draft else None,
    }


def _document(draft: Draft) -> dict[str, object]:
    item = {"value": draft.item_id, "name": draft.item_name}
    return {
        "DocNumber": draft.doc_number,
        "CustomerRef": {"name": draft.customer_name},
        "TxnDate": draft.dated,
        "PrivateNote": draft.note,
        "Line": [
            {
                "Amount": draft.amount,
                "DetailType": "SalesItemLineDetail",
                "Description": draft.description,
                "SalesItemLineDetail": {"ItemRef": item},
            }
        ],
    }


def run_words(run: "Run") -> str:
    """Return what a run did, in a few words."""
    if run.finished_at is None:
        return f"{number(run.processed)} of {number(run.total)}"
    words = f"{number(run.successful)} synced, {number(run.failed)} failed"
    return f"{words}, {number(run.unsettled)} unsettled" if run.unsettled else words


def run_entry(run: "Run") -> dict[str, object]:
    """Return one run as programs read it."""
    return {
        "id": run.id,
        "kind": run.kind,
        "state": run.state,
        "started_by": run.by.name,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "environment": run.environment,
        "company": run.company,
        "total": run.total,
        "processed": run.processed,
        "successful": run.successful,
        "failed": run.failed,
        "unsettled": run.unsettled,
        "error_code": run.cause,
    }
