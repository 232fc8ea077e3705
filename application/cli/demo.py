"""The demo: a sample university, a simulated QuickBooks, a full run; and what it is made of."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from application.catalogue import printable
from application.cli import sending
from application.cli.call import Call
from application.cli.looking import print_preview, print_status, statistics_lines
from application.cli.outcome import Ended, tell
from application.cli.printing import Column, money, number
from application.cli.watching import EXIT_INTERRUPTED, Interrupts
from application.services.reports import Report
from application.shown.texts import counted

if TYPE_CHECKING:
    from application.stage.minder import Minder
    from application.wiring import Services

FIRST: Final = 10
SENT_FIRST_MOST: Final = 10_000  # more would keep whoever wants to look waiting for long
ROOT: Final = Path(__file__).resolve().parents[2]
TRY_NEXT: Final = (
    ("errors", "why some failed, and who mends it"),
    ("show 123", "what happened to one of them"),
    ("explain customer_not_found", "what to do about it"),
    ("audit verify", "proof that nobody touched the history"),
)


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Which synthetic MIS somebody wants."""

    url: str
    profile: str
    size: int | None
    edge: bool
    seed: int
    replace: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to be shown; None where they leave it to us."""

    invoices: int | None
    sync: bool | None
    serve: bool | None
    port: int | None

    @property
    def sends(self) -> bool:
        """Whether everything is sent before anybody looks."""
        if self.sync is not None:
            return self.sync
        return self.invoices is None or self.invoices <= SENT_FIRST_MOST

    @property
    def stays(self) -> bool:
        """Whether a server stays up: where somebody watches, unless they say otherwise."""
        if self.serve is not None:
            return self.serve
        return sys.stdin.isatty() and sys.stdout.isatty()


def demo(call: Call, *, wanted: Wanted) -> int:
    """Show everything once, then stay up where somebody watches."""
    from application import wiring  # noqa: PLC0415 - as everywhere in this room: rooms load late

    settings = wiring.demo_settings()
    with Interrupts() as interrupts, call.services(settings=settings) as services:
        minder = _minder(services, wanted=wanted) if wanted.stays else None
        made = services.make_demo(invoices=wanted.invoices)
        _step(
            call, made or "The demo MIS stands as the last demo left it; `make clean` begins anew."
        )
        address = services.simulator.address() if wanted.sends or minder else None
        if address is not None:
            _step(call, f"A simulated QuickBooks runs at {address}.")
        code = _shown(call, services=services, interrupts=interrupts) if wanted.sends else None
        if code is not None:
            return code
        if not wanted.sends:
            _statistics(call, services=services)
        else:
            _told_next(call)
        if minder is not None:
            try:
                _stay(call, services=services, minder=minder, interrupts=interrupts)
            finally:
                minder.close()  # before the simulator, which it still needs for what is in hand
        return _over(call, services=services)


def _minder(services: "Services", *, wanted: Wanted) -> "Minder":
    """Return what will keep the server up, or say at once why there can be none."""
    from application.app import Place, listening  # noqa: PLC0415 - a web server, for this only

    port = services.settings.port if wanted.port is None else wanted.port
    minder = services.minder(port=port)
    minder.take()
    for door in listening(Place(host="127.0.0.1", port=port)):
        door.close()  # free now; nobody should watch a whole run and then hear that it is not
    return minder


def _shown(call: Call, *, services: "Services", interrupts: Interrupts) -> int | None:
    """Go through the guide's five commands; return an exit code where it ends early."""
    _command(call, "analyze")
    _statistics(call, services=services)
    _command(call, f"preview --limit {FIRST}")
    print_preview(
        call,
        services=services,
        seen=services.listing.preview(limit=FIRST),
    )
    steps = (
        (
            f"batch --batch-size {FIRST}",
            lambda one: services.sync.batch(caller=one, batch_size=FIRST),
        ),
        ("all", lambda one: services.sync.all(caller=one, wait_for_unclear=True)),
    )
    for name, send in steps:
        _command(call, name)
        report = sending.sent(call, services=services, send=send, interrupts=interrupts)
        if isinstance(report, int):
            return report
        ended = Ended(report, interrupted=interrupts.asked)
        tell(call, services=services, ended=ended, alone=False)
        if name != "all":
            _in_quickbooks(call, services=services, report=report)
        if interrupts.asked:
            return EXIT_INTERRUPTED
        if report.stopped_by is not None:
            return ended.exit_code
    _command(call, "analyze")
    _statistics(call, services=services)
    _command(call, "status")
    print_status(
        call,
        services=services,
        counts=services.progress.counts(),
        state=services.company.state(),
    )
    return None


def _in_quickbooks(call: Call, *, services: "Services", report: Report) -> None:
    """Show what was just sent as QuickBooks has it, not as we remember it."""
    if not report.quickbooks_ids:
        return
    found = services.documents(list(report.quickbooks_ids.values()))
    call.screen.say(
        f"  As QuickBooks has them, read back just now ({counted(len(found), 'invoice')}):"
    )
    columns = [
        Column("NUMBER", whole=True),
        Column("ID", number=True),
        Column("DATE", whole=True),
        Column(f"TOTAL {services.currency}", number=True),
    ]
    rows = [
        [
            printable(one.doc_number or ""),
            one.quickbooks_id,
            one.dated.isoformat(),
            money(one.total),
        ]
        for one in sorted(found, key=lambda one: one.doc_number or "")
    ]
    call.screen.table(columns, rows)


def _step(call: Call, text: str) -> None:
    call.screen.say(text)


def _command(call: Call, words: str) -> None:
    call.screen.say()
    call.screen.say(f"$ feebridge {words}")


def _statistics(call: Call, *, services: "Services") -> None:
    for line in statistics_lines(call, counts=services.progress.counts()):
        call.screen.say(line)


def _told_next(call: Call) -> None:
    call.screen.say()
    call.screen.say("Try next, in another terminal or when this has ended:")
    beside = ROOT / ".venv" / "bin" / "feebridge"
    name = ".venv/bin/feebridge" if Path.cwd() == ROOT and beside.exists() else "feebridge"
    wide = max(len(command) for command, _ in TRY_NEXT)
    for command, why in TRY_NEXT:
        call.screen.say(f"  {name} {command:<{wide}}  {why}")


def _stay(call: Call, *, services: "Services", minder: "Minder", interrupts: Interrupts) -> None:
    address = f"http://localhost:{minder.start()}"
    call.screen.say()
    call.screen.say(_ready(call, services=services, address=address))
    call.screen.flush()
    minder.mind(
        asked=interrupts.stop,
        every=services.simulator.revive,
        died=lambda code: call.screen.note(f"The server ended (code {code}); starting it again."),
        back=lambda: call.screen.note(f"The server is back: {address}"),
    )


def _ready(call: Call, *, services: "Services", address: str) -> str:
    counts = services.progress.counts()
    told = [
        counted(counts.total, "invoice"),
        f"{number(counts.synced)} in QuickBooks (simulator)",
    ]
    if counts.failed:
        told.append(f"{number(counts.failed)} fail on purpose")
    if counts.not_synced:
        told.append(f"{number(counts.not_synced)} waiting")
    dot = "\u00b7" if call.screen.can_show("\u00b7") else "-"
    return f"Demo ready: {address} {dot} {', '.join(told)} {dot} Ctrl-C to stop"


def _over(call: Call, *, services: "Services") -> int:
    counts = services.progress.counts()
    return call.done(
        {"total_invoices": counts.total, "already_synced": counts.synced, "failed": counts.failed},
        message=f"{counted(counts.total, 'invoice')}, {number(counts.synced)} in QuickBooks.",
    )


def demo_mis(call: Call, *, wanted: Synthetic) -> int:
    """Build a synthetic MIS."""
    from application import wiring  # noqa: PLC0415 - as above

    count = wiring.make_demo_mis(
        wanted.url,
        profile=wanted.profile,
        size=wanted.size,
        edge=wanted.edge,
        seed=wanted.seed,
        replace=wanted.replace,
    )
    message = f"{counted(count, 'invoice')} of invented people, profile {wanted.profile}."
    call.screen.say(message)
    return call.done({"invoices": count, "profile": wanted.profile}, message=message)


def simulator(*, port: int, file: Path | None) -> int:
    """Become the simulator's process; it shares no code with us, so it is started, not called."""
    start = (
        f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); "
        "runpy.run_module('qbo_simulator', run_name='__main__', alter_sys=True)"
    )
    words = [sys.executable, "-c", start, "--port", str(port)]
    if file is not None:
        words += ["--file", str(file)]
    sys.stdout.flush()
    if os.name == "nt":
        # Windows' exec returns to the prompt while the new process still runs.
        return os.spawnv(os.P_WAIT, words[0], words)  # noqa: S606 - our own Python, no shell
    return os.execv(words[0], words)  # noqa: S606 - our own Python, no shell
