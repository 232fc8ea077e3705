"""The commands of the schedule."""

from typing import Annotated

import typer

from application.cli.call import Call

schedule_app = typer.Typer(help="When runs start by themselves.", rich_markup_mode=None)


@schedule_app.callback(invoke_without_command=True)
def schedule_of(context: typer.Context) -> int:
    """Show the schedule, or change it."""
    if context.invoked_subcommand is not None:
        return 0
    return schedule_show(context)


@schedule_app.command(name="show")
def schedule_show(context: typer.Context) -> int:
    """Show the schedule and its next start."""
    from application.cli import timetable

    return timetable.show(Call.of(context))


@schedule_app.command(name="set")
def schedule_set(
    context: typer.Context,
    *,
    cron: Annotated[
        str | None, typer.Option(metavar="EXPR", help='Five cron fields, as "0 20 * * 1-5".')
    ] = None,
    days: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Instead of them: days, as mon,tue.")
    ] = None,
    starts: Annotated[
        str | None, typer.Option("--from", metavar="HH:MM", help="Start, in office time.")
    ] = None,
    ends: Annotated[
        str | None,
        typer.Option("--to", metavar="HH:MM", help="When a run must have ended; empty: no end."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", min=0, max=100, metavar="N", help="0: as BATCH_SIZE."),
    ] = None,
    max_batches: Annotated[
        int | None,
        typer.Option("--max-batches", min=0, max=1_000_000, metavar="N", help="0: no limit."),
    ] = None,
) -> int:
    """Set the schedule; what is not named stays as it is."""
    from application.cli import timetable

    wanted = timetable.Wanted(
        cron=cron,
        days=days,
        starts=starts,
        ends=ends,
        batch_size=batch_size,
        max_batches=max_batches,
    )
    return timetable.change(Call.of(context), wanted=wanted)


@schedule_app.command(name="pause")
def schedule_pause(context: typer.Context) -> int:
    """Let no run start by itself."""
    from application.cli import timetable

    return timetable.pause(Call.of(context))


@schedule_app.command(name="resume")
def schedule_resume(context: typer.Context) -> int:
    """Let runs start by themselves again."""
    from application.cli import timetable

    return timetable.resume(Call.of(context))


def add_timetable(app: typer.Typer) -> None:
    """Hang these commands under the program."""
    app.add_typer(schedule_app, name="schedule")
