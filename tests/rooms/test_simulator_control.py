"""The control addresses: seeding, editing, ledger, log, violations (checklist 56)."""

from collections.abc import Iterator

import pytest

from qbo_simulator.faults import COMMITS
from qbo_simulator.knobs import Knobs
from tests.rooms.simulator_support import ROOT, RunningSimulator, Thing, invoice_body
from tests.walks.desk import until


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


def edit(simulator: RunningSimulator, **given: object) -> Thing:
    changed: Thing = simulator.control("POST", "edit", {"entity": "Invoice", **given})
    return changed


class TestSeeding:
    def test_fills_every_list(self, simulator: RunningSimulator) -> None:
        ids = simulator.control(
            "POST",
            "seed",
            {
                "items": [{"Name": "Tuition"}, {"Name": "Old", "Active": False}],
                "accounts": [{"Name": "Exam income"}],
                "customers": [{"DisplayName": "25/00411/BBA"}],
                "vendors": [{"DisplayName": "Printer Ltd"}],
                "departments": [{"Name": "Kigali"}],
                "invoices": [
                    {"DocNumber": "MIS-1", "CustomerName": "25/00411/BBA", "Total": "10.50"},
                    {"DocNumber": "MIS-2", "CustomerName": "Mugisha", "Total": 5, "voided": True},
                ],
            },
        )

        assert ids["items"] == ["2", "3"]
        assert [one["Name"] for one in simulator.ledger("Item")] == [
            "Services",
            "Tuition",
            "Old (deleted)",
        ]
        ledger = simulator.ledger()
        assert [one["TotalAmt"] for one in ledger] == ["10.50", "0.00"]
        assert [one["CustomerName"] for one in ledger] == ["25/00411/BBA", "Mugisha"]
        assert [one["state"] for one in ledger] == ["live", "voided"]

    def test_of_an_unknown_list_is_refused(self, simulator: RunningSimulator) -> None:
        with pytest.raises(ValueError, match="NotSeedable"):
            simulator.control("POST", "seed", {"unicorns": []})


class TestEditing:
    @pytest.fixture(autouse=True)
    def _one_invoice(self, simulator: RunningSimulator) -> None:
        invoice = {"DocNumber": "MIS-1", "CustomerName": "Uwase", "Total": 100}
        simulator.control("POST", "seed", {"invoices": [invoice]})

    @pytest.mark.parametrize(
        ("change", "state"), [({"void": True}, "voided"), ({"delete": True}, "deleted")]
    )
    def test_voids_and_deletes(
        self, simulator: RunningSimulator, change: Thing, state: str
    ) -> None:
        edit(simulator, doc_number="MIS-1", change=change)

        assert simulator.ledger()[0]["state"] == state
        assert simulator.ledger("Customer")[0]["Balance"] == "0.00"

    def test_changes_amount_number_date_and_payment(self, simulator: RunningSimulator) -> None:
        edit(simulator, id="1", change={"total": "80.00", "TxnDate": "2026-02-02"})
        edit(simulator, id="1", change={"DocNumber": "MINE", "paid": 30})

        found = simulator.ledger()[0]
        assert (found["TotalAmt"], found["Balance"]) == ("80.00", "50.00")
        assert (found["TxnDate"], found["DocNumber"]) == ("2026-02-02", "MINE")
        assert found["SyncToken"] == "2"

    def test_deactivates_by_name(self, simulator: RunningSimulator) -> None:
        given = {"entity": "Customer", "name": "uwase", "change": {"Active": False}}

        simulator.control("POST", "edit", given)

        assert simulator.ledger("Customer")[0]["Name"] == "Uwase (deleted)"

    def test_of_nothing_is_refused(self, simulator: RunningSimulator) -> None:
        with pytest.raises(ValueError, match="NotSeedable"):
            edit(simulator, doc_number="none", change={"void": True})


class TestTheLog:
    def test_tells_each_request(self, simulator: RunningSimulator) -> None:
        simulator.control("POST", "seed", {"customers": [{"DisplayName": "Uwase"}]})
        simulator.send("POST", "invoice", invoice_body("1", number="MIS-1"), requestid="a")
        simulator.send("POST", "invoice", invoice_body("1", number="MIS-1"), requestid="b")
        simulator.send("GET", "invoice/1", token="x" * 40)

        created, refused, barred = simulator.log()[-3:]

        assert created["docnumbers"] == ["MIS-1"]
        assert created["committed"] == ["Invoice:1"]
        assert (created["requestid"], created["status"]) == ("a", 200)
        assert (refused["codes"], refused["committed"], refused["status"]) == (["6140"], [], 400)
        assert (barred["authorized"], barred["status"]) == (False, 401)
        assert "x" * 40 not in str(barred)

    def test_is_read_in_pages(self, simulator: RunningSimulator) -> None:
        for _ in range(5):
            simulator.send("GET", "preferences")
        last = simulator.log()[-1]["n"]

        tail = simulator.log(after=last - 2)
        page = simulator.call("GET", "/_simulator/log?after=0&limit=2").body.splitlines()

        assert [one["n"] for one in tail] == [last - 1, last]
        assert len(page) == 2


class TestState:
    def test_counts_and_shows_everything(self, simulator: RunningSimulator) -> None:
        simulator.send("GET", "preferences")

        state = simulator.control("GET", "state")

        company = state["realms"][simulator.realm_id]
        assert company["counts"]["Item"] == {"all": 1, "live": 1}
        assert company["meters"]["most_in_1_s"] == 1
        assert state["knobs"]["index_lag_s"] == [0, 0]
        assert company["company_name"] == "Demo University (simulator)"

    def test_goes_back_to_the_first_day(self, simulator: RunningSimulator) -> None:
        simulator.create("Customer", {"DisplayName": "Uwase"})
        simulator.knob(money_scale=0)
        simulator.fault("html_502")

        simulator.reset()

        assert simulator.ledger("Customer") == []
        state = simulator.control("GET", "state")
        assert (state["faults"], state["knobs"]["money_scale"]) == ([], 2)
        assert state["knobs"]["throttles"] is False

    @pytest.mark.parametrize(
        "turned",
        [{"nonsense": 1}, {"missing_item": "x"}, {"gzip": 1}, {"index_lag_s": [5, 1]},
         {"phone_max": "x"}],
    )  # fmt: skip
    def test_refuses_a_knob_it_does_not_know(
        self, simulator: RunningSimulator, turned: Thing
    ) -> None:
        with pytest.raises(ValueError, match="NoSuchKnob"):
            simulator.knob(**turned)

    def test_has_no_other_address(self, simulator: RunningSimulator) -> None:
        assert simulator.call("GET", "/_simulator/nonsense").status == 404
        assert simulator.call("GET", "/nonsense").status == 404


def refused(simulator: RunningSimulator) -> bool:
    try:
        simulator.call("GET", "/_simulator/state")
    except ConnectionRefusedError:
        return True
    except ConnectionError:
        return False  # it is closing
    return False


class TestTrouble:
    def test_of_one_label_is_ended_alone(self, simulator: RunningSimulator) -> None:
        simulator.fault("throttle_429", label="limit", seconds=100)
        simulator.fault("html_503", label="down", seconds=100)

        simulator.control("DELETE", "faults?label=limit")

        assert [one["label"] for one in simulator.control("GET", "faults")] == ["down"]

    def test_is_not_listed_once_its_time_is_over(self, simulator: RunningSimulator) -> None:
        simulator.fault("throttle_429", seconds=100)
        simulator.control("POST", "clock", {"advance_s": 101})

        assert simulator.control("GET", "faults") == []

    def test_may_close_the_company_s_port_and_leaves_the_other(
        self, simulator: RunningSimulator
    ) -> None:
        simulator.fault("not_listening", label="down")
        until(lambda: refused(simulator))

        listed = simulator.call("GET", "/_simulator/faults", port=simulator.control_port)
        elsewhere = simulator.call("GET", "/v3/company/1", port=simulator.control_port)
        simulator.call("DELETE", "/_simulator/faults?label=down", port=simulator.control_port)
        until(lambda: not refused(simulator))

        assert [one["kind"] for one in listed.json] == ["not_listening"]
        assert elsewhere.status == 404
        assert simulator.send("GET", "query", query="select * from Invoice").status == 200


class TestTheNewestInvoices:
    def test_are_the_live_ones_newest_first(self, simulator: RunningSimulator) -> None:
        invoices: list[Thing] = [
            {"DocNumber": f"MIS-{number}", "CustomerName": "Uwase", "Total": 5}
            for number in (1, 2, 3)
        ]
        invoices.append({"DocNumber": "MIS-4", "CustomerName": "Uwase", "deleted": True})
        simulator.control("POST", "seed", {"invoices": invoices})

        newest = simulator.control("GET", "ledger?newest=2")

        assert [one["DocNumber"] for one in newest] == ["MIS-3", "MIS-2"]


class TestAViolation:
    def test_56_is_noted_for_what_a_good_client_never_sends(
        self, simulator: RunningSimulator
    ) -> None:
        simulator.control("POST", "seed", {"customers": [{"DisplayName": "Uwase"}]})
        body = invoice_body("1", number="MIS-1")
        del body["TxnDate"]
        body["CustomerRef"] = {"value": 1}

        simulator.send("POST", "invoice", body, minorversion="")

        assert simulator.violations() == {
            "no_requestid": 1,
            "no_txn_date": 1,
            "numeric_id": 1,
            "minorversion": 1,
        }
        entries = simulator.control("GET", "violations")["last"]
        assert {entry["n"] for entry in entries} == {simulator.log()[-1]["n"]}

    def test_is_not_noted_for_a_good_client(self, simulator: RunningSimulator) -> None:
        simulator.control("POST", "seed", {"customers": [{"DisplayName": "Uwase"}]})

        simulator.send("POST", "invoice", invoice_body("1", number="MIS-1"), requestid="a")
        simulator.query("select * from Invoice")

        assert simulator.violations() == {}


class TestTheReferencePage:
    def test_names_every_knob_and_every_fault(self) -> None:
        page = (ROOT / "docs/reference/simulator.md").read_text()

        unnamed = [name for name in (*Knobs().shown(), *COMMITS) if f"`{name}`" not in page]

        assert unnamed == []
