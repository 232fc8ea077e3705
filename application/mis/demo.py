"""builds and fills the synthetic MIS, streamed, by profile."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from application.catalogue import ConfigInvalid, MisUnavailable
from application.mis.demo_edges import edge_rows, edge_seed
from application.mis.demo_people import Row, Table
from application.mis.demo_profiles import Profile, profile_of
from application.mis.demo_schema import DROP, MARKER, TABLES, create_statements

CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Built:
    """What was built."""

    profile: str
    rows: Mapping[str, int]

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
        url: SQLite file or MariaDB database.
        profile: `guide`, `fresh` or `midlife`.
        size: Invoices of the last two.
        edge: Add the must-have rows, ids 2000001 and up.
        seed: Another university.
        engine: Storage engine on MariaDB.
        money: Type of `dept` and `credit`.
        replace: Drop what a former build left.
        progress: Told how many rows are written so far.

    Raises:
        ConfigInvalid: The database holds a MIS that is not ours to overwrite.
        MisUnavailable: The database does not answer.
    """
    plan = profile_of(profile, size=size, seed=seed)
    if edge and profile == "guide":
        raise ConfigInvalid(setting="--edge", problem="the guide profile stays as it is")
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        Path(address.database or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        address = address.set(drivername="mysql+pymysql")
    database = create_engine(address, hide_parameters=True)
    try:
        _clear(database, replace=replace)
        _create(database, engine=engine, money=money)
        rows = _fill(database, plan=plan, edge=edge, seed=seed, progress=progress)
    except SQLAlchemyError as wrong:
        detail = type(wrong).__name__
        raise MisUnavailable(detail=f"the synthetic MIS could not be built: {detail}") from None
    finally:
        database.dispose()
    return Built(profile=profile, rows=rows)


def seed_lines(
    *, profile: str = "guide", size: int = 1_000, edge: bool = False, seed: int = 1
) -> Iterator[dict[str, Any]]:
    """Yield what the simulator's books must hold beside this MIS, one object a line."""
    yield from profile_of(profile, size=size, seed=seed).quickbooks()
    if edge:
        yield from edge_seed()


def _clear(database: Engine, *, replace: bool) -> None:
    with database.begin() as connection:
        tables = _tables_in(connection)
        if "tbl_imvoice" in tables and not replace:
            raise ConfigInvalid(
                setting="the MIS database",
                problem="it holds invoices already; add --replace to drop a synthetic MIS",
            )
        if "tbl_imvoice" in tables and MARKER not in tables:
            raise ConfigInvalid(
                setting="the MIS database",
                problem="it was not made by demo-mis; nothing was dropped",
            )
        for table in TABLES:
            connection.execute(text(DROP.format(table=table)))


def _tables_in(connection: Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        return set(connection.execute(text("SELECT name FROM sqlite_master")).scalars())
    return set(connection.execute(text("SHOW TABLES")).scalars())


def _create(database: Engine, *, engine: str, money: str) -> None:
    with database.begin() as connection:
        if connection.dialect.name != "sqlite":
            # Zero dates belong to this MIS; the strict default refuses them.
            connection.execute(text("SET sql_mode=''"))
        for statement in create_statements(
            sqlite=connection.dialect.name == "sqlite", engine=engine, money=money
        ):
            connection.execute(text(statement))


def _fill(
    database: Engine,
    *,
    plan: Profile,
    edge: bool,
    seed: int,
    progress: Callable[[int], None] | None,
) -> dict[str, int]:
    written: dict[str, int] = dict.fromkeys(TABLES, 0)
    with database.connect() as connection:
        if connection.dialect.name != "sqlite":
            connection.execute(text("SET sql_mode=''"))
        tables: list[Table] = [*plan.tables()]
        if edge:
            tables += edge_rows(random.Random(seed))  # noqa: S311 - invented people, not secrets
        for table in tables:
            for chunk in _chunks(table.rows):
                connection.execute(text(table.insert), chunk)
                connection.commit()
                written[table.name] += len(chunk)
                if progress is not None:
                    progress(sum(written.values()))
    return written


def _chunks(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk
