"""What a look-up proves, and which changes of a status are legal."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.invoices.model import Document, Status
from application.invoices.outcomes import (
    MOVES,
    Edge,
    IllegalMove,
    Passing,
    Unknown,
    Verdict,
    absence_counts_from,
    assert_legal,
    clocks_agree,
    differences,
    fits,
    verdict,
)
from tests.core.rows import FOUND, SENT, lightly

SENT_AT = datetime(2025, 11, 22, 10, 12, tzinfo=UTC)
FROM = SENT_AT + timedelta(seconds=725)
EARLY, LATE = FROM - timedelta(microseconds=1), FROM

OTHER_TOTAL = replace(FOUND, total=Decimal("475000.00"))
OTHER_CUSTOMER = replace(FOUND, customer_id="59")
OTHER_DATE = replace(FOUND, dated=date(2025, 11, 19))
VOID = replace(FOUND, total=Decimal(0), voided=True)
SECOND = replace(FOUND, quickbooks_id="1047")
RECEIPT = replace(FOUND, txn_type="SalesReceipt")
OTHER_CASE = replace(FOUND, doc_number="mis-12345")
OTHER_NUMBER = replace(FOUND, doc_number="MIS-123456")
NUMBERLESS = replace(FOUND, doc_number=None)


class TestVerdict:
    @pytest.mark.covers("E6", "E7")
    @pytest.mark.parametrize(
        ("found", "now", "looks", "concluded"),
        [
            pytest.param([FOUND], EARLY, 0, Verdict.ADOPT, id="found needs no wait"),
            pytest.param([FOUND], LATE, 9, Verdict.ADOPT, id="found after many looks"),
            pytest.param([OTHER_TOTAL], LATE, 1, Verdict.CONFLICT, id="row 61: another total"),
            pytest.param([OTHER_CUSTOMER], EARLY, 0, Verdict.CONFLICT, id="row 62: customer"),
            pytest.param([OTHER_DATE], EARLY, 0, Verdict.CONFLICT, id="row 63: another date"),
            pytest.param([VOID], LATE, 1, Verdict.CONFLICT, id="row 64: a void holds the number"),
            pytest.param([VOID, VOID], LATE, 1, Verdict.CONFLICT, id="voids only"),
            pytest.param([RECEIPT], EARLY, 0, Verdict.CONFLICT, id="another type of document"),
            pytest.param([FOUND, SECOND], EARLY, 0, Verdict.DUPLICATE, id="two that fit"),
            pytest.param([OTHER_TOTAL, SECOND], EARLY, 0, Verdict.DUPLICATE, id="two, one fits"),
            pytest.param([FOUND, VOID], EARLY, 0, Verdict.ADOPT, id="one live beside a void"),
            pytest.param([VOID, OTHER_DATE], EARLY, 0, Verdict.CONFLICT, id="void and stranger"),
            pytest.param([], EARLY, 5, Verdict.WAIT, id="too early, however often asked"),
            pytest.param([], LATE, 0, Verdict.WAIT, id="the first empty answer proves nothing"),
            pytest.param([], LATE, 1, Verdict.ABSENT, id="second empty answer, late enough"),
            pytest.param([OTHER_CASE], LATE, 1, Verdict.ABSENT, id="numbers are case-sensitive"),
            pytest.param([OTHER_NUMBER], EARLY, 1, Verdict.WAIT, id="another number is nothing"),
            pytest.param([NUMBERLESS], LATE, 1, Verdict.ABSENT, id="no number is not ours"),
        ],
    )
    def test_follows_the_table(
        self, found: list[Document], now: datetime, looks: int, concluded: Verdict
    ) -> None:
        assert verdict(SENT, found, now=now, absent_from=FROM, looks=looks) is concluded

    @pytest.mark.covers("E6")
    @lightly
    @given(
        found=st.lists(
            st.sampled_from([FOUND, OTHER_TOTAL, VOID, SECOND, RECEIPT, OTHER_CASE, NUMBERLESS]),
            max_size=4,
        ),
        after_ms=st.integers(-(10**7), 10**7),
        looks=st.integers(0, 6),
    )
    def test_never_forgets_a_live_document(
        self, *, found: list[Document], after_ms: int, looks: int
    ) -> None:
        now = FROM + timedelta(milliseconds=after_ms)

        concluded = verdict(SENT, found, now=now, absent_from=FROM, looks=looks)

        held = [one for one in found if one.doc_number == SENT.doc_number]
        assert (concluded in {Verdict.WAIT, Verdict.ABSENT}) == (not held)
        if concluded is Verdict.ABSENT:
            assert now >= FROM
            assert looks > 0
        if concluded is Verdict.ADOPT:
            assert [one for one in held if fits(SENT, one)] == [
                one for one in held if not one.voided
            ]


class TestFits:
    @pytest.mark.parametrize(
        ("found", "fitting"),
        [
            pytest.param(FOUND, True, id="all agree, 450000 is 450000.00"),
            pytest.param(OTHER_TOTAL, False, id="total"),
            pytest.param(OTHER_CUSTOMER, False, id="customer"),
            pytest.param(OTHER_DATE, False, id="date"),
            pytest.param(OTHER_CASE, False, id="number"),
            pytest.param(NUMBERLESS, False, id="no number"),
            pytest.param(RECEIPT, False, id="type"),
            pytest.param(replace(FOUND, voided=True), False, id="voided"),
            pytest.param(replace(FOUND, total=Decimal("449999.99")), False, id="a cent"),
        ],
    )
    def test_wants_everything(self, *, found: Document, fitting: bool) -> None:
        assert fits(SENT, found) is fitting
        assert (differences(SENT, found) == ()) is fitting


class TestDifferences:
    @pytest.mark.parametrize(
        ("found", "words"),
        [
            pytest.param(OTHER_TOTAL, ["total 475,000 instead of 450,000"], id="total"),
            pytest.param(OTHER_CUSTOMER, ["customer 59 instead of 58"], id="customer"),
            pytest.param(OTHER_DATE, ["date 2025-11-19 instead of 2025-11-18"], id="date"),
            pytest.param(NUMBERLESS, ["number missing instead of MIS-12345"], id="no number"),
            pytest.param(OTHER_CASE, ["number mis-12345 instead of MIS-12345"], id="number"),
            pytest.param(RECEIPT, ["it is a SalesReceipt"], id="type"),
            pytest.param(VOID, ["it is voided"], id="a void's total of 0 goes without saying"),
            pytest.param(
                replace(OTHER_TOTAL, customer_id="59"),
                ["customer 59 instead of 58", "total 475,000 instead of 450,000"],
                id="each one",
            ),
        ],
    )
    def test_are_told_one_by_one(self, found: Document, words: list[str]) -> None:
        assert list(differences(SENT, found)) == words


class TestAbsence:
    @pytest.mark.parametrize(
        ("lease_ended_at", "since"),
        [
            pytest.param(None, SENT_AT, id="sender alive: from the send"),
            pytest.param(
                SENT_AT + timedelta(minutes=5),
                SENT_AT + timedelta(minutes=5),
                id="sender dead: it could write until its lease ended",
            ),
            pytest.param(
                SENT_AT - timedelta(minutes=5), SENT_AT, id="lease ended before: from the send"
            ),
        ],
    )
    def test_counts_after_the_grace(self, lease_ended_at: datetime | None, since: datetime) -> None:
        counted = absence_counts_from(SENT_AT, lease_ended_at=lease_ended_at, grace_ms=725_500)

        assert counted == since + timedelta(milliseconds=725_500)


class TestClocks:
    @pytest.mark.parametrize(
        ("apart", "agree"),
        [
            pytest.param(timedelta(seconds=60), True, id="a minute behind"),
            pytest.param(timedelta(seconds=-60), True, id="a minute ahead"),
            pytest.param(timedelta(seconds=60, microseconds=1), False, id="behind"),
            pytest.param(timedelta(seconds=-60, microseconds=-1), False, id="ahead"),
            pytest.param(None, True, id="the answer carries no date"),
        ],
    )
    def test_agree_within_a_minute(self, *, apart: timedelta | None, agree: bool) -> None:
        theirs = None if apart is None else SENT_AT - apart

        assert clocks_agree(SENT_AT, theirs) is agree


class TestUnknown:
    def test_neither_looks_at_once_nor_alarms_unless_it_says_so(self) -> None:
        plain = Unknown("reset")

        assert (plain.look_now, plain.unclassified) == (False, False)


class TestWords:
    def test_of_what_passes_and_of_what_is_proved_stay(self) -> None:
        assert [*Passing] == ["no", "not_sent", "pause", "transient", "sign_in", "stop"]
        assert [*Verdict] == ["adopt", "conflict", "duplicate", "wait", "absent"]


class TestMoves:
    LEGAL = [  # noqa: RUF012 - a table nobody changes
        ("X1", None, 3),
        ("X1", 0, 3),
        ("X2", 2, 3),
        ("X3", 3, 3),
        ("X4", 3, 2),
        ("X5", 3, None),
        ("X5", 3, 0),
        ("X5", 3, 1),
        ("X5", 3, 2),
        ("X6", 3, 3),
        ("X7", 3, 3),
        ("X8", 3, 3),
        ("X9", 3, 2),
        ("X10", 3, 2),
        ("X11", 3, 3),
        ("X12", 3, 3),
        ("X13", 3, 2),
        ("X14", 3, 3),
        ("X15", 3, 0),
        ("X15", 3, None),
        ("X16", 3, 2),
        ("X17", 3, 1),
        ("X18", 3, 3),
        ("X19", 2, 3),
        ("X20", 1, 3),
    ]

    @pytest.mark.parametrize("edge", Edge)
    def test_are_these_and_no_others(self, edge: Edge) -> None:
        listed = {
            (_status(before), _status(after)) for name, before, after in self.LEGAL if name == edge
        }
        refused = set()
        for before, after in product([None, *Status], repeat=2):
            try:
                assert_legal(before, after, edge)
            except IllegalMove:
                refused.add((before, after))

        assert set(product([None, *Status], repeat=2)) - refused == listed

    def test_are_all_listed(self) -> None:
        assert set(MOVES) == set(Edge)
        assert [edge.value for edge in Edge] == [f"X{number}" for number in range(1, 21)]

    def test_that_are_illegal_say_what_was_tried(self) -> None:
        with pytest.raises(IllegalMove) as caught:
            assert_legal(Status.SYNCED, None, Edge.RELEASE)

        told = (caught.value.before, caught.value.after, caught.value.edge)
        assert told == (Status.SYNCED, Status.NOT_SYNCED, Edge.RELEASE)

    def test_leave_status_1_by_a_resend_only(self) -> None:
        leaving = {
            edge for edge, moves in MOVES.items() for before, _ in moves if before is Status.SYNCED
        }

        assert leaving == {Edge.CLAIM_SYNCED}


def _status(value: int | None) -> Status | None:
    return None if value is None else Status(value)
