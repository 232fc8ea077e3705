"""Opens our own database and brings it up to date; one transaction at a time, errors translated."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Select,
    bindparam,
    create_engine,
    event,
    literal_column,
    make_url,
    select,
    text,
    type_coerce,
)
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool
from sqlalchemy.sql import ColumnElement

from application.catalogue import ConfigInvalid, StoreUnavailable
from application.store.columns import Instant
from application.store.liveness import make_folder
from application.world import Gate, World

# Every shape this program knows, oldest first.
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006")
SETTING: Final = "STORE_DATABASE_URL"

_TRIES = 6  # the first and five more
_PAUSE_MS = 40
_BUSY_MS = 10_000
_LOCK_WAIT_S = 5
_CONNECT_S = 10
_STATEMENT_S = 60
_IDLE_S = 30  # a process that froze within a transaction would keep its locks until it thaws
_DETAIL = 200
_BEGIN = "BEGIN"
_BEGIN_WRITING = "BEGIN IMMEDIATE"
_SQLITE_PASSING = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
_MYSQL_PASSING = frozenset({1205, 1213, 1020})  # lock wait, deadlock, row changed since read
_POSTGRES_PASSING = frozenset({"40001", "40P01", "55P03"})  # serialization, deadlock, lock wait
_CLOCKS = {
    "postgresql": "CAST(extract(epoch from clock_timestamp()) * 1000000 AS BIGINT)",
    "mysql": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
}
_IS_THERE_A_VERSION = {
    "sqlite": "SELECT count(*) FROM sqlite_master "
    "WHERE type = 'table' AND name = 'alembic_version'",
    "mysql": "SELECT count(*) FROM information_schema.tables "
    "WHERE table_name = 'alembic_version' AND table_schema = DATABASE()",
    "postgresql": "SELECT count(*) FROM information_schema.tables "
    "WHERE table_name = 'alembic_version' AND table_schema = ANY (current_schemas(false))",
}
_DRIVERS = {
    "sqlite": "sqlite",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}

T = TypeVar("T")


class Clash(Exception):
    """A unique rule of our tables refused a row; the room that wrote it knows what that means."""


class Store:
    """Our own database, open.

    Args:
        engine: Connections to it.
        world: Clock, chance and gates.
        url_shown: Its address without secrets.
        folder: Folder of a SQLite file; None for a server or for memory.
    """

    def __init__(
        self, engine: Engine, *, world: World, url_shown: str, folder: Path | None
    ) -> None:
        self._engine = engine
        self._world = world
        self.url_shown = url_shown
        self.folder = folder
        # SQLite wakes who waits for its write lock by chance, some after seconds; in one process
        # the threads queue up here instead. One token goes round: whoever holds it may write.
        self._turns: SimpleQueue[None] = SimpleQueue()
        self._turns.put(None)
        self._queues_writes = self.dialect == "sqlite"
        self._queues_reads = self._queues_writes and folder is None  # memory has one connection

    @property
    def dialect(self) -> str:
        """`sqlite`, `mysql` or `postgresql`."""
        return self._engine.dialect.name

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, once all it wrote is durable.

        `work` runs again after a deadlock or where the database was busy, so it does nothing but
        read and write through the connection it is given.

        Raises:
            StoreUnavailable: Nothing was written, or nobody can tell because the connection broke.
            Clash: A unique rule refused a row; nothing was written.
        """
        for turn in range(1, _TRIES + 1):
            try:
                with self._turn(needed=self._queues_writes):
                    return self._once(work)
            except _Passing as passing:
                if turn == _TRIES:
                    raise StoreUnavailable(detail=passing.detail) from passing
                most_ms = _PAUSE_MS * turn
                self._world.clock.sleep_ms(1 + self._world.chance.jitter_ms(most_ms=most_ms))
        raise AssertionError  # the last turn returns or raises

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection to read through.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        try:
            with self._turn(needed=self._queues_reads), self._engine.connect() as connection:
                _begin(connection, _BEGIN)
                yield connection
        except SQLAlchemyError as wrong:
            raise StoreUnavailable(detail=_detail(wrong)) from wrong

    def moment(self, connection: Connection) -> datetime:
        """Return the database's present, as the transaction sees it."""
        if not has_clock(self.dialect):
            return self._world.clock.now()
        found: datetime = connection.execute(_moment_in(self.dialect)).scalar_one()
        return found

    def present(self) -> dict[str, datetime]:
        """Return what a statement that holds `present_in` is given; nothing where it needs none."""
        return {} if has_clock(self.dialect) else {"now": self._world.clock.now()}

    def now(self) -> datetime:
        """Return the database's clock."""
        with self.read() as connection:
            return self.moment(connection)

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    @contextmanager
    def _turn(self, *, needed: bool) -> Iterator[None]:
        if not needed:
            yield
            return
        self._turns.get()
        try:
            yield
        finally:
            self._turns.put(None)

    def _once(self, work: Callable[[Connection], T]) -> T:
        committing = False
        try:
            with self._engine.connect() as connection, connection.begin():
                _begin(connection, _BEGIN_WRITING)
                result = work(connection)
                committing = True
        except IntegrityError as clash:
            raise Clash(_detail(clash)) from clash
        except DBAPIError as wrong:
            if _passes(wrong) or (wrong.connection_invalidated and not committing):
                raise _Passing(_detail(wrong)) from wrong
            raise StoreUnavailable(detail=_detail(wrong)) from wrong
        except SQLAlchemyError as wrong:
            raise StoreUnavailable(detail=_detail(wrong)) from wrong
        return result


def has_clock(dialect: str) -> bool:
    """Return whether the database has a clock of its own.

    A SQLite file has none but that of the machine, which is the one we were given.
    """
    return dialect in _CLOCKS


def clock_in(dialect: str) -> ColumnElement[datetime]:
    """Return a database's own clock for use in a statement."""
    return type_coerce(literal_column(_CLOCKS[dialect], BigInteger()), Instant())


def present_in(dialect: str) -> ColumnElement[datetime]:
    """Return the present for use in a statement that is built once; `Store.present` goes with it.

    A SQLite file has no clock but that of the machine, which is the one we were given.
    """
    return clock_in(dialect) if has_clock(dialect) else bindparam("now", type_=Instant())


@cache
def _moment_in(dialect: str) -> Select[Any]:
    return select(clock_in(dialect))


class _Passing(Exception):
    """Nothing was written and the same may work in a moment."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def open_store(url: str, *, world: World, create: bool = True, upgrade: bool = True) -> Store:
    """Return our database, open and in this program's shape.

    Args:
        url: A SQLAlchemy address of SQLite, MariaDB, MySQL or PostgreSQL.
        world: Clock, chance and gates.
        create: Make a SQLite file, and its folder, where there is none.
        upgrade: Bring an older shape up to date; else an older one is refused.

    Raises:
        ConfigInvalid: The address is unusable, or others may read the file.
        StoreUnavailable: The database does not answer, or has a shape we do not know.
    """
    address = _address(url)
    path = _file_of(address)
    if path is not None:
        _prepare_file(path, create=create)
    engine = _engine_for(address)
    store = Store(
        engine,
        world=world,
        url_shown=address.set(query={}).render_as_string(hide_password=True),
        folder=path.parent if path else None,
    )
    try:
        _bring_up_to_date(store, engine=engine, upgrade=upgrade, world=world)
    except BaseException:  # whatever it was, no connection may stay behind
        store.close()
        raise
    return store


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise ConfigInvalid(setting=SETTING, problem="is not a database address") from None
    driver = _DRIVERS.get(address.drivername.split("+", maxsplit=1)[0])
    if driver is None:
        raise ConfigInvalid(setting=SETTING, problem="names a database we do not support")
    return address.set(drivername=driver)


def _file_of(address: URL) -> Path | None:
    name = address.database
    if address.drivername != "sqlite" or not name or name == ":memory:":
        return None
    return Path(name).absolute()


def _prepare_file(path: Path, *, create: bool) -> None:
    """Make the file so that nobody else can read it, or refuse one that others can read."""
    try:
        if path.exists():
            refuse_open_modes(path, setting=SETTING)
        elif not create:
            raise StoreUnavailable(detail="there is no store yet")
        else:
            make_folder(path.parent)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return  # another process was faster
    except OSError as wrong:
        raise StoreUnavailable(detail=wrong.strerror or "cannot be made") from wrong


def refuse_open_modes(path: Path, *, setting: str) -> None:
    """Refuse a file that other users of this machine can read or change.

    Raises:
        ConfigInvalid: They can; the problem names the command that mends it.
    """
    if sys.platform != "win32" and path.stat().st_mode & 0o077:
        raise ConfigInvalid(
            setting=setting, problem=f"other users can read it: chmod 600 {path.name}"
        )


def _engine_for(address: URL) -> Engine:
    kind = address.get_backend_name()
    if kind == "sqlite":
        engine = _sqlite_engine(address)
        event.listen(engine, "connect", _tune_sqlite)
        return engine
    if kind == "mysql":
        arguments: dict[str, object] = {
            "charset": "utf8mb4",
            "connect_timeout": _CONNECT_S,
            "read_timeout": _STATEMENT_S,
            "write_timeout": _STATEMENT_S,
        }
    else:
        options = (
            f"-c lock_timeout={_LOCK_WAIT_S}s -c statement_timeout={_STATEMENT_S}s "
            f"-c idle_in_transaction_session_timeout={_IDLE_S}s"
        )
        arguments = {"connect_timeout": _CONNECT_S, "options": options}
    engine = create_engine(
        address,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args=arguments,
    )
    if kind == "mysql":
        event.listen(engine, "connect", _tune_mysql)
    return engine


def _sqlite_engine(address: URL) -> Engine:
    if _file_of(address) is None:
        return create_engine(
            address,
            hide_parameters=True,
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )
    return create_engine(
        address,
        hide_parameters=True,
        max_overflow=40,
        connect_args={"timeout": _BUSY_MS // 1000},
    )


def _tune_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver would begin transactions late and by itself; we say when, and whether to write.
    connection.isolation_level = None
    cursor = connection.cursor()
    for line in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {line}")
    cursor.close()


def _begin(connection: Connection, asked: str) -> None:
    """Begin on SQLite, saying whether to write; servers begin with the first statement.

    By hand rather than on SQLAlchemy's event of that name: an engine anybody listens to tells of
    every statement, which takes longer than most of our statements do.
    """
    if connection.dialect.name != "sqlite":
        return
    errors = connection.dialect.loaded_dbapi.Error
    # Straight to the driver: half of all statements are this one.
    link: Any = connection.connection.driver_connection
    try:
        link.execute(asked)
    except errors as wrong:
        told = DBAPIError.instance(
            asked, None, wrong, errors, hide_parameters=True, dialect=connection.dialect
        )
        raise told from wrong


def _tune_mysql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # Strict, whatever the server's own mode: a value cut short would never be found again.
    cursor.execute(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
        f"time_zone = '+00:00', innodb_lock_wait_timeout = {_LOCK_WAIT_S}"
        # MariaDB alone knows this one; to MySQL it is a comment.
        f" /*M!100300 , idle_transaction_timeout = {_IDLE_S} */"
    )
    cursor.close()


def _bring_up_to_date(store: Store, *, engine: Engine, upgrade: bool, world: World) -> None:
    version = _version(store)
    if version == REVISIONS[-1]:
        return
    if version is not None and version not in REVISIONS:
        raise StoreUnavailable(detail=f"the store is newer ({version}) than this program")
    if not upgrade:
        raise StoreUnavailable(detail="the store must be brought up to date first")
    _upgrade(engine)
    world.gate(Gate.STORE_MIGRATED)


def _version(store: Store) -> str | None:
    """Return the shape the database says it has; None for one that is empty.

    This asks by hand, because loading the migration library takes longer than most commands.
    """
    question = _IS_THERE_A_VERSION[store.dialect]
    with store.read() as connection:
        if not connection.execute(text(question)).scalar_one():
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).first()
        return None if found is None else str(found[0])


def _upgrade(engine: Engine) -> None:
    """Run the missing migrations; of several processes one does and the others wait."""
    from alembic import command  # noqa: PLC0415 - loaded only when there is something to do
    from alembic.config import Config  # noqa: PLC0415 - loaded only when there is something to do

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.set_main_option("path_separator", "os")
    try:
        with engine.connect() as connection, connection.begin():
            _begin(connection, _BEGIN_WRITING)
            _hold_everybody(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as wrong:
        raise StoreUnavailable(detail=_detail(wrong)) from wrong


def _hold_everybody(connection: Connection) -> None:
    """Wait until no other process migrates; SQLite's write lock does that by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(6004117)"))
    elif connection.dialect.name == "mysql":
        connection.execute(text("SELECT GET_LOCK(CONCAT('feebridge.', DATABASE()), 60)"))


def _passes(wrong: DBAPIError) -> bool:
    """Return whether the database undid everything and the same may work in a moment."""
    cause = wrong.orig
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in _SQLITE_PASSING
    if getattr(cause, "sqlstate", None) in _POSTGRES_PASSING:
        return True
    arguments: tuple[object, ...] = () if cause is None else cause.args
    return bool(arguments) and arguments[0] in _MYSQL_PASSING


def _detail(wrong: SQLAlchemyError) -> str:
    """Return one line about a database error: the driver's words, without statement or values."""
    cause = getattr(wrong, "orig", None)
    if cause is None:
        return type(wrong).__name__
    words = str(cause.args[-1]) if cause.args else type(cause).__name__
    return (words.splitlines() or [type(cause).__name__])[0][:_DETAIL]
