"""What lists ask of our store: who is held, refused, unclear or linked; reads only."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Row, Select, func, select

from application.invoices.model import Facts, IntentState, Kind
from application.store.records import confirmed_of, facts_of, numbered
from application.store.schema import (
    attempts,
    audit,
    claims,
    customers,
    holds,
    intents,
    refusals,
)
from application.store.tables import Store

_MADE: Final = "mapping.item_made"
_PRODUCT: Final = "product "


@dataclass(frozen=True, slots=True)
class Unclear:
    """An invoice we promised and do not know the end of."""

    invoice_id: int
    state: IntentState
    sent_at: datetime | None
    absent_from: datetime | None
    lease_ulid: str | None  # of the attempt that is open, if one is


@dataclass(frozen=True, slots=True)
class Sent:
    """What stands in QuickBooks for an invoice, and whose customer it is."""

    facts: Facts
    codes: frozenset[str]  # payers its customer was ever linked to; empty where nobody knows


class Flags:
    """Answers for whole pages of invoices, a fixed number of statements each.

    Args:
        store: Our database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def held(self, *, below: int | None, limit: int, above: int | None = None) -> list[int]:
        """Return held invoices, highest id first: the next below one, or the next above one."""
        query = select(holds.c.invoice_id).where(holds.c.open == 1)
        return self._next(query, holds.c.invoice_id, below=below, above=above, limit=limit)

    def refused(
        self, cause: str, *, below: int | None, limit: int, above: int | None = None
    ) -> list[int]:
        """Return invoices whose refusal for this cause stands, highest id first, as `held` does."""
        query = select(refusals.c.invoice_id).where(
            refusals.c.cause == cause, refusals.c.open == 1, refusals.c.invoice_id.is_not(None)
        )
        return self._next(query, refusals.c.invoice_id, below=below, above=above, limit=limit)

    def resolved(self, realm_tag: str, *, since: datetime) -> int:
        """Return how many invoices that had failed are in this company now, taken up since then."""
        query = (
            select(func.count(refusals.c.invoice_id.distinct()))
            .join(intents, intents.c.invoice_id == refusals.c.invoice_id)
            .where(
                refusals.c.closed_at >= since,
                intents.c.realm_tag == realm_tag,
                intents.c.kind == Kind.INVOICE.value,
                intents.c.state == IntentState.CONFIRMED.value,
            )
        )
        with self._store.read() as connection:
            return int(connection.execute(query).scalar_one())

    def last_refused_at(self) -> datetime | None:
        """Return when an invoice was last refused; None where none ever was."""
        query = select(refusals.c.at).order_by(refusals.c.id.desc()).limit(1)
        with self._store.read() as connection:
            at: datetime | None = connection.execute(query).scalar()
        return at

    def claims_of(self, tokens: Collection[str]) -> dict[str, str]:
        """Return the lease behind each claim token that is ours."""
        query = select(claims.c.token, claims.c.lease_ulid).where(claims.c.token.in_(list(tokens)))
        return {row.token: row.lease_ulid for row in self._rows(query)} if tokens else {}

    def unclear(self, realm_tag: str, ids: Collection[int]) -> dict[int, Unclear]:
        """Return which of these invoices, at most 500, are promised and not finished."""
        query = (
            select(
                intents.c.invoice_id,
                intents.c.state,
                intents.c.last_sent_at,
                intents.c.absent_from,
                attempts.c.lease_ulid,
            )
            .outerjoin(attempts, (attempts.c.intent_id == intents.c.id) & (attempts.c.open == 1))
            .where(
                intents.c.realm_tag == realm_tag,
                intents.c.kind == Kind.INVOICE.value,
                intents.c.open == 1,
                intents.c.invoice_id.in_(list(ids)),
            )
        )
        return {row.invoice_id: _unclear(row) for row in self._rows(query)} if ids else {}

    def sent(self, realm_tag: str, ids: Collection[int]) -> dict[int, Sent]:
        """Return what was sent for these invoices, at most 500; what we cannot tell is left out.

        What we promised counts; of an adopted one, what QuickBooks showed.
        """
        if not ids:
            return {}
        query = numbered(
            intents.c.invoice_id,
            intents.c.key,
            intents.c.state,
            intents.c.facts,
            intents.c.customer_id,
            intents.c.total,
            intents.c.dated,
        ).order_by(intents.c.generation)
        with self._store.read() as connection:
            rows = confirmed_of(connection, query, realm_tag=realm_tag, ids=ids)
        known = {row.invoice_id: _facts(row) for row in rows}
        facts = {one: each for one, each in known.items() if each is not None}
        codes = self._codes(realm_tag, {each.customer_id for each in facts.values()})
        return {
            one: Sent(each, codes.get(each.customer_id, frozenset())) for one, each in facts.items()
        }

    def items_made(self, realm_tag: str) -> frozenset[str]:
        """Return the products that were created from here, by their QuickBooks ids."""
        query = select(audit.c.subject).where(
            audit.c.action == _MADE, audit.c.realm_tag == realm_tag
        )
        return frozenset(row.subject.removeprefix(_PRODUCT) for row in self._rows(query))

    def _codes(self, realm_tag: str, customer_ids: Collection[str]) -> dict[str, frozenset[str]]:
        query = select(customers.c.quickbooks_id, customers.c.code).where(
            customers.c.realm_tag == realm_tag,
            customers.c.quickbooks_id.in_(sorted(customer_ids)),
        )
        found: dict[str, frozenset[str]] = {}
        for row in self._rows(query):
            found[row.quickbooks_id] = found.get(row.quickbooks_id, frozenset()) | {row.code}
        return found

    def _next(
        self,
        query: Select[Any],
        column: Column[Any],
        *,
        below: int | None,
        above: int | None,
        limit: int,
    ) -> list[int]:
        if below is not None:
            query = query.where(column < below)
        if above is not None:
            return self._ids(query.where(column > above).order_by(column).limit(limit))[::-1]
        return self._ids(query.order_by(column.desc()).limit(limit))

    def _ids(self, query: Select[Any]) -> list[int]:
        with self._store.read() as connection:
            return list(connection.execute(query).scalars())

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self._store.read() as connection:
            return list(connection.execute(query).all())


def _unclear(row: Row[Any]) -> Unclear:
    return Unclear(
        invoice_id=row.invoice_id,
        state=IntentState(row.state),
        sent_at=row.last_sent_at,
        absent_from=row.absent_from,
        lease_ulid=row.lease_ulid,
    )


def _facts(row: Row[Any]) -> Facts | None:
    promised = facts_of(row.facts)
    if promised is not None or None in {row.customer_id, row.total, row.dated}:
        return promised
    return Facts(row.key, row.customer_id, row.total, row.dated)
