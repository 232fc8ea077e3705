"""TM1, TM2, TM3, TM5, TM6, TC1: a real MariaDB that locks, forgets, refuses and dies under load."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pymysql
import pytest

from application.mis.claims import MisClaims
from application.mis.tables import open_mis
from application.world import Gate, World
from tests.proof.children import KILLED
from tests.proof.deeds import Deed
from tests.proof.figures import PROVING, told
from tests.proof.mis_server import ServerHome, home_on
from tests.proof.places import Town
from tests.servers import HOME, PASSWORD, USER, MariaDb
from tests.walks.test_mariadb import GRANTS

SEED = 20_261_127
DEADLOCKS = 5_000 if PROVING else 40
LOCK_WAITS = 20 if PROVING else 3
SERVER_KILLS = 100 if PROVING else 5
CUTS = 500 if PROVING else 10
THREADS, ROWS = (16, 20_000) if PROVING else (8, 4_000)
SCHEMA = "CREATE TABLE {0}.weight (id INT PRIMARY KEY, n INT) ENGINE=InnoDB"
RIGHTS = [
    (table, right.upper(), column.strip(" `"))
    for grant in GRANTS
    for table in re.findall(r"ON \{0\}\.(\w+)", grant)
    for right, columns in re.findall(r"(SELECT|UPDATE) \(([^)]*)\)", grant)
    for column in columns.split(",")
]


def agreed(home: ServerHome) -> None:
    """Have one process end what is left, and assert that the books agree."""
    home.simulator.knob(latency_ms=[0, 0])
    child = home.done(Deed("all"))
    assert child.code == 0, child.said
    assert home.problems() == []
    assert not {0, 3} & set(home.look().counts)


OF_INVOICES = "ALTER TABLE {0}.tbl_imvoice "
CHANGES = [
    pytest.param(
        "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0", "mis_permission", id="read-only"
    ),
    pytest.param(
        OF_INVOICES + "CHANGE pushed_by pushed_from VARCHAR(255)",
        OF_INVOICES + "CHANGE pushed_from pushed_by VARCHAR(255)",
        "pushed_by",
        id="renamed",
    ),
    pytest.param(
        OF_INVOICES + "CHANGE dept debit DOUBLE",
        OF_INVOICES + "CHANGE debit dept DOUBLE",
        "dept",
        id="no amount",
    ),
    pytest.param(
        OF_INVOICES + "MODIFY pushed_by VARCHAR(60)",
        OF_INVOICES + "MODIFY pushed_by VARCHAR(255)",
        "pushed_by",
        id="too short for a token",
    ),
    pytest.param(
        OF_INVOICES + "MODIFY id VARCHAR(40) NOT NULL",
        OF_INVOICES + "MODIFY id INT NOT NULL",
        "id",
        id="id is text",
    ),
]


@pytest.fixture
def served(mariadb_server: MariaDb, mariadb_url: str, quickbooks: Town) -> ServerHome:
    """A home on a fresh database."""
    return home_on(quickbooks, mariadb_server, mariadb_url)


@pytest.fixture(autouse=True)
def _as_it_was(mariadb_server: MariaDb) -> Iterator[None]:
    """Leave the server to other tests as it was."""
    yield
    mariadb_server.execute("SET GLOBAL read_only = 0", "SET GLOBAL sql_mode = DEFAULT")


class TestLocksHeldOutside:
    @pytest.mark.covers("B1", "B2")
    def test_undo_and_repeat_a_claim(
        self, mariadb_server: MariaDb, mariadb_url: str, quickbooks: Town
    ) -> None:
        home = home_on(quickbooks, mariadb_server, mariadb_url)
        ids = sorted(home.look().status)[:10]
        home.run_sql(SCHEMA, "INSERT INTO {0}.weight SELECT seq, 0 FROM {0}.seq_1_to_300")
        before = _deadlocks(mariadb_server)
        world = World()
        mis = open_mis(home.mis_url, world=world, lock_wait_s=1)
        claims = MisClaims(mis, world=world)
        for number in range(DEADLOCKS):
            token = f"fb1.test.{number}"
            locked = threading.Event()
            other = threading.Thread(target=_opposed, args=(mariadb_server.port, home, ids, locked))
            other.start()
            locked.wait()
            won = claims.claim(ids, token=token)
            other.join()

            assert won == ids
            assert set(
                home.run_sql("SELECT pushed_by FROM {0}.tbl_imvoice WHERE QuickBk_Status = 3")
            ) == {(token,)}
            home.run_sql("UPDATE {0}.tbl_imvoice SET QuickBk_Status = 0, pushed_by = NULL")
        forced = _deadlocks(mariadb_server) - before
        for number in range(LOCK_WAITS):
            holder = _holding(mariadb_server.port, home, ids[-1], seconds=1.5)
            won = claims.claim(ids, token=f"fb1.wait.{number}")
            holder.join()
            assert won == ids
            home.run_sql("UPDATE {0}.tbl_imvoice SET QuickBk_Status = 0, pushed_by = NULL")
        mis.close()
        told("TM2", rounds=DEADLOCKS, deadlocks=forced, lock_waits=LOCK_WAITS)
        assert forced >= DEADLOCKS // 2


def _deadlocks(server: MariaDb) -> int:
    return int(server.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")[0][1])


def _link(port: int, home: ServerHome) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    return pymysql.connect(
        host=HOME, port=port, user=USER, password=PASSWORD, database=home.database
    )


def _opposed(port: int, home: ServerHome, ids: list[int], locked: threading.Event) -> None:
    """Lock the last row, then want the first: heavier than a claim, so the claim is undone."""
    link = _link(port, home)
    with link.cursor() as cursor:
        cursor.execute("UPDATE weight SET n = n + 1")
        cursor.execute("SELECT id FROM tbl_imvoice WHERE id = %s FOR UPDATE", (ids[-1],))
        locked.set()
        time.sleep(0.03)
        try:
            cursor.execute("UPDATE tbl_imvoice SET comment = comment WHERE id = %s", (ids[0],))
        except pymysql.err.OperationalError:
            link.rollback()
    link.rollback()
    link.close()


def _holding(port: int, home: ServerHome, number: int, *, seconds: float) -> threading.Thread:
    link = _link(port, home)
    with link.cursor() as cursor:
        cursor.execute("SELECT id FROM tbl_imvoice WHERE id = %s FOR UPDATE", (number,))

    def let_go() -> None:
        time.sleep(seconds)
        link.close()

    thread = threading.Thread(target=let_go)
    thread.start()
    return thread


class TestAServer:
    @pytest.mark.covers("A9", "B3", "B4")
    def test_killed_under_load_loses_nothing(
        self, mariadb_server: MariaDb, mariadb_url: str, quickbooks: Town
    ) -> None:
        dice = random.Random(SEED)
        home = home_on(quickbooks, mariadb_server, mariadb_url, size=200)
        home.simulator.knob(latency_ms=[10, 40])
        kills = 0
        while kills < SERVER_KILLS:
            child = home.born(Deed("all"))
            while child.code is None and kills < SERVER_KILLS:
                time.sleep(dice.uniform(0.2, 0.9))
                mariadb_server.kill()
                mariadb_server.start()
                kills += 1
            child.wait()
            assert home.problems() == []
            if not {0, 3} & set(home.look().counts):
                home = home_on(quickbooks, mariadb_server, mariadb_server.new_database(), size=200)
                home.simulator.knob(latency_ms=[10, 40])
        agreed(home)
        told("TM3-kills", kills=kills)

    @pytest.mark.covers("A9", "B3")
    def test_that_cuts_connections_while_marks_commit_loses_nothing(
        self, mariadb_server: MariaDb, mariadb_url: str, quickbooks: Town
    ) -> None:
        done: Counter[str] = Counter()
        home = _slow_home(quickbooks, mariadb_server, mariadb_url)
        while done["within a change"] < CUTS:
            owner = mariadb_server.url(home.database)
            child = home.done(Deed("all", owner=owner, times=12, number=done["runs"]))
            done["runs"] += 1
            done["within a change"] += int(child.said.rsplit("cut ", maxsplit=1)[1].split()[0])
            assert home.problems() == []
            agreed(home)
            home = _slow_home(quickbooks, mariadb_server, mariadb_server.new_database())
        told("TM3-cuts", **done)


def _slow_home(town: Town, server: MariaDb, url: str) -> ServerHome:
    """Return a home whose rows change slowly, so that a connection is cut within a change."""
    home = home_on(town, server, url)
    home.run_sql(
        "CREATE TRIGGER {0}.slowly BEFORE UPDATE ON {0}.tbl_imvoice"
        " FOR EACH ROW DO BENCHMARK(60000, SHA1('x'))"
    )
    return home


class TestRights:
    @pytest.mark.covers("B9", "B12")
    def test_one_less_than_documented_is_refused_by_its_name(
        self, mariadb_server: MariaDb, mariadb_url: str, quickbooks: Town
    ) -> None:
        home = home_on(quickbooks, mariadb_server, mariadb_url)
        missed = []
        for table, right, column in RIGHTS:
            where = f"{right} (`{column}`) ON {{0}}.{table}"
            home.run_sql(f"REVOKE {where} FROM {{1}}")
            child = home.done(Deed("all"))
            home.run_sql(f"GRANT {where} TO {{1}}")
            if child.code != 1 or "mis_" not in child.said or column not in child.said:
                missed.append((table, right, column, child.code, child.said))
        assert missed == []
        assert set(home.look().counts) == {0}
        assert home.simulator.ledger("Invoice") == []
        agreed(home)
        told("TM5", rights=len(RIGHTS))

    @pytest.mark.covers("B9", "B12")
    @pytest.mark.parametrize(("change", "back", "words"), CHANGES)
    def test_and_columns_that_cannot_serve_send_nothing(
        self, change: str, back: str, words: str, served: ServerHome
    ) -> None:
        home = served
        home.run_sql(change)
        child = home.done(Deed("all"))
        home.run_sql(back)

        assert child.code == 1, child.said
        assert words in child.said
        assert home.simulator.ledger("Invoice") == []
        assert set(home.look().counts) == {0}
        agreed(home)


class TestEngines:
    @pytest.mark.covers("B11")
    @pytest.mark.parametrize("mode", ["", "STRICT_TRANS_TABLES"], ids=["lenient", "strict"])
    @pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
    def test_of_either_kind_survive_a_kill_at_every_step_of_a_row(
        self, engine: str, mode: str, mariadb_server: MariaDb, mariadb_url: str, quickbooks: Town
    ) -> None:
        mariadb_server.execute(f"SET GLOBAL sql_mode = '{mode}'")
        home = home_on(quickbooks, mariadb_server, mariadb_url, engine=engine)
        gates = (Gate.CLAIM_WRITTEN, Gate.SEND_BODY, Gate.RECEIPT_DURABLE, Gate.MARK_COMMITTED)
        for gate in gates:
            child = home.done(Deed("all", gate=gate))
            assert child.code == KILLED, child.said
            assert home.problems() == []
        agreed(home)
        told("TM6", engine=engine, mode=mode or "lenient", kills=len(gates))


class TestClaimsRaced:
    @pytest.mark.covers("A1", "C1")
    @pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
    def test_by_many_have_one_winner_each(
        self, engine: str, mariadb_server: MariaDb, mariadb_url: str, quickbooks: Town
    ) -> None:
        home = home_on(quickbooks, mariadb_server, mariadb_url, engine=engine)
        home.run_sql(
            "DELETE FROM {0}.tbl_imvoice",
            "INSERT INTO {0}.tbl_imvoice (id, QuickBk_Status, comment)"  # noqa: S608 - figures of ours
            f" SELECT seq, 0, '' FROM {{0}}.seq_1_to_{ROWS}",
        )
        won: dict[int, list[int]] = {}
        threads = [
            threading.Thread(target=_race, args=(home.mis_url, number, won))
            for number in range(THREADS)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        rows = home.run_sql("SELECT id, pushed_by FROM {0}.tbl_imvoice")
        tokens = {row[0]: row[1] for row in rows}

        assert sorted(one for ids in won.values() for one in ids) == list(range(1, ROWS + 1))
        assert {one: f"fb1.{number}" for number, ids in won.items() for one in ids} == tokens
        told("TC1", engine=engine, senders=THREADS, rows=ROWS)


def _race(url: str, number: int, won: dict[int, list[int]]) -> None:
    world = World()
    mis = open_mis(url, world=world)
    claims = MisClaims(mis, world=world)
    pages = [list(range(start, min(start + 50, ROWS + 1))) for start in range(1, ROWS + 1, 50)]
    random.Random(number).shuffle(pages)
    won[number] = [one for page in pages for one in claims.claim(page, token=f"fb1.{number}")]
    mis.close()
