"""The commands that send: they ask the service, show the run, and say what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

import typer

from application.catalogue import NotFound, Stop, exit_code_of, explain, printable
from application.cli import failures
from application.cli.call import Call
from application.cli.looking import where
from application.cli.outcome import Ended, tell
from application.cli.printing import money, number
from application.cli.watching import EXIT_INTERRUPTED, Interrupts, watching
from application.invoices.model import doc_number
from application.services.reports import Caller, Report
from application.services.trials import Trial
from application.shown.invoices import name_of
from application.shown.runs import guide_keys, report_entry, report_meta
from application.shown.texts import counted

if TYPE_CHECKING:
    from application.wiring import Services

ASK_ABOVE: Final = 500
RETRY_MOST: Final = 100_000
RUNS_LOOKED_AT: Final = 100
WATCH_EVERY_MS: Final = 1_000
Send = Callable[[Caller], Report]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which failed invoices somebody wants sent again."""

    ids: tuple[int, ...] = ()
    cause: str | None = None
    run_id: int | None = None
    only_fixed: bool = False


def batch(call: Call, *, batch_size: int | None, dry_run: bool) -> int:
    """Send one batch."""
    with call.services() as services:
        size = batch_size or services.settings.batch_size
        if dry_run:
            return _dry(call, services=services, most=size)
        if not _agreed(call, services=services, most=size):
            return _declined(call)
        return run(
            call,
            services=services,
            send=lambda caller: services.sync.batch(caller=caller, batch_size=size),
        )


def everything(
    call: Call, *, max_batches: int | None, batch_size: int | None, dry_run: bool, wait: bool
) -> int:
    """Send batch after batch."""
    with call.services() as services:
        size = batch_size or services.settings.batch_size
        most = max_batches * size if max_batches is not None else None
        if dry_run:
            return _dry(call, services=services, most=most)
        if not _agreed(call, services=services, most=most):
            return _declined(call)
        return run(
            call,
            services=services,
            send=lambda caller: services.sync.all(
                caller=caller, max_batches=max_batches, batch_size=size, wait_for_unclear=wait
            ),
        )


def single(call: Call, *, invoice_id: int, dry_run: bool) -> int:
    """Send one invoice and say where it is."""
    with call.services() as services:
        if dry_run:
            return _dry_ids(call, services=services, ids=(invoice_id,))
        if not _agreed(call, services=services, most=1):
            return _declined(call)
        with Interrupts() as interrupts:
            report = sent(
                call,
                services=services,
                send=lambda caller: services.sync.single(invoice_id, caller=caller),
                interrupts=interrupts,
            )
        if isinstance(report, int):
            return report
        return _told_single(call, services=services, invoice_id=invoice_id, report=report)


def _told_single(call: Call, *, services: "Services", invoice_id: int, report: Report) -> int:
    name = doc_number(invoice_id)
    found = services.progress.history(invoice_id, realm_tag=services.company.realm_tag())
    quickbooks_id = report.quickbooks_ids.get(invoice_id)
    if report.failures:
        failure = report.failures[0]
        details = {"invoice_id": invoice_id, "attempts": failure.attempts, "run_id": report.run_id}
        trouble = failures.of_invoice(
            failure.cause, facts=failure.facts, name=name, details=details
        )
        return failures.tell(trouble, call=call)
    if quickbooks_id is None:
        when = report.settles_at.astimezone(services.office) if report.settles_at else None
        until = f" by {when:%H:%M}" if when else ""
        message = f"{name} is not decided yet: its answer was lost. It settles by itself{until}."
    else:
        sum_ = f"{money(found.invoice.dept if found else None)} {services.currency}"
        person = name_of(found.plan.student) if found else ""
        again = "was synced already" if report.run_id is None else "synced"
        message = f"{name} {again}: QuickBooks invoice {quickbooks_id or 'unknown'}, {sum_}"
        message = f"{message}, {person}" if person else message
    call.screen.say(message)
    return call.done(
        {"invoice_id": invoice_id, "quickbooks_id": quickbooks_id},
        message=message,
        meta={
            "run_id": report.run_id,
            "doc_number": name,
            "already_synced": report.run_id is None,
            "state": report.state,
        },
    )


def retry(call: Call, *, wanted: Wanted, dry_run: bool) -> int:
    """Send failed invoices again."""
    chosen = sum((bool(wanted.ids), wanted.cause is not None, wanted.run_id is not None))
    if chosen != 1:
        raise failures.Usage(
            option="retry", problem="needs ids, or --cause, or --run, and one of them only", got=""
        )
    with call.services() as services:
        ids = _chosen(services, wanted=wanted)
        every = len(ids)
        if wanted.only_fixed:
            tag = services.company.realm_tag()
            ids = tuple(services.choosing.fixed_of(ids, realm_tag=tag)) if tag else ()
        if dry_run:
            return _dry_ids(call, services=services, ids=ids)
        if not ids:
            words = "None of them looks fixed." if every else "Nothing to retry."
            call.screen.say(words)
            return call.done(report_entry(Report(run_id=None, kind="retry")), message=words)
        if not _agreed(call, services=services, most=len(ids)):
            return _declined(call)
        if wanted.only_fixed:
            call.screen.note(f"{number(len(ids))} of {number(every)} look fixed.")
        return run(
            call,
            services=services,
            send=lambda caller: services.sync.retry(ids, caller=caller),
        )


def _chosen(services: "Services", *, wanted: Wanted) -> tuple[int, ...]:
    if wanted.ids:
        there = {row.id for row in services.reader.rows_of(wanted.ids)}
        for one in wanted.ids:
            if one not in there:
                raise NotFound(what=f"invoice {one}")
        return wanted.ids
    if wanted.run_id is not None and services.runs.get(wanted.run_id) is None:
        raise NotFound(what=f"run {wanted.run_id}")
    found = services.causes.ids_of(cause=wanted.cause, run_id=wanted.run_id)
    return tuple(islice(found, RETRY_MOST))


def reset_stuck(call: Call, *, ids: tuple[int, ...]) -> int:
    """Settle what is in progress and say what was decided."""
    with call.services() as services, Interrupts() as interrupts:
        caller = Caller(by=services.actor("cli"), stop=interrupts.stop)
        done = services.sync.reset_stuck(caller=caller, only=ids or None)
        say = call.screen.say
        for one, quickbooks_id in sorted(done.confirmed.items()):
            say(f"{doc_number(one)}  found in QuickBooks as {quickbooks_id}, adopted, synced")
        for one in sorted(done.released):
            say(f"{doc_number(one)}  not in QuickBooks, back to not synced")
        for one, cause in sorted(done.refused.items()):
            told = explain(cause, {"number": doc_number(one)})
            say(f"{doc_number(one)}  {told.title}; {told.owner}: {told.remedy}")
        for one, until in sorted(done.left.items()):
            at = until.astimezone(services.office)
            say(f"{doc_number(one)}  too early to tell, settles at {at:%H:%M}")
        checked = len(done.confirmed) + len(done.released) + len(done.refused) + len(done.left)
        if not checked:
            say("Nothing is stuck.")
        return call.done(
            {
                "checked": checked,
                "marked_synced": [
                    {"invoice_id": one, "quickbooks_id": kept}
                    for one, kept in sorted(done.confirmed.items())
                ],
                "released": sorted(done.released),
                "conflicts": sorted(done.refused),
                "left": [
                    {"invoice_id": one, "settles_at": until}
                    for one, until in sorted(done.left.items())
                ],
            },
            message=f"{counted(checked, 'invoice')} checked.",
            exit_code=EXIT_INTERRUPTED if interrupts.asked else 0,
        )


def watch(call: Call, *, run_id: int) -> int:
    """Follow a run that another process drives."""
    with call.services() as services, Interrupts() as interrupts:
        found = services.runs.get(run_id)
        if found is None:
            raise NotFound(what=f"run {run_id}")
        with watching(call, about=f"{found.environment} {found.company or ''}".strip()) as show:
            while True:
                report = Report(
                    run_id=found.id,
                    kind=found.kind,
                    total=found.total,
                    processed=found.processed,
                    successful=found.successful,
                    failed=found.failed,
                    unsettled=found.unsettled,
                    state=found.state if found.finished_at else "running",
                    started_at=found.started_at,
                )
                show(report)
                if found.finished_at is not None or interrupts.asked:
                    break
                call.clock.sleep_ms(WATCH_EVERY_MS)
                found = services.runs.get(run_id) or found
        if found.finished_at and found.started_at:
            report.duration_ms = (found.finished_at - found.started_at) // timedelta(milliseconds=1)
        report.remaining = services.progress.waiting()
        return tell(call, services=services, ended=Ended(report))


# -- one run --------------------------------------------------------------------------------------


def run(call: Call, *, services: "Services", send: Send) -> int:
    """Send, watched, and say what became of it."""
    with Interrupts() as interrupts:
        report = sent(call, services=services, send=send, interrupts=interrupts)
    if isinstance(report, int):
        return report
    return tell(call, services=services, ended=Ended(report, interrupted=interrupts.asked))


def sent(call: Call, *, services: "Services", send: Send, interrupts: Interrupts) -> Report | int:
    """Return the run's report, or the exit code where nothing was sent."""
    state = services.company.state()
    company = f' company="{printable(state.company)}"' if state.company else ""
    about = (
        where(state)
        if call.screen.err_is_terminal
        else f"environment={state.environment.value}{company}"
    )
    try:
        with watching(call, about=about) as show:
            return send(Caller(by=services.actor("cli"), watch=show, stop=interrupts.stop))
    except Stop as stop:
        trouble = failures.of_stop(stop, sending=True, more=_waiting_words(services, stop=stop))
        return failures.tell(trouble, call=call)


def _waiting_words(services: "Services", *, stop: Stop) -> tuple[str, ...]:
    if stop.cause.startswith("mis_") or exit_code_of([stop.cause]) not in {4, 6}:
        return ()
    try:
        waiting = services.progress.waiting()
    except Stop:
        return ()
    return (f"{counted(waiting, 'invoice')} stay waiting. Nothing was lost or sent twice.",)


def _agreed(call: Call, *, services: "Services", most: int | None) -> bool:
    """Ask a person before something large, or the first run in production."""
    if not call.prompts or call.ask.bare:
        return True
    counts = services.progress.counts()
    count = counts.not_synced if most is None else min(most, counts.not_synced)
    state = services.company.state()
    new = state.environment.value == "production" and not any(
        one.environment == "production" for one in services.progress.runs(limit=RUNS_LOOKED_AT)
    )
    if count <= ASK_ABOVE and not new:
        return True
    all_of_them = count == counts.not_synced
    sum_ = f", {money(counts.amounts['not_synced'])} {services.currency}," if all_of_them else ""
    question = f"Send {counted(count, 'invoice')}{sum_} to {where(state)}?"
    return typer.confirm(question, default=False, err=True)


def _declined(call: Call) -> int:
    call.screen.say("Nothing was sent.")
    return 0


# -- dry runs -------------------------------------------------------------------------------------


def _dry(call: Call, *, services: "Services", most: int | None) -> int:
    return _told_dry(call, trial=services.trials.waiting(most=most))


def _dry_ids(call: Call, *, services: "Services", ids: tuple[int, ...]) -> int:
    trial = services.trials.chosen(ids)
    for one in trial.failures:
        told = explain(one.cause, one.facts)
        call.screen.say(
            f"  {doc_number(one.invoice_id)}  {told.title}  {told.owner}: {told.remedy}"
        )
    return _told_dry(call, trial=trial)


def _told_dry(call: Call, *, trial: Trial) -> int:
    message = (
        f"Would send {counted(trial.ready + trial.bad, 'invoice')}: {number(trial.ready)} ready, "
        f"{number(trial.bad)} would fail. Nothing was sent."
    )
    call.screen.say(message)
    for cause, count in sorted(trial.causes.items(), key=lambda one: -one[1]):
        call.screen.say(f"  {explain(cause, {}).title}: {number(count)}")
    met = trial.ready + trial.bad
    return call.done(
        guide_keys(met, trial.ready, trial.bad, trial.failures),
        message=message,
        meta={**report_meta(Report(run_id=None, kind="dry-run", state="dry_run")), "dry_run": True},
    )
