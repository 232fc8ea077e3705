"""`serve`: the REST interface, the engine and the schedule in one process, until Ctrl-C."""

import os
from typing import TYPE_CHECKING

from application.cli.call import Call
from application.cli.looking import where
from application.cli.watching import Interrupts

if TYPE_CHECKING:
    from application.wiring import Services


def serve(
    call: Call, *, host: str | None, port: int | None, read_only: bool, demo: bool = False
) -> int:
    """Serve until a signal asks to stop; for the `demo` command, until that has ended, too."""
    from application import wiring  # noqa: PLC0415 - as everywhere in this room: rooms load late
    from application.app import Place  # noqa: PLC0415 - a web server, for this only
    from application.app import serve as run  # noqa: PLC0415 - a web server, for this only

    os.umask(0o077)  # whatever this process makes is for its owner alone
    settings = wiring.demo_settings() if demo else None
    with Interrupts() as interrupts, call.services(settings=settings) as services:
        chosen = services.settings
        place = Place(
            host=host or chosen.host,
            port=chosen.port if port is None else port,
            read_only=read_only,
        )
        run(
            services,
            place,
            ready=lambda port: _told(call, services=services, host=place.host, port=port),
            asked=lambda: interrupts.asked or (demo and not services.minded()),
        )
    call.screen.note("Stopped. What was done is saved.")
    return 0


def _told(call: Call, *, services: "Services", host: str, port: int) -> None:
    state = services.company.state()
    name = f"[{host}]" if ":" in host else host
    dot = "\u00b7" if call.screen.can_show("\u00b7") else "-"
    about = (
        where(state) if state.connected else f"not connected ({state.environment.value.upper()})"
    )
    call.screen.say(f"Feebridge on http://{name}:{port} {dot} {about} {dot} Ctrl-C to stop")
    if host not in {"127.0.0.1", "localhost", "::1"}:
        call.screen.note(
            "It speaks plain HTTP and can be reached from elsewhere: put TLS in front of it."
        )
    call.screen.flush()
