"""What a run did, in the words of the terminal and under the guide's keys."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from application.catalogue import exit_code_of
from application.cli import failures
from application.cli.call import Call
from application.cli.printing import lasted, number
from application.invoices.model import doc_number
from application.services.reports import Report
from application.shown.runs import report_entry, report_meta, told_of
from application.shown.texts import counted

if TYPE_CHECKING:
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
    _say_spent(call, report=report, services=services)
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
    if report.state == "paused":
        call.screen.next(f"feebridge runs resume {report.run_id}")
    elif ended.interrupted:
        call.screen.next("feebridge all")
    elif report.failed:
        call.screen.next("feebridge errors")
    return call.done(
        report_entry(report), message=message, exit_code=ended.exit_code, meta=report_meta(report)
    )


def _message(report: Report, *, ended: Ended) -> str:
    if not (report.processed or report.settled_before or ended.interrupted or report.stopped_by):
        return "Nothing to send."
    verb = "finished in"
    if report.stopped_by is not None:
        verb = "ended early after"
    elif report.state == "paused":
        verb = "was paused after"
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


def _say_spent(call: Call, *, report: Report, services: "Services") -> None:
    """Say what a long run asked of QuickBooks, beside what was to be expected."""
    if report.processed <= ROWS_SHOWN:
        return
    planned = services.cost(report.processed)
    call.screen.say(
        f"  QuickBooks was asked {number(report.spent.requests)} times "
        f"({counted(report.spent.reads, 'read')}); so many invoices take "
        f"up to {number(planned.requests)}, more where payers are new."
    )


def _say_failures(call: Call, *, report: Report) -> None:
    shown = report.failures[:ROWS_SHOWN]
    rows = [(doc_number(one.invoice_id), told_of(one)) for one in shown]
    wide = max((len(name) for name, _ in rows), default=0)
    titles = max((len(told.title) for _, told in rows), default=0)
    for name, told in rows:
        call.screen.say(f"  {name:<{wide}}  {told.title:<{titles}}  {told.owner}: {told.remedy}")
    if report.failed > len(shown):
        call.screen.say(f"  and {number(report.failed - len(shown))} more")
