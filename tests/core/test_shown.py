from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from application.api import settings_shapes, shapes
from application.catalogue import NotConnected
from application.invoices.model import Environment
from application.services.causes import Group
from application.services.company import ConnectionState
from application.services.mapping import Chosen, MappingPage, MappingRow
from application.services.progress import Statistics
from application.services.reports import Failure, Report, Run
from application.shown.causes import causes_entry
from application.shown.figures import (
    amounts,
    guide_figures,
    status_entry,
    status_message,
)
from application.shown.mapping import chosen_entry, mapping_entry
from application.shown.runs import message_of, report_entry, report_meta, run_answer, run_entry
from application.store.audit import Actor
from application.store.items import ItemRow
from application.store.runs import RunFailure
from application.store.usage import Spending

OFFICE = ZoneInfo("Africa/Kigali")
AT = datetime(2025, 11, 22, 8, 12, 44, tzinfo=UTC)
COUNTS = Statistics(
    total=1250,
    not_synced=31,
    synced=1204,
    failed=12,
    in_progress=3,
    amounts={
        "total": Decimal(485_870_000),
        "not_synced": Decimal(11_850_000),
        "synced": Decimal(469_880_000),
        "failed": Decimal(3_240_000),
        "in_progress": Decimal(900_000),
    },
    unknown_status=0,
)


def stored(**changes: object) -> Run:
    values: dict[str, object] = {
        "id": 57,
        "kind": "all",
        "state": "running",
        "by": Actor(name="schedule"),
        "arguments": {"batch_size": 50, "max_batches": 400, "ids": None},
        "cut_off_id": 99,
        "asked_at": AT,
        "started_at": AT,
        "finished_at": None,
        "total": 20_000,
        "processed": 12_480,
        "successful": 12_391,
        "failed": 89,
        "unsettled": 0,
        "environment": "production",
        "company": "Demo University",
        "realm_tag": "production.1",
        "holder": "host-1",
        "cause": None,
        "asked": None,
        "durable": True,
        "sole": True,
        "turn": 1,
        "wake_at": None,
        "resumed": 1,
        "throttled_ms": 60_400,
        "asked_of_quickbooks": Spending(requests=70, reads=3),
    }
    return Run(**(values | changes))  # type: ignore[arg-type]  # the fields above, some replaced


class TestRun:
    def test_has_the_keys_of_the_interface(self) -> None:
        entry = run_entry(
            stored(),
            office=OFFICE,
            causes={"customer_not_found": 61},
            pace={"rate_per_minute": 1560, "eta_seconds": 289},
        )
        run = shapes.Run.model_validate(entry)

        assert (run.rate_per_minute, run.eta_seconds) == (1560, 289)
        assert (run.throttled_seconds, run.resumed) == (60, 1)
        assert (run.quickbooks_requests, run.quickbooks_reads) == (70, 3)
        assert run.settings == {"batch_size": 50, "max_batches": 400}
        assert run.failures_by_cause == {"customer_not_found": 61}
        assert str(run.started_at) == "2025-11-22 10:12:44+02:00"

    @pytest.mark.parametrize("state", ["paused", "finished", "waiting_quickbooks"])
    def test_that_is_not_at_work_has_no_pace(self, state: str) -> None:
        entry = run_entry(stored(state=state), office=OFFICE, pace={"rate_per_minute": 9})

        assert (entry["rate_per_minute"], entry["eta_seconds"]) == (None, None)

    def test_never_did_more_than_all(self) -> None:
        assert run_entry(stored(total=5, processed=7), office=OFFICE)["total"] == 7

    def test_is_told_under_the_guide_s_keys(self) -> None:
        failures = [RunFailure(one, "customer_not_found", {}, AT, 1) for one in range(150)]
        done = stored(state="finished", finished_at=AT + timedelta(milliseconds=2_600))
        answer = run_answer(done, failures=failures, remaining=50)
        sent = shapes.Sent.model_validate(answer.content)

        assert (sent.total_processed, sent.successful, sent.failed) == (12_480, 12_391, 89)
        assert len(sent.errors) == 100
        assert sent.errors[0].error == "Customer not found"
        assert answer.meta["duration_s"] == Decimal("2.6")
        assert (answer.meta["batches_processed"], answer.meta["remaining"]) == (250, 50)
        assert answer.message == "Run 57 finished: 12391 synced, 89 failed."

    @pytest.mark.parametrize(
        "state",
        ["queued", "running", "paused", "waiting_connection", "waiting_quickbooks", "waiting_mis",
         "stopping", "finished", "cancelled", "failed"],
    )  # fmt: skip
    def test_has_a_sentence_in_every_state(self, state: str) -> None:
        assert message_of(stored(state=state)).startswith(("Run 57", "Still running"))

    def test_of_this_process_reads_the_same_as_a_stored_one(self) -> None:
        failure = Failure(123, "customer_not_found", {"reg_no": "25/00123/BIT"}, 1)
        report = Report(
            run_id=57, kind="batch", processed=2, successful=1, failed=1, failures=[failure]
        )
        kept = stored(kind="batch", processed=2, successful=1, failed=1)
        told = run_answer(
            kept,
            failures=[RunFailure(123, "customer_not_found", failure.facts, AT, 1)],
            remaining=0,
        )

        assert report_entry(report) == told.content
        assert report_meta(report)["failures"] == told.meta["failures"]
        assert set(report_meta(report)) <= set(told.meta)

    def test_that_was_stopped_tells_by_what(self) -> None:
        stop = NotConnected(since="", reason="revoked")
        report = Report(run_id=57, kind="batch", state="failed", stopped_by=stop)

        meta = report_meta(report)

        assert (meta["state"], meta["error_code"]) == ("failed", "authentication_failed")


class TestCauses:
    def test_add_up(self) -> None:
        groups = [
            Group("customer_not_found", 6, Decimal(2_700_000), 2, AT, (12345, 12350)),
            Group("failed_elsewhere", 3, Decimal(90_000), None, None, ()),
        ]
        entry = shapes.Causes.model_validate(causes_entry(groups, office=OFFICE))

        assert (entry.total, entry.amount) == (9, Decimal(2_790_000))
        first, second = entry.groups
        assert (first.error, first.owner, first.retry) == (
            "Customer not found",
            "Registry",
            "fixed",
        )
        assert (first.looks_fixed, second.looks_fixed) == (2, None)
        assert first.sample_invoice_ids == [12345, 12350]

    def test_of_nothing_are_zero(self) -> None:
        assert causes_entry([], office=OFFICE) == {"total": 0, "amount": Decimal(0), "groups": []}


class TestFigures:
    def test_stand_under_the_guide_s_keys(self) -> None:
        assert guide_figures(COUNTS) == {
            "total_invoices": 1250,
            "not_synced": 31,
            "already_synced": 1204,
            "failed": 12,
            "in_progress": 3,
        }
        assert list(amounts(COUNTS, currency="RWF")) == [
            "currency", "total", "not_synced", "already_synced", "failed", "in_progress",
        ]  # fmt: skip

    def test_at_a_glance_have_the_keys_of_the_interface(self) -> None:
        entry = status_entry(
            COUNTS,
            state=ConnectionState(
                connected=True,
                environment=Environment.PRODUCTION,
                company="Demo University",
                reconnect_by=datetime(2026, 3, 1, 23, 0, tzinfo=UTC),
            ),
            recent=[
                stored(id=60, kind="settle", state="finished", finished_at=AT, sole=False),
                stored(id=43, state="running"),
                stored(id=42, state="finished", finished_at=AT),
            ],
            paces={43: {"eta_seconds": 2}},
            next_run_at=None,
            paused_until=AT,
            reads=(2310, 500_000),
            now=AT.astimezone(OFFICE),
            office=OFFICE,
        )
        status = shapes.SyncStatus.model_validate(entry)

        assert status.progress_percentage == Decimal("96.32")
        assert status.active_run is not None
        assert status.last_run is not None
        assert (status.active_run.id, status.active_run.eta_seconds) == (43, 2)
        assert status.last_run.id == 42
        assert status.quickbooks.reconnect_by == date(2026, 3, 2)
        assert (status.quickbooks.reads_this_month, status.quickbooks.reads_limit) == (
            2310,
            500_000,
        )
        assert status_message(COUNTS, attention=15) == "96.32% synced, 15 need attention."

    def test_without_company_and_runs_are_null(self) -> None:
        entry = status_entry(
            COUNTS,
            state=ConnectionState(connected=False, environment=Environment.SIMULATOR),
            recent=[],
            paces={},
            next_run_at=None,
            paused_until=None,
            reads=None,
            now=AT,
            office=OFFICE,
        )
        status = shapes.SyncStatus.model_validate(entry)

        assert (status.active_run, status.last_run, status.quickbooks.company) == (None,) * 3
        assert (status.quickbooks.reads_this_month, status.quickbooks.reads_limit) == (None,) * 2


class TestMapping:
    def test_has_the_keys_of_the_interface(self) -> None:
        suggested = ItemRow(id="23", name="Library fees")
        missing = MappingRow(41, "Library fine", None, None, "none", suggested, 0, 3)
        mapped = MappingRow(12, "Tuition fee", "19", "Tuition fee", "name", None, 2, 0)
        page = MappingPage((missing, mapped), 1, 2, AT)
        entry = settings_shapes.Mapping.model_validate(mapping_entry(page, office=OFFICE))

        assert (entry.mapped, entry.total) == (1, 2)
        assert entry.mapping[0].suggested is not None
        assert entry.mapping[0].suggested.item == "Library fees"
        assert entry.mapping[1].suggested is None
        chosen = settings_shapes.ChosenRow.model_validate(chosen_entry(Chosen(mapped, 3)))
        assert chosen.now_look_fixed == 3
