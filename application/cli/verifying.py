"""verify: both books, store and history, checked from outside; each difference with its fix."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from application.catalogue import (
    ConfigInvalid,
    MisUnavailable,
    QuickBooksUnavailable,
    Stop,
    StoreUnavailable,
    printable,
)
from application.cli.call import Call
from application.cli.printing import Column, money, number
from application.shown.texts import counted

if TYPE_CHECKING:
    from application.verify.values import Check, Finding, Report, Unreadable

EXIT_FOUND: Final = 8
SHOWN: Final = 20
STEPS: Final = Column("Looked at", number=True)


def verify(call: Call, *, quickbooks: bool) -> int:
    """Check everything and tell what does not agree."""
    from application.verify.values import Unreadable  # noqa: PLC0415 - `--help` needs no room

    with call.services() as services:
        try:
            report = services.verifier(quickbooks=quickbooks, say=call.screen.note).run()
        except Unreadable as wrong:
            raise _stop_of(wrong) from wrong
    message = _message(report)
    _say(call, report=report)
    call.screen.say(message)
    return call.done(
        _document(report), message=message, exit_code=EXIT_FOUND if report.problems else 0
    )


def _stop_of(wrong: "Unreadable") -> Stop:
    match wrong.book:
        case "mis":
            return MisUnavailable(detail=wrong.detail)
        case "quickbooks":
            return QuickBooksUnavailable(detail=wrong.detail)
        case "anchors":
            return ConfigInvalid(setting="LOG_DIR", problem=wrong.detail)
        case _:
            return StoreUnavailable(detail=wrong.detail)


def _message(report: "Report") -> str:
    beside = "" if report.quickbooks else " QuickBooks was not asked, so nothing is said of it."
    if report.problems == 0:
        return f"No difference found.{beside}"
    wrong = sum(one.problems > 0 for one in report.checks.values())
    return f"{counted(report.problems, 'difference')} in {counted(wrong, 'check')}.{beside}"


def _say(call: Call, *, report: "Report") -> None:
    say = call.screen.say
    there = f", {number(report.documents)} in QuickBooks" if report.quickbooks else ""
    anchors = counted(report.anchors, "anchor")
    say(
        f"Checked {number(report.invoices)} invoices{there}, "
        f"{number(report.entries)} entries of the history, {anchors}."
    )
    if report.busy is not None:
        say(f"Somebody sends while we look ({printable(report.busy)}): only what is quiet counts.")
    say()
    call.screen.table(
        [Column("Check", whole=True), Column("What", whole=True), STEPS, Column("Result")],
        [
            [one.code, one.title, number(one.looked_at), _result(one)]
            for one in report.checks.values()
        ],
    )
    say()
    _say_beside(call, report=report)
    for one in report.checks.values():
        _say_findings(call, check=one)


def _result(check: "Check") -> str:
    told = "ok" if check.problems == 0 else counted(check.problems, "problem")
    if check.skipped is None:
        return told
    if check.looked_at == 0 and check.problems == 0:
        return f"not checked: {check.skipped}"
    return f"{told} ({check.skipped})"


def _say_beside(call: Call, *, report: "Report") -> None:
    """Tell the sums, and what is listed and not wrong."""
    for one in report.sums:
        equal = f"{number(one.groups - one.differing)} of {number(one.groups)}"
        told = f"Sums by {one.by:<9} {equal} equal"
        if one.differing:
            told += f"; MIS {money(one.mis)}, QuickBooks {money(one.quickbooks)}"
        call.screen.say(told)
    listed = {
        "marked synced without a receipt of ours (unverified)": report.unverified,
        "failed because another document holds the number": report.conflicts,
        "dated before INVOICES_FROM": report.outside,
        "in progress, or waiting for an answer: not judged": report.left,
    }
    for words, count in listed.items():
        if count:
            call.screen.say(f"Listed, not wrong: {number(count)} {words}")
    if report.sums or any(listed.values()):
        call.screen.say()


def _say_findings(call: Call, *, check: "Check") -> None:
    for one in check.findings[:SHOWN]:
        call.screen.say(f"{check.code}: {printable(one.what)}")
        call.screen.say(f"  Why   {printable(one.why)}")
        call.screen.say(f"  Do    {printable(one.remedy)}")
    more = check.problems - min(len(check.findings), SHOWN)
    if more:
        call.screen.say(f"{check.code}: and {number(more)} more; --json has the first 1,000.")
    if check.findings:
        call.screen.say()


def _document(report: "Report") -> dict[str, object]:
    return {
        "checks": [
            {
                "code": one.code,
                "name": one.title,
                "looked_at": one.looked_at,
                "problems": one.problems,
                "skipped": one.skipped,
                "findings": [_finding(each) for each in one.findings],
            }
            for one in report.checks.values()
        ],
        "problems": report.problems,
        "sums": [asdict(one) for one in report.sums],
        "invoices": report.invoices,
        "documents": report.documents if report.quickbooks else None,
        "entries": report.entries,
        "head": report.head,
        "anchors": report.anchors,
        "reads": report.reads,
        "unverified": report.unverified,
        "conflicts": report.conflicts,
        "outside": report.outside,
        "left": report.left,
        "busy": report.busy,
        "quickbooks": report.quickbooks,
    }


def _finding(one: "Finding") -> dict[str, object]:
    return {
        "invoice_id": one.invoice_id,
        "number": one.number,
        "what": one.what,
        "why": one.why,
        "remedy": one.remedy,
    }
