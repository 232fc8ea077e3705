"""Rows of intents, attempts and refusals, changed from the state they were read in."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Row, Update, bindparam, update

from application.invoices.model import IntentState
from application.logs import without_secrets
from application.store.bulk import Bulk
from application.store.columns import clean, maybe_clean
from application.store.fence import Lease
from application.store.records import Refusal
from application.store.schema import attempts, intents, refusals


def change(
    connection: Connection,
    rows: dict[int, Row[Any]],
    move: Bulk,
    each: list[dict[str, Any]],
) -> None:
    """Change intents that are locked, each from the state it was read in."""
    move.run(connection, [one | {"b_state": rows[one["b_id"]].state} for one in each])


def move_to(state: IntentState | BindParameter[str], **values: object) -> Bulk:
    """Return what `change` runs; built once, because building costs more than running."""
    return Bulk(
        update(intents)
        .where(intents.c.id == bindparam("b_id"), intents.c.state == bindparam("b_state"))
        .values(state=state.value if isinstance(state, IntentState) else state, **values)
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
    told = {"why": maybe_clean(why, most=200), "intuit_tid": maybe_clean(tid, most=120)}
    known = {name: text for name, text in told.items() if text is not None}
    query = _ending(unclear=unclear, told=tuple(known))
    values = {"b_outcome": outcome, "b_now": now, "ids": list(ids)}
    connection.execute(query, values | {f"b_{name}": text for name, text in known.items()})


@cache
def _ending(*, unclear: bool, told: tuple[str, ...]) -> Update:
    which = attempts.c.open == 1
    if unclear:
        which |= attempts.c.outcome == "unknown"
    return (
        update(attempts)
        .where(attempts.c.intent_id.in_(bindparam("ids", expanding=True)), which)
        .values(
            open=None,
            outcome=bindparam("b_outcome"),
            ended_at=bindparam("b_now"),
            **{name: bindparam(f"b_{name}") for name in told},
        )
    )


def close_refusals(connection: Connection, invoices: Sequence[int], *, now: datetime) -> None:
    """Close the refusals of invoices that have a newer outcome."""
    if invoices:
        connection.execute(CLOSE_REFUSALS, {"ids": list(invoices), "b_now": now, "b_by": "newer"})


CLOSE_REFUSALS: Final = (
    update(refusals)
    .where(refusals.c.invoice_id.in_(bindparam("ids", expanding=True)), refusals.c.open == 1)
    .values(open=None, closed_at=bindparam("b_now"), closed_by=bindparam("b_by"))
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
        "quickbooks_text": _told(item.quickbooks_text),
        "quickbooks_id": maybe_clean(item.quickbooks_id, most=200),
        "intuit_tid": maybe_clean(item.intuit_tid, most=120),
        "at": now,
    }


def _told(text: str | None) -> str | None:
    """Return QuickBooks' words as they are kept: a refusal may echo the token it refused."""
    return None if text is None else clean(without_secrets(text), most=500)
