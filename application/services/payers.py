"""A payer's name in QuickBooks: the customer found there is taken over, or why it cannot be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from application.invoices.model import Intent, Party, Realm
from application.invoices.outcomes import Refused, Unknown, clocks_agree
from application.quickbooks.client import Client, Parties, Work
from application.store.audit import Actor
from application.store.customers import Customers as Links
from application.store.journal import Journal, Receipt, Refusal
from application.store.leases import Lease
from application.world import Gate, World


@dataclass(frozen=True, slots=True)
class Linked:
    """The payer has a customer in QuickBooks."""

    customer_id: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """The payer cannot have one until a person acts."""

    refused: Refused


@dataclass(frozen=True, slots=True)
class Parked:
    """Nobody can tell yet; the payer's invoices wait."""

    until: datetime


Answer = Linked | Blocked | Parked


@dataclass(frozen=True, slots=True)
class Nobody:
    """QuickBooks was asked and has nobody of that name."""

    asked_at: datetime
    believable: bool  # its clock and ours agree, so a wait measured by ours counts


@dataclass(frozen=True, slots=True)
class Errand:
    """What one page of customers is sent with."""

    realm: Realm
    lease: Lease
    by: Actor
    about_to_send: Callable[[Work], None]
    every: Callable[[], None]
    stop: Callable[[], bool]
    both: bool
    max_retries: int
    sends_max: int


class Payers:
    """Finds customers that were there before us.

    Args:
        journal: Takes receipts and refusals.
        links: Which customer is whose.
        client: Asks QuickBooks.
        world: Its gates.
    """

    def __init__(self, *, journal: Journal, links: Links, client: Client, world: World) -> None:
        self._journal = journal
        self._links = links
        self._client = client
        self._world = world

    def exact(self, intents: Sequence[Intent], *, errand: Errand) -> dict[str, Linked] | None:
        """Take over the customers that are called exactly so, with one read for all.

        Args:
            intents: Creations that QuickBooks refused because the name is taken.
            errand: What they are sent with.

        Returns:
            Those that were found; who is missing needs a closer look. None: it cannot be asked.
        """
        parties = self._client.customers_named([one.key for one in intents])
        if isinstance(parties, Refused | Unknown):
            return None
        mine = {one.key: one for one in intents}
        taken = {
            code: party
            for code in mine
            if (party := self._fit(code, parties=parties, errand=errand)) is not None
        }
        self._adopt(taken, intents=mine, errand=errand)
        return {code: Linked(party.quickbooks_id) for code, party in taken.items()}

    def named(
        self, code: str, *, errand: Errand, intent: Intent | None = None
    ) -> Answer | Nobody | None:
        """Search QuickBooks for a name: a link, why not, or nobody; None: it cannot be asked."""
        found = self._client.parties_named(code)
        if isinstance(found, Refused | Unknown):
            return None
        party = self._fit(code, parties=found.parties, errand=errand)
        if party is not None:
            self._adopt({code: party}, intents={code: intent} if intent else {}, errand=errand)
            return Linked(party.quickbooks_id)
        if not found.parties:
            believable = clocks_agree(found.asked_at, found.server_date)
            return Nobody(found.asked_at, believable)
        refused = Refused(_why_not(found))
        if intent is not None:
            self.refuse(intent, outcome=refused, errand=errand)
        return Blocked(refused)

    def _fit(self, code: str, *, parties: Sequence[Party], errand: Errand) -> Party | None:
        """Return the one active customer of exactly this name that is no other payer's."""
        exact = [
            one
            for one in parties
            if one.kind == "Customer" and one.active and one.display_name == code
        ]
        if len(exact) != 1:
            return None
        owner = self._links.payer_of(errand.realm.tag, exact[0].quickbooks_id)
        return exact[0] if owner in {None, code} else None

    def _adopt(
        self, taken: Mapping[str, Party], *, intents: Mapping[str, Intent], errand: Errand
    ) -> None:
        """Make the receipts of those found durable, then the links."""
        receipts = [
            receipt_of(intents[code], party=party, adopted=True)
            for code, party in taken.items()
            if code in intents
        ]
        if receipts:
            self._journal.confirmed(receipts, lease=errand.lease, by=errand.by)
        if taken:
            ids = {code: party.quickbooks_id for code, party in taken.items()}
            self._links.link_all(
                errand.realm.tag, ids, adopted=True, by=errand.by, lease=errand.lease
            )
            self._world.gate(Gate.CUSTOMER_LINKED)

    def refuse(self, intent: Intent, *, outcome: Refused, errand: Errand) -> None:
        """Write down that this payer's creation ended without a customer."""
        self._journal.refused(
            [
                Refusal(
                    invoice_id=None,
                    intent_id=intent.id,
                    cause=outcome.cause,
                    quickbooks_code=outcome.code,
                    quickbooks_text=outcome.text,
                    intuit_tid=outcome.intuit_tid,
                )
            ],
            lease=errand.lease,
            by=errand.by,
        )


def _why_not(found: Parties) -> str:
    inactive = [one for one in found.parties if one.kind == "Customer" and not one.active]
    only = bool(inactive) and len(inactive) == len(found.parties)
    return "customer_inactive" if only else "duplicate_customer_name"


def receipt_of(intent: Intent, *, party: Party, adopted: bool) -> Receipt:
    """Return the receipt of a customer that was created, or found."""
    return Receipt(
        intent_id=intent.id,
        quickbooks_id=party.quickbooks_id,
        sync_token=party.sync_token,
        adopted=adopted,
    )
