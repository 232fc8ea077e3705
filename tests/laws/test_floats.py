"""A float in the road of money loses a franc that nobody can find again.

`float` and its literals stand in `world.py` only, where seconds are. It cannot see a float that
comes out of a library or of a division; contract 5 and the wire's own tests look at those.
"""

import ast

from tests.laws.reading import Source, python_in

WORLD = "application/world.py"


def floats_in(sources: list[Source]) -> list[str]:
    return [
        f"{source.path}:{node.lineno}"
        for source in sources
        if source.path != WORLD
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]


class TestFloats:
    def test_live_in_the_world_only(self) -> None:
        assert floats_in(python_in("application")) == []

    def test_are_found_as_name_and_as_literal(self) -> None:
        planted = [Source("a.py", "x: float = 1\ny = 0.5\nz = 1\n"), Source(WORLD, "x = 0.5\n")]

        assert floats_in(planted) == ["a.py:1", "a.py:2"]
