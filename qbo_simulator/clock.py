"""Two times: the real one for dates and stamps, a faster one for windows, lives and waits."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")


class Clock:
    """Real time and simulated seconds; `scale` simulated seconds pass in a real one."""

    def __init__(self, *, scale: float = 1.0, skipped_s: float = 0.0) -> None:
        self.scale = scale
        self.skipped_s = skipped_s
        self._wall_s = time.time()
        self._boot_s = time.monotonic()

    def real_s(self) -> float:
        """Return seconds since 1970 that never run backwards in this process."""
        return self._wall_s + time.monotonic() - self._boot_s

    def virtual_s(self) -> float:
        """Return simulated seconds; only differences mean anything."""
        return self.real_s() * self.scale + self.skipped_s

    def now(self) -> datetime:
        """Return the real instant, aware, in UTC."""
        return datetime.fromtimestamp(self.real_s(), tz=UTC)

    def skip(self, seconds: float) -> None:
        """Let simulated seconds pass at once."""
        self.skipped_s += seconds

    def real_wait_s(self, virtual_s: float) -> float:
        """Return how long a simulated wait takes on the wall."""
        return virtual_s / self.scale

    def resume(self, *, scale: float, skipped_s: float) -> None:
        """Go on where another process of the same books stopped, whatever its scale was."""
        old_s = self.real_s() * scale + skipped_s
        self.skipped_s = old_s - self.real_s() * self.scale


def stamp(instant: datetime) -> str:
    """Return the instant as MetaData shows it: Pacific, whole seconds."""
    return instant.astimezone(PACIFIC).isoformat(timespec="seconds")


def envelope_time(instant: datetime) -> str:
    """Return the instant as an envelope shows it: Pacific, milliseconds."""
    return instant.astimezone(PACIFIC).isoformat(timespec="milliseconds")
