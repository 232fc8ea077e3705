"""A store as an older version left it: its shape, and everything it knew."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, create_engine, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from application.store import migrations

FOLDER = Path(migrations.__file__).parent
OURS = "alembic_version"
DRIVERS = {"mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}
SHAPING = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE")


def older_revisions() -> list[str]:
    """Return every shape there ever was but today's, the oldest first."""
    every = [one.revision for one in ScriptDirectory(str(FOLDER)).walk_revisions()]
    return every[:0:-1]


def older_store(url: str, *, revision: str, filled_from: str) -> "Content":
    """Make a store of an older shape in an empty database, and return all it holds.

    Args:
        url: The database.
        revision: The shape.
        filled_from: Address of a store of today; what the older shape has a place for is copied.
    """
    _upgraded(url, revision=revision)
    older = engine_of(url)
    _filled(older, engine_of(filled_from))
    columns = {one.name: tuple(one.columns.keys()) for one in _shape(older).sorted_tables}
    return content_of(url, columns=columns)


def steps_from(revision: str, *, scratch: Path) -> int:
    """Return how many statements it takes from an older shape to today's.

    Args:
        revision: The older shape.
        scratch: A file that is not there yet.
    """
    url, seen = f"sqlite:///{scratch}", Counter[str]()
    _upgraded(url, revision=revision)

    def look(_link: object, _cursor: object, statement: str, *_more: object) -> None:
        seen["such"] += statement.lstrip().startswith(SHAPING)

    event.listen(Engine, "before_cursor_execute", look)
    try:
        _upgraded(url, revision="head")
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    return seen["such"]


@dataclass(frozen=True)
class Content:
    """Every row of some tables and columns of a database."""

    columns: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, list[tuple[str, ...]]]


def content_of(url: str, *, columns: Mapping[str, tuple[str, ...]]) -> Content:
    """Return what these columns of these tables hold now."""
    found: dict[str, list[tuple[str, ...]]] = {}
    with engine_of(url).connect() as connection:
        for name, wanted in columns.items():
            table = Table(name, MetaData(), autoload_with=connection)
            rows = connection.execute(
                table.select().with_only_columns(*(table.c[one] for one in wanted))
            )
            found[name] = sorted(tuple(map(repr, row)) for row in rows)
    return Content(columns, found)


def _upgraded(url: str, *, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine_of(url).connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def engine_of(url: str) -> Engine:
    """Return a way into a database that knows nothing of our rules."""
    address = make_url(url)
    kind = address.get_backend_name()
    return create_engine(address.set(drivername=DRIVERS.get(kind, kind)), poolclass=NullPool)


def _shape(engine: Engine) -> MetaData:
    shape = MetaData()
    shape.reflect(engine, only=lambda name, _: name != OURS)
    return shape


def _filled(older: Engine, today: Engine) -> None:
    source = _shape(today)
    with older.begin() as into, today.connect() as out:
        for table in _shape(older).sorted_tables:
            columns = [source.tables[table.name].c[column.name] for column in table.c]
            names = [column.name for column in columns]
            rows: list[dict[str, Any]] = [
                dict(zip(names, row, strict=True))
                for row in out.execute(
                    source.tables[table.name].select().with_only_columns(*columns)
                )
            ]
            if table.name == "audit_head":  # the one row that is made with the shape
                into.execute(table.delete())
            if rows:
                into.execute(table.insert(), rows)
