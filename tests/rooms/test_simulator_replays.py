"""The memory behind `requestid`: checklist 21 to 25, and its open questions as knobs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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


def post(simulator: RunningSimulator, number: str = "MIS-1", *, requestid: str) -> Answer:
    return simulator.send("POST", "invoice", invoice_body("1", number=number), requestid=requestid)


def bundle(simulator: RunningSimulator, *items: Thing, requestid: str | None) -> Answer:
    return simulator.send("POST", "batch", {"BatchItemRequest": items}, requestid=requestid)


def create(number: str, b_id: str) -> Thing:
    body = invoice_body("1", number=number)
    return {"bId": b_id, "operation": "create", "Invoice": body}


class TestAReplay:
    def test_21_is_the_same_bytes_and_changes_nothing(self, simulator: RunningSimulator) -> None:
        first = post(simulator, requestid="a")
        ledger = simulator.ledger()

        again = post(simulator, requestid="a")

        assert again.body == first.body
        assert simulator.ledger() == ledger
        assert simulator.log()[-1]["committed"] == []

    def test_21_does_not_care_for_the_entity(self, simulator: RunningSimulator) -> None:
        first = post(simulator, requestid="a")

        again = simulator.send("POST", "customer", {"DisplayName": "Other"}, requestid="a")

        assert again.body == first.body
        assert simulator.violations()["requestid_reused"] == 1

    def test_21_covers_update_void_and_delete(self, simulator: RunningSimulator) -> None:
        post(simulator, requestid="a")
        change = {"Id": "1", "SyncToken": "0"}
        first = simulator.send("POST", "invoice", change, requestid="v", operation="void")

        again = simulator.send("POST", "invoice", change, requestid="v", operation="void")

        assert first.status == 200
        assert again.body == first.body

    def test_22_needs_an_id_of_at_most_50(self, simulator: RunningSimulator) -> None:
        fits = post(simulator, requestid="x" * 50)
        long = post(simulator, "MIS-2", requestid="y" * 51)

        assert fits.status == 200
        assert (long.status, long.code) == (400, "6000")
        assert "more than 50 characters in the request_id field" in long.detail
        assert "which is 51 characters" in long.detail

    def test_22_counts_the_bid_in_a_batch(self, simulator: RunningSimulator) -> None:
        items = [create("A", "i" * 10), create("B", "j" * 15)]

        answer = bundle(simulator, *items, requestid="x" * 36).json["BatchItemResponse"]

        assert "Invoice" in answer[0]
        assert "more than 50 characters" in answer[1]["Fault"]["Error"][0]["Detail"]

    def test_23_stays_in_its_company(self, simulator: RunningSimulator) -> None:
        post(simulator, requestid="a")
        simulator.control("POST", "realms", {"realm_id": "9130347999"})
        seeded = {"realm": "9130347999", "customers": [{"DisplayName": "x"}]}
        simulator.control("POST", "seed", seeded)
        token = simulator.token(realm="9130347999")["access_token"]
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }

        answer = simulator.call(
            "POST",
            "/v3/company/9130347999/customer?requestid=a&minorversion=75",
            body=b'{"DisplayName":"Uwase"}',
            headers=headers,
        )

        assert answer.json["Customer"]["DisplayName"] == "Uwase"

    def test_24_of_another_body_may_be_a_fault(self, simulator: RunningSimulator) -> None:
        post(simulator, requestid="a")
        simulator.knob(requestid_conflict="600")

        assert post(simulator, "MIS-2", requestid="a").code == "600"

    def test_25_comes_before_validation(self, simulator: RunningSimulator) -> None:
        invoice = post(simulator, requestid="a")
        customer = {"DisplayName": "Uwase"}
        first = simulator.send("POST", "customer", customer, requestid="b")

        assert post(simulator, requestid="a").body == invoice.body
        assert simulator.send("POST", "customer", customer, requestid="b").body == first.body

    @pytest.mark.parametrize(
        ("life_s", "passed_s", "code"),
        [(86_400, 86_399, ""), (86_400, 86_401, "6140"), (0, 0, "6140"), (None, 10**7, "")],
        ids=["Q1 within a day", "Q1 after a day", "Q1 never", "Q1 for ever"],
    )
    def test_lives_as_long_as_the_knob_says(
        self, simulator: RunningSimulator, life_s: int | None, passed_s: int, code: str
    ) -> None:
        simulator.knob(requestid_ttl_s=life_s)
        post(simulator, requestid="a")
        simulator.control("POST", "clock", {"advance_s": passed_s - 5 if passed_s else 0})
        simulator.control("POST", "clock", {"advance_s": 5 if passed_s > 86_400 else 0})
        token = simulator.token()["access_token"]

        answer = simulator.send(
            "POST", "invoice", invoice_body("1", number="MIS-1"), requestid="a", token=token
        )

        assert answer.code == code

    @pytest.mark.parametrize("remembered", [False, True])
    def test_of_a_fault_happens_only_by_knob_q3(
        self, simulator: RunningSimulator, *, remembered: bool
    ) -> None:
        simulator.knob(requestid_cache_faults=remembered)
        bad = invoice_body("77", number="MIS-1")
        simulator.send("POST", "invoice", bad, requestid="a")

        answer = post(simulator, requestid="a")

        assert answer.status == (400 if remembered else 200)

    @pytest.mark.parametrize(("mode", "kept"), [("original", 0), ("create", 1)])
    def test_after_a_delete_follows_the_knob_q26(
        self, simulator: RunningSimulator, mode: str, kept: int
    ) -> None:
        simulator.knob(replay_deleted=mode)
        post(simulator, requestid="a")
        simulator.control(
            "POST", "edit", {"entity": "Invoice", "id": "1", "change": {"delete": True}}
        )

        assert post(simulator, requestid="a").status == 200

        assert [one["state"] for one in simulator.ledger()].count("live") == kept

    @pytest.mark.parametrize(
        ("mode", "codes"),
        [("wait", {""}), ("600", {"", "600"}), ("6000", {"", "6000"}), ("twice", {"", "6140"})],
    )
    def test_while_the_first_is_under_way_follows_the_knob_q4(
        self, simulator: RunningSimulator, mode: str, codes: set[str]
    ) -> None:
        simulator.knob(requestid_inflight=mode, latency_ms=[200, 200])
        simulator.send("GET", "preferences")

        def send(_number: int) -> str:
            return post(simulator, requestid="a").code

        with ThreadPoolExecutor(2) as pool:
            found = set(pool.map(send, range(2)))

        assert found == codes
        assert len(simulator.ledger()) == 1

    def test_needs_an_id_q28(self, simulator: RunningSimulator) -> None:
        post(simulator, requestid="")

        assert post(simulator, "MIS-2", requestid="").status == 200
        assert simulator.violations()["no_requestid"] == 2


class TestABundleSentTwice:
    def test_replays_item_by_item_q29(self, simulator: RunningSimulator) -> None:
        items = [create("A", "i00"), create("B", "i01")]
        first = bundle(simulator, *items, requestid="b").json["BatchItemResponse"]

        again = bundle(simulator, *items, requestid="b").json["BatchItemResponse"]

        assert again == first
        assert len(simulator.ledger()) == 2

    def test_shares_its_keys_with_singles(self, simulator: RunningSimulator) -> None:
        first = bundle(simulator, create("A", "i00"), requestid="b").json["BatchItemResponse"][0]

        single = post(simulator, "A", requestid="bi00")

        assert single.json["Invoice"] == first["Invoice"]
        assert simulator.log()[-1]["replayed"] is True

    @pytest.mark.parametrize(
        ("knobs", "fault"),
        [
            ({"batch_replay": "6000"}, "6000"),
            ({"batch_key": "none"}, "6140"),
            ({"batch_key": "bundle"}, ""),
        ],
        ids=["refused", "not remembered", "remembered as a whole"],
    )
    def test_follows_the_other_modes_q29(
        self, simulator: RunningSimulator, knobs: Thing, fault: str
    ) -> None:
        simulator.knob(**knobs)
        bundle(simulator, create("A", "i00"), requestid="b")

        again = bundle(simulator, create("A", "i00"), requestid="b").json["BatchItemResponse"][0]

        code = again["Fault"]["Error"][0]["code"] if "Fault" in again else ""
        assert code == fault
        assert len(simulator.ledger()) == 1
