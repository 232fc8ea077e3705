"""QuickBooks' limits as the simulator's request log shows them; our own word does not count."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.rooms.simulator_support import RunningSimulator, Thing

SECOND_S, MINUTE_S = 1.0, 60.0
PER_SECOND, PER_MINUTE, BUNDLES_PER_MINUTE, IN_FLIGHT = 10, 500, 40, 10
CEILING_PER_MINUTE = 30 * BUNDLES_PER_MINUTE + PER_MINUTE - BUNDLES_PER_MINUTE
TOO_MANY = 429


@dataclass(frozen=True)
class Seen:
    """What arrived at QuickBooks.

    Args:
        requests: Arrivals at the company's addresses, in QuickBooks' seconds.
        bundles: Those of them that were bundles.
        reads: How many were metered.
        refused: Arrivals that were answered with 429.
        in_flight: The most at one moment, as the simulator counted.
    """

    requests: Sequence[float]
    bundles: Sequence[float]
    reads: int
    refused: Sequence[float]
    in_flight: int

    @property
    def took_s(self) -> float:
        """From the first to the last arrival, in QuickBooks' seconds."""
        return self.requests[-1] - self.requests[0]

    @property
    def late_refusals(self) -> int:
        """429 behind the first minute."""
        return sum(at - self.requests[0] > MINUTE_S for at in self.refused)

    def most(self, *, bundles: bool = False, span_s: float) -> int:
        """Return the most arrivals in any window of that length."""
        return most_in(self.bundles if bundles else self.requests, span_s=span_s)


def seen_by(simulator: RunningSimulator, *, after: int = 0) -> Seen:
    """Return what the simulator's log says behind an entry."""
    visits = [one for one in simulator.log(after=after) if one["path"].startswith("/v3/")]
    return Seen(
        requests=_times(visits),
        bundles=_times(one for one in visits if one["path"].endswith("/batch")),
        reads=sum(one["method"] == "GET" for one in visits),
        refused=_times(one for one in visits if one["status"] == TOO_MANY),
        in_flight=_in_flight(simulator),
    )


def most_in(arrivals: Sequence[float], *, span_s: float) -> int:
    """Return the most arrivals in any window; one that opens as another closes is not in it."""
    window: deque[float] = deque()
    most = 0
    for at in sorted(arrivals):
        window.append(at)
        while window[0] <= at - span_s:
            window.popleft()
        most = max(most, len(window))
    return most


def _times(visits: Iterable[Thing]) -> list[float]:
    return sorted(float(one["virtual_s"]) for one in visits)


def _in_flight(simulator: RunningSimulator) -> int:
    state = simulator.control("GET", "state")
    return max(_numbers(state, "most_in_flight"), default=0)


def _numbers(found: object, name: str) -> list[int]:
    if isinstance(found, dict):
        here = [int(found[name])] if name in found else []
        return here + [one for value in found.values() for one in _numbers(value, name)]
    if isinstance(found, list):
        return [one for value in found for one in _numbers(value, name)]
    return []
