"""Does one run as a process of its own; may be told to die at a gate.

python one_run.py VERB [GATE TIMES]
"""

import os
import signal
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from application import wiring
from application.catalogue import Stop
from application.services.reports import Caller
from application.world import Clock, Gate, World

seen: Counter[Gate] = Counter()


def world_that_dies_at(name: str, times: int) -> World:
    def passed(gate: Gate) -> None:
        seen[gate] += 1
        if gate.value == name and seen[gate] == times:
            os.kill(os.getpid(), signal.SIGKILL)

    return World(clock=Clock(scale=wiring.load_settings().clock_scale), gate=passed)


def main() -> int:
    verb, *rest = sys.argv[1:]
    name, times = (rest[0], int(rest[1])) if rest else ("", 0)
    with wiring.build(world=world_that_dies_at(name, times)) as services:
        caller = Caller(by=services.actor("cli"))
        try:
            if verb == "all":
                report = services.sync.all(caller=caller, wait_for_unclear=True)
            elif verb == "connect":
                services.connection.disconnect()
                services.connection.realm()
                return 0
            elif verb == "settle":
                services.sync.reset_stuck(caller=caller)
                return 0
            else:
                report = services.sync.batch(caller=caller)
        except Stop as stop:
            sys.stdout.write(f"stopped {stop.cause} {stop.facts}\n")
            return 7 if stop.cause == "run_active" else 1
        stopped = report.stopped_by.cause if report.stopped_by else ""
        sys.stdout.write(
            f"{report.state} {report.successful} {report.failed} {report.unsettled} {stopped}\n"
        )
    for gate, times_passed in sorted(seen.items()):
        sys.stderr.write(f"gate {gate.value} {times_passed}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
