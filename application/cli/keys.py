"""API keys: listed, made, revoked; what opens the door is written to a file and shown nowhere."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from application.catalogue import NotFound, printable
from application.cli import failures
from application.cli.call import Call
from application.cli.printing import Column, moment
from application.services.access import RESERVED, Key
from application.services.roles import Role
from application.shown.texts import counted

if TYPE_CHECKING:
    from application.wiring import Services

NAME_MOST: Final = 100


def listed(call: Call) -> int:
    """List keys."""
    with call.services() as services:
        keys = services.access.all()
        now, office = call.clock.now(), services.office
        rows = [
            [
                str(one.id),
                printable(one.name),
                one.role,
                moment(one.made_at, office=office, now=now),
                moment(one.used_at, office=office, now=now) if one.used_at else "never",
                "revoked" if one.revoked_at else "live",
            ]
            for one in keys
        ]
        columns = [Column(name) for name in ("ID", "NAME", "ROLE", "MADE", "USED", "STATE")]
        if rows:
            call.screen.table(columns, rows)
        else:
            call.screen.say("No API key. On this machine itself the interface needs none.")
        return call.done(
            {
                "keys": [
                    {
                        "id": one.id,
                        "name": one.name,
                        "role": one.role,
                        "made_at": one.made_at.astimezone(office),
                        "used_at": one.used_at.astimezone(office) if one.used_at else None,
                        "revoked": one.revoked_at is not None,
                    }
                    for one in keys
                ],
                "count": len(keys),
            },
            message=f"{counted(len(keys), 'key')}.",
        )


def create(call: Call, *, name: str, role: str, file: Path) -> int:
    """Make a key and write it to a new file."""
    if not 1 <= len(name.strip()) <= NAME_MOST:
        raise failures.Usage(
            option="NAME", problem=f"must have 1 to {NAME_MOST} characters", got=name
        )
    if name.strip().lower() in RESERVED:
        raise failures.Usage(option="NAME", problem="is one the audit log itself uses", got=name)
    with call.services() as services:
        first = services.access.is_open()
        key = made(services, name=name.strip(), role=Role(role), file=file)
        message = f"Key {key.id} written to {printable(str(file))} (0600). It is not shown again."
        call.screen.say(message)
        if first:
            call.screen.say("From now on the REST interface asks everybody for a key.")
        return call.done(
            {"id": key.id, "name": key.name, "role": key.role, "file": str(file)}, message=message
        )


def made(services: "Services", *, name: str, role: Role, file: Path) -> Key:
    """Return a new key that stands in its file; where it does not, there is neither."""
    access, by = services.access, services.actor("cli")
    descriptor = _new_file(file)
    key: Key | None = None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            key, text = access.create(name, role=role, by=by)
            out.write(text + "\n")
    except BaseException as wrong:
        # A file without a key in it would be taken for one, and a key nobody has closes the door.
        with suppress(OSError):
            file.unlink()
        if key is not None:
            access.revoke(key.id, by=by)
        if isinstance(wrong, OSError):
            raise failures.Usage(
                option="--file", problem="cannot be written", got=wrong.strerror or str(file)
            ) from wrong
        raise
    return key


def _new_file(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as wrong:
        raise failures.Usage(
            option="--file", problem="must name a new file", got=wrong.strerror or str(file)
        ) from wrong


def revoke(call: Call, *, key_id: int) -> int:
    """Revoke a key; within a second it opens nothing."""
    with call.services() as services:
        if not services.access.revoke(key_id, by=services.actor("cli")):
            raise NotFound(what=f"live key {key_id}")
        message = f"Key {key_id} revoked."
        call.screen.say(message)
        if services.access.is_open():
            call.screen.say("No key is left: on this machine itself the interface needs none now.")
        return call.done({"id": key_id, "revoked": True}, message=message)
