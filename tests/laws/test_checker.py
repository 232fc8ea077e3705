"""A checker that shares code with what it checks is wrong where that is wrong, and finds nothing.

It sees imports, direct ones and those of the modules beside the checker that it uses. It cannot see
a rule that was copied by hand.
"""

import ast
from pathlib import Path

from tests.laws.reading import ROOT

CHECKER = "tests/simulation/checker.py"
JUDGED = frozenset({"application", "qbo_simulator", "sqlalchemy"})


def modules_in(tree: ast.Module) -> set[str]:
    """Return every module a file names in an import."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def judged_by(source: str, *, root: Path = ROOT) -> list[str]:
    """Return what a file imports of that which it judges, by itself or through a test file."""
    found: set[str] = set()
    seen: set[Path] = set()
    todo = [source]
    while todo:
        for module in modules_in(ast.parse(todo.pop())):
            if module.split(".")[0] in JUDGED:
                found.add(module)
            beside = root / f"{module.replace('.', '/')}.py"
            if module.startswith("tests.") and beside.exists() and beside not in seen:
                seen.add(beside)
                todo.append(beside.read_text(encoding="utf-8"))
    return sorted(found)


class TestChecker:
    def test_imports_nothing_it_judges(self) -> None:
        assert judged_by((ROOT / CHECKER).read_text(encoding="utf-8")) == []

    def test_is_found_out_when_it_does(self) -> None:
        planted = (
            "import application.world\n"
            "from qbo_simulator.books import Row\n"
            "from tests.simulation.world import SimulatedWorld\n"
        )

        found = judged_by(planted)

        assert {"application.world", "qbo_simulator.books", "qbo_simulator.office"} <= set(found)
