"""Minds the demo's server: a process of its own, started again when it dies, ended with us."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from application.catalogue import ConfigInvalid
from application.embedded import Place
from application.stage.table import NotNow
from application.store.liveness import FileLock
from application.world import Clock

REST_MS: Final = 2_000
KILL_AFTER_MS: Final = 500  # whoever wished it gets an answer first
LOOK_MS: Final = 100
STOP_S: Final = 15
STARTS_MOST: Final = 5
ROOT: Final = Path(__file__).resolve().parents[2]
_LISTENS: Final = re.compile(rb"http://\S+:(\d+)")
_START: Final = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    "from application.cli.main import main; sys.exit(main())"
)


def minded(place: Place) -> bool:
    """Return whether a `demo` command minds this installation's server."""
    lock = FileLock(place.demo_lock)
    if not place.demo_lock.exists() or lock.take():
        lock.release()
        return False
    return True


class Minder:
    """Keeps one server up.

    Args:
        place: Whose server.
        clock: For the rests.
        port: Where it listens; 0 takes a free one, and keeps it.
    """

    def __init__(self, place: Place, *, clock: Clock, port: int) -> None:
        self._place = place
        self._clock = clock
        self._port = port
        self._lock = FileLock(place.demo_lock)
        self._child: subprocess.Popen[bytes] | None = None
        self._log = place.folder / "server.log"

    def take(self) -> None:
        """Be the only one who minds it.

        Raises:
            NotNow: Another `demo` command does.
        """
        self._place.locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._lock.take():
            raise NotNow(problem="the demo runs already; stop the other `feebridge demo` first")
        self._place.kill_wish.unlink(missing_ok=True)

    def start(self) -> int:
        """Start the server and return its port once it listens.

        Raises:
            ConfigInvalid: It ended instead; its own words are in the problem.
        """
        words = [sys.executable, "-c", _START, "serve", "--demo", "--host", "127.0.0.1"]
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [*words, "--port", str(self._port)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ,  # noqa: TID251 - the same settings as ours
                start_new_session=True,  # Ctrl-C is for us: we end it in order
            )
        assert self._child.stdout is not None, "asked for above"  # noqa: S101 - narrows the type
        found = _LISTENS.search(self._child.stdout.readline())
        if found is None:
            self._child.communicate()
            raise ConfigInvalid(setting="the demo's server", problem=f"ended: {self._words()}")
        self._port = int(found[1])
        return self._port

    def mind(
        self,
        *,
        asked: Callable[[], bool],
        every: Callable[[], object],
        died: Callable[[int], None],
        back: Callable[[], None],
    ) -> None:
        """Keep it up until somebody asks to stop.

        Args:
            asked: Whether somebody did.
            every: Called at each look; whatever else is to be minded.
            died: Told its exit code when it ended by itself or was killed.
            back: Told when it listens again.

        Raises:
            ConfigInvalid: It did not start again, several times in a row.
        """
        while not asked():
            self._kill_if_wished()
            code = None if self._child is None else self._child.poll()
            if code is not None:
                died(code)
                self._start_again(asked)
                if not asked():
                    back()
            every()
            self._clock.sleep_ms(LOOK_MS)

    def close(self) -> None:
        """End the server in order, and stop minding it."""
        if self._child is not None:
            self._child.terminate()
            try:
                self._child.communicate(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.communicate()
            self._child = None
        self._place.kill_wish.unlink(missing_ok=True)
        self._lock.release()

    def _kill_if_wished(self) -> None:
        if not self._place.kill_wish.exists() or self._child is None:
            return
        self._clock.sleep_ms(KILL_AFTER_MS)
        self._place.kill_wish.unlink(missing_ok=True)
        self._child.kill()
        self._child.communicate()

    def _start_again(self, asked: Callable[[], bool]) -> None:
        for turn in range(1, STARTS_MOST + 1):
            rested_ms = 0
            while rested_ms < REST_MS and not asked():
                self._clock.sleep_ms(LOOK_MS)
                rested_ms += LOOK_MS
            if asked():
                return
            try:
                self.start()
            except ConfigInvalid:
                if turn == STARTS_MOST:
                    raise
            else:
                return

    def _words(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return " ".join(text.split())[-300:]
