"""The batch address: checklist 53, and its faults."""

from collections.abc import Iterator

import pytest

from tests.rooms.simulator_support import Answer, RunningSimulator, Thing, invoice_body


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    running.control("POST", "seed", {"customers": [{"DisplayName": "25/00411/BBA"}]})
    return running


def bundle(simulator: RunningSimulator, *items: Thing) -> Answer:
    return simulator.send("POST", "batch", {"BatchItemRequest": items}, requestid="b")


def items(simulator: RunningSimulator, *asked: Thing) -> list[Thing]:
    answer = bundle(simulator, *asked)
    assert answer.status == 200
    found: list[Thing] = answer.json["BatchItemResponse"]
    return found


def create(b_id: str, number: str = "", **change: object) -> Thing:
    body = {**invoice_body("1", number=number or f"MIS-{b_id}"), **change}
    return {"bId": b_id, "operation": "create", "Invoice": body}


class TestABundle:
    def test_53_answers_200_with_a_fault_for_each_bad_item(
        self, simulator: RunningSimulator
    ) -> None:
        found = items(
            simulator,
            create("a"),
            create("b", CustomerRef={"value": "77"}),
            create("c", number="MIS-a"),
            {"bId": "d", "operation": "create", "Nonsense": {}},
            {"bId": "e", "Invoice": {}},
            {"bId": "f", "Query": "select count(*) from Invoice"},
            create("g"),
        )

        assert [one["bId"] for one in found] == list("abcdefg")
        codes = [one.get("Fault", {}).get("Error", [{}])[0].get("code") for one in found]
        assert codes == [None, "2500", "6140", "2000", "2020", None, None]
        assert found[5]["QueryResponse"] == {"totalCount": 1}
        assert [one["DocNumber"] for one in simulator.ledger()] == ["MIS-a", "MIS-g"]

    def test_53_updates_voids_and_deletes(self, simulator: RunningSimulator) -> None:
        items(simulator, create("a"), create("b"), create("c"))
        token = {"SyncToken": "0", "sparse": True}

        found = items(
            simulator,
            {"bId": "1", "operation": "update", "Invoice": {"Id": "1", **token, "DocNumber": "X"}},
            {
                "bId": "2",
                "operation": "update",
                "optionsData": "void",
                "Invoice": {"Id": "2", **token},
            },
            {"bId": "3", "operation": "delete", "Invoice": {"Id": "3", "SyncToken": "0"}},
            {"bId": "4", "operation": "delete", "Invoice": {"Id": "9", "SyncToken": "0"}},
        )

        assert found[0]["Invoice"]["DocNumber"] == "X"
        assert found[1]["Invoice"]["TotalAmt"] == 0
        assert found[2]["Invoice"]["status"] == "Deleted"
        assert found[3]["Fault"]["Error"][0]["code"] == "610"

    def test_53_does_not_show_its_items_to_each_other(self, simulator: RunningSimulator) -> None:
        found = items(
            simulator,
            {"bId": "a", "operation": "create", "Customer": {"DisplayName": "Mugisha"}},
            create("b", CustomerRef={"value": "2"}),
        )

        assert found[0]["Customer"]["Id"] == "2"
        assert found[1]["Fault"]["Error"][0]["code"] == "2500"

    @pytest.mark.parametrize(
        ("bids", "code"),
        [
            ([f"i{n:02}" for n in range(31)], "1040"),
            (["a", "a"], "2010"),
            (["a", ""], "2020"),
            ([], "2020"),
        ],
        ids=["31 items", "doubled bId", "missing bId", "nothing"],
    )
    def test_53_q20_is_refused_as_a_whole(
        self, simulator: RunningSimulator, bids: list[str], code: str
    ) -> None:
        answer = bundle(simulator, *[create(b_id) for b_id in bids])

        assert (answer.status, answer.code) == (400, code)
        assert simulator.ledger() == []

    def test_53_takes_thirty_items(self, simulator: RunningSimulator) -> None:
        found = items(simulator, *[create(f"i{n:02}") for n in range(30)])

        assert len({one["Invoice"]["Id"] for one in found}) == 30
        entry = simulator.log()[-1]
        assert (len(entry["docnumbers"]), len(entry["committed"])) == (30, 30)

    def test_53_may_come_in_any_order(self, simulator: RunningSimulator) -> None:
        simulator.knob(batch_order="random")

        found = items(simulator, *[create(f"i{n:02}") for n in range(30)])

        order = [one["bId"] for one in found]
        assert order != sorted(order)
        assert all(one["Invoice"]["DocNumber"] == f"MIS-{one['bId']}" for one in found)


class TestABrokenBundle:
    @pytest.mark.parametrize(
        ("kind", "b_ids"),
        [
            ("missing_bid", [None, "b"]),
            ("doubled_bid", ["a", "b", "a"]),
            ("foreign_bid", ["foreign", "b"]),
        ],
    )
    def test_a_bid_is_missing_doubled_or_foreign(
        self, simulator: RunningSimulator, kind: str, b_ids: list[str | None]
    ) -> None:
        simulator.fault(kind)

        found = items(simulator, create("a"), create("b"))

        assert [one.get("bId") for one in found] == b_ids
        assert len(simulator.ledger()) == 2

    @pytest.mark.parametrize(("details", "kept"), [({}, 2), ({"items": 3}, 3), ({"items": 0}, 0)])
    def test_is_cut_with_some_items_kept(
        self, simulator: RunningSimulator, details: Thing, kept: int
    ) -> None:
        simulator.fault("cut_batch", **details)

        with pytest.raises(ConnectionError):
            bundle(simulator, *[create(b_id) for b_id in "abcd"])

        assert len(simulator.ledger()) == kept
        assert len(simulator.log()[-1]["committed"]) == kept

    def test_a_kept_bundle_answers_unexpected_for_each_item(
        self, simulator: RunningSimulator
    ) -> None:
        simulator.fault("error_6000_unexpected", on="batch", commit=True)

        found = items(simulator, create("a"), create("b"))

        assert all("unexpected error" in str(one["Fault"]) for one in found)
        assert len(simulator.ledger()) == 2
