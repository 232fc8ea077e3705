"""Installations to walk through, each built once and copied where a test changes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rooms.simulator_support import RunningSimulator
from tests.walks.desk import command
from tests.walks.prepared import sent_copy, waiting_copy
from tests.walks.support import Installation
from tests.walks.university import university
from tests.walks.verify_support import books_of


@pytest.fixture(scope="session")
def waiting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Return an installation whose 1,250 invoices all wait; tests leave them waiting."""
    return waiting_copy(request, tmp_path_factory)


@pytest.fixture
def own(waiting: Installation, tmp_path: Path) -> Installation:
    """Return an installation of the test's own, everything waiting."""
    return waiting.copied_to(tmp_path)


@pytest.fixture(scope="session")
def synced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Return an installation after `all`; tests change no invoice of it."""
    return sent_copy(request, tmp_path_factory)


@pytest.fixture(scope="session")
def synced_books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small university after `all`; tests copy what they change."""
    folder = tmp_path_factory.mktemp("books")
    with university(folder, size=60) as place:
        done = command(place, "all")
        assert done.code == 3, done.err
    return folder


@pytest.fixture(scope="session")
def still_quickbooks(
    synced_books: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSimulator]:
    """Its QuickBooks, which nobody changes."""
    with books_of(synced_books, tmp_path_factory.mktemp("still")) as simulator:
        yield simulator
