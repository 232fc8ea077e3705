"""A MIS under test: its tables, rows put in by hand, and what an observer sees of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from typing_extensions import override

from application.mis.claims import MisClaims
from application.mis.demo_schema import create_statements
from application.mis.reader import MisReader
from application.mis.tables import Mis, open_mis
from application.world import Clock, World

ENGINES = {"sqlite": "", "innodb": "InnoDB", "myisam": "MyISAM"}


class QuickClock(Clock):
    """The real time, and waits that are counted instead of slept."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_ms: list[int] = []

    @override
    def sleep_ms(self, wait_ms: int) -> None:
        self.waits_ms.append(wait_ms)


class Place:
    """One MIS, seen from outside the room.

    Args:
        url: Of an empty database.
        kind: sqlite, innodb or myisam.
        money: Type of `dept` and `credit`.
    """

    def __init__(self, url: str, *, kind: str, money: str = "DOUBLE") -> None:
        self.url = url
        self.kind = kind
        self.sqlite = kind == "sqlite"
        address = sql.make_url(url)
        if not self.sqlite:
            address = address.set(drivername="mysql+pymysql")
        self.engine = sql.create_engine(address, pool_size=1, pool_pre_ping=True)
        if self.sqlite:
            self._prepare = "SELECT 1"
        else:
            self._prepare = "SET sql_mode=''"  # old rows hold what strict servers refuse
        self.create(money=money)

    def create(self, *, money: str) -> None:
        """Make the tables."""
        engine = ENGINES[self.kind]
        self.run(*create_statements(sqlite=self.sqlite, engine=engine, money=money))

    @property
    def path(self) -> Path:
        """Where the file lies, if it is one."""
        return Path(sql.make_url(self.url).database or "")

    def close(self) -> None:
        """Give the connection back."""
        self.engine.dispose()

    def run(self, *statements: str) -> list[Any]:
        """Run statements; return the rows of the last."""
        rows: list[Any] = []
        with self.engine.begin() as link:
            link.exec_driver_sql(self._prepare)
            for statement in statements:
                done = link.exec_driver_sql(statement.replace("%", "%%"))
                rows = list(done.all()) if done.returns_rows else []
        return rows

    def put(self, table: str, **values: object) -> None:
        """Insert one row."""
        named = sql.table(table, *(sql.column(name) for name in values))
        with self.engine.begin() as link:
            link.exec_driver_sql(self._prepare)
            link.execute(sql.insert(named).values(**values))

    def invoice(self, number: int, **values: object) -> None:
        """Insert an ordinary invoice; what is said differs from it."""
        ordinary: dict[str, object] = {
            "reg_no": "20230001",
            "fee_category": 1,
            "dept": 1000,
            "credit": 0,
            "invoice_date": "2025-09-01",
            "date": "2025-09-01",
            "QuickBk_Status": 0,
        }
        self.put("tbl_imvoice", id=number, **(ordinary | values))

    def student(self, number: int, reg_no: str, **values: object) -> None:
        """Insert a student."""
        self.put("tbl_personal_ug", per_id_ug=number, reg_no=reg_no, **values)

    def applicant(self, number: int, tracking_id: str, **values: object) -> None:
        """Insert an applicant."""
        self.put("tbl_online_application", appl_Id=number, tracking_id=tracking_id, **values)

    def three(self, number: int) -> tuple[Any, ...]:
        """Return status, mark and time of a row as stored."""
        rows = self.run(
            "SELECT id, QuickBk_Status, pushed_by, CAST(pushed_date AS CHAR(26)) FROM tbl_imvoice"
        )
        (row,) = (row for row in rows if row[0] == number)
        return tuple(row[1:])

    def untouched(self) -> list[Mapping[str, Any]]:
        """Return every row of every table without the three columns we may write."""
        ours = {"QuickBk_Status", "pushed_by", "pushed_date"}
        found: list[Mapping[str, Any]] = []
        for table in ("tbl_imvoice", "tbl_personal_ug", "tbl_income_category"):
            with self.engine.connect() as link:
                named = sql.table(table)
                rows = link.execute(sql.select(sql.text("*")).select_from(named)).mappings()
                found += [
                    {name: repr(value) for name, value in row.items() if name not in ours}
                    for row in rows
                ]
        return found


@contextmanager
def opened(url: str, *, world: World | None = None, lock_wait_s: int = 5) -> Iterator[Mis]:
    """Open the room for as long as the block lasts."""
    mis = open_mis(url, world=world or World(clock=QuickClock()), lock_wait_s=lock_wait_s)
    try:
        yield mis
    finally:
        mis.close()


class Room:
    """The room as the services hold it."""

    def __init__(self, mis: Mis, *, world: World, invoices_from: date | None = None) -> None:
        self.mis = mis
        self.world = world
        self.reader = MisReader(mis, invoices_from=invoices_from)
        self.claims = MisClaims(mis, world=world)


@contextmanager
def room_at(
    url: str, *, invoices_from: date | None = None, world: World | None = None, lock_wait_s: int = 5
) -> Iterator[Room]:
    """Enter the room for as long as the block lasts."""
    given = world or World(clock=QuickClock())
    with opened(url, world=given, lock_wait_s=lock_wait_s) as mis:
        yield Room(mis, world=given, invoices_from=invoices_from)


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what is asked of any database while the block lasts."""
    asked: list[str] = []

    def note(_link: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    sql.event.listen(sql.Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sql.event.remove(sql.Engine, "before_cursor_execute", note)
