"""What a cause depends on, and when it looks gone."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.catalogue import CAUSES
from application.invoices.model import Fee, MisInvoice, Oddity, PayerKind, Student
from application.invoices.validation import Problem, fingerprint_of, looks_fixed
from tests.core.rows import (
    ROW,
    TUITION,
    UWASE,
    fees,
    invoices,
    lightly,
    row,
    students,
    texts,
    uwase,
)

CLOSED = date(2021, 12, 31)
WHOLE = {"reg_no", "student", "fee_category", "fee", "item_id", "dept", "credit", "dated"} | {
    "dated_text",
    "comment",
    "not_exact",
}
CHANGED: dict[str, dict[str, Any]] = {
    "reg_no": {"invoice": row(reg_no="25/00412/BBA")},
    "student": {"student": uwase(last_name="Uwera")},
    "fee_category": {"invoice": row(fee_category=13)},
    "fee": {"fee": replace(TUITION, name="Tuition")},
    "item_id": {"item_id": "24"},
    "dept": {"invoice": row(dept=Decimal(1))},
    "credit": {"invoice": row(credit=Decimal(1))},
    "not_exact": {"invoice": row(oddities=frozenset({Oddity.NOT_EXACT}))},
    "dated": {"invoice": row(dated=date(2025, 11, 19))},
    "dated_text": {"invoice": row(dated_text="2025-11-19")},
    "comment": {"invoice": row(comment="Sem 2")},
    "status": {"invoice": row(status=7)},
    "pushed_by": {"invoice": row(pushed_by="fb1.x")},
    "reference_number": {"invoice": row(reference_number="R1")},
}


class TestFingerprint:
    @pytest.mark.parametrize(
        ("cause", "inputs"),
        [
            ("customer_not_found", {"reg_no", "student"}),
            ("invalid_amount", {"dept", "credit", "not_exact"}),
            ("date_invalid", {"dated", "dated_text"}),
            ("period_closed", {"dated", "dated_text"}),
            ("fee_category_unmapped", {"fee_category", "fee", "item_id"}),
            ("item_inactive", {"fee_category", "fee", "item_id"}),
            ("tax_code_needed", {"fee_category", "fee", "item_id"}),
            ("name_not_allowed", {"reg_no"}),
            ("customer_inactive", {"reg_no"}),
            ("duplicate_customer_name", {"reg_no"}),
            ("status_invalid", {"status"}),
            ("quickbooks_rejected", WHOLE),
            ("document_conflict", WHOLE),
        ],
    )
    def test_changes_with_what_the_cause_depends_on_alone(
        self, cause: str, inputs: set[str]
    ) -> None:
        base: dict[str, Any] = {
            "invoice": ROW,
            "student": UWASE,
            "fee": TUITION,
            "item_id": "23",
        }

        def made(changes: dict[str, Any]) -> str:
            given_now = base | changes
            return fingerprint_of(given_now.pop("invoice"), cause=cause, **given_now)

        changing = {name for name, changes in CHANGED.items() if made(changes) != made({})}
        assert changing == inputs

    @pytest.mark.parametrize("name", [one.name for one in fields(Student)], ids=str)
    def test_sees_each_part_of_the_payer(self, name: str) -> None:
        others: dict[str, Any] = {
            "kind": PayerKind.APPLICANT,
            "emails": (None, None),
            "phones": (None, None),
            "rows": 2,
            "agreed": False,
        }
        other = replace(UWASE, **{name: others.get(name, "other")})

        def made(student: Student | None) -> str:
            return fingerprint_of(
                ROW, student=student, fee=TUITION, item_id="23", cause="customer_not_found"
            )

        assert len({made(UWASE), made(other), made(None)}) == 3

    def test_tells_two_causes_apart(self) -> None:
        made = {
            fingerprint_of(ROW, student=None, fee=None, item_id=None, cause=cause)
            for cause in CAUSES
        }

        assert len(made) == len(CAUSES)

    @lightly
    @given(
        invoice=invoices,
        student=st.none() | students,
        fee=st.none() | fees,
        item_id=st.none() | texts,
        cause=st.sampled_from(sorted(CAUSES)),
    )
    def test_exists_for_any_row_and_ignores_what_we_write(
        self,
        *,
        invoice: MisInvoice,
        student: Student | None,
        fee: Fee | None,
        item_id: str | None,
        cause: str,
    ) -> None:
        made = fingerprint_of(invoice, student=student, fee=fee, item_id=item_id, cause=cause)
        again = fingerprint_of(
            replace(invoice, pushed_by="fb1.x", pushed_date=datetime(2025, 1, 1, tzinfo=UTC)),
            student=student,
            fee=fee,
            item_id=item_id,
            cause=cause,
        )

        assert len(made) == 64
        assert made == again


class TestLooksFixed:
    @pytest.mark.parametrize(
        ("cause", "still", "changed", "closed", "fixed"),
        [
            pytest.param("quickbooks_busy", (), False, None, True, id="auto: by the next run"),
            pytest.param("quickbooks_rate_limited", (), False, None, True, id="a limit ends"),
            pytest.param("mis_unavailable", (), False, None, True, id="a condition ends"),
            pytest.param("outcome_unknown", (), True, None, False, id="settle: not by sending"),
            pytest.param("document_conflict", (), True, None, False, id="person, though changed"),
            pytest.param("customer_inactive", (), True, None, False, id="person"),
            pytest.param("bad_request", (), True, None, False, id="none"),
            pytest.param("from_an_older_store", (), True, None, False, id="not listed: a person"),
            pytest.param("customer_not_found", (), True, None, True, id="student came"),
            pytest.param(
                "customer_not_found", ("customer_not_found",), True, None, False, id="still away"
            ),
            pytest.param(
                "customer_not_found", ("invalid_amount",), True, None, True, id="another cause now"
            ),
            pytest.param("invalid_amount", (), True, None, True, id="amount was corrected"),
            pytest.param("invalid_amount", (), False, None, False, id="2290: our check passed too"),
            pytest.param("quickbooks_rejected", (), True, None, True, id="row changed"),
            pytest.param("quickbooks_rejected", (), False, None, False, id="row unchanged"),
            pytest.param("item_inactive", (), True, None, True, id="another product"),
            pytest.param("period_closed", (), True, None, True, id="another date"),
            pytest.param("period_closed", (), False, None, False, id="closing date not known"),
            pytest.param("period_closed", (), False, date(2020, 1, 1), True, id="reopened"),
            pytest.param(
                "period_closed", ("period_closed",), False, CLOSED, False, id="still closed"
            ),
            pytest.param("failed_elsewhere", (), False, None, True, id="its data checks out"),
            pytest.param(
                "failed_elsewhere", ("invalid_amount",), True, None, False, id="its data does not"
            ),
        ],
    )
    def test_follows_the_rule_of_the_cause(
        self,
        *,
        cause: str,
        still: tuple[str, ...],
        changed: bool,
        closed: date | None,
        fixed: bool,
    ) -> None:
        looks = looks_fixed(
            cause,
            problems_now=[Problem(one, {}) for one in still],
            fingerprint_then="then",
            fingerprint_now="now" if changed else "then",
            books_closed_until=closed,
            invoice=ROW,
        )

        assert looks is fixed

    @pytest.mark.parametrize(
        ("status", "fixed"), [(None, True), (0, True), (3, True), (7, False), (-1, False)]
    )
    def test_of_a_status_is_a_known_one(self, *, status: int | None, fixed: bool) -> None:
        looks = looks_fixed(
            "status_invalid",
            problems_now=(),
            fingerprint_then="then",
            fingerprint_now="then",
            books_closed_until=None,
            invoice=row(status=status),
        )

        assert looks is fixed
