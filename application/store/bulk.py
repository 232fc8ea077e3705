"""One statement for many rows, prepared once for each database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert, Update
from sqlalchemy.engine import Dialect

_Shape = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A statement as one database takes it."""

    text: str
    names: tuple[str, ...]
    shapes: tuple[_Shape | None, ...]
    constants: Mapping[str, object]
    positional: bool


class Bulk:
    """An INSERT or UPDATE that is run for many rows at once.

    SQLAlchemy would build every row's parameters from the statement anew, which took longer than
    writing the rows. Here that is done once; each row is then a tuple in the statement's order.

    Args:
        statement: Its bound names, or for an INSERT the columns, are the keys of each row.
    """

    def __init__(self, statement: Insert | Update) -> None:
        self._statement = statement
        self._prepared: dict[tuple[str, tuple[str, ...]], _Prepared] = {}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Run it for these rows, which all have the same keys; nothing happens without rows."""
        if not rows:
            return
        ready = self._for(connection.dialect, tuple(rows[0]))
        steps = list(zip(ready.names, ready.shapes, strict=True))
        whole = [{**row, **ready.constants} for row in rows] if ready.constants else rows
        values = [
            tuple([row[name] if shape is None else shape(row[name]) for name, shape in steps])
            for row in whole
        ]
        if ready.positional:
            connection.exec_driver_sql(ready.text, values)
        else:
            named = [dict(zip(ready.names, each, strict=True)) for each in values]
            connection.exec_driver_sql(ready.text, named)

    def _for(self, dialect: Dialect, keys: tuple[str, ...]) -> _Prepared:
        place = (dialect.name, keys)
        if place not in self._prepared:
            self._prepared[place] = _prepared(self._statement, dialect=dialect, keys=keys)
        return self._prepared[place]


def _prepared(statement: Insert | Update, *, dialect: Dialect, keys: tuple[str, ...]) -> _Prepared:
    named = list(keys) if isinstance(statement, Insert) else None
    compiled = statement.compile(dialect=dialect, column_keys=named)
    bound = {name: one for one, name in compiled.bind_names.items()}
    names = tuple(compiled.positiontup or bound)
    return _Prepared(
        text=str(compiled),
        names=names,
        shapes=tuple(
            bound[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names
        ),
        constants={name: compiled.params[name] for name in names if name not in keys},
        positional=compiled.positiontup is not None,
    )
