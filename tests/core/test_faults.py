"""The whole table of refusals, row by row."""

import pytest

from application.invoices.outcomes import Passing, Refused, Unknown
from application.quickbooks.answers import TEXT_MAX, FaultLine
from application.quickbooks.faults import CODES, PAUSING_CODES, Care, judge

DATA = "2020 2030 2040 2050 2080 2090 2100 2110 2120 2140 2150 2160 2170 2200 2210 2230 2240 2250"
MORE_DATA = "2300 2600 620 700 800 900 6010 6080 6180 6220 6270 6280 6310 6420 6450 6480 6540 6560"
ROWS: list[tuple[str, str, Passing]] = [
    ("100 110 3200", "authentication_failed", Passing.SIGN_IN),
    ("120", "permission_lost", Passing.STOP),
    ("130 3100", "wrong_environment", Passing.STOP),
    ("6190 7001", "company_inactive", Passing.STOP),
    ("10200", "company_reset", Passing.STOP),
    ("3001", "quickbooks_rate_limited", Passing.PAUSE),
    ("140 150 4002", "quickbooks_busy", Passing.TRANSIENT),
    (DATA, "quickbooks_rejected", Passing.NO),
    (MORE_DATA, "quickbooks_rejected", Passing.NO),
    ("2060 2070", "date_invalid", Passing.NO),
    ("2290", "invalid_amount", Passing.NO),
    ("2220", "currency_mismatch", Passing.NO),
    ("610 2500 6430 6440", "item_inactive", Passing.NO),
    ("6250", "customer_inactive", Passing.NO),
    ("6100 6160 6170 6230", "tax_code_needed", Passing.NO),
    ("5020 5030", "feature_missing", Passing.NO),
    ("6200 6210", "period_closed", Passing.NO),
    ("500 1040 2000 2010 2130 3202 4000 4001 6070 10100", "internal_error", Passing.NO),
]
UNKNOWN: list[tuple[str, str, bool]] = [
    ("6140", "number_taken", True),
    ("6240", "name_taken", True),
    ("600", "request_id_used", False),
    ("630", "duplicate_object", False),
    ("1000", "operation_failed", False),
    ("1010", "operation_failed", False),
    ("1020", "operation_failed", False),
    ("5010", "stale_object", False),
    ("10000", "system_failure", False),
]
TEXTS: list[tuple[str, str, str, Passing]] = [
    ("6000", "at Exactly the same time. Please", "quickbooks_busy", Passing.TRANSIENT),
    ("6000", "add or edit one name at a time", "quickbooks_busy", Passing.TRANSIENT),
    ("6000", "an error while calculating tax", "quickbooks_busy", Passing.TRANSIENT),
    ("6000", "You cannot modify a list element that has been deleted", "item_inactive", Passing.NO),
    ("6000", "you need to activate this item before", "item_inactive", Passing.NO),
    ("6000", "have a GST/HST rate before", "tax_code_needed", Passing.NO),
    ("6000", "have a VAT rate before", "tax_code_needed", Passing.NO),
    ("6000", "choose a sales tax code for", "tax_code_needed", Passing.NO),
    ("6000", "lines do not have a tax code", "tax_code_needed", Passing.NO),
    ("6000", "The currency of the transaction is", "currency_mismatch", Passing.NO),
    ("6000", "amount that is 0 or greater", "invalid_amount", Passing.NO),
    ("6000", "You cannot enter more than 21", "quickbooks_rejected", Passing.NO),
    ("2500", "Invalid Reference Id : Depts element id 2", "location_unmapped", Passing.NO),
    ("2500", "Invalid Reference Id : Klasses element id", "feature_missing", Passing.NO),
    ("2500", "Invalid Reference Id : TaxCodeRef", "tax_code_needed", Passing.NO),
    ("2500", "Invalid Reference Id : DepartmentRef", "location_unmapped", Passing.NO),
    ("2500", "Invalid Reference Id : ClassRef", "feature_missing", Passing.NO),
    ("610", "Object Not Found : ItemRef", "item_inactive", Passing.NO),
    ("610", "Object Not Found : CustomerRef", "customer_inactive", Passing.NO),
    ("6210", "Account Period Closed", "period_closed", Passing.NO),
]


def line(code: str, *, text: str = "", element: str = "") -> FaultLine:
    return FaultLine(code=code, text=text, element=element)


class TestCode:
    @pytest.mark.parametrize(
        ("code", "cause", "passing"),
        [(code, cause, passing) for codes, cause, passing in ROWS for code in codes.split()],
    )
    def test_is_refused(self, code: str, cause: str, passing: Passing) -> None:
        outcome = judge([line(code)], status=400)

        assert outcome == Refused(
            cause, passing=passing, code=code, field="email" if code == "2210" else None,
            reference="customer" if code == "6250" else None,
        )  # fmt: skip

    @pytest.mark.covers("E8")
    @pytest.mark.parametrize(("code", "why", "look_now"), UNKNOWN)
    def test_is_unknown(self, code: str, why: str, look_now: bool) -> None:  # noqa: FBT001 - a row
        outcome = judge([line(code)], status=400)

        assert outcome == Unknown(why=why, look_now=look_now, code=code)

    def test_outside_the_table_is_unknown_with_an_alarm(self) -> None:
        known = set(CODES) | {"500", "6000"}

        for number in range(1, 11_000):
            if str(number) not in known:
                outcome = judge([line(str(number))], status=400)
                assert isinstance(outcome, Unknown)
                assert outcome.unclassified

    def test_has_a_row_in_this_file(self) -> None:
        rows = {code for codes, _, _ in ROWS for code in codes.split()}

        assert set(CODES) - rows - {code for code, _, _ in UNKNOWN} == set()


class TestStatus:
    OWN = {  # noqa: RUF012 - a table nobody changes
        401: "100 110 120 130 3001 3100 3200 3202",
        403: "120 130 3001 3100 5020 5030 6190 7001",
    }

    @pytest.mark.parametrize("status", OWN)
    def test_of_a_gate_makes_only_its_own_codes_mean_something(self, status: int) -> None:
        meant = {code for code in CODES if isinstance(judge([line(code)], status=status), Refused)}

        assert meant == set(self.OWN[status].split())


class TestCare:
    def test_rises_from_content_to_unknown(self) -> None:
        assert [care.name for care in sorted(Care)] == [
            "CONTENT", "TRANSIENT", "PAUSE", "STOP", "LOOK", "UNKNOWN"
        ]  # fmt: skip
        assert [care.value for care in sorted(Care)] == [0, 1, 2, 3, 4, 5]

    def test_rests_the_whole_company_after_these_passing_refusals(self) -> None:
        assert {"140", "150"} == PAUSING_CODES


class TestText:
    @pytest.mark.parametrize(("code", "text", "cause", "passing"), TEXTS)
    def test_refines_a_code(self, code: str, text: str, cause: str, passing: Passing) -> None:
        outcome = judge([line(code, text=text)], status=400)

        assert isinstance(outcome, Refused)
        assert (outcome.cause, outcome.passing) == (cause, passing)

    @pytest.mark.covers("E8", "E20")
    @pytest.mark.parametrize(
        "text", ["Unexpected Internal Error. (-30000)", "while accessing or saving your data"]
    )
    def test_that_may_have_saved_is_unknown(self, text: str) -> None:
        outcome = judge([line("6000", text=text)], status=400)

        assert isinstance(outcome, Unknown)
        assert (outcome.why, outcome.unclassified) == ("maybe_saved", False)

    @pytest.mark.parametrize(
        ("text", "element"),
        [
            ("Duplicate Document Number Error", ""),
            ("This number has already been used.", ""),
            ("Error", "number has already been used"),
        ],
    )
    def test_of_a_taken_number_asks_to_look(self, text: str, element: str) -> None:
        outcome = judge([line("6210", text=text, element=element)], status=400)

        assert isinstance(outcome, Unknown)
        assert (outcome.why, outcome.look_now) == ("number_taken", True)

    def test_and_element_are_two_words(self) -> None:
        outcome = judge([line("6000", text="gst/hst", element="rate")], status=400)

        assert isinstance(outcome, Refused)
        assert outcome.cause == "tax_code_needed"

    def test_alone_proves_nothing(self) -> None:
        outcome = judge([line("9999", text="amount that is 0 or greater")], status=400)

        assert isinstance(outcome, Unknown)

    def test_is_shown_on_one_line_and_cut(self) -> None:
        outcome = judge([line("2020", text="a\x1b[31m\nb\u202e" + "c" * 900)], status=400)

        assert isinstance(outcome, Refused)
        assert outcome.text is not None
        assert outcome.text.startswith("a [31m b ccc")
        assert len(outcome.text) == TEXT_MAX


class TestDocumentNamed:
    @pytest.mark.parametrize(
        ("words", "txn_id"),
        [
            ("TxnType=Invoice with TxnId=6575", "6575"),
            (f"TxnType=Invoice with TxnId={'9' * 21}", "9" * 21),
            (f"TxnType=Invoice with TxnId={'9' * 22}", None),
            ("TxnType=Invoice with TxnId=\u0666\u0665", None),
        ],
    )
    def test_is_taken_whole_or_not_at_all(self, words: str, txn_id: str | None) -> None:
        outcome = judge([line("6140", text=words)], status=400)

        assert isinstance(outcome, Unknown)
        assert (outcome.look_now, outcome.txn_id) == (True, txn_id)

    @pytest.mark.parametrize(
        ("words", "txn_id"), [("Id=425", "425"), (f"Id={'9' * 22}", None), ("Id=\u0664", None)]
    )
    def test_of_a_name_is_taken_whole_or_not_at_all(self, words: str, txn_id: str | None) -> None:
        outcome = judge([line("6240", text=words)], status=400)

        assert isinstance(outcome, Unknown)
        assert (outcome.look_now, outcome.txn_id) == (True, txn_id)


class TestReference:
    @pytest.mark.parametrize(
        ("code", "text", "element", "reference"),
        [
            ("2500", "Invalid Reference Id : Names element id 75", "", "customer"),
            ("2500", "", "CustomerRef", "customer"),
            ("2500", "", "Line.SalesItemLineDetail.ItemRef", "item"),
            ("2500", "Accounts element id 7 not found", "", "item"),
            ("610", "Names element", "", "customer"),
            ("610", "made inactive. Check the fields with accounts, customers", "", None),
        ],
    )
    def test_is_named_where_the_refusal_names_it(
        self, code: str, text: str, element: str, reference: str | None
    ) -> None:
        outcome = judge([line(code, text=text, element=element)], status=400)

        assert isinstance(outcome, Refused)
        assert outcome.reference == reference

    def test_to_a_phone_is_a_field(self) -> None:
        outcome = judge([line("2050", element="PrimaryPhone.FreeFormNumber")], status=400)

        assert isinstance(outcome, Refused)
        assert (outcome.cause, outcome.field) == ("quickbooks_rejected", "phone")


class TestSeveral:
    @pytest.mark.parametrize(
        ("codes", "winner"),
        [
            ("2020 140", "140"),
            ("140 3001", "3001"),
            ("3001 6190", "6190"),
            ("6190 6140", "6140"),
            ("6140 5010", "5010"),
            ("2020 9999", "9999"),
            ("2020 2500", "2020"),
        ],
    )
    def test_errors_leave_the_most_careful(self, codes: str, winner: str) -> None:
        for order in (codes.split(), codes.split()[::-1])[: 1 if winner == "2020" else 2]:
            assert judge([line(code) for code in order], status=400).code == winner
