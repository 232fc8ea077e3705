"""What to know of a company before the first invoice goes: each finding with its fix."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from application.catalogue import Stop, explain
from application.invoices.mapping import item_key, legal_item_name
from application.invoices.model import Environment, Fee, ItemPolicy, Party
from application.invoices.outcomes import Refused, Unknown
from application.mis.reader import MisReader
from application.quickbooks.client import Client
from application.services.connection import Connection, Reading
from application.services.looks import Check, Looks, Seen
from application.services.plans import Rules
from application.store.items import ItemRow, Items
from application.world import World

PAYERS_MOST = 200
ROWS_PAGE = 200
PAGES_MOST = 10  # of waiting rows that are looked at for payers
NAMES_SHOWN = 8
_NO_SUBSCRIPTION = frozenset({"suspended", "expired", "cancelled", "canceled"})


class Preflight:
    """Looks at a company from every side that would refuse an invoice.

    Args:
        reader: The MIS.
        items: Products and what was remembered.
        rules: Which product takes which fee.
        connection: Reads the company.
        world: Clock.
        currency: What the MIS counts in.
        fees_in_use: How many waiting and failed invoices each fee category has.
        others_named: Looks for vendors and employees by name.
    """

    def __init__(
        self,
        *,
        reader: MisReader,
        items: Items,
        rules: Rules,
        connection: Connection,
        world: World,
        currency: str,
        fees_in_use: Callable[[], Mapping[int, int]],
        others_named: Callable[[Client, Sequence[str]], tuple[Party, ...] | Refused | Unknown],
    ) -> None:
        self._reader = reader
        self._items = items
        self._rules = rules
        self._connection = connection
        self._world = world
        self._currency = currency
        self._fees_in_use = fees_in_use
        self._others_named = others_named
        self._looks = Looks(items, clock=world.clock)

    def look(self, client: Client) -> list[Check]:
        """Read the company, check it, and remember what was found.

        What cannot be looked at is a failed check, never a passed one.

        Raises:
            NotConnected: There is no company to look at.
        """
        realm = self._connection.connected_realm()
        checks = list(self._looked(client, tag=realm.tag, environment=realm.environment))
        self._looks.keep(f"preflight.{realm.tag}", checks)
        return checks

    def known(self, realm_tag: str | None) -> Seen | None:
        """Return what the last look at this company found, without asking QuickBooks."""
        return self._looks.known(f"preflight.{realm_tag}") if realm_tag else None

    def _looked(self, client: Client, *, tag: str, environment: Environment) -> Iterator[Check]:
        try:
            self._connection.realm()
        except Stop as stop:
            yield _stopped("Binding", stop)
        try:
            reading = self._connection.look(client)
        except Stop as stop:
            yield _stopped("QuickBooks", stop)
            return
        yield from company_checks(reading, environment=environment, currency=self._currency)
        yield from self._guarded("Fee categories", lambda: self._fees(tag))
        yield from self._guarded("Customer names", lambda: self._names(client))

    def _guarded(self, name: str, look: Callable[[], Check]) -> Iterator[Check]:
        try:
            yield look()
        except Stop as stop:
            yield _stopped(name, stop)

    # -- fees -----------------------------------------------------------------------------------

    def _fees(self, tag: str) -> Check:
        name = "Fee categories"
        in_use = self._fees_in_use()
        by_key = self._items.by_key(tag)
        default = self._rules.item_default
        if self._rules.item_policy is ItemPolicy.DEFAULT and item_key(default or "") not in by_key:
            text = f'no active product is called "{default}", which is to take every fee'
            return _warned(name, "fee_category_unmapped", text)
        missing = self._without_product(in_use, by_key=by_key, tag=tag)
        if not missing:
            return Check(name, "ok", f"{_count(len(in_use), 'fee')} in use, each has a product")
        waiting = sum(in_use[fee.id] for fee in missing)
        shown = ", ".join(fee.name or str(fee.id) for fee in missing[:NAMES_SHOWN])
        more = "" if len(missing) <= NAMES_SHOWN else f" and {len(missing) - NAMES_SHOWN} more"
        text = (
            f"{len(missing)} of {_count(len(in_use), 'fee')} in use have no product, with "
            f"{_count(waiting, 'invoice')}: {shown}{more}"
        )
        if self._rules.item_policy is ItemPolicy.CREATE and all(
            legal_item_name(fee.name) for fee in missing
        ):
            return Check(name, "ok", f"{text}; a product is created for each when it is needed")
        return _warned(name, "fee_category_unmapped", text)

    def _without_product(
        self, in_use: Mapping[int, int], *, by_key: Mapping[str, ItemRow], tag: str
    ) -> list[Fee]:
        if self._rules.item_policy is ItemPolicy.DEFAULT:
            return []
        chosen = self._items.chosen(tag)
        known = self._reader.fees(in_use.keys())
        fees = [known.get(one) or Fee(one, "", None) for one in in_use]
        missing = [fee for fee in fees if fee.id not in chosen and item_key(fee.name) not in by_key]
        return sorted(missing, key=lambda fee: -in_use[fee.id])

    # -- names ----------------------------------------------------------------------------------

    def _names(self, client: Client) -> Check:
        name = "Customer names"
        codes = self._waiting_payers()
        found = self._others_named(client, codes)
        if isinstance(found, Refused | Unknown):
            text = "QuickBooks did not say who else is called like a payer"
            return Check(name, "warn", text, "Run the check again.")
        if not found:
            text = f"no vendor or employee is called like one of {_count(len(codes), 'payer')}"
            return Check(name, "ok", text)
        shown = ", ".join(f"{one.display_name} ({one.kind.lower()})" for one in found[:NAMES_SHOWN])
        more = "" if len(found) <= NAMES_SHOWN else f" and {len(found) - NAMES_SHOWN} more"
        return _warned(name, "duplicate_customer_name", f"taken by others: {shown}{more}")

    def _waiting_payers(self) -> list[str]:
        """Return the payers of the first waiting invoices, each once."""
        codes: dict[str, None] = {}
        after = 0
        for _ in range(PAGES_MOST):
            ids = self._reader.waiting(after=after, limit=ROWS_PAGE)
            if not ids:
                break
            codes |= dict.fromkeys(row.payer for row in self._reader.rows_of(ids) if row.payer)
            if len(codes) >= PAYERS_MOST:
                break
            after = ids[-1]
        return list(codes)[:PAYERS_MOST]


def company_checks(reading: Reading, *, environment: Environment, currency: str) -> Iterator[Check]:
    """Yield what the company's own entry and switches say about the invoices to come."""
    profile, preferences = reading.profile, reading.preferences
    words = f"connected to {profile.name} ({environment.value.upper()})"
    if (reading.company.status or "").lower() in _NO_SUBSCRIPTION:
        told = explain("company_inactive", {})
        yield Check("QuickBooks", "fail", f"{words}, but {told.why}", told.remedy, told.code)
    else:
        yield Check("QuickBooks", "ok", f"{words}; company, switches and products can be read")
    numbers = "Custom transaction numbers"
    if preferences.custom_numbers:
        yield Check(numbers, "ok", "on")
    else:
        yield _warned(numbers, "custom_numbers_off", explain("custom_numbers_off", {}).why)
    closed = preferences.books_closed_until
    yield Check("Closing date", "ok", f"books closed to {closed}" if closed else "books open")
    yield _tax(uses_tax=preferences.uses_tax)
    yield _money(reading, environment=environment, currency=currency)


def _tax(*, uses_tax: bool) -> Check:
    if not uses_tax:
        return Check("Sales tax", "ok", "off; lines need no tax code")
    text = "on, and no tax code is chosen for our lines; QuickBooks may refuse each of them"
    return _warned("Sales tax", "tax_code_needed", text)


def _money(reading: Reading, *, environment: Environment, currency: str) -> Check:
    name, home = "Currency", reading.preferences.home_currency or "unknown"
    if home != currency:
        # A test company of Intuit's counts in dollars, and nobody's books are spoiled by that.
        live = environment is Environment.PRODUCTION
        told = explain("currency_mismatch", {})
        text = f"the company counts in {home}, the MIS in {currency}"
        return Check(name, "fail" if live else "warn", text, told.remedy, told.code)
    if reading.preferences.multicurrency:
        text = f"{home}, but with several currencies: a customer kept in another one is refused"
        return _warned(name, "currency_mismatch", text)
    return Check(name, "ok", home)


def _warned(name: str, cause: str, text: str) -> Check:
    told = explain(cause, {})
    return Check(name, "warn", text, told.remedy, told.code)


def _stopped(name: str, stop: Stop) -> Check:
    told = explain(stop.cause, stop.facts)
    return Check(name, "fail", f"{told.title}: {told.why}", told.remedy, stop.cause)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
