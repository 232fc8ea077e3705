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
from application.cli.printing import Column, counted, money, number
from application.cli.watching import EXIT_INTERRUPTED, Interrupts
from application.services.reports import Report

if TYPE_CHECKING:
    from application.wiring import Services

FIRST: Final = 10
ASK_EVERY_MS: Final = 200
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


def demo(call: Call, *, invoices: int | None, sync: bool, port: int) -> int:
    """Show everything once, then stay up where somebody watches."""
    from application import wiring  # noqa: PLC0415 - as everywhere in this room: rooms load late

    settings = wiring.demo_settings()
    with Interrupts() as interrupts, call.services(settings=settings) as services:
        made = services.make_demo(invoices=invoices)
        _step(
            call, made or "The demo MIS stands as the last demo left it; `make clean` begins anew."
        )
        if not sync:
            _statistics(call, services=services)
            return _over(call, services=services)
        address = services.simulator.address(port=port)
        _step(call, f"A simulated QuickBooks runs at {address}.")
        code = _shown(call, services=services, interrupts=interrupts)
        if code is not None:
            return code
        _told_next(call)
        if sys.stdin.isatty() and sys.stdout.isatty():
            _stay(call, services=services, address=address, interrupts=interrupts)
        return _over(call, services=services)


def _shown(call: Call, *, services: "Services", interrupts: Interrupts) -> int | None:
    """Go through the guide's five commands; return an exit code where it ends early."""
    _command(call, "analyze")
    _statistics(call, services=services)
    _command(call, f"preview --limit {FIRST}")
    tag = services.company.realm_tag()
    print_preview(
        call,
        services=services,
        seen=services.progress.preview(limit=FIRST, offset=0, realm_tag=tag),
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


def _stay(call: Call, *, services: "Services", address: str, interrupts: Interrupts) -> None:
    counts = services.progress.counts()
    call.screen.say()
    call.screen.say(
        f"Demo ready: {counted(counts.total, 'invoice')}, {number(counts.synced)} in QuickBooks "
        f"(simulator at {address}), {number(counts.failed)} fail on purpose. Ctrl-C to stop."
    )
    while not interrupts.asked:
        call.clock.sleep_ms(ASK_EVERY_MS)


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
