"""Fees and their products, as programs read them."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from application.services.mapping import Chosen, MappingPage, MappingRow


def mapping_entry(page: "MappingPage", *, office: ZoneInfo) -> dict[str, object]:
    """Return which product takes which fee."""
    read_at = page.products_read_at
    return {
        "mapping": [row_entry(row) for row in page.rows],
        "mapped": page.mapped,
        "total": page.total,
        "products_read_at": read_at.astimezone(office) if read_at else None,
    }


def chosen_entry(chosen: "Chosen") -> dict[str, object]:
    """Return one fee after a choice, and what that mends."""
    return {**row_entry(chosen.row), "now_look_fixed": chosen.now_look_fixed}


def row_entry(row: "MappingRow") -> dict[str, object]:
    """Return one fee."""
    suggested = row.suggested
    return {
        "fee_category": row.fee_category,
        "fee": row.fee,
        "item_id": row.item_id,
        "item": row.item,
        "source": row.source,
        "suggested": {"item_id": suggested.id, "item": suggested.name} if suggested else None,
        "waiting": row.waiting,
        "failed": row.failed,
    }
