"""What the guide's six endpoints take and answer, as the interface's description shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

META: Final[Mapping[str, Any]] = {
    "request_id": "01KAMZK7Q3W8X5V2T9R4N6M1JH",
    "timestamp": "2025-11-22T10:12:44+02:00",
}
COUNTS: Final[Mapping[str, Any]] = {
    "total_invoices": 1250,
    "not_synced": 1250,
    "already_synced": 0,
    "failed": 0,
    "in_progress": 0,
}
SENT: Final[Mapping[str, Any]] = {
    "total_processed": 50,
    "successful": 48,
    "failed": 2,
    "errors": [
        {"invoice_id": 123, "error": "Customer not found"},
        {"invoice_id": 142, "error": "Invalid amount"},
    ],
}


@dataclass(frozen=True, slots=True)
class Example:
    """One request and its answer.

    Args:
        answer: What stands under `data`.
        message: One sentence.
        body: What is sent; None: nothing.
        meta: What else stands in `meta`.
    """

    answer: Mapping[str, Any]
    message: str
    body: Mapping[str, Any] | None = None
    meta: Mapping[str, Any] | None = None

    @property
    def whole(self) -> dict[str, Any]:
        """The answer in its envelope."""
        return {
            "success": True,
            "data": dict(self.answer),
            "message": self.message,
            "meta": {**(self.meta or {}), **META},
        }


_WAITING: Final[Mapping[str, Any]] = {
    "id": 12401,
    "reg_no": "25/00411/BBA",
    "dept": 450000,
    "credit": 0,
    "invoice_date": "2025-11-20",
    "comment": "Sem 1",
    "fee_category": 12,
    "QuickBk_Status": 0,
    "student_details": {"full_name": "Student 0411", "email": None, "phone": None},
    "ready": True,
    "problems": [],
    "notes": ["E-mail left out: not valid"],
    "quickbooks": {
        "DocNumber": "MIS-12401",
        "CustomerRef": {"name": "25/00411/BBA"},
        "TxnDate": "2025-11-20",
        "PrivateNote": "Sem 1",
    },
}
_BOOKS: Final[Mapping[str, Any]] = {
    "environment": "production",
    "company": "Demo University",
    "reconnect_by": "2026-03-02",
    "paused_until": None,
    "reads_this_month": 2310,
    "reads_limit": 500000,
}
EXAMPLES: Final[Mapping[str, Example]] = {
    "GET /api/v1/sync/analyze": Example(COUNTS, "Synchronization analysis completed successfully"),
    "GET /api/v1/sync/preview": Example(
        {"invoices": [_WAITING], "count": 1, "limit": 10, "offset": 0},
        "1 of 31 waiting invoices",
        meta={"total": 31, "next_cursor": None},
    ),
    "GET /api/v1/sync/status": Example(
        {
            "statistics": COUNTS,
            "progress_percentage": 0,
            "quickbooks_connected": True,
            "last_updated": META["timestamp"],
            "quickbooks": _BOOKS,
            "active_run": None,
            "last_run": {"id": 42, "state": "finished", "successful": 48, "failed": 2},
            "next_run_at": "2025-11-22T20:00:00+02:00",
            "reconciliation": None,
        },
        "0.00% synced, 0 need attention.",
    ),
    "POST /api/v1/sync/batch": Example(
        SENT,
        "Batch finished: 48 synced, 2 failed.",
        body={"batch_size": 50},
        meta={"run_id": 42, "state": "finished", "remaining": 50, "unsettled": 0},
    ),
    "POST /api/v1/sync/all": Example(
        {
            "total_processed": 100,
            "successful": 99,
            "failed": 1,
            "errors": [{"invoice_id": 12123, "error": "Customer not found"}],
        },
        "Run finished: 99 synced, 1 failed.",
        body={"max_batches": 10},
        meta={"run_id": 58, "state": "finished", "remaining": 0, "unsettled": 0},
    ),
    "POST /api/v1/sync/single/{invoice_id}": Example(
        {"invoice_id": 12345, "quickbooks_id": "1046"},
        "Invoice 12345 is in QuickBooks as 1046.",
        meta={
            "run_id": 45,
            "doc_number": "MIS-12345",
            "already_synced": False,
            "state": "finished",
        },
    ),
}
