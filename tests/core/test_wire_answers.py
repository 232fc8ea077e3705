"""Every answer we know, kept as a file, and what it means."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from application.invoices.model import Document, Kind, Party
from application.invoices.outcomes import Ok, Outcome, Passing, Refused, Unknown
from application.quickbooks.answers import (
    BODY_BYTES_MAX,
    DEPTH_MAX,
    TEXT_MAX,
    VALUES_MAX,
    Answer,
)
from application.quickbooks.wire import PAGE_ROWS, PLACES_MAX, judge

SAMPLES = Path(__file__).parent / "answers"
_TYPES = {".json": "application/json;charset=utf-8", ".xml": "text/xml", ".html": "text/html"}


def sample(name: str) -> Answer:
    """Return a kept answer; its name begins with its HTTP status."""
    path = SAMPLES / name
    return Answer(
        status=int(name.partition("_")[0]),
        content_type=_TYPES.get(path.suffix, "text/plain"),
        body=path.read_bytes(),
        intuit_tid="1-tid",
    )


class TestInvoice:
    def test_is_read_with_what_is_compared(self) -> None:
        outcome = judge(sample("200_invoice.json"), kind=Kind.INVOICE)

        assert outcome == Ok(
            found=Document(
                quickbooks_id="266",
                sync_token="0",  # noqa: S106 - a version, not a secret
                doc_number="MIS-1043",
                customer_id="1",
                total=Decimal(100),
                dated=date(2020, 9, 29),
                created_at=datetime(2020, 9, 29, 12, 58, 7, tzinfo=UTC),
            ),
            intuit_tid="1-tid",
        )

    def test_total_leaves_the_tax_out(self) -> None:
        outcome = judge(sample("200_invoice_with_tax.json"), kind=Kind.INVOICE)

        assert isinstance(outcome, Ok)
        assert isinstance(outcome.found, Document)
        assert outcome.found.total == Decimal("100.00")

    def test_that_was_voided_says_so(self) -> None:
        outcome = judge(sample("200_invoice_void.json"), kind=Kind.INVOICE)

        assert isinstance(outcome, Ok)
        assert isinstance(outcome.found, Document)
        assert outcome.found.voided

    def test_without_its_number_is_read_all_the_same(self) -> None:
        outcome = judge(sample("200_invoice_auto_number.json"), kind=Kind.INVOICE)

        assert isinstance(outcome, Ok)
        assert isinstance(outcome.found, Document)
        assert outcome.found.doc_number is None

    @pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
    def test_created_beyond_our_calendar_is_read_without_that_instant(self, at: str) -> None:
        known = sample("200_invoice.json")
        body = known.body.replace(b"2020-09-29T05:58:07-07:00", at.encode())

        outcome = judge(replace(known, body=body), kind=Kind.INVOICE)

        assert isinstance(outcome, Ok)
        assert isinstance(outcome.found, Document)
        assert outcome.found.created_at is None

    def test_without_an_id_is_unknown(self) -> None:
        outcome = judge(sample("200_invoice_without_id.json"), kind=Kind.INVOICE)

        assert outcome == Unknown(why="shape_Id", intuit_tid="1-tid")

    def test_is_not_a_customer(self) -> None:
        outcome = judge(sample("200_customer.json"), kind=Kind.INVOICE)

        assert outcome == Unknown(why="shape_Invoice", intuit_tid="1-tid")


class TestCustomer:
    def test_is_read(self) -> None:
        outcome = judge(sample("200_customer.json"), kind=Kind.CUSTOMER)

        assert outcome == Ok(
            found=Party(
                quickbooks_id="70",
                sync_token="0",  # noqa: S106 - a version, not a secret
                display_name="25/00411/BBA",
                active=True,
            ),
            intuit_tid="1-tid",
        )

    def test_is_not_an_invoice(self) -> None:
        outcome = judge(sample("200_invoice.json"), kind=Kind.CUSTOMER)

        assert outcome == Unknown(why="shape_Customer", intuit_tid="1-tid")


REFUSED: list[tuple[str, str, Passing]] = [
    ("400_6210_closed.json", "period_closed", Passing.NO),
    ("400_2500_item.json", "item_inactive", Passing.NO),
    ("400_2500_names.json", "customer_inactive", Passing.NO),
    ("400_610.json", "item_inactive", Passing.NO),
    ("400_2010.json", "internal_error", Passing.NO),
    ("400_500.json", "internal_error", Passing.NO),
    ("400_4001.json", "internal_error", Passing.NO),
    ("400_6000_vat.json", "tax_code_needed", Passing.NO),
    ("401_3200.json", "authentication_failed", Passing.SIGN_IN),
    ("401_3200.xml", "authentication_failed", Passing.SIGN_IN),
    ("401_130.xml", "wrong_environment", Passing.STOP),
    ("403_3100.json", "wrong_environment", Passing.STOP),
    ("403_3001.xml", "quickbooks_rate_limited", Passing.PAUSE),
    ("429_3001.xml", "quickbooks_rate_limited", Passing.PAUSE),
    ("429_3001.json", "quickbooks_rate_limited", Passing.PAUSE),
]

UNKNOWN: list[tuple[str, str]] = [
    ("400_5010.json", "stale_object"),
    ("400_6000_maybe_saved.json", "maybe_saved"),
    ("400_6000_strange.json", "rule_without_name"),
    ("500_10000.json", "status_500"),
    ("404_page.html", "status_404"),
    ("502_page.html", "status_502"),
    ("504_stream_timeout.txt", "status_504"),
    ("200_page.html", "type"),
    ("200_deleted_invoice.json", "shape_status"),
    ("200_no_rows.json", "shape_Invoice"),
]

LOOK: list[tuple[str, str, str | None]] = [
    ("400_6140.json", "number_taken", "6575"),
    ("400_6140_journal.json", "number_taken_by_other_type", "3632"),
    ("400_6140_old.json", "number_taken", None),
    ("400_6210_number.json", "number_taken", None),
    ("400_several.json", "number_taken", "6575"),
    ("400_6240_null.json", "name_taken", None),
    ("400_6240_id.json", "name_taken", "1209"),
    ("400_6240_other.json", "name_taken", None),
    ("400_6240_french.json", "name_taken", "425"),
]


class TestAnswer:
    @pytest.mark.parametrize(("name", "cause", "passing"), REFUSED)
    def test_is_refused(self, name: str, cause: str, passing: Passing) -> None:
        outcome = judge(sample(name), kind=Kind.INVOICE)

        assert isinstance(outcome, Refused)
        assert (outcome.cause, outcome.passing) == (cause, passing)

    @pytest.mark.parametrize(("name", "why"), UNKNOWN)
    def test_is_unknown(self, name: str, why: str) -> None:
        outcome = judge(sample(name), kind=Kind.INVOICE)

        assert isinstance(outcome, Unknown)
        assert (outcome.why, outcome.look_now) == (why, False)

    @pytest.mark.parametrize(("name", "why", "txn_id"), LOOK)
    def test_asks_to_look(self, name: str, why: str, txn_id: str | None) -> None:
        outcome = judge(sample(name), kind=Kind.CUSTOMER)

        assert isinstance(outcome, Unknown)
        assert (outcome.why, outcome.look_now, outcome.txn_id) == (why, True, txn_id)

    def test_nobody_has_seen_raises_the_alarm(self) -> None:
        outcome = judge(sample("400_9999.json"), kind=Kind.INVOICE)

        assert isinstance(outcome, Unknown)
        assert outcome.unclassified

    def test_that_repeats_the_token_keeps_no_text(self) -> None:
        outcome = judge(sample("401_3200.json"), kind=Kind.INVOICE)

        assert "canary" not in repr(outcome)


def outcome_of(
    body: str,
    *,
    status: int = 400,
    challenge: str | None = None,
    retry_after: str | None = None,
    content_type: str = "application/json",
) -> Outcome:
    return judge(
        Answer(
            status=status,
            content_type=content_type,
            body=body.encode(),
            challenge=challenge,
            retry_after=retry_after,
            date="Tue, 24 Nov 2026 08:00:00 GMT",
        ),
        kind=Kind.INVOICE,
    )


def fault(*codes: str) -> str:
    errors = ",".join(f'{{"Message":"m","Detail":"d","code":"{code}"}}' for code in codes)
    return f'{{"Fault":{{"Error":[{errors}],"type":"ValidationFault"}}}}'


class TestLimits:
    def test_of_an_answer_are_these(self) -> None:
        limits = (BODY_BYTES_MAX, VALUES_MAX, DEPTH_MAX, TEXT_MAX, PAGE_ROWS, PLACES_MAX)

        assert limits == (16_777_216, 500_000, 64, 500, 1000, 30)


class TestStatus:
    @pytest.mark.parametrize("status", [201, 204, 301, 302, 404, 405, 409, 500, 502, 503, 504])
    def test_outside_the_table_is_unknown_whatever_the_body_says(self, status: int) -> None:
        outcome = outcome_of(fault("2020"), status=status)

        assert outcome == Unknown(why=f"status_{status}")

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500, 503])
    def test_never_hides_a_limit(self, status: int) -> None:
        outcome = outcome_of(fault("003001"), status=status)

        assert isinstance(outcome, Refused)
        assert outcome.passing is Passing.PAUSE

    def test_500_with_a_limit_and_something_else_is_unknown(self) -> None:
        assert outcome_of(fault("3001", "10000"), status=500) == Unknown(why="status_500")

    def test_429_needs_no_body(self) -> None:
        outcome = outcome_of("", status=429, content_type="text/html")

        assert outcome == Refused("quickbooks_rate_limited", passing=Passing.PAUSE, code="429")

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            pytest.param(401, '<html><Error code="3200"></html>', id="a page, not a fault"),
            pytest.param(403, '<html><Error code="3100"></html>', id="a page under 403"),
            pytest.param(400, '<?xml?><Error code="2020"/>', id="XML where none is expected"),
            pytest.param(503, '<?xml?><Error code="3100"/>', id="XML under 503"),
        ],
    )
    def test_wants_xml_to_be_a_fault_of_a_gate(self, status: int, body: str) -> None:
        outcome = outcome_of(body, status=status, content_type="text/xml")

        assert isinstance(outcome, Unknown)

    def test_413_is_our_fault(self) -> None:
        assert outcome_of("", status=413) == Refused("internal_error", code="413")

    def test_200_with_a_fault_is_judged_by_the_fault(self) -> None:
        outcome = outcome_of(fault("2020"), status=200)

        assert isinstance(outcome, Refused)
        assert outcome.cause == "quickbooks_rejected"

    def test_200_with_fault_and_entity_is_unknown(self) -> None:
        outcome = outcome_of(fault("2020")[:-1] + ',"Invoice":{"Id":"1"}}', status=200)

        assert outcome == Unknown(why="fault_and_entity", unclassified=True)

    @pytest.mark.parametrize("status", [200, 400, 500, 503])
    def test_with_a_limit_and_an_entity_is_unknown(self, status: int) -> None:
        outcome = outcome_of(fault("3001")[:-1] + ',"Invoice":{"Id":"1"}}', status=status)

        assert isinstance(outcome, Unknown)

    def test_400_without_a_fault_is_unknown(self) -> None:
        assert outcome_of("{}") == Unknown(why="status_400", unclassified=True)

    def test_500_as_a_code_is_refused_under_400_only(self) -> None:
        assert isinstance(outcome_of(fault("500")), Refused)
        assert isinstance(outcome_of(fault("500"), status=200), Unknown)

    @pytest.mark.parametrize("body", ["{}", "<html>", fault("2020"), ""])
    def test_401_with_a_challenge_is_a_sign_in(self, body: str) -> None:
        outcome = outcome_of(body, status=401, challenge='Bearer realm="Intuit"')

        assert outcome == Refused("authentication_failed", passing=Passing.SIGN_IN)

    @pytest.mark.parametrize("challenge", [None, "Basic realm=proxy"])
    @pytest.mark.parametrize("body", ["{}", "<html>", fault("2020"), ""])
    def test_401_without_one_proves_nothing(self, body: str, challenge: str | None) -> None:
        outcome = outcome_of(body, status=401, challenge=challenge)

        assert isinstance(outcome, Unknown)

    def test_403_knows_its_own_codes_only(self) -> None:
        assert isinstance(outcome_of(fault("5020"), status=403), Refused)
        assert isinstance(outcome_of(fault("2020"), status=403), Unknown)

    def test_403_with_a_page_is_unknown(self) -> None:
        assert outcome_of("<html>", status=403) == Unknown(why="status_403")

    @pytest.mark.parametrize(
        ("asked", "seconds"),
        [
            ("30", 30),
            (" 7 ", 7),
            ("Tue, 24 Nov 2026 08:01:30 GMT", 90),
            ("Tue, 24 Nov 2026 07:00:00 GMT", 0),
            ("Tue, 24 Nov 2026 07:00:00", None),
            ("soon", None),
            ("Fri, 31 Dec 9999 23:59:59 -2300", None),
            (f"Tue, 24 Nov {'9' * 30} 08:00:00 GMT", None),
            ("-5", None),
            (None, None),
        ],
    )
    def test_429_says_how_long(self, asked: str | None, seconds: int | None) -> None:
        outcome = outcome_of(fault("3001"), status=429, retry_after=asked)

        assert isinstance(outcome, Refused)
        assert outcome.retry_after_s == seconds

    def test_429_with_a_date_and_no_date_of_its_own_says_nothing(self) -> None:
        answer = Answer(429, "", b"", retry_after="Tue, 24 Nov 2026 08:01:30 GMT")

        outcome = judge(answer, kind=Kind.INVOICE)

        assert isinstance(outcome, Refused)
        assert outcome.retry_after_s is None


class TestFaultEnvelope:
    @pytest.mark.parametrize(
        "body",
        [
            '{"Fault":[]}',
            '{"Fault":{}}',
            '{"Fault":{"Error":[]}}',
            '{"Fault":{"Error":"2020"}}',
            '{"Fault":{"Error":[2020]}}',
            '{"Fault":{"Error":[{"Message":"m"}]}}',
            '{"Fault":{"Error":[{"code":2020}]}}',
            '{"fault":{"error":[{"code":"two"}]}}',
        ],
    )
    def test_we_cannot_read_is_unknown(self, body: str) -> None:
        outcome = outcome_of(body)

        assert isinstance(outcome, Unknown)
        assert outcome.unclassified

    @pytest.mark.parametrize(
        "body",
        [
            '{"Fault":{"Error":[{"code":"2020"}]},"fault":{"error":[{"code":"5010"}]}}',
            '{"fault":{"error":[{"code":"2020"}]},"Fault":{"Error":[{"code":"5010"}]}}',
            '{"Fault":{"Error":[{"code":"2020"}]},"fault":{"error":[]}}',
            '{"Fault":{"Error":[{"code":"2020"}]},"fault":true}',
        ],
    )
    def test_beside_another_hides_nothing(self, body: str) -> None:
        assert isinstance(outcome_of(body), Unknown)

    @pytest.mark.parametrize(
        "twice", ['"code":"5010","Code":"2020"', '"Code":"5010","code":"2020"']
    )
    def test_that_spells_its_code_twice_is_unknown(self, twice: str) -> None:
        outcome = outcome_of(f'{{"Fault":{{"Error":[{{{twice}}}]}}}}')

        assert outcome == Unknown(why="unclassified", unclassified=True)

    @pytest.mark.parametrize("words", ["errorCode=00020201", "errorCode=000202099"])
    def test_whose_words_hold_a_longer_number_is_unknown(self, words: str) -> None:
        outcome = outcome_of(f'{{"fault":{{"error":[{{"message":"{words}"}}]}}}}')

        assert isinstance(outcome, Unknown)

    def test_takes_the_code_from_the_words_where_it_stands_only_there(self) -> None:
        outcome = outcome_of(
            '{"fault":{"error":[{"message":"errorCode=003100; statusCode=403"}]}}', status=403
        )

        assert isinstance(outcome, Refused)
        assert outcome.cause == "wrong_environment"

    def test_that_is_null_is_none(self) -> None:
        assert outcome_of('{"fault":null,"Fault":null}') == Unknown(
            why="status_400", unclassified=True
        )
