"""The must-have rows: one for every oddity that has a verdict, ids 2000001 and up."""

from collections.abc import Iterator
from typing import Any

from application.mis.demo_people import Table


def edge_tables() -> Iterator[Table]:
    """Yield the rows, table by table."""
    yield from ()


def edge_lines() -> Iterator[dict[str, Any]]:
    """Yield what QuickBooks holds beside them."""
    yield from ()
