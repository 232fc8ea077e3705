"""Names that must never change: numbers, request ids, realm tags."""

import re

import pytest

from application.invoices.model import Environment, Realm, doc_number, request_id
from tests.core.rows import FOUND, SENT, row

REALM = Realm(Environment.SANDBOX, "9130357")


class TestDocNumber:
    def test_is_the_guide_s(self) -> None:
        assert doc_number(12345) == "MIS-12345"

    @pytest.mark.covers("G8")
    def test_fits_quickbooks_for_any_id_of_the_mis(self) -> None:
        assert len(doc_number(2**32 - 1)) <= 21


class TestRealm:
    def test_has_a_tag_that_hides_the_company(self) -> None:
        tag = REALM.tag

        assert re.fullmatch(r"b[0-9a-f]{8}", tag)
        assert "9130357" not in tag

    @pytest.mark.parametrize(("environment", "letter"), [*zip(Environment, "sbp", strict=True)])
    def test_begins_its_tag_with_the_environment(
        self, environment: Environment, letter: str
    ) -> None:
        assert Realm(environment, "9130357").tag[0] == letter

    def test_has_another_tag_in_another_environment(self) -> None:
        tags = {Realm(environment, "9130357").tag[1:] for environment in Environment}

        assert len(tags) == 3


class TestRequestId:
    def test_is_pinned_for_ever(self) -> None:
        made = request_id(REALM, key="MIS-12345", operation="create-invoice", generation=1)

        # Another value here means that every resend after an upgrade makes a second invoice.
        assert made == "fb4fb874da957effcb86815e56e23032c6"

    def test_fits_quickbooks(self) -> None:
        made = request_id(REALM, key="x" * 500, operation="create-customer", generation=10**6)

        assert re.fullmatch(r"fb[0-9a-f]{32}", made)

    def test_depends_on_company_key_operation_and_generation(self) -> None:
        made = {
            request_id(realm, key=key, operation=operation, generation=generation)
            for realm in (REALM, Realm(Environment.SANDBOX, "9130358"))
            for key in ("MIS-1", "MIS-11")
            for operation in ("create-invoice", "create-customer")
            for generation in (1, 2)
        }

        assert len(made) == 16


class TestMisInvoice:
    @pytest.mark.parametrize(
        ("reg_no", "payer"), [(None, ""), ("  ", ""), (" 25/00411/BBA\t", "25/00411/BBA")]
    )
    def test_knows_its_payer(self, reg_no: str | None, payer: str) -> None:
        assert row(reg_no=reg_no).payer == payer


class TestDocument:
    def test_is_compared_by_its_facts(self) -> None:
        assert FOUND.facts == SENT
