"""A person at a terminal: what they see, what they type, when they press Ctrl-C."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.walks.support import PATIENCE_S, TOOL, Installation

DRAWING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C = "\x03"


class Terminal:
    """One command with a terminal for all three streams."""

    def __init__(
        self, installation: Installation, *words: str, ignoring: signal.Signals | None = None
    ) -> None:
        self.seen = ""
        self._own, theirs = pty.openpty()
        self._child = subprocess.Popen(  # noqa: S603 - our own tool, no shell
            [sys.executable, str(TOOL), *words],
            cwd=installation.folder,
            env={**installation.environment(), "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: _take_terminal(ignoring),  # noqa: PLW1509 - one thread only; Ctrl-C needs it
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()
        self._child.wait()
        if self._own >= 0:
            os.close(self._own)

    def until(self, words: str) -> str:
        """Read until the words stand there, or the command ended."""
        while words not in self.seen and self._read():
            pass
        assert words in self.seen, self.seen
        return self.seen

    def close(self) -> int:
        """Close the window, as a lost connection does, and return the exit code."""
        os.close(self._own)
        self._own = -1
        return self._child.wait(timeout=PATIENCE_S)

    def type(self, text: str) -> None:
        os.write(self._own, text.encode())

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        return self._child.wait(timeout=PATIENCE_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._own], [], [], PATIENCE_S)
        assert ready, self.seen
        try:
            more = os.read(self._own, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += DRAWING.sub("", more.decode(errors="replace"))
        return bool(more)


def _take_terminal(ignoring: signal.Signals | None) -> None:
    import fcntl  # noqa: PLC0415 - in the child, POSIX only
    import termios  # noqa: PLC0415 - as above

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it
    if ignoring is not None:
        signal.signal(ignoring, signal.SIG_IGN)
