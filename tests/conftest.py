"""Servers for each test that asks for one: private, started when first needed, then ended."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.rooms.mis_support import Place
from tests.servers import MariaDb, Postgres, Server, ServerMissing, start_mariadb, start_postgres

REQUIRED = "FEEBRIDGE_REQUIRE_SERVICES"
# A worker takes whole files: a long one that comes last keeps the others waiting.
LONGEST_FIRST = (
    "test_fuzz",
    "test_simulation",
    "test_runs",
    "test_rest_runs",
    "test_demo_controls",
    "test_help",
    "test_overview",
    "test_settings",
    "test_troubles",
    "test_cli_terminal",
    "test_audit",
    "test_cli_sending",
    "test_invoices",
    "test_validation",
    "test_listing",
    "test_guard_changes",
)

_Server = TypeVar("_Server", bound=Server)


def _started(start: Callable[[], _Server]) -> Iterator[_Server]:
    try:
        server = start()
    except ServerMissing as missing:
        if os.environ.get(REQUIRED) == "1":  # noqa: TID251 - the tests' own switch, no setting
            pytest.fail(f"{missing}, and {REQUIRED}=1 asks for it")
        pytest.skip(str(missing))
    try:
        yield server
    finally:
        server.remove()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}

    def turn(item: pytest.Item) -> tuple[bool, int]:
        # A browser's loop runs on to the end, and no test after it could run one of its own.
        browser = item.path.parent.name == "browser"
        return browser, places.get(item.path.stem, len(places))

    items.sort(key=turn)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    """One server for each worker; a test takes a fresh database from it."""
    yield from _started(start_mariadb)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for each worker; a test takes a fresh database from it."""
    yield from _started(start_postgres)


@pytest.fixture
def mariadb_url(mariadb_server: MariaDb) -> Iterator[str]:
    """A fresh MariaDB database, dropped afterwards."""
    url = mariadb_server.new_database()
    yield url
    mariadb_server.execute(f"DROP DATABASE IF EXISTS {url.rsplit('/', maxsplit=1)[-1]}")


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """A fresh PostgreSQL database, dropped afterwards."""
    url = postgres_server.new_database()
    yield url
    name = url.rsplit("/", maxsplit=1)[-1]
    postgres_server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def file_place(tmp_path: Path) -> Iterator[Place]:
    """An empty MIS in a SQLite file."""
    file = tmp_path / "mis.db"
    file.touch()
    place = Place(f"sqlite:///{file}", kind="sqlite")
    yield place
    place.close()


@pytest.fixture(params=["innodb", "myisam"])
def server_place(request: pytest.FixtureRequest, mariadb_url: str) -> Iterator[Place]:
    """An empty MIS on each engine of MariaDB."""
    place = Place(mariadb_url, kind=request.param)
    yield place
    place.close()


@pytest.fixture(params=["sqlite", "innodb", "myisam"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """An empty MIS on each database it may live on."""
    if request.param == "sqlite":
        yield request.getfixturevalue("file_place")
    else:
        place = Place(request.getfixturevalue("mariadb_url"), kind=request.param)
        yield place
        place.close()
