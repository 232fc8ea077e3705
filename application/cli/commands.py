"""One function each: what a command is called, takes and says; what it does is elsewhere."""

import traceback
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from application import __version__
from application.catalogue import Stop
from application.cli import failures
from application.cli.asking import split
from application.cli.call import Call
from application.cli.upkeep_commands import add_upkeep

PROGRAM: Final = "feebridge"
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
PREVIEW_MOST = 100
BATCH_MOST = 100
OPENING = """Every student invoice of the MIS in QuickBooks Online, once.

    feebridge analyze                   what waits, is in QuickBooks, failed

    feebridge batch --batch-size 50     send one batch
"""
ENDING = "Before or after a command: --json --events -q -v --no-color --debug --yes"

app = typer.Typer(
    name=PROGRAM,
    help=OPENING,
    epilog=ENDING,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
runs_app = typer.Typer(help="Runs: the newest, one of them, steer one.", rich_markup_mode=None)


def _number(text: str) -> int:
    """Return the invoice id in `12345` or `MIS-12345`."""
    digits = text.upper().removeprefix("MIS-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > len(str(2**63)) - 1:
        raise typer.BadParameter(f"{text!r} is no invoice; say 12345 or MIS-12345")  # noqa: EM102, TRY003 - typer's own exception takes its sentence here
    return int(digits)


Invoice = Annotated[
    int, typer.Argument(parser=_number, metavar="ID", help="As 12345 or MIS-12345.")
]
Invoices = Annotated[
    list[int] | None, typer.Argument(parser=_number, metavar="[ID]...", help="Invoices.")
]
Run = Annotated[int, typer.Argument(min=1, metavar="N", help="Number of the run.")]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size", min=1, max=BATCH_MOST, metavar="N", help="Invoices in a batch [BATCH_SIZE]."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Map and check; send nothing.")]


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    asked = split(words)
    call = Call(asked.ask)
    try:
        return _answered(asked.rest, call=call)
    except Stop as stop:
        return failures.tell(failures.of_stop(stop), call=call)
    except failures.Usage as usage:
        return failures.tell(
            failures.of_value(usage.option, problem=usage.problem, got=usage.got), call=call
        )
    except (KeyboardInterrupt, typer.Abort):
        call.screen.complain("Stopped.")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost handler: words for people, frames for the log
        call.log_fault(error)
        return failures.tell(failures.of_fault(traceback.format_exc()), call=call)
    finally:
        call.screen.flush()


def _answered(words: Sequence[str], *, call: Call) -> int:
    if call.ask.json and call.ask.events:
        raise failures.Usage(option="--events", problem="excludes --json", got="both")
    try:
        answer = typer.main.get_command(app).main(
            args=list(words), prog_name=PROGRAM, standalone_mode=False, obj=call
        )
    except typer.TyperException as wrong:
        if type(wrong).__name__ == "NoArgsIsHelpError":
            call.screen.say(wrong.format_message())
            return EXIT_USAGE
        known = next((word for word in words if word in ALL_COMMANDS), "")
        return failures.tell(failures.of_usage(wrong.format_message(), command=known), call=call)
    return answer if isinstance(answer, int) else 0


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer hands a flag's value over like this
    if wanted:
        typer.echo(f"feebridge {__version__}")
        raise typer.Exit


@app.callback()
def program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    events: Annotated[bool, typer.Option("--events", help="JSON Lines on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Results only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="More of it.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colour.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
) -> None:
    """Take the options for every command; `asking` has read all but --version already."""
    del version, json, events, quiet, verbose, no_color, debug, yes


# -- questions ------------------------------------------------------------------------------------


@app.command()
def analyze(context: typer.Context) -> int:
    """Count invoices by status, with amounts."""
    from application.cli import looking

    return looking.analyze(Call.of(context))


@app.command()
def preview(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option(min=1, max=PREVIEW_MOST, metavar="N", help="How many to show.")
    ] = 10,
    offset: Annotated[int, typer.Option(min=0, metavar="N", help="How many to pass over.")] = 0,
) -> int:
    """Show what the next run would send; send nothing."""
    from application.cli import looking

    return looking.preview(Call.of(context), limit=limit, offset=offset)


@app.command()
def status(context: typer.Context) -> int:
    """Show connection, MIS, progress and runs."""
    from application.cli import looking

    return looking.status(Call.of(context))


@app.command()
def errors(
    context: typer.Context,
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="One cause.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="How many to show.")
    ] = 50,
) -> int:
    """Show failures by cause, or the invoices of one cause."""
    from application.cli import past

    return past.errors(Call.of(context), code=code, limit=limit)


@app.command()
def explain(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="As errors are printed with.")],
) -> int:
    """Explain a cause: why, what to do, who."""
    from application.cli import past

    return past.explain(Call.of(context), code=code)


@app.command()
def show(context: typer.Context, invoice: Invoice) -> int:
    """Show one invoice and everything that happened to it."""
    from application.cli import past

    return past.show(Call.of(context), invoice_id=invoice)


# -- sending --------------------------------------------------------------------------------------


@app.command()
def batch(context: typer.Context, *, batch_size: BatchSize = None, dry_run: DryRun = False) -> int:
    """Send one batch (recommended to begin with)."""
    from application.cli import sending

    return sending.batch(Call.of(context), batch_size=batch_size, dry_run=dry_run)


@app.command(name="all")
def send_all(
    context: typer.Context,
    *,
    max_batches: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most so many.")
    ] = None,
    batch_size: BatchSize = None,
    dry_run: DryRun = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not stay for results that are still unclear.")
    ] = False,
) -> int:
    """Send batch after batch until none is left."""
    from application.cli import sending

    return sending.everything(
        Call.of(context),
        max_batches=max_batches,
        batch_size=batch_size,
        dry_run=dry_run,
        wait=not no_wait,
    )


@app.command()
def single(context: typer.Context, invoice: Invoice, *, dry_run: DryRun = False) -> int:
    """Send one invoice."""
    from application.cli import sending

    return sending.single(Call.of(context), invoice_id=invoice, dry_run=dry_run)


@app.command()
def retry(
    context: typer.Context,
    invoices: Invoices = None,
    *,
    cause: Annotated[str | None, typer.Option(help="All that failed with this cause.")] = None,
    run: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="All that failed in this run.")
    ] = None,
    only_fixed: Annotated[
        bool, typer.Option("--only-fixed", help="Only those whose cause is gone.")
    ] = False,
    dry_run: DryRun = False,
) -> int:
    """Send failed invoices again; it cannot make a second one."""
    from application.cli import sending

    wanted = sending.Wanted(
        ids=tuple(invoices or ()), cause=cause, run_id=run, only_fixed=only_fixed
    )
    return sending.retry(Call.of(context), wanted=wanted, dry_run=dry_run)


@app.command(name="reset-stuck")
def reset_stuck(context: typer.Context, invoices: Invoices = None) -> int:
    """Settle what is stuck in progress, where safe."""
    from application.cli import sending

    return sending.reset_stuck(Call.of(context), ids=tuple(invoices or ()))


@app.command()
def hold(
    context: typer.Context,
    invoice: Invoice,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")],
) -> int:
    """Keep an invoice out of runs."""
    from application.cli import upkeep

    return upkeep.hold(Call.of(context), invoice_id=invoice, reason=reason)


@app.command()
def release(context: typer.Context, invoice: Invoice) -> int:
    """Let a held invoice go again."""
    from application.cli import upkeep

    return upkeep.release(Call.of(context), invoice_id=invoice)


# -- runs -----------------------------------------------------------------------------------------


@runs_app.callback(invoke_without_command=True)
def runs_of(context: typer.Context) -> int:
    """List the newest runs, or do something with one of them."""
    if context.invoked_subcommand is not None:
        return 0
    return runs_list(context)


@runs_app.command(name="list")
def runs_list(context: typer.Context) -> int:
    """List the newest runs."""
    from application.cli import past

    return past.runs(Call.of(context))


@runs_app.command(name="show")
def runs_show(context: typer.Context, number: Run) -> int:
    """Show one run."""
    from application.cli import past

    return past.run(Call.of(context), run_id=number)


@runs_app.command(name="watch")
def runs_watch(context: typer.Context, number: Run) -> int:
    """Follow a run of another process until it ends."""
    from application.cli import sending

    return sending.watch(Call.of(context), run_id=number)


@runs_app.command(name="pause")
def runs_pause(context: typer.Context, number: Run) -> int:
    """Put a run down after the request in hand."""
    from application.cli import steering

    return steering.pause(Call.of(context), run_id=number)


@runs_app.command(name="resume")
def runs_resume(context: typer.Context, number: Run) -> int:
    """Go on with a paused or waiting run."""
    from application.cli import steering

    return steering.resume(Call.of(context), run_id=number)


@runs_app.command(name="cancel")
def runs_cancel(context: typer.Context, number: Run) -> int:
    """End a run after the request in hand."""
    from application.cli import steering

    return steering.cancel(Call.of(context), run_id=number)


app.add_typer(runs_app, name="runs")
add_upkeep(app)
ALL_COMMANDS: Final = frozenset(
    name
    for each in app.registered_commands
    for name in (each.name, getattr(each.callback, "__name__", None))
    if name
) | {"runs", "audit", "mapping"}
