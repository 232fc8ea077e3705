"""The real kind of MIS: exactly the documented rights, a server that goes away, three columns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from application import wiring
from application.embedded import Place
from tests.rooms.simulator_support import RunningSimulator
from tests.servers import MariaDb
from tests.walks.university import SCALE, University, wait_until

USER = "feebridge_walk"
PASSWORD = "walk-only"  # noqa: S105 - of a private server that ends with the test
GRANTS = (
    (
        "GRANT SELECT (id, reg_no, fee_category, dept, credit, invoice_date, `date`, comment,"
        " QuickBk_Status, pushed_by, pushed_date),"
        " UPDATE (QuickBk_Status, pushed_by, pushed_date) ON {0}.tbl_imvoice TO {1}"
    ),
    (
        "GRANT SELECT (per_id_ug, reg_no, fname, middlename, lname, email1, email2, phone1, phone2)"
        " ON {0}.tbl_personal_ug TO {1}"
    ),
    (
        "GRANT SELECT (appl_Id, tracking_id, first_name, middlename, family_name, email1, phone1)"
        " ON {0}.tbl_online_application TO {1}"
    ),
    "GRANT SELECT (id, name, description) ON {0}.tbl_income_category TO {1}",
)
UNTOUCHED = (
    "SELECT id, reg_no, fee_category, dept, credit, invoice_date, `date`, comment, balance,"
    " reference_number FROM {0}.tbl_imvoice ORDER BY id"
)


@pytest.fixture
def place(mariadb_server: MariaDb, mariadb_url: str, tmp_path: Path) -> Iterator[University]:
    database = mariadb_url.rsplit("/", maxsplit=1)[-1]
    beside = Place(folder=tmp_path, demo=False)
    wiring.make_demo_mis(mariadb_url, profile="fresh", size=150, place=beside)
    mariadb_server.execute(
        f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'",
        *(grant.format(database, f"'{USER}'@'%'") for grant in GRANTS),
    )
    url = f"mysql://{USER}:{PASSWORD}@127.0.0.1:{mariadb_server.port}/{database}"
    with RunningSimulator.start(
        file=tmp_path / "simulator.db",
        clock_scale=SCALE,
        seed_file=beside.seed_file,
        knobs={"latency_ms": [10, 30]},
    ) as simulator:
        yield University(folder=tmp_path, simulator=simulator, mis_url=url)


def statuses(server: MariaDb, place: University) -> dict[int, int]:
    database = place.mis_url.rsplit("/", maxsplit=1)[-1]
    return dict(server.execute(f"SELECT id, QuickBk_Status FROM {database}.tbl_imvoice"))  # noqa: S608 - a test's own name


def untouched(server: MariaDb, place: University) -> list[tuple[Any, ...]]:
    return server.execute(UNTOUCHED.format(place.mis_url.rsplit("/", maxsplit=1)[-1]))


def numbers(place: University) -> list[str]:
    return sorted(one["DocNumber"] for one in place.simulator.ledger("Invoice"))


class TestAMisOnMariaDb:
    def test_is_served_with_the_documented_rights_and_keeps_all_but_three_columns(
        self, place: University, mariadb_server: MariaDb
    ) -> None:
        before = untouched(mariadb_server, place)

        code, out, err = place.run("all")

        found = statuses(mariadb_server, place)
        synced = sorted(f"MIS-{number}" for number, status in found.items() if status == 1)
        assert code == 0, out + err
        assert untouched(mariadb_server, place) == before
        assert set(found.values()) == {1, 2}
        assert numbers(place) == synced

    @pytest.mark.covers("B4")
    def test_that_restarts_in_mid_run_costs_nothing(
        self, place: University, mariadb_server: MariaDb
    ) -> None:
        run = place.start("all")
        for _ in range(2):
            wait_until(run, seconds=2.5)
            mariadb_server.kill()
            mariadb_server.start()
        run.communicate(timeout=120)

        code, out, err = place.run("all")

        found = statuses(mariadb_server, place)
        synced = sorted(f"MIS-{number}" for number, status in found.items() if status == 1)
        assert code == 0, out + err
        assert set(found.values()) == {1, 2}
        assert numbers(place) == synced
