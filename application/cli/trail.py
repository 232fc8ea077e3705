"""The audit log: read, verify, export."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Final

from application.catalogue import printable
from application.cli import failures
from application.cli.call import Call
from application.cli.printing import number

EXIT_FOUND: Final = 8
MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
HEAD_SHOWN: Final = 12


def entries(call: Call, *, invoice_id: int | None, actor: str | None, limit: int) -> int:
    """List entries, one a line."""
    with call.services() as services:
        if invoice_id is None and actor is None:
            found = services.audit.latest(limit=limit)
        else:
            found = services.audit.entries(invoice_id=invoice_id, actor=actor, limit=limit)
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
        seen = services.audit.verify()
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
    """Write a month to a file, one entry a line."""
    if not MONTH.fullmatch(month):
        raise failures.Usage(option="--month", problem="must look like 2026-01", got=month)
    with call.services() as services:
        try:
            with file.open("w", encoding="utf-8", newline="\n") as out:
                count, digest = services.audit.export(month, out)
        except OSError as wrong:
            raise failures.Usage(
                option="FILE", problem="cannot be written", got=wrong.strerror or str(file)
            ) from wrong
        message = f"{number(count)} entries in {printable(str(file))}, SHA-256 {digest}"
        call.screen.say(message)
        return call.done(
            {"entries": count, "file": str(file), "sha256": digest, "month": month},
            message=message,
        )
