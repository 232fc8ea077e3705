"""TM1: claims under each isolation level a MIS server may have as its default, on both engines."""

import random
import threading
from collections.abc import Iterator

import pytest

from application.mis.claims import MisClaims
from application.mis.tables import open_mis
from application.world import Gate, World
from tests.proof.children import KILLED
from tests.proof.deeds import Deed
from tests.proof.figures import PROVING, told
from tests.proof.mis_server import ServerHome, home_on
from tests.proof.places import Town
from tests.servers import MariaDb

LEVELS = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
THREADS, ROWS = (16, 20_000) if PROVING else (4, 600)
PAGE = 30
ROUNDS = 5 if PROVING else 1


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, mariadb_server: MariaDb) -> Iterator[str]:
    """Have the server give this isolation to whoever asks for none."""
    mariadb_server.execute(f"SET GLOBAL TRANSACTION ISOLATION LEVEL {request.param}")
    yield request.param
    mariadb_server.execute("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ")


class TestClaims:
    @pytest.mark.covers("A1", "B1", "B11", "C1")
    @pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
    def test_have_one_winner_each_and_outlive_a_kill(
        self,
        engine: str,
        level: str,
        mariadb_server: MariaDb,
        mariadb_url: str,
        quickbooks: Town,
    ) -> None:
        home = home_on(quickbooks, mariadb_server, mariadb_url, engine=engine)
        for _ in range(ROUNDS):
            raced(home)
        told("TM1", **{f"{level.lower().replace(' ', '_')}": ROUNDS * ROWS})

        if not PROVING and level not in {LEVELS[0], LEVELS[-1]}:
            return
        home = home_on(quickbooks, mariadb_server, mariadb_server.new_database(), engine=engine)
        for gate in (Gate.CLAIM_WRITTEN, Gate.MARK_SENT) if PROVING else (Gate.CLAIM_WRITTEN,):
            child = home.done(Deed("all", gate=gate))
            assert child.code == KILLED, child.said
            assert home.problems() == []
        home.brought_to_end()
        assert home.problems() == []
        assert not {0, 3} & set(home.look().counts)


def raced(home: ServerHome) -> None:
    """Have many senders claim the same rows."""
    home.run_sql(
        "DELETE FROM {0}.tbl_imvoice",
        "INSERT INTO {0}.tbl_imvoice (id, QuickBk_Status, comment)"  # noqa: S608 - figures of ours
        f" SELECT seq, 0, '' FROM {{0}}.seq_1_to_{ROWS}",
    )
    won: dict[int, list[int]] = {}
    threads = [threading.Thread(target=_claim, args=(home, n, won)) for n in range(THREADS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    tokens = dict(home.run_sql("SELECT id, pushed_by FROM {0}.tbl_imvoice"))

    assert sorted(one for ids in won.values() for one in ids) == list(range(1, ROWS + 1))
    assert {one: token(number) for number, ids in won.items() for one in ids} == tokens


def token(number: int) -> str:
    return f"fb1.{number}"


def _claim(home: ServerHome, number: int, won: dict[int, list[int]]) -> None:
    """Claim every page, in an order of our own."""
    world = World()
    mis = open_mis(home.mis_url, world=world)
    claims = MisClaims(mis, world=world)
    pages = [list(range(n, min(n + PAGE, ROWS + 1))) for n in range(1, ROWS + 1, PAGE)]
    random.Random(number).shuffle(pages)
    won[number] = [one for page in pages for one in claims.claim(page, token=token(number))]
    mis.close()
