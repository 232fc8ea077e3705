"""Every cause, told to a person and to a program."""

import re
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application import catalogue
from application.catalogue import (
    CAUSES,
    Owner,
    RealmBusy,
    RetryRule,
    Stop,
    cause,
    exit_code_of,
    explain,
    printable,
    retryable,
)
from tests.core.rows import lightly

TITLES = {
    "customer_not_found": "Customer not found",
    "invalid_amount": "Invalid amount",
    "date_invalid": "Invalid date",
    "fee_category_unmapped": "Fee category not mapped",
    "item_inactive": "Product inactive in QuickBooks",
    "tax_code_needed": "Tax code needed",
    "location_unmapped": "Location not mapped",
    "name_not_allowed": "Registration number not usable as a name",
    "period_closed": "Books closed for that date",
    "customer_inactive": "Customer inactive in QuickBooks",
    "duplicate_customer_name": "Name already used in QuickBooks",
    "document_conflict": "Number already used in QuickBooks",
    "currency_mismatch": "Currency does not match",
    "feature_missing": "Not part of your QuickBooks plan",
    "quickbooks_rejected": "QuickBooks refused the invoice",
    "quickbooks_busy": "QuickBooks is busy",
    "outcome_unknown": "Result unknown",
    "failed_elsewhere": "Failed in another program",
    "status_invalid": "Status value not known",
    "internal_error": "Unexpected error",
    "quickbooks_rate_limited": "QuickBooks API rate limit",
    "quickbooks_unavailable": "QuickBooks not answering",
    "authentication_failed": "Authentication failed",
    "sign_in_refused": "Sign-in not accepted",
    "permission_lost": "QuickBooks access removed",
    "company_inactive": "QuickBooks subscription inactive",
    "company_reset": "QuickBooks company was reset",
    "wrong_environment": "Keys and company do not match",
    "company_mismatch": "Different QuickBooks company",
    "reads_used_up": "QuickBooks reads used up",
    "mis_unavailable": "MIS database not reachable",
    "mis_permission": "MIS user lacks a right",
    "mis_schema": "MIS table or column missing",
    "store_unavailable": "Feebridge store not reachable",
    "config_invalid": "Setting missing or wrong",
    "run_active": "Another run is active",
    "invoice_in_progress": "Invoice is being sent",
    "state_conflict": "Not possible now",
    "demo_not_now": "The demo cannot do that now",
    "bad_request": "Request not readable",
    "validation_failed": "Validation failed",
    "not_found": "Not found",
    "method_not_allowed": "Method not allowed",
    "unauthorized": "Sign-in or API key needed",
    "forbidden": "Not allowed for this role",
    "read_only": "This server only answers questions",
    "cross_site": "Request from another site refused",
    "form_expired": "Form out of date",
    "host_refused": "Host name not allowed",
    "idempotency_in_flight": "Same request still running",
    "idempotency_mismatch": "Key used for another request",
    "too_large": "Request too large",
    "unsupported_media_type": "Body is not JSON",
    "rate_limited": "Too many requests to Feebridge",
    "streams_full": "Too many live views",
    "amount_differs": "Amount differs",
    "details_differ": "Customer or date differs",
    "missing_in_quickbooks": "Missing in QuickBooks",
    "duplicate_in_quickbooks": "Twice in QuickBooks",
    "only_in_quickbooks": "In QuickBooks, not in MIS",
    "changed_after_sync": "Changed after sync",
    "unverified": "Marked synced elsewhere",
    "custom_numbers_off": "Custom transaction numbers are off",
}
CODES = sorted(TITLES)
STOPS = [
    kind
    for kind in vars(catalogue).values()
    if isinstance(kind, type) and issubclass(kind, Stop) and kind is not Stop
]


class TestCauses:
    def test_have_the_published_titles(self) -> None:
        assert {code: entry.title for code, entry in CAUSES.items()} == TITLES

    @pytest.mark.parametrize("code", CODES)
    def test_are_complete(self, code: str) -> None:
        entry = cause(code)

        assert entry.code == code
        assert re.fullmatch(r"[a-z_]+", code)
        assert entry.why.endswith(".")
        assert entry.remedy.endswith(".")
        assert "  " not in entry.why + entry.remedy + entry.quickbooks_codes
        assert not re.search(r"[+|!]", entry.quickbooks_codes)
        assert 200 <= entry.http_status < 600
        assert entry.exit_code in {1, 2, 3, 4, 5, 6, 7, 8, 9}

    @pytest.mark.parametrize(
        ("code", "owner", "retry", "http_status", "exit_code"),
        [
            ("customer_not_found", Owner.REGISTRY, RetryRule.FIXED, 422, 3),
            ("document_conflict", Owner.FINANCE, RetryRule.PERSON, 422, 3),
            ("quickbooks_busy", Owner.NOBODY, RetryRule.AUTO, 422, 3),
            ("outcome_unknown", Owner.NOBODY, RetryRule.SETTLE, 422, 3),
            ("internal_error", Owner.IT, RetryRule.PERSON, 500, 1),
            ("quickbooks_rate_limited", Owner.NOBODY, RetryRule.PAUSE, 429, 6),
            ("quickbooks_unavailable", Owner.NOBODY, RetryRule.WAIT, 503, 6),
            ("authentication_failed", Owner.ADMIN, RetryRule.WAIT, 409, 4),
            ("wrong_environment", Owner.IT, RetryRule.WAIT, 409, 9),
            ("reads_used_up", Owner.ADMIN, RetryRule.WAIT, 409, 6),
            ("mis_unavailable", Owner.IT, RetryRule.WAIT, 503, 5),
            ("mis_schema", Owner.IT, RetryRule.WAIT, 503, 9),
            ("store_unavailable", Owner.IT, RetryRule.WAIT, 503, 1),
            ("config_invalid", Owner.IT, RetryRule.NONE, 503, 9),
            ("run_active", Owner.CALLER, RetryRule.WAIT, 409, 7),
            ("validation_failed", Owner.CALLER, RetryRule.NONE, 422, 2),
            ("amount_differs", Owner.FINANCE, RetryRule.NONE, 200, 8),
        ],
    )
    def test_say_who_when_and_how_it_ends(
        self, code: str, owner: Owner, retry: RetryRule, http_status: int, exit_code: int
    ) -> None:
        entry = cause(code)

        assert (entry.owner, entry.retry) == (owner, retry)
        assert (entry.http_status, entry.exit_code) == (http_status, exit_code)

    def test_keep_long_lists_of_quickbooks_codes_whole(self) -> None:
        listed = cause("quickbooks_rejected").quickbooks_codes

        assert listed.startswith("620, 700,")
        assert "6180, 6220" in listed
        assert listed.endswith('"cannot enter more than"')

    def test_that_are_not_listed_have_no_entry(self) -> None:
        with pytest.raises(KeyError):
            cause("no_such_cause")


class TestStops:
    @pytest.mark.parametrize("kind", STOPS, ids=lambda kind: kind.__name__)
    def test_have_an_entry_each(self, kind: type[Stop]) -> None:
        assert kind.cause in CAUSES

    def test_keep_their_facts(self) -> None:
        stop = RealmBusy(run_id=43)

        assert stop.facts == {"run_id": 43}
        assert "(43)" in explain(stop.cause, stop.facts).why


class TestExplanation:
    @pytest.mark.parametrize("code", CODES)
    def test_needs_no_facts(self, code: str) -> None:
        told = explain(code, {})

        assert not re.search(r"[{}]", told.why + told.remedy)
        assert "unknown" not in (told.why + told.remedy).replace("environment unknown", "")
        assert (told.code, told.title) == (code, TITLES[code])

    @pytest.mark.parametrize("code", CODES)
    def test_uses_each_fact_it_names(self, code: str) -> None:
        entry = cause(code)
        names = set(re.findall(r"\{(\w+)\}", entry.why + entry.remedy))

        told = explain(code, {name: f"<{name}>" for name in names})

        assert all(f"<{name}>" in told.why + told.remedy for name in names)

    def test_carries_what_programs_need(self) -> None:
        told = explain("authentication_failed", {"reason": "invalid_grant"})

        assert "(invalid_grant)" in told.why
        assert (told.owner, told.retry) == (Owner.ADMIN, RetryRule.WAIT)
        assert (told.exit_code, told.http_status) == (4, 409)

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            pytest.param(
                datetime(2025, 11, 22, 12, 31, tzinfo=timezone(timedelta(hours=2))),
                "goes on at 2025-11-22 10:31 UTC",
                id="an instant in UTC",
            ),
            pytest.param(date(2025, 12, 1), "goes on at 2025-12-01", id="a day"),
            pytest.param(None, "goes on at a later time", id="not known"),
            pytest.param("   ", "goes on at a later time", id="blank"),
            pytest.param("10:31", "goes on at 10:31", id="words"),
            pytest.param("{reg_no}", "goes on at {reg_no}", id="braces are not filled again"),
            pytest.param("a\nb\x1b[2J", r"goes on at a\nb\x1b[2J", id="controls are shown"),
            pytest.param("a\u202eb", r"goes on at a\u202eb", id="nothing turns the line round"),
            pytest.param("\ud800", r"goes on at \ud800", id="half a character"),
        ],
    )
    def test_fills_facts_in_safely(self, value: object, words: str) -> None:
        assert words in explain("quickbooks_rate_limited", {"until": value}).remedy

    def test_of_a_code_we_no_longer_know_is_an_unexpected_error(self) -> None:
        assert explain("from_an_older_store", {}).code == "internal_error"

    def test_stays_short_whatever_the_facts(self) -> None:
        assert len(explain("mis_unavailable", {"detail": "x" * 10_000}).why) < 400

    def test_of_a_name_without_a_neutral_word_still_reads(self) -> None:
        text = catalogue._filled("It is {never_heard_of}.", {})  # noqa: SLF001 - no entry has one

        assert text == "It is unknown."

    @lightly
    @given(
        code=st.sampled_from(CODES),
        facts=st.dictionaries(
            st.sampled_from(["reg_no", "reason", "until", "number", "detail"]),
            st.text(st.characters()) | st.none() | st.integers() | st.datetimes(),
        ),
    )
    def test_is_one_printable_line(self, *, code: str, facts: dict[str, object]) -> None:
        told = explain(code, facts)

        assert told.why.isprintable()
        assert told.remedy.isprintable()


class TestPrintable:
    def test_leaves_names_of_any_script_alone(self) -> None:
        assert printable("Zoë Mukantwari 25/00411/BBA 学") == "Zoë Mukantwari 25/00411/BBA 学"


class TestRetryable:
    @pytest.mark.parametrize(
        ("code", "passes"),
        [
            pytest.param("quickbooks_busy", True, id="auto"),
            pytest.param("quickbooks_rate_limited", True, id="pause"),
            pytest.param("outcome_unknown", True, id="settle"),
            pytest.param("authentication_failed", True, id="wait"),
            pytest.param("run_active", True, id="a request that passes by waiting"),
            pytest.param("customer_not_found", False, id="fixed: somebody must mend it"),
            pytest.param("document_conflict", False, id="person"),
            pytest.param("bad_request", False, id="none"),
            pytest.param("no_such_cause", False, id="not listed"),
        ],
    )
    def test_is_what_passes_by_waiting(self, *, code: str, passes: bool) -> None:
        assert retryable(code) is passes


class TestExitCode:
    @pytest.mark.parametrize(
        ("codes", "exit_code"),
        [
            pytest.param([], 0, id="nothing wrong"),
            pytest.param(["customer_not_found"], 3, id="failed invoices"),
            pytest.param(["internal_error", "config_invalid"], 1, id="ours before all"),
            pytest.param(["config_invalid", "authentication_failed"], 9, id="9 before 4"),
            pytest.param(["authentication_failed", "mis_unavailable"], 5, id="5 before 4"),
            pytest.param(["authentication_failed", "quickbooks_unavailable"], 4, id="4 before 6"),
            pytest.param(["run_active", "quickbooks_rate_limited"], 6, id="6 before 7"),
            pytest.param(["invalid_amount", "run_active"], 7, id="7 before 3"),
            pytest.param(["amount_differs", "invalid_amount"], 3, id="3 before 8"),
            pytest.param(["bad_request", "amount_differs"], 8, id="8 before usage"),
            pytest.param(["no_such_cause", "invalid_amount"], 1, id="a code we forgot is ours"),
        ],
    )
    def test_is_the_first_that_applies(self, codes: list[str], exit_code: int) -> None:
        assert exit_code_of(codes) == exit_code
        assert exit_code_of(reversed(codes)) == exit_code

    def test_has_a_place_for_each_cause(self) -> None:
        assert {entry.exit_code for entry in CAUSES.values()} <= set(catalogue.EXITS_IN_ORDER)
