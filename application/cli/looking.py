"""Questions: they read the MIS and our store, and change nothing."""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from application import catalogue
from application.catalogue import printable
from application.cli.call import Call
from application.cli.printing import Column, day, money, number
from application.invoices.model import AmountRule, Status, doc_number
from application.shown.figures import amounts, guide_figures, status_entry, status_message
from application.shown.invoices import name_of, preview_entry, preview_message
from application.shown.texts import counted

if TYPE_CHECKING:
    from application.services.company import ConnectionState
    from application.services.listing import Outlook
    from application.services.progress import Statistics
    from application.wiring import Services

MINUTES_IN_HOUR: Final = 60
RUNS_RECENT: Final = 20


def analyze(call: Call) -> int:
    """Print the guide's statistics."""
    with call.services() as services:
        counts = services.progress.counts()
        for line in statistics_lines(call, counts=counts):
            call.screen.say(line)
        call.screen.say()
        _add_amounts(call, services=services, counts=counts)
        return call.done(
            guide_figures(counts),
            message="Synchronization analysis completed successfully",
            meta={
                "amounts": amounts(counts, currency=services.currency),
                "flags": services.listing.flag_counts(counts) if call.ask.json else {},
                "as_of": call.now(),
            },
        )


def statistics_lines(call: Call, *, counts: "Statistics") -> list[str]:
    """Return the seven lines of the guide."""
    mark = call.screen.mark
    return [
        f"{mark('statistics')} Synchronization Statistics:",
        f"   Total Invoices: {number(counts.total)}",
        f"   {mark('synced')} Already Synced: {number(counts.synced)}",
        f"   {mark('waiting')} Not Synced: {number(counts.not_synced)}",
        f"   {mark('failed')} Failed: {number(counts.failed)}",
        f"   {mark('in_progress')} In Progress: {number(counts.in_progress)}",
        f"   {mark('progress')} Progress: {tenths(counts.percent)}%",
    ]


def tenths(percent: Decimal) -> str:
    """Return a percentage with one place; never 100 while something is missing."""
    shown = f"{percent:.1f}"
    return "99.9" if shown == "100.0" and percent < Decimal(100) else shown


def _add_amounts(call: Call, *, services: "Services", counts: "Statistics") -> None:
    if call.ask.bare:
        return
    if counts.not_synced:
        sum_ = f"{money(counts.amounts['not_synced'])} {services.currency}"
        call.screen.say(f"   To send: {sum_}. {pace(counts.not_synced, services=services)}")
    if counts.failed:
        causes = services.progress.causes()
        told = ", ".join(
            f"{catalogue.explain(one.cause, {}).title} {number(one.count)}" for one in causes
        )
        call.screen.say(f"   Failed by cause: {told or 'marked by another program'}")
    if not counts.not_synced and not counts.failed and not counts.in_progress:
        call.screen.say("   Nothing waits and nothing failed.")
    step = next_step(services, counts=counts)
    if step:
        call.screen.next(step)


def pace(count: int, *, services: "Services") -> str:
    """Return how fast QuickBooks lets us be, and how long so many invoices take at least."""
    cost = services.cost(count)
    minutes = cost.minutes
    if minutes <= 1:
        time = "under a minute"
    elif minutes < 2 * MINUTES_IN_HOUR:
        time = f"{minutes} minutes or more"
    else:
        time = f"{-(-minutes // MINUTES_IN_HOUR)} hours or more"
    return f"At most {number(cost.per_minute)} per minute, so {time}."


def next_step(services: "Services", *, counts: "Statistics") -> str | None:
    """Return the one command that makes sense now."""
    if counts.in_progress and not any(
        run.state == "running" for run in services.progress.runs(limit=RUNS_RECENT)
    ):
        return "feebridge reset-stuck"
    if counts.failed:
        return "feebridge errors"
    return "feebridge preview" if counts.not_synced else None


def where(state: "ConnectionState") -> str:
    """Return company and environment as people read them."""
    company = printable(state.company) if state.company else "QuickBooks"
    return f"{company} ({state.environment.value.upper()})"


# -- preview --------------------------------------------------------------------------------------


def preview(call: Call, *, limit: int, offset: int) -> int:
    """Show what the next run would send."""
    with call.services() as services:
        seen = services.listing.preview(limit=limit, offset=offset)
        if not call.ask.bare:
            print_preview(call, services=services, seen=seen)
        return call.done(
            {
                "invoices": [
                    preview_entry(one, rule=AmountRule(services.settings.amount_rule))
                    for one in seen.invoices
                ],
                "count": len(seen.invoices),
                "limit": limit,
                "offset": offset,
            },
            message=preview_message(seen),
            meta={"total": seen.waiting, "next_cursor": seen.next_cursor},
        )


def print_preview(call: Call, *, services: "Services", seen: "Outlook") -> None:
    """Print the invoices of a preview and what is wrong with each."""
    screen = call.screen
    if not seen.invoices:
        screen.say("Nothing is waiting." if not seen.waiting else "No more are waiting.")
        return
    target = where(services.company.state())
    failed = sum(one.plan.invoice.status == Status.FAILED for one in seen.invoices)
    again = f" and {number(failed)} failed again" if failed else ""
    screen.say(
        f"Would send {number(len(seen.invoices) - failed)} of {number(seen.waiting)} waiting"
        f"{again} to {target}. Preview sends nothing."
    )
    columns = [
        Column("NUMBER", whole=True),
        Column("STUDENT", whole=True),
        Column("NAME"),
        Column("FEE"),
        Column("DATE", whole=True),
        Column(f"AMOUNT {services.currency}", number=True),
        Column("CHECK"),
    ]
    rows: list[list[str]] = []
    bad = 0
    for one in seen.invoices:
        row, plan = one.plan.invoice, one.plan
        bad += bool(plan.problems)
        titles = [catalogue.explain(each.cause, each.facts).title for each in plan.problems]
        rows.append(
            [
                doc_number(row.id),
                printable(row.payer) or "-",
                name_of(plan.student) or "-",
                printable(plan.fee.name) if plan.fee else "-",
                row.dated.isoformat() if row.dated else "-",
                money(one.amount if one.amount is not None else row.dept),
                ", ".join(titles) or "ok",
            ]
        )
    screen.table(columns, rows)
    screen.say(f"{number(len(rows) - bad)} ready, {number(bad)} would fail.")


# -- status ---------------------------------------------------------------------------------------


def status(call: Call) -> int:
    """Show connection, MIS, progress and runs."""
    with call.services() as services:
        counts = services.progress.counts()
        state = services.company.state()
        recent = list(services.progress.runs(limit=RUNS_RECENT))
        if not call.ask.bare:
            print_status(call, services=services, counts=counts, state=state)
        return call.done(
            status_entry(
                counts,
                state=state,
                recent=recent,
                paces=services.paces(recent),
                next_run_at=services.schedule.next_run_at(),
                paused_until=services.paused_until(),
                reads=services.reads(),
                now=call.now(),
                office=services.office,
            ),
            message=status_message(
                counts, attention=services.listing.attention(counts) if call.ask.json else 0
            ),
        )


def print_status(
    call: Call, *, services: "Services", counts: "Statistics", state: "ConnectionState"
) -> None:
    """Print the lines of `status`."""
    say = call.screen.say
    say(f"QuickBooks   {_connection_words(state)}")
    say(f"MIS          ok, {printable(services.mis_name)}, {counted(counts.total, 'invoice')}")
    say(
        f"Progress     {tenths(counts.percent)}%  {number(counts.synced)} of "
        f"{number(counts.total)} synced, {number(counts.not_synced)} waiting, "
        f"{number(counts.failed)} failed, {number(counts.in_progress)} in progress"
    )
    if reads := services.reads():
        say(f"Reads        {number(reads[0])} of the {number(reads[1])} Intuit grants this month")
    say(f"Runs         {_runs_words(services)}")
    step = next_step(services, counts=counts)
    if step:
        call.screen.next(step)


def _connection_words(state: "ConnectionState") -> str:
    if state.connected:
        words = f"connected, {where(state)}"
        return f"{words}, reconnect by {day(state.reconnect_by)}" if state.reconnect_by else words
    reason = f" ({printable(state.reason)})" if state.reason else ""
    return f"not connected{reason}; {state.environment.value.upper()}"


def _runs_words(services: "Services") -> str:
    recent = list(services.progress.runs(limit=RUNS_RECENT))
    parts = [
        f"now run {run.id}, {number(run.processed)} of {number(run.total)}"
        for run in recent
        if run.state == "running"
    ][:1]
    parts += [
        f"last run {run.id}, {number(run.successful)} synced, {number(run.failed)} failed"
        for run in recent
        if run.finished_at is not None and run.kind != "settle"
    ][:1]
    return "; ".join(parts) or "none yet"
