"""Invoices and runs in the words of the terminal."""

from typing import TYPE_CHECKING

from application.cli.printing import number
from application.shown.invoices import status_of

if TYPE_CHECKING:
    from application.services.reports import Run


def status_words(code: int | None) -> str:
    """Return a status as people read it; an unknown one counts as failed."""
    return status_of(code)[1]


def run_words(run: "Run") -> str:
    """Return what a run did, in a few words."""
    if run.finished_at is None:
        return f"{number(run.processed)} of {number(run.total)}"
    words = f"{number(run.successful)} synced, {number(run.failed)} failed"
    return f"{words}, {number(run.unsettled)} unsettled" if run.unsettled else words
