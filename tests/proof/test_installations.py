"""TC2, TC3: every door of one installation at once, and two installations with a store each."""

import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.proof.children import Child
from tests.proof.deeds import Deed
from tests.proof.figures import PROVING, told
from tests.proof.mis_server import ServerHome, home_on
from tests.proof.places import Home, Town, town
from tests.proof.test_workers import twice, workers_of
from tests.servers import MariaDb, Postgres

DOORS_SIZE = 2_000 if PROVING else 150
DOORS_ROUNDS = 8 if PROVING else 1
RACES = 50 if PROVING else 1
INVOICES, STUDENTS = 500, 50
LIMITS = {"most_in_1_s": 10, "most_in_60_s": 500, "most_batches_in_60_s": 40, "most_in_flight": 10}
# Slow enough that two processes' clocks and the road between them are small beside a second.
COUNTED_SCALE = 20
BUSY = 7  # the exit code of a sender that another one keeps out
done: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    told("TC2", **{name: done[name] for name in ("rounds", "rows", "refused")})
    told("TC3", **{name: done[name] for name in ("races", "invoices", "customers", "names_raced")})


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A QuickBooks whose seconds are long enough to count requests in."""
    with town(tmp_path_factory.mktemp("counted"), scale=COUNTED_SCALE) as found:
        yield found


class TestEveryDoorAtOnce:
    @pytest.mark.covers("A1", "C1", "C2", "C7")
    def test_sends_each_row_once_and_keeps_the_limits(
        self, counted: Town, postgres_server: Postgres
    ) -> None:
        for _ in range(DOORS_ROUNDS):
            home = counted.home(size=DOORS_SIZE, strangers=False)
            home.settings["STORE_DATABASE_URL"] = postgres_server.new_database()
            home.settings["ENGINE_DATABASE_URL"] = postgres_server.new_database()
            assert home.done(Deed("use")).code == 0
            home.plan()
            servers = workers_of(home, count=2)
            commands = [home.born(Deed(verb)) for verb in ("all", "batch")]
            done["refused"] += sum(
                home.ask(server, f"/api/v1/sync/{path}") == 409
                for path in ("all", "batch")
                for server in servers
            )
            done["refused"] += sum(ended(one) == BUSY for one in commands)
            # Whoever was kept out asks again until nothing waits.
            while not over(home):
                ended(home.born(Deed("all")))
            figures_agree(home, servers[1])
            for server in servers:
                server.send(signal.SIGTERM)
                assert server.wait() == 0, server.said
            assert home.problems() == []
            assert beyond_the_limits(home) == {}
            made = home.stored("SELECT id FROM runs WHERE asked_by = 'schedule'")
            assert len(made) <= 1  # none where a run was at work already
            done["rounds"] += 1
            done["rows"] += DOORS_SIZE


def ended(command: Child) -> int:
    """Return how a sender ended: it did its part, or another one kept it out."""
    code = command.wait()
    assert code in {0, BUSY}, command.said
    return code


def over(home: Home) -> bool:
    """Return whether nothing waits or is unclear, and no run is open."""
    busy = home.stored("SELECT id FROM runs WHERE open")
    return not busy and not {0, 3} & set(home.look().counts)


def figures_agree(home: Home, server: Child) -> None:
    """Assert that the interface counts what the MIS counts."""
    counts = home.look().counts
    shown = home.answered(server, "/api/v1/sync/analyze")
    assert shown["already_synced"] == counts[1]
    assert shown["failed"] == counts.get(2, 0)
    assert shown["total_invoices"] == sum(counts.values())


def beyond_the_limits(home: Home) -> dict[str, int]:
    """Return what QuickBooks counted beyond its own limits."""
    (realm,) = home.simulator.control("GET", "state")["realms"].values()
    return {name: realm["meters"][name] for name, most in LIMITS.items()
            if realm["meters"][name] > most}  # fmt: skip


class TestTwoInstallations:
    @pytest.mark.covers("A1", "E9", "G9")
    def test_with_a_store_each_create_every_student_and_invoice_once(
        self, quickbooks: Town, mariadb_server: MariaDb
    ) -> None:
        for _ in range(RACES):
            home = home_on(quickbooks, mariadb_server, mariadb_server.new_database(), size=INVOICES)
            home.simulator.reset()
            home.simulator.control("POST", "seed", quickbooks.lists(INVOICES, strangers=False))
            payers = first_invoices(home)
            both = [home, beside(home)]
            for one in both:
                assert one.done(Deed("use")).code == 0

            while {0, 3} & set(home.look().counts):
                for sender in [one.born(Deed("all")) for one in both]:
                    # Whoever got no processor for as long as a lease lasts has stopped.
                    assert sender.wait() == 0 or "run_active" in sender.said, sender.said

            assert twice(home) == []
            assert home.look().counts == {1: INVOICES}
            assert [one.problems() for one in both] == [[], []]
            assert charged(home) == payers
            done["races"] += 1
            done["invoices"] += INVOICES
            done["customers"] += STUDENTS
            done["names_raced"] += sum("6240" in one["codes"] for one in home.simulator.log())


FEW = f"""
DELETE FROM {{0}}.tbl_personal_ug WHERE per_id_ug NOT IN (SELECT per_id_ug FROM (
  SELECT MIN(per_id_ug) AS per_id_ug FROM {{0}}.tbl_personal_ug GROUP BY reg_no ORDER BY 1
  LIMIT {STUDENTS}) AS kept)
"""  # noqa: S608 - figures of ours
FIRST = f"""
UPDATE {{0}}.tbl_imvoice JOIN (
  SELECT reg_no, ROW_NUMBER() OVER (ORDER BY per_id_ug) - 1 AS place FROM {{0}}.tbl_personal_ug
) AS student ON student.place = tbl_imvoice.id MOD {STUDENTS}
SET tbl_imvoice.reg_no = student.reg_no, dept = 1000 + tbl_imvoice.id, credit = 0, comment = '',
  QuickBk_Status = 0, pushed_by = NULL, invoice_date = '2025-09-01', `date` = '2025-09-01',
  fee_category = (SELECT MIN(id) FROM {{0}}.tbl_income_category)
"""  # noqa: S608 - figures of ours


def first_invoices(home: ServerHome) -> dict[int, str]:
    """Have every invoice be for one of a few students nobody knows yet; return whose each is."""
    home.run_sql(FEW, FIRST)
    rows = home.run_sql("SELECT id, reg_no FROM {0}.tbl_imvoice")
    assert len({payer for _, payer in rows}) == STUDENTS
    return dict(rows)


def beside(home: ServerHome) -> ServerHome:
    """Return another installation on the same MIS and company, with a store of its own."""
    folder = home.folder.with_name(f"{home.folder.name}-beside")
    folder.mkdir()
    return replace(home, folder=folder, settings=dict(home.settings))


def charged(home: ServerHome) -> dict[int, str]:
    """Return whom each invoice is charged to, every customer being there once."""
    names = Counter(str(one["Name"]) for one in home.simulator.ledger("Customer"))
    assert len(names) == names.total() == STUDENTS
    return {
        int(str(one["DocNumber"]).removeprefix("MIS-")): str(one["CustomerName"])
        for one in home.simulator.ledger("Invoice")
    }
