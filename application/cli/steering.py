"""Steering runs from a terminal: pause, resume, cancel; where no server runs, going on here."""

from typing import TYPE_CHECKING

from application.catalogue import StateConflict
from application.cli.call import Call
from application.cli.outcome import Ended, tell
from application.cli.watching import Interrupts, watching
from application.services.reports import Caller
from application.shown.runs import run_entry

if TYPE_CHECKING:
    from application.services.invoice_sync import InvoiceSyncService
    from application.services.reports import Run
    from application.wiring import Services


def pause(call: Call, *, run_id: int) -> int:
    """Have a run put down."""
    with call.services() as services:
        run = services.ordering.pause(run_id, by=services.actor("cli"))
        verb = "is paused" if run.state == "paused" else "pauses after the request in hand"
        return _told(call, run=run, message=f"Run {run_id} {verb}.")


def cancel(call: Call, *, run_id: int) -> int:
    """Have a run ended."""
    with call.services() as services:
        run = services.ordering.cancel(run_id, by=services.actor("cli"))
        verb = "is cancelled" if run.finished_at else "ends after the request in hand"
        return _told(call, run=run, message=f"Run {run_id} {verb}.")


def resume(call: Call, *, run_id: int) -> int:
    """Go on with a run: the server does, or this process where there is none."""
    with call.services() as services:
        here = not services.server_runs()
        sync = services.sync if here else None  # who must sign in first learns it before a change
        run = services.ordering.resume(run_id, by=services.actor("cli"), here=here)
        if sync is None:
            return _told(call, run=run, message=f"Run {run_id} goes on in the server.")
        return _here(call, services=services, sync=sync, run=run)


def _here(call: Call, *, services: "Services", sync: "InvoiceSyncService", run: "Run") -> int:
    call.screen.note("No server runs; going on here.")
    about = f"{run.environment or ''} {run.company or ''}".strip()
    with Interrupts() as interrupts, watching(call, about=about) as show:
        caller = Caller(by=services.actor("cli"), watch=show, stop=interrupts.stop)
        now = sync.drive(run.id, caller=caller)
    if now.finished_at is None and not interrupts.asked:
        raise StateConflict(state=now.state, run_id=run.id)
    report = sync.report_of(now)
    return tell(call, services=services, ended=Ended(report, interrupted=interrupts.asked))


def _told(call: Call, *, run: "Run", message: str) -> int:
    call.screen.say(message)
    return call.done(run_entry(run, office=call.office), message=message)
