"""Every control of the demo, tried while it serves: it slows, explains, recovers, never doubles."""

from collections.abc import Iterator

import pytest

from tests.walks.demo_support import DEMO, Shown, shown
from tests.walks.desk import until
from tests.walks.server import SYNC
from tests.walks.support import Installation


@pytest.fixture(scope="module")
def demo(waiting: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A served demo; its 1,250 invoices wait, and each test sends some of them."""
    own = waiting.copied_to(tmp_path_factory.mktemp("demo"))
    here = shown(own, "--no-sync")
    try:
        yield here
    finally:
        here.interrupt()


@pytest.fixture(autouse=True)
def _agree(demo: Shown) -> Iterator[None]:
    """Whatever a test broke and mended, both books agree afterwards."""
    yield
    assert demo.look().problems == []


class TestTheList:
    def test_says_what_each_does_and_what_to_see(self, demo: Shown) -> None:
        listed = demo.get(DEMO).data["controls"]

        assert len(listed) == 17
        assert {one["state"] for one in listed} == {"off"}
        assert all(one["title"] and one["does"].endswith(".") for one in listed)
        assert all(one["see"].endswith(".") for one in listed)

    def test_knows_no_other(self, demo: Shown) -> None:
        unknown = demo.post(f"{DEMO}/earthquake/start")
        over = demo.post(f"{DEMO}/delete/stop")
        nothing = demo.post(f"{DEMO}/fix-amount/start", {"invoice_id": 101})

        assert (unknown.status, unknown.json["error_code"]) == (404, "not_found")
        assert (over.status, over.json["error_code"]) == (409, "demo_not_now")
        assert (nothing.status, nothing.json["error_code"]) == (409, "demo_not_now")


class TestQuickBooks:
    def test_limits_us_and_the_run_goes_on(self, demo: Shown) -> None:
        demo.begin("limit")
        going = demo.state("limit")
        run_id = demo.sends()
        run = demo.finished(run_id)

        assert going == "on"
        assert demo.hits("throttle_429") >= 1
        assert run["throttled_seconds"] >= 1
        assert "event: run.throttled" in demo.get(f"{SYNC}/runs/{run_id}/events").text
        assert demo.state("limit") == "off"

    def test_is_down_and_the_run_waits(self, demo: Shown) -> None:
        with demo.slowed():
            run_id = demo.sends(batches=2)
            demo.until(run_id, "running")
            demo.begin("down")
            until(demo.refuses)
            met = demo.run(run_id)
        going = demo.state("down")
        run = demo.finished(run_id)

        assert going == "on"
        assert met["state"] in {"running", "waiting_quickbooks"}
        assert met["processed"] < run["processed"] == 80
        assert demo.state("down") == "off"

    def test_ends_the_sign_in_and_a_new_one_goes_on(self, demo: Shown) -> None:
        demo.begin("sign-in")
        run_id = demo.sends()
        demo.until(run_id, "waiting_connection")
        connection = demo.get("/api/v1/quickbooks/connection").data
        going = demo.state("sign-in")

        done = demo.command("connect")

        assert (connection["connected"], going) == (False, "on")
        assert done.code == 0, done.err
        assert demo.finished(run_id)["processed"] == 40
        assert demo.state("sign-in") == "off"

    def test_ends_the_sign_in_and_stop_makes_another(self, demo: Shown) -> None:
        demo.begin("sign-in")
        stopped = demo.end("sign-in")

        assert stopped.data["state"] == "off"
        assert demo.post("/api/v1/quickbooks/test").data["connected"]

    def test_loses_an_answer_and_the_invoice_is_found(self, demo: Shown) -> None:
        number = demo.next_waiting()
        demo.begin("lost-answer")
        demo.settled(number)

        assert demo.hits("drop_after_commit") == 1
        assert len(demo.documents(f"MIS-{number}")) == 1
        assert demo.state("lost-answer") == "off"

    def test_loses_a_bundle_s_answer_and_each_is_there_once(self, demo: Shown) -> None:
        demo.begin("lost-bundle")
        run = demo.finished(demo.sends())

        assert demo.hits("cut_batch") == 1
        assert run["processed"] == 40

    def test_takes_any_number_and_still_nothing_is_there_twice(self, demo: Shown) -> None:
        number = demo.next_waiting()
        demo.begin("numbers-off")
        demo.begin("lost-answer")
        demo.settled(number)
        checks = demo.post("/api/v1/quickbooks/test").data["checks"]
        demo.end("numbers-off")

        found = {one["name"]: one["result"] for one in checks}
        assert found["custom_transaction_numbers"] == "warn"
        assert len(demo.documents(f"MIS-{number}")) == 1

    def test_holds_our_number_for_somebody_else(self, demo: Shown) -> None:
        told = demo.begin("own-number").json["message"]
        number = int(told.split("MIS-")[1].split()[0])
        demo.settled(number, status="failed")
        [theirs] = demo.documents(f"MIS-{number}")

        assert demo.invoice(number)["error_code"] == "document_conflict"
        assert (theirs["CustomerName"], theirs["TotalAmt"]) == ("Somebody Else", "999.00")
        change = {"entity": "Invoice", "id": theirs["Id"], "change": {"delete": True}}
        demo.simulator("POST", "edit", change)


class TestTheMis:
    def test_gets_a_new_term_and_closed_books_refuse_its_older_half(self, demo: Shown) -> None:
        before = demo.statistics()["not_synced"]
        told = demo.begin("new-term").json["message"]
        first = int(told.split("MIS-")[1].split()[0])
        after = demo.statistics()["not_synced"]
        demo.begin("books-closed")
        demo.settled(first)
        demo.settled(first + 39, status="failed")
        older = demo.invoice(first + 39)
        stopped = demo.end("books-closed")
        again = demo.single(first + 39)

        assert after - before == 200
        assert older["error_code"] == "period_closed"
        assert again.status == 200, again.text
        assert stopped.data["state"] == "off"

    def test_is_down_and_comes_back(self, demo: Shown) -> None:
        with demo.slowed():
            run_id = demo.sends(batches=2)
            demo.until(run_id, "running")
            demo.begin("mis-down")
            asked = demo.get(f"{SYNC}/analyze")
            beside = demo.command("status")
            demo.until(run_id, "waiting_mis")
        going = demo.state("mis-down")
        demo.end("mis-down")

        assert (asked.status, asked.json["error_code"]) == (503, "mis_unavailable")
        assert beside.code == 5
        assert going == "on"
        assert demo.finished(run_id)["processed"] == 80

    @pytest.mark.parametrize(
        ("control", "number", "cause"),
        [
            ("fix-student", 1102, "customer_not_found"),
            ("fix-amount", 1240, "invalid_amount"),
            ("fix-product", 1301, "fee_category_unmapped"),
        ],
    )
    def test_is_mended_and_the_failure_looks_fixed(
        self, demo: Shown, control: str, number: int, cause: str
    ) -> None:
        failed = demo.single(number)
        demo.begin(control, invoice_id=number)
        seen = demo.invoice(number)
        again = demo.single(number)

        assert (failed.status, failed.json["error_code"]) == (422, cause)
        assert seen["looks_fixed"] is True
        assert again.status == 200, again.text


class TestTheServer:
    def test_is_killed_and_takes_its_run_up_again_with_the_mis_back(self, demo: Shown) -> None:
        with demo.slowed():
            run_id = demo.sends(batches=3)
            demo.until_met(run_id, least=1)
            demo.begin("mis-down")
            there = demo.installation.mis_file.exists()
            demo.installation.mis_file.touch()  # as a program does that opens what is not there
            demo.begin("kill")
        until(lambda: "The server is back" in demo.told)
        run = demo.finished(run_id)

        assert not there
        assert "The server ended (code -9)" in demo.told
        assert run["resumed"] >= 1
        assert run["processed"] == 120
        assert demo.state("mis-down") == "off"


class TestPeopleInQuickBooks:
    @pytest.fixture(autouse=True)
    def _agree(self) -> None:
        """Return nothing: what people did there is not mended by us."""

    def test_delete_change_and_copy_what_the_comparison_then_names(self, demo: Shown) -> None:
        told = [demo.begin(one).json["message"] for one in ("delete", "change", "copy")]
        numbers = [one.split()[0] for one in told]

        done = demo.command("verify", "--json")

        checks = done.json["data"]["checks"]
        named = {(each["number"], one["code"]) for one in checks for each in one["findings"]}
        assert done.code == 8
        assert {number for number, _ in named} == set(numbers)
        assert {code for number, code in named if number == numbers[0]} == {"I2"}
        assert {code for number, code in named if number == numbers[1]} >= {"I10"}
        assert {code for number, code in named if number == numbers[2]} >= {"I1"}
