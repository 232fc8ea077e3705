"""A mock of our own code agrees with whatever we believe, and stays green when we are wrong.

Tests replace the clock, chance, threads or transport they were given; nothing of ours is patched.
`monkeypatch` may set the environment and the working folder. It cannot see a hand-written double.
"""

import ast

from tests.laws.reading import Source, python_in

PATCHES = frozenset({"setattr", "delattr", "setitem", "delitem"})


def patches_in(sources: list[Source]) -> list[str]:
    found: list[str] = []
    for source in sources:
        for node in ast.walk(source.tree):
            match node:
                case ast.Import(names=names):
                    guilty = any(each.name.startswith(("unittest.mock", "mock")) for each in names)
                case ast.ImportFrom(module=module, names=names):
                    guilty = (module or "").startswith(("unittest.mock", "mock")) or (
                        module == "unittest" and any(each.name == "mock" for each in names)
                    )
                case ast.Attribute(value=ast.Name(id="monkeypatch"), attr=verb):
                    guilty = verb in PATCHES
                case ast.arg(arg="mocker"):
                    guilty = True
                case _:
                    guilty = False
            if guilty:
                found.append(f"{source.path}:{getattr(node, 'lineno', 0)}")
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
            "    monkeypatch.setenv('A', 'b')\n",
        )

        assert patches_in([planted]) == [
            "tests/a.py:1",
            "tests/a.py:2",
            "tests/a.py:3",
            "tests/a.py:5",
        ]
