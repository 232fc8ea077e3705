"""Rate limits as Intuit counts them, the meter of reads, and the highest rates seen."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from qbo_simulator.codec import Thing

MINUTE_S: Final = 60.0
PER_SECOND: Final = 10
PER_MINUTE: Final = 500
IN_FLIGHT: Final = 10
BATCHES_PER_MINUTE: Final = 40


@dataclass(slots=True)
class Window:
    """Arrivals of one kind within a span of simulated seconds."""

    span_s: float
    limit: int
    arrivals: deque[float] = field(default_factory=deque)
    most: int = 0

    def count(self, now_s: float, *, fixed: bool = False) -> int:
        """Return how many arrived in the window that ends now."""
        start = now_s - now_s % self.span_s if fixed else now_s - self.span_s
        while self.arrivals and (self.arrivals[0] < start if fixed else self.arrivals[0] <= start):
            self.arrivals.popleft()
        return len(self.arrivals)

    def add(self, now_s: float, *, cost: int = 1, fixed: bool = False) -> None:
        """Note an arrival."""
        self.count(now_s, fixed=fixed)
        self.arrivals.extend([now_s] * cost)
        self.most = max(self.most, len(self.arrivals))


@dataclass(slots=True)
class Gate:
    """The limits of one company, for the one app there is."""

    second: Window = field(default_factory=lambda: Window(1.0, PER_SECOND))
    minute: Window = field(default_factory=lambda: Window(MINUTE_S, PER_MINUTE))
    batches: Window = field(default_factory=lambda: Window(MINUTE_S, BATCHES_PER_MINUTE))
    seen_second: Window = field(default_factory=lambda: Window(1.0, 0))
    seen_minute: Window = field(default_factory=lambda: Window(MINUTE_S, 0))
    seen_batches: Window = field(default_factory=lambda: Window(MINUTE_S, 0))
    in_flight: int = 0
    in_flight_most: int = 0
    refused: int = 0
    core: int = 0
    core_plus: int = 0

    def arrive(self, now_s: float, *, batch: bool) -> None:
        """Count a request as it comes, refused ones included."""
        self.seen_second.add(now_s)
        self.seen_minute.add(now_s)
        if batch:
            self.seen_batches.add(now_s)
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)

    def leave(self) -> None:
        """The answer is gone, or the connection is."""
        self.in_flight -= 1

    def admits(self, now_s: float, *, batch: bool, cost: int, fixed: bool) -> bool:
        """Return whether a request may pass, and count it if it does."""
        windows = [self.second, self.minute] + ([self.batches] if batch else [])
        costs = [1 if window is self.batches else cost for window in windows]
        full = any(
            window.count(now_s, fixed=fixed) + (one if window is not self.second else 1)
            > window.limit
            for window, one in zip(windows, costs, strict=True)
        )
        if full or self.in_flight > IN_FLIGHT:
            self.refused += 1
            return False
        for window, one in zip(windows, costs, strict=True):
            window.add(now_s, cost=1 if window is self.second else one, fixed=fixed)
        return True

    def meter(self, *, reads: bool, quota: int) -> bool:
        """Count a call; return whether the monthly read quota still covers it."""
        if not reads:
            self.core += 1
            return True
        if self.core_plus >= quota:
            return False
        self.core_plus += 1
        return True

    def shown(self) -> Thing:
        """Return the counters."""
        return {
            "most_in_1_s": self.seen_second.most,
            "most_in_60_s": self.seen_minute.most,
            "most_batches_in_60_s": self.seen_batches.most,
            "most_in_flight": self.in_flight_most,
            "in_flight": self.in_flight,
            "refused_429": self.refused,
            "core_calls": self.core,
            "core_plus_calls": self.core_plus,
        }
