"""A MIS of any size, filled by a few INSERT … SELECT: a million rows in seconds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sql
from sqlalchemy.engine import make_url

from application.mis.demo_schema import create_statements

FEES = (
    ("Tuition fee", 450_000),
    ("Registration fee", 30_000),
    ("Examination fee", 20_000),
    ("Library fee", 10_000),
    ("Student card", 5_000),
    ("Laboratory fee", 40_000),
    ("Accommodation fee", 120_000),
)
FIRST_CODE = 20_230_000
INDEXES = {
    "ix_fb_status": "QuickBk_Status, id",
    "ix_fb_amounts": "QuickBk_Status, dept, credit, invoice_date",
}
# Every number below a million as its six digits; one statement makes as many rows as are wanted.
_NUMBERS = """
WITH d(n) AS (
  SELECT 0 UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
  UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9
), k(n) AS (
  SELECT 1 + a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n + 100000 * f.n
  FROM d a, d b, d c, d d, d e, d f
)"""
_STUDENTS = """
INSERT INTO tbl_personal_ug (per_id_ug, reg_no, fname, middlename, lname, email1, phone1)
{numbers}
SELECT n, {code}, {first}, NULL, {last},
  CASE WHEN n % 2 = 0 THEN {email} END,
  CASE WHEN n % 3 = 0 THEN '0780000000' END
FROM k WHERE n <= :students"""
_INVOICES = """
INSERT INTO tbl_imvoice (id, reg_no, fee_category, dept, credit, balance, invoice_date, `date`,
  comment, reference_number, QuickBk_Status, pushed_by, pushed_date)
{numbers}
SELECT n, {code_of_payer}, 1 + n % {fees},
  {amount}, 0, '0', {day}, {day},
  CASE WHEN n % 5 > 0 THEN {comment} END, {reference},
  CASE WHEN n <= :synced THEN 1 ELSE 0 END,
  CASE WHEN n <= :synced THEN 'feebridge:local@s0000000' END,
  CASE WHEN n <= :synced THEN '2025-10-01 08:00:00' END
FROM k WHERE n <= :invoices"""


@dataclass(frozen=True)
class University:
    """How large it is.

    Args:
        invoices: Rows of `tbl_imvoice`, ids from 1, at most a million.
        students: Payers; every one of them owes about as many invoices.
        synced: So many of the first rows have status 1; the others wait.
    """

    invoices: int
    students: int
    synced: int = 0


def build(url: str, university: University) -> None:
    """Make its tables in an empty database and fill them."""
    engine = sql.create_engine(url.replace("mysql:", "mysql+pymysql:", 1))
    sqlite = make_url(url).get_backend_name() == "sqlite"
    with engine.begin() as link:
        if sqlite:
            link.exec_driver_sql("PRAGMA cache_size = -65536")
        for statement in create_statements(sqlite=sqlite, engine="InnoDB", money="DOUBLE"):
            link.execute(sql.text(statement))
        for number, (name, amount) in enumerate(FEES, start=1):
            link.execute(
                sql.text(
                    "INSERT INTO tbl_income_category (id, name, description, amount)"
                    " VALUES (:id, :name, :name, :amount)"
                ),
                {"id": number, "name": name, "amount": amount},
            )
        words = _words(sqlite=sqlite)
        for statement in (_STUDENTS, _INVOICES):
            link.execute(
                sql.text(statement.format(numbers=_NUMBERS, fees=len(FEES), **words)),
                {
                    "students": university.students,
                    "invoices": university.invoices,
                    "synced": university.synced,
                },
            )
    engine.dispose()


def index_invoices(url: str, *, wanted: bool) -> None:
    """Make or drop the recommended indexes of `tbl_imvoice`."""
    engine = sql.create_engine(url.replace("mysql:", "mysql+pymysql:", 1))
    with engine.begin() as link:
        for name, columns in INDEXES.items():
            change = f"CREATE INDEX {name} ON tbl_imvoice ({columns})"
            link.execute(sql.text(change if wanted else f"DROP INDEX {name} ON tbl_imvoice"))
    engine.dispose()


def seed_lines() -> Iterator[dict[str, object]]:
    """Yield what QuickBooks holds beside it: an account and a product for every fee."""
    yield {"entity": "Account", "Name": "Student fees", "AccountType": "Income"}
    for name, _ in FEES:
        yield {"entity": "Item", "Name": name, "Active": True}


def write_seed(file: Path) -> Path:
    """Write the simulator's seed file and return it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        for line in seed_lines():
            out.write(json.dumps(line) + "\n")
    return file


def _words(*, sqlite: bool) -> dict[str, str]:
    """Return the expressions both databases spell differently."""
    payer = f"({FIRST_CODE} + 1 + (n - 1) % :students)"
    amounts = " ".join(f"WHEN {n} THEN {amount}" for n, (_, amount) in enumerate(FEES))
    if sqlite:
        return {
            "code": f"CAST({FIRST_CODE} + n AS TEXT)",
            "code_of_payer": f"CAST({payer} AS TEXT)",
            "first": "'Uwase' || n",
            "last": "'Mugisha' || (n % 97)",
            "email": "'student' || n || '@example.org'",
            "amount": f"CASE n % {len(FEES)} {amounts} END",
            "day": "date('2025-09-01', '+' || (n % 80) || ' days')",
            "comment": "'Semester ' || (1 + n % 2)",
            "reference": "'REF' || n",
        }
    return {
        "code": f"CAST({FIRST_CODE} + n AS CHAR)",
        "code_of_payer": f"CAST({payer} AS CHAR)",
        "first": "CONCAT('Uwase', n)",
        "last": "CONCAT('Mugisha', n % 97)",
        "email": "CONCAT('student', n, '@example.org')",
        "amount": f"CASE n % {len(FEES)} {amounts} END",
        "day": "DATE_ADD('2025-09-01', INTERVAL n % 80 DAY)",
        "comment": "CONCAT('Semester ', 1 + n % 2)",
        "reference": "CONCAT('REF', n)",
    }
