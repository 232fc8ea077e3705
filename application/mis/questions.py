"""The questions of every run and page, built once: building one costs more than asking it."""

from datetime import date
from functools import cache
from typing import Any, Final

import sqlalchemy as sql

from application.invoices.model import Status
from application.mis.tables import FEES, INVOICES, Dialect

WIDE_PLACES = 10
# A former time is given back as it was, with its fraction of a second.
EXACT_TIME = 26
_id, _status = INVOICES.c["id"], INVOICES.c["QuickBk_Status"]
_IDS: sql.BindParameter[Any] = sql.bindparam("ids", expanding=True)
_MOST: sql.BindParameter[Any] = sql.bindparam("most", type_=sql.Integer)
FEES_OF: Final = sql.select(*FEES.c).where(FEES.c["id"].in_(_IDS))
HIGHEST: Final = sql.select(sql.func.max(_id))
WAITS: Final = sql.or_(_status.is_(None), _status == int(Status.NOT_SYNCED))
STANDING: Final = {
    Status.NOT_SYNCED: WAITS,
    Status.SYNCED: _status == int(Status.SYNCED),
    Status.IN_PROGRESS: _status == int(Status.IN_PROGRESS),
    # A status nobody knows counts as failed.
    Status.FAILED: _status.not_in([int(one) for one in Status if one is not Status.FAILED]),
}
WAITS_EACH: Final = ("empty", "not synced")
_PAGED = {
    "waits": WAITS,
    "empty": _status.is_(None),
    "not synced": _status == int(Status.NOT_SYNCED),
    "failed": _status == int(Status.FAILED),
    "synced": _status == int(Status.SYNCED),
}


@cache
def how_many_wait(words: Dialect, first: date | None) -> sql.Select[Any]:
    """Ask how many invoices in scope are not synced."""
    counted = sql.select(sql.func.count()).select_from(INVOICES)
    return counted.where(WAITS, *scope_from(words, first))


@cache
def page_of(words: Dialect, first: date | None, which: str, *, bounded: bool) -> sql.Select[Any]:
    """Ask for the ids after `after`, at most `most` of them, in scope and in one standing.

    Args:
        words: How this database says it.
        first: First day in scope; None: every invoice is.
        which: `waits`, `empty`, `not synced`, `failed` or `synced`.
        bounded: Whether only ids up to `upto` are asked for.
    """
    below = (sql.bindparam("upto") >= _id,) if bounded else ()
    asked = sql.select(_id).where(
        _id > sql.bindparam("after"), _PAGED[which], *below, *scope_from(words, first)
    )
    return asked.order_by(_id).limit(_MOST)


@cache
def claimed_rows(words: Dialect) -> sql.Select[Any]:
    """Ask for the rows in status 3 after `after`, at most `most` of them."""
    pushed = words.text(INVOICES.c["pushed_date"]).label("pushed_date")
    asked = sql.select(_id, INVOICES.c["pushed_by"], pushed).where(
        _status == int(Status.IN_PROGRESS), _id > sql.bindparam("after")
    )
    return asked.order_by(_id).limit(_MOST)


@cache
def whole_rows(words: Dialect, *, numbered: bool) -> sql.Select[Any]:
    """Ask for all we read of the rows `ids`; `numbered`: they have a number of their own."""
    columns = columns_in(words, numbered=numbered)
    return sql.select(*columns).where(_id.in_(_IDS)).order_by(_id)


@cache
def three_columns(words: Dialect) -> sql.Select[Any]:
    """Ask for the three columns we write of the rows `ids`."""
    pushed = words.text(INVOICES.c["pushed_date"], characters=EXACT_TIME)
    asked = sql.select(_id, _status, INVOICES.c["pushed_by"], pushed.label("pushed_date"))
    return asked.where(_id.in_(_IDS)).order_by(_id)


@cache
def columns_in(words: Dialect, *, numbered: bool) -> tuple[sql.ColumnElement[Any], ...]:
    """Return all we read of a row, shaped so that nothing is lost on the way."""
    of = INVOICES.c
    plain = [of[name] for name in ("id", "reg_no", "fee_category", "comment")]
    plain += [_status, of["pushed_by"]]
    if numbered:
        plain.append(of["reference_number"])
    shaped: list[sql.ColumnElement[Any]] = [
        words.text(of[name]).label(name) for name in ("invoice_date", "pushed_date")
    ]
    for name in ("dept", "credit"):
        shaped.append(words.money(of[name], places=2).label(name))
        shaped.append(words.money(of[name], places=WIDE_PLACES).label(f"{name}_wide"))
    return (*plain, *shaped)


@cache
def scope_from(words: Dialect, first: date | None) -> tuple[sql.ColumnElement[bool], ...]:
    """Return the condition for rows in scope.

    Dated from the first day in scope, or without a usable date: those must be seen.
    """
    if first is None:
        return ()
    dated = words.text(INVOICES.c["invoice_date"])
    unusable = [
        dated.is_(None),
        dated < "2000-01-01",
        dated.like("____-00-%"),
        dated.like("____-__-00%"),
    ]
    if words.sqlite:
        # SQLite keeps whatever was written; a day that does not survive its calendar is none.
        real = sql.func.date(sql.func.substr(dated, 1, 10), "+0 days")
        unusable += [real.is_(None), real != sql.func.substr(dated, 1, 10)]
    return (sql.or_(dated >= first.isoformat(), *unusable),)
