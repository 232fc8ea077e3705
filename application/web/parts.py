"""What macros are given: the columns of a table, the parts of a bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 1_000  # units across the longest bar
LEAST: Final = 8  # a part that is there at all can be seen


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Args:
        label: Its head; on a small screen it stands before each value.
        number: Whether its values stand at the right.
        sort: Address that sorts by it; "" where nothing does.
        sorted: `ascending` or `descending` while it does.
    """

    label: str
    number: bool = False
    sort: str = ""
    sorted: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a bar.

    Args:
        kind: `synced`, `failed`, `open`: its colour and pattern.
        x: Where it begins.
        width: How wide it is.
    """

    kind: str
    x: int
    width: int


def bar(parts: Sequence[tuple[str, int]], *, most: int) -> list[Part]:
    """Return the parts of a bar, from the left.

    Args:
        parts: Kind and number of each.
        most: The number of the longest bar beside it.
    """
    found: list[Part] = []
    x = 0
    for kind, number in parts:
        if number <= 0:
            continue
        width = max(LEAST, number * WIDTH // max(1, most))
        found.append(Part(kind, x, min(width, WIDTH - x)))
        x = min(WIDTH - LEAST, x + width)
    return found
