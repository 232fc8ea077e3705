"""Both databases, opened for reading only, in our own connections."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, bindparam, create_engine, event, exc, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from application.verify.values import PAGE, Unreadable

Row = Mapping[str, Any]

CONNECT_S: Final = 10
ANSWER_S: Final = 300
BUSY_S: Final = 30
IDS: Final = 500
_DRIVERS: Final = {
    "sqlite": "sqlite",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}


class Book:
    """One database that is only read; every statement is one of its own.

    Args:
        engine: Connections to it.
        name: `mis` or `store`, for what is said when it cannot be read.
    """

    def __init__(self, engine: Engine, *, name: str) -> None:
        self._engine = engine
        self._name = name
        self.sqlite = engine.dialect.name == "sqlite"

    def rows(self, statement: str, **values: object) -> Sequence[Row]:
        """Return what a statement finds; a list among the values fills an IN.

        Raises:
            Unreadable: The database does not answer, or refuses.
        """
        lists = [name for name, value in values.items() if isinstance(value, list)]
        asked = text(statement).bindparams(*(bindparam(name, expanding=True) for name in lists))
        try:
            with self._engine.connect() as link:
                return [dict(row) for row in link.execute(asked, values).mappings()]
        except (exc.SQLAlchemyError, exc.DBAPIError) as wrong:
            raise Unreadable(book=self._name, detail=_said(wrong)) from wrong

    def pages(self, statement: str, *, after: int = 0, **values: object) -> Iterator[Sequence[Row]]:
        """Yield pages of a statement that is ordered by `id` and narrowed by `:after` and `:most`.

        Raises:
            Unreadable: The database does not answer, or refuses.
        """
        while page := self.rows(statement, after=after, most=PAGE, **values):
            yield page
            after = int(page[-1]["id"])

    def of_ids(self, statement: str, ids: Sequence[int], **values: object) -> list[Row]:
        """Return what a statement with `:ids` finds for these ids, some hundreds at a time.

        Raises:
            Unreadable: The database does not answer, or refuses.
        """
        found: list[Row] = []
        for start in range(0, len(ids), IDS):
            found += self.rows(statement, ids=list(ids[start : start + IDS]), **values)
        return found

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()


def opened(url: str, *, name: str, offset: str = "+00:00") -> Book:
    """Return a database behind its address; a SQLite file must be there.

    Args:
        url: Of SQLite, MariaDB, MySQL or PostgreSQL.
        name: `mis` or `store`.
        offset: Zone in which a server tells its timestamps.

    Raises:
        Unreadable: No address we can use, or no such file.
    """
    try:
        address = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise Unreadable(book=name, detail="the address cannot be read") from None
    driver = _DRIVERS.get(address.drivername.partition("+")[0])
    if driver is None:
        raise Unreadable(book=name, detail="a database of this kind is not supported")
    if driver == "sqlite":
        return Book(_file(address, name=name), name=name)
    return Book(_server(address.set(drivername=driver), offset=offset), name=name)


def _file(address: URL, *, name: str) -> Engine:
    path = Path(address.database or "").absolute()
    if not path.is_file():
        raise Unreadable(book=name, detail=f"there is no file {path.name}")
    where = URL.create("sqlite", database=path.as_uri(), query={"mode": "ro", "uri": "true"})
    return create_engine(where, hide_parameters=True, connect_args={"timeout": BUSY_S})


def _server(address: URL, *, offset: str) -> Engine:
    if address.get_backend_name() == "postgresql":
        options = f"-c default_transaction_read_only=on -c statement_timeout={ANSWER_S}s"
        arguments: dict[str, object] = {"connect_timeout": CONNECT_S, "options": options}
        return create_engine(address, hide_parameters=True, connect_args=arguments)
    engine = create_engine(
        address.update_query_dict({"charset": "utf8mb4"}),
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_S, "read_timeout": ANSWER_S},
    )

    def only_read(link: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = link.cursor()
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute("SET SESSION time_zone = %s", (offset,))
        cursor.close()

    event.listen(engine, "connect", only_read)
    return engine


def _said(wrong: exc.SQLAlchemyError) -> str:
    told = str(wrong.orig) if isinstance(wrong, exc.DBAPIError) else type(wrong).__name__
    return " ".join(told.split())[:200]
