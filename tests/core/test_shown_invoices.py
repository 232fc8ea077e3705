from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from application.api import shapes
from application.invoices.model import AmountRule, Environment, Status
from application.invoices.validation import Problem
from application.services.listing import Detail, Listed, Outlook
from application.services.marking import Flag
from application.services.plans import Plan
from application.services.progress import Previewed
from application.shown.invoices import (
    detail_entry,
    invoice_entry,
    masked,
    preview_entry,
    preview_message,
    status_of,
)
from application.shown.texts import json_text
from application.store.items import ItemRow
from application.store.journal import Hold, ReceiptRecord, RefusalRecord, TimelineEntry
from tests.core.rows import SENT, TUITION, UWASE, row

OFFICE = ZoneInfo("Africa/Kigali")
AT = datetime(2025, 11, 22, 8, 12, 44, tzinfo=UTC)
ITEM = ItemRow(id="19", name="Tuition fee")
RECEIPT = ReceiptRecord(
    invoice_id=12345,
    intent_id=7,
    doc_number="MIS-12345",
    generation=1,
    quickbooks_id="1046",
    sync_token="0",  # noqa: S106 - a version, not a secret
    facts=SENT,
    source_sha256="",
    adopted=False,
    receipt_at=AT,
    synced_at=AT,
)
REFUSAL = RefusalRecord(
    id=1,
    invoice_id=12345,
    intent_id=None,
    cause="customer_not_found",
    facts={"reg_no": "25/00411/BBA"},
    fingerprint="",
    run_id=42,
    quickbooks_code=None,
    quickbooks_text=None,
    quickbooks_id=None,
    intuit_tid=None,
    at=AT,
    closed_at=None,
)


def listed(**changes: object) -> Listed:
    values: dict[str, object] = {
        "row": row(),
        "student": UWASE,
        "fee": TUITION,
        "amount": Decimal("450000.00"),
        "status": Status.NOT_SYNCED,
        "flag": None,
        "cause": None,
        "refusal": None,
        "looks_fixed": None,
        "hold": None,
        "receipt": None,
    }
    return Listed(**(values | changes))  # type: ignore[arg-type]  # the fields above, some replaced


def plan(*problems: Problem, item: ItemRow | None = ITEM, **changes: object) -> Plan:
    return Plan(
        invoice=row(**changes), student=UWASE, fee=TUITION, item=item, problems=tuple(problems)
    )


def happened(*, run_id: int | None, actor: str) -> TimelineEntry:
    return TimelineEntry(
        at=AT,
        actor=actor,
        event="attempt",
        text="MIS-12345, generation 1, attempt 1",
        run_id=run_id,
        entry_id=None,
        intent_id=7,
        attempt=1,
        lane="single",
        outcome="ok",
        cause=None,
        quickbooks_id="1046",
        intuit_tid="tid",
    )


class TestInvoice:
    def test_has_the_keys_of_the_interface_in_their_order(self) -> None:
        entry = invoice_entry(listed(), office=OFFICE)

        assert list(entry) == [
            "id", "doc_number", "reg_no", "student", "fee_category", "fee", "amount",
            "invoice_date", "status", "status_code", "flag", "error", "error_code", "looks_fixed",
            "hold_reason", "quickbooks_id", "pushed_by", "pushed_date",
        ]  # fmt: skip
        shapes.Invoice.model_validate(entry)

    def test_that_failed_tells_why(self) -> None:
        entry = invoice_entry(
            listed(
                row=row(status=2, pushed_date=AT),
                cause="customer_not_found",
                refusal=REFUSAL,
                looks_fixed=False,
                student=None,
                fee=None,
            ),
            office=OFFICE,
        )

        assert (entry["status"], entry["status_code"]) == ("failed", 2)
        assert (entry["error"], entry["error_code"]) == ("Customer not found", "customer_not_found")
        assert (entry["student"], entry["fee"], entry["looks_fixed"]) == (None, None, False)
        assert str(entry["pushed_date"]) == "2025-11-22 10:12:44+02:00"

    def test_shows_what_the_row_says_where_nothing_could_be_sent(self) -> None:
        entry = invoice_entry(listed(amount=None, row=row(dept=Decimal(-5))), office=OFFICE)

        assert entry["amount"] == Decimal(-5)

    def test_tells_flag_and_hold(self) -> None:
        hold = Hold(12345, "scholarship letter", "officer1", AT)
        entry = invoice_entry(listed(flag=Flag.HELD, hold=hold), office=OFFICE)

        assert (entry["flag"], entry["hold_reason"]) == ("held", "scholarship letter")

    @pytest.mark.parametrize(
        ("number", "word"),
        [(None, "not_synced"), (0, "not_synced"), (1, "synced"), (2, "failed"), (7, "failed")],
    )
    def test_of_an_unknown_status_counts_as_failed(self, number: int | None, word: str) -> None:
        assert status_of(number)[0] == word


class TestDetail:
    def entry(
        self, *, environment: Environment = Environment.PRODUCTION, **changes: object
    ) -> shapes.InvoiceDetail:
        detail = Detail(
            listed=listed(**changes),
            plan=plan(),
            timeline=(
                happened(run_id=42, actor="local"),
                happened(run_id=None, actor="officer1"),
            ),
            customer="25/00411/BBA" if "receipt" in changes else None,
        )
        entry = detail_entry(detail, office=OFFICE, environment=environment, rule=AmountRule.DEBIT)
        return shapes.InvoiceDetail.model_validate(entry)

    def test_has_both_sides(self) -> None:
        entry = self.entry(receipt=RECEIPT)

        assert entry.mis.model_dump() == {
            "dept": Decimal("450000.00"),
            "credit": None,
            "comment": "Sem 1",
        }
        assert entry.payload is not None
        assert entry.payload["DocNumber"] == "MIS-12345"
        assert entry.quickbooks is not None
        assert (entry.quickbooks.id, entry.quickbooks.customer) == ("1046", "25/00411/BBA")
        assert (entry.quickbooks.total, entry.quickbooks.date) == (
            Decimal("450000.00"),
            date(2025, 11, 18),
        )
        assert entry.quickbooks.read_at == AT

    @pytest.mark.parametrize(
        ("environment", "url"),
        [
            (
                Environment.SANDBOX,
                "https://app.sandbox.qbo.intuit.com/app/invoice?txnId=1046",
            ),
            (Environment.PRODUCTION, "https://app.qbo.intuit.com/app/invoice?txnId=1046"),
            (Environment.SIMULATOR, None),
        ],
    )
    def test_leads_to_the_invoice(self, environment: Environment, url: str | None) -> None:
        entry = self.entry(receipt=RECEIPT, environment=environment)

        assert entry.quickbooks is not None
        assert entry.quickbooks.url == url

    def test_has_no_right_side_without_a_receipt(self) -> None:
        assert self.entry().quickbooks is None

    def test_names_the_run_or_the_person(self) -> None:
        assert [one.actor for one in self.entry().timeline] == ["run 42", "officer1"]

    def test_promises_no_payload_where_nothing_would_go(self) -> None:
        problem = Problem("invalid_amount", {"reason": "`dept` is empty"})
        for bad in (plan(problem), plan(item=None)):
            detail = Detail(listed=listed(), plan=bad, timeline=(), customer=None)
            entry = detail_entry(
                detail, office=OFFICE, environment=Environment.SANDBOX, rule=AmountRule.DEBIT
            )
            assert entry["payload"] is None


class TestPreview:
    def test_shows_what_quickbooks_would_get(self) -> None:
        entry = preview_entry(Previewed(plan(), Decimal(450_000)), rule=AmountRule.DEBIT)
        shown = shapes.Previewed.model_validate(entry)

        assert shown.ready
        assert shown.quickbooks is not None
        assert shown.quickbooks["CustomerRef"] == {"name": "25/00411/BBA"}
        assert shown.quickbooks["Line"][0]["SalesItemLineDetail"] == {
            "ItemRef": {"value": "19", "name": "Tuition fee"}
        }

    def test_names_every_problem(self) -> None:
        problem = Problem("invalid_amount", {"reason": "`dept` is 0, not above 0"})
        entry = preview_entry(Previewed(plan(problem), None), rule=AmountRule.DEBIT)
        shown = shapes.Previewed.model_validate(entry)

        assert (shown.ready, shown.quickbooks) == (False, None)
        assert [one.error_code for one in shown.problems] == ["invalid_amount"]

    def test_hides_where_to_reach_a_student(self) -> None:
        one = Previewed(plan(), Decimal(1))
        open_, hidden = (
            shapes.Previewed.model_validate(
                preview_entry(one, rule=AmountRule.DEBIT, hidden=each)
            ).student_details
            for each in (False, True)
        )

        assert open_ is not None
        assert hidden is not None
        assert (open_.email, open_.phone) == ("uwase@mail.example", "0788 000 411")
        assert (hidden.email, hidden.phone) == ("uw*****le", "07*****11")
        assert hidden.full_name == open_.full_name == "Aline Uwase"

    @pytest.mark.parametrize(
        ("text", "shown"), [(None, None), ("", ""), ("abcd", "****"), ("abcde", "ab*****de")]
    )
    def test_masks_all_but_the_ends(self, text: str | None, shown: str | None) -> None:
        assert masked(text) == shown

    def test_tells_apart_what_waits_and_what_looks_fixed(self) -> None:
        waits, failed = Previewed(plan(), None), Previewed(plan(status=2), None)

        assert preview_message(Outlook((waits, waits), 31, None)) == "2 of 31 waiting invoices"
        assert preview_message(Outlook((waits, failed), 1, None)) == (
            "1 of 1 waiting invoices, 1 of those that failed"
        )


class TestJson:
    def test_writes_amounts_and_times_as_promised(self) -> None:
        entry = invoice_entry(listed(row=row(pushed_date=AT)), office=OFFICE)
        text = json_text(entry)

        assert '"amount": 450000.00' in text
        assert '"invoice_date": "2025-11-18"' in text
        assert '"pushed_date": "2025-11-22T10:12:44+02:00"' in text
