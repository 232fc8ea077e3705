"""Uses the sign-in once as a process of its own; may be told to die at a gate.

python one_refresh.py use|late|state [GATE]

`use` reads the company, `late` does it under a clock that is almost an hour ahead. Both say
`ready`, and go on once a line comes in.
"""

import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

from typing_extensions import override

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from application import wiring
from application.catalogue import Stop
from application.world import Clock, Gate, World

ALMOST_AN_HOUR = timedelta(seconds=3_500)


class Ahead(Clock):
    """A clock by which the access token is about to end."""

    @override
    def now(self) -> datetime:
        return super().now() + ALMOST_AN_HOUR / self.scale


def world_for(verb: str, gate: str) -> World:
    def passed(one: Gate) -> None:
        if one.value == gate:
            os.kill(os.getpid(), signal.SIGKILL)

    kind = Ahead if verb == "late" else Clock
    return World(clock=kind(scale=wiring.load_settings().clock_scale), gate=passed)


def done_by(services: wiring.Services, verb: str) -> str:
    if verb == "state":
        state = services.company.state()
        return f"{state.connected} {state.problem} {state.reason}"
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    services.read_company()
    return "ok"


def main() -> int:
    verb, gate = [*sys.argv[1:], ""][:2]
    with wiring.build(world=world_for(verb, gate)) as services:
        try:
            said = done_by(services, verb)
        except Stop as stop:
            said = f"stopped {stop.cause}"
    sys.stdout.write(said + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
