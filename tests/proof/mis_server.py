"""A home whose MIS is on a private MariaDB, used with the documented rights and no other."""

from dataclasses import dataclass
from itertools import count
from typing import Any

from typing_extensions import override

from application.mis import demo
from tests.proof.places import SETTINGS, Home, Town
from tests.servers import MariaDb
from tests.walks import observer
from tests.walks.observer import Books
from tests.walks.test_mariadb import GRANTS, PASSWORD

ROWS = (
    "SELECT id, COALESCE(QuickBk_Status, 0), CAST(COALESCE(dept, 0) AS DECIMAL(20,2))"
    " FROM {0}.tbl_imvoice"
)
_numbers = count(1)


@dataclass
class ServerHome(Home):
    """A university on a database server.

    Args:
        server: Where its MIS is.
        database: Its name there.
        user: The sender's account, with its host.
    """

    server: MariaDb | None = None
    database: str = ""
    user: str = ""

    @property
    def mariadb(self) -> MariaDb:
        assert self.server is not None
        return self.server

    def run_sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as the owner, `{0}` being the database and `{1}` the sender's account."""
        return self.mariadb.execute(*(one.format(self.database, self.user) for one in statements))

    @override
    def look(self) -> Books:
        return observer.books_of(self.run_sql(ROWS), self.simulator.ledger("Invoice"))


def home_on(
    town: Town, server: MariaDb, url: str, *, size: int = 36, engine: str = "InnoDB"
) -> ServerHome:
    """Return a home whose MIS is that database, filled."""
    base = town.home(size=size)
    number = next(_numbers)
    user = f"'walk{number}'@'%'"
    database = url.rsplit("/", maxsplit=1)[-1]
    demo.build(url, profile="fresh", size=size, edge=False, seed=1, engine=engine)
    named = url.split("@", maxsplit=1)[1]
    home = ServerHome(
        folder=base.folder,
        simulator=base.simulator,
        mis_url=f"mysql://walk{number}:{PASSWORD}@{named}",
        settings=dict(SETTINGS),
        server=server,
        database=database,
        user=user,
    )
    home.run_sql(
        f"CREATE OR REPLACE USER {{1}} IDENTIFIED BY '{PASSWORD}'",
        *GRANTS,
    )
    return home
