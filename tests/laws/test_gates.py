"""A step the tests cannot stop at is a step nobody knows what a crash there does.

Every gate is passed somewhere in the product, or stands below as not due; what is due leaves that
list. It cannot see an effect that passes no gate at all: the kills of the walks look for those.
"""

import ast

from application.world import Gate
from tests.laws.reading import Source, python_in

WORLD = "application/world.py"
NOT_DUE = frozenset(
    {
        "CUSTOMER_SENT",  # a customer's send passes the gates of every send
    }
)


def passed_in(sources: list[Source]) -> set[str]:
    """Return the gates the sources mention outside the enum itself."""
    return {
        node.attr
        for source in sources
        if source.path != WORLD
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Gate"
    }


class TestGates:
    def test_are_passed_somewhere_or_not_due(self) -> None:
        assert {gate.name for gate in Gate} - passed_in(python_in("application")) == NOT_DUE

    def test_mentioned_exist(self) -> None:
        assert passed_in(python_in("application")) - {gate.name for gate in Gate} == set()

    def test_are_counted_by_their_name(self) -> None:
        planted = [Source("a.py", "gate(Gate.MARK_SENT)\n"), Source(WORLD, "Gate.MARK_NOTED\n")]

        assert passed_in(planted) == {"MARK_SENT"}
