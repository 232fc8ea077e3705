"""Which amount is sent, and the one place where it is rounded."""

from decimal import Decimal, getcontext, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.invoices.model import AmountRule, MisInvoice, Oddity
from application.invoices.money import (
    AMOUNT_MOST,
    amount_to_send,
    cents,
    shown,
    why_no_amount,
)
from tests.core.rows import invoices, lightly, row, rules


class TestCents:
    @pytest.mark.parametrize(
        ("value", "rounded"),
        [
            pytest.param("0.004", "0.00", id="below half a cent is nothing"),
            pytest.param("0.005", "0.01", id="half a cent goes up"),
            pytest.param("1.005", "1.01", id="not to the even cent"),
            pytest.param("2.675", "2.68", id="exact in decimal, not in binary"),
            pytest.param("-0.005", "-0.01", id="half goes away from zero"),
            pytest.param("33333.3333", "33333.33", id="noise of a FLOAT"),
            pytest.param("12500.5", "12500.50", id="always two places"),
            pytest.param("1E+20", "100000000000000000000.00", id="more digits than a double"),
        ],
    )
    def test_are_two_places_half_up(self, value: str, rounded: str) -> None:
        assert str(cents(Decimal(value))) == rounded

    def test_do_not_depend_on_the_surrounding_context(self) -> None:
        with localcontext() as context:
            context.prec = 3

            assert cents(Decimal("123456.785")) == Decimal("123456.79")
        assert getcontext().prec == 28


class TestLimitOfReading:
    @pytest.mark.parametrize(
        ("dept", "told"),
        [
            pytest.param(Decimal(10) ** 40, "no number QuickBooks could take", id="too long"),
            pytest.param(Decimal("9" * 40), "the most QuickBooks takes", id="read, too much"),
        ],
    )
    def test_is_forty_digits(self, dept: Decimal, told: str) -> None:
        why = why_no_amount(row(dept=dept), rule=AmountRule.DEBIT)

        assert why is not None
        assert why.endswith(told)

    def test_leaves_an_amount_below_one_without_credit_alone(self) -> None:
        assert amount_to_send(row(dept=Decimal("0.01")), rule=AmountRule.NET) == Decimal("0.01")

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"dept": None}, "`dept` is empty"),
            (
                {"oddities": frozenset({Oddity.NOT_EXACT})},
                "an amount has more than two decimal places that count",
            ),
            ({"dept": Decimal(0)}, "`dept` is 0, not above 0"),
        ],
    )
    def test_and_the_others_are_told_in_whole_sentences(
        self, changes: dict[str, object], told: str
    ) -> None:
        assert why_no_amount(row(**changes), rule=AmountRule.DEBIT) == told


class TestAmountToSend:
    @pytest.mark.covers("G1", "G2")
    @pytest.mark.parametrize(
        ("dept", "credit", "debit", "net"),
        [
            pytest.param("100000", "100000", None, None, id="row 1: credit takes all"),
            pytest.param("100000", "100001", None, None, id="row 2: credit takes more than all"),
            pytest.param("0", None, None, None, id="row 3: zero"),
            pytest.param("-5", None, None, None, id="row 4: negative"),
            pytest.param("-5", "-10", None, None, id="negative, though the net is positive"),
            pytest.param(None, None, None, None, id="row 5: empty"),
            pytest.param(None, "-10", None, None, id="empty, though the net is positive"),
            pytest.param("0.004", None, None, None, id="row 6: rounds to zero"),
            pytest.param("12500.50", None, "12500.50", "12500.50", id="row 7: a fraction"),
            pytest.param("33333.3333", None, "33333.33", "33333.33", id="row 8: noise"),
            pytest.param("100000", "40000", "100000.00", "60000.00", id="row 9: a concession"),
            pytest.param("16777217", None, "16777217.00", "16777217.00", id="row 10: past 24 bits"),
            pytest.param("1000000001", "0", "1000000001.00", "1000000001.00", id="row 11: 10^9"),
            pytest.param("1E+20", None, None, None, id="row 12: what MariaDB clamps"),
            pytest.param("9999999999.99", None, "9999999999.99", "9999999999.99", id="the most"),
            pytest.param("10000000000.00", None, None, None, id="a cent above the most"),
            pytest.param("9999999999.994", None, "9999999999.99", "9999999999.99", id="rounds in"),
            pytest.param("9999999999.995", None, None, None, id="rounds out"),
            pytest.param("10000000000", "1", None, "9999999999.00", id="the net alone fits"),
            pytest.param("100", "-50", "100.00", "150.00", id="a negative credit adds"),
            pytest.param("0.01", "0.004", "0.01", "0.01", id="the least there is"),
            pytest.param("NaN", None, None, None, id="no number"),
            pytest.param("Infinity", None, None, None, id="no end"),
            pytest.param("5", "sNaN", None, None, id="credit no number"),
            pytest.param("1E+60", None, None, None, id="beyond anything stored"),
        ],
    )
    def test_under_both_rules(
        self, dept: str | None, credit: str | None, debit: str | None, net: str | None
    ) -> None:
        one = row(
            dept=None if dept is None else Decimal(dept),
            credit=None if credit is None else Decimal(credit),
        )

        sent = [amount_to_send(one, rule=rule) for rule in (AmountRule.DEBIT, AmountRule.NET)]

        assert [None if each is None else str(each) for each in sent] == [debit, net]

    def test_is_none_where_the_mis_kept_decimals_that_count(self) -> None:
        one = row(dept=Decimal("12.34"), oddities=frozenset({Oddity.NOT_EXACT}))

        assert amount_to_send(one, rule=AmountRule.DEBIT) is None

    @lightly
    @given(invoice=invoices, rule=rules)
    def test_is_none_or_two_places_above_zero(
        self, *, invoice: MisInvoice, rule: AmountRule
    ) -> None:
        amount = amount_to_send(invoice, rule=rule)

        assert amount is None or (0 < amount <= AMOUNT_MOST and amount.as_tuple().exponent == -2)


class TestWhyNoAmount:
    @pytest.mark.parametrize(
        ("dept", "credit", "words"),
        [
            pytest.param(None, None, "`dept` is empty", id="empty"),
            pytest.param("0", "450000", "`dept` is 0, not above 0", id="zero"),
            pytest.param("-5", None, "`dept` is -5, not above 0", id="negative"),
            pytest.param("5", "7", "`credit` of 7 leaves nothing of `dept`, 5", id="credit"),
            pytest.param("NaN", None, "is no number QuickBooks could take", id="no number"),
            pytest.param("1E+11", None, "above 9,999,999,999.99", id="too much"),
            pytest.param("5", None, None, id="there is one"),
        ],
    )
    def test_says_it_in_words(
        self, dept: str | None, credit: str | None, words: str | None
    ) -> None:
        one = row(
            dept=None if dept is None else Decimal(dept),
            credit=None if credit is None else Decimal(credit),
        )

        told = why_no_amount(one, rule=AmountRule.DEBIT)

        assert told is words is None or (told and words and words in told)


class TestShown:
    @pytest.mark.parametrize(
        ("amount", "words"),
        [
            ("450000.00", "450,000"),
            ("12500.5", "12,500.50"),
            ("0", "0"),
            ("-1250", "-1,250"),
            ("999.999", "1,000"),
            ("9999999999.99", "9,999,999,999.99"),
        ],
    )
    def test_has_commas_and_cents_only_where_they_count(self, amount: str, words: str) -> None:
        assert shown(Decimal(amount)) == words

    @lightly
    @given(st.decimals(-(10**12), 10**12, places=2))
    def test_says_exactly_the_amount(self, amount: Decimal) -> None:
        assert Decimal(shown(amount).replace(",", "")) == amount
