"""Invoices: checklist 26 to 36."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

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


def post(simulator: RunningSimulator, **change: object) -> Answer:
    body = {**invoice_body("1", number="MIS-1"), **change}
    return simulator.send(
        "POST", "invoice", {name: value for name, value in body.items() if value is not None}
    )


def created(simulator: RunningSimulator, **change: object) -> Thing:
    answer = post(simulator, **change)
    assert answer.status == 200, answer.body
    whole: Thing = answer.json["Invoice"]
    return whole


def line(amount: object = 100, **detail: object) -> Thing:
    return {
        "Amount": amount,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": "1"}, **detail},
    }


def refused(answer: Answer) -> tuple[str, str, str]:
    error = answer.json["Fault"]["Error"][0]
    assert answer.status == 400
    return error["code"], error["Detail"], error.get("element", "absent")


def change(simulator: RunningSimulator, operation: str = "", **body: object) -> Answer:
    options = {"operation": operation} if operation else {}
    return simulator.send("POST", "invoice", body, **options)


class TestANewInvoice:
    def test_26_35_carries_what_the_server_adds(self, simulator: RunningSimulator) -> None:
        whole = created(simulator)

        assert (whole["Id"], whole["SyncToken"], whole["sparse"]) == ("1", "0", False)
        assert whole["Line"][-1] == {
            "Amount": Decimal("150000.00"),
            "DetailType": "SubTotalLineDetail",
            "SubTotalLineDetail": {},
        }
        assert (whole["Line"][0]["Id"], whole["Line"][0]["LineNum"]) == ("1", 1)
        assert whole["LinkedTxn"] == []
        assert whole["TxnTaxDetail"] == {"TotalTax": 0}
        assert whole["CurrencyRef"] == {"value": "RWF", "name": "Rwandan Franc"}
        assert (whole["PrintStatus"], whole["EmailStatus"]) == ("NeedToPrint", "NotSet")
        assert whole["DueDate"] == "2026-02-14"
        assert whole["CustomerRef"] == {"value": "1", "name": "25/00411/BBA"}
        assert whole["TotalAmt"] == whole["Balance"] == Decimal("150000.00")

    def test_35_copies_the_address_of_its_customer(self, simulator: RunningSimulator) -> None:
        address = {"Line1": "KG 9 Avenue", "City": "Kigali"}
        customer = simulator.create("Customer", {"DisplayName": "Uwase", "BillAddr": address})

        whole = created(simulator, CustomerRef={"value": customer["Id"]})

        assert whole["BillAddr"]["Line1"] == "KG 9 Avenue"

    def test_35_takes_its_due_date_from_its_terms(self, simulator: RunningSimulator) -> None:
        simulator.create("Term", {"Name": "Net 10", "DueDays": 10})

        assert created(simulator, SalesTermRef={"value": "2"})["DueDate"] == "2026-01-25"

    def test_36_is_dated_by_the_pacific_clock(self, simulator: RunningSimulator) -> None:
        pacific = ZoneInfo("America/Los_Angeles")
        before = datetime.now(pacific).date().isoformat()  # noqa: TID251  # the server's own date

        dated = created(simulator, TxnDate=None)["TxnDate"]

        after = datetime.now(pacific).date().isoformat()  # noqa: TID251  # as above
        assert dated in {before, after}
        assert simulator.violations()["no_txn_date"] == 1

    def test_29_computes_what_it_computes(self, simulator: RunningSimulator) -> None:
        whole = created(simulator, TotalAmt=1, Balance=2, HomeTotalAmt=3)

        assert (whole["TotalAmt"], whole["Balance"]) == (150_000, 150_000)

    @pytest.mark.parametrize(
        ("given", "element"),
        [
            ({"CustomerRef": None}, "CustomerRef"),
            ({"Line": None}, "Line"),
            ({"Line": []}, "Line"),
            ({"Line": [{"Amount": 1}]}, "Line.DetailType"),
            (
                {"Line": [{"Amount": 1, "DetailType": "SalesItemLineDetail"}]},
                "Line.SalesItemLineDetail",
            ),
            ({"Line": [line(None)]}, "Line.Amount"),
        ],
    )
    def test_30_needs_its_required_parts(
        self, simulator: RunningSimulator, given: Thing, element: str
    ) -> None:
        assert refused(post(simulator, **given)) == (
            "2020",
            f"Required parameter {element} is missing in the request",
            element,
        )

    def test_30_needs_a_known_detail_type(self, simulator: RunningSimulator) -> None:
        assert refused(post(simulator, Line=[{"Amount": 1, "DetailType": "Odd"}]))[0] == "2170"

    def test_q7_needs_an_item_unless_the_knob_says_otherwise(
        self, simulator: RunningSimulator
    ) -> None:
        bare = [{"Amount": 5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {}}]
        bare[0]["SalesItemLineDetail"] = {"ServiceDate": "2026-01-15"}

        assert refused(post(simulator, Line=bare))[2] == "Line.SalesItemLineDetail.ItemRef"
        simulator.knob(missing_item="default")
        assert created(simulator, Line=bare)["TotalAmt"] == 5
        simulator.knob(missing_item="ignore")
        assert created(simulator, Line=bare, DocNumber="MIS-2")["TotalAmt"] == 0
        assert simulator.violations()["missing_item"] == 3


class TestAReference:
    def test_31_to_nobody_is_refused(self, simulator: RunningSimulator) -> None:
        code, detail, _ = refused(post(simulator, CustomerRef={"value": "75"}))

        assert (code, detail) == ("2500", "Invalid Reference Id : Names element id 75 not found")

    def test_31_to_no_item_names_its_element(self, simulator: RunningSimulator) -> None:
        element = "Line.SalesItemLineDetail.ItemRef"

        given = line(ItemRef={"value": "99"})

        assert refused(post(simulator, Line=[given])) == (
            "2500",
            f"Invalid Reference Id : {element}",
            element,
        )

    @pytest.mark.parametrize(("mode", "code"), [("2500", "2500"), ("610", "610"), ("6250", "6250")])
    def test_31_to_something_inactive_follows_the_knob(
        self, simulator: RunningSimulator, mode: str, code: str
    ) -> None:
        simulator.knob(inactive_reference=mode)
        simulator.control("POST", "seed", {"customers": [{"DisplayName": "Old", "Active": False}]})

        assert refused(post(simulator, CustomerRef={"value": "2"}))[0] == code


class TestAnAmount:
    def test_32_is_quantity_times_price_half_up(self, simulator: RunningSimulator) -> None:
        good = line("1861.08", Qty="14.50", UnitPrice="128.35")
        bad = line("1861.07", Qty="14.50", UnitPrice="128.35")

        assert created(simulator, Line=[good])["TotalAmt"] == Decimal("1861.08")
        code, detail, _ = refused(post(simulator, Line=[bad], DocNumber="MIS-2"))
        assert code == "6070"
        assert detail == "Amount is not equal to UnitPrice * Qty. Supplied value:1,861.07"

    def test_32_below_zero_in_total_is_refused(self, simulator: RunningSimulator) -> None:
        code, detail, _ = refused(post(simulator, Line=[line(-5)]))

        assert code == "6000"
        assert "transaction amount that is 0 or greater" in detail

    def test_32_may_be_negative_on_a_line(self, simulator: RunningSimulator) -> None:
        assert created(simulator, Line=[line(100), line(-40)])["TotalAmt"] == 60

    def test_32_q23_is_kept_at_two_places_and_ten_digits(self, simulator: RunningSimulator) -> None:
        assert created(simulator, Line=[line("10.005")])["TotalAmt"] == Decimal("10.01")
        assert created(simulator, Line=[line(0)], DocNumber="MIS-2")["TotalAmt"] == 0
        assert refused(post(simulator, Line=[line(10**10)]))[0] == "2100"

    def test_q31_is_kept_at_other_places_by_knob(self, simulator: RunningSimulator) -> None:
        simulator.knob(money_scale=0)

        assert created(simulator, Line=[line("10.50")])["TotalAmt"] == 11

    def test_less_a_discount(self, simulator: RunningSimulator) -> None:
        discount = {
            "DetailType": "DiscountLineDetail",
            "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10},
        }

        assert created(simulator, Line=[line(200), discount])["TotalAmt"] == 180

    def test_q31_may_come_back_partly_paid(self, simulator: RunningSimulator) -> None:
        simulator.knob(auto_apply_credit=True)

        whole = created(simulator)

        assert whole["Balance"] == Decimal("75000.00")
        assert whole["LinkedTxn"][0]["TxnType"] == "CreditMemo"


class TestADocNumber:
    @pytest.mark.parametrize("mode", ["2050", "6000"])
    def test_33_has_at_most_21_characters(self, simulator: RunningSimulator, mode: str) -> None:
        simulator.knob(docnumber_length=mode)

        code, detail, _ = refused(post(simulator, DocNumber="x" * 22))

        assert code == mode
        assert "Max:21" in detail or "more than 21 characters in the doc_num field" in detail
        assert created(simulator, DocNumber="x" * 21)["DocNumber"] == "x" * 21

    def test_33_that_is_taken_names_its_holder(self, simulator: RunningSimulator) -> None:
        created(simulator)

        code, detail, _ = refused(post(simulator))

        assert code == "6140"
        assert detail.endswith("DocNumber=MIS-1 is assigned to TxnType=Invoice with TxnId=1")

    def test_33_may_be_taken_twice_when_nobody_minds(self, simulator: RunningSimulator) -> None:
        created(simulator)
        body = invoice_body("1", number="MIS-1")

        bypass = simulator.send("POST", "invoice", body, include="allowduplicatedocnum")
        simulator.knob(duplicate_warning=False)
        second = post(simulator)

        assert (bypass.status, second.status) == (200, 200)
        assert simulator.violations()["allowduplicatedocnum"] == 1
        assert simulator.violations()["two_live_documents"] == 2

    @pytest.mark.parametrize("txn_type", ["SalesReceipt", "Journal Entry"])
    def test_33_q8_may_be_held_by_another_type(
        self, simulator: RunningSimulator, txn_type: str
    ) -> None:
        held = {"DocNumber": "MIS-1", "TxnType": txn_type}
        simulator.control("POST", "seed", {"documents": [held]})
        simulator.knob(docnumber_scope="sales")

        code, detail, _ = refused(post(simulator))

        assert code == "6140"
        assert detail.endswith(f"DocNumber=MIS-1 is assigned to TxnType={txn_type} with TxnId=1")
        simulator.knob(docnumber_scope="type")
        assert post(simulator).status == 200

    def test_33_is_absent_or_automatic_when_not_sent(self, simulator: RunningSimulator) -> None:
        absent = created(simulator, DocNumber=None)
        simulator.control("POST", "preferences", {"SalesFormsPrefs": {"CustomTxnNumbers": False}})
        automatic = created(simulator, DocNumber=None)

        assert "DocNumber" not in absent
        assert automatic["DocNumber"] == "1001"
        assert created(simulator)["DocNumber"] == "MIS-1"

    def test_q22_is_not_minded_when_numbers_are_automatic(
        self, simulator: RunningSimulator
    ) -> None:
        simulator.control("POST", "preferences", {"SalesFormsPrefs": {"CustomTxnNumbers": False}})
        created(simulator)

        assert post(simulator).status == 200
        simulator.knob(docnumber_when_auto=True)
        assert refused(post(simulator))[0] == "6140"

    def test_q31_may_not_be_kept(self, simulator: RunningSimulator) -> None:
        simulator.knob(number_not_kept=True)

        assert created(simulator)["DocNumber"] == "1001"

    def test_46_stays_blocked_by_a_void_and_is_freed_by_a_delete(
        self, simulator: RunningSimulator
    ) -> None:
        created(simulator)
        change(simulator, "void", Id="1", SyncToken="0")

        assert refused(post(simulator))[0] == "6140"
        change(simulator, "delete", Id="1", SyncToken="1")
        assert post(simulator).status == 200


class TestALimit:
    @pytest.mark.parametrize(
        ("name", "value", "longest"),
        [
            ("PrivateNote", "x" * 4001, 4000),
            ("CustomerMemo", {"value": "x" * 1001}, 1000),
            ("Line", [{**line(), "Description": "x" * 4001}], 4000),
        ],
    )
    def test_34_on_a_text_names_lengths(
        self, simulator: RunningSimulator, name: str, value: object, longest: int
    ) -> None:
        code, detail, _ = refused(post(simulator, **{name: value}))

        assert code == "2050"
        assert detail.endswith(f"Min:0 Max:{longest} supported. Supplied length:{longest + 1}")


class TestAnUpdate:
    def test_27_28_changes_only_what_is_sent_when_sparse(self, simulator: RunningSimulator) -> None:
        before = created(simulator, PrivateNote="first")

        answer = change(simulator, Id="1", SyncToken="0", sparse=True, DueDate="2026-03-01")

        after = answer.json["Invoice"]
        assert (after["SyncToken"], after["DueDate"]) == ("1", "2026-03-01")
        for name in ("PrivateNote", "Line", "DocNumber", "TotalAmt", "TxnDate"):
            assert after[name] == before[name]
        assert after["sparse"] is False

    def test_28_nulls_optional_values_when_full(self, simulator: RunningSimulator) -> None:
        created(simulator, PrivateNote="first")
        body = {**invoice_body("1"), "Id": "1", "SyncToken": "0"}

        after = change(simulator, **body).json["Invoice"]

        assert "PrivateNote" not in after
        assert after["DocNumber"] == "MIS-1"
        assert simulator.violations()["full_update"] == 1

    def test_28_replaces_all_lines_and_numbers_new_ones(self, simulator: RunningSimulator) -> None:
        created(simulator, Line=[line(1), line(2)])

        after = change(simulator, Id="1", SyncToken="0", sparse=True, Line=[line(7)]).json
        kept = {**line(9), "Id": "3"}
        again = change(simulator, Id="1", SyncToken="1", sparse=True, Line=[kept, line(1)]).json

        assert [one.get("Id") for one in after["Invoice"]["Line"]] == ["3", None]
        assert [one.get("Id") for one in again["Invoice"]["Line"]] == ["3", "4", None]

    def test_26_needs_the_newest_token(self, simulator: RunningSimulator) -> None:
        created(simulator)
        change(simulator, Id="1", SyncToken="0", sparse=True, PrivateNote="a")

        old = refused(change(simulator, Id="1", SyncToken="0", sparse=True, PrivateNote="b"))
        new = refused(change(simulator, Id="1", SyncToken="9", sparse=True, PrivateNote="b"))
        none = refused(change(simulator, Id="1", sparse=True, PrivateNote="b"))

        assert (old[0], new[0], none[0]) == ("5010", "5010", "2020")
        assert old[1].startswith("Stale Object Error : You and ")

    def test_26_that_changes_nothing_moves_no_token(self, simulator: RunningSimulator) -> None:
        before = created(simulator, PrivateNote="a")

        after = change(simulator, Id="1", SyncToken="0", sparse=True, PrivateNote="a").json

        assert after["Invoice"] == before

    def test_27_of_an_unknown_id_gets_610_or_2030(self, simulator: RunningSimulator) -> None:
        assert refused(change(simulator, Id="9", SyncToken="0", sparse=True))[0] == "610"
        code, detail, element = refused(change(simulator, Id="1.5", SyncToken="0"))
        assert (code, element) == ("2030", "Id")
        assert detail == "Id should be a valid number. Supplied value:1.5"
