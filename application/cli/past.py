"""What failed and why, one invoice's story, the runs: questions about what happened."""

from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Final

from application import catalogue
from application.catalogue import NotFound, printable
from application.cli.call import Call
from application.cli.grouping import Group, groups_of, invoices_of
from application.cli.printing import Column, counted, lasted, moment, money, number
from application.cli.rows import invoice_entry, run_entry, run_words, status_words
from application.invoices.model import Status, doc_number

if TYPE_CHECKING:
    from application.services.progress import History, Run
    from application.wiring import Services

RUNS_SHOWN: Final = 20


# -- failures -------------------------------------------------------------------------------------


def errors(call: Call, *, code: str | None, limit: int) -> int:
    """Show failures by cause, or the invoices of one."""
    with call.services() as services:
        if code is None:
            return _causes(call, services=services, limit=limit)
        if code not in catalogue.CAUSES:
            raise NotFound(what=f"cause {code}")
        return _invoices(call, services=services, code=code, limit=limit)


def _causes(call: Call, *, services: "Services", limit: int) -> int:
    groups = groups_of(services)[:limit]
    total = sum(group.count for group in groups)
    amount = sum((group.amount for group in groups), Decimal(0))
    say = call.screen.say
    if not groups:
        say("Nothing failed.")
    else:
        say(f"{number(total)} failed, {money(amount)} {services.currency}")
        columns = [
            Column("CAUSE", whole=True),
            Column("COUNT", number=True),
            Column(f"AMOUNT {services.currency}", number=True),
            Column("WHO", whole=True),
            Column("LOOKS FIXED", number=True),
        ]
        call.screen.table(columns, [_cause_row(group) for group in groups])
        fixed = next((group for group in groups if group.looks_fixed), None)
        call.screen.next(
            f"feebridge retry --cause {fixed.cause} --only-fixed"
            if fixed
            else f"feebridge explain {groups[0].cause}"
        )
    return call.done(
        {"total": total, "amount": amount, "groups": [_group_entry(group) for group in groups]},
        message=f"{number(total)} failed.",
    )


def _cause_row(group: Group) -> list[str]:
    owner = catalogue.explain(group.cause, {}).owner
    return [
        group.cause,
        number(group.count),
        money(group.amount),
        str(owner),
        number(group.looks_fixed),
    ]


def _group_entry(group: Group) -> dict[str, object]:
    told = catalogue.explain(group.cause, {})
    return {
        "error_code": told.code,
        "error": told.title,
        "count": group.count,
        "amount": group.amount,
        "owner": told.owner,
        "why": told.why,
        "remedy": told.remedy,
        "retry": told.retry,
        "looks_fixed": group.looks_fixed,
        "sample_invoice_ids": list(group.invoice_ids),
    }


def _invoices(call: Call, *, services: "Services", code: str, limit: int) -> int:
    ids = list(islice(invoices_of(services, cause=code), limit))
    refusals = services.journal.refusals_for(ids)
    entries: list[dict[str, object]] = []
    table: list[list[str]] = []
    for row in services.reader.rows_of(ids):
        refusal = refusals.get(row.id)
        told = catalogue.explain(code, refusal.facts if refusal else {})
        words = printable(refusal.quickbooks_text) if refusal and refusal.quickbooks_text else ""
        entries.append({**invoice_entry(row, cause=code), "why": told.why, "quickbooks": words})
        table.append([doc_number(row.id), printable(row.payer) or "-", money(row.dept), told.why])
    columns = [
        Column("NUMBER", whole=True),
        Column("STUDENT", whole=True),
        Column(f"AMOUNT {services.currency}", number=True),
        Column("WHY"),
    ]
    told = catalogue.explain(code, {})
    call.screen.say(f"{told.title}: {counted(len(table), 'invoice')}. {told.owner}: {told.remedy}")
    if table:
        call.screen.table(columns, table)
        call.screen.next(f"feebridge retry --cause {code} --only-fixed")
    return call.done({"invoices": entries, "count": len(entries)}, message=told.title)


def explain(call: Call, *, code: str) -> int:
    """Print one entry of the catalogue."""
    call.command = "explain"
    if code not in catalogue.CAUSES:
        raise NotFound(what=f"cause {code}")
    told = catalogue.explain(code, {})
    codes = catalogue.CAUSES[code].quickbooks_codes
    call.screen.say(f"{told.title}. Why: {told.why}{f' (QuickBooks: {codes})' if codes else ''}")
    call.screen.say(f"Do: {told.remedy} Who: {told.owner}. Retry: {told.retry}.")
    return call.done(
        {
            "error_code": told.code,
            "error": told.title,
            "why": told.why,
            "remedy": told.remedy,
            "owner": told.owner,
            "retry": told.retry,
            "http_status": told.http_status,
            "exit_code": told.exit_code,
            "quickbooks_codes": codes,
        },
        message=f"{told.title}.",
    )


# -- one invoice ----------------------------------------------------------------------------------


def show(call: Call, *, invoice_id: int) -> int:
    """Print one invoice and what happened to it."""
    with call.services() as services:
        tag = services.company.realm_tag()
        history = services.progress.history(invoice_id, realm_tag=tag)
        if history is None:
            raise NotFound(what=f"invoice {invoice_id}")
        if not call.ask.bare:
            _print_history(call, services=services, history=history)
        row, refusal, receipt = history.invoice, history.refusal, history.receipt
        cause = refusal.cause if refusal and row.status == Status.FAILED else None
        return call.done(
            {
                **invoice_entry(row, cause=cause),
                "quickbooks_id": receipt.quickbooks_id if receipt else None,
                "mis": {"dept": row.dept, "credit": row.credit, "comment": row.comment},
                "timeline": [
                    {
                        "at": one.at.astimezone(services.office),
                        "actor": one.actor,
                        "event": one.event,
                        "text": one.text,
                        "intuit_tid": one.intuit_tid,
                    }
                    for one in history.timeline
                ],
            },
            message=f"{doc_number(row.id)}: {status_words(row.status)}.",
        )


def _print_history(call: Call, *, services: "Services", history: "History") -> None:
    row, refusal, receipt = history.invoice, history.refusal, history.receipt
    words = status_words(row.status)
    if refusal and row.status == Status.FAILED:
        words = f"{words}: {catalogue.explain(refusal.cause, refusal.facts).title}"
    place = f"QuickBooks invoice {receipt.quickbooks_id}" if receipt else "not in QuickBooks"
    parts = [
        doc_number(row.id),
        words,
        f"{money(row.dept)} {services.currency}",
        row.dated.isoformat() if row.dated else "no date",
        printable(row.payer) or "no payer",
        place,
    ]
    call.screen.say("   ".join(parts))
    if refusal and row.status == Status.FAILED:
        told = catalogue.explain(refusal.cause, refusal.facts)
        call.screen.say(f"  Why  {told.why}")
        call.screen.say(f"  Do   {told.owner}: {told.remedy}")
        if refusal.quickbooks_text:
            call.screen.say(f"  QuickBooks says: {printable(refusal.quickbooks_text)}")
    for one in history.timeline:
        at = one.at.astimezone(services.office)
        who = f"run {one.run_id}" if one.run_id else printable(one.actor)
        line = [f"{at.day} {at:%b %H:%M:%S}", who, one.event, printable(one.text)]
        call.screen.say("  " + "  ".join(filter(None, line)))


# -- runs -----------------------------------------------------------------------------------------


def runs(call: Call) -> int:
    """List the newest runs."""
    call.command = "runs list"
    with call.services() as services:
        found = list(services.progress.runs(limit=RUNS_SHOWN))
        if not found:
            call.screen.say("No run yet.")
        now = call.clock.now()
        for one in found:
            when = (
                moment(one.started_at, office=services.office, now=now) if one.started_at else "-"
            )
            call.screen.say(
                f"  {one.id:>4}  {one.state:<9}  {when:<13}  {printable(one.by.name):<10}  "
                f"{one.kind:<6}  {run_words(one)}"
            )
        return call.done(
            {"runs": [run_entry(one) for one in found], "count": len(found)},
            message=f"{counted(len(found), 'run')}.",
        )


def run(call: Call, *, run_id: int) -> int:
    """Print one run."""
    with call.services() as services:
        found = services.runs.get(run_id)
        if found is None:
            raise NotFound(what=f"run {run_id}")
        _print_run(call, run=found, services=services)
        return call.done(run_entry(found), message=f"Run {run_id}: {found.state}.")


def _print_run(call: Call, *, run: "Run", services: "Services") -> None:
    now = call.clock.now()
    when = moment(run.started_at, office=services.office, now=now) if run.started_at else "-"
    call.screen.say(f"Run {run.id}  {run.kind}  {run.state}  {when}  by {printable(run.by.name)}")
    call.screen.say(f"  {run_words(run)}")
    if run.started_at and run.finished_at:
        span = run.finished_at - run.started_at
        call.screen.say(f"  took {lasted(int(span.total_seconds() * 1000))}")
    if run.cause:
        told = catalogue.explain(run.cause, {})
        call.screen.say(f"  ended early: {told.title}. {told.remedy}")
