"""Every must-have row of the MIS ends in its verdict, and the rest of the run is unaffected."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from application.mis.demo_edges import Expected, edge_expectations
from tests.walks.university import University, university

EXPECTED = [one for one in edge_expectations() if one.needs is None]


@dataclass
class Outcome:
    """What both books and our own say after the run."""

    status: dict[int, int]
    documents: dict[str, list[dict[str, Any]]]
    causes: dict[int, str]
    printed: str


def causes_of(place: University) -> dict[int, str]:
    with closing(sqlite3.connect(place.folder / "var" / "store" / "store.db")) as store:
        rows = store.execute("SELECT invoice_id, cause FROM refusals WHERE open = 1").fetchall()
    return dict(rows)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    folder: Path = tmp_path_factory.mktemp("must-have")
    with university(folder, size=60, edge=True) as place:
        code, out, err = place.run("all")
        assert code == 0, out + err
        documents: dict[str, list[dict[str, Any]]] = {}
        for one in place.simulator.ledger("Invoice"):
            documents.setdefault(one["DocNumber"], []).append(one)
        yield Outcome(place.look().status, documents, causes_of(place), out + err)


@pytest.mark.covers("B14", "B16", "E7", "E10", "E12", "G1", "G2", "G3", "G7")
@pytest.mark.parametrize("expected", EXPECTED, ids=lambda one: f"row {one.row}, {one.id}")
class TestAMustHaveRow:
    def test_ends_in_its_verdict(self, expected: Expected, outcome: Outcome) -> None:
        assert outcome.status[expected.id] == expected.status, outcome.causes.get(expected.id)

    def test_fails_for_its_cause(self, expected: Expected, outcome: Outcome) -> None:
        if expected.status == 2 and expected.cause != "status_invalid":
            assert outcome.causes.get(expected.id) == expected.cause
        elif expected.status == 1:
            assert expected.id not in outcome.causes

    def test_has_its_document_and_no_other(self, expected: Expected, outcome: Outcome) -> None:
        found = outcome.documents.get(f"MIS-{expected.id}", [])
        live = [one for one in found if one.get("live", True)]

        if expected.amount is not None:
            assert [Decimal(str(one["TotalAmt"])) for one in live] == [expected.amount]
        else:
            assert len(live) <= 1


class TestTheRest:
    def test_is_unaffected(self, outcome: Outcome) -> None:
        rest = {number: status for number, status in outcome.status.items() if number < 2_000_000}

        assert set(rest.values()) <= {1, 2}
        assert sum(status == 1 for status in rest.values()) > len(rest) // 2


class TestAPerson:
    """What people do in QuickBooks or the MIS between two steps of ours."""

    @pytest.mark.covers("E11")
    def test_who_makes_a_linked_customer_inactive_is_told(self, tmp_path: Path) -> None:
        with university(tmp_path, size=40) as place:
            place.run("all")
            first = place.simulator.ledger("Invoice")[0]
            invoice_id = int(first["DocNumber"].removeprefix("MIS-"))
            place.simulator.control(
                "POST",
                "/_simulator/edit",
                {
                    "entity": "Customer",
                    "id": first["CustomerRef"],
                    "change": {"Active": False},
                },
            )
            again_like(place, invoice_id)

            place.run("all")

            assert place.look().status[AGAIN] == 2
            assert causes_of(place)[AGAIN] == "customer_inactive"

    @pytest.mark.covers("E7")
    def test_who_enters_our_number_by_hand_gets_a_conflict(self, tmp_path: Path) -> None:
        with university(tmp_path, size=40) as place:
            place.run("all")
            first = place.simulator.ledger("Invoice")[0]
            again_like(place, int(first["DocNumber"].removeprefix("MIS-")))
            place.simulator.control(
                "POST",
                "/_simulator/seed",
                {
                    "invoices": [
                        {
                            "DocNumber": f"MIS-{AGAIN}",
                            "CustomerName": "Somebody else",
                            "Total": "77.00",
                            "TxnDate": "2025-03-03",
                        }
                    ]
                },
            )

            place.run("all")

            assert place.look().status[AGAIN] == 2
            assert causes_of(place)[AGAIN] == "document_conflict"
            assert place.simulator.violations() == {}


AGAIN = 777_777


def again_like(place: University, invoice_id: int) -> None:
    """Add a row that is like another one but for its id."""
    with closing(sqlite3.connect(place.folder / "mis.db")) as mis:
        columns = [row[1] for row in mis.execute("PRAGMA table_info(tbl_imvoice)")]
        rest = ", ".join(f'"{name}"' for name in columns if name not in WRITTEN)
        mis.execute(
            f"INSERT INTO tbl_imvoice (id, QuickBk_Status, {rest}) "  # noqa: S608 - column names of our own table
            f"SELECT {AGAIN}, 0, {rest} FROM tbl_imvoice WHERE id = ?",
            (invoice_id,),
        )
        mis.commit()


WRITTEN = frozenset({"id", "QuickBk_Status", "pushed_by", "pushed_date"})
