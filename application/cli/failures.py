"""What, Why, Do and Code: how an error reads, on a terminal and as JSON."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from application.catalogue import Stop, cause, explain, printable, retryable
from application.cli.call import Call
from application.shown.texts import sentence_of

_BOUND = re.compile(r"(greater|less) than")


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as it is told."""

    code: str
    what: str
    title: str
    why: str
    remedy: str
    exit_code: int
    more: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    traced: str | None = None


def of_stop(stop: Stop, *, sending: bool = False, more: tuple[str, ...] = ()) -> Trouble:
    """Return how a condition reads.

    Args:
        stop: What stopped the command.
        sending: Whether the command was about to send something.
        more: Lines below what to do.
    """
    told = explain(stop.cause, stop.facts)
    first = sentence_of(stop.cause, stop.facts)
    return Trouble(
        code=told.code,
        what=f"{first}, so nothing was sent." if sending else f"{first}.",
        title=told.title,
        why=told.why,
        remedy=told.remedy,
        exit_code=told.exit_code,
        more=more,
        details={name: _plain(fact) for name, fact in stop.facts.items()},
    )


def of_invoice(
    code: str, *, facts: Mapping[str, object], name: str, details: Mapping[str, object]
) -> Trouble:
    """Return how an invoice reads that is not in QuickBooks.

    Args:
        code: Its cause.
        facts: What fills the cause's texts.
        name: Its number, as `MIS-123`.
        details: What programs get beside the texts.
    """
    told = explain(code, {"number": name, **facts})
    return Trouble(
        code=told.code,
        what=f"{name} is not in QuickBooks: {told.title}.",
        title=told.title,
        why=told.why,
        remedy=f"{told.owner}: {told.remedy}",
        exit_code=told.exit_code,
        details=details,
    )


def of_usage(message: str, *, command: str) -> Trouble:
    """Return how a command line reads that was not understood."""
    # A number outside its bounds was read well; it is not allowed.
    code = "validation_failed" if _BOUND.search(message) else "bad_request"
    return Trouble(
        code=code,
        what="A value is not allowed."
        if code == "validation_failed"
        else "The command was not understood.",
        title=cause(code).title,
        why=printable(message),
        remedy=f"feebridge {command} --help".replace("  ", " "),
        exit_code=2,
    )


def of_value(option: str, *, problem: str, got: object) -> Trouble:
    """Return how a readable value reads that is not allowed."""
    return Trouble(
        code="validation_failed",
        what=f"{option} {problem}.",
        title=cause("validation_failed").title,
        why=f"It was given {printable(str(got))}.",
        remedy="Run the command again with an allowed value.",
        exit_code=2,
        details={
            "fields": [{"field": option.lstrip("-"), "problem": problem, "got": str(got)}],
        },
    )


def of_fault(traced: str) -> Trouble:
    """Return how a fault of ours reads.

    Args:
        traced: Its traceback, shown with `--debug` only.
    """
    told = explain("internal_error", {})
    return Trouble(
        code=told.code,
        what=f"{sentence_of(told.code, {})}.",
        title=told.title,
        why=f"{told.why} logs/app.log has the rest, under the request id below.",
        remedy=told.remedy,
        exit_code=1,
        traced=traced,
    )


def tell(trouble: Trouble, *, call: Call) -> int:
    """Write an error where it belongs, and return the exit code."""
    if call.ask.json:
        call.screen.document(_document(trouble, call=call))
        return trouble.exit_code
    if call.ask.debug and trouble.traced:
        call.screen.complain(trouble.traced)
    dot = "\u00b7" if call.screen.can_show("\u00b7") else "-"
    code = f"{trouble.code} {dot} request {call.request_id}"
    lines = [
        f"Error: {trouble.what}",
        f"  Why   {trouble.why}",
        f"  Do    {trouble.remedy}",
        *(f"        {line}" for line in trouble.more),
        f"  Code  {code} {dot} feebridge explain {trouble.code}",
    ]
    for line in lines:
        call.screen.complain(line)
    return trouble.exit_code


def _document(trouble: Trouble, *, call: Call) -> dict[str, object]:
    return {
        "success": False,
        "data": None,
        "message": trouble.what,
        "error": trouble.title,
        "error_code": trouble.code,
        "remedy": trouble.remedy,
        "retryable": retryable(trouble.code),
        "details": {**trouble.details, **({"why": trouble.why} if trouble.why else {})},
        "meta": call.meta(exit_code=trouble.exit_code),
    }


def _plain(fact: object) -> object:
    return fact if isinstance(fact, int | datetime | None) else printable(str(fact))


class Usage(Exception):
    """A value is readable and not allowed, or an option that must be given is missing.

    Args:
        option: The option or argument it is about.
        problem: What is wrong, as the end of a sentence that begins with the option.
        got: What was given.
    """

    def __init__(self, *, option: str, problem: str, got: object) -> None:
        super().__init__(option, problem, got)
        self.option = option
        self.problem = problem
        self.got = got
