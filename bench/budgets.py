"""A budget: what was measured, what is allowed, how they compare; and the table of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

WHOLE_FROM = 100  # from here on no places behind the point


@dataclass(frozen=True)
class Budget:
    """One figure.

    Args:
        name: What was measured, in a few words.
        measured: The figure.
        unit: Of the figure.
        allowed: Its bound; None where the figure is only told.
        at_least: Whether the bound is the least instead of the most.
    """

    name: str
    measured: float
    unit: str = ""
    allowed: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        """Measured out of allowed; None where nothing bounds it."""
        if self.allowed is None:
            return None
        return self.measured / self.allowed if self.allowed else self.measured

    @property
    def kept(self) -> bool:
        """Whether the bound holds."""
        if self.allowed is None:
            return True
        return self.measured >= self.allowed if self.at_least else self.measured <= self.allowed

    @property
    def verdict(self) -> str:
        """PASS or MISS; nothing where nothing bounds it."""
        if self.allowed is None:
            return ""
        return "PASS" if self.kept else "MISS"

    @property
    def entry(self) -> dict[str, object]:
        """What the history keeps of it."""
        kept = asdict(self)
        kept["measured"] = round(self.measured, 4)
        if self.ratio is not None:
            kept |= {"ratio": round(self.ratio, 3), "verdict": self.verdict}
        return kept


@dataclass(frozen=True)
class Outcome:
    """What one part brought: its figures, and text to print below them."""

    budgets: Sequence[Budget]
    notes: Sequence[str] = ()


def table(budgets: Sequence[Budget]) -> list[str]:
    """Return the figures as lines: measured, bound, ratio, verdict."""
    return [
        f"  {one.name:<58}{_figure(one.measured):>10} {one.unit:<12}{_bound(one):>12}"
        f"{'' if one.ratio is None else f'{one.ratio:.2f}':>8}  {one.verdict}".rstrip()
        for one in budgets
    ]


def _figure(number: float) -> str:
    return (
        f"{number:,.0f}" if abs(number) >= WHOLE_FROM or number == int(number) else f"{number:.3g}"
    )


def _bound(one: Budget) -> str:
    if one.allowed is None:
        return ""
    return f"{'at least' if one.at_least else 'at most'} {_figure(one.allowed)}"
