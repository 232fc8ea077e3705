"""A run while it goes: the bar on a terminal, plain lines elsewhere, events for a program."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from application.catalogue import explain
from application.cli.call import Call
from application.cli.printing import lasted, number
from application.services.reports import Report, nobody

LINE_EVERY = timedelta(seconds=10)
EVENT_EVERY = timedelta(milliseconds=500)
BAR_COLUMNS = 30
RATE_AFTER_MS = 1_000
EXIT_INTERRUPTED = 130
HANG_UP = getattr(signal, "SIGHUP", None)  # Windows has none
ASKS_TO_END = (signal.SIGINT, signal.SIGTERM, *([HANG_UP] if HANG_UP else []))
FIRST = (
    b"\nFinishing the request in hand, then stopping. "
    b"Once more leaves at once; the next run then settles what is open.\n"
)
SECOND = b"\nLeft at once. The next run settles what is open; nothing is sent twice.\n"


class Interrupts:
    """Ctrl-C, SIGTERM and a closed terminal: once is a wish, twice is the end.

    Args:
        wish: Called with nothing on the first one, for what must be done at once.
    """

    def __init__(self, *, wish: Callable[[], None] | None = None) -> None:
        self.asked = False
        self._wish = wish
        self._terminal: list[int] = []  # our streams that end when it closes
        self._former: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Take the signals."""
        self._terminal = [stream for stream in (0, 1, 2) if os.isatty(stream)]
        for name in ASKS_TO_END:
            # Whoever starts us with `nohup` wants us to outlive the terminal.
            if name != HANG_UP or signal.getsignal(name) is not signal.SIG_IGN:
                self._former[name] = signal.signal(name, self._came)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for name, former in self._former.items():
            signal.signal(name, former)  # type: ignore[arg-type]  # what signal() itself returned

    def stop(self) -> bool:
        """Return whether somebody asked to stop."""
        return self.asked

    def _came(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == HANG_UP:
            _write_nowhere(self._terminal)
        # Not through Screen: a signal may come while the very same stream is being written.
        if self.asked:
            if number == HANG_UP:
                return  # kernel and shell both tell of one closed terminal
            _say(SECOND)
            os._exit(EXIT_INTERRUPTED)
        self.asked = True
        _say(FIRST)
        if self._wish is not None:
            self._wish()


def _say(words: bytes) -> None:
    with suppress(OSError):  # nobody reads any more; that is no reason to stop half-way
        os.write(2, words)


def _write_nowhere(streams: Sequence[int]) -> None:
    """Let what we still say go nowhere: in a closed terminal each word of it would be an error."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in streams:
        os.dup2(nowhere, stream)
    os.close(nowhere)


@contextmanager
def watching(call: Call, *, about: str) -> Iterator[Callable[[Report], None]]:
    """Yield what shows the run's figures as they rise, in the manner that was asked for.

    Args:
        call: Where and how to show it.
        about: Company and environment, as words of one line.
    """
    if call.ask.events:
        yield _Events(call).show
    elif call.ask.quiet or call.ask.json:
        yield nobody
    elif call.screen.err_is_terminal:
        bar = _Bar(call, about=about)
        try:
            yield bar.show
        finally:
            bar.close()
    else:
        yield _Lines(call, about=about).show


class _Events:
    """Each change as one line of JSON on stdout."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._number = 0
        self._failed = 0
        self._shown_at: datetime | None = None
        self._paused = False

    def show(self, report: Report) -> None:
        """Write what is new."""
        now = self._call.clock.now()
        if self._shown_at is None:
            self._shown_at = now
            self._event("run.started", {"run_id": report.run_id, "kind": report.kind})
        for failure in report.failures[self._failed :]:
            told = explain(failure.cause, failure.facts)
            self._event(
                "invoice.failed",
                {"invoice_id": failure.invoice_id, "error": told.title, "error_code": told.code},
            )
        self._failed = len(report.failures)
        if bool(report.paused_ms) is not self._paused:
            self._paused = bool(report.paused_ms)
            name = "run.throttled" if self._paused else "run.resumed"
            self._event(name, {"run_id": report.run_id, "seconds": report.paused_ms // 1000})
        over = report.state != "running"
        if over or now - self._shown_at >= EVENT_EVERY:
            self._shown_at = now
            self._event("run.finished" if over else "run.progress", figures(report))

    def _event(self, name: str, content: dict[str, object]) -> None:
        self._number += 1
        self._call.screen.document({"id": self._number, "event": name, "data": content})


class _Lines:
    """One line at the start, one every 10 seconds, one at the end."""

    def __init__(self, call: Call, *, about: str) -> None:
        self._call = call
        self._about = about
        self._shown_at: datetime | None = None
        self._over = False

    def show(self, report: Report) -> None:
        """Write a line where one is due."""
        now = self._call.clock.now()
        if self._shown_at is None:
            self._shown_at = now
            self._call.screen.note(f"run {report.run_id} started kind={report.kind} {self._about}")
        if report.state != "running":
            if not self._over:
                self._over = True
                self._call.screen.note(_finished(report))
        elif now - self._shown_at >= LINE_EVERY:
            self._shown_at = now
            paused = f" paused={report.paused_ms // 1000}" if report.paused_ms else ""
            self._call.screen.note(
                f"run {report.run_id} progress {report.processed}/{report.total} "
                f"synced={report.successful} failed={report.failed}{paused}"
            )


class _Bar:
    """A bar with count, synced, failed, rate and time left."""

    def __init__(self, call: Call, *, about: str) -> None:
        self._call = call
        self._about = about
        self._live: Live | None = None
        self._console = Console(stderr=True, no_color=call.ask.no_color or None, highlight=False)

    def show(self, report: Report) -> None:
        """Draw the bar anew."""
        if report.state != "running":
            self.close()
            return
        if self._live is None:
            self._call.screen.note(f"Run {report.run_id}  {self._about}")
            self._live = Live(
                console=self._console,
                transient=True,
                refresh_per_second=8,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(self._drawn(report))

    def close(self) -> None:
        """Take the bar away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _drawn(self, report: Report) -> Text:
        total = max(report.total, report.processed, 1)
        full = BAR_COLUMNS * report.processed // total
        signs = ("\u2588", "\u2591") if self._call.screen.can_show("\u2588\u2591") else ("#", "-")
        text = Text("  ")
        text.append(signs[0] * full, style="green")
        text.append(signs[1] * (BAR_COLUMNS - full), style="dim")
        text.append(f"  {number(report.processed)}/{number(total)}  ")
        text.append(f"{number(report.successful)} synced")
        if report.failed:
            text.append(f"  {number(report.failed)} failed", style="red")
        if report.unsettled:
            text.append(f"  {number(report.unsettled)} unsettled", style="yellow")
        text.append(f"  {self._pace(report, total=total)}")
        text.no_wrap = True
        text.overflow = "crop"
        return text

    def _pace(self, report: Report, *, total: int) -> str:
        if report.paused_ms:
            title = explain("quickbooks_rate_limited", {}).title
            return f"paused {lasted(report.paused_ms)}: {title}"
        gone_ms = _gone_ms(report, now=self._call.clock.now())
        if gone_ms < RATE_AFTER_MS or not report.processed:
            return ""
        a_minute = 60_000 * report.processed // gone_ms
        left_ms = gone_ms * (total - report.processed) // report.processed
        return f"{number(a_minute)}/min  {lasted(left_ms)} left"


def figures(report: Report) -> dict[str, object]:
    """Return the figures of a run as programs read them."""
    return {
        "run_id": report.run_id,
        "state": report.state,
        "processed": report.processed,
        "total": report.total,
        "successful": report.successful,
        "failed": report.failed,
        "unsettled": report.unsettled,
        "remaining": report.remaining,
    }


def _finished(report: Report) -> str:
    return (
        f"run {report.run_id} {report.state} synced={report.successful} failed={report.failed} "
        f"unsettled={report.unsettled} remaining={report.remaining} "
        f"seconds={(report.duration_ms + 500) // 1000}"
    )


def _gone_ms(report: Report, *, now: datetime) -> int:
    if report.started_at is None:
        return 0
    return (now - report.started_at) // timedelta(milliseconds=1)
