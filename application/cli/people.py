"""People who sign in to the pages: listed, added, given a role or a password, removed."""

import sys
from typing import TYPE_CHECKING

import typer

from application.catalogue import printable
from application.cli import failures
from application.cli.call import Call
from application.cli.printing import Column, moment
from application.services.people import PersonWrong
from application.services.roles import Role

if TYPE_CHECKING:
    from application.services.people import Person


def listed(call: Call) -> int:
    """List people."""
    with call.services() as services:
        people = services.people.all()
        now, office = call.clock.now(), services.office
        rows = [
            [
                printable(one.name),
                one.role,
                moment(one.made_at, office=office, now=now),
                moment(one.signed_in_at, office=office, now=now) if one.signed_in_at else "never",
            ]
            for one in people
        ]
        if rows:
            call.screen.table(
                [Column(name) for name in ("NAME", "ROLE", "ADDED", "SIGNED IN")], rows
            )
        else:
            call.screen.say("Nobody. On this machine itself the pages need no sign-in.")
        entries = [
            {
                "name": one.name,
                "role": one.role,
                "added_at": one.made_at.astimezone(office),
                "signed_in_at": one.signed_in_at.astimezone(office) if one.signed_in_at else None,
            }
            for one in people
        ]
        message = "1 person." if len(people) == 1 else f"{len(people):,} people."
        return call.done({"people": entries, "count": len(people)}, message=message)


def add(call: Call, *, name: str, role: str) -> int:
    """Let somebody sign in; their password is asked for."""
    with call.services() as services:
        first = services.access.is_open()
        password = _password(call)
        try:
            person = services.people.add(
                name, role=Role(role), password=password, by=services.actor("cli")
            )
        except PersonWrong as wrong:
            raise _usage(wrong) from wrong
        message = f"{printable(person.name)} added as {person.role}."
        call.screen.say(message)
        if first:
            call.screen.say("The dashboard now asks everyone to sign in.")
        return _done(call, person, message=message)


def change_role(call: Call, *, name: str, role: str) -> int:
    """Give somebody another role."""
    with call.services() as services:
        person = services.people.change_role(name, role=Role(role), by=services.actor("cli"))
        message = f"{printable(person.name)} is {person.role} now."
        call.screen.say(message)
        return _done(call, person, message=message)


def change_password(call: Call, *, name: str) -> int:
    """Give somebody another password, which is asked for."""
    with call.services() as services:
        try:
            person = services.people.change_password(
                name, password=_password(call), by=services.actor("cli")
            )
        except PersonWrong as wrong:
            raise _usage(wrong) from wrong
        message = f"{printable(person.name)} has a new password and is signed out everywhere."
        call.screen.say(message)
        return _done(call, person, message=message)


def remove(call: Call, *, name: str) -> int:
    """Let somebody sign in no more."""
    with call.services() as services:
        person = services.people.remove(name, by=services.actor("cli"))
        message = f"{printable(person.name)} removed and signed out everywhere."
        call.screen.say(message)
        if services.access.is_open():
            call.screen.say("Nobody is left: on this machine itself no sign-in is needed now.")
        return _done(call, person, message=message)


def _password(call: Call) -> str:
    """Return a new password: asked twice on a terminal, else the first line of stdin."""
    if call.prompts:
        asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return asked
    return sys.stdin.readline().rstrip("\r\n")


def _usage(wrong: PersonWrong) -> failures.Usage:
    """Return what is wrong, without what was typed where that is a password."""
    option = str(wrong.facts["field"]).upper()
    problem = str(wrong.facts["problem"]).partition(" ")[2]
    return failures.Usage(option=option, problem=problem, got=str(wrong.facts["got"]))


def _done(call: Call, person: "Person", *, message: str) -> int:
    return call.done({"name": person.name, "role": person.role}, message=message)
