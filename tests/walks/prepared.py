"""Installations that many tests begin with: built once for all workers, and copied for each."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from application.store.liveness import FileLock
from tests.walks.support import Installation

LOOK_EVERY_S = 0.1
DONE = "built"
Factory = pytest.TempPathFactory
Build = Callable[[Path], None]


def waiting_copy(request: pytest.FixtureRequest, factory: Factory) -> Installation:
    """Return an installation whose 1,250 invoices all wait."""
    built = _once(request, factory, name="all-waiting", build=_build_waiting)
    return Installation(built).copied_to(factory.mktemp("waiting"))


def sent_copy(request: pytest.FixtureRequest, factory: Factory) -> Installation:
    """Return an installation after `all`: 1,238 synced, 12 failed."""

    def build(folder: Path) -> None:
        waiting = _once(request, factory, name="all-waiting", build=_build_waiting)
        done = Installation(waiting).copied_to(folder).run("all")
        assert done.code == 3, done.err

    built = _once(request, factory, name="all-sent", build=build)
    return Installation(built).copied_to(factory.mktemp("sent"))


def _build_waiting(folder: Path) -> None:
    done = Installation(folder).run("demo", "--no-sync")
    assert done.code == 0, done.err


def _once(request: pytest.FixtureRequest, factory: Factory, *, name: str, build: Build) -> Path:
    """Return a folder that the first worker to ask fills; nobody writes in it afterwards."""
    base = factory.getbasetemp()
    root = base.parent if hasattr(request.config, "workerinput") else base
    folder, mark, lock = root / name, root / f"{name}.{DONE}", FileLock(root / f"{name}.lock")
    while not lock.take():
        time.sleep(LOOK_EVERY_S)
    try:
        if not mark.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            mark.touch()
    finally:
        lock.release()
    return folder
