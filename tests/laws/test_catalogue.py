"""A code nobody listed reaches a person as an unexpected error; one nobody uses is a rumour.

Codes used, codes listed and codes documented are the same set, but for those whose code is not
due yet. It cannot see a code that is put together from parts.
"""

import ast
import re

from application.catalogue import CAUSES, Stop
from tests.laws.reading import ROOT, Source, python_in

TABLE = "application/causes.py"
# Causes of the comparison that later deliveries bring.
NOT_DUE = frozenset(
    {
        "amount_differs",
        "changed_after_sync",
        "details_differ",
        "duplicate_in_quickbooks",
        "missing_in_quickbooks",
        "only_in_quickbooks",
    }
)


def literals_in(sources: list[Source]) -> set[str]:
    return {
        node.value
        for source in sources
        if source.path != TABLE
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def named_as_cause(sources: list[Source]) -> set[str]:
    """Return the strings given as `cause=` or assigned to a `cause`."""
    found: set[str] = set()
    for source in sources:
        for node in ast.walk(source.tree):
            match node:
                case ast.keyword(arg="cause", value=ast.Constant(value=str(code))):
                    found.add(code)
                case ast.Assign(
                    targets=[ast.Name(id="cause")], value=ast.Constant(value=str(code))
                ):
                    found.add(code)
                case ast.Call(
                    func=ast.Name(id="explain"), args=[ast.Constant(value=str(code)), *_]
                ):
                    found.add(code)
                case _:
                    pass
    return found


def stops(base: type[Stop]) -> set[str]:
    """Return the causes of every class below Stop."""
    below = base.__subclasses__()
    return {each.cause for each in below}.union(*(stops(each) for each in below))


class TestCodes:
    def test_used_are_listed(self) -> None:
        used = named_as_cause(python_in("application")) | stops(Stop)

        assert used - set(CAUSES) == set()

    def test_listed_are_used_or_not_due(self) -> None:
        assert set(CAUSES) - literals_in(python_in("application")) == NOT_DUE

    def test_listed_are_documented_under_their_own_anchor(self) -> None:
        page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")

        assert set(re.findall(r"^## (\w+)$", page, flags=re.MULTILINE)) == set(CAUSES)

    def test_that_are_made_up_are_found(self) -> None:
        planted = Source(
            "a.py", 'Refused(cause="made_up")\ncause = "dreamt"\nexplain("wished", {})\n'
        )

        assert named_as_cause([planted]) == {"made_up", "dreamt", "wished"}
