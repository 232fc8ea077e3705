"""Which product takes which fee: by name, by a person's choice, by default; and what is missing."""

from collections.abc import Mapping as Keyed
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Final

from application.catalogue import NO_SIGN_IN, NotConnected, NotFound
from application.invoices import mapping as names
from application.invoices.model import Fee, ItemPolicy
from application.mis.reader import MisReader
from application.services.causes import UNMAPPED, Causes
from application.services.company import Company
from application.services.plans import Plans
from application.store.audit import Actor
from application.store.flags import Flags
from application.store.items import ItemRow, Items

__all__ = ["Chosen", "Effect", "ItemRow", "Mapping", "MappingPage", "MappingRow"]

ALIKE_PERCENT: Final = 60
NONE: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One fee category in use."""

    fee_category: int
    fee: str | None
    item_id: str | None
    item: str | None
    source: str  # person, name, created, default or none
    suggested: ItemRow | None
    waiting: int
    failed: int


@dataclass(frozen=True, slots=True)
class MappingPage:
    """Every fee category in use."""

    rows: tuple[MappingRow, ...]
    mapped: int
    total: int
    products_read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A fee category after a choice, and what that mends."""

    row: MappingRow
    now_look_fixed: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a choice would mend, before anything is kept."""

    row: MappingRow
    item: ItemRow | None  # None: nothing is chosen, or there is no such active product
    freed: int  # failed for want of a product


class Mapping:
    """Reads and changes the choices."""

    def __init__(
        self,
        *,
        reader: MisReader,
        items: Items,
        plans: Plans,
        causes: Causes,
        company: Company,
        flags: Flags,
    ) -> None:
        self._reader = reader
        self._items = items
        self._plans = plans
        self._causes = causes
        self._company = company
        self._flags = flags

    def rows(self, *, unmapped: bool = False) -> MappingPage:
        """Return the fee categories in use: those with a product, and those that lack one now.

        Raises:
            NotConnected: No company is known, so no product is either.
        """
        tag = self._tag()
        chosen = self._items.chosen(tag)
        used = self._reader.fees_in_use(every=True)
        numbers = sorted({*used, *chosen})
        fees = self._reader.fees(numbers)
        shelf = self._shelf(tag, chosen=chosen)
        every = (
            self._row(one, fee=fees.get(one), shelf=shelf, counts=used.get(one, NONE))
            for one in numbers
        )
        rows = [row for row in every if row.item_id is not None or row.waiting or row.failed]
        mapped = sum(row.item_id is not None for row in rows)
        shown = [row for row in rows if row.item_id is None] if unmapped else rows
        return MappingPage(tuple(shown), mapped, len(rows), self._items.read_at(tag))

    def products(self) -> list[ItemRow]:
        """Return the company's active products by their names.

        Raises:
            NotConnected: No company is known.
        """
        return sorted(self._items.by_key(self._tag()).values(), key=lambda one: one.name.lower())

    def effect(self, fee_id: int, *, item_id: str) -> Effect:
        """Return what would be if this product took this fee; nothing is changed.

        Raises:
            NotFound: There is no such fee.
            NotConnected: No company is known.
        """
        self._fee(fee_id)
        item = next((one for one in self.products() if one.id == item_id), None)
        freed = self._causes.how_many(cause=UNMAPPED, fee=fee_id) if item else 0
        return Effect(self._one(fee_id), item, freed)

    def choose(self, fee_id: int, *, item_id: str, by: Actor) -> Chosen:
        """Let a product take a fee.

        Raises:
            NotFound: There is no such fee or active product.
            NotConnected: No company is known.
        """
        tag = self._tag()
        self._fee(fee_id)
        products = self._items.by_key(tag).values()
        item = next((one for one in products if one.id == item_id), None)
        if item is None:
            raise NotFound(what=f"active product {item_id}")
        self._items.choose(tag, fee_id, item=item, by=by)
        return self._chosen(fee_id)

    def clear(self, fee_id: int, *, by: Actor) -> Chosen:
        """Let a fee take the product of its own name again.

        Raises:
            NotFound: There is no such fee.
            NotConnected: No company is known.
        """
        tag = self._tag()
        self._fee(fee_id)
        self._items.unchoose(tag, fee_id, by=by)
        return self._chosen(fee_id)

    def _chosen(self, fee_id: int) -> Chosen:
        return Chosen(self._one(fee_id), self._causes.how_many_fixed(cause=UNMAPPED, fee=fee_id))

    def _one(self, fee_id: int) -> MappingRow:
        tag = self._tag()
        return self._row(
            fee_id,
            fee=self._reader.fees({fee_id}).get(fee_id),
            shelf=self._shelf(tag, chosen=self._items.chosen(tag)),
            counts=self._reader.fees_in_use().get(fee_id, NONE),
        )

    def _shelf(self, tag: str, *, chosen: Keyed[int, ItemRow]) -> "_Shelf":
        return _Shelf(
            by_key=self._items.by_key(tag), chosen=chosen, made=self._flags.items_made(tag)
        )

    def _row(
        self, fee_id: int, *, fee: Fee | None, shelf: "_Shelf", counts: tuple[int, int]
    ) -> MappingRow:
        rules, by_key = self._plans.rules, shelf.by_key
        item, source = shelf.chosen.get(fee_id), "person"
        if item is None and fee is not None:
            item = by_key.get(names.item_key(fee.name))
            source = "created" if item is not None and item.id in shelf.made else "name"
        if item is None and rules.item_policy is ItemPolicy.DEFAULT and rules.item_default:
            item, source = by_key.get(names.item_key(rules.item_default)), "default"
        waiting, failed = counts
        return MappingRow(
            fee_category=fee_id,
            fee=fee.name if fee else None,
            item_id=item.id if item else None,
            item=item.name if item else None,
            source=source if item else "none",
            suggested=None if item or fee is None else _closest(fee.name, by_key),
            waiting=waiting,
            failed=failed,
        )

    def _fee(self, fee_id: int) -> Fee:
        fee = self._reader.fees({fee_id}).get(fee_id)
        if fee is None:
            raise NotFound(what=f"fee category {fee_id}")
        return fee

    def _tag(self) -> str:
        tag = self._company.realm_tag()
        if tag is None:
            raise NotConnected(since="", reason=NO_SIGN_IN)
        return tag


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The company's products, and which of them stand for which fee."""

    by_key: Keyed[str, ItemRow]
    chosen: Keyed[int, ItemRow]
    made: frozenset[str]  # created from here


def _closest(name: str, by_key: Keyed[str, ItemRow]) -> ItemRow | None:
    """Return the product whose name is nearest, where one is near."""
    wanted = names.item_key(name)
    best: tuple[int, ItemRow] | None = None
    for key, item in by_key.items():
        alike = int(SequenceMatcher(a=wanted, b=key).ratio() * 100)
        if alike >= ALIKE_PERCENT and (best is None or alike > best[0]):
            best = (alike, item)
    return best[1] if best else None
