"""What failed and why, one invoice's story, the runs: questions about what happened."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from application import catalogue
from application.catalogue import NotFound, printable
from application.cli.call import Call
from application.cli.printing import Column, lasted, moment, money, number
from application.cli.rows import run_words, status_words
from application.invoices.model import AmountRule, doc_number
from application.shown.causes import causes_entry
from application.shown.invoices import detail_entry, invoice_entry
from application.shown.runs import run_entry
from application.shown.texts import counted

if TYPE_CHECKING:
    from application.services.causes import Group
    from application.services.listing import Detail, Listed
    from application.services.reports import Run
    from application.wiring import Services

PAGE: Final = 100
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
    groups = services.causes.groups()
    total = sum(group.count for group in groups)
    amount = sum((group.amount for group in groups), Decimal(0))
    say = call.screen.say
    if not groups:
        say("Nothing failed.")
    else:
        shown = groups[:limit]
        part = f" ({len(shown)} of {len(groups)} causes shown here)" if groups[limit:] else ""
        say(f"{number(total)} failed, {money(amount)} {services.currency}{part}")
        columns = [
            Column("CAUSE", whole=True),
            Column("COUNT", number=True),
            Column(f"AMOUNT {services.currency}", number=True),
            Column("WHO", whole=True),
            Column("LOOKS FIXED", number=True),
        ]
        call.screen.table(columns, [_cause_row(group) for group in shown])
        fixed = next((group for group in shown if group.looks_fixed), None)
        call.screen.next(
            f"feebridge retry --cause {fixed.cause} --only-fixed"
            if fixed
            else f"feebridge explain {groups[0].cause}"
        )
    return call.done(
        causes_entry(groups, office=services.office),
        message=f"{number(total)} failed.",
    )


def _cause_row(group: "Group") -> list[str]:
    owner = catalogue.explain(group.cause, {}).owner
    return [
        group.cause,
        number(group.count),
        money(group.amount),
        str(owner),
        number(group.looks_fixed) if group.looks_fixed is not None else "many",
    ]


def _invoices(call: Call, *, services: "Services", code: str, limit: int) -> int:
    found = list(_failed(services, code=code, limit=limit))
    table: list[list[str]] = []
    for one in found:
        told = catalogue.explain(code, one.refusal.facts if one.refusal else {})
        amount = one.amount if one.amount is not None else one.row.dept
        table.append(
            [doc_number(one.row.id), printable(one.row.payer) or "-", money(amount), told.why]
        )
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
    entries = [invoice_entry(one, office=services.office) for one in found]
    return call.done({"invoices": entries, "count": len(entries)}, message=told.title)


def _failed(services: "Services", *, code: str, limit: int) -> Iterator["Listed"]:
    """Yield what failed with a cause, newest first, as the list of the REST interface does."""
    cursor = None
    while limit:
        size = min(limit, PAGE)
        page = services.listing.page(status="failed", cause=code, limit=size, cursor=cursor)
        yield from page.invoices
        limit -= len(page.invoices)
        cursor = page.next_cursor
        if cursor is None:
            return


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
        found = services.listing.one(invoice_id)
        if found is None:
            raise NotFound(what=f"invoice {invoice_id}")
        if not call.ask.bare:
            _print_story(call, services=services, found=found)
        return call.done(
            detail_entry(
                found,
                office=services.office,
                environment=services.environment,
                rule=AmountRule(services.settings.amount_rule),
            ),
            message=f"{doc_number(invoice_id)}: {status_words(found.listed.row.status)}.",
        )


def _print_story(call: Call, *, services: "Services", found: "Detail") -> None:
    row, refusal, receipt = found.listed.row, found.listed.refusal, found.listed.receipt
    cause, facts = found.listed.cause, refusal.facts if refusal else {}
    words = status_words(row.status)
    if cause:
        words = f"{words}: {catalogue.explain(cause, facts).title}"
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
    if cause:
        told = catalogue.explain(cause, facts)
        call.screen.say(f"  Why  {told.why}")
        call.screen.say(f"  Do   {told.owner}: {told.remedy}")
    if refusal and refusal.quickbooks_text:
        call.screen.say(f"  QuickBooks says: {printable(refusal.quickbooks_text)}")
    for one in found.timeline:
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
            {"runs": _entries(services, found), "count": len(found)},
            message=f"{counted(len(found), 'run')}.",
        )


def run(call: Call, *, run_id: int) -> int:
    """Print one run."""
    with call.services() as services:
        found = services.runs.get(run_id)
        if found is None:
            raise NotFound(what=f"run {run_id}")
        _print_run(call, run=found, services=services)
        (entry,) = _entries(services, [found])
        return call.done(entry, message=f"Run {run_id}: {found.state}.")


def _entries(services: "Services", found: Sequence["Run"]) -> list[dict[str, object]]:
    causes = services.runs.causes([one.id for one in found])
    paces = services.paces(found)
    return [
        run_entry(one, office=services.office, causes=causes[one.id], pace=paces.get(one.id))
        for one in found
    ]


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
