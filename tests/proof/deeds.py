"""What a process of a proof does: a verb, a server, a change of keys; it may die at a gate."""

import ctypes
import faulthandler
import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine, event

import application.app
import application.workshop
from application import wiring
from application.catalogue import Stop
from application.cli import commands
from application.cli.watching import Interrupts
from application.services.ordering import Asked
from application.services.reports import Caller
from application.services.schedule import Terms
from application.world import Clock, Gate, World
from tests.proof.cutting import Cutter

__all__ = ["Deed", "do"]

_DIE_WITH_PARENT = 1  # Source: prctl(2), PR_SET_PDEATHSIG
TAKEN = "UPDATE tbl_imvoice SET QuickBk_Status = 3, pushed_by = 'another program' WHERE id = ?"


@dataclass(frozen=True)
class Deed:
    """What to do, and where to die."""

    verb: str
    gate: Gate | None = None
    times: int = 1
    since: Gate | None = None  # the gate counts only once this one was passed
    number: int = 0  # an invoice
    taken: int = 0  # an invoice somebody changes just before it is claimed
    pace_ms: int = 0  # how long every step takes
    filler: str = ""  # a file that fills its disk at the gate, where nobody dies
    before: tuple[str, ...] = ()  # it dies just before it gives our store such a statement
    owner: str = ""  # address that may cut our connections to the MIS while rows change
    words: tuple[str, ...] = ()  # of a command line; with the verb "cli"


def do(deed: Deed, environment: Mapping[str, str], file: str) -> None:
    """Do a deed in this process and end it."""
    with suppress(OSError, AttributeError):  # not Linux: an orphan ends by itself
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    # As at a terminal: whoever started the tests may ignore both, and a Ctrl-C that comes before
    # our own handlers stand would be lost.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    faulthandler.enable(file=out)  # a process that hangs is asked by SIGABRT where it is
    os.environ.clear()  # noqa: TID251 - a process of its own, with an environment of its own
    os.environ.update(environment)  # noqa: TID251 - as above
    if deed.verb == "cli":
        sys.exit(commands.run(deed.words))
    passed: Counter[Gate] = Counter()
    if deed.before:
        event.listen(Engine, "before_cursor_execute", _dying(deed))
    with wiring.build(world=_world(deed, passed=passed)) as services:
        try:
            code = VERBS[deed.verb](services, deed)
        except Stop as stop:
            say("stopped", stop.cause, stop.facts)
            code = 7 if stop.cause == "run_active" else 1
    say("passed", *sorted(gate.value for gate in passed))
    sys.exit(code)


def _dying(deed: Deed) -> Callable[..., None]:
    """Return what looks at each statement, and ends the process before one of them."""
    seen: Counter[str] = Counter()

    def look(_link: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.lstrip().startswith(deed.before):
            seen["such"] += 1
            if seen["such"] == deed.times:
                os.kill(os.getpid(), signal.SIGKILL)

    return look


def say(*words: object) -> None:
    """Write a line whoever watches the process may read at once."""
    sys.stdout.write(" ".join(str(one) for one in words) + "\n")
    sys.stdout.flush()


def _world(deed: Deed, *, passed: Counter[Gate]) -> World:
    clock = Clock(scale=wiring.load_settings().clock_scale)
    cutter = Cutter(deed.owner, most=deed.times, seed=deed.number) if deed.owner else None

    def gate(one: Gate) -> None:
        passed[one] += deed.since is None or one is not deed.gate or bool(passed[deed.since])
        if deed.taken and one is Gate.CLAIM_RECORDED and passed[one] == 1:
            _take_away(deed.taken)
        if cutter and one in {Gate.CLAIM_RECORDED, Gate.MARK_SENT}:
            cutter.soon()
            say("cut", cutter.within)
        clock.sleep_ms(deed.pace_ms)
        if one is deed.gate and passed[one] == deed.times:
            if deed.filler:
                fill(deed.filler)
            else:
                os.kill(os.getpid(), signal.SIGKILL)

    return World(clock=clock, gate=gate)


def fill(filler: str) -> None:
    """Write into a file until nothing more fits on its disk."""
    say("full")
    with open(filler, "ab", buffering=0) as file:  # noqa: PTH123 - unbuffered, so that it fails here
        for size in (65_536, 4_096, 1):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


def _take_away(number: int) -> None:
    address = os.environ["MIS_DATABASE_URL"]  # noqa: TID251 - whoever changes it is no part of us
    with closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as mis, mis:
        mis.execute(TAKEN, (number,))


def _caller(services: wiring.Services) -> Caller:
    return Caller(by=services.actor("cli"))


def _all(services: wiring.Services, _: Deed) -> int:
    report = services.sync.all(caller=_caller(services), wait_for_unclear=True)
    stopped = report.stopped_by.cause if report.stopped_by else ""
    say(report.state, report.successful, report.failed, report.unsettled, stopped)
    return 1 if stopped else 0


def _batch(services: wiring.Services, _: Deed) -> int:
    services.sync.batch(caller=_caller(services))
    return 0


def _single(services: wiring.Services, deed: Deed) -> int:
    services.sync.single(deed.number, caller=_caller(services))
    return 0


def _settle(services: wiring.Services, _: Deed) -> int:
    services.sync.reset_stuck(caller=_caller(services))
    return 0


def _long(services: wiring.Services, _: Deed) -> int:
    """Do durable runs to their end: those that were left, where there are some, else a new one."""
    left = list(services.runs.resting())
    if not left:
        begun = services.ordering.all(asked=Asked(by=services.actor("cli")))
        left = [begun] if begun else []
    for run in left:
        say(services.sync.drive(run.id, caller=_caller(services)).state)
    return 0


def _resume(services: wiring.Services, _: Deed) -> int:
    """Go on with every run that a person paused, to its end."""
    for run in list(services.runs.resting()):
        if run.state == "paused":
            services.ordering.resume(run.id, by=services.actor("cli"))
        say(services.sync.drive(run.id, caller=_caller(services)).state)
    return 0


def _plan(services: wiring.Services, _: Deed) -> int:
    """Set a schedule whose start of today was two minutes ago."""
    at = services.world.clock.now().astimezone(services.office) - timedelta(minutes=2)
    terms = Terms(True, f"{at.minute} {at.hour} * * *", None, None, None, None)  # noqa: FBT003 - enabled
    services.schedule.save(terms, by=services.actor("cli"))
    return 0


def _use(services: wiring.Services, _: Deed) -> int:
    services.read_company()
    return 0


def _connect(services: wiring.Services, _: Deed) -> int:
    services.connection.disconnect()
    services.connection.realm()
    return 0


def _anchor(services: wiring.Services, _: Deed) -> int:
    services.anchors.write_if_due()
    return 0


def _rotate(services: wiring.Services, _: Deed) -> int:
    say("rotated", services.connection.rotate_keys())
    return 0


def _open(services: wiring.Services, _: Deed) -> int:
    services.store.now()
    return 0


def _serve(services: wiring.Services, _: Deed) -> int:
    with Interrupts() as interrupts:
        application.app.serve(
            services,
            application.app.Place(host="127.0.0.1", port=0),
            ready=lambda port: say("port", port),
            asked=interrupts.stop,
        )
    return 0


VERBS: Mapping[str, Callable[[wiring.Services, Deed], int]] = {
    "all": _all,
    "anchor": _anchor,
    "batch": _batch,
    "connect": _connect,
    "long": _long,
    "open": _open,
    "plan": _plan,
    "resume": _resume,
    "rotate": _rotate,
    "serve": _serve,
    "settle": _settle,
    "single": _single,
    "use": _use,
}
