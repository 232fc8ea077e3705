"""What sending so many invoices asks of QuickBooks: requests, and minutes at its limits."""

from dataclasses import dataclass
from typing import Final

BUNDLE: Final = 30  # creates in one request, as QuickBooks allows
BOTH_LANES_ABOVE: Final = 30  # a small run sends one by one, so each answer is its own


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run will ask for, customers it has to create first not included.

    Args:
        requests: Creates, in bundles and one by one.
        minutes: How long that takes, rounded up.
        per_minute: The most invoices QuickBooks' limits allow.
    """

    requests: int
    minutes: int
    per_minute: int


def cost_of(
    count: int,
    *,
    bundles_a_minute: int,
    requests_a_minute: int,
    batch_size: int = BUNDLE,
    scale: int = 1,
) -> Cost:
    """Return what so many invoices cost.

    Args:
        count: How many are sent.
        bundles_a_minute: QuickBooks' limit.
        requests_a_minute: QuickBooks' limit; bundles count towards it.
        batch_size: Invoices in a batch; a bundle never holds more.
        scale: How many times faster QuickBooks' minutes run.
    """
    alone = max(0, requests_a_minute - bundles_a_minute)
    size = min(BUNDLE, batch_size)
    together = bundles_a_minute * size
    per_minute = (together + alone) * scale
    if count <= BOTH_LANES_ABOVE:
        return Cost(requests=count, minutes=1, per_minute=per_minute)
    bundled = count * together // (together + alone)
    requests = -(-bundled // size) + count - bundled
    return Cost(requests=requests, minutes=-(-count // per_minute), per_minute=per_minute)
