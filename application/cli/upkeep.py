"""Looking after an installation: connection, checks, holds, settings, our own database."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from application.catalogue import NotConnected, NotFound, StateConflict, printable
from application.cli import failures
from application.cli.call import Call
from application.cli.looking import where
from application.cli.printing import day
from application.invoices.model import Environment, doc_number

if TYPE_CHECKING:
    from application.services.company import ConnectionState
    from application.wiring import Services

REASON_MOST: Final = 200
DOT_ENV: Final = """# Settings of Feebridge, as in docs/reference/settings.md. Keep them secret.
ENCRYPTION_KEYS={key}
# MIS_DATABASE_URL=mysql://feebridge:PASSWORD@localhost/mis
# QUICKBOOKS_ENVIRONMENT=sandbox
# QUICKBOOKS_CLIENT_ID=
# QUICKBOOKS_CLIENT_SECRET=
# QUICKBOOKS_REDIRECT_URI=http://localhost:5000/api/v1/quickbooks/callback
"""
GRANTS: Final = (
    "CREATE USER 'feebridge'@'localhost' IDENTIFIED BY '...';",
    "GRANT SELECT ON mis.tbl_imvoice TO 'feebridge'@'localhost';",
    "GRANT SELECT ON mis.tbl_personal_ug TO 'feebridge'@'localhost';",
    "GRANT SELECT ON mis.tbl_online_application TO 'feebridge'@'localhost';",
    "GRANT SELECT ON mis.tbl_income_category TO 'feebridge'@'localhost';",
    "GRANT UPDATE (QuickBk_Status, pushed_by, pushed_date) "  # noqa: ISC004 - one line
    "ON mis.tbl_imvoice TO 'feebridge'@'localhost';",
)


# -- connection -----------------------------------------------------------------------------------


def connect(call: Call, *, paste: bool, bind: str | None) -> int:
    """Sign in to QuickBooks."""
    with call.services() as services:
        connection = services.connection
        if services.environment is not Environment.SIMULATOR:
            actor = services.actor("cli")
            begun = connection.begin(by=actor, browser=None, another_company=bind is not None)
            call.screen.complain(
                f"Open {begun.address} and approve as a company administrator. "
                "It is good for 10 minutes."
            )
            address = _returned(call, services=services, paste=paste)
            connection.finish(address, browser=None, door="cli", by=actor)
        elif not services.company.state().connected:
            connection.sign_in_again(by=services.actor("cli"))
        if bind is None:
            connection.realm()
        services.read_company()
        if bind is not None:
            _bind(call, services=services, name=bind)
        return _told_connection(call, state=services.company.state())


def _returned(call: Call, *, services: "Services", paste: bool) -> str:
    from application.cli.returning import PortTaken, heard, is_local  # noqa: PLC0415 - a web server, for this only

    redirect = services.settings.quickbooks_redirect_uri
    if not paste and is_local(redirect):
        call.screen.note("Waiting for the browser to come back. Ctrl-C to stop.")
        try:
            return heard(redirect, clock=call.clock)
        except PortTaken as taken:
            call.screen.complain(f"Port {taken.port} is in use, perhaps by `feebridge serve`.")
    call.screen.complain("Paste the full address your browser ended at:")
    address = sys.stdin.readline().strip()
    if not address:
        raise NotConnected(since="", reason="no address was pasted")
    return address


def _bind(call: Call, *, services: "Services", name: str) -> None:
    state = services.company.state()
    if name != state.company:
        raise failures.Usage(
            option="--bind", problem=f"must be the company's name, {state.company}", got=name
        )
    question = f"From now on this MIS is written into {where(state)}, and nowhere else. Sure?"
    if call.prompts and not typer.confirm(question, default=False, err=True):
        raise typer.Abort
    services.connection.rebind(confirm=name, by=services.actor("cli"))


def _told_connection(call: Call, *, state: "ConnectionState") -> int:
    until = f" Reconnect by {day(state.reconnect_by)} if unused." if state.reconnect_by else ""
    message = f"Connected: {where(state)}.{until}"
    call.screen.say(message)
    return call.done(
        {
            "connected": state.connected,
            "environment": state.environment.value,
            "company": state.company,
            "realm_id_masked": state.realm_id_masked,
            "bound": state.bound,
            "connected_by": state.connected_by,
            "access_token_expires_in": state.access_token_expires_in_s,
            "reconnect_by": state.reconnect_by.date() if state.reconnect_by else None,
            "hard_limit": state.hard_limit.date() if state.hard_limit else None,
            "problem": state.problem,
        },
        message=message,
    )


def disconnect(call: Call, *, confirm: str | None) -> int:
    """Revoke the sign-in."""
    with call.services() as services:
        state = services.company.state()
        if state.company is None and not state.connected:
            message = "QuickBooks is not connected."
            call.screen.say(message)
            return call.done({"connected": False}, message=message)
        name = state.company or state.environment.value
        if confirm is None and call.prompts:
            question = f"Disconnect {where(state)}? Links and history stay."
            if not typer.confirm(question, default=False, err=True):
                raise typer.Abort
        elif confirm != name:
            raise failures.Usage(
                option="--confirm",
                problem=f'must be the company\'s name, "{printable(name)}"',
                got=confirm or "nothing",
            )
        revoked = services.connection.disconnect(by=services.actor("cli"))
        message = (
            "Disconnected and revoked. Links and history are kept; nothing was deleted in "
            "QuickBooks."
            if revoked
            else "Disconnected here. QuickBooks did not confirm the revocation: remove the app "
            "there too, under Apps."
        )
        call.screen.say(message)
        return call.done({"connected": False, "revoked": revoked}, message=message)


# -- holds and runs -------------------------------------------------------------------------------


def hold(call: Call, *, invoice_id: int, reason: str) -> int:
    """Keep an invoice out of runs."""
    if not 1 <= len(reason.strip()) <= REASON_MOST:
        raise failures.Usage(
            option="--reason", problem=f"must have 1 to {REASON_MOST} characters", got=reason
        )
    with call.services() as services:
        if not services.reader.rows_of([invoice_id]):
            raise NotFound(what=f"invoice {invoice_id}")
        actor = services.actor("cli")
        if not services.journal.hold(invoice_id, reason=reason.strip(), by=actor):
            raise StateConflict(state="held already")
        message = f"{doc_number(invoice_id)} held by {actor.name}."
        call.screen.say(message)
        return call.done({"invoice_id": invoice_id, "held": True}, message=message)


def release(call: Call, *, invoice_id: int) -> int:
    """Let a held invoice go again."""
    with call.services() as services:
        if not services.journal.release_hold(invoice_id, by=services.actor("cli")):
            raise StateConflict(state="not held")
        message = f"{doc_number(invoice_id)} released."
        call.screen.say(message)
        return call.done({"invoice_id": invoice_id, "held": False}, message=message)


def ask_run(call: Call, *, run_id: int, wish: str) -> int:
    """Ask the sender of a run to stop."""
    with call.services() as services:
        found = services.runs.get(run_id)
        if found is None:
            raise NotFound(what=f"run {run_id}")
        if found.finished_at is not None:
            raise StateConflict(state=found.state)
        services.runs.ask(run_id, wish, by=services.actor("cli"))
        verb = "pauses" if wish == "pause" else "ends"
        message = f"Run {run_id} {verb} after the request in hand."
        call.screen.say(message)
        return call.done({"id": run_id, "asked": wish}, message=message)


# -- installation ---------------------------------------------------------------------------------


def init(call: Call, *, force: bool) -> int:
    """Write `.env`, readable by its owner only."""
    from application import wiring  # noqa: PLC0415 - `--help` needs no room

    path = wiring.home_of_files() / ".env"
    if path.exists() and not force:
        raise failures.Usage(
            option="--force", problem="is needed to write over an existing file", got=str(path)
        )
    _write_private(path, text=DOT_ENV.format(key=wiring.new_key()))
    message = f"Wrote {path.name} (0600) with a new ENCRYPTION_KEYS."
    call.screen.say(
        f"{message} Set MIS_DATABASE_URL there, then run these GRANT lines as MIS admin:"
    )
    for line in GRANTS:
        call.screen.say(f"  {line}")
    call.screen.next("feebridge doctor")
    return call.done({"file": str(path), "grants": list(GRANTS)}, message=message)


def _write_private(path: Path, *, text: str) -> None:
    # Made anew under another name, so that no moment exists in which others can read it.
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as out:
        out.write(text)
    fresh.replace(path)


def migrate(call: Call) -> int:
    """Bring our own database to this version."""
    with call.services() as services:
        message = services.migrate()
        call.screen.say(message)
        return call.done({"store": message}, message=message)


def completion(shell: str) -> int:
    """Print a shell's completion script."""
    # typer keeps it out of its public names, and its own option can only ask the parent process.
    from typer._completion_shared import get_completion_script  # noqa: PLC0415 - see above

    script = get_completion_script(
        prog_name="feebridge", complete_var="_FEEBRIDGE_COMPLETE", shell=shell
    )
    sys.stdout.write(script.strip() + "\n")
    return 0
