"""The MIS database: opening it, its tables as we see them, and its errors in our words."""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sql
from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from application.catalogue import ConfigInvalid, MisPermission, MisSchema, MisUnavailable, Stop
from application.world import World

_T = TypeVar("_T")

CROWDED_MOST = 5
CROWDED_MS = 40
CONNECT_S = 5
ANSWER_S = 120
POOL_KEPT = 3
POOL_SPARE = 2
POOL_PATIENCE_S = 30
RECYCLE_S = 240
MYSQL_PORT = 3306
# Source: MariaDB and MySQL error numbers.
_CROWDED = frozenset({1205, 1213})
_LOST = frozenset({1053, 1927, 2006, 2013, 2014, 2055})
_DENIED = frozenset({1044, 1142, 1143, 1227, 1370})
_READ_ONLY = frozenset({1290, 1792, 1836})
_NO_TABLE = 1146
_NO_COLUMN = 1054
_FILE = "file"
_MYSQL_NAMES = frozenset({"mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"})


def _table(name: str, *, numbers: str = "", texts: str = "", others: str = "") -> sql.TableClause:
    return sql.table(
        name,
        *(sql.column(one, sql.Integer) for one in numbers.split()),
        *(sql.column(one, sql.String) for one in texts.split()),
        *(sql.column(one) for one in others.split()),
    )


INVOICES: Final = _table(
    "tbl_imvoice",  # spelt so in the MIS
    numbers="id fee_category QuickBk_Status",
    texts="reg_no comment pushed_by reference_number",
    others="dept credit invoice_date date pushed_date",
)
STUDENTS: Final = _table(
    "tbl_personal_ug",
    numbers="per_id_ug",
    texts="reg_no fname middlename lname email1 email2 phone1 phone2",
)
APPLICANTS: Final = _table(
    "tbl_online_application",
    numbers="appl_Id",
    texts="tracking_id first_name middlename family_name email1 phone1",
)
FEES: Final = _table("tbl_income_category", numbers="id", texts="name description")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What SQLite and MariaDB say differently."""

    sqlite: bool

    def money(self, column: sql.ColumnElement[Any], *, places: int) -> sql.ColumnElement[Any]:
        """Return an amount, exact, rounded half up to that many places; reads as text or Decimal.

        On SQLite a text in an amount column reads as NaN, so that no rule can mistake it for 0.
        """
        if not self.sqlite:
            return sql.cast(column, sql.Numeric(18 + places, places))
        return sql.case(
            (column.is_(None), None),
            (sql.func.typeof(column).in_(["text", "blob"]), "NaN"),
            else_=sql.func.printf(f"%.{places}f", column),
        )

    def cents(self, column: sql.ColumnElement[Any]) -> sql.ColumnElement[Any]:
        """Return an amount that SQL can compare and sum exactly: DECIMAL, on SQLite whole cents."""
        if not self.sqlite:
            return sql.cast(column, sql.Numeric(20, 2))
        whole = sql.cast(column, sql.Integer)
        digits = sql.func.replace(sql.func.printf("%.2f", column), ".", "")
        # Nearly all amounts are whole, and printf is the slow part of counting a million rows.
        return sql.case(
            (column.is_(None), None),
            (column == whole, whole * 100),
            else_=sql.cast(digits, sql.Integer),
        )

    def text(
        self, column: sql.ColumnElement[Any], *, characters: int = 19
    ) -> sql.ColumnElement[str]:
        """Return a date as text: zero and partial dates survive only so."""
        return sql.cast(column, sql.CHAR(characters))

    def now(self) -> sql.ColumnElement[Any]:
        """Return the database's own present time, in UTC."""
        return sql.func.datetime("now") if self.sqlite else sql.func.utc_timestamp()


class Mis:
    """The MIS database of one installation; safe for several threads.

    Args:
        engine: The connections.
        world: Time and chance for the waits between repeats.
        name: How people know it, without secrets.
        key: Stable and not secret; the binding to a company hangs on it.
    """

    def __init__(self, engine: sql.Engine, *, world: World, name: str, key: str) -> None:
        self._engine = engine
        self._world = world
        self.name = name
        self.key = key
        self.dialect = Dialect(sqlite=engine.dialect.name == "sqlite")

    @property
    def database(self) -> str:
        """The name of the database, as its catalogue lists it."""
        return self._engine.url.database or ""

    @contextmanager
    def read(self) -> Iterator[sql.Connection]:
        """Lend a connection for questions; every statement commits itself.

        Raises:
            MisUnavailable: The server does not answer.
            MisPermission: A right is missing.
            MisSchema: A table or column is missing.
        """
        try:
            with self._engine.connect() as link:
                yield link
        except (exc.DBAPIError, exc.TimeoutError) as wrong:
            raise self._told(wrong) from wrong

    @contextmanager
    def write(self) -> Iterator[sql.Connection]:
        """Lend a connection for one conditional UPDATE; raises as `read`."""
        with self.read() as link:
            yield link

    def reading(self, work: Callable[[sql.Connection], _T]) -> _T:
        """Return what the work reads; a lost connection is replaced once. Raises as `read`."""
        return self._repeated(work, losses=1)

    def writing(self, work: Callable[[sql.Connection], _T]) -> _T:
        """Return what the work changed. Raises as `read`.

        A deadlock or a full queue undid the statement, so it is repeated. After a lost connection
        nobody knows, so it is not: the caller asks again with the same token.
        """
        return self._repeated(work, losses=0)

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    def _repeated(self, work: Callable[[sql.Connection], _T], *, losses: int) -> _T:
        crowded = 0
        while True:
            try:
                with self._engine.connect() as link:
                    return work(link)
            except (exc.DBAPIError, exc.TimeoutError) as wrong:
                if _is_crowded(wrong) and crowded < CROWDED_MOST:
                    crowded += 1
                    self._wait(crowded)
                elif _is_lost(wrong) and losses:
                    losses -= 1
                else:
                    raise self._told(wrong) from wrong

    def _wait(self, times: int) -> None:
        most_ms = CROWDED_MS * 2**times
        self._world.clock.sleep_ms(most_ms // 2 + self._world.chance.jitter_ms(most_ms=most_ms))

    def _told(self, wrong: exc.SQLAlchemyError) -> Stop:
        return told(wrong, password=self._engine.url.password)


def open_mis(
    url: str, *, world: World, time_zone_offset: str = "+02:00", lock_wait_s: int = 5
) -> Mis:
    """Return the MIS behind an address; nothing is sent before the first question.

    Args:
        url: `mysql://`, `mariadb://` (with or without `+pymysql`) or `sqlite:///path`.
        world: Time and chance.
        time_zone_offset: Of the office; only TIMESTAMP columns are read through it.
        lock_wait_s: Longest wait for a lock, on a server and on a file.

    Raises:
        ConfigInvalid: No address we can use.
        MisUnavailable: The SQLite file does not exist; it is never made here.
    """
    try:
        address = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise ConfigInvalid(setting="MIS_DATABASE_URL", problem="is not an address") from None
    if address.drivername in {"sqlite", "sqlite+pysqlite"}:
        return _open_file(address, world=world, lock_wait_s=lock_wait_s)
    if address.drivername not in _MYSQL_NAMES:
        problem = f"{address.drivername} is neither mysql, mariadb nor sqlite"
        raise ConfigInvalid(setting="MIS_DATABASE_URL", problem=problem)
    if not address.database:
        raise ConfigInvalid(setting="MIS_DATABASE_URL", problem="names no database")
    engine = _server_engine(address, offset=time_zone_offset, lock_wait_s=lock_wait_s)
    host, port = address.host or "localhost", address.port or MYSQL_PORT
    shown = f"{address.database}@{host}" + ("" if port == MYSQL_PORT else f":{port}")
    key = _key_of("mysql", host.lower(), str(port), address.database)
    return Mis(engine, world=world, name=shown, key=key)


def _open_file(address: URL, *, world: World, lock_wait_s: int) -> Mis:
    if not address.database or address.database == ":memory:":
        raise ConfigInvalid(setting="MIS_DATABASE_URL", problem="names no file")
    path = Path(address.database).resolve()
    if not path.is_file():
        raise MisUnavailable(detail=f"there is no file {path.name} where MIS_DATABASE_URL points")
    # mode=rw: a file that vanished meanwhile must be missed, not made again and found empty.
    where = URL.create("sqlite", database=path.as_uri(), query={"mode": "rw", "uri": "true"})
    engine = sql.create_engine(
        where,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args={"timeout": lock_wait_s},
        pool_size=POOL_KEPT,
        max_overflow=POOL_SPARE,
        pool_timeout=POOL_PATIENCE_S,
    )
    _follow_file(engine, path=path)
    return Mis(engine, world=world, name=path.name, key=_key_of("sqlite", str(path)))


def _follow_file(engine: sql.Engine, *, path: Path) -> None:
    """Give up a kept connection whose file was taken away or replaced.

    It would go on reading, and even writing, what no longer is the MIS.
    """

    def remember(_link: object, record: ConnectionPoolEntry) -> None:
        record.info[_FILE] = _identity(path)

    def compare(_link: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        known = record.info.get(_FILE)
        if known is None or known != _identity(path):
            raise exc.DisconnectionError

    sql.event.listen(engine, "connect", remember)
    sql.event.listen(engine, "checkout", compare)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _server_engine(address: URL, *, offset: str, lock_wait_s: int) -> sql.Engine:
    if not re.fullmatch(r"[+-]\d{2}:\d{2}", offset):
        raise ConfigInvalid(setting="TIME_ZONE", problem="has no offset the MIS understands")
    # No NO_ZERO_DATE: old rows hold zero dates, and a released row gets its former ones back.
    session = (
        "SET SESSION sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', "
        f"time_zone='{offset}', innodb_lock_wait_timeout={int(lock_wait_s)}, "
        f"lock_wait_timeout={int(lock_wait_s)}"
    )
    where = address.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"})
    return sql.create_engine(
        where,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_S,
            "read_timeout": ANSWER_S,
            "write_timeout": ANSWER_S,
            "init_command": session,
        },
        pool_size=POOL_KEPT,
        max_overflow=POOL_SPARE,
        pool_timeout=POOL_PATIENCE_S,
        pool_recycle=RECYCLE_S,
        pool_pre_ping=True,
    )


def _key_of(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def told(wrong: exc.SQLAlchemyError, *, password: str | None = None) -> Stop:
    """Return a database error as the condition of the installation it means.

    Args:
        wrong: What SQLAlchemy raised.
        password: Struck out, should a server ever repeat it.
    """
    if not isinstance(wrong, exc.DBAPIError):
        return MisUnavailable(detail="no connection became free")
    number, text = _number_and_text(wrong)
    if password:
        text = text.replace(password, "***")
    if number in _READ_ONLY or "readonly database" in text:
        return MisPermission(right="writing: the database is read-only", grant="")
    if number in _DENIED:
        return _denied(text)
    return _missing(number, text) or MisUnavailable(detail=_plain(text))


def _denied(text: str) -> MisPermission:
    match = re.search(r"(\w+) command denied to user .*? for (column|table) (\S+)(.*)", text)
    if match is None:
        return MisPermission(right=_plain(text), grant="")
    what = re.sub(r"[`'\"]", "", match[3])
    table = re.search(r"in table ['`]?(\w+)", match[4])
    place = f"{table[1]}.{what}" if table else what.rsplit(".", maxsplit=1)[-1]
    return MisPermission(right=f"{match[1]} on {place}", grant="")


def _missing(number: int, text: str) -> MisSchema | None:
    if number == _NO_TABLE or "no such table" in text:
        found = re.search(r"'[^'.]*\.?(\w+)' doesn't exist|no such table: (?:\w+\.)?(\w+)", text)
        return MisSchema(table=(found[1] or found[2]) if found else "?", column="*")
    if number == _NO_COLUMN or "no such column" in text:
        found = re.search(r"column '?\"?:? ?'?(?:(\w+)\.)?(\w+)'?", text)
        return MisSchema(
            table=(found[1] if found else None) or "tbl_?", column=found[2] if found else "?"
        )
    return None


def _number_and_text(wrong: exc.DBAPIError) -> tuple[int, str]:
    parts: tuple[object, ...] = getattr(wrong.orig, "args", ())
    if len(parts) > 1 and isinstance(parts[0], int):
        return parts[0], str(parts[1])
    return 0, str(wrong.orig)


def _plain(text: str) -> str:
    return " ".join(text.split())[:200]


def _is_crowded(wrong: exc.SQLAlchemyError) -> bool:
    if not isinstance(wrong, exc.DBAPIError):
        return False
    number, text = _number_and_text(wrong)
    return number in _CROWDED or "database is locked" in text or "table is locked" in text


def _is_lost(wrong: exc.SQLAlchemyError) -> bool:
    if not isinstance(wrong, exc.DBAPIError):
        return False
    return wrong.connection_invalidated or _number_and_text(wrong)[0] in _LOST
