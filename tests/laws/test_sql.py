"""An UPDATE without the value it expects wins against a sender who was there first.

Only `mis/claims.py` (and the synthetic MIS) writes to the university's tables, three columns, and
each of its statements names what it expects beside the ids; no UPDATE or DELETE of ours goes
without a WHERE. It cannot see what a variable holds: the room's tests watch every column change.
"""

import ast
import re
from collections.abc import Iterator

from tests.laws.reading import Source, python_in

CLAIMS = "application/mis/claims.py"
SYNTHETIC = "application/mis/demo"
THREE = {"QuickBk_Status", "pushed_by", "pushed_date"}
WRITING = frozenset({"update", "insert", "delete"})
VERB = re.compile(
    r"^\s*(UPDATE\s+(\S+\s+SET\b|$)|INSERT\s+INTO\b|REPLACE\s+INTO\b|DELETE\s+FROM\b"
    r"|ALTER\s+TABLE\b|DROP\s+(TABLE|INDEX)\b|TRUNCATE\b|CREATE\s+(TABLE|INDEX|DATABASE)\b)"
)


def verb_of(node: ast.AST) -> str | None:
    """Return update, insert or delete when the node is SQLAlchemy's call of that name."""
    match node:
        case ast.Call(func=ast.Name(id=verb), args=[_]) if verb in WRITING:
            return verb
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="sql" | "sa" | "sqlalchemy"), attr=verb)
        ) if verb in WRITING:
            return verb
        case _:
            return None


def conditions(tree: ast.Module) -> dict[int, int]:
    """Return how many conditions stand in the WHERE of each write, by the write's place."""
    counted: dict[int, int] = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr != "where":
            continue
        below: ast.expr = node.func.value
        while isinstance(below, ast.Call) and verb_of(below) is None:
            below = below.func.value if isinstance(below.func, ast.Attribute) else ast.Constant(0)
        if verb_of(below):
            starred = any(isinstance(each, ast.Starred) for each in node.args)
            counted[id(below)] = counted.get(id(below), 0) + len(node.args) + starred
    return counted


def writes(source: Source) -> Iterator[tuple[int, str, int]]:
    """Yield line, verb and number of conditions of each write."""
    where = conditions(source.tree)
    for node in ast.walk(source.tree):
        verb = verb_of(node)
        if verb is not None and isinstance(node, ast.Call):
            yield node.lineno, verb, where.get(id(node), 0)


def statements_of_text(source: Source) -> Iterator[int]:
    """Yield where a string begins like a statement that writes."""
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and VERB.match(node.value)
        ):
            yield node.lineno


def columns_named(sources: list[Source]) -> dict[str, str]:
    """Return constant to column for each `NAME = TABLE.c["column"]`."""
    return {
        name: column
        for source in sources
        for node in source.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for name, column in re.findall(
            r"^(\w+)(?:: [^=]+)? = \w+\.c\[['\"](\w+)['\"]\]$", ast.unparse(node)
        )
    }


def foreign_writes(sources: list[Source]) -> list[str]:
    """Return writes of the MIS room outside claims and the synthetic MIS."""
    return [
        f"{source.path}:{line}"
        for source in sources
        if source.path.startswith("application/mis/")
        and source.path != CLAIMS
        and not source.path.startswith(SYNTHETIC)
        for line in sorted({*statements_of_text(source), *(line for line, *_ in writes(source))})
    ]


def unguarded(sources: list[Source], *, least: int) -> list[str]:
    return [
        f"{source.path}:{line} {verb}"
        for source in sources
        for line, verb, count in writes(source)
        if verb != "insert" and count < least
    ]


class TestMisWrites:
    def test_stand_in_claims_only(self) -> None:
        assert foreign_writes(python_in("application")) == []

    def test_are_updates_that_name_what_they_expect(self) -> None:
        claims = [source for source in python_in("application/mis") if source.path == CLAIMS]

        assert {verb for source in claims for _, verb, _ in writes(source)} == {"update"}
        assert unguarded(claims, least=2) == []

    def test_go_to_three_columns(self) -> None:
        room = python_in("application/mis")
        (claims,) = (source for source in room if source.path == CLAIMS)
        columns = columns_named(room)

        keys = {
            columns.get(key.id, key.id)
            for node in ast.walk(claims.tree)
            if isinstance(node, ast.Dict)
            for key in node.keys
            if isinstance(key, ast.Name)
        }

        assert keys == THREE

    def test_are_found_elsewhere(self) -> None:
        planted = [
            Source("application/mis/reader.py", "link.execute(sql.update(IMVOICE).values(a=1))\n"),
            Source("application/mis/checks.py", 'link.execute("DELETE FROM tbl_imvoice")\n'),
            Source(CLAIMS, "x = sql.update(IMVOICE).where(_ID == 1).values(a=1)\n"),
        ]

        assert foreign_writes(planted) == [
            "application/mis/reader.py:1",
            "application/mis/checks.py:1",
        ]
        assert unguarded(planted[2:], least=2) == [f"{CLAIMS}:1 update"]


class TestStoreWrites:
    def test_never_go_to_every_row(self) -> None:
        assert unguarded(python_in("application/store"), least=1) == []
