"""The start check: columns, types, rights, engine, and what the MIS's administrator could mend."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import sqlalchemy as sql

from application.catalogue import MisPermission, MisSchema, Stop
from application.mis.grants import excess_in, grant_line
from application.mis.rows import CheckLine, text
from application.mis.tables import Mis

TOKEN_ROOM = 120
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "tbl_imvoice": (
        "id",
        "reg_no",
        "fee_category",
        "dept",
        "credit",
        "invoice_date",
        "date",
        "comment",
        "QuickBk_Status",
        "pushed_by",
        "pushed_date",
    ),
    "tbl_personal_ug": (
        "per_id_ug",
        "reg_no",
        "fname",
        "middlename",
        "lname",
        "email1",
        "email2",
        "phone1",
        "phone2",
    ),
    "tbl_online_application": (
        "appl_Id",
        "tracking_id",
        "first_name",
        "middlename",
        "family_name",
        "email1",
        "phone1",
    ),
    "tbl_income_category": ("id", "name", "description"),
}
_WHOLE = frozenset({"tinyint", "smallint", "mediumint", "int", "integer", "bigint"})
_MONEY = frozenset({"float", "double", "real", "decimal", "numeric"}) | _WHOLE
_DATES = frozenset({"date", "datetime", "timestamp"})
_TEXTS = frozenset({"varchar", "char", "text", "tinytext", "mediumtext", "longtext"})
_KINDS: Final = {
    "id": _WHOLE,
    "fee_category": _WHOLE,
    "dept": _MONEY,
    "credit": _MONEY,
    "invoice_date": _DATES,
    "pushed_date": _DATES,
    "QuickBk_Status": _WHOLE,
    "pushed_by": _TEXTS,
}
# On SQLite a declared type is a wish; only amounts and the claim columns must not be wished wrong.
_CHECKED_IN_FILES = frozenset({"id", "dept", "credit", "QuickBk_Status"})
_ENGINES = frozenset({"innodb", "myisam", "aria"})
# Table and column of the advice, the index, its columns, and how an index begins that serves too.
_HELPFUL: Final = (
    ("tbl_personal_ug", "reg_no", "ix_fb_reg_no", "reg_no(40)", ("reg_no",)),
    (
        "tbl_online_application",
        "tracking_id",
        "ix_fb_tracking_id",
        "tracking_id(40)",
        ("tracking_id",),
    ),
    (
        "tbl_imvoice",
        "QuickBk_Status",
        "ix_fb_status",
        "QuickBk_Status, id",
        ("quickbk_status", "id"),
    ),
    (
        "tbl_imvoice",
        "dept",
        "ix_fb_amounts",
        "QuickBk_Status, dept, credit, invoice_date",
        ("quickbk_status", "dept", "credit"),
    ),
)
# Asked for together, because every run asks for all of them and a file answers in one go.
_COLUMNS_IN_FILE: Final = sql.text(
    "SELECT t.name, c.name, c.type, NULL,"  # noqa: S608 - the names are those above
    ' CASE c."notnull" WHEN 0 THEN c.pk = 0 ELSE 0 END, c.pk = 1 FROM ('
    + " UNION ALL ".join(f"SELECT '{table}' AS name" for table in NEEDED)
    + ") t JOIN pragma_table_info(t.name) c"
)
_COLUMNS: Final = sql.text(
    "SELECT :t, column_name, data_type, character_maximum_length, is_nullable = 'YES',"
    " column_key IN ('PRI', 'UNI') FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = :t"
)
_INDEXED_IN_FILE: Final = sql.text(
    "SELECT t.name, i.name, c.name FROM sqlite_master t JOIN pragma_index_list(t.name) i"
    " JOIN pragma_index_info(i.name) c WHERE t.type = 'table' ORDER BY 1, 2, c.seqno"
)
_INDEXED: Final = sql.text(
    "SELECT table_name, index_name, column_name FROM information_schema.statistics"
    " WHERE table_schema = DATABASE() ORDER BY 1, 2, seq_in_index"
)
_VERSION_OF_FILE: Final = sql.text("SELECT sqlite_version()")
_VERSION: Final = sql.text("SELECT VERSION()")


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str
    length: int | None
    nullable: bool
    unique: bool


@dataclass(frozen=True, slots=True)
class _Finding:
    """One line, and what it raises when a run depends on it."""

    line: CheckLine
    stop: Stop | None = None
    for_writing: bool = False


class Inspection:
    """Looks at one MIS once; reads its catalogue and nothing about a person.

    Args:
        mis: The database.
    """

    def __init__(self, mis: Mis) -> None:
        self._mis = mis
        self._sqlite = mis.dialect.sqlite
        self._tables: dict[str, dict[str, _Column]] = {}

    def lines(self) -> list[CheckLine]:
        """Return everything worth telling, the failures among it."""
        found = [*self._needs(), *self._writes()]
        if not any(one.stop for one in found):
            found += [*self._advice()]
        return [one.line for one in found]

    def require(self, *, writing: bool) -> None:
        """Raise the first thing that stands in the way of reading, or of writing too."""
        for one in self._needs():
            if one.stop is not None and (writing or not one.for_writing):
                raise one.stop
        for one in self._writes() if writing else ():
            if one.stop is not None:
                raise one.stop

    def types_of(self, table: str) -> dict[str, str]:
        """Return the bare type of each column this user may see."""
        return {name: column.kind for name, column in self._seen(table).items()}

    def grants(self) -> list[str]:
        """Return the lines the MIS's administrator runs for our user; none for a file."""
        return [] if self._sqlite else [self._grant(table) for table in NEEDED]

    # -- what must hold -------------------------------------------------------------------------

    def _needs(self) -> Iterator[_Finding]:
        yield _ok("MIS database", f"{self._mis.name} answers: {self._version()}")
        for table, columns in NEEDED.items():
            missing = [*self._missing(table, columns)]
            yield from missing
            if not missing:
                yield _ok(table, f"has the {len(columns)} columns we read")
        yield from self._wrong_types()
        yield from self._id_trouble()

    def _missing(self, table: str, columns: tuple[str, ...]) -> Iterator[_Finding]:
        for name, stop in self._unreadable(table, columns):
            if isinstance(stop, MisPermission):
                grant = self._grant(table)
                told = MisPermission(right=f"SELECT on {table}.{name}", grant=grant)
                yield _fail(f"{table}.{name}", f"SELECT on {table}.{name} is missing", told, grant)
            else:
                absent = MisSchema(table=table, column=name)
                yield _fail(f"{table}.{name}", f"{table}.{name} was not found", absent)

    def _unreadable(self, table: str, columns: tuple[str, ...]) -> Iterator[tuple[str, Stop]]:
        if self._sqlite:
            # SQLite reads an unknown name in quotes as a text, so its own list must say.
            seen = {name.lower() for name in self._seen(table)}
            for name in columns:
                if name.lower() not in seen:
                    yield name, MisSchema(table=table, column=name)
            return
        if self._selects(table, columns) is None:
            return
        for name in columns:
            stop = self._selects(table, (name,))
            if stop is not None:
                yield name, stop

    def _selects(self, table: str, columns: tuple[str, ...]) -> Stop | None:
        """Return why these columns cannot be read together, or None."""
        named = sql.table(table, *(sql.column(name) for name in columns))
        try:
            self._mis.reading(lambda link: link.execute(sql.select(*named.c).limit(0)).all())
        except (MisPermission, MisSchema) as stop:
            return stop
        return None

    def _wrong_types(self) -> Iterator[_Finding]:
        seen = self._seen("tbl_imvoice")
        for name, kinds in _KINDS.items():
            column = seen.get(name)
            if column is None or (self._sqlite and name not in _CHECKED_IN_FILES):
                continue
            if column.kind not in kinds:
                stop = MisSchema(table="tbl_imvoice", column=name)
                yield _fail(f"tbl_imvoice.{name}", f"{name} is {column.kind}; {_why(name)}", stop)
        by = seen.get("pushed_by")
        if by is not None and by.length is not None and by.length < TOKEN_ROOM:
            stop = MisSchema(table="tbl_imvoice", column="pushed_by")
            told = f"pushed_by holds {by.length} characters, a claim needs {TOKEN_ROOM}"
            yield _fail("tbl_imvoice.pushed_by", told, stop, for_writing=True)

    def _id_trouble(self) -> Iterator[_Finding]:
        column = self._seen("tbl_imvoice").get("id")
        if column is None or (column.unique and not column.nullable):
            return
        asked = sql.text("SELECT COUNT(*), COUNT(id), COUNT(DISTINCT id) FROM tbl_imvoice")
        rows, filled, different = self._mis.reading(lambda link: link.execute(asked).one())
        if rows != different:
            stop = MisSchema(table="tbl_imvoice", column="id")
            told = f"id is empty in {rows - filled} rows and repeated in {filled - different}"
            yield _fail("tbl_imvoice.id", told, stop)
        else:
            told = "id is unique today, but nothing in the database keeps it so"
            yield _warn("tbl_imvoice.id", told, "make id the primary key of tbl_imvoice")

    def _writes(self) -> Iterator[_Finding]:
        if self._read_only():
            stop = MisPermission(right="writing: the database is read-only", grant="")
            yield _fail("Writing", "the database is read-only", stop, for_writing=True)
            return
        grant = "" if self._sqlite else self._grant("tbl_imvoice")
        try:
            self._mis.reading(self._try_to_write)
        except MisPermission as denied:
            right = str(denied.facts["right"])
            if right.casefold().startswith("update"):
                right = (
                    "the right to UPDATE QuickBk_Status, pushed_by and pushed_date of tbl_imvoice"
                )
            stop = MisPermission(right=right, grant=grant)
            yield _fail("Writing", f"missing: {right}", stop, grant, for_writing=True)
        except MisSchema:
            return  # told above, column by column
        else:
            yield _ok("Writing", "the three columns can be written")

    def _read_only(self) -> bool:
        if self._sqlite:
            return False
        asked = sql.text("SELECT @@global.read_only")
        return bool(int(self._mis.reading(lambda link: link.scalar(asked)) or 0))

    def _try_to_write(self, link: sql.Connection) -> None:
        """Have the database check the rights of a claim; nothing is changed, not even 0 rows."""
        if self._sqlite:
            link.exec_driver_sql("BEGIN IMMEDIATE")
            link.exec_driver_sql("ROLLBACK")
            return
        link.exec_driver_sql(
            "EXPLAIN UPDATE tbl_imvoice SET QuickBk_Status = 3, pushed_by = 'x', "
            "pushed_date = UTC_TIMESTAMP() WHERE id = 0 AND QuickBk_Status = 0"
        )

    # -- what is worth knowing ------------------------------------------------------------------

    def _advice(self) -> Iterator[_Finding]:
        kinds = self.types_of("tbl_imvoice")
        single = [name for name in ("dept", "credit") if kinds.get(name) == "float"]
        if single and not self._sqlite:
            told = f"FLOAT amounts ({', '.join(single)}) are not exact above 16,777,216"
            yield _warn("Amounts", told, "the MIS's administrator could make them DECIMAL(20,2)")
        if kinds.get("pushed_date") == "timestamp":
            told = "pushed_date is a TIMESTAMP and shifts with the server's time zone"
            yield _warn("Times", told, "the MIS's administrator could make it DATETIME")
        if not self._sqlite:
            yield from self._storage()
            yield from self._rights()
        yield from self._indexes()

    def _storage(self) -> Iterator[_Finding]:
        asked = sql.text(
            "SELECT table_name, engine, table_collation, table_rows FROM information_schema.tables"
            " WHERE table_schema = DATABASE()"
        )
        for row in self._mis.reading(lambda link: link.execute(asked).all()):
            table, engine, collation, rows = text(row[0]) or "", text(row[1]), text(row[2]), row[3]
            if table in NEEDED:
                known = (engine or "").lower() in _ENGINES
                told = f"{engine}, {collation}, about {rows} rows"
                yield _ok(table, told) if known else _warn(table, f"{told}: engine not tried", None)

    def _rights(self) -> Iterator[_Finding]:
        asked = sql.text("SHOW GRANTS")
        grants = self._mis.reading(lambda link: [text(one) or "" for one in link.scalars(asked)])
        excess = excess_in(grants, database=self._mis.database)
        if excess:
            told = f"this user may do more than we need: {'; '.join(excess[:5])}"
            remedy = "grant no more than the lines `feebridge init` prints"
            yield _warn("Rights", told, remedy)

    def _indexes(self) -> Iterator[_Finding]:
        known = self._indexed()
        for table, column, name, on, begins in _HELPFUL:
            if not _serves(known.get(table, []), begins):
                columns = on.replace("(40)", "") if self._sqlite else on
                remedy = f"have its administrator CREATE INDEX {name} ON {table} ({columns})"
                yield _warn(f"{table}.{column}", "has no index: look-ups read every row", remedy)

    def finds_by_status(self) -> bool:
        """Return whether an index gives the rows of one status in the order of their ids."""
        return _serves(self._indexed().get("tbl_imvoice", []), ("quickbk_status", "id"))

    def _indexed(self) -> dict[str, list[tuple[str, ...]]]:
        """Return the columns of each index, by table."""
        asked = _INDEXED_IN_FILE if self._sqlite else _INDEXED
        columns: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for row in self._mis.reading(lambda link: link.execute(asked).all()):
            table, index, column = (text(one) or "" for one in row)
            columns[table, index].append(column.lower())
        found: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
        for (table, _), each in columns.items():
            found[table].append(tuple(each))
        return dict(found)

    # -- the database's own catalogue -----------------------------------------------------------

    def _version(self) -> str:
        asked = _VERSION_OF_FILE if self._sqlite else _VERSION
        told = self._mis.reading(lambda link: link.scalar(asked))
        return f"SQLite {told}" if self._sqlite else str(told)

    def _grant(self, table: str) -> str:
        return grant_line(
            table, columns=NEEDED[table], database=self._mis.database, user=self._user
        )

    @cached_property
    def _user(self) -> str:
        asked = sql.text("SELECT CURRENT_USER()")
        return str(self._mis.reading(lambda link: link.scalar(asked)))

    def _seen(self, table: str) -> dict[str, _Column]:
        if table not in self._tables:
            self._tables |= self._described(table)
        return self._tables[table]

    def _described(self, table: str) -> dict[str, dict[str, _Column]]:
        """Return the columns of a table, on SQLite those of every table we need."""
        tables = [*NEEDED] if self._sqlite else [table]
        found: dict[str, dict[str, _Column]] = {each: {} for each in tables}
        asked = _COLUMNS_IN_FILE if self._sqlite else _COLUMNS
        for row in self._mis.reading(lambda link: link.execute(asked, {"t": table}).all()):
            column = _column(tuple(row)[1:])
            found[text(row[0]) or ""][column.name] = column
        return found


def _column(row: Sequence[Any]) -> _Column:
    bare = (text(row[1]) or "").lower().split("(", maxsplit=1)[0].split(" ", maxsplit=1)[0]
    return _Column(
        name=text(row[0]) or "",
        kind=bare,
        length=None if row[2] is None else int(row[2]),
        nullable=bool(row[3]),
        unique=bool(row[4]),
    )


def _why(name: str) -> str:
    if name in {"dept", "credit"}:
        return "amounts kept as text read wrong, '1,200.50' as 1.00"
    return "we cannot rely on such a column"


def _ok(name: str, told: str) -> _Finding:
    return _Finding(CheckLine(name, "ok", told))


def _warn(name: str, told: str, remedy: str | None) -> _Finding:
    return _Finding(CheckLine(name, "warn", told, remedy))


def _fail(
    name: str, told: str, stop: Stop, remedy: str | None = None, *, for_writing: bool = False
) -> _Finding:
    line = CheckLine(name, "fail", told, remedy or None, stop.cause)
    return _Finding(line, stop, for_writing)


def _serves(indexes: Sequence[tuple[str, ...]], begins: tuple[str, ...]) -> bool:
    """Return whether an index begins so; one of the first column alone is ordered by id too."""
    short = begins[:1] if begins[1:] == ("id",) else begins
    return any(one == short or one[: len(begins)] == begins for one in indexes)
