"""What leaves us: bodies, bundles, queries."""

import json
from datetime import date
from decimal import Decimal, Inexact

import pytest

from application.invoices.model import CustomerDraft, Draft, Kind
from application.quickbooks import wire


def draft(*, amount: str = "150000.00", note: str | None = "first instalment") -> Draft:
    return Draft(
        doc_number="MIS-12345",
        customer_id="58",
        customer_name="25/00411/BBA",
        item_id="12",
        item_name="Tuition",
        amount=Decimal(amount),
        dated=date(2026, 1, 15),
        description="Tuition fee",
        note=note,
    )


class TestInvoiceBytes:
    def test_are_the_guide_s_mapping(self) -> None:
        assert wire.invoice_bytes(draft()) == (
            b'{"DocNumber":"MIS-12345","TxnDate":"2026-01-15",'
            b'"CustomerRef":{"value":"58","name":"25/00411/BBA"},'
            b'"PrivateNote":"first instalment","Line":[{"Amount":150000.00,'
            b'"Description":"Tuition fee","DetailType":"SalesItemLineDetail",'
            b'"SalesItemLineDetail":{"ItemRef":{"value":"12"}}}]}'
        )

    def test_leave_a_blank_note_out(self) -> None:
        assert b"PrivateNote" not in wire.invoice_bytes(draft(note=None))

    @pytest.mark.parametrize("amount", ["0.10", "16777217.00", "9999999999.99", "1E+5", "5"])
    def test_carry_the_amount_to_the_cent(self, amount: str) -> None:
        body = json.loads(wire.invoice_bytes(draft(amount=amount)), parse_float=Decimal)

        assert body["Line"][0]["Amount"] == Decimal(amount)
        assert body["Line"][0]["Amount"].as_tuple().exponent == -2

    def test_refuse_to_round(self) -> None:
        with pytest.raises(Inexact):
            wire.invoice_bytes(draft(amount="0.005"))


class TestCustomerBytes:
    def test_carry_what_the_draft_has(self) -> None:
        whole = CustomerDraft(
            display_name="25/00411/BBA",
            given_name="Aline",
            middle_name="Keza",
            family_name="Uwase",
            print_name="Aline Keza Uwase",
            email="aline@example.org",
            phone="+250 788 000 111",
        )

        assert json.loads(wire.customer_bytes(whole)) == {
            "DisplayName": "25/00411/BBA",
            "GivenName": "Aline",
            "MiddleName": "Keza",
            "FamilyName": "Uwase",
            "PrintOnCheckName": "Aline Keza Uwase",
            "PrimaryEmailAddr": {"Address": "aline@example.org"},
            "PrimaryPhone": {"FreeFormNumber": "+250 788 000 111"},
        }

    def test_leave_out_what_it_has_not(self) -> None:
        bare = CustomerDraft("25/00411/BBA", None, None, None, None, None, None)

        assert wire.customer_bytes(bare) == b'{"DisplayName":"25/00411/BBA"}'


class TestItemBytes:
    def test_name_the_income_account(self) -> None:
        assert wire.item_bytes("Tuition", income_account_id="48") == (
            b'{"Name":"Tuition","Type":"Service","IncomeAccountRef":{"value":"48"}}'
        )


class TestBundle:
    def test_holds_every_payload_byte_for_byte(self) -> None:
        body = wire.bundle_bytes(Kind.INVOICE, payloads=[b'{"A":1.00}', b'{"B":2.50}'])

        assert body == (
            b'{"BatchItemRequest":[{"bId":"i00","operation":"create","Invoice":{"A":1.00}},'
            b'{"bId":"i01","operation":"create","Invoice":{"B":2.50}}]}'
        )

    def test_of_customers_says_so(self) -> None:
        assert b'"Customer":{}' in wire.bundle_bytes(Kind.CUSTOMER, payloads=[b"{}"])

    @pytest.mark.parametrize("size", [0, 31])
    def test_has_one_to_thirty_places(self, size: int) -> None:
        with pytest.raises(ValueError, match=str(size)):
            wire.bundle_bytes(Kind.INVOICE, payloads=[b"{}"] * size)

    def test_id_depends_on_members_and_order(self) -> None:
        ids = {wire.bundle_id(["a", "b"]), wire.bundle_id(["b", "a"]), wire.bundle_id(["ab"])}

        assert len(ids) == 3
        assert {len(each) for each in ids} == {34}

    def test_places_fit_quickbooks(self) -> None:
        assert [wire.place(0), wire.place(29)] == ["i00", "i29"]


class TestQuery:
    def test_for_numbers(self) -> None:
        assert wire.query_documents(["MIS-1", "MIS-2"]) == (
            "select * from Invoice where DocNumber in ('MIS-1', 'MIS-2') maxresults 1000"
        )

    @pytest.mark.covers("G5")
    def test_for_names_escapes_them(self) -> None:
        assert wire.query_parties("Customer", names=["O'N\\eil", "B"]) == (
            r"select * from Customer where DisplayName in ('O\'N\\eil', 'B')"
            " and Active in (true, false) maxresults 1000"
        )

    def test_for_products_and_accounts_pages_by_id(self) -> None:
        assert wire.query_items(1001) == (
            "select * from Item where Active in (true, false)"
            " orderby Id startposition 1001 maxresults 1000"
        )
        assert wire.query_accounts(1).startswith("select * from Account where")

    def test_for_a_count_asks_for_our_numbers_only(self) -> None:
        assert wire.query_own_count() == (
            "select count(*) from Invoice where DocNumber like 'MIS-%'"
        )
