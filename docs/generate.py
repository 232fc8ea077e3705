"""Write the reference pages that are drawn from the code; exit 1 when that changed one."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from application.api.door import EVERYWHERE, ID_MOST, Door
from application.api.live import Hub
from application.api.table import ROWS, Row
from application.app import application_of
from application.catalogue import CAUSES, Cause, RetryRule
from application.cli.commands import app
from application.settings import Settings
from application.wiring import Services

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
REST_DRAWN = "## Statuses\n"  # what stands above it on the page is written by hand
REST_TABLE_HEAD = """| Endpoint | Role | What |
| --- | --- | --- |
"""
REST_VALUES_HEAD = """| Value | In | Type, limits | Default | What |
| --- | --- | --- | --- | --- |
"""
REFUSED = 400  # a cause below it is something found, told in an answer that is none
REST_PAGES = {
    "/openapi.json": "This page for programs: OpenAPI 3.1.",
    "/help/api": "This page for a browser.",
    "/help/errors": "The page of errors for a browser.",
    "/connection": "Where the browser ends after a sign-in.",
    "/quickbooks/disconnected": "Where the browser ends once the app is removed in QuickBooks.",
}
REST_STATUSES_HEAD = f"""
Every endpoint may answer 200, {", ".join(map(str, EVERYWHERE))}; what it may answer beside those
stands with it.

| Status | Means | Codes |
| --- | --- | --- |
| 200 | done | |
| 202 | the run goes on without you: `Location`, `Retry-After` | |
| 204 | live events: the run has ended and you have seen its last event | |
| 302 | the browser goes on to another address | |
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
            if isinstance(each, TyperOption | TyperArgument)
            and each.name != "help"
            and not each.hidden
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


def rest_page() -> str:
    """Return the page of the REST interface: its beginning as it stands, the rest drawn."""
    by_hand, _, _ = (HERE / "rest.md").read_text(encoding="utf-8").partition(REST_DRAWN)
    # Only its routes are read, so nothing has to be behind the door.
    door = Door(services=cast("Services", None), hub=cast("Hub", None), start="")
    described = application_of(door).openapi()
    table = "\n".join(
        f"| {_linked(row, described)} | {row.role or 'anybody'} | {_told(row, described)} |"
        for row in ROWS
    )
    sections = "\n".join(
        rest_section(row, described=described) for row in ROWS if _operation(row, described)
    )
    return (
        f"{by_hand}{REST_DRAWN}{REST_STATUSES_HEAD}{rest_statuses()}\n"
        f"## Endpoints\n\n{REST_TABLE_HEAD}{table}\n\n{sections}"
    )


def rest_statuses() -> str:
    """Return a line for each status a refusal may have, with the codes that have it."""
    codes: dict[int, list[str]] = {}
    refusals = [cause for cause in CAUSES.values() if cause.http_status >= REFUSED]
    for cause in refusals:
        codes.setdefault(cause.http_status, []).append(f"[{cause.code}](errors.md#{cause.code})")
    return "".join(
        f"| {status} | refused | {', '.join(found)} |\n" for status, found in sorted(codes.items())
    )


def _operation(row: Row, described: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = described["paths"].get(row.path, {}).get(row.method.lower(), {})
    return found


def _anchor(row: Row) -> str:
    kept = [sign for sign in f"{row.method} {row.path}".lower() if sign.isalnum() or sign in " -_"]
    return "".join(kept).replace(" ", "-")


def _linked(row: Row, described: Mapping[str, Any]) -> str:
    name = f"`{row.method} {row.path}`"
    return f"[{name}](#{_anchor(row)})" if _operation(row, described) else name


def _told(row: Row, described: Mapping[str, Any]) -> str:
    text = _operation(row, described).get("description") or REST_PAGES[row.path]
    return " ".join(text.split())


def rest_section(row: Row, *, described: Mapping[str, Any]) -> str:
    """Return what the page says about one endpoint, under its own anchor."""
    operation = _operation(row, described)
    lines = [f"### {row.method} {row.path}", "", _told(row, described), ""]
    values = [*_parameter_rows(operation), *_body_rows(operation, described=described)]
    if values:
        lines += [REST_VALUES_HEAD + "\n".join(values), ""]
    names = _answer_names(operation, described=described)
    if names:
        lines += ["`data`: " + ", ".join(f"`{name}`" for name in names), ""]
    own = sorted(code for code in operation["responses"] if int(code) not in {200, *EVERYWHERE})
    if own:
        lines += [f"Statuses beside the usual ones: {', '.join(own)}", ""]
    return "\n".join(lines)


def _parameter_rows(operation: Mapping[str, Any]) -> Iterator[str]:
    for one in operation.get("parameters", ()):
        needed = one.get("required", False) and one["in"] != "path"
        place = "address" if one["in"] == "path" else one["in"]
        yield _value_row(one["name"], one["schema"], place=place, needed=needed)


def _body_rows(operation: Mapping[str, Any], *, described: Mapping[str, Any]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {})
    for one in content.values():
        model = _model(one["schema"], described=described)
        for name, schema in model.get("properties", {}).items():
            needed = name in model.get("required", ())
            yield _value_row(name, schema, place="body", needed=needed)


def _value_row(name: str, schema: Mapping[str, Any], *, place: str, needed: bool) -> str:
    default = schema.get("default")
    shown_default = "needed" if needed else "-"
    if default is not None:
        shown_default = f"`{str(default).lower() if isinstance(default, bool) else default}`"
    what = schema.get("description") or "-"
    return f"| `{name}` | {place} | {_kind(schema)} | {shown_default} | {what} |"


def _kind(schema: Mapping[str, Any]) -> str:
    """Return a value's type and limits in words."""
    choices = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    one = choices[0]
    if "enum" in one:
        return ", ".join(f"`{each}`" for each in one["enum"])
    if one.get("type") == "array":
        return f"list of {_kind(one['items'])}"
    words = {"string": "text", "boolean": "true or false", "integer": "whole number"}
    kind = "date" if one.get("format") == "date" else words.get(one.get("type", ""), "value")
    least, most = one.get("minimum"), one.get("maximum")
    if most is not None and most < ID_MOST:
        kind += f", {least:.0f} to {most:.0f}"
    elif least is not None and least >= 0:
        kind += f", {least:.0f} or more"
    if "maxLength" in one:
        kind += f", {one.get('minLength', 0)} to {one['maxLength']} characters"
    return kind


def _model(schema: Mapping[str, Any], *, described: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the shape behind a reference, also where it may be absent."""
    choices = schema.get("anyOf", [schema])
    name = next((one["$ref"] for one in choices if "$ref" in one), "").rpartition("/")[2]
    found: Mapping[str, Any] = described["components"]["schemas"].get(name, {})
    return found


def _answer_names(operation: Mapping[str, Any], *, described: Mapping[str, Any]) -> list[str]:
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    envelope = _model(content.get("schema", {}), described=described)
    inner = _model(envelope.get("properties", {}).get("data", {}), described=described)
    return list(inner.get("properties", ()))


def pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of every page that comes from the code."""
    yield "cli.md", cli_page()
    yield "errors.md", errors_page()
    yield "exit-codes.md", exits_page()
    yield "rest.md", rest_page()
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
