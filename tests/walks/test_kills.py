"""A sender dies again and again; the next one, and `settle`, look before they free a row."""

from pathlib import Path

import pytest

from application.world import Gate
from tests.walks.university import University, university


def settled(place: University) -> dict[int, int]:
    code, out, err = place.run("all")
    books = place.look()

    assert code == 0, out + err
    assert books.problems == []
    assert not {0, 3} & set(books.counts)
    return books.counts


class TestAKill:
    @pytest.mark.long
    def test_again_and_again_costs_nothing(self, tmp_path: Path) -> None:
        with university(tmp_path, size=120) as place:
            for gate, times in (
                (Gate.ATTEMPT_DURABLE, "3"),
                (Gate.SEND_BODY, "9"),
                (Gate.RECEIPT_DURABLE, "2"),
                (Gate.SETTLE_FOUND, "1"),
                (Gate.CLAIM_WRITTEN, "2"),
            ):
                place.run("all", gate.value, times)

            settled(place)


class TestResetStuck:
    def test_looks_each_invoice_up_before_it_frees_it(self, tmp_path: Path) -> None:
        with university(tmp_path, size=40) as place:
            place.run("all", Gate.PLAN_READ.value, "2")
            stuck = [number for number, status in place.look().status.items() if status == 3]
            place.simulator.control(
                "POST",
                "/_simulator/seed",
                {
                    "invoices": [
                        {
                            "DocNumber": f"MIS-{stuck[0]}",
                            "CustomerName": "Somebody else",
                            "Total": "77.00",
                            "TxnDate": "2025-03-03",
                        }
                    ]
                },
            )

            place.run("settle")

            status = place.look().status
            assert len(stuck) > 1
            assert status[stuck[0]] == 2  # somebody's document stands under its number
            assert {status[one] for one in stuck[1:]} == {0}

    def test_frees_nothing_it_cannot_look_up(self, tmp_path: Path) -> None:
        with university(tmp_path, size=40) as place:
            place.run("all", Gate.PLAN_READ.value, "2")
            before = place.look().status
            place.simulator.fault("html_502", rate=1, on="query")

            place.run("settle")

            assert place.look().status == before
