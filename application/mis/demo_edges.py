"""The must-have rows: one for every oddity that has a verdict, ids 2000001 and up."""

from collections.abc import Iterator
from random import Random
from typing import Any

from application.mis.demo_people import Table


def edge_rows(chance: Random) -> Iterator[Table]:
    yield from ()


def edge_seed() -> Iterator[dict[str, Any]]:
    yield from ()
