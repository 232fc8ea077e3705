"""Builds and fills the synthetic MIS, streamed, by profile; refuses to touch any other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from application.catalogue import ConfigInvalid
from application.mis.demo_edges import edge_lines, edge_tables
from application.mis.demo_people import Row, Table
from application.mis.demo_profiles import Profile, profile_of
from application.mis.demo_schema import DROP, MARKER, TABLES, create_statements
from application.mis.tables import told
from application.world import Clock

CHUNK = 5_000
ENGINES = frozenset({"InnoDB", "MyISAM"})
MONEY = frozenset({"DOUBLE", "FLOAT"})


@dataclass(frozen=True, slots=True)
class Built:
    """What was built."""

    profile: str
    rows: Mapping[str, int]
    took_ms: int

    @property
    def invoices(self) -> int:
        """How many invoices it has."""
        return self.rows["tbl_imvoice"]


def build(
    url: str,
    *,
    profile: str = "guide",
    size: int = 1_000,
    edge: bool = False,
    seed: int = 1,
    engine: str = "InnoDB",
    money: str = "DOUBLE",
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Built:
    """Build a synthetic MIS; the same arguments always give the same rows.

    Args:
        url: SQLite file, made when missing, or an existing MariaDB database.
        profile: `guide`, `fresh` or `midlife`.
        size: Invoices of the last two.
        edge: Add the must-have rows, ids 2000001 and up.
        seed: Another university.
        engine: `InnoDB` or `MyISAM` on a server.
        money: `DOUBLE` or `FLOAT`, the type of `dept` and `credit`.
        replace: Drop what a former build left; never anything else.
        progress: Told how many rows are written so far.

    Raises:
        ConfigInvalid: The database holds a MIS that is not ours to overwrite.
        MisUnavailable: The database does not answer.
        MisPermission: This user may not make tables.
    """
    clock = Clock()
    began_ms = clock.since_boot_ms()
    plan = profile_of(profile, size=size, seed=seed)
    if edge and profile == "guide":
        raise ConfigInvalid(setting="--edge", problem="the guide profile stays as it is")
    if engine not in ENGINES or money not in MONEY:
        raise ConfigInvalid(setting="--engine, --money", problem="InnoDB, MyISAM; DOUBLE, FLOAT")
    database = _database(url)
    try:
        with database.connect() as link:
            _prepare(link)
            _clear(link, replace=replace)
            _create(link, engine=engine, money=money, edge=edge, later=profile != "fresh")
            rows = _fill(link, plan=plan, edge=edge, progress=progress)
    except SQLAlchemyError as wrong:
        raise told(wrong, password=database.url.password) from wrong
    finally:
        database.dispose()
    return Built(profile=profile, rows=rows, took_ms=clock.since_boot_ms() - began_ms)


def seed_lines(
    *, profile: str = "guide", size: int = 1_000, edge: bool = False, seed: int = 1
) -> Iterator[dict[str, Any]]:
    """Yield what the simulator's books must hold beside this MIS, one object a line."""
    yield from profile_of(profile, size=size, seed=seed).quickbooks()
    if edge:
        yield from edge_lines()


def _database(url: str) -> sql.Engine:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigInvalid(setting="--url", problem="is not an address") from None
    if address.get_backend_name() == "sqlite":
        Path(address.database or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif address.get_backend_name() in {"mysql", "mariadb"}:
        settled = address.set(drivername="mysql+pymysql")
        address = settled.update_query_dict({"charset": "utf8mb4"})
    else:
        raise ConfigInvalid(setting="--url", problem="is neither SQLite, MariaDB nor MySQL")
    return sql.create_engine(address, hide_parameters=True)


def _prepare(link: sql.Connection) -> None:
    if link.dialect.name == "sqlite":
        # A demo that is cut off is built again: waiting for the disk would buy nothing.
        link.exec_driver_sql("PRAGMA synchronous = OFF")
    else:
        # Zero dates belong to this MIS; the strict default refuses them.
        link.exec_driver_sql("SET SESSION sql_mode=''")


def _clear(link: sql.Connection, *, replace: bool) -> None:
    tables = set(sql.inspect(link).get_table_names())
    if "tbl_imvoice" in tables and not replace:
        raise ConfigInvalid(
            setting="the MIS database",
            problem="it holds invoices already; add --replace to drop a synthetic MIS",
        )
    if tables & set(TABLES) and MARKER not in tables:
        raise ConfigInvalid(
            setting="the MIS database",
            problem="it was not made by demo-mis; nothing was dropped",
        )
    for table in (one for one in TABLES if one in tables):
        link.execute(sql.text(DROP.format(table=table)))
    link.commit()


def _create(link: sql.Connection, *, engine: str, money: str, edge: bool, later: bool) -> None:
    statements = create_statements(
        sqlite=link.dialect.name == "sqlite",
        engine=engine,
        money=money,
        dated="datetime" if edge else "date",  # some of the must-have rows have a time
        later=later,
    )
    for statement in statements:
        link.execute(sql.text(statement))
    link.commit()


def _fill(
    link: sql.Connection,
    *,
    plan: Profile,
    edge: bool,
    progress: Callable[[int], None] | None,
) -> dict[str, int]:
    written: dict[str, int] = dict.fromkeys(TABLES, 0)
    for table in (*plan.tables(), *(edge_tables() if edge else ())):
        insert = sql.insert(sql.table(table.name, *(sql.column(one) for one in table.columns)))
        for chunk in _chunks(table):
            link.execute(insert, chunk)
            link.commit()
            written[table.name] += len(chunk)
            if progress is not None:
                progress(sum(written.values()))
    return written


def _chunks(table: Table) -> Iterator[Sequence[Row]]:
    rows = iter(table.rows)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk
