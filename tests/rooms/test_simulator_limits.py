"""Rate limits and the meter of reads: checklist 18 to 20."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.rooms.simulator_support import RunningSimulator, Thing, invoice_body


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start(knobs={"throttles": True}) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    running.control("POST", "seed", {"customers": [{"DisplayName": "25/00411/BBA"}]})
    running.send("GET", "x", token="x" * 30)
    return running


def meters(simulator: RunningSimulator) -> Thing:
    state = simulator.control("GET", "state")
    found: Thing = state["realms"][simulator.realm_id]["meters"]
    return found


class TestTheLimits:
    def test_18_let_ten_a_second_through(self, simulator: RunningSimulator) -> None:
        statuses = [simulator.send("GET", "preferences").status for _ in range(12)]

        assert statuses == [200] * 10 + [429] * 2
        assert meters(simulator)["refused_429"] == 2

    def test_18_let_500_a_minute_through(self, simulator: RunningSimulator) -> None:
        statuses = []
        for _ in range(51):
            statuses += [simulator.send("GET", "preferences").status for _ in range(10)]
            simulator.control("POST", "clock", {"advance_s": 1.0})

        assert statuses.count(200) == 500
        assert statuses[500:] == [429] * 10
        simulator.control("POST", "clock", {"advance_s": 60})
        assert simulator.send("GET", "preferences").status == 200

    def test_18_let_40_batches_a_minute_through(self, simulator: RunningSimulator) -> None:
        batch = {"BatchItemRequest": [{"bId": "q", "Query": "select * from Item"}]}
        statuses = []
        for _ in range(42):
            statuses.append(simulator.send("POST", "batch", batch).status)
            simulator.control("POST", "clock", {"advance_s": 0.5})

        assert statuses == [200] * 40 + [429] * 2
        assert simulator.send("GET", "preferences").status == 200

    def test_18_let_ten_at_once_through(self, simulator: RunningSimulator) -> None:
        simulator.knob(latency_ms=[300, 300])
        simulator.token()
        simulator.send("GET", "preferences")

        def ask(_number: int) -> int:
            return simulator.send("GET", "preferences").status

        simulator.control("POST", "clock", {"advance_s": 5})
        with ThreadPoolExecutor(14) as pool:
            statuses = list(pool.map(ask, range(14)))

        assert statuses.count(200) == 10
        assert meters(simulator)["most_in_flight"] >= 11
        assert meters(simulator)["in_flight"] == 0

    def test_18_take_turns_between_both_bodies(self, simulator: RunningSimulator) -> None:
        simulator.fault("throttle_429", count=2)

        bodies = [simulator.send("GET", "preferences").body for _ in range(2)]

        forms = sorted(body[:1] for body in bodies)
        assert forms == [b"<", b"{"]
        assert all(b"errorCode=003001; statusCode=429" in body for body in bodies)

    def test_18_name_a_wait_only_when_told_to(self, simulator: RunningSimulator) -> None:
        simulator.fault("throttle_429", count=2)
        silent = simulator.send("GET", "preferences")
        simulator.knob(retry_after=17)
        told = simulator.send("GET", "preferences")

        assert "retry-after" not in silent.headers
        assert told.headers["retry-after"] == "17"

    def test_18_may_count_the_items_of_a_batch(self, simulator: RunningSimulator) -> None:
        simulator.knob(batch_cost="items")
        items = [{"bId": f"i{n:02}", "Query": "select * from Item"} for n in range(30)]

        statuses = []
        for _ in range(17):
            statuses.append(simulator.send("POST", "batch", {"BatchItemRequest": items}).status)
            simulator.control("POST", "clock", {"advance_s": 1.0})

        assert statuses == [200] * 16 + [429]

    def test_18_can_be_counted_in_fixed_windows(self, simulator: RunningSimulator) -> None:
        simulator.knob(windows="fixed")
        now_s = float(simulator.control("GET", "state")["virtual_s"])
        simulator.control("POST", "clock", {"advance_s": 1.05 - now_s % 1})

        statuses = [simulator.send("GET", "preferences").status for _ in range(11)]

        assert statuses.count(200) >= 10

    def test_18_can_be_switched_off(self, simulator: RunningSimulator) -> None:
        simulator.knob(throttles=False)

        statuses = {simulator.send("GET", "preferences").status for _ in range(30)}

        assert statuses == {200}
        assert meters(simulator)["most_in_1_s"] >= 11


class TestARefusedRequest:
    @pytest.mark.parametrize(("mode", "kept"), [("off", 0), ("429", 1)])
    def test_19_does_no_work_unless_the_mode_says_so(
        self, simulator: RunningSimulator, mode: str, kept: int
    ) -> None:
        simulator.knob(commit_then_refuse=mode)
        for _ in range(10):
            simulator.send("GET", "preferences")

        answer = simulator.send("POST", "invoice", invoice_body("1", number="MIS-1"))

        assert answer.status == 429
        assert len(simulator.ledger()) == kept

    def test_19_may_be_a_6000_after_the_commit(self, simulator: RunningSimulator) -> None:
        simulator.knob(commit_then_refuse="6000")

        answer = simulator.send("POST", "invoice", invoice_body("1", number="MIS-1"))

        assert (answer.status, answer.code) == (400, "6000")
        assert len(simulator.ledger()) == 1


class TestTheMeter:
    def test_20_counts_reads_and_not_writes(self, simulator: RunningSimulator) -> None:
        simulator.send("GET", "preferences")
        simulator.query("select * from Item")
        simulator.create("Customer", {"DisplayName": "Mugisha"})

        counted = meters(simulator)

        assert (counted["core_plus_calls"], counted["core_calls"]) == (2, 1)

    def test_20_refuses_reads_alone_beyond_the_quota(self, simulator: RunningSimulator) -> None:
        simulator.knob(coreplus_quota=1)

        first = simulator.send("GET", "preferences").status
        second = simulator.send("GET", "preferences").status
        write = simulator.send("POST", "customer", {"DisplayName": "Mugisha"}).status

        assert (first, second, write) == (200, 429, 200)
