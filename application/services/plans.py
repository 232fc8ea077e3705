"""Rows judged against the rules: payer, fee, product, every problem; does a failure look fixed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TypeVar

from application.invoices import mapping, validation
from application.invoices.model import (
    AmountRule,
    Draft,
    Fee,
    ItemPolicy,
    MisInvoice,
    Oddity,
    Student,
)
from application.invoices.money import amount_to_send
from application.invoices.validation import Problem
from application.mis.reader import MisReader
from application.store.items import ItemRow, Items
from application.store.journal import RefusalRecord

T = TypeVar("T")


def pages_of(things: Sequence[T], *, most: int) -> Iterator[Sequence[T]]:
    """Yield the things in order, at most that many together."""
    for start in range(0, len(things), most):
        yield things[start : start + most]


@dataclass(frozen=True, slots=True)
class Rules:
    """The choices of this installation that decide what is sent."""

    amount: AmountRule = AmountRule.DEBIT
    item_policy: ItemPolicy = ItemPolicy.MATCH
    item_default: str | None = None  # name of the product under ItemPolicy.DEFAULT
    income_account: str | None = None  # name of the account under ItemPolicy.CREATE


@dataclass(frozen=True, slots=True)
class Plan:
    """One MIS row with everything it refers to and every problem it has."""

    invoice: MisInvoice
    student: Student | None
    fee: Fee | None
    item: ItemRow | None
    problems: tuple[Problem, ...]

    @property
    def facts(self) -> dict[str, str]:
        """What the catalogue's texts may name about this row."""
        row = self.invoice
        return {
            "reg_no": row.payer,
            "fee": self.fee.name if self.fee else str(row.fee_category or ""),
            "invoice_date": row.dated_text or "",
        }

    def fingerprint(self, *, cause: str) -> str:
        """Return a hash over what this cause depends on, to see later whether that changed."""
        return validation.fingerprint_of(
            self.invoice,
            student=self.student,
            fee=self.fee,
            item_id=self.item.id if self.item else None,
            cause=cause,
        )

    def draft(self, *, customer_id: str, rule: AmountRule) -> Draft:
        """Return what QuickBooks is to get; only for a plan without problems."""
        assert self.student is not None, "a plan without problems has a payer"  # noqa: S101 - narrows the type
        assert self.fee is not None, "a plan without problems has a fee"  # noqa: S101 - narrows the type
        assert self.item is not None, "a plan without problems has a product"  # noqa: S101 - narrows the type
        return mapping.draft_of(
            self.invoice,
            student=self.student,
            fee=self.fee,
            item_id=self.item.id,
            item_name=self.item.name,
            customer_id=customer_id,
            rule=rule,
        )

    def source(self, *, rule: AmountRule) -> str:
        """Return the hash of all that decides the payload except the customer's id."""
        return mapping.source_sha256(
            self.invoice,
            item_id=self.item.id if self.item else "",
            description=mapping.description_of(self.fee, item_name=self.item.name)
            if self.fee and self.item
            else "",
            rule=rule,
        )


class Plans:
    """Makes plans from rows, a few statements a page.

    Args:
        reader: The MIS.
        items: Products and the company profile, as read at connect.
        rules: The installation's choices.
        make_item: Creates a product in QuickBooks and returns it; used by ItemPolicy.CREATE
            when a plan is about to be sent, never by a question.
    """

    def __init__(
        self,
        *,
        reader: MisReader,
        items: Items,
        rules: Rules,
        make_item: Callable[[str], ItemRow | None] | None = None,
    ) -> None:
        self._reader = reader
        self._items = items
        self._make_item = make_item
        self.rules = rules

    def of(
        self, rows: Sequence[MisInvoice], *, realm_tag: str | None, sending: bool = False
    ) -> list[Plan]:
        """Return a plan for each row, in order.

        Args:
            rows: Any number; people and fees are read once for all of them.
            realm_tag: The connected company, or None: then no product is known and none missed.
            sending: Whether missing products may be created now.
        """
        payers = self._reader.payers({row.payer for row in rows if row.payer})
        fees = self._reader.fees({row.fee_category for row in rows if row.fee_category is not None})
        shelf = _Shelf.read(self._items, realm_tag=realm_tag, rules=self.rules)
        if sending and self.rules.item_policy is ItemPolicy.CREATE and self._make_item:
            shelf = self._stocked(shelf, fees=fees.values())
        return [self._plan(row, payers=payers, fees=fees, shelf=shelf) for row in rows]

    def _plan(
        self,
        row: MisInvoice,
        *,
        payers: Mapping[str, Student],
        fees: Mapping[int, Fee],
        shelf: "_Shelf",
    ) -> Plan:
        student = payers.get(row.payer)
        fee = fees.get(row.fee_category) if row.fee_category is not None else None
        item = shelf.item_for(fee, fee_id=row.fee_category)
        problems = validation.problems_in(
            row,
            student=student,
            fee=fee or shelf.nameless(row),
            item_id=item.id if item else shelf.unread_id,
            rule=self.rules.amount,
            books_closed_until=shelf.closed_until,
        )
        return Plan(
            invoice=row,
            student=student,
            fee=fee or shelf.nameless(row),
            item=item,
            problems=problems,
        )

    def _stocked(self, shelf: "_Shelf", *, fees: Iterable[Fee]) -> "_Shelf":
        by_key = dict(shelf.by_key)
        for fee in fees:
            key = mapping.item_key(fee.name)
            known = key in by_key or fee.id in shelf.chosen
            if known or not mapping.legal_item_name(fee.name) or self._make_item is None:
                continue
            made = self._make_item(fee.name)
            if made is not None:
                by_key[key] = made
        return replace(shelf, by_key=by_key)

    def looks_fixed(self, plan: Plan, *, refusal: RefusalRecord | None, realm_tag: str) -> bool:
        """Return whether the cause of a failure is gone from the MIS or the mapping."""
        if refusal is None:
            return True
        profile = self._items.profile(realm_tag)
        return validation.looks_fixed(
            refusal.cause,
            problems_now=plan.problems,
            fingerprint_then=refusal.fingerprint,
            fingerprint_now=plan.fingerprint(cause=refusal.cause),
            books_closed_until=profile.books_closed_until if profile else None,
            invoice=plan.invoice,
        )

    def amount(self, plan: Plan) -> Decimal | None:
        """Return the amount that would be sent, or None where there is none to send."""
        return amount_to_send(plan.invoice, rule=self.rules.amount)

    @staticmethod
    def traced(plan: Plan) -> bool:
        """Return whether an earlier program left its mark in the comment."""
        return Oddity.TRACED in plan.invoice.oddities


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The company's products as one page of plans needs them."""

    by_key: Mapping[str, ItemRow]
    chosen: Mapping[int, ItemRow]
    default: ItemRow | None
    closed_until: date | None
    unread_id: str | None  # stands for "not known": without a company nothing is called missing

    @classmethod
    def read(cls, items: Items, *, realm_tag: str | None, rules: Rules) -> "_Shelf":
        if realm_tag is None:
            return cls(by_key={}, chosen={}, default=None, closed_until=None, unread_id="")
        by_key = items.by_key(realm_tag)
        default = None
        if rules.item_policy is ItemPolicy.DEFAULT and rules.item_default:
            default = by_key.get(mapping.item_key(rules.item_default))
        profile = items.profile(realm_tag)
        return cls(
            by_key=by_key,
            chosen=items.chosen(realm_tag),
            default=default,
            closed_until=profile.books_closed_until if profile else None,
            unread_id=None,
        )

    def item_for(self, fee: Fee | None, *, fee_id: int | None) -> ItemRow | None:
        if fee_id is not None and fee_id in self.chosen:
            return self.chosen[fee_id]
        if fee is None:
            return self.default
        return self.by_key.get(mapping.item_key(fee.name), self.default)

    def nameless(self, row: MisInvoice) -> Fee | None:
        """Return a stand-in where one default product takes rows without any fee name."""
        if self.default is None:
            return None
        return Fee(id=row.fee_category or 0, name=self.default.name, description=None)
