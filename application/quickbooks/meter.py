"""What QuickBooks is asked: how much left us, and whether the month's reads are used up."""

from collections.abc import Callable
from typing import Final

IN_A_ROW: Final = 4  # refused reads, a rest apart: a limit of a minute would have passed
AGAIN_S: Final = 600  # until one read finds out whether more were granted
HAND_ON_MS: Final = 10_000  # a killed process leaves at most so much uncounted


class ReadMeter:
    """Tells a month without reads from a minute with too many requests, by QuickBooks' answers.

    Both are told by the same refusal. A limit holds back everything and passes with one rest;
    used-up reads are refused after each rest, while writes pass.

    Args:
        again_ms: How long nothing is read once it is known.
        refused: What an earlier process had counted.
    """

    def __init__(self, *, again_ms: int, refused: int = 0) -> None:
        self._again_ms = again_ms
        self._until_ms = 0
        self._rested_ms = 0
        self.refused = min(refused, IN_A_ROW)

    def rest_ms(self, now: int) -> int:
        """Return how long nothing should be read; 0 where it is not known to be in vain."""
        return max(0, self._until_ms - now)

    def read_refused(self, now: int, *, rests_until: int) -> bool:
        """Count the refusal of a read; return whether the month's reads are used up.

        Args:
            now: Now.
            rests_until: The end of the rest that follows if they are not.
        """
        if now >= self._rested_ms:  # several answers of one burst are one refusal
            self.refused = min(self.refused + 1, IN_A_ROW)
            self._rested_ms = rests_until
        if self.refused < IN_A_ROW:
            return False
        self._until_ms = self._rested_ms = now + self._again_ms
        return True

    def passed(self) -> None:
        """Forget the refusals: a read was answered, or a write was refused as well."""
        self.refused = self._until_ms = self._rested_ms = 0


class Traffic:
    """Counts what leaves for QuickBooks, and hands it on now and then.

    Args:
        keep: Adds up requests, and the reads among them, for every process of the installation.
    """

    def __init__(self, keep: Callable[[int, int], None]) -> None:
        self._keep = keep
        self._handed_on_ms = 0
        self.requests = 0
        self.reads = 0
        self._kept = (0, 0)

    def sent(self, *, read: bool) -> None:
        """Count a request that has left."""
        self.requests += 1
        self.reads += read

    def hand_on(self, now: int | None = None) -> None:
        """Have what is new added up.

        Args:
            now: Leave it for later where that was done a short time ago; None: at once.
        """
        if now is not None and now - self._handed_on_ms < HAND_ON_MS:
            return
        self._handed_on_ms = now or self._handed_on_ms
        requests, reads = self.requests - self._kept[0], self.reads - self._kept[1]
        if requests:
            self._keep(requests, reads)
            self._kept = (self._kept[0] + requests, self._kept[1] + reads)
