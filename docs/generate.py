"""Write the reference pages that are drawn from the code; exit 1 when that changed one."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from application.catalogue import CAUSES, Cause, RetryRule
from application.cli.commands import app
from application.settings import Settings

HERE = Path(__file__).resolve().parent / "reference"
UNITS = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_per_second": "a second",
    "_per_minute": "a minute",
}
SETTINGS_HEAD = """# Settings

Each is read from the environment, or from a file `.env` in the folder the command is started in;
the environment wins. A setting that is wrong, or that disagrees with another, stops every command
with exit 9 and is named.

| Setting | Default | Unit, limits | What it does |
| --- | --- | --- | --- |
"""
ERRORS_HEAD = """# Errors

Every cause Feebridge knows, as the commands print it. A word in braces is filled in with the case.
`feebridge explain CODE` prints one.

| Title | Who mends it | Tried again |
| --- | --- | --- |
"""
RETRIES = {
    RetryRule.AUTO: "by itself, `MAX_RETRIES` times, `RETRY_DELAY_S` apart; then by the next run",
    RetryRule.PAUSE: "by itself, after the company has rested; no attempt is counted",
    RetryRule.SETTLE: "only after its number was looked for in QuickBooks",
    RetryRule.FIXED: "by a later run, once its check passes; when a person asks, always",
    RetryRule.PERSON: "when a person asks",
    RetryRule.WAIT: "when the condition ends; no invoice is marked failed",
    RetryRule.NONE: "no; something has to change first",
}
EXIT_FAILED_INVOICES = 3
EXITS = {
    0: ("done; also: nothing to send, or unclear and settling by itself", "nothing"),
    1: ("a fault of ours", "report it, with the request id"),
    2: ("not said the right way", "read the message"),
    3: ("finished, some invoices failed", "read `feebridge errors`"),
    4: ("QuickBooks is not connected", "`feebridge connect`"),
    5: ("the MIS does not answer", "try later"),
    6: ("QuickBooks does not answer, or limits us", "try later"),
    7: ("another run is at work", "nothing"),
    8: ("a check found a difference", "look"),
    9: ("a setting is missing or wrong", "mend the setting that is named"),
    130: ("interrupted; what was done is saved", "run it again"),
}
EXITS_HEAD = """# Exit codes

| Code | Means | Do | Causes |
| --- | --- | --- | --- |
"""
EXITS_FOOT = """Where several apply, the first of 1, 9, 5, 4, 6, 7, 3, 8, 2 counts.
"""
CLI_HEAD = """# Commands

`feebridge X` and `python3 tools/sync_invoices.py X` are one program. Results go to the standard
output, progress and notes to the standard error. What each exit code means:
[exit codes](exit-codes.md).

Before or after every command: `--json` (one JSON document on the standard output), `--events`
(JSON Lines), `-q` (results only), `-v` (more), `--no-color`, `--debug` (traceback), `--yes` (ask
nothing), `--help`.

"""
OPTIONS_HEAD = """| Option | Default | Limits | What |
| --- | --- | --- | --- |
"""


def unit_of(name: str) -> str:
    """Return what a setting counts, from the end of its name."""
    longest_first = sorted(UNITS, key=len, reverse=True)
    return next((UNITS[end] for end in longest_first if name.endswith(end)), "")


def limits_of(field: FieldInfo) -> str:
    """Return the smallest and largest value, as far as there are any."""
    least = next(
        (each.ge for each in field.metadata if getattr(each, "ge", None) is not None), None
    )
    most = next((each.le for each in field.metadata if getattr(each, "le", None) is not None), None)
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"{least} or more" if least is not None else ""


def shown(default: object) -> str:
    """Return a default as a person types it."""
    if default is None or default is PydanticUndefined or default == []:
        return "-"
    return f"`{default}`"


def settings_page() -> str:
    """Return the page of all settings, in the order of the class."""
    rows = [
        f"| `{name.upper()}` | {shown(field.default)} "
        f"| {', '.join(filter(None, (unit_of(name), limits_of(field)))) or '-'} "
        f"| {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return SETTINGS_HEAD + "\n".join(rows) + "\n"


def cause_section(cause: Cause) -> str:
    """Return what the page of errors says about one cause, under its own anchor."""
    lines = [
        f"## {cause.code}",
        "",
        f"**{cause.title}.** {cause.why}",
        "",
        f"- Do: {cause.remedy}",
        f"- Who: {cause.owner}",
        f"- Tried again: {RETRIES[cause.retry]}",
        f"- Exit code {cause.exit_code}",
    ]
    if cause.quickbooks_codes:
        lines.append(f"- QuickBooks: {cause.quickbooks_codes}")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Return the catalogue, in its own order."""
    table = "\n".join(
        f"| [{cause.title}](#{cause.code}) | {cause.owner} | {cause.retry} |"
        for cause in CAUSES.values()
    )
    return ERRORS_HEAD + table + "\n\n" + "\n".join(map(cause_section, CAUSES.values()))


def exits_page() -> str:
    """Return the exit codes with the causes that lead to them."""
    rows = [
        f"| {code} | {meaning} | {caller} | {causes_of(code)} |"
        for code, (meaning, caller) in EXITS.items()
    ]
    return EXITS_HEAD + "\n".join(rows) + "\n\n" + EXITS_FOOT


def causes_of(exit_code: int) -> str:
    """Return links to the causes of conditions with this exit code; invoices have one sentence."""
    if exit_code == EXIT_FAILED_INVOICES:
        return "any cause of an invoice"
    found = [cause.code for cause in CAUSES.values() if cause.exit_code == exit_code]
    return ", ".join(f"[{code}](errors.md#{code})" for code in found) or "-"


def typed(option: TyperOption | TyperArgument) -> str:
    """Return how a person types an option or argument."""
    if isinstance(option, TyperArgument):
        name = option.metavar or (option.name or "").upper()
        return f"`{name}`"
    names = ", ".join([*option.opts, *option.secondary_opts])
    return f"`{names}`" if option.is_flag else f"`{names} {option.metavar or 'VALUE'}`"


def option_row(option: TyperOption | TyperArgument) -> str:
    """Return one line of a command's table."""
    default = "-" if option.default is None or option.default is False else f"`{option.default}`"
    low, high = getattr(option, "min", None), getattr(option, "max", None)
    limits = [f"from {low}" if low is not None else "", f"to {high}" if high is not None else ""]
    bounds = " ".join(filter(None, limits))
    return f"| {typed(option)} | {default} | {bounds or '-'} | {option.help or '-'} |"


def command_sections(group: TyperGroup, *, before: str) -> Iterator[str]:
    """Yield a section for each command, groups opened."""
    for name, command in group.commands.items():
        words = f"{before} {name}"
        if isinstance(command, TyperGroup):
            yield from command_sections(command, before=words)
            continue
        options = [
            each
            for each in command.params
            if isinstance(each, TyperOption | TyperArgument) and each.name != "help"
        ]
        yield command_section(words, help_text=command.help or "", options=options)


def command_section(
    words: str, *, help_text: str, options: Iterable[TyperOption | TyperArgument]
) -> str:
    """Return heading, first paragraph and table of one command."""
    text = " ".join(help_text.split("\n\n", maxsplit=1)[0].split())
    rows = [option_row(each) for each in options]
    table = OPTIONS_HEAD + "\n".join(rows) + "\n" if rows else ""
    return f"## {words.strip()}\n\n{text}\n" + (f"\n{table}" if table else "")


def cli_page() -> str:
    """Return every command with its options."""
    root = cast("TyperGroup", get_command(app))
    return CLI_HEAD + "\n".join(command_sections(root, before=""))


def pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of every page that comes from the code."""
    yield "cli.md", cli_page()
    yield "errors.md", errors_page()
    yield "exit-codes.md", exits_page()
    yield "settings.md", settings_page()


def main() -> int:
    """Write what differs and say so."""
    changed = 0
    for name, text in pages():
        path = HERE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"docs/reference/{name} was out of date and has been written anew")
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main())
