"""A function nobody can see at once, or a file nobody reads to its end, hides what it decides.

Forty lines a function and four hundred a file, docstrings not counted. It cannot see how much a
line holds, nor whether a file was cut where its subject ends.
"""

import ast

from tests.laws.reading import PRODUCT, Source, docstring_lines, length, python_in

FUNCTION_LINES_MAX = 40
FILE_LINES_MAX = 400


def long_functions(sources: list[Source]) -> list[str]:
    return [
        f"{source.path}:{node.lineno} {node.name} has {length(node)} lines"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and length(node) > FUNCTION_LINES_MAX
    ]


def long_files(sources: list[Source]) -> list[str]:
    sizes = {source.path: len(source.lines) - docstring_lines(source.tree) for source in sources}
    return [f"{path} has {size} lines" for path, size in sizes.items() if size > FILE_LINES_MAX]


class TestSize:
    def test_no_function_is_longer_than_forty_lines(self) -> None:
        sources = python_in(*PRODUCT, "tests", "docs", "bench")

        assert long_functions(sources) == []

    def test_no_file_is_longer_than_four_hundred_lines(self) -> None:
        sources = python_in(*PRODUCT, "tests", "docs", "bench")

        assert long_files(sources) == []

    def test_finds_what_is_too_long_and_leaves_docstrings_out(self) -> None:
        body = "    x = 1\n" * FUNCTION_LINES_MAX
        docstring = '    """First.\n' + "\n" * 30 + '    """\n'

        planted = [
            Source("long.py", f"def long() -> None:\n{body}"),
            Source("told.py", f"def told() -> None:\n{docstring}{body[10:]}"),
        ]

        assert long_functions(planted) == ["long.py:1 long has 41 lines"]
        assert long_files([Source("tall.py", "x = 1\n" * 401)]) == ["tall.py has 401 lines"]
