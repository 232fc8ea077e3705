"""The commands of whoever looks after the installation: connection, checks, audit, demo."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from application.cli.call import Call
from application.cli.people_commands import add_people
from application.cli.timetable_commands import add_timetable

audit_app = typer.Typer(help="The audit log: read, verify, export.", rich_markup_mode=None)
mapping_app = typer.Typer(help="Which product takes which fee.", rich_markup_mode=None)


keys_app = typer.Typer(help="API keys: who may use the REST interface.", rich_markup_mode=None)


class KeyRole(StrEnum):
    """What a key may do."""

    VIEWER = "viewer"
    OFFICER = "officer"
    ADMIN = "admin"


class Profile(StrEnum):
    """What a demo MIS holds."""

    GUIDE = "guide"
    FRESH = "fresh"
    MIDLIFE = "midlife"


class Shell(StrEnum):
    """Shells a completion script exists for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def connect(
    context: typer.Context,
    *,
    paste: Annotated[
        bool, typer.Option("--paste", help="Paste the address the browser ended at.")
    ] = False,
    bind: Annotated[
        str | None, typer.Option(metavar="NAME", help="Bind the MIS to this other company.")
    ] = None,
) -> int:
    """Sign in to QuickBooks, as an administrator."""
    from application.cli import upkeep

    return upkeep.connect(Call.of(context), paste=paste, bind=bind)


def disconnect(
    context: typer.Context,
    confirm: Annotated[
        str | None, typer.Option(metavar="NAME", help="The company's name, to be sure.")
    ] = None,
) -> int:
    """Revoke the sign-in and forget it; links and history stay."""
    from application.cli import upkeep

    return upkeep.disconnect(Call.of(context), confirm=confirm)


def doctor(
    context: typer.Context,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write versions, settings without secrets, log lines."),
    ] = None,
) -> int:
    """Check everything a run needs, each with its fix."""
    from application.cli import doctor as office

    return office.doctor(Call.of(context), bundle=bundle)


def verify(
    context: typer.Context,
    *,
    no_quickbooks: Annotated[
        bool, typer.Option("--no-quickbooks", help="Read MIS, store and history only.")
    ] = False,
) -> int:
    """Check both books against each other and against the history, from outside."""
    from application.cli import verifying

    return verifying.verify(Call.of(context), quickbooks=not no_quickbooks)


def init(
    context: typer.Context,
    *,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing .env.")] = False,
) -> int:
    """Write .env; print the rights the MIS needs."""
    from application.cli import upkeep

    return upkeep.init(Call.of(context), force=force)


def migrate(context: typer.Context) -> int:
    """Bring our own database to this version."""
    from application.cli import upkeep

    return upkeep.migrate(Call.of(context))


def serve(
    context: typer.Context,
    *,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Address [HOST].")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Port [PORT]; 0 takes any.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Answer; change nothing.")] = False,
    demo: Annotated[
        bool, typer.Option("--demo", hidden=True, help="For the `demo` command, and ended with it.")
    ] = False,
) -> int:
    """Run the REST interface, background runs and the schedule."""
    from application.cli import serving

    return serving.serve(Call.of(context), host=host, port=port, read_only=read_only, demo=demo)


@keys_app.command(name="list")
def keys_list(context: typer.Context) -> int:
    """List the API keys; never what opens the door."""
    from application.cli import keys

    return keys.listed(Call.of(context))


@keys_app.command(name="create")
def keys_create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who will use it.")],
    role: Annotated[KeyRole, typer.Option(help="What it may do.")],
    file: Annotated[Path, typer.Option(metavar="FILE", help="Where to write it, for you alone.")],
) -> int:
    """Make an API key and write it to a file."""
    from application.cli import keys

    return keys.create(Call.of(context), name=name, role=role.value, file=file)


@keys_app.command(name="revoke")
def keys_revoke(
    context: typer.Context,
    number: Annotated[int, typer.Argument(min=1, metavar="ID", help="Number of the key.")],
) -> int:
    """Revoke an API key."""
    from application.cli import keys

    return keys.revoke(Call.of(context), key_id=number)


def demo(
    context: typer.Context,
    *,
    invoices: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, metavar="N", help="How many [1250].")
    ] = None,
    sync: Annotated[
        bool | None,
        typer.Option(
            "--sync/--no-sync", help="Send them first [up to 10,000], or leave them waiting."
        ),
    ] = None,
    serve: Annotated[
        bool | None,
        typer.Option("--serve/--no-serve", help="Stay up until Ctrl-C [on a terminal], or end."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Port [PORT]; 0 takes any.")
    ] = None,
) -> int:
    """Show it all on a sample university, and stay up to be tried."""
    from application.cli import demo as show

    wanted = show.Wanted(invoices=invoices, sync=sync, serve=serve, port=port)
    return show.demo(Call.of(context), wanted=wanted)


def demo_mis(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="As MIS_DATABASE_URL.")],
    *,
    profile: Annotated[Profile, typer.Option(help="What it holds.")] = Profile.GUIDE,
    size: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, metavar="N", help="Invoices.")
    ] = None,
    edge: Annotated[bool, typer.Option("--edge", help="Add the rows that try every rule.")] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="The same number, the same rows.")] = 1,
    replace: Annotated[bool, typer.Option("--replace", help="Drop what is there.")] = False,
) -> int:
    """Build a synthetic MIS, of invented people, in a database."""
    from application.cli import demo as show

    wanted = show.Synthetic(
        url=url, profile=profile.value, size=size, edge=edge, seed=seed, replace=replace
    )
    return show.demo_mis(Call.of(context), wanted=wanted)


def simulator(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="0 takes a free one.")
    ] = 0,
    file: Annotated[Path | None, typer.Option(help="Keep the books here.")] = None,
) -> int:
    """Run the simulated QuickBooks until Ctrl-C."""
    from application.cli import demo as show

    return show.simulator(port=port, file=file)


def completion(
    shell: Annotated[Shell, typer.Argument(help="Which shell.")] = Shell.BASH,
) -> int:
    """Print the shell's completion script."""
    from application.cli import upkeep

    return upkeep.completion(shell.value)


@audit_app.command(name="list")
def audit_list(
    context: typer.Context,
    invoice: Annotated[
        int | None, typer.Option(min=1, metavar="ID", help="Of one invoice.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Of one person or program.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Of one kind, as invoice.synced, or all of invoice.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="How many to show.")
    ] = 50,
) -> int:
    """List the newest entries."""
    from application.cli import trail

    return trail.entries(
        Call.of(context), invoice_id=invoice, actor=actor, action=action, limit=limit
    )


@audit_app.command(name="verify")
def audit_verify(context: typer.Context) -> int:
    """Walk the chain and name the first entry that is not as it was written."""
    from application.cli import trail

    return trail.verify(Call.of(context))


@audit_app.command(name="export")
def audit_export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to.")],
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="Which month.")],
) -> int:
    """Write the entries of a month to a file."""
    from application.cli import trail

    return trail.export(Call.of(context), file=file, month=month)


@mapping_app.command(name="list")
def mapping_list(context: typer.Context) -> int:
    """List the products and the fees they take."""
    from application.cli import mapping

    return mapping.listed(Call.of(context))


@mapping_app.command(name="set")
def mapping_set(
    context: typer.Context,
    fee: Annotated[int, typer.Argument(metavar="FEE", help="Number of the fee category.")],
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="Name in QuickBooks.")],
) -> int:
    """Let a product take a fee."""
    from application.cli import mapping

    return mapping.choose(Call.of(context), fee_id=fee, product=product)


@mapping_app.command(name="clear")
def mapping_clear(
    context: typer.Context,
    fee: Annotated[int, typer.Argument(metavar="FEE", help="Number of the fee category.")],
) -> int:
    """Go back to the product named like the fee."""
    from application.cli import mapping

    return mapping.clear(Call.of(context), fee_id=fee)


@mapping_app.command(name="refresh")
def mapping_refresh(context: typer.Context) -> int:
    """Read products and preferences from QuickBooks again."""
    from application.cli import mapping

    return mapping.refresh(Call.of(context))


def add_upkeep(app: typer.Typer) -> None:
    """Hang these commands under the program."""
    app.add_typer(audit_app, name="audit")
    app.add_typer(mapping_app, name="mapping")
    app.add_typer(keys_app, name="keys")
    add_people(app)
    add_timetable(app)
    commands: dict[str, Callable[..., int]] = {
        "connect": connect,
        "disconnect": disconnect,
        "doctor": doctor,
        "verify": verify,
        "init": init,
        "migrate": migrate,
        "serve": serve,
        "demo": demo,
        "demo-mis": demo_mis,
        "simulator": simulator,
        "completion": completion,
    }
    for name, command in commands.items():
        app.command(name=name)(command)
