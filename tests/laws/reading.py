"""What every law needs: the files of this checkout as text and as trees."""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("application", "qbo_simulator", "tools")
ELSEWHERE = frozenset(
    {"__pycache__", "backups", "build", "demo", "dist", "logs", "node_modules", "var"}
)
OUTPUT = "proof"  # a folder of that name at the top; tests have one too
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Source:
    """One file; a test that plants an offence makes its own."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def python_in(*folders: str) -> list[Source]:
    """Return every Python file below the folders, sorted by path."""
    return [_read(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def _read(path: Path) -> Source:
    # Read once for all laws: they parse every file, and no law changes one.
    return Source(path=path.relative_to(ROOT).as_posix(), text=path.read_text(encoding="utf-8"))


def everything() -> Iterator[Source]:
    """Yield every text file that belongs to the project: no hidden folder but .ci, nothing made."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if any(part in ELSEWHERE or part.endswith(".egg-info") for part in parts):
            continue
        if parts[0] == OUTPUT:
            continue
        if any(part.startswith(".") and part != ".ci" for part in parts[:-1]):
            continue
        if not path.is_file() or parts[-1].startswith((".coverage", ".env")):
            continue
        if parts == (".git",):
            continue  # in a linked working tree it is a file that names a place of this machine
        try:
            yield Source(path="/".join(parts), text=path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue


def settings_of_the_house() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def docstring_lines(node: ast.AST) -> int:
    """Return how many lines the docstrings inside a node take, nested ones included."""
    count = 0
    for each in ast.walk(node):
        if not isinstance(each, DOCUMENTED) or not each.body:
            continue
        first = each.body[0]
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            count += (first.end_lineno or first.lineno) - first.lineno + 1
    return count


def length(node: ast.stmt) -> int:
    """Return the lines of a statement without its docstrings and decorators."""
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)


def words_in(name: str) -> list[str]:
    """Return the words of an identifier in lower case: snake_case and CamelCase."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
