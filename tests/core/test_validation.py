"""Every reason an invoice may not go, and when a cause looks gone."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.catalogue import explain
from application.invoices import mapping
from application.invoices.model import AmountRule, Fee, MisInvoice, Oddity, PayerKind, Student
from application.invoices.validation import Problem, problems_in
from tests.core.rows import (
    ROW,
    TUITION,
    UWASE,
    dates,
    fees,
    generated,
    invoices,
    row,
    rules,
    sound_invoices,
    students,
    texts,
    uwase,
)

CLOSED = date(2021, 12, 31)


def problems(
    invoice: MisInvoice = ROW,
    *,
    student: Student | None = UWASE,
    fee: Fee | None = TUITION,
    item_id: str | None = "23",
    rule: AmountRule = AmountRule.DEBIT,
    closed: date | None = CLOSED,
) -> tuple[Problem, ...]:
    return problems_in(
        invoice, student=student, fee=fee, item_id=item_id, rule=rule, books_closed_until=closed
    )


def causes(*args: Any, **kwargs: Any) -> list[str]:  # noqa: ANN401 - what `problems` takes
    return [problem.cause for problem in problems(*args, **kwargs)]


class TestGoodRow:
    @pytest.mark.parametrize(
        "invoice",
        [
            pytest.param(ROW, id="as it should be"),
            pytest.param(row(dept=Decimal("12500.50")), id="row 7: a fraction"),
            pytest.param(row(credit=Decimal(40000)), id="row 9: a concession"),
            pytest.param(row(dated=date(2027, 1, 5)), id="row 16: next year"),
            pytest.param(row(dated=date(2025, 1, 1)), id="row 18: first day of a year"),
            pytest.param(row(dated=date(2022, 1, 1)), id="the day after the closing date"),
            pytest.param(row(reg_no=" 25/00411/BBA "), id="row 34: padded"),
            pytest.param(row(comment="x" * 900), id="row 47: a long comment"),
            pytest.param(row(status=None), id="row 52: status NULL"),
        ],
    )
    def test_has_no_problem(self, invoice: MisInvoice) -> None:
        assert problems(invoice) == ()

    @pytest.mark.parametrize(
        "student",
        [
            pytest.param(uwase(kind=PayerKind.APPLICANT, code="88123"), id="row 31: applicant"),
            pytest.param(uwase(rows=2), id="row 36: two rows, one person"),
            pytest.param(uwase(first_name=None, last_name=None), id="row 37: without a name"),
            pytest.param(uwase(emails=("N/A", "-"), phones=("x",)), id="row 39: bad contact data"),
        ],
    )
    def test_may_have_an_odd_payer(self, student: Student) -> None:
        assert problems(row(reg_no=student.code), student=student) == ()

    def test_is_not_refused_for_a_product_nobody_could_look_up(self) -> None:
        assert problems(item_id="") == ()

    def test_is_not_refused_for_a_closing_date_nobody_knows(self) -> None:
        assert problems(row(dated=date(2021, 6, 30)), closed=None) == ()


class TestProblem:
    @pytest.mark.covers("G7")
    @pytest.mark.parametrize(
        ("student", "reg_no", "reason"),
        [
            pytest.param(None, "99/1", "neither", id="rows 28, 35: unknown"),
            pytest.param(None, None, "names no payer", id="row 29: NULL"),
            pytest.param(None, "  ", "names no payer", id="row 30: blank"),
            pytest.param(UWASE, "", "names no payer", id="blank, whoever was looked up"),
            pytest.param(
                uwase(rows=2, agreed=False),
                "25/00411/BBA",
                "2 rows carry that code",
                id="row 36: two people",
            ),
        ],
    )
    def test_of_the_payer(self, student: Student | None, reg_no: str | None, reason: str) -> None:
        (problem,) = problems(row(reg_no=reg_no), student=student)

        assert problem.cause == "customer_not_found"
        assert reason in problem.facts["reason"]
        assert problem.facts["reg_no"] == (reg_no or "").strip()

    @pytest.mark.covers("G1", "G2")
    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"dept": Decimal(5), "credit": Decimal(5)}, id="row 1"),
            pytest.param({"dept": Decimal(5), "credit": Decimal(6)}, id="row 2"),
            pytest.param({"dept": Decimal(0)}, id="row 3"),
            pytest.param({"dept": Decimal(-5)}, id="row 4"),
            pytest.param({"dept": None}, id="row 5"),
            pytest.param({"dept": Decimal("0.004")}, id="row 6"),
            pytest.param({"dept": Decimal(10) ** 20}, id="row 12"),
            pytest.param({"oddities": frozenset({Oddity.NOT_EXACT})}, id="more than cents"),
        ],
    )
    @pytest.mark.parametrize("rule", AmountRule)
    def test_of_the_amount(self, changes: dict[str, Any], rule: AmountRule) -> None:
        (problem,) = problems(row(**changes), rule=rule)

        assert problem.cause == "invalid_amount"
        assert problem.facts["reason"]

    @pytest.mark.covers("G3")
    @pytest.mark.parametrize(
        ("dated", "text"),
        [
            pytest.param(None, None, id="row 13: NULL"),
            pytest.param(None, "0000-00-00", id="row 14: zero"),
            pytest.param(None, "2024-00-15", id="row 15: partial"),
            pytest.param(date(1999, 12, 31), "1999-12-31", id="before the century"),
            pytest.param(date(2100, 1, 1), "2100-01-01", id="after the century"),
        ],
    )
    def test_of_the_date(self, dated: date | None, text: str | None) -> None:
        (problem,) = problems(row(dated=dated, dated_text=text), closed=None)

        assert problem == Problem("date_invalid", {"invoice_date": text or ""})

    @pytest.mark.parametrize(
        ("fee_category", "fee", "item_id", "named", "reason"),
        [
            pytest.param(None, None, None, "", "names no fee", id="row 21: NULL"),
            pytest.param(None, None, "23", "", "names no fee", id="NULL, though a product"),
            pytest.param(999, None, None, "999", "no such row", id="row 22: no such fee"),
            pytest.param(12, TUITION, None, "Tuition fee", "choose one", id="rows 24-26: no item"),
        ],
    )
    def test_of_the_fee(
        self,
        fee_category: int | None,
        fee: Fee | None,
        item_id: str | None,
        named: str,
        reason: str,
    ) -> None:
        (problem,) = problems(row(fee_category=fee_category), fee=fee, item_id=item_id)

        assert problem.cause == "fee_category_unmapped"
        assert problem.facts["fee"] == named
        assert reason in problem.facts["reason"]

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            pytest.param("25:00411", "colon", id="colon"),
            pytest.param("25\t00411", "tab", id="tab"),
            pytest.param("25\n00411", "line break", id="line break"),
            pytest.param("25\r00411", "line break", id="carriage return"),
            pytest.param("25\u202800411", "line break", id="line separator"),
            pytest.param("25\x0000411", "control", id="NUL"),
            pytest.param("25\ud80000411", "control", id="half a character"),
            pytest.param("2" * 501, "longer than 500", id="too long"),
        ],
    )
    def test_of_the_name(self, code: str, reason: str) -> None:
        (problem,) = problems(row(reg_no=code), student=uwase(code=code))

        assert problem.cause == "name_not_allowed"
        assert reason in problem.facts["reason"]

    @pytest.mark.parametrize("code", ["2" * 500, "AAAA/9999/AA99", "O'Neil & Co; #1"])
    def test_is_none_of_a_legal_name(self, code: str) -> None:
        assert problems(row(reg_no=code), student=uwase(code=code)) == ()

    @pytest.mark.covers("E13")
    @pytest.mark.parametrize("dated", [date(2021, 6, 30), CLOSED], ids=["row 20", "the last day"])
    def test_of_the_period(self, dated: date) -> None:
        (problem,) = problems(row(dated=dated))

        assert problem.cause == "period_closed"
        assert problem.facts == {
            "invoice_date": dated.isoformat(),
            "closed_until": CLOSED.isoformat(),
        }

    def test_is_named_beside_every_other_in_order(self) -> None:
        wrong = row(reg_no="a:b", dept=None, dated=date(1999, 1, 1), fee_category=None)

        found = causes(wrong, student=None, fee=None, item_id=None)

        assert found == [
            "customer_not_found",
            "invalid_amount",
            "date_invalid",
            "fee_category_unmapped",
            "name_not_allowed",
            "period_closed",
        ]

    def test_is_told_with_its_facts(self) -> None:
        (problem,) = problems(row(reg_no="99/1"), student=None)

        assert "99/1" in explain(problem.cause, problem.facts).why


class TestAnyRow:
    @pytest.mark.covers("G1", "G3", "G7")
    @generated
    @given(
        invoice=invoices,
        student=st.none() | students,
        fee=st.none() | fees,
        item_id=st.none() | texts,
        rule=rules,
        closed=st.none() | dates,
    )
    def test_becomes_a_valid_draft_or_named_problems(
        self,
        *,
        invoice: MisInvoice,
        student: Student | None,
        fee: Fee | None,
        item_id: str | None,
        rule: AmountRule,
        closed: date | None,
    ) -> None:
        found = problems(
            invoice, student=student, fee=fee, item_id=item_id, rule=rule, closed=closed
        )

        assert [problem.cause for problem in found] == sorted(
            {problem.cause for problem in found}, key=ORDER.index
        )
        for problem in found:
            assert explain(problem.cause, problem.facts).why.isprintable()

    @generated
    @given(invoice=sound_invoices, student=students, fee=fees, item_name=texts, rule=rules)
    def test_with_sound_figures_becomes_a_draft(
        self,
        *,
        invoice: MisInvoice,
        student: Student,
        fee: Fee,
        item_name: str,
        rule: AmountRule,
    ) -> None:
        payer = replace(student, agreed=True, code=invoice.payer)

        assert problems(invoice, student=payer, fee=fee, rule=rule) == ()
        draft = mapping.draft_of(
            invoice,
            student=payer,
            fee=fee,
            item_id="23",
            item_name=item_name,
            customer_id="58",
            rule=rule,
        )

        assert 0 < draft.amount < 10**10
        assert draft.customer_name == mapping.customer_draft_of(payer).display_name
        for text in (draft.description, draft.note or ""):
            assert len(text.encode("utf-16-le")) <= 2 * 4000
            assert not any(ord(one) < 32 and one not in "\t\n\r" for one in text)


ORDER = [
    "customer_not_found",
    "invalid_amount",
    "date_invalid",
    "fee_category_unmapped",
    "name_not_allowed",
    "period_closed",
]
