"""Rows of intents, attempts and refusals, changed from the state they were read in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, update

from application.store.columns import clean, maybe_clean
from application.store.fence import Lease
from application.store.records import Refusal
from application.store.schema import attempts, intents, refusals


def change(
    connection: Connection,
    rows: dict[int, Row[Any]],
    values: dict[str, Any],
    each: list[dict[str, Any]],
) -> None:
    """Change intents that are locked, each from the state it was read in."""
    connection.execute(
        update(intents)
        .where(intents.c.id == bindparam("b_id"), intents.c.state == bindparam("b_state"))
        .values(**values),
        [one | {"b_state": rows[one["b_id"]].state} for one in each],
    )


def end_attempts(
    connection: Connection,
    ids: Sequence[int],
    *,
    outcome: str,
    now: datetime,
    why: str | None = None,
    tid: str | None = None,
    unclear: bool = False,
) -> None:
    """Close the open attempts of intents, or with `unclear` also those nobody could tell about."""
    which = attempts.c.open == 1
    if unclear:
        which |= attempts.c.outcome == "unknown"
    connection.execute(
        update(attempts)
        .where(attempts.c.intent_id.in_(ids), which)
        .values(
            open=None,
            outcome=outcome,
            ended_at=now,
            **({} if why is None else {"why": clean(why, most=200)}),
            **({} if tid is None else {"intuit_tid": clean(tid, most=120)}),
        )
    )


def close_refusals(connection: Connection, invoices: Sequence[int], *, now: datetime) -> None:
    """Close the refusals of invoices that have a newer outcome."""
    if invoices:
        connection.execute(
            update(refusals)
            .where(refusals.c.invoice_id.in_(invoices), refusals.c.open == 1)
            .values(open=None, closed_at=now, closed_by="newer")
        )


def refusal_row(item: Refusal, *, lease: Lease, now: datetime) -> dict[str, object]:
    """Return a refusal as it is stored."""
    return {
        "invoice_id": item.invoice_id,
        "open": None if item.invoice_id is None else 1,
        "intent_id": item.intent_id,
        "realm_tag": lease.realm_tag,
        "cause": clean(item.cause, most=80),
        "facts": dict(item.facts),
        "fingerprint": item.fingerprint,
        "run_id": item.run_id,
        "quickbooks_code": maybe_clean(item.quickbooks_code, most=40),
        "quickbooks_text": maybe_clean(item.quickbooks_text, most=500),
        "quickbooks_id": maybe_clean(item.quickbooks_id, most=200),
        "intuit_tid": maybe_clean(item.intuit_tid, most=120),
        "at": now,
    }
