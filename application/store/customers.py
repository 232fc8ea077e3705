"""registration number -> QuickBooks customer id."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from application.store.audit import Actor, Audit, Entry
from application.store.fence import Lease, held
from application.store.schema import customers
from application.store.tables import Clash, Store
from application.world import World

_CHUNK = 500


class LinkTaken(Exception):
    """A payer or a customer is linked otherwise; nothing may be sent under this pair.

    Args:
        code: The payer asked for.
        quickbooks_id: The customer asked for.
    """

    def __init__(self, *, code: str, quickbooks_id: str) -> None:
        super().__init__(code, quickbooks_id)
        self.code = code
        self.quickbooks_id = quickbooks_id


class Customers:
    """Links between payers and customers, one to one in each company."""

    def __init__(self, store: Store, *, audit: Audit, world: World) -> None:
        self._store = store
        self._audit = audit
        self._world = world

    def ids_of(self, realm_tag: str, codes: Sequence[str]) -> dict[str, str]:
        """Return the QuickBooks id of each payer that is linked."""
        found: dict[str, str] = {}
        with self._store.read() as connection:
            for start in range(0, len(codes), _CHUNK):
                query = select(customers.c.code, customers.c.quickbooks_id).where(
                    customers.c.realm_tag == realm_tag,
                    customers.c.code.in_(codes[start : start + _CHUNK]),
                    customers.c.open == 1,
                )
                found |= {row.code: row.quickbooks_id for row in connection.execute(query)}
        return found

    def payer_of(self, realm_tag: str, quickbooks_id: str) -> str | None:
        """Return the payer a customer belongs to; None where it is nobody's."""
        query = select(customers.c.code).where(
            customers.c.realm_tag == realm_tag,
            customers.c.quickbooks_id == quickbooks_id,
            customers.c.open == 1,
        )
        with self._store.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def link(
        self,
        realm_tag: str,
        code: str,
        quickbooks_id: str,
        *,
        adopted: bool,
        by: Actor,
        lease: Lease,
    ) -> None:
        """Link a payer and a customer; the same link twice changes nothing.

        Raises:
            LinkTaken: The customer is another payer's, or the payer has another customer.
            LeaseLost: Nothing was written.
        """

        def work(connection: Connection) -> None:
            now = held(connection, store=self._store, lease=lease, lock=True)
            query = select(customers.c.quickbooks_id).where(
                customers.c.realm_tag == realm_tag, customers.c.code == code, customers.c.open == 1
            )
            if connection.execute(query).scalar_one_or_none() == quickbooks_id:
                return
            connection.execute(
                insert(customers).values(
                    realm_tag=realm_tag,
                    code=code,
                    quickbooks_id=quickbooks_id,
                    open=1,
                    adopted=adopted,
                    linked_at=now,
                )
            )
            action = "customer.adopted" if adopted else "customer.linked"
            self._audit.append(
                connection,
                _line(action, code, realm_tag=realm_tag, quickbooks_id=quickbooks_id, by=by),
            )

        try:
            self._store.write(work)
        except Clash:
            raise LinkTaken(code=code, quickbooks_id=quickbooks_id) from None

    def unlink(self, realm_tag: str, code: str, *, by: Actor, lease: Lease) -> None:
        """Close a payer's link and keep it as history; nothing happens where there is none.

        Raises:
            LeaseLost: Nothing was written.
        """

        def work(connection: Connection) -> None:
            now = held(connection, store=self._store, lease=lease, lock=True)
            mine = (
                customers.c.realm_tag == realm_tag,
                customers.c.code == code,
                customers.c.open == 1,
            )
            old = connection.execute(select(customers).where(*mine)).first()
            if old is None:
                return
            connection.execute(update(customers).where(*mine).values(open=None, unlinked_at=now))
            self._audit.append(
                connection,
                _line(
                    "customer.unlinked",
                    code,
                    realm_tag=realm_tag,
                    quickbooks_id=old.quickbooks_id,
                    by=by,
                ),
            )

        self._store.write(work)


def _line(action: str, code: str, *, realm_tag: str, quickbooks_id: str, by: Actor) -> Entry:
    return Entry(
        action=action,
        subject=f"customer {code}",
        by=by,
        realm_tag=realm_tag,
        quickbooks_id=quickbooks_id,
    )
