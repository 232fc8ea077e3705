"""Steps of a migration that may find themselves done: a server can commit each of them at once.

MariaDB and MySQL make every change of shape durable by itself, so a process that dies half-way
leaves half a shape behind. Whoever migrates next goes on from there.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op


def make_all(tables: sa.MetaData) -> None:
    """Make the tables and indexes of a shape that are not there."""
    connection = op.get_bind()
    tables.create_all(connection)
    for table in tables.sorted_tables:
        there = _indexes(table.name)
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            if index.name not in there:
                index.create(connection)


def make_table(name: str, *columns: sa.Column[Any], **more: Any) -> None:  # noqa: ANN401 - as alembic's
    """Make a table where it is not there."""
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *columns, **more)


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Add a column where it is not there."""
    there = {one["name"] for one in sa.inspect(op.get_bind()).get_columns(table)}
    if column.name not in there:
        op.add_column(table, column)


def make_index(name: str, table: str, columns: list[str], *, unique: bool = False) -> None:
    """Make an index where it is not there."""
    if name not in _indexes(table):
        op.create_index(name, table, columns, unique=unique)


def _indexes(table: str) -> set[str | None]:
    return {one["name"] for one in sa.inspect(op.get_bind()).get_indexes(table)}
