"""What a look-up proves, bundles by bId, and rubbish that must stay unknown."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.invoices.model import Document, Kind
from application.invoices.outcomes import Ok, Passing, Refused, Unknown
from application.quickbooks import answers, shapes, wire
from application.quickbooks.answers import Answer
from tests.core.test_wire_answers import sample

INVOICE = json.loads(sample("200_invoice.json").body, parse_float=Decimal)["Invoice"]


def answer(body: object, *, status: int = 200, content_type: str = "application/json") -> Answer:
    text = body if isinstance(body, str | bytes) else json.dumps(body, default=str)
    return Answer(status, content_type, text.encode() if isinstance(text, str) else text)


def page(entity: str, *rows: object, **more: object) -> Answer:
    return answer({"QueryResponse": {entity: list(rows), **more}})


def invoice(**changes: object) -> dict[str, object]:
    plain = {**INVOICE, "TotalAmt": 100, "Balance": 100, **changes}
    return {name: value for name, value in plain.items() if value is not None}


class TestBundleAnswer:
    @pytest.mark.covers("A14")
    def test_is_matched_by_place(self) -> None:
        first, second, third, fourth, fifth, sixth = wire.judge_bundle(
            sample("200_bundle.json"), places=6, kind=Kind.INVOICE
        )

        assert isinstance(first, Ok)
        assert isinstance(second, Ok)
        assert (first.found.quickbooks_id, second.found.quickbooks_id) == ("266", "268")
        assert isinstance(third, Unknown)
        assert (third.look_now, third.txn_id) == (True, "6575")
        assert isinstance(fourth, Unknown)
        assert fourth.why == "stale_object"
        assert isinstance(fifth, Refused)
        assert fifth.passing is Passing.PAUSE
        assert sixth == Unknown(why="missing_place", intuit_tid="1-tid")

    @pytest.mark.covers("A13")
    @pytest.mark.parametrize(
        ("items", "why"),
        [
            ([{"bId": "i00"}, {"bId": "i00"}], "doubled_place"),
            ([{"bId": "i0"}], "missing_place"),
            ([{"bId": 0}], "missing_place"),
            (["i00"], "missing_place"),
            ("i00", "missing_place"),
            ([{"bId": "i00"}], "shape_Invoice"),
            ([{"bId": "i00", "Fault": {}, "Invoice": {}}], "fault_and_entity"),
            ([{"bId": "i00", "Fault": {}}], "unclassified"),
        ],
    )
    def test_that_does_not_fit_is_unknown(self, items: object, why: str) -> None:
        outcomes = wire.judge_bundle(
            answer({"BatchItemResponse": items}), places=1, kind=Kind.INVOICE
        )

        (outcome,) = outcomes
        assert isinstance(outcome, Unknown)
        assert outcome.why == why

    def test_refused_whole_counts_for_every_place(self) -> None:
        outcomes = wire.judge_bundle(sample("429_3001.xml"), places=30, kind=Kind.INVOICE)

        assert {type(outcome) for outcome in outcomes} == {Refused}
        assert len(outcomes) == 30


class TestDocuments:
    def test_are_read(self) -> None:
        found = wire.read_documents(sample("200_invoices.json"))

        assert isinstance(found, tuple)
        assert [each.doc_number for each in found] == ["MIS-1043", "MIS-1044"]

    def test_are_none_on_an_empty_page(self) -> None:
        assert wire.read_documents(sample("200_no_rows.json")) == ()

    @pytest.mark.covers("E4")
    @pytest.mark.parametrize(
        ("given_answer", "why"),
        [
            (page("Customer", {}), "no_query_answer"),
            (answer({}), "no_query_answer"),
            (answer({"QueryResponse": []}), "no_query_answer"),
            (page("Invoice", maxResults=1), "rows_missing"),
            (answer({"QueryResponse": {"Invoice": {}}}), "rows_missing"),
            (page("Invoice", *[{}] * 1000), "page_full"),
            (page("Invoice", {}), "shape_TotalAmt"),
            (answer("", status=502), "status_502"),
        ],
    )
    def test_are_unknown_when_the_page_is_not_whole(self, given_answer: Answer, why: str) -> None:
        found = wire.read_documents(given_answer)

        assert isinstance(found, Unknown)
        assert found.why == why


class TestDocument:
    def test_is_found_by_id(self) -> None:
        assert isinstance(wire.read_document(sample("200_invoice.json")), Document)

    @pytest.mark.parametrize("status", [200, 400, 404])
    def test_is_missing_when_quickbooks_says_610(self, status: int) -> None:
        body = sample("400_610.json").body.decode()

        assert wire.read_document(answer(body, status=status)) == wire.Missing()

    def test_is_missing_when_it_was_deleted(self) -> None:
        assert wire.read_document(sample("200_deleted_invoice.json")) == wire.Missing()

    def test_is_not_missing_because_a_page_was_not_found(self) -> None:
        assert isinstance(wire.read_document(sample("404_page.html")), Unknown)

    def test_is_refused_with_its_cause(self) -> None:
        assert isinstance(wire.read_document(sample("401_3200.json")), Refused)

    def test_of_another_shape_is_unknown(self) -> None:
        assert isinstance(wire.read_document(sample("200_customer.json")), Unknown)

    @pytest.mark.parametrize(
        "changes",
        [
            {"Id": 266},
            {"Id": "2" * 31},
            {"Id": "two"},
            {"DocNumber": "MIS-1", "Line": [], "CustomerRef": "1"},
            {"Id": "٢"},
            {"SyncToken": None},
            {"CustomerRef": None},
            {"CustomerRef": {"value": ""}},
            {"TotalAmt": "100.00"},
            {"TotalAmt": True},
            {"TotalAmt": None},
            {"TxnDate": "29.09.2020"},
            {"TxnDate": 20200929},
            {"TxnTaxDetail": {"TotalTax": "0"}},
        ],
    )
    def test_that_cannot_be_compared_is_unknown(self, changes: dict[str, object]) -> None:
        found = wire.read_document(answer({"Invoice": invoice(**changes)}))

        assert isinstance(found, Unknown)

    @pytest.mark.parametrize("total", ["1e999999999", "1e-999999999", "1e19", f"100.{'0' * 28}1"])
    def test_with_a_monstrous_total_is_unknown(self, total: str) -> None:
        body = json.dumps({"Invoice": invoice(TotalAmt=7_654_321)}, default=str).replace(
            "7654321", total
        )

        assert isinstance(wire.read_document(answer(body)), Unknown)

    @pytest.mark.parametrize(
        ("meta", "created_at"),
        [
            ({"CreateTime": "2026-01-01T00:00:00Z"}, datetime(2026, 1, 1, tzinfo=UTC)),
            ({"CreateTime": "2026-01-01T00:00:00"}, None),
            ({"CreateTime": "yesterday"}, None),
            ({"CreateTime": 5}, None),
            ("", None),
        ],
    )
    def test_tells_when_it_was_created(self, meta: object, created_at: datetime | None) -> None:
        found = wire.read_document(answer({"Invoice": invoice(MetaData=meta)}))

        assert isinstance(found, Document)
        assert found.created_at == created_at

    def test_without_tax_detail_has_no_tax(self) -> None:
        found = wire.read_document(answer({"Invoice": invoice(TxnTaxDetail=None, DocNumber=None)}))

        assert isinstance(found, Document)
        assert (found.total, found.doc_number) == (Decimal(100), None)


class TestLists:
    def test_of_parties_know_the_inactive(self) -> None:
        row = {"Id": "7", "SyncToken": "1", "DisplayName": "25/00411/BBA (deleted)"}

        found = wire.read_parties(page("Vendor", {**row, "Active": False}), kind="Vendor")

        assert isinstance(found, tuple)
        assert (found[0].active, found[0].kind) == (False, "Vendor")

    def test_of_parties_need_a_name(self) -> None:
        found = wire.read_parties(page("Customer", {"Id": "7", "SyncToken": "1"}), kind="Customer")

        assert found == Unknown(why="shape_DisplayName")

    def test_of_one_party_by_id(self) -> None:
        found = wire.read_party(sample("200_customer.json"))

        assert found.__class__.__name__ == "Party"

    def test_of_items_may_fill_a_page(self) -> None:
        row = {"Id": "3", "Name": "Tuition", "Active": True}

        found = wire.read_items(page("Item", *[row] * 1000))

        assert isinstance(found, tuple)
        assert found[0] == shapes.Item("3", "Tuition", active=True, kind="", income_account_id=None)

    def test_of_an_item_created(self) -> None:
        found = wire.judge_item(sample("200_item.json"))

        assert found == shapes.Item(
            "3", "Tuition", active=True, kind="Service", income_account_id="48"
        )

    def test_of_accounts(self) -> None:
        row = {"Id": "48", "Name": "Fees", "AccountType": "Income"}

        assert wire.read_accounts(page("Account", row)) == (
            shapes.Account("48", "Fees", active=True, kind="Income"),
        )


class TestCount:
    def test_is_read(self) -> None:
        assert wire.read_count(answer({"QueryResponse": {"totalCount": 6}})) == 6

    @pytest.mark.parametrize(
        "body", [{}, {"QueryResponse": {}}, {"QueryResponse": {"totalCount": True}}]
    )
    def test_that_is_no_number_is_unknown(self, body: object) -> None:
        assert wire.read_count(answer(body)) == Unknown(why="no_count")

    def test_is_refused_with_its_cause(self) -> None:
        assert isinstance(wire.read_count(sample("401_3200.json")), Refused)


class TestCompany:
    def test_is_read(self) -> None:
        assert wire.read_company(sample("200_company.json")) == shapes.Company(
            name="Kigali Sandbox University",
            legal_name="Kigali Sandbox University",
            country="RW",
            status="SUBSCRIBED",
            plan="QuickBooks Online Plus",
        )

    def test_may_say_little(self) -> None:
        pairs = [1, {"Name": []}]

        found = wire.read_company(answer({"CompanyInfo": {"CompanyName": "U", "NameValue": pairs}}))

        assert found == shapes.Company("U", None, None, None, None)

    def test_has_no_pairs_at_all(self) -> None:
        found = wire.read_company(answer({"CompanyInfo": {"CompanyName": "U"}}))

        assert found == shapes.Company("U", None, None, None, None)

    def test_has_a_name(self) -> None:
        assert wire.read_company(answer({"CompanyInfo": {}})) == Unknown(why="shape_CompanyName")

    def test_is_refused_with_its_cause(self) -> None:
        assert isinstance(wire.read_company(sample("401_3200.json")), Refused)


class TestPreferences:
    def test_are_read(self) -> None:
        assert wire.read_preferences(sample("200_preferences.json")) == shapes.Preferences(
            custom_numbers=True,
            books_closed_until=date(2018, 12, 31),
            uses_tax=False,
            multicurrency=True,
            home_currency="RWF",
            track_departments=True,
            class_per_txn=False,
            class_per_line=True,
        )

    def test_that_are_absent_are_off(self) -> None:
        found = wire.read_preferences(answer({"Preferences": {}}))

        assert isinstance(found, shapes.Preferences)
        assert (found.custom_numbers, found.home_currency) == (False, None)


class TestParser:
    @pytest.mark.covers("E4", "E5")
    @pytest.mark.parametrize(
        ("body", "why"),
        [
            ('{"Invoice":NaN}', "json"),
            ('{"Invoice":-Infinity}', "json"),
            ('{"a":1,"a":1}', "doubled_key"),
            ('{"a":{"b":1,"b":2}}', "doubled_key"),
            ("[]", "json"),
            ("{", "json"),
            ("", "json"),
            ('{"a":' + "9" * 5000 + "}", "json"),
            ('{"a":"\\ud800"}', "encoding"),
            ('{"\\udfff":1}', "encoding"),
            (b'{"a":"\xff"}', "encoding"),
            (b"\xff\xfe{\x00}\x00", "encoding"),
            ('{"a":' + "[" * 64 + "]" * 64 + "}", "depth"),
            ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "json"),
            (b" " * (answers.BODY_BYTES_MAX + 1), "size"),
            ('{"a":[' + "1," * (answers.VALUES_MAX - 2) + "1]}", "size"),
            ('{"a":[' + "[]," * (answers.VALUES_MAX // 2) + "1]}", "size"),
            ('{"a":[' + "{}," * (answers.VALUES_MAX // 2) + "1]}", "size"),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_refuses(self, body: str | bytes, why: str) -> None:
        outcome = wire.judge(answer(body), kind=Kind.INVOICE)

        assert outcome == Unknown(why=why)

    def test_wants_json_to_be_called_json(self) -> None:
        body = sample("200_invoice.json").body

        outcome = wire.judge(answer(body, content_type="text/html"), kind=Kind.INVOICE)

        assert outcome == Unknown(why="type")

    def test_keeps_every_digit(self) -> None:
        body = json.dumps({"Invoice": invoice(TotalAmt=7_654_321)}, default=str).replace(
            "7654321", "9007199254740993.01"
        )

        found = wire.read_document(answer(body))

        assert isinstance(found, Document)
        assert found.total == Decimal("9007199254740993.01")

    @pytest.mark.covers("E5", "E17")
    def test_tolerates_fields_nobody_knows(self) -> None:
        outcome = wire.judge(answer({"Invoice": invoice(Novelty={"x": [1]})}), kind=Kind.INVOICE)

        assert isinstance(outcome, Ok)

    def test_accepts_64_levels(self) -> None:
        body = '{"Invoice":' + "[" * 62 + "]" * 62 + "}"

        assert wire.judge(answer(body), kind=Kind.INVOICE) == Unknown(why="shape_Invoice")


JUDGES: list[Callable[[Answer], object]] = [
    lambda each: wire.judge(each, kind=Kind.INVOICE),
    lambda each: wire.judge_bundle(each, places=1, kind=Kind.INVOICE)[0],
    wire.read_documents,
    wire.read_document,
    wire.read_preferences,
]
# 413 and 429 are refusals by themselves, and 401 is one with a challenge; the rest needs a fault.
STATUSES = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 409, 500, 502, 503, 504])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class TestRubbish:
    @pytest.mark.covers("E4")
    @settings(max_examples=300, deadline=None)
    @given(status=STATUSES, body=st.binary() | JSON.map(lambda tree: json.dumps(tree).encode()))
    def test_is_never_judged_refused(self, status: int, body: bytes) -> None:
        for judge in JUDGES:
            assert not isinstance(judge(answer(body, status=status)), Refused)

    @settings(max_examples=200, deadline=None)
    @given(cut=st.integers(0, 400), name=st.sampled_from(["400_6140.json", "400_2500_item.json"]))
    def test_cut_from_a_real_refusal_is_never_refused(self, cut: int, name: str) -> None:
        body = sample(name).body.strip()[:-1][:cut]

        for judge in JUDGES:
            assert not isinstance(judge(answer(body, status=400)), Refused)

    @settings(max_examples=200, deadline=None)
    @given(code=st.text() | st.integers(), text=st.text(), tree=JSON)
    def test_inside_a_fault_raises_no_exception(
        self, code: object, text: str, tree: object
    ) -> None:
        body = {"Fault": {"Error": [{"code": code, "Message": text, "Detail": tree}, tree]}}

        for judge in JUDGES:
            judge(answer(json.dumps(body), status=400))
