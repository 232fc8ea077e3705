"""Installations to walk through, each built once and copied where a test changes it."""

from pathlib import Path

import pytest

from tests.walks.support import Installation


@pytest.fixture(scope="session")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return an installation whose 1,250 invoices all wait; tests leave them waiting."""
    installation = Installation(tmp_path_factory.mktemp("waiting"))
    done = installation.run("demo", "--no-sync")
    assert done.code == 0, done.err
    return installation


@pytest.fixture
def own(waiting: Installation, tmp_path: Path) -> Installation:
    """Return an installation of the test's own, everything waiting."""
    return waiting.copied_to(tmp_path)


@pytest.fixture(scope="session")
def synced(waiting: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return an installation after `all`; tests change no invoice of it."""
    installation = waiting.copied_to(tmp_path_factory.mktemp("synced"))
    done = installation.run("all")
    assert done.code == 3, done.err
    return installation
