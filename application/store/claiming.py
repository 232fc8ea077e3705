"""Claims: noted before the MIS is touched, ended when their rows are."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    Row,
    Select,
    bindparam,
    exists,
    insert,
    select,
    update,
)

from application.store.audit import Actor, Entry, actor_json, actor_of, invoices_text
from application.store.bulk import Bulk
from application.store.changing import CLOSE_REFUSALS
from application.store.columns import FormerRow, json_object
from application.store.fence import Lease
from application.store.records import Book, ClaimNote, Former, entry_of
from application.store.schema import claim_rows, claims, intents, lease_terms, refusals
from application.store.tables import present_in

_FAILED = 2
_CLAIM = select(claims).where(claims.c.token == bindparam("token"))
_CLAIM_ROWS = (
    select(claim_rows)
    .where(claim_rows.c.token == bindparam("token"))
    .order_by(claim_rows.c.invoice_id)
)


class Claiming(Book):
    """The part of the journal about claims."""

    def note_claim(
        self,
        *,
        lease: Lease,
        token: str,
        run_id: int | None,
        formers: Sequence[FormerRow],
        by: Actor,
    ) -> None:
        """Note a claim before the MIS is touched: a known token without an intent sent nothing.

        Refusals of these invoices are closed: whatever comes next is newer.

        Raises:
            LeaseLost: Nothing was noted; do not claim.
        """
        ids = [former.id for former in formers]
        entry = Entry(
            action="invoice.claimed",
            subject=invoices_text(ids),
            by=by,
            after={"ids": ids, "token": token, "lease": lease.ulid},
            realm_tag=lease.realm_tag,
            invoice_ids=ids,
        )

        def work(connection: Connection) -> None:
            now = self._leases.guard(connection, lease)
            claim = {
                "token": token,
                "realm_tag": lease.realm_tag,
                "lease_ulid": lease.ulid,
                "run_id": run_id,
                "actor": actor_json(by),
                "noted_at": now,
            }
            connection.execute(_NEW_CLAIM, claim)
            _NEW_ROWS.run(connection, [_row(one, token=token) for one in formers])
            connection.execute(CLOSE_REFUSALS, {"ids": ids, "b_now": now, "b_by": token})
            self._append(connection, [entry])

        if ids:
            self._store.write(work)

    def claim_of(self, token: str) -> ClaimNote | None:
        """Return the claim of a token; None where this store never noted it."""
        with self._store.read() as connection:
            row = connection.execute(_CLAIM, {"token": token}).first()
            if row is None:
                return None
            rows = connection.execute(_CLAIM_ROWS, {"token": token}).all()
        return ClaimNote(
            token=token,
            realm_tag=row.realm_tag,
            lease_ulid=row.lease_ulid,
            run_id=row.run_id,
            noted_at=row.noted_at,
            formers=tuple(_former(one) for one in rows),
            ended=frozenset(one.invoice_id for one in rows if one.ended_at is not None),
        )

    def end_claim(self, token: str, ids: Iterable[int], *, by: Actor | None = None) -> None:
        """Note that a claim did not get these rows, or that they no longer carry its token."""
        wanted = list(ids)

        def work(connection: Connection) -> None:
            row = connection.execute(_CLAIM, {"token": token}).first()
            ended = [] if row is None else self._end_rows(connection, token=token, ids=wanted)
            if row is None or not ended:
                return
            entry = Entry(
                action="invoice.not_claimed",
                subject=invoices_text(ended),
                by=by or actor_of(row.actor),
                after={"ids": ended, "token": token},
                realm_tag=row.realm_tag,
                invoice_ids=ended,
            )
            self._append(connection, [entry])

        self._store.write(work)

    def released(self, ids: Iterable[int], *, token: str, lease: Lease, by: Actor) -> None:
        """Note that rows of a claim are free again; a failed one fails as it did before.

        Raises:
            LeaseLost: Nothing was noted.
        """
        wanted = list(ids)

        def work(connection: Connection) -> None:
            self._leases.guard(connection, lease)
            ended = self._end_rows(connection, token=token, ids=wanted)
            if not ended:
                return
            entry = Entry(
                action="invoice.released",
                subject=invoices_text(ended),
                by=by,
                after={"ids": ended, "token": token},
                realm_tag=lease.realm_tag,
                invoice_ids=ended,
            )
            self._append(connection, [entry])

        self._store.write(work)

    def fenced(self, invoice_id: int, *, lease: Lease, by: Actor) -> None:
        """Note that somebody else's value stands in the MIS row; it is left alone.

        Raises:
            LeaseLost: Nothing was noted.
        """
        self._lost_row(invoice_id, action="fenced", lease=lease, by=by)

    def source_gone(self, invoice_id: int, *, lease: Lease, by: Actor) -> None:
        """Note that the MIS row is no longer there.

        Raises:
            LeaseLost: Nothing was noted.
        """
        self._lost_row(invoice_id, action="source_gone", lease=lease, by=by)

    def open_claims(self, realm_tag: str, *, limit: int = 500) -> list[ClaimNote]:
        """Return claims of ended leases that still have open rows, oldest first.

        After a sweep, rows of them that do not carry the token in the MIS are to be ended: their
        sender died before the MIS was touched, or before it noted the end.
        """
        query = _open_claims_in(self._store.dialect)
        with self._store.read() as connection:
            asked = {"realm": realm_tag, "most": limit, **self._store.present()}
            found = connection.execute(query, asked).scalars().all()
        return [note for token in found if (note := self.claim_of(token)) is not None]

    def _lost_row(self, invoice_id: int, *, action: str, lease: Lease, by: Actor) -> None:
        def work(connection: Connection) -> None:
            now = self._leases.guard(connection, lease)
            end_claim_rows(connection, [invoice_id], now=now)
            entry = entry_of(action, by=by, lease=lease, invoice_id=invoice_id)
            self._append(connection, [entry])

        self._store.write(work)

    def _end_rows(self, connection: Connection, *, token: str, ids: Sequence[int]) -> list[int]:
        """End open rows of a claim, open again the refusals it closed, return whose rows ended."""
        now = self._store.moment(connection)
        mine = {"b_token": token, "ids": list(ids)}
        rows = connection.execute(_LOCKED_ROWS, mine).all()
        connection.execute(_END_MINE, {**mine, "b_now": now})
        failed = [row.invoice_id for row in rows if _former(row).status == _FAILED]
        if failed:
            self._open_again(connection, token=token, ids=failed)
        return [row.invoice_id for row in rows]

    def _open_again(self, connection: Connection, *, token: str, ids: Sequence[int]) -> None:
        """Open the refusals a claim had closed, where nothing newer came of that claim."""
        newer = connection.execute(_REFUSED_ANEW, {"ids": list(ids)}).scalars()
        left = sorted(set(ids) - set(newer))
        connection.execute(_OPEN_AGAIN, {"b_token": token, "ids": left})


def end_claim_rows(connection: Connection, ids: Iterable[int], *, now: datetime) -> None:
    """End every open claim row of invoices whose fate is settled."""
    connection.execute(_END_ROWS, {"ids": list(ids), "b_now": now})


# Built once: every page runs them.
_NEW_CLAIM, _NEW_ROWS = insert(claims), Bulk(insert(claim_rows))
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_OPEN_ROWS = (claim_rows.c.invoice_id.in_(_IDS), claim_rows.c.ended_at.is_(None))
_END_ROWS = update(claim_rows).where(*_OPEN_ROWS).values(ended_at=bindparam("b_now"))
_MINE = (claim_rows.c.token == bindparam("b_token"), *_OPEN_ROWS)
_LOCKED_ROWS = select(claim_rows).where(*_MINE).with_for_update()
_END_MINE = update(claim_rows).where(*_MINE).values(ended_at=bindparam("b_now"))
_REFUSED_ANEW = select(refusals.c.invoice_id).where(
    refusals.c.invoice_id.in_(_IDS), refusals.c.open == 1
)
_NOTED_AT = select(claims.c.noted_at).where(claims.c.token == bindparam("b_token"))
_SENT_SINCE = exists().where(
    intents.c.invoice_id == refusals.c.invoice_id,
    intents.c.last_sent_at >= _NOTED_AT.scalar_subquery(),
)
_OPEN_AGAIN = (
    update(refusals)
    .where(
        refusals.c.invoice_id.in_(_IDS),
        refusals.c.closed_by == bindparam("b_token"),
        refusals.c.open.is_(None),
        ~_SENT_SINCE,
    )
    .values(open=1, closed_at=None, closed_by=None)
)


@cache
def _open_claims_in(dialect: str) -> Select[Any]:
    over = lease_terms.c.ended_at.is_not(None) | (lease_terms.c.until <= present_in(dialect))
    # From the open rows, which are few, and not from the claims, which only grow.
    open_rows = select(claim_rows.c.token).where(claim_rows.c.ended_at.is_(None))
    return (
        select(claims.c.token)
        .join(lease_terms, lease_terms.c.ulid == claims.c.lease_ulid)
        .where(claims.c.realm_tag == bindparam("realm"), over, claims.c.token.in_(open_rows))
        .order_by(claims.c.noted_at, claims.c.token)
        .limit(bindparam("most", type_=Integer))
    )


def _row(former: FormerRow, *, token: str) -> dict[str, object]:
    return {
        "token": token,
        "invoice_id": former.id,
        "former": {
            "status": None if former.status is None else int(former.status),
            "pushed_by": former.pushed_by,
            "pushed_date": former.pushed_date_text,
        },
    }


def _former(row: Row[Any]) -> Former:
    stored = json_object(row.former)
    status, pushed_by, pushed_date = (
        stored.get(name) for name in ("status", "pushed_by", "pushed_date")
    )
    return Former(
        id=row.invoice_id,
        status=status if isinstance(status, int) else None,
        pushed_by=pushed_by if isinstance(pushed_by, str) else None,
        pushed_date_text=pushed_date if isinstance(pushed_date, str) else None,
    )
