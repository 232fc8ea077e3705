"""An exception to a rule without its reason is copied by the next reader as if it were the rule.

Each `noqa`, `type: ignore` and `pragma` names its rule and gives a reason beside it; each handler
that catches everything says why. Stale ones are found by ruff (RUF100) and mypy
(warn_unused_ignores). It cannot see whether the reason is a good one.
"""

import ast
import io
import re
import tokenize

from tests.laws.reading import PRODUCT, Source, python_in

SWITCH = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:|ruff:)", re.IGNORECASE)
EXCUSED = re.compile(
    r"#\s*(noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*"
    r"|type:\s*ignore\[[a-z-]+(,\s*[a-z-]+)*\]"
    r"|pragma:\s*no (cover|branch))"
    r"(\s*#)?\s*[-:;,(]*\s*\w+(\W+\w+)+"
)
BROAD = frozenset({"Exception", "BaseException"})


def comments_in(source: Source) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def bare_switches(sources: list[Source]) -> list[str]:
    return [
        f"{source.path}:{line} {comment}"
        for source in sources
        for line, comment in comments_in(source)
        if SWITCH.search(comment) and not EXCUSED.search(comment)
    ]


def catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    if caught is None:
        return True
    each = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(one, ast.Name) and one.id in BROAD for one in each)


def broad_handlers(sources: list[Source]) -> list[str]:
    """Return handlers of everything without a comment on their line or the one below."""
    found: list[str] = []
    for source in sources:
        explained = {line for line, _ in comments_in(source)}
        found += [
            f"{source.path}:{node.lineno}"
            for node in ast.walk(source.tree)
            if isinstance(node, ast.ExceptHandler)
            and catches_everything(node)
            and not explained & {node.lineno, node.lineno + 1}
        ]
    return found


class TestSwitches:
    def test_name_their_rule_and_their_reason(self) -> None:
        assert bare_switches(python_in(*PRODUCT, "tests", "docs", "bench")) == []

    def test_are_found_without_rule_or_reason(self) -> None:
        planted = Source(
            "a.py",
            "a = 1  # no" + "qa\n"
            "b = 1  # no" + "qa: S105\n"
            "c = 1  # no" + "qa: S105 - the name of a step\n"
            "d = 1  # type" + ": ignore\n"
            "e = 1  # type" + ": ignore[arg-type]  # the stub is wrong here\n",
        )

        assert [found.split()[0] for found in bare_switches([planted])] == [
            "a.py:1",
            "a.py:2",
            "a.py:4",
        ]


class TestBroadHandlers:
    def test_say_why_they_catch_everything(self) -> None:
        assert broad_handlers(python_in(*PRODUCT, "tests", "docs", "bench")) == []

    def test_are_found_without_a_reason(self) -> None:
        planted = Source(
            "a.py",
            "try:\n    pass\nexcept Exception:\n    pass\n"
            "try:\n    pass\nexcept Exception:\n    # outermost\n    pass\n"
            "try:\n    pass\nexcept (ValueError, BaseException):\n    pass\n",
        )

        assert broad_handlers([planted]) == ["a.py:3", "a.py:12"]
