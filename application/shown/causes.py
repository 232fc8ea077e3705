"""Failures by cause, as programs read them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from application.catalogue import explain

if TYPE_CHECKING:
    from application.services.causes import Group


def causes_entry(groups: Sequence["Group"], *, office: ZoneInfo) -> dict[str, object]:
    """Return all failures that stand."""
    return {
        "total": sum(group.count for group in groups),
        "amount": sum((group.amount for group in groups), Decimal(0)),
        "groups": [group_entry(group, office=office) for group in groups],
    }


def group_entry(group: "Group", *, office: ZoneInfo) -> dict[str, object]:
    """Return the failures of one cause."""
    told = explain(group.cause, {})
    return {
        "error_code": told.code,
        "error": told.title,
        "count": group.count,
        "amount": group.amount,
        "owner": told.owner,
        "why": told.why,
        "remedy": told.remedy,
        "retry": told.retry,
        "first_seen": group.first_seen.astimezone(office) if group.first_seen else None,
        "looks_fixed": group.looks_fixed,
        "sample_invoice_ids": list(group.sample_ids),
    }
