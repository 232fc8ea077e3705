"""A name that fits everything tells nothing, and two words for one thing make two things of it.

Banned words may not be part of a name we give: module, class, function, argument, variable. What
libraries impose is named below. A person never reads "QB" or "QBO". It cannot see a wrong word that
is not on the list.
"""

import ast
import re
from collections.abc import Iterator

from tests.laws.reading import PRODUCT, Source, everything, python_in, words_in

BANNED = frozenset(
    {"utils", "util", "data", "info", "common", "misc", "manager", "process", "handle"}
)
# Names of asyncio, SQLAlchemy and logging; and a process where a running program is meant.
IMPOSED = frozenset(
    {
        "PROCESS_ENDED",
        "data_received",
        "handleError",
        "process",
        "process_bind_param",
        "process_result_value",
    }
)
IMPOSED_ON = frozenset({"qbo_simulator/transport.py data"})
SHORT_NAME = re.compile(r"\bQBO?\b")
THE_GUIDE = "docs/reference/guide.md"


def names_given(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything a file names itself."""
    yield 1, source.path.rsplit("/", maxsplit=1)[-1].removesuffix(".py")
    for node in ast.walk(source.tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case _:
                pass


def banned_names(sources: list[Source]) -> list[str]:
    return [
        f"{source.path}:{line} {name}"
        for source in sources
        for line, name in names_given(source)
        if BANNED & set(words_in(name))
        and name not in IMPOSED
        and f"{source.path} {name}" not in IMPOSED_ON
    ]


def short_names(sources: list[Source]) -> list[str]:
    """Return where a string or a page says QB or QBO."""
    found: list[str] = []
    for source in sources:
        if source.path.endswith(".md") and source.path != THE_GUIDE:
            found += [
                f"{source.path}:{number}"
                for number, line in enumerate(source.lines, start=1)
                if SHORT_NAME.search(line)
            ]
        elif source.path.startswith("application/") and source.path.endswith(".py"):
            found += [
                f"{source.path}:{node.lineno}"
                for node in ast.walk(source.tree)
                if isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and SHORT_NAME.search(node.value)
            ]
    return found


class TestNames:
    def test_say_what_they_are(self) -> None:
        assert banned_names(python_in(*PRODUCT)) == []

    def test_are_read_word_by_word(self) -> None:
        planted = [
            Source("a.py", "class RunManager:\n    def one(self, rawData): ...\n"),
            Source("common.py", "update = 1\n"),
        ]

        assert banned_names(planted) == [
            "a.py:1 RunManager",
            "a.py:2 rawData",
            "common.py:1 common",
        ]


class TestShortNames:
    def test_of_quickbooks_are_never_shown(self) -> None:
        assert short_names(list(everything())) == []

    def test_are_found_in_strings_and_pages(self) -> None:
        planted = [
            Source("application/a.py", 'x = "sent to QBO"\n'),
            Source("docs/a.md", "Fine\nQB is down\n"),
        ]

        assert short_names(planted) == ["application/a.py:1", "docs/a.md:2"]
