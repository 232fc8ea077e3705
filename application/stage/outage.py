"""The demo MIS moved out of everybody's reach, and back; never left there by a crash."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from application.catalogue import Stop
from application.embedded import Place
from application.stage.table import NotNow
from application.store.liveness import FileLock


class Outage:
    """Moves the file of the demo MIS away: whoever asks it finds nothing, as behind a dead server.

    The lock ends with the process that moved it, so the next one knows that nobody will bring the
    file back, and does so.

    Args:
        place: Whose demo MIS.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = FileLock(place.outage_lock)

    @property
    def lasts(self) -> bool:
        """Whether the MIS is away now."""
        return self._place.mis_away.exists()

    def begin(self, *, still: Callable[[], AbstractContextManager[None]]) -> None:
        """Move it away.

        Args:
            still: Keeps writers out meanwhile, so that none is caught half way.

        Raises:
            NotNow: Another process has moved it away.
        """
        if self.lasts or not self._take():
            raise NotNow(problem="the MIS is out of reach already")
        try:
            with still():
                self._place.mis_file.rename(self._place.mis_away)
        except OSError as open_elsewhere:  # Windows moves no file that somebody has open
            self._let_go()
            raise NotNow(problem="another program has the file open") from open_elsewhere
        except Stop:
            self._let_go()
            raise

    def end(self) -> bool:
        """Bring it back; return False while a living process keeps it away."""
        if not self._take():
            return False
        # Whoever asks SQLite for a file that is away leaves an empty one behind.
        empty = not self._place.mis_file.exists() or not self._place.mis_file.stat().st_size
        if self.lasts and empty:
            self._place.mis_away.replace(self._place.mis_file)
        self._let_go()
        return True

    def _take(self) -> bool:
        self._place.locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._lock.take()

    def _let_go(self) -> None:
        self._lock.release()


def restored(place: Place) -> bool:
    """Return whether the demo MIS is within reach, after bringing back a forsaken one."""
    outage = Outage(place)
    return not outage.lasts or outage.end()
