"""Claim, mark, release, take over: the only writes to the MIS, three columns, old value named."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sql

from application.invoices.model import Status
from application.mis.rows import ClaimedRow, Former
from application.mis.tables import INVOICES, Dialect, Mis
from application.world import Gate, World

TOKEN_MOST = 120
PAGE = 500
_ID = INVOICES.c["id"]
STATUS = INVOICES.c["QuickBk_Status"]
_BY = INVOICES.c["pushed_by"]
_AT = INVOICES.c["pushed_date"]
_IDS: sql.BindParameter[Any] = sql.bindparam("ids", expanding=True)
_NOTHING: Mapping[str, object] = {}


class TokenUnusable(ValueError):
    """A token or mark that a column could cut or change; then it would never match again.

    Args:
        text: The token.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class MisClaims:
    """Changes rows of `tbl_imvoice`; each change is one UPDATE that names what it expects.

    Every verb may be called again with the same arguments: what the first call did counts.

    Args:
        mis: The database.
        world: The gates.
    """

    def __init__(self, mis: Mis, *, world: World) -> None:
        self._mis = mis
        self._world = world

    def claim(
        self, ids: Sequence[int], *, token: str, cause_gone: Collection[int] = ()
    ) -> list[int]:
        """Put our token on rows that wait; return the ids that carry it now, in order.

        Args:
            ids: Rows to claim; those in status 0 or NULL are taken.
            token: Fresh, ASCII, at most 120 characters.
            cause_gone: Rows among them that are also taken from status 2.
        """
        _usable(token)
        won: list[int] = []
        for page in _pages(ids):
            gone = [one for one in page if one in cause_gone]
            change = _claiming(self._mis.dialect, with_failed=bool(gone))
            won += self._put_token(page, change, token=token, values={"gone": gone} if gone else {})
        return won

    def take_over(self, rows: Sequence[ClaimedRow], *, token: str) -> list[int]:
        """Put our token in the place of the one each row had; return the ids that carry it now."""
        _usable(token)
        by_old: defaultdict[str | None, list[int]] = defaultdict(list)
        for row in rows:
            by_old[row.token].append(row.id)
        won: list[int] = []
        for old, ids in by_old.items():
            held = sql.and_(_is(STATUS, int(Status.IN_PROGRESS)), _same(old))
            change = _token_on(held, words=self._mis.dialect)
            for page in _pages(ids):
                won += self._put_token(page, change, token=token)
        return sorted(won)

    def renew(self, ids: Sequence[int], *, token: str) -> list[int]:
        """Give our claims a new time; return the ids that are still ours."""
        ours = sql.and_(_is(STATUS, int(Status.IN_PROGRESS)), _same(token))
        still: list[int] = []
        change = _token_on(ours, words=self._mis.dialect)
        for page in _pages(ids):
            still += self._put_token(page, change, token=token)
        return still

    def mark(self, ids: Sequence[int], *, token: str, status: Status, by: str) -> list[int]:
        """Write the final status of rows that carry our token; return the ids that have it now.

        Args:
            ids: Rows we claimed with that token.
            token: The fence: a row with another one is somebody else's.
            status: `SYNCED` or `FAILED`.
            by: The readable mark that takes the token's place.
        """
        change = _marking(self._mis.dialect)
        hit: list[int] = []
        for page in _pages(ids):
            hit += self._let_go(
                page, change, token=token, status=status, by=_mark(by), gate=Gate.MARK_COMMITTED
            )
        return hit

    def release(self, formers: Sequence[Former], *, token: str) -> list[int]:
        """Give rows that carry our token their former three values back; return their ids."""
        alike: defaultdict[tuple[int | None, str | None, str | None], list[int]] = defaultdict(list)
        for former in formers:
            alike[former.status, former.pushed_by, former.pushed_date_text].append(former.id)
        freed: list[int] = []
        for (status, by, date_text), ids in alike.items():
            change = _leaving(sql.literal(date_text, sql.String()))
            for page in _pages(ids):
                freed += self._let_go(
                    page, change, token=token, status=status, by=by, gate=Gate.RELEASE_RESTORED
                )
        return sorted(freed)

    def _put_token(
        self,
        page: Sequence[int],
        change: sql.Update,
        *,
        token: str,
        values: Mapping[str, object] = _NOTHING,
    ) -> list[int]:
        named = {"ids": list(page), "b_token": token, **values}
        count = self._mis.writing(lambda link: link.execute(change, named).rowcount)
        self._world.gate(Gate.CLAIM_WRITTEN)
        if count == len(page):
            return list(page)
        ours = sql.select(_ID).where(
            _ID.in_(page), _is(STATUS, int(Status.IN_PROGRESS)), _same(token)
        )
        won = self._mis.reading(lambda link: list(link.scalars(ours.order_by(_ID))))
        self._world.gate(Gate.CLAIM_REREAD)
        return won

    def _let_go(
        self,
        page: Sequence[int],
        change: sql.Update,
        *,
        token: str,
        status: int | None,
        by: str | None,
        gate: Gate,
    ) -> list[int]:
        named = {"ids": list(page), "b_token": token, "b_status": status, "b_by": by}
        if gate is Gate.MARK_COMMITTED:
            self._world.gate(Gate.MARK_SENT)
        count = self._mis.writing(lambda link: link.execute(change, named).rowcount)
        self._world.gate(gate)
        if count == len(page):
            return list(page)
        # Some are no longer ours, or an earlier call of the same did them: the rows know.
        wanted = sql.select(_ID).where(_ID.in_(page), _is(STATUS, status))
        wanted = wanted.where(_is(_BY, by)).order_by(_ID)
        return self._mis.reading(lambda link: list(link.scalars(wanted)))


# -- the statements; those of every page are built once --------------------------------------------


@cache
def _claiming(words: Dialect, *, with_failed: bool) -> sql.Update:
    free = sql.or_(STATUS.is_(None), _is(STATUS, int(Status.NOT_SYNCED)))
    if with_failed:
        gone = _ID.in_(sql.bindparam("gone", expanding=True))
        free = sql.or_(free, sql.and_(_is(STATUS, int(Status.FAILED)), gone))
    return _token_on(free, words=words)


def _token_on(expected: sql.ColumnElement[bool], *, words: Dialect) -> sql.Update:
    held = int(Status.IN_PROGRESS)
    values = {STATUS: held, _BY: sql.bindparam("b_token"), _AT: words.now()}
    return sql.update(INVOICES).where(_ID.in_(_IDS), expected).values(values)


@cache
def _marking(words: Dialect) -> sql.Update:
    return _leaving(words.now())


def _leaving(at: sql.ColumnElement[Any]) -> sql.Update:
    ours = sql.and_(_is(STATUS, int(Status.IN_PROGRESS)), sql.bindparam("b_token") == _BY)
    values = {STATUS: sql.bindparam("b_status"), _BY: sql.bindparam("b_by"), _AT: at}
    return sql.update(INVOICES).where(_ID.in_(_IDS), ours).values(values)


def _pages(ids: Sequence[int]) -> Iterator[list[int]]:
    each = sorted(set(ids))
    for start in range(0, len(each), PAGE):
        yield each[start : start + PAGE]


def _is(column: sql.ColumnElement[object], value: object) -> sql.ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def _same(token: str | None) -> sql.ColumnElement[bool]:
    return _is(_BY, token)


def _usable(token: str) -> None:
    if not (token.isascii() and 0 < len(token) <= TOKEN_MOST):
        raise TokenUnusable(token)


def _mark(by: str) -> str:
    """Return a mark every column can hold; its end, the company, is never cut."""
    plain = by.encode("ascii", "replace").decode("ascii")
    half = TOKEN_MOST // 2
    return plain if len(plain) <= TOKEN_MOST else plain[:half] + plain[-half:]
