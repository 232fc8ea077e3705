"""What the demo changes in its own MIS: mends what fails on purpose, adds a term, stands still."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from application.catalogue import ConfigInvalid
from application.invoices.model import Status
from application.mis.demo_people import INVOICE_COLUMNS, STUDENT_COLUMNS, Row, invoice, student
from application.mis.demo_schema import MARKER
from application.mis.tables import FEES, INVOICES, STUDENTS, told

TERM: Final = 200
TERM_DAYS: Final = 40
FEES_MOST: Final = 8
LOCK_WAIT_S: Final = 5
_STUDENTS: Final = sql.table("tbl_personal_ug", *(sql.column(one) for one in STUDENT_COLUMNS))
_INVOICES: Final = sql.table("tbl_imvoice", *(sql.column(one) for one in INVOICE_COLUMNS))
_PRICES: Final = sql.table("tbl_income_category", sql.column("id"), sql.column("amount"))


class DemoChanges:
    """Changes the demo MIS as the registry would; never any other MIS.

    Args:
        file: The demo MIS, a SQLite file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def add_student(self, invoice_id: int) -> str | None:
        """Add the student an invoice names; return the registration number.

        Returns:
            None where the invoice names nobody, or somebody who is there already.

        Raises:
            MisUnavailable: The file cannot be read or written now.
            ConfigInvalid: It is no demo MIS.
        """
        with self._open() as link:
            reg_no = _code(link, invoice_id)
            known = sql.select(STUDENTS.c.reg_no).where(STUDENTS.c.reg_no == reg_no)
            if not reg_no or link.scalar(known) is not None:
                return None
            number = 1 + int(link.scalar(sql.select(sql.func.max(STUDENTS.c.per_id_ug))) or 0)
            row = student(number, chance=Random(number)) | {"reg_no": reg_no}  # noqa: S311 - an invented person, no secret
            link.execute(sql.insert(_STUDENTS).values(**row))
            return reg_no

    def add_amount(self, invoice_id: int) -> int | None:
        """Give an invoice without an amount the one its fee costs; return it.

        Returns:
            None where it has one, or its fee has no price.

        Raises:
            MisUnavailable, ConfigInvalid: As `add_student`.
        """
        with self._open() as link:
            price = link.scalar(
                sql.select(_PRICES.c.amount)
                .join(INVOICES, INVOICES.c.fee_category == _PRICES.c.id)
                .where(INVOICES.c.id == invoice_id)
            )
            if not price:
                return None
            owed = sql.func.coalesce(_INVOICES.c.dept, 0) - sql.func.coalesce(_INVOICES.c.credit, 0)
            done = link.execute(
                sql.update(_INVOICES)
                .where(_INVOICES.c.id == invoice_id, owed <= 0)
                .values(dept=price, credit=0, balance=str(price))
            )
            return int(price) if done.rowcount else None

    def fee_of(self, invoice_id: int) -> str | None:
        """Return the name of an invoice's fee. Raises as `add_student`."""
        with self._open() as link:
            asked = (
                sql.select(FEES.c.name)
                .join(INVOICES, INVOICES.c.fee_category == FEES.c.id)
                .where(INVOICES.c.id == invoice_id)
            )
            return link.scalar(asked)

    def add_term(self, today: date) -> tuple[int, int]:
        """Add 200 invoices of students who are there; return the first and the last id.

        Half of them are dated in the weeks before, so that some lie in closed books.

        Raises:
            MisUnavailable, ConfigInvalid: As `add_student`.
        """
        with self._open() as link:
            payers = link.scalars(sql.select(STUDENTS.c.reg_no).order_by(STUDENTS.c.per_id_ug))
            codes = [one for one in payers.all() if one.strip() == one and one.isdigit()]
            fees = _fees(link)
            first = 1 + int(link.scalar(sql.select(sql.func.max(INVOICES.c.id))) or 0)
            rows = list(_term(first, codes=codes, fees=fees, today=today))
            link.execute(sql.insert(_INVOICES), rows)
            return first, first + len(rows) - 1

    @contextmanager
    def still(self) -> Iterator[None]:
        """Keep every writer out for as long as the block lasts. Raises as `add_student`."""
        with self._open():
            yield

    @contextmanager
    def _open(self) -> Iterator[sql.Connection]:
        where = sql.URL.create(
            "sqlite", database=self._file.as_uri(), query={"mode": "rw", "uri": "true"}
        )
        engine = sql.create_engine(
            where,
            poolclass=sql.NullPool,
            hide_parameters=True,
            connect_args={"timeout": LOCK_WAIT_S},
        )
        try:
            with engine.connect() as link:
                # Readers go on; whoever else wants to write waits, before it has begun.
                link.exec_driver_sql("BEGIN IMMEDIATE")
                if MARKER not in sql.inspect(link).get_table_names():
                    raise ConfigInvalid(setting="the MIS database", problem="is no demo MIS")
                yield link
                link.commit()
        except SQLAlchemyError as wrong:
            raise told(wrong) from wrong


def _code(link: sql.Connection, invoice_id: int) -> str:
    found = link.scalar(sql.select(INVOICES.c.reg_no).where(INVOICES.c.id == invoice_id))
    return str(found or "").strip()


def _fees(link: sql.Connection) -> list[tuple[int, int]]:
    """Return fees that most invoices have, and their prices; of synced ones, where there are any.

    Those have a product, so that a new term fails for nothing.
    """
    counted = sql.select(INVOICES.c.fee_category).group_by(INVOICES.c.fee_category)
    often = counted.order_by(sql.func.count().desc()).limit(FEES_MOST)
    priced = sql.select(_PRICES.c.id, _PRICES.c.amount).where(_PRICES.c.amount > 0)
    for used in (often.where(INVOICES.c.QuickBk_Status == int(Status.SYNCED)), often):
        rows = link.execute(priced.where(_PRICES.c.id.in_(used))).all()
        if rows:
            return [(int(number), int(amount)) for number, amount in rows]
    raise ConfigInvalid(setting="the demo MIS", problem="none of its fees has a price")


def _term(
    first: int, *, codes: list[str], fees: list[tuple[int, int]], today: date
) -> Iterator[dict[str, Any]]:
    for place in range(TERM):
        number = first + place
        fee, amount = fees[place % len(fees)]
        dated = (today - timedelta(days=place % TERM_DAYS)).isoformat()
        row: Row = invoice(
            number,
            reg_no=codes[number % len(codes)],
            fee_category=fee,
            dept=amount,
            credit=0,
            balance=str(amount),
            invoice_date=dated,
            date=dated,
            comment="New term",
            reference_number=f"REF{number:06d}",
        )
        yield dict(row)
