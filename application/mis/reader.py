"""Every question put to the MIS: counts, rows, payers, fees; oddities end here."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any

import sqlalchemy as sql

from application.invoices.model import AmountRule, Fee, MisInvoice, Status, Student
from application.mis.inspection import Inspection
from application.mis.payers import payers_of
from application.mis.rows import (
    NOTHING,
    CheckLine,
    ClaimedRow,
    Counts,
    Former,
    MoneyKinds,
    Tally,
    cents_sum,
    instant,
    invoice_of,
    status_number,
    text,
)
from application.mis.tables import FEES, INVOICES, Mis

__all__ = ["CheckLine", "ClaimedRow", "Counts", "Former", "MisReader", "Tally"]

PAGE = 500
AMOUNT_MOST = "9999999999.99"
AMOUNT_MOST_CENTS = "999999999999"
WIDE_PLACES = 10
# A former time is given back as it was, with its fraction of a second.
EXACT_TIME = 26
_id = INVOICES.c["id"]
_status = INVOICES.c["QuickBk_Status"]
_WAITS = sql.or_(_status.is_(None), _status == int(Status.NOT_SYNCED))


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
            number = status_number(value) or 0
            known = number in set(Status)
            status = Status(number) if known else Status.FAILED
            unknown += 0 if known else count
            by_status[status] = Tally(
                by_status[status].count + count,
                by_status[status].amount + cents_sum(amount, in_cents=in_cents),
            )
        return Counts(by_status=by_status, unknown_status=unknown)

    def how_many_wait(self) -> int:
        """Return how many invoices in scope are not synced."""
        asked = sql.select(sql.func.count()).select_from(INVOICES).where(_WAITS, *self._scope)
        return int(self._mis.reading(lambda link: link.scalar(asked)) or 0)

    def highest_id(self) -> int:
        """Return the highest id there is, or 0."""
        asked = sql.select(sql.func.max(_id))
        return int(self._mis.reading(lambda link: link.scalar(asked)) or 0)

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
        below = () if upto is None else (upto >= _id,)
        return self._ids(_WAITS, *below, *self._scope, after=after, limit=limit)

    def failed(self, *, after: int, limit: int) -> list[int]:
        """Return the next ids in scope with status 2."""
        asked = _status == int(Status.FAILED)
        return self._ids(asked, *self._scope, after=after, limit=limit)

    def synced(self, *, after: int, limit: int) -> list[int]:
        """Return the next ids in scope with status 1."""
        asked = _status == int(Status.SYNCED)
        return self._ids(asked, *self._scope, after=after, limit=limit)

    def in_progress(self, *, after: int, limit: int) -> list[ClaimedRow]:
        """Return the next rows with status 3, in scope or not: every claim must end."""
        pushed = self._mis.dialect.text(INVOICES.c["pushed_date"])
        asked = (
            sql.select(_id, INVOICES.c["pushed_by"], pushed.label("pushed_date"))
            .where(_status == int(Status.IN_PROGRESS), _id > after)
            .order_by(_id)
            .limit(limit)
        )
        return [
            ClaimedRow(
                id=int(row["id"]),
                token=text(row["pushed_by"]),
                pushed_at=instant(text(row["pushed_date"])),
            )
            for row in self._rows(asked)
        ]

    # -- rows -----------------------------------------------------------------------------------

    def rows_of(self, ids: Sequence[int]) -> list[MisInvoice]:
        """Return these rows in order of id; one that is gone is left out."""
        found: list[MisInvoice] = []
        for page in _pages(ids):
            asked = sql.select(*self._columns).where(_id.in_(page)).order_by(_id)
            found += [invoice_of(row, kinds=self._kinds) for row in self._rows(asked)]
        return found

    def rows_page(self, *, offset: int, limit: int) -> list[MisInvoice]:
        """Return waiting rows in scope for a preview, in order of id."""
        asked = sql.select(*self._columns).where(_WAITS, *self._scope)
        asked = asked.order_by(_id).limit(limit).offset(offset)
        return [invoice_of(row, kinds=self._kinds) for row in self._rows(asked)]

    def former_of(self, ids: Sequence[int]) -> list[Former]:
        """Return the three columns we write, in order of id, fit to be given back exactly."""
        pushed = self._mis.dialect.text(INVOICES.c["pushed_date"], characters=EXACT_TIME)
        found: list[Former] = []
        for page in _pages(ids):
            asked = sql.select(_id, _status, INVOICES.c["pushed_by"], pushed.label("pushed_date"))
            found += [
                Former(
                    id=int(row["id"]),
                    status=status_number(row["QuickBk_Status"]),
                    pushed_by=text(row["pushed_by"]),
                    pushed_date_text=text(row["pushed_date"]),
                )
                for row in self._rows(asked.where(_id.in_(page)).order_by(_id))
            ]
        return found

    def payers(self, codes: Collection[str]) -> dict[str, Student]:
        """Return who stands behind these payer codes; one nobody stands behind is left out."""
        return self._mis.reading(lambda link: payers_of(link, codes))

    def fees(self, ids: Collection[int]) -> dict[int, Fee]:
        """Return these fee categories by id; one that does not exist is left out."""
        found: dict[int, Fee] = {}
        for page in _pages(ids):
            asked = sql.select(*FEES.c).where(FEES.c["id"].in_(page))
            for row in self._rows(asked):
                fee = Fee(int(row["id"]), text(row["name"]) or "", text(row["description"]))
                found.setdefault(fee.id, fee)
        return found

    # -- the start check ------------------------------------------------------------------------

    def check(self) -> list[CheckLine]:
        """Return what a person should know of this MIS before it is used."""
        return Inspection(self._mis).lines()

    def require(self, *, writing: bool) -> None:
        """Raise what stands in the way of a run, if anything does.

        Args:
            writing: Whether rows are to be claimed, or only read.

        Raises:
            MisUnavailable: The server does not answer.
            MisPermission: A right is missing, or the server is read-only.
            MisSchema: A table or column is missing or of a type we cannot trust.
        """
        Inspection(self._mis).require(writing=writing)

    # -- how it is asked ------------------------------------------------------------------------

    @cached_property
    def _types(self) -> Mapping[str, str]:
        """Types of the columns of `tbl_imvoice`, read once: they decide how money is judged."""
        return Inspection(self._mis).types_of("tbl_imvoice")

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

    @cached_property
    def _columns(self) -> list[sql.ColumnElement[Any]]:
        words, of = self._mis.dialect, INVOICES.c
        plain = [of[name] for name in ("id", "reg_no", "fee_category", "comment")]
        plain += [_status, of["pushed_by"]]
        if "reference_number" in self._types:
            plain.append(of["reference_number"])
        shaped: list[sql.ColumnElement[Any]] = [
            words.text(of[name]).label(name) for name in ("invoice_date", "pushed_date")
        ]
        for name in ("dept", "credit"):
            shaped.append(words.money(of[name], places=2).label(name))
            shaped.append(words.money(of[name], places=WIDE_PLACES).label(f"{name}_wide"))
        return [*plain, *shaped]

    @cached_property
    def _scope(self) -> tuple[sql.ColumnElement[bool], ...]:
        """Dated from the first day in scope, or without a usable date: those must be seen."""
        if self._from is None:
            return ()
        dated = self._mis.dialect.text(INVOICES.c["invoice_date"])
        unusable = [
            dated.is_(None),
            dated < "2000-01-01",
            dated.like("____-00-%"),
            dated.like("____-__-00%"),
        ]
        if self._mis.dialect.sqlite:
            # SQLite keeps whatever was written; a day that does not survive its calendar is none.
            real = sql.func.date(sql.func.substr(dated, 1, 10), "+0 days")
            unusable += [real.is_(None), real != sql.func.substr(dated, 1, 10)]
        return (sql.or_(dated >= self._from.isoformat(), *unusable),)

    def _counting(self, rule: AmountRule) -> sql.Select[Any]:
        words = self._mis.dialect
        dept = words.cents(INVOICES.c["dept"])
        credit = sql.func.coalesce(words.cents(INVOICES.c["credit"]), 0)
        amount = dept - credit if rule is AmountRule.NET else dept
        most: sql.ColumnElement[Any] = sql.literal_column(
            AMOUNT_MOST_CENTS if words.sqlite else AMOUNT_MOST
        )
        valid = sql.and_(dept > 0, dept > credit, amount <= most)
        return (
            sql.select(_status, sql.func.count(), sql.func.sum(sql.case((valid, amount), else_=0)))
            .where(*self._scope)
            .group_by(_status)
        )

    def _ids(self, *asked: sql.ColumnElement[bool], after: int, limit: int) -> list[int]:
        page = sql.select(_id).where(_id > after, *asked).order_by(_id).limit(limit)
        return self._mis.reading(lambda link: [int(one) for one in link.scalars(page)])

    def _rows(self, asked: sql.Select[Any]) -> list[Mapping[str, Any]]:
        def take(link: sql.Connection) -> list[Mapping[str, Any]]:
            return [dict(row) for row in link.execute(asked).mappings()]

        return self._mis.reading(take)


def _pages(ids: Collection[int]) -> Iterator[list[int]]:
    each = sorted(set(ids))
    for start in range(0, len(each), PAGE):
        yield each[start : start + PAGE]
