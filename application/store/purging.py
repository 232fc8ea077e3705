"""Forgets old rows in short transactions, so that writers go between them."""

from typing import Final

from sqlalchemy import Column, Connection, Select, delete

from application.store.tables import Store

_AT_ONCE: Final = 1_000


def purge(store: Store, ids: Column[int], *, old: Select[tuple[int]]) -> int:
    """Delete rows of one table, and return how many.

    Args:
        store: Our own database.
        ids: The table's key.
        old: Selects the keys of the rows to forget, in the order to forget them.
    """

    def work(connection: Connection) -> int:
        found = list(connection.execute(old.limit(_AT_ONCE)).scalars())
        if found:
            connection.execute(delete(ids.table).where(ids.in_(found)))
        return len(found)

    gone = last = store.write(work)
    while last == _AT_ONCE:
        last = store.write(work)
        gone += last
    return gone
