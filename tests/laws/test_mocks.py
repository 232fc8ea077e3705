"""A mock of our own code agrees with whatever we believe, and stays green when we are wrong.

Tests replace the clock, chance, threads or transport they were given; nothing of ours is patched.
`monkeypatch` may set the environment and the working folder, and move a foreign client's address.
It cannot see a hand-written double.
"""

import ast

from tests.laws.reading import Source, python_in

PATCHES = frozenset({"setattr", "delattr", "setitem", "delitem"})
OURS = frozenset({"application", "qbo_simulator", "tests", "tools", ""})


def foreign_names(tree: ast.Module) -> set[str]:
    """Return the names a file imports from packages that are not ours."""
    return {
        each.asname or each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in OURS
        for each in node.names
    }


def is_patch(node: ast.AST, *, foreign: set[str]) -> bool:
    match node:
        case ast.Import(names=names):
            return any(each.name.startswith(("unittest.mock", "mock")) for each in names)
        case ast.ImportFrom(module=module, names=names):
            return (module or "").startswith(("unittest.mock", "mock")) or (
                module == "unittest" and any(each.name == "mock" for each in names)
            )
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="monkeypatch"), attr=verb), args=[target, *_]
        ):
            theirs = isinstance(target, ast.Name) and target.id in foreign
            return verb in PATCHES and not theirs
        case ast.arg(arg="mocker"):
            return True
        case _:
            return False


def patches_in(sources: list[Source]) -> list[str]:
    found: list[str] = []
    for source in sources:
        foreign = foreign_names(source.tree)
        found += [
            f"{source.path}:{getattr(node, 'lineno', 0)}"
            for node in ast.walk(source.tree)
            if is_patch(node, foreign=foreign)
        ]
    return found


class TestMocks:
    def test_of_our_own_code_do_not_exist(self) -> None:
        assert patches_in(python_in("tests", "bench")) == []

    def test_are_found_however_they_come(self) -> None:
        planted = Source(
            "tests/a.py",
            "from unittest import mock\n"
            "import unittest.mock\n"
            "def one(mocker): ...\n"
            "def two(monkeypatch):\n"
            "    monkeypatch.setattr(a, 'b', 1)\n"
            "    monkeypatch.setenv('A', 'b')\n"
            "from quickbooks import QuickBooks\n"
            "def three(monkeypatch):\n"
            "    monkeypatch.setattr(QuickBooks, 'url', 1)\n",
        )

        assert patches_in([planted]) == [
            "tests/a.py:1",
            "tests/a.py:2",
            "tests/a.py:3",
            "tests/a.py:5",
        ]
