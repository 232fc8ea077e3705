"""A run that a page begins: what is told before it, and where somebody goes then."""

from decimal import Decimal
from typing import Final

from fastapi import Response

from application.services.reports import Run
from application.web.visit import Visit

RUN_PAGE: Final = "/runs/{run_id}"


def told_first(visit: Visit, *, count: int, amount: Decimal | None) -> list[str]:
    """Return what is to be known before anything is sent: how many, how much, and where to.

    Args:
        visit: Who asks.
        count: Invoices.
        amount: What they are worth together; None where nobody knows yet.
    """
    state = visit.services.company.state()
    place = visit.text(f"environment.{visit.services.environment.value}")
    cost = visit.services.cost(count)
    how_many = visit.text("send.count", count=count)
    return [
        how_many if amount is None else f"{how_many}, {visit.formats.amount(amount)}",
        visit.text("send.cost", count=cost.minutes, requests=visit.formats.count(cost.requests)),
        visit.text("send.to", company=state.company or visit.text("send.company"), place=place),
        *([visit.text("send.first")] if visit.services.picking.first_in_production() else []),
    ]


def begun(visit: Visit, run: Run, *, back: str) -> Response:
    """Return the way to the page of a run that was begun; back where there is no such page."""
    path = f"/runs/{run.id}" if visit.has(RUN_PAGE) else back
    return visit.go(path, say="send.begun", id=str(run.id))
