"""What a run did, in the words of the terminal and under the guide's keys."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from application.catalogue import exit_code_of, explain
from application.cli import failures
from application.cli.call import Call
from application.cli.printing import counted, lasted, number
from application.invoices.model import doc_number
from application.services.reports import Failure, Report

if TYPE_CHECKING:
    from application.catalogue import Explanation
    from application.wiring import Services

EXIT_INTERRUPTED: Final = 130
ROWS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over."""

    report: Report
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """With which number the process ends."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        met = [one.cause for one in self.report.failures]
        if self.report.stopped_by is not None:
            met.append(self.report.stopped_by.cause)
        return exit_code_of(met)


def tell(call: Call, *, services: "Services", ended: Ended, alone: bool = True) -> int:
    """Print what a run did, and return the exit code.

    Args:
        call: Where to.
        services: For office time.
        ended: The run.
        alone: Whether this is all the command says.
    """
    report = ended.report
    message = _message(report, ended=ended)
    call.screen.say(message)
    _say_failures(call, report=report)
    if report.unsettled:
        when = report.settles_at.astimezone(services.office) if report.settles_at else None
        until = f" by {when:%H:%M}" if when else ""
        call.screen.say(
            f"  {counted(report.unsettled, 'answer')} lost: QuickBooks may have the invoice. "
            f"It is looked for before anything is sent again{until}."
        )
    if report.stopped_by is not None and not call.ask.json:
        failures.tell(failures.of_stop(report.stopped_by), call=call)
    if not alone:
        return ended.exit_code
    if ended.interrupted:
        call.screen.next("feebridge all")
    elif report.failed:
        call.screen.next("feebridge errors")
    return call.done(
        entry_of(report), message=message, exit_code=ended.exit_code, meta=meta_of(report)
    )


def _message(report: Report, *, ended: Ended) -> str:
    if not (report.processed or report.settled_before or ended.interrupted or report.stopped_by):
        return "Nothing to send."
    verb = "finished in"
    if report.stopped_by is not None:
        verb = "ended early after"
    elif ended.interrupted or report.state == "cancelled":
        verb = "stopped as asked after"
    batches = f", {counted(report.batches, 'batch')}" if report.kind == "all" else ""
    batches = batches.replace("batchs", "batches")
    text = (
        f"Run {report.run_id} {verb} {lasted(report.duration_ms)}{batches}: "
        f"{number(report.successful)} synced, {number(report.failed)} failed, "
        f"{number(report.unsettled)} unsettled, {number(report.remaining)} left to send"
    )
    if report.settled_before:
        text += f"\n  {counted(report.settled_before, 'unclear invoice')} of earlier runs settled"
    return text


def _say_failures(call: Call, *, report: Report) -> None:
    shown = report.failures[:ROWS_SHOWN]
    rows = [(doc_number(one.invoice_id), _told(one)) for one in shown]
    wide = max((len(name) for name, _ in rows), default=0)
    titles = max((len(told.title) for _, told in rows), default=0)
    for name, told in rows:
        call.screen.say(f"  {name:<{wide}}  {told.title:<{titles}}  {told.owner}: {told.remedy}")
    if report.failed > len(shown):
        call.screen.say(f"  and {number(report.failed - len(shown))} more")


def _told(one: Failure) -> "Explanation":
    return explain(one.cause, {"number": doc_number(one.invoice_id), **one.facts})


def entry_of(report: Report) -> dict[str, object]:
    """Return a run under the guide's keys."""
    return {
        "total_processed": report.processed,
        "successful": report.successful,
        "failed": report.failed,
        "errors": [
            {"invoice_id": one.invoice_id, "error": explain(one.cause, one.facts).title}
            for one in report.failures
        ],
    }


def meta_of(report: Report) -> dict[str, object]:
    """Return what goes beside the guide's keys."""
    stop = report.stopped_by
    return {
        "run_id": report.run_id,
        "state": stop.cause if stop is not None else report.state,
        "batches_processed": report.batches,
        "remaining": report.remaining,
        "unsettled": report.unsettled,
        "duration_s": Decimal(report.duration_ms) / 1000,
        "failures": [
            {
                "invoice_id": one.invoice_id,
                "error_code": told.code,
                "why": told.why,
                "remedy": told.remedy,
                "owner": told.owner,
                "retry": told.retry,
                "attempts": one.attempts,
            }
            for one in report.failures
            for told in (_told(one),)
        ],
    }
