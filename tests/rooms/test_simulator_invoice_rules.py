"""Tax, currency, tracking, closed books, voids of invoices: checklist 37 to 41, 45, 46, 48."""

from collections.abc import Iterator
from decimal import Decimal

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


class TestTax:
    @pytest.fixture
    def taxed(self, simulator: RunningSimulator) -> RunningSimulator:
        simulator.control("POST", "preferences", {"TaxPrefs": {"UsingSalesTax": True}})
        rates = [{"TaxRateRef": {"value": "1"}}]
        simulator.control(
            "POST",
            "seed",
            {
                "tax_rates": [{"Name": "VAT 18%", "RateValue": 18}],
                "tax_codes": [{"Name": "18%", "SalesTaxRateList": {"TaxRateDetail": rates}}],
            },
        )
        return simulator

    def test_37_needs_a_code_on_each_line(self, taxed: RunningSimulator) -> None:
        code, detail, _ = refused(post(taxed))

        assert code == "6000"
        assert "have a VAT rate before you save" in detail

    def test_37_is_added_to_the_net(self, taxed: RunningSimulator) -> None:
        whole = created(taxed, Line=[line(100, TaxCodeRef={"value": "1"})])

        assert whole["TxnTaxDetail"]["TotalTax"] == Decimal("18.00")
        assert whole["TotalAmt"] == Decimal("118.00")

    def test_37_may_be_inside_the_amount(self, taxed: RunningSimulator) -> None:
        whole = created(
            taxed,
            Line=[line(118, TaxCodeRef={"value": "1"})],
            GlobalTaxCalculation="TaxInclusive",
        )

        assert whole["TxnTaxDetail"]["TotalTax"] == Decimal("18.00")
        assert whole["TotalAmt"] == Decimal("118.00")

    def test_37_is_not_both_absent_and_given(self, taxed: RunningSimulator) -> None:
        answer = post(
            taxed,
            Line=[line(100, TaxCodeRef={"value": "1"})],
            GlobalTaxCalculation="NotApplicable",
            TxnTaxDetail={"TotalTax": 5},
        )

        assert refused(answer)[0] == "6170"

    def test_37_in_america_is_tax_or_non(self, taxed: RunningSimulator) -> None:
        taxed.control("POST", "company", {"Country": "US"})

        assert refused(post(taxed, Line=[line(1, TaxCodeRef={"value": "1"})]))[0] == "6100"
        whole = created(taxed, Line=[line(1, TaxCodeRef={"value": "TAX"})])
        assert whole["Line"][0]["SalesItemLineDetail"]["TaxCodeRef"] == {"value": "TAX"}

    def test_35_off_in_america_still_shows_non(self, simulator: RunningSimulator) -> None:
        simulator.control("POST", "company", {"Country": "US"})

        detail = created(simulator)["Line"][0]["SalesItemLineDetail"]

        assert detail["TaxCodeRef"] == {"value": "NON"}


class TestACurrency:
    @pytest.mark.parametrize("mode", ["6000", "2220"])
    def test_q27_that_is_not_ours_is_refused(self, simulator: RunningSimulator, mode: str) -> None:
        simulator.knob(currency_fault=mode)

        assert refused(post(simulator, CurrencyRef={"value": "USD"}))[0] == mode
        assert post(simulator, CurrencyRef={"value": "RWF"}).status == 200

    def test_38_is_the_customers_where_there_are_several(self, simulator: RunningSimulator) -> None:
        simulator.control("POST", "preferences", {"CurrencyPrefs": {"MultiCurrencyEnabled": True}})
        dollars = {"DisplayName": "Uwase", "CurrencyRef": {"value": "USD"}}
        customer = simulator.create("Customer", dollars)["Id"]

        whole = created(simulator, CustomerRef={"value": customer}, ExchangeRate=1400)
        wrong = post(
            simulator,
            CustomerRef={"value": customer},
            CurrencyRef={"value": "RWF"},
            DocNumber="MIS-2",
        )

        assert whole["CurrencyRef"]["value"] == "USD"
        assert whole["HomeTotalAmt"] == Decimal("210000000.00")
        assert "currency of the transaction is invalid" in refused(wrong)[1]

    def test_38_of_a_customer_never_changes(self, simulator: RunningSimulator) -> None:
        simulator.control("POST", "preferences", {"CurrencyPrefs": {"MultiCurrencyEnabled": True}})
        body = {"Id": "1", "SyncToken": "0", "sparse": True, "CurrencyRef": {"value": "USD"}}

        assert refused(simulator.send("POST", "customer", body))[0] == "6000"


class TestTracking:
    @pytest.mark.parametrize("mode", ["ignore", "5020", "6000"])
    def test_39_q11_while_off_follows_the_knob(
        self, simulator: RunningSimulator, mode: str
    ) -> None:
        simulator.knob(tracking_off=mode)

        answer = post(simulator, DepartmentRef={"value": "1"})

        assert simulator.violations()["tracking_off"] == 1
        if mode == "ignore":
            assert "DepartmentRef" not in answer.json["Invoice"]
        else:
            assert answer.code == mode

    def test_39_while_on_keeps_locations_and_19_digit_classes(
        self, simulator: RunningSimulator
    ) -> None:
        prefs = {"TrackDepartments": True, "ClassTrackingPerTxnLine": True}
        simulator.control("POST", "preferences", {"AccountingInfoPrefs": prefs})
        simulator.create("Department", {"Name": "Kigali"})
        klass = simulator.create("Class", {"Name": "Evening"})["Id"]

        whole = created(
            simulator,
            DepartmentRef={"value": "1"},
            Line=[line(5, ClassRef={"value": klass})],
        )

        assert len(klass) == 19
        assert whole["DepartmentRef"] == {"value": "1", "name": "Kigali"}
        assert whole["Line"][0]["SalesItemLineDetail"]["ClassRef"]["value"] == klass
        unknown = post(simulator, DepartmentRef={"value": "9"}, DocNumber="MIS-2")
        assert "Depts element id 9 not found" in refused(unknown)[1]


class TestClosedBooks:
    def test_40_refuse_every_write_in_the_period(self, simulator: RunningSimulator) -> None:
        created(simulator)
        simulator.knob(book_close_date="2026-01-31")
        token = {"Id": "1", "SyncToken": "0"}

        answers = [
            post(simulator, DocNumber="MIS-2", TxnDate="2026-01-31"),
            change(simulator, **token, sparse=True, TxnDate="2026-02-01"),
            change(simulator, "void", **token),
            change(simulator, "delete", **token),
        ]

        assert [refused(answer)[0] for answer in answers] == ["6210"] * 4
        assert "through through the QBO Services API.  Please" in answers[0].detail
        assert post(simulator, DocNumber="MIS-2", TxnDate="2026-02-01").status == 200

    def test_41_of_a_suspended_company_are_read_only(self, simulator: RunningSimulator) -> None:
        simulator.knob(suspended=True)

        assert refused(post(simulator))[0] == "6190"
        assert simulator.query("select * from Item")["maxResults"] == 1
        company = simulator.send("GET", f"companyinfo/{simulator.realm_id}").json["CompanyInfo"]
        assert {"Name": "SubscriptionStatus", "Value": "SUSPENDED"} in company["NameValue"]


class TestVoidAndDelete:
    def test_46_a_void_keeps_the_document(self, simulator: RunningSimulator) -> None:
        created(simulator, PrivateNote="first instalment")

        whole = change(simulator, "void", Id="1", SyncToken="0").json["Invoice"]

        assert (whole["SyncToken"], whole["TotalAmt"], whole["Balance"]) == ("1", 0, 0)
        assert whole["PrivateNote"].startswith("Voided")
        assert "first instalment" in whole["PrivateNote"]
        assert (whole["DocNumber"], whole["TxnDate"]) == ("MIS-1", "2026-01-15")
        assert {one["Amount"] for one in whole["Line"]} == {0}
        assert simulator.query("select * from Invoice")["maxResults"] == 1

    def test_45_a_delete_leaves_a_stub(self, simulator: RunningSimulator) -> None:
        created(simulator)

        answer = change(simulator, "delete", Id="1", SyncToken="0")

        assert answer.json["Invoice"] == {"domain": "QBO", "status": "Deleted", "Id": "1"}
        assert simulator.send("GET", "invoice/1").code == "610"
        assert simulator.query("select * from Invoice") == {}
        assert refused(change(simulator, "delete", Id="1", SyncToken="0"))[0] == "610"
        assert simulator.ledger()[0]["state"] == "deleted"

    @pytest.mark.parametrize("mode", ["6000", "620", "800"])
    def test_q9_a_paid_one_stays(self, simulator: RunningSimulator, mode: str) -> None:
        simulator.knob(delete_paid=mode)
        created(simulator)
        simulator.control("POST", "edit", {"entity": "Invoice", "id": "1", "change": {"paid": 100}})

        assert refused(change(simulator, "delete", Id="1", SyncToken="1"))[0] == mode

    def test_48_move_the_balance_of_the_customer_and_not_its_token(
        self, simulator: RunningSimulator
    ) -> None:
        created(simulator)
        owing = simulator.send("GET", "customer/1").json["Customer"]
        change(simulator, "delete", Id="1", SyncToken="0")
        free = simulator.send("GET", "customer/1").json["Customer"]

        assert (owing["Balance"], owing["SyncToken"]) == (150_000, "0")
        assert (free["Balance"], free["SyncToken"]) == (0, "0")

    def test_q17_an_unknown_id_may_be_a_404(self, simulator: RunningSimulator) -> None:
        assert (simulator.send("GET", "invoice/9").status) == 400
        simulator.knob(unknown_id="404")
        assert (simulator.send("GET", "invoice/9").status) == 404

    def test_sending_and_printing_work(self, simulator: RunningSimulator) -> None:
        created(simulator)

        sent = simulator.send(
            "POST",
            "invoice/1/send",
            b"",
            content_type="application/octet-stream",
            sendTo="uwase@example.com",
        )

        assert sent.json["Invoice"]["EmailStatus"] == "EmailSent"
        assert simulator.send("GET", "invoice/1/pdf").body.startswith(b"%PDF")
