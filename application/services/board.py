"""What has failed and what to do about it, cause by cause; and what settles by itself."""

from collections.abc import Mapping as Keyed
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from application.mis.reader import MisReader
from application.services.causes import UNMAPPED, Causes, Group
from application.services.company import Company
from application.services.listing import Listing
from application.services.mapping import Mapping, MappingRow
from application.services.marking import cause_of
from application.store.flags import Flags
from application.store.journal import Journal, RefusalRecord
from application.world import Clock

RESOLVED_IN: Final = timedelta(days=7)
NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class FeeToMap:
    """One fee without a product, and how many invoices failed for that."""

    row: MappingRow
    count: int


@dataclass(frozen=True, slots=True)
class Card:
    """The failures of one cause."""

    group: Group
    facts: Keyed[str, str]  # those all of its newest few share; they fill the cause's texts
    payers: tuple[str, ...]  # of the newest few
    more: int  # how many are not named
    fees: tuple[FeeToMap, ...]  # of fees without a product


@dataclass(frozen=True, slots=True)
class Board:
    """Everything that has failed, and what is handled by itself."""

    cards: tuple[Card, ...]
    count: int
    amount: Decimal
    settling: int
    settled_at: datetime | None  # when the last of them is decided
    stuck: int
    resolved: int  # in QuickBooks now, within the last days
    last_failed_at: datetime | None


class Boards:
    """Reads the MIS and our store; writes nothing."""

    def __init__(
        self,
        *,
        causes: Causes,
        listing: Listing,
        mapping: Mapping,
        company: Company,
        reader: MisReader,
        journal: Journal,
        flags: Flags,
        clock: Clock,
    ) -> None:
        self._causes = causes
        self._listing = listing
        self._mapping = mapping
        self._company = company
        self._reader = reader
        self._journal = journal
        self._flags = flags
        self._clock = clock

    def board(self) -> Board:
        """Return every cause, the largest amount first, then the most invoices.

        Raises:
            Stop: The MIS or our store does not answer.
        """
        groups = self._causes.groups()
        order = sorted(groups, key=lambda one: (-one.amount, -one.count, one.cause))
        now, tag = self._clock.now(), self._company.realm_tag()
        hanging = self._listing.settling()
        until = [at for at in hanging.values() if at > now]
        return Board(
            cards=tuple(self._cards(order)),
            count=sum(one.count for one in groups),
            amount=sum((one.amount for one in groups), Decimal(0)),
            settling=len(until),
            settled_at=max(until, default=None),
            stuck=len(hanging) - len(until),
            resolved=self._flags.resolved(tag, since=now - RESOLVED_IN) if tag else 0,
            last_failed_at=self._flags.last_refused_at(),
        )

    def card(self, cause: str) -> Card | None:
        """Return the failures of one cause; None where there are none.

        Raises:
            Stop: The MIS or our store does not answer.
        """
        return next(iter(self._cards(self._causes.groups(only=cause))), None)

    def _cards(self, groups: Sequence[Group]) -> list[Card]:
        ids = [one for group in groups for one in group.sample_ids]
        rows = {row.id: row for row in self._reader.rows_of(ids)}
        refusals = self._journal.refusals_for(ids)
        unmapped = self._unmapped(groups)
        cards: list[Card] = []
        for group in groups:
            known = [rows[one] for one in group.sample_ids if one in rows]
            payers = list(dict.fromkeys(row.payer for row in known if row.payer))[:NAMED]
            told = [
                refusals[row.id]
                for row in known
                if row.id in refusals
                and cause_of(row.status, refusal=refusals[row.id]) == group.cause
            ]
            named = min(len(payers), group.count)
            fees = unmapped if group.cause == UNMAPPED else ()
            cards.append(
                Card(
                    group=group,
                    facts=shared_facts(told),
                    payers=tuple(payers),
                    more=group.count - named,
                    fees=fees,
                )
            )
        return cards

    def _unmapped(self, groups: Sequence[Group]) -> tuple[FeeToMap, ...]:
        counts = next((dict(one.fees) for one in groups if one.cause == UNMAPPED), {})
        if not counts or self._company.realm_tag() is None:
            return ()
        rows = self._mapping.rows(unmapped=True).rows
        found = (FeeToMap(row, counts.get(row.fee_category, 0)) for row in rows)
        return tuple(sorted((one for one in found if one.count), key=lambda one: -one.count))


def shared_facts(refusals: Sequence[RefusalRecord]) -> dict[str, str]:
    """Return the facts that are the same in all of these."""
    if not refusals:
        return {}
    first, *others = refusals
    return {
        name: fact
        for name, fact in first.facts.items()
        if all(other.facts.get(name) == fact for other in others)
    }
