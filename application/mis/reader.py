"""Every question put to the MIS: counts, rows, payers, fees; oddities end here."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import sqlalchemy as sql

from application.invoices.model import AmountRule, Fee, MisInvoice, Status, Student
from application.mis.inspection import Inspection
from application.mis.payers import payers_of
from application.mis.questions import (
    FEES_OF,
    HIGHEST,
    STANDING,
    WAITS,
    WAITS_EACH,
    claimed_rows,
    columns_in,
    how_many_wait,
    page_of,
    scope_from,
    three_columns,
    whole_rows,
)
from application.mis.rows import (
    NOTHING,
    CheckLine,
    ClaimedRow,
    Counts,
    DayTally,
    Former,
    MoneyKinds,
    Tally,
    cents_sum,
    day,
    instant,
    invoice_of,
    known_status,
    status_number,
    text,
)
from application.mis.tables import APPLICANTS, INVOICES, STUDENTS, Mis

__all__ = [
    "CheckLine",
    "ClaimedRow",
    "Counts",
    "DayTally",
    "Former",
    "MisReader",
    "Tally",
    "Wanted",
]

PAGE = 500
AMOUNT_MOST = "9999999999.99"
AMOUNT_MOST_CENTS = "999999999999"
_id, _status = INVOICES.c["id"], INVOICES.c["QuickBk_Status"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows a list shows."""

    status: Status | None = None
    ids: tuple[int, ...] | None = None
    payers: tuple[str, ...] | None = None
    fee: int | None = None
    dated_from: date | None = None
    dated_to: date | None = None


class MisReader:
    """Reads the MIS; never writes, never guesses.

    Every question raises MisUnavailable, MisPermission or MisSchema when it cannot be answered.

    Args:
        mis: The database.
        invoices_from: First day in scope; None: every invoice is.
    """

    def __init__(self, mis: Mis, *, invoices_from: date | None) -> None:
        self._mis = mis
        self._from = invoices_from
        self._inspected: Inspection | None = None

    # -- counts ---------------------------------------------------------------------------------

    def counts(self, *, rule: AmountRule) -> Counts:
        """Return every invoice in scope by status, from one statement.

        Args:
            rule: Which amount of a row would be sent.
        """
        found = self._mis.reading(lambda link: link.execute(self._counting(rule)).all())
        in_cents = self._mis.dialect.sqlite
        by_status = dict.fromkeys(Status, NOTHING)
        unknown = 0
        for value, count, amount in found:
            status = known_status(value)
            unknown += int(count) if (status_number(value) or 0) not in set(Status) else 0
            by_status[status] = Tally(
                by_status[status].count + int(count),
                by_status[status].amount + cents_sum(amount, in_cents=in_cents),
            )
        return Counts(by_status=by_status, unknown_status=unknown)

    def by_day(self) -> list[DayTally]:
        """Return how many invoices in scope each day has, by status, from one statement."""
        day_text = sql.func.substr(self._mis.dialect.text(INVOICES.c["invoice_date"]), 1, 10)
        dated = day_text.label("dated")
        asked = (
            sql.select(dated, _status, sql.func.count().label("count"))
            .where(*self._scope)
            .group_by(dated, _status)
        )
        return [
            DayTally(
                dated=day(text(row["dated"])),
                status=known_status(row["QuickBk_Status"]),
                count=int(row["count"]),
            )
            for row in self._rows(asked)
        ]

    def how_many_wait(self) -> int:
        """Return how many invoices in scope are not synced."""
        asked = how_many_wait(self._mis.dialect, self._from)
        return int(self._mis.reading(lambda link: link.scalar(asked)) or 0)

    def highest_id(self) -> int:
        """Return the highest id there is, or 0."""
        return int(self._mis.reading(lambda link: link.scalar(HIGHEST)) or 0)

    def exists(self, invoice_id: int) -> bool:
        """Return whether the MIS has such a row, in scope or not."""
        asked = sql.select(_id).where(_id == invoice_id)
        return self._mis.reading(lambda link: link.scalar(asked)) is not None

    # -- pages of ids, by keyset ----------------------------------------------------------------

    def waiting(self, *, after: int, limit: int, upto: int | None = None) -> list[int]:
        """Return the next ids in scope that are not synced.

        Args:
            after: The last id of the page before, 0 at first.
            limit: How many at most.
            upto: Highest id to return.
        """
        # One status each: `0 or NULL` in one question would be read along the primary key, past
        # everything that is synced already.
        which = WAITS_EACH if self._status_indexed else ("waits",)
        return sorted(self._ids(*which, after=after, limit=limit, upto=upto))[:limit]

    def failed(self, *, after: int, limit: int) -> list[int]:
        """Return the next ids in scope with status 2."""
        return self._ids("failed", after=after, limit=limit)

    def synced(self, *, after: int, limit: int) -> list[int]:
        """Return the next ids in scope with status 1."""
        return self._ids("synced", after=after, limit=limit)

    def in_progress(self, *, after: int, limit: int) -> list[ClaimedRow]:
        """Return the next rows with status 3, in scope or not: every claim must end."""
        asked = claimed_rows(self._mis.dialect)
        return [
            ClaimedRow(
                id=int(row["id"]),
                token=text(row["pushed_by"]),
                pushed_at=instant(text(row["pushed_date"])),
            )
            for row in self._rows(asked, after=after, most=limit)
        ]

    # -- rows -----------------------------------------------------------------------------------

    def rows_of(self, ids: Sequence[int]) -> list[MisInvoice]:
        """Return these rows in order of id; one that is gone is left out."""
        found: list[MisInvoice] = []
        for page in _pages(ids):
            asked = whole_rows(self._mis.dialect, numbered=self._numbered)
            rows = self._rows(asked, ids=page)
            found += [invoice_of(row, kinds=self._kinds) for row in rows]
        return found

    def former_of(self, ids: Sequence[int]) -> list[Former]:
        """Return the three columns we write, in order of id, fit to be given back exactly."""
        found: list[Former] = []
        for page in _pages(ids):
            found += [
                Former(
                    id=int(row["id"]),
                    status=status_number(row["QuickBk_Status"]),
                    pushed_by=text(row["pushed_by"]),
                    pushed_date_text=text(row["pushed_date"]),
                )
                for row in self._rows(three_columns(self._mis.dialect), ids=page)
            ]
        return found

    def payers(self, codes: Collection[str]) -> dict[str, Student]:
        """Return who stands behind these payer codes; one nobody stands behind is left out."""
        return self._mis.reading(lambda link: payers_of(link, codes))

    def fees(self, ids: Collection[int]) -> dict[int, Fee]:
        """Return these fee categories by id; one that does not exist is left out."""
        found: dict[int, Fee] = {}
        for page in _pages(ids):
            for row in self._rows(FEES_OF, ids=page):
                fee = Fee(int(row["id"]), text(row["name"]) or "", text(row["description"]))
                found.setdefault(fee.id, fee)
        return found

    # -- lists ----------------------------------------------------------------------------------

    def newest(
        self, wanted: "Wanted", *, before: int | None, limit: int, after: int | None = None
    ) -> list[MisInvoice]:
        """Return rows in scope, highest id first: the next below `before`, or above `after`."""
        asked = sql.select(*self._columns).where(*self._scope, *self._chosen(wanted)).limit(limit)
        if before is not None:
            asked = asked.where(_id < before)
        if after is None:
            rows = self._rows(asked.order_by(_id.desc()))
        else:
            rows = self._rows(asked.where(_id > after).order_by(_id))[::-1]
        return [invoice_of(row, kinds=self._kinds) for row in rows]

    def tally(self, searches: Sequence["Wanted"], *, rule: AmountRule, most: int) -> Tally:
        """Return how many rows in scope fit any of these, and what they are worth together.

        Args:
            searches: What is looked for.
            rule: Which amount of a row would be sent.
            most: No more rows than these are looked at.
        """
        fits = sql.or_(sql.false(), *(sql.and_(sql.true(), *self._chosen(one)) for one in searches))
        dept, credit = INVOICES.c["dept"], INVOICES.c["credit"]
        worth = self._worth(rule, dept=dept, credit=credit).label("worth")
        found = sql.select(worth).where(*self._scope, fits).limit(most).subquery()
        sums: list[sql.ColumnElement[Any]] = [
            sql.func.count().label("count"),
            sql.func.sum(found.c.worth).label("worth"),
        ]
        (row,) = self._rows(sql.select(*sums).select_from(found))
        in_cents = self._mis.dialect.sqlite
        return Tally(int(row["count"]), cents_sum(row["worth"], in_cents=in_cents))

    def codes_named(self, start: str, *, limit: int) -> list[str]:
        """Return payer codes of people whose first or last name begins so."""
        people = (
            (STUDENTS, "reg_no", ("fname", "lname")),
            (APPLICANTS, "tracking_id", ("first_name", "family_name")),
        )
        found: list[str] = []
        for table, code, names in people:
            begins = [table.c[name].startswith(start, autoescape=True) for name in names]
            asked = sql.select(table.c[code].label("code")).where(sql.or_(*begins)).limit(limit)
            found += filter(None, (text(row["code"]) for row in self._rows(asked)))
        return found[:limit]

    def fees_in_use(self, *, every: bool = False) -> dict[int, tuple[int, int]]:
        """Return how many invoices wait and failed for each fee category that has any.

        Args:
            every: Also those whose invoices are all done.
        """
        waits = sql.func.sum(sql.case((WAITS, 1), else_=0)).label("waiting")
        failed = sql.func.sum(sql.case((_status == int(Status.FAILED), 1), else_=0)).label("failed")
        fee = INVOICES.c["fee_category"]
        asked = sql.select(fee, waits, failed).where(fee.is_not(None), *self._scope).group_by(fee)
        if not every:
            asked = asked.where(sql.or_(WAITS, _status == int(Status.FAILED)))
        return {
            int(row["fee_category"]): (int(row["waiting"]), int(row["failed"]))
            for row in self._rows(asked)
        }

    def _chosen(self, wanted: "Wanted") -> list[sql.ColumnElement[bool]]:
        where: list[sql.ColumnElement[bool]] = []
        if wanted.status is not None:
            where.append(STANDING[wanted.status])
        if wanted.ids is not None:
            where.append(_id.in_(wanted.ids))
        if wanted.payers is not None:
            where.append(INVOICES.c["reg_no"].in_(wanted.payers))
        if wanted.fee is not None:
            where.append(INVOICES.c["fee_category"] == wanted.fee)
        dated = self._mis.dialect.text(INVOICES.c["invoice_date"])
        if wanted.dated_from is not None:
            where.append(dated >= wanted.dated_from.isoformat())
        if wanted.dated_to is not None and wanted.dated_to != date.max:
            # A time may stand behind the day; every one of that day sorts before the next.
            where.append(dated < (wanted.dated_to + timedelta(days=1)).isoformat())
        return where

    # -- the start check ------------------------------------------------------------------------

    def check(self) -> list[CheckLine]:
        """Return what a person should know of this MIS before it is used."""
        return Inspection(self._mis).lines()

    def grants(self) -> list[str]:
        """Return the lines that give our user its rights in the MIS; none where it is a file."""
        return Inspection(self._mis).grants()

    def require(self, *, writing: bool) -> None:
        """Raise what stands in the way of a run, if anything does.

        Args:
            writing: Whether rows are to be claimed, or only read.

        Raises:
            MisUnavailable: The server does not answer.
            MisPermission: A right is missing, or the server is read-only.
            MisSchema: A table or column is missing or of a type we cannot trust.
        """
        inspection = Inspection(self._mis)
        inspection.require(writing=writing)
        self._inspected = inspection

    # -- how it is asked ------------------------------------------------------------------------

    @cached_property
    def _status_indexed(self) -> bool:
        """Whether rows of one status are found without reading the others; looked at once."""
        return Inspection(self._mis).finds_by_status()

    @cached_property
    def _types(self) -> Mapping[str, str]:
        """Types of the columns of `tbl_imvoice`, read once: they decide how money is judged.

        A run has just seen them when it was asked what stands in its way.
        """
        return (self._inspected or Inspection(self._mis)).types_of("tbl_imvoice")

    @cached_property
    def _kinds(self) -> MoneyKinds:
        amounts = {name: self._types.get(name, "") for name in ("dept", "credit")}
        single = "" if self._mis.dialect.sqlite else "float"  # SQLite keeps every REAL in 53 bits
        return MoneyKinds(
            inexact=frozenset(name for name, kind in amounts.items() if kind == single),
            exact=frozenset(
                name for name, kind in amounts.items() if kind in {"decimal", "numeric"}
            ),
        )

    @property
    def _numbered(self) -> bool:
        """Whether invoices have a number of their own, as only some MIS have."""
        return "reference_number" in self._types

    @property
    def _columns(self) -> tuple[sql.ColumnElement[Any], ...]:
        return columns_in(self._mis.dialect, numbered=self._numbered)

    @property
    def _scope(self) -> tuple[sql.ColumnElement[bool], ...]:
        return scope_from(self._mis.dialect, self._from)

    def _counting(self, rule: AmountRule) -> sql.Select[Any]:
        """Count equal rows first and judge each amount once: a million rows have few of them.

        Judged row by row, the exact amounts took longer than reading the rows; and asked for by
        status alone, a server goes through its index and fetches every row from there.
        """
        alike = (_status, INVOICES.c["dept"], INVOICES.c["credit"])
        rows = sql.select(*alike, sql.func.count().label("n")).where(*self._scope).group_by(*alike)
        found = rows.subquery()
        status, count = found.c["QuickBk_Status"], found.c["n"]
        worth = sql.func.sum(
            self._worth(rule, dept=found.c["dept"], credit=found.c["credit"], times=count)
        )
        return sql.select(status, sql.func.sum(count), worth).group_by(status)

    def _worth(
        self,
        rule: AmountRule,
        *,
        dept: sql.ColumnElement[Any],
        credit: sql.ColumnElement[Any],
        times: sql.ColumnElement[int] | int = 1,
    ) -> sql.ColumnElement[Any]:
        """What is sent for so many rows of these amounts, 0 where the amount is not valid."""
        words = self._mis.dialect
        asked = words.cents(dept)
        paid = sql.func.coalesce(words.cents(credit), 0)
        amount = asked - paid if rule is AmountRule.NET else asked
        most: sql.ColumnElement[Any] = sql.literal_column(
            AMOUNT_MOST_CENTS if words.sqlite else AMOUNT_MOST
        )
        valid = sql.and_(asked > 0, asked > paid, amount <= most)
        return sql.case((valid, amount * times), else_=0)

    def _ids(self, *which: str, after: int, limit: int, upto: int | None = None) -> list[int]:
        bounded = upto is not None
        pages = [page_of(self._mis.dialect, self._from, one, bounded=bounded) for one in which]
        named = {"after": after, "most": limit} | ({} if upto is None else {"upto": upto})
        return self._mis.reading(
            lambda link: [int(one) for page in pages for one in link.scalars(page, named)]
        )

    def _rows(self, asked: sql.Select[Any], **values: object) -> list[Mapping[str, Any]]:
        def take(link: sql.Connection) -> list[Mapping[str, Any]]:
            return [dict(row) for row in link.execute(asked, values).mappings()]

        return self._mis.reading(take)


def _pages(ids: Collection[int]) -> Iterator[list[int]]:
    each = sorted(set(ids))
    for start in range(0, len(each), PAGE):
        yield each[start : start + PAGE]
