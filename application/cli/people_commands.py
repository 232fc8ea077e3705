"""The commands for people who sign in."""

from typing import Annotated

import typer

from application.cli.call import Call
from application.services.roles import Role

people_app = typer.Typer(help="People: who may sign in to the pages.", rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="NAME", help="What they sign in with.")]


@people_app.command(name="list")
def people_list(context: typer.Context) -> int:
    """List who may sign in, and when they last did."""
    from application.cli import people

    return people.listed(Call.of(context))


@people_app.command(name="add")
def people_add(
    context: typer.Context,
    name: Name,
    role: Annotated[Role, typer.Option(help="What they may do.")],
) -> int:
    """Let somebody sign in; asks for a password."""
    from application.cli import people

    return people.add(Call.of(context), name=name, role=role.value)


@people_app.command(name="role")
def people_role(
    context: typer.Context,
    name: Name,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="viewer, officer or admin.")],
) -> int:
    """Give somebody another role."""
    from application.cli import people

    return people.change_role(Call.of(context), name=name, role=role.value)


@people_app.command(name="password")
def people_password(context: typer.Context, name: Name) -> int:
    """Give somebody a new password; signs them out."""
    from application.cli import people

    return people.change_password(Call.of(context), name=name)


@people_app.command(name="remove")
def people_remove(context: typer.Context, name: Name) -> int:
    """Let somebody sign in no more; signs them out."""
    from application.cli import people

    return people.remove(Call.of(context), name=name)


def add_people(app: typer.Typer) -> None:
    """Hang these commands under the program."""
    app.add_typer(people_app, name="people")
