"""A product for a fee that has none, where ITEM_POLICY says that one may be created."""

from application.catalogue import ConfigInvalid, QuickBooksUnavailable
from application.invoices.mapping import item_key
from application.invoices.model import request_id
from application.invoices.outcomes import Passing, Refused, Unknown
from application.invoices.retries import stop_for
from application.quickbooks.client import Client
from application.quickbooks.shapes import Item
from application.services.connection import Connection
from application.store.audit import Actor
from application.store.items import ItemRow, Items

OPERATION = "create-item"


class Products:
    """Creates Service products under one income account.

    Args:
        income_account: Name of that account in QuickBooks.
    """

    def __init__(
        self,
        *,
        client: Client,
        items: Items,
        connection: Connection,
        by: Actor,
        income_account: str | None,
    ) -> None:
        self._by = by
        self._client = client
        self._items = items
        self._connection = connection
        self._income_account = income_account

    def make(self, name: str) -> ItemRow | None:
        """Create a product and return it; None where it is not there after all.

        An answer that shows no product says nothing about whether there is one, so the list is
        read again then; a fee whose product is not in it counts as not mapped.

        Raises:
            ConfigInvalid: No active income account has the configured name.
            Stop: QuickBooks cannot be asked until a person acts.
        """
        realm = self._connection.realm()
        clean = name.strip()
        answer = self._client.create_item(
            clean,
            income_account_id=self._account_id(),
            request_id=request_id(realm, key=clean, operation=OPERATION, generation=1),
        )
        if isinstance(answer, Refused) and answer.passing is Passing.STOP:
            raise stop_for(answer.cause)
        if isinstance(answer, Item):
            made = ItemRow(id=answer.id, name=answer.name)
            self._items.add(realm.tag, made, by=self._by)
            return made
        self._connection.read_company(self._client)
        return self._items.by_key(realm.tag).get(item_key(name))

    def _account_id(self) -> str:
        found = self._client.accounts()
        if isinstance(found, Refused | Unknown):
            self._client.require_reads()
            raise QuickBooksUnavailable(detail="the accounts were not read")
        wanted = item_key(self._income_account or "")
        for account in found:
            if account.active and account.kind == "Income" and item_key(account.name) == wanted:
                return account.id
        raise ConfigInvalid(
            setting="ITEM_INCOME_ACCOUNT",
            problem="no active income account in QuickBooks has this name",
        )
