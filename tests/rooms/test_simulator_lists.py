"""Customers, products and other lists: checklist 34, 42 to 44 and section 9."""

from collections.abc import Iterator

import pytest

from tests.rooms.simulator_support import Answer, RunningSimulator, Thing


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


def post(simulator: RunningSimulator, entity: str = "customer", **body: object) -> Answer:
    return simulator.send("POST", entity, body)


class TestACustomer:
    def test_comes_back_as_quickbooks_writes_it(self, simulator: RunningSimulator) -> None:
        whole = post(simulator, DisplayName="Uwase, Aline").json["Customer"]

        assert whole["FullyQualifiedName"] == whole["PrintOnCheckName"] == "Uwase, Aline"
        assert (whole["Active"], whole["Balance"], whole["SyncToken"]) == (True, 0, "0")
        assert whole["PreferredDeliveryMethod"] == "Print"

    def test_may_be_named_by_its_parts(self, simulator: RunningSimulator) -> None:
        whole = post(simulator, GivenName="Aline", FamilyName="Uwase").json["Customer"]

        assert whole["DisplayName"] == "Aline Uwase"

    def test_42_needs_a_name(self, simulator: RunningSimulator) -> None:
        assert post(simulator, Notes="nobody").code == "6080"

    @pytest.mark.parametrize("name", ["a:b", "a\tb", "a\nb"])
    def test_42_may_not_hold_a_colon_tab_or_newline(
        self, simulator: RunningSimulator, name: str
    ) -> None:
        assert post(simulator, DisplayName=name).code == "2040"

    @pytest.mark.parametrize("name", ["25/00411/BBA", "Ñandú Ünal", "学生", "O'Neil & Co."])
    def test_may_hold_slashes_and_other_scripts(
        self, simulator: RunningSimulator, name: str
    ) -> None:
        assert post(simulator, DisplayName=name).json["Customer"]["DisplayName"] == name

    def test_42_has_a_valid_address(self, simulator: RunningSimulator) -> None:
        bad = post(simulator, DisplayName="Uwase", PrimaryEmailAddr={"Address": "a@example"})
        web = post(simulator, DisplayName="Uwase", WebAddr={"URI": "example.com"})
        good = post(simulator, DisplayName="Uwase", PrimaryEmailAddr={"Address": "a@example.rw"})

        assert (bad.code, web.code, good.status) == ("2210", "2200", 200)
        assert bad.json["Fault"]["Error"][0]["element"] == "PrimaryEmailAddr"

    @pytest.mark.parametrize(
        ("name", "value", "longest"),
        [
            ("DisplayName", "x" * 501, 500),
            ("GivenName", "x" * 101, 100),
            ("PrintOnCheckName", "x" * 111, 110),
            ("PrimaryEmailAddr", {"Address": "x" * 90 + "@example.rw"}, 100),
            ("PrimaryPhone", {"FreeFormNumber": "1" * 31}, 30),
        ],
    )
    def test_34_has_lengths(
        self, simulator: RunningSimulator, name: str, value: object, longest: int
    ) -> None:
        answer = simulator.send("POST", "customer", {"DisplayName": "Uwase", name: value})

        assert answer.code == "2050"
        assert f"Max:{longest} supported. Supplied length:{longest + 1}" in answer.detail

    def test_34_may_have_phones_of_21_only(self, simulator: RunningSimulator) -> None:
        simulator.knob(phone_max=21)

        answer = post(simulator, DisplayName="U", PrimaryPhone={"FreeFormNumber": "1" * 22})

        assert answer.code == "2050"

    def test_may_stand_below_another_five_deep(self, simulator: RunningSimulator) -> None:
        simulator.create("Customer", {"DisplayName": "0"})
        for level in range(1, 5):
            body: Thing = {"DisplayName": f"{level}", "ParentRef": {"value": f"{level}"}}
            body["Job"] = True
            simulator.create("Customer", body)

        deepest = simulator.send("GET", "customer/5").json["Customer"]
        assert deepest["FullyQualifiedName"] == "0:1:2:3:4"
        assert post(simulator, DisplayName="5", ParentRef={"value": "5"}).code == "6180"


class TestAName:
    @pytest.mark.parametrize("holder", ["customer", "vendor", "employee"])
    @pytest.mark.parametrize("name", ["Uwase", "UWASE", " uwase "])
    def test_42_belongs_to_one_customer_vendor_or_employee(
        self, simulator: RunningSimulator, holder: str, name: str
    ) -> None:
        post(simulator, holder, DisplayName="Uwase")

        answer = post(simulator, DisplayName=name)

        assert (answer.status, answer.code) == (400, "6240")

    def test_42_is_refused_in_five_wordings_in_turn(self, simulator: RunningSimulator) -> None:
        post(simulator, DisplayName="Uwase")

        errors = [post(simulator, DisplayName="Uwase").json["Fault"]["Error"][0] for _ in range(5)]

        assert len({(error["Message"], error["Detail"]) for error in errors}) == 5
        assert sum("Id=1" in error["Detail"] for error in errors) == 2
        assert sum("element" not in error for error in errors) == 1
        assert any(error["Message"] == "Nom en double" for error in errors)

    def test_42_wording_can_be_chosen(self, simulator: RunningSimulator) -> None:
        post(simulator, DisplayName="Uwase")
        simulator.knob(duplicate_name_text="id")

        assert {post(simulator, DisplayName="Uwase").detail for _ in range(3)} == {
            "The name supplied already exists. : Id=1"
        }

    def test_43_is_free_again_when_its_holder_is_inactive(
        self, simulator: RunningSimulator
    ) -> None:
        post(simulator, DisplayName="Uwase")
        gone = post(simulator, Id="1", SyncToken="0", sparse=True, Active=False).json["Customer"]

        assert gone["DisplayName"] == gone["FullyQualifiedName"] == "Uwase (deleted)"
        assert gone["PrintOnCheckName"] == "Uwase"
        assert simulator.query("select * from Customer") == {}
        found = simulator.query("select * from Customer where Active in (true, false)")
        assert found["maxResults"] == 1
        assert simulator.send("GET", "customer/1").status == 200
        assert post(simulator, DisplayName="Uwase").status == 200

    def test_43_comes_back_with_its_holder(self, simulator: RunningSimulator) -> None:
        post(simulator, DisplayName="Uwase")
        post(simulator, Id="1", SyncToken="0", sparse=True, Active=False)

        back = post(simulator, Id="1", SyncToken="1", sparse=True, Active=True).json["Customer"]

        assert back["DisplayName"] == "Uwase"

    def test_43_of_a_merged_customer_is_dead(self, simulator: RunningSimulator) -> None:
        post(simulator, DisplayName="Uwase")
        post(simulator, DisplayName="Mugisha")
        edit = {"entity": "Customer", "id": "1", "change": {"merge_into": "2"}}
        simulator.control("POST", "edit", edit)

        answer = post(simulator, Id="1", SyncToken="1", sparse=True, Notes="x")

        assert answer.code == "6000"
        assert "modify a list element that has been deleted" in answer.detail

    def test_with_a_balance_stays_active(self, simulator: RunningSimulator) -> None:
        simulator.control("POST", "seed", {"invoices": [{"CustomerName": "Uwase", "Total": 5}]})

        assert post(simulator, Id="1", SyncToken="0", sparse=True, Active=False).code == "6220"

    def test_26_stays_when_nothing_changes(self, simulator: RunningSimulator) -> None:
        before = post(simulator, DisplayName="Uwase").json["Customer"]

        after = post(simulator, Id="1", SyncToken="0", sparse=True, DisplayName="Uwase").json

        assert after["Customer"] == before

    def test_28_survives_a_full_update(self, simulator: RunningSimulator) -> None:
        post(simulator, DisplayName="Uwase", Notes="x", PreferredDeliveryMethod="Email")

        after = post(simulator, Id="1", SyncToken="0", GivenName="Aline").json["Customer"]

        assert (after["DisplayName"], after["PreferredDeliveryMethod"]) == ("Uwase", "Email")
        assert "Notes" not in after


class TestALists:
    def test_44_entry_cannot_be_deleted(self, simulator: RunningSimulator) -> None:
        post(simulator, DisplayName="Uwase")

        for entity in ("customer", "item", "account", "term"):
            body = {"Id": "1", "SyncToken": "0"}
            answer = simulator.send("POST", entity, body, operation="delete")
            assert (answer.status, answer.code) == (400, "500")

    def test_item_needs_a_name_and_an_income_account(self, simulator: RunningSimulator) -> None:
        account = {"value": "1"}

        good = post(simulator, "item", Name="Tuition", Type="Service", IncomeAccountRef=account)
        twice = post(simulator, "item", Name="tuition", Type="Service", IncomeAccountRef=account)
        wrong = post(simulator, "item", Name="Exam", IncomeAccountRef={"value": "4"})

        assert good.json["Item"]["IncomeAccountRef"]["name"] == "Tuition Income"
        assert twice.code == "6240"
        assert "different type of account" in wrong.detail
        assert post(simulator, "item", Name="Exam").code == "2020"
        assert post(simulator, "item", IncomeAccountRef=account).code == "2020"
        assert post(simulator, "item", Name="x" * 101, IncomeAccountRef=account).code == "2050"

    def test_inventory_item_needs_an_asset_account(self, simulator: RunningSimulator) -> None:
        answer = post(
            simulator, "item", Name="Book", Type="Inventory", IncomeAccountRef={"value": "1"}
        )

        assert answer.code == "2020"
        assert "inventory assetaccount is required" in answer.detail

    def test_account_needs_a_type(self, simulator: RunningSimulator) -> None:
        good = post(simulator, "account", Name="Exam fees", AccountType="Income").json["Account"]
        by_subtype = post(simulator, "account", Name="Till", AccountSubType="Checking")

        assert (good["Classification"], good["AccountSubType"]) == ("Revenue", "ServiceFeeIncome")
        assert by_subtype.json["Account"]["AccountType"] == "Bank"
        assert post(simulator, "account", Name="Odd").code == "6010"
        assert post(simulator, "account", Name="Odd", AccountType="Odd").code == "2170"

    def test_other_entries_are_made_and_found(self, simulator: RunningSimulator) -> None:
        simulator.create("Department", {"Name": "Kigali"})
        simulator.create("Department", {"Name": "Musanze", "ParentRef": {"value": "1"}})
        simulator.create("Class", {"Name": "Evening"})
        simulator.create("Vendor", {"DisplayName": "Printer Ltd"})
        simulator.create("Employee", {"GivenName": "Jean", "FamilyName": "Mugisha"})

        department = simulator.query("select * from Department where Name = 'Musanze'")
        assert department["Department"][0]["FullyQualifiedName"] == "Kigali:Musanze"
        for entity in ("Class", "Vendor", "Employee"):
            assert simulator.query("select * from " + entity)["maxResults"] == 1  # noqa: S608  # the simulator's own language

    def test_tax_codes_are_read_only(self, simulator: RunningSimulator) -> None:
        assert post(simulator, "taxcode", Name="18%").code == "500"
