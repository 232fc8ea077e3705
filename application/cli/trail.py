"""The audit log: read, verify, export."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from application.catalogue import printable
from application.cli import failures
from application.cli.call import Call
from application.cli.printing import number

EXIT_FOUND: Final = 8
HEAD_SHOWN: Final = 12


def entries(
    call: Call,
    *,
    invoice_id: int | None,
    actor: str | None,
    limit: int,
    action: str | None = None,
) -> int:
    """List entries, newest first, one a line."""
    from application.services.auditing import Sought  # noqa: PLC0415 - `--help` needs no room

    with call.services() as services:
        sought = Sought(invoice_id=invoice_id, actor=actor, action=action)
        found = services.auditing.entries(sought, limit=limit).entries
        for one in found:
            at = one.at.astimezone(services.office)
            call.screen.say(
                f"  {one.id:>7}  {at.day:>2} {at:%b %H:%M:%S}  {printable(one.actor):<10}  "
                f"{printable(one.action):<20}  {printable(one.subject)}"
            )
        if not found:
            call.screen.say("No entry.")
        return call.done(
            {"entries": [asdict(one) for one in found], "count": len(found)},
            message=f"{number(len(found))} entries.",
        )


def verify(call: Call) -> int:
    """Walk the chain."""
    with call.services() as services:
        seen = services.auditing.verify()
        if seen.intact:
            dots = "\u2026" if call.screen.can_show("\u2026") else "..."
            message = (
                f"Chain intact: {number(seen.entries)} entries, head {seen.head[:HEAD_SHOWN]}{dots}"
            )
        else:
            message = (
                f"Chain broken at entry {seen.first_bad}: {printable(seen.problem or 'changed')}. "
                "Keep this database as it is, and compare it with the last backup."
            )
        call.screen.say(message)
        return call.done(
            {
                "intact": seen.intact,
                "entries": seen.entries,
                "head": seen.head,
                "first_bad": seen.first_bad,
                "problem": seen.problem,
            },
            message=message,
            exit_code=0 if seen.intact else EXIT_FOUND,
        )


def export(call: Call, *, file: Path, month: str) -> int:
    """Write a month to a file, one entry a line; the last line proves the others."""
    with call.services() as services:
        last = _write(file, lines=services.auditing.export(month))
        told = json.loads(last)
        message = (
            f"{number(told['entries'])} entries in {printable(str(file))}, SHA-256 {told['sha256']}"
        )
        call.screen.say(message)
        return call.done({**told, "file": str(file), "month": month}, message=message)


def _write(file: Path, *, lines: Iterator[str]) -> str:
    """Write lines to a file of its owner alone, and return what came last."""
    last = ""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as out:
            for last in lines:
                out.write(last)
    except OSError as wrong:
        raise failures.Usage(
            option="FILE", problem="cannot be written", got=wrong.strerror or str(file)
        ) from wrong
    return last
