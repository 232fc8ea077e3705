"""A migration that was broken off on MariaDB is gone on with: any step may be done already.

MariaDB and MySQL commit every change of shape at once, so each one goes through `steps`, which
looks first. It cannot see statements written as text: those come with a look of their own.
"""

import ast
from collections.abc import Iterator

from tests.laws.reading import Source, python_in

VERSIONS = "application/store/migrations/versions"
CHANGING = frozenset(
    {"add_column", "alter_column", "create_index", "create_table", "create_unique_constraint"}
    | {"drop_column", "drop_constraint", "drop_index", "drop_table", "rename_table"}
)
PLANTED = "from alembic import op\n\ndef upgrade():\n    op.{}('x')\n"


def unlooked(source: Source) -> Iterator[str]:
    """Yield each change of shape that does not look whether it is done."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="op"), attr=verb)) if (
                verb in CHANGING
            ):
                yield f"{source.path}:{node.lineno}: op.{verb}"
            case _:
                continue


class TestMigrations:
    def test_look_before_each_change_of_shape(self) -> None:
        versions = python_in(VERSIONS)

        assert len(versions) > 1
        assert [one for source in versions for one in unlooked(source)] == []

    def test_that_do_not_are_seen(self) -> None:
        for verb in CHANGING:
            source = Source(path="planted.py", text=PLANTED.format(verb))
            assert list(unlooked(source)) == [f"planted.py:4: op.{verb}"]
