"""Claim, mark, release, take over: the only writes to the MIS, three columns, old value named."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sql

from application.invoices.model import Status
from application.mis.rows import ClaimedRow, Former
from application.mis.tables import INVOICES, Mis
from application.world import Gate, World

TOKEN_MOST = 120
PAGE = 500
_ID = INVOICES.c["id"]
STATUS = INVOICES.c["QuickBk_Status"]
_BY = INVOICES.c["pushed_by"]
_AT = INVOICES.c["pushed_date"]
_Values = Mapping[sql.ColumnClause[Any], Any]


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
            free = sql.or_(STATUS.is_(None), _is(STATUS, int(Status.NOT_SYNCED)))
            gone = [one for one in page if one in cause_gone]
            if gone:
                free = sql.or_(free, sql.and_(_is(STATUS, int(Status.FAILED)), _ID.in_(gone)))
            won += self._put_token(page, expected=free, token=token)
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
            for page in _pages(ids):
                won += self._put_token(page, expected=held, token=token)
        return sorted(won)

    def renew(self, ids: Sequence[int], *, token: str) -> list[int]:
        """Give our claims a new time; return the ids that are still ours."""
        ours = sql.and_(_is(STATUS, int(Status.IN_PROGRESS)), _same(token))
        still: list[int] = []
        for page in _pages(ids):
            still += self._put_token(page, expected=ours, token=token)
        return still

    def mark(self, ids: Sequence[int], *, token: str, status: Status, by: str) -> list[int]:
        """Write the final status of rows that carry our token; return the ids that have it now.

        Args:
            ids: Rows we claimed with that token.
            token: The fence: a row with another one is somebody else's.
            status: `SYNCED` or `FAILED`.
            by: The readable mark that takes the token's place.
        """
        values = {STATUS: int(status), _BY: _mark(by), _AT: self._mis.dialect.now()}
        hit: list[int] = []
        for page in _pages(ids):
            hit += self._let_go(page, token=token, values=values, gate=Gate.MARK_COMMITTED)
        return hit

    def release(self, formers: Sequence[Former], *, token: str) -> list[int]:
        """Give rows that carry our token their former three values back; return their ids."""
        alike: defaultdict[tuple[int | None, str | None, str | None], list[int]] = defaultdict(list)
        for former in formers:
            alike[former.status, former.pushed_by, former.pushed_date_text].append(former.id)
        freed: list[int] = []
        for (status, by, date_text), ids in alike.items():
            values = {STATUS: status, _BY: by, _AT: date_text}
            for page in _pages(ids):
                freed += self._let_go(page, token=token, values=values, gate=Gate.RELEASE_RESTORED)
        return sorted(freed)

    def _put_token(
        self, page: Sequence[int], *, expected: sql.ColumnElement[bool], token: str
    ) -> list[int]:
        held = int(Status.IN_PROGRESS)
        values = {STATUS: held, _BY: token, _AT: self._mis.dialect.now()}
        change = sql.update(INVOICES).where(_ID.in_(page), expected).values(values)
        count = self._mis.writing(lambda link: link.execute(change).rowcount)
        self._world.gate(Gate.CLAIM_WRITTEN)
        if count == len(page):
            return list(page)
        ours = sql.select(_ID).where(
            _ID.in_(page), _is(STATUS, int(Status.IN_PROGRESS)), _same(token)
        )
        won = self._mis.reading(lambda link: list(link.scalars(ours.order_by(_ID))))
        self._world.gate(Gate.CLAIM_REREAD)
        return won

    def _let_go(self, page: Sequence[int], *, token: str, values: _Values, gate: Gate) -> list[int]:
        held = sql.and_(_is(STATUS, int(Status.IN_PROGRESS)), _same(token))
        change = sql.update(INVOICES).where(_ID.in_(page), held).values(dict(values))
        if gate is Gate.MARK_COMMITTED:
            self._world.gate(Gate.MARK_SENT)
        count = self._mis.writing(lambda link: link.execute(change).rowcount)
        self._world.gate(gate)
        if count == len(page):
            return list(page)
        # Some are no longer ours, or an earlier call of the same did them: the rows know.
        wanted = sql.select(_ID).where(_ID.in_(page), _is(STATUS, values[STATUS]))
        wanted = wanted.where(_is(_BY, values[_BY])).order_by(_ID)
        return self._mis.reading(lambda link: list(link.scalars(wanted)))


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
