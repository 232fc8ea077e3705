"""TK1: a kill within a change of keys, and within the upgrade of a store from each older shape."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from application.store.tables import REVISIONS
from application.store.tokens import new_key
from application.world import Gate
from tests.proof.children import KILLED, Child
from tests.proof.deeds import Deed
from tests.proof.figures import PROVING, told
from tests.proof.olden import (
    SHAPING,
    Content,
    content_of,
    engine_of,
    older_revisions,
    older_store,
    steps_from,
)
from tests.proof.places import Home, Town
from tests.servers import MariaDb

TIMES = 20 if PROVING else 1
SIZE = 36
ALL = {1: 32, 2: 4}
EVERY = older_revisions()
done: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    told("TK1-upgrades", **done)


def killed(child: Child) -> None:
    assert child.wait() == KILLED, child.said
    done["kills"] += 1


def finish(home: Home) -> None:
    """Have another process do what is left, and assert that the books agree."""
    home.simulator.control("DELETE", "faults")
    home.brought_to_end()
    assert home.problems() == []
    assert home.look().counts == ALL


# What a change of keys writes; it is one transaction.
IN_A_ROTATION = [
    pytest.param(("UPDATE tokens",), id="before it seals anew"),
    pytest.param(("INSERT INTO audit ",), id="before its line"),
    pytest.param(("UPDATE audit_head",), id="before it is whole"),
]


class TestAKillInAChangeOfKeys:
    @pytest.mark.covers("C4", "D3")
    @pytest.mark.parametrize("verb", ["rotate", "serve"] if PROVING else ["serve"])
    @pytest.mark.parametrize("before", IN_A_ROTATION)
    def test_costs_no_sign_in(self, verb: str, before: tuple[str, ...], quickbooks: Town) -> None:
        for _ in range(TIMES):
            home = quickbooks.home(patient=True, size=SIZE)
            assert home.done(Deed("all", gate=Gate.RECEIPT_DURABLE, times=3)).code == KILLED
            home.answering()
            signed_in = asked_for_tokens(home)
            older = home.key_file.read_text(encoding="ascii").strip()
            newer = new_key()
            home.settings["ENCRYPTION_KEYS"] = f"{newer},{older}"
            sealed = home.stored("SELECT sealed, sealed_before FROM tokens")

            killed(home.born(Deed(verb, before=before)))
            assert home.stored("SELECT sealed, sealed_before FROM tokens") == sealed
            assert home.problems() == []

            assert "rotated 1" in home.done(Deed("rotate")).said
            home.settings["ENCRYPTION_KEYS"] = newer
            finish(home)
            assert asked_for_tokens(home) == signed_in
            done["rotations"] += 1


def asked_for_tokens(home: Home) -> int:
    return sum(one["entity"] == "token" for one in home.simulator.log())


def shape_of(home: Home) -> str:
    with engine_of(home.store_url).connect() as link:
        return str(link.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())


def aged(home: Home, *, revision: str, url: str | None) -> Content:
    """Have a home in the middle of its work, on a store of an older shape."""
    home.simulator.fault("drop_after_commit", on="invoice", count=1)
    assert home.done(Deed("all", gate=Gate.BUNDLE_ITEM, times=5)).code == KILLED
    home.answering()
    today = home.folder / "today"
    home.store_file.parent.rename(today)
    home.store_file.parent.mkdir(mode=0o700)
    if url is None:
        home.store_file.touch(mode=0o600)
    else:
        home.settings["STORE_DATABASE_URL"] = url
    filled_from = f"sqlite:///{today / home.store_file.name}"
    return older_store(home.store_url, revision=revision, filled_from=filled_from)


class TestAKillInAnUpgrade:
    @pytest.mark.covers("C4", "B7")
    @pytest.mark.parametrize("revision", EVERY if PROVING else EVERY[:1])
    def test_of_a_file_loses_nothing(self, revision: str, quickbooks: Town, tmp_path: Path) -> None:
        steps = steps_from(revision, scratch=tmp_path / "scratch.db")
        for step in range(1, steps + 1) if PROVING else (steps,):
            broken_off(quickbooks.home(patient=True, size=SIZE), revision=revision, step=step)

    @pytest.mark.covers("C4", "B7")
    @pytest.mark.parametrize("revision", EVERY if PROVING else sorted({EVERY[0], EVERY[-1]}))
    def test_on_a_server_that_keeps_half_of_it_loses_nothing(
        self, revision: str, quickbooks: Town, mariadb_server: MariaDb, tmp_path: Path
    ) -> None:
        steps = steps_from(revision, scratch=tmp_path / "scratch.db")
        for step in range(1, steps + 1) if PROVING else (steps // 2,):
            home = quickbooks.home(patient=True, size=SIZE)
            url = mariadb_server.new_database()
            broken_off(home, revision=revision, step=step, url=url)


def broken_off(home: Home, *, revision: str, step: int, url: str | None = None) -> None:
    """Kill the upgrade of a home's store before one of its steps; the next one does it all."""
    before = aged(home, revision=revision, url=url)
    killed(home.born(Deed("open", before=SHAPING, times=step)))
    # A server makes each change of shape durable by itself, and the number of those before it.
    kept = REVISIONS[REVISIONS.index(revision) : -1] if url else [revision]
    assert shape_of(home) in kept
    assert content_of(home.store_url, columns=before.columns) == before

    assert home.done(Deed("open")).code == 0
    assert shape_of(home) == REVISIONS[-1]
    assert content_of(home.store_url, columns=before.columns) == before
    finish(home)
    done["upgrades"] += 1
