"""registration number -> QuickBooks customer id."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from application.store.audit import Actor, Audit, Entry
from application.store.bulk import Bulk
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
        with self._store.read() as connection:
            return _known(connection, realm_tag, codes=codes)

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
        try:
            self._link(realm_tag, {code: quickbooks_id}, adopted=adopted, by=by, lease=lease)
        except Clash:
            raise LinkTaken(code=code, quickbooks_id=quickbooks_id) from None

    def link_all(
        self, realm_tag: str, ids: Mapping[str, str], *, adopted: bool, by: Actor, lease: Lease
    ) -> None:
        """Link the customers that one answer of QuickBooks brought, payer to id, together.

        Raises:
            LinkTaken: As for `link`; every pair before that one is linked.
            LeaseLost: Nothing was written.
        """
        try:
            self._link(realm_tag, ids, adopted=adopted, by=by, lease=lease)
        except Clash:
            for code, quickbooks_id in ids.items():
                self.link(realm_tag, code, quickbooks_id, adopted=adopted, by=by, lease=lease)

    def _link(
        self, realm_tag: str, ids: Mapping[str, str], *, adopted: bool, by: Actor, lease: Lease
    ) -> None:
        action = "customer.adopted" if adopted else "customer.linked"

        def work(connection: Connection) -> None:
            now = held(connection, store=self._store, lease=lease, lock=True)
            known = _known(connection, realm_tag, codes=list(ids))
            fresh = {code: one for code, one in ids.items() if known.get(code) != one}
            if not fresh:
                return
            shared = {"realm_tag": realm_tag, "open": 1, "adopted": adopted, "linked_at": now}
            _NEW_LINKS.run(
                connection,
                [shared | {"code": code, "quickbooks_id": one} for code, one in fresh.items()],
            )
            lines = [
                _line(action, code, realm_tag=realm_tag, quickbooks_id=one, by=by)
                for code, one in fresh.items()
            ]
            self._audit.append(connection, *lines)

        self._store.write(work)

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


# Built once: every page runs them.
_LINKS = select(customers.c.code, customers.c.quickbooks_id).where(
    customers.c.realm_tag == bindparam("realm"),
    customers.c.code.in_(bindparam("codes", expanding=True)),
    customers.c.open == 1,
)
_NEW_LINKS = Bulk(insert(customers))


def _known(connection: Connection, realm_tag: str, *, codes: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(codes), _CHUNK):
        asked = {"realm": realm_tag, "codes": codes[start : start + _CHUNK]}
        found |= {row.code: row.quickbooks_id for row in connection.execute(_LINKS, asked)}
    return found


def _line(action: str, code: str, *, realm_tag: str, quickbooks_id: str, by: Actor) -> Entry:
    return Entry(
        action=action,
        subject=f"customer {code}",
        by=by,
        realm_tag=realm_tag,
        quickbooks_id=quickbooks_id,
    )
