"""The connection to QuickBooks as programs read it; nothing in it opens anything."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from application.services.company import ConnectionState

if TYPE_CHECKING:
    from application.services.looks import Check


def connection_entry(
    state: ConnectionState, *, checks: Sequence["Check"], office: ZoneInfo
) -> dict[str, object]:
    """Return the connection.

    Args:
        state: As our store knows it.
        checks: What the last look at the company found.
        office: The zone days are told in.
    """
    until, limit = state.reconnect_by, state.hard_limit
    return {
        "connected": state.connected,
        "environment": state.environment.value,
        "company": state.company,
        "realm_id_masked": state.realm_id_masked,
        "bound": state.bound,
        "connected_by": state.connected_by,
        "access_token_expires_in": state.access_token_expires_in_s,
        "reconnect_by": until.astimezone(office).date() if until else None,
        "hard_limit": limit.astimezone(office).date() if limit else None,
        "problem": state.problem,
        "warnings": [one.text for one in state.reminders],
        "checks": [check_entry(one) for one in checks],
    }


def check_entry(one: "Check") -> dict[str, object]:
    """Return one thing that was looked at."""
    return {"name": one.word, "result": one.result, "text": one.text, "remedy": one.remedy}
