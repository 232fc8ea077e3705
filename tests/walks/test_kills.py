"""A sender dies at every step; the next one leaves one document for each valid row."""

import os
from pathlib import Path

import pytest

from application.world import Gate
from tests.walks.university import University, university

# Each of these is passed in an ordinary run; the others are met under trouble only.
PASSED = (
    Gate.RUN_RECORDED,
    Gate.LEASE_ACQUIRED,
    Gate.START_BOUND,
    Gate.CLAIM_RECORDED,
    Gate.CLAIM_WRITTEN,
    Gate.PLAN_READ,
    Gate.CUSTOMER_INTENDED,
    Gate.CUSTOMER_ANSWERED,
    Gate.CUSTOMER_LINKED,
    Gate.PLAN_FROZEN,
    Gate.SEND_CONNECTED,
    Gate.ATTEMPT_DURABLE,
    Gate.LEASE_CHECKED,
    Gate.SEND_HEADERS,
    Gate.SEND_BODY,
    Gate.ANSWER_HEAD,
    Gate.ANSWER_BODY,
    Gate.ANSWER_CLASSIFIED,
    Gate.BUNDLE_ITEM,
    Gate.RECEIPT_DURABLE,
    Gate.MARK_SENT,
    Gate.MARK_COMMITTED,
    Gate.MARK_NOTED,
    Gate.REFUSAL_DURABLE,
    Gate.REFUSAL_MARKED,
    Gate.RUN_FINISHED,
)
# Every run of the tests kills at these; PROVE=1 kills at all of them.
OFTEN = (
    Gate.CLAIM_RECORDED,
    Gate.CLAIM_WRITTEN,
    Gate.CUSTOMER_ANSWERED,
    Gate.PLAN_FROZEN,
    Gate.ATTEMPT_DURABLE,
    Gate.SEND_BODY,
    Gate.ANSWER_CLASSIFIED,
    Gate.RECEIPT_DURABLE,
    Gate.MARK_COMMITTED,
    Gate.REFUSAL_DURABLE,
)
PROVING = os.environ.get("PROVE") == "1"  # noqa: TID251 - the tests' own switch, no setting
KILLED = -9


def settled(place: University) -> dict[int, int]:
    code, out, err = place.run("all")
    books = place.look()

    assert code == 0, out + err
    assert books.problems == []
    assert not {0, 3} & set(books.counts)
    return books.counts


class TestAKill:
    @pytest.mark.parametrize("gate", PASSED if PROVING else OFTEN, ids=lambda gate: gate.value)
    def test_at_a_gate_costs_nothing(self, gate: Gate, tmp_path: Path) -> None:
        with university(tmp_path, size=40) as place:
            code, out, err = place.run("all", gate.value, "2" if gate in TWICE else "1")
            assert code == KILLED, out + err
            assert place.look().problems == []

            settled(place)

            assert place.simulator.violations() == {}

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


TWICE = frozenset({Gate.CLAIM_RECORDED, Gate.CLAIM_WRITTEN, Gate.PLAN_READ, Gate.PLAN_FROZEN})


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
