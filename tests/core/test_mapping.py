"""The guide's mapping table, row by row."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from application.invoices import mapping
from application.invoices.mapping import (
    NotValidated,
    draft_of,
    item_key,
    legal_item_name,
    source_sha256,
)
from application.invoices.model import (
    AmountRule,
    Draft,
    Fee,
    MisInvoice,
    Oddity,
)
from tests.core.rows import ROW, TUITION, UWASE, lightly, row, texts, uwase


def draft(invoice: MisInvoice = ROW, **changes: Any) -> Draft:  # noqa: ANN401 - of draft_of
    given_now: dict[str, Any] = {
        "student": UWASE,
        "fee": TUITION,
        "item_id": "23",
        "item_name": "Tuition fee",
        "customer_id": "58",
        "rule": AmountRule.DEBIT,
    }
    return draft_of(invoice, **(given_now | changes))


class TestDraft:
    def test_is_the_guide_s_table(self) -> None:
        assert draft() == Draft(
            doc_number="MIS-12345",
            customer_id="58",
            customer_name="25/00411/BBA",
            item_id="23",
            item_name="Tuition fee",
            amount=Decimal("450000.00"),
            dated=date(2025, 11, 18),
            description="Tuition, first semester",
            note="Sem 1",
        )

    def test_sends_the_net_amount_where_asked(self) -> None:
        sent = draft(row(dept=Decimal(100000), credit=Decimal(40000)), rule=AmountRule.NET)

        assert str(sent.amount) == "60000.00"

    def test_names_the_customer_by_the_clean_code(self) -> None:
        assert draft(student=uwase(code=" 25/00411/BBA ")).customer_name == "25/00411/BBA"

    @pytest.mark.parametrize(
        ("fee", "description"),
        [
            pytest.param(TUITION, "Tuition, first semester", id="the description"),
            pytest.param(replace(TUITION, description=None), "Tuition fee", id="none: the name"),
            pytest.param(replace(TUITION, description=" \n "), "Tuition fee", id="blank: the name"),
            pytest.param(
                replace(TUITION, description="\x00"), "Tuition fee", id="nothing left: the name"
            ),
            pytest.param(Fee(12, "", None), "Tuition product", id="no name: the product"),
        ],
    )
    def test_describes_the_fee(self, fee: Fee, description: str) -> None:
        assert draft(fee=fee, item_name="Tuition product").description == description

    def test_has_no_description_where_nothing_has_a_name(self) -> None:
        assert draft(fee=Fee(12, "", None), item_name="").description == ""

    @pytest.mark.covers("G4")
    @pytest.mark.parametrize(
        ("comment", "note"),
        [
            pytest.param(None, None, id="none"),
            pytest.param("  \n ", None, id="blank"),
            pytest.param("\x00\x07", None, id="nothing that can be sent"),
            pytest.param(" two\nlines\tand tab\r\n", " two\nlines\tand tab\r\n", id="verbatim"),
            pytest.param("e\u0301", "e\u0301", id="not even normalised"),
            pytest.param('<b>"R&B\'s"</b>', '<b>"R&B\'s"</b>', id="row 48: HTML, quotes"),
            pytest.param("Sem 1 [QB_ID:57]", "Sem 1 [QB_ID:57]", id="row 49: old tag stays"),
            pytest.param("🎓" * 450, "🎓" * 450, id="row 47: 900 units of emoji"),
            pytest.param("a\x00b\x1bc\x85d\ud800e", "abcde", id="what cannot be carried"),
        ],
    )
    def test_notes_the_comment(self, comment: str | None, note: str | None) -> None:
        assert draft(row(comment=comment)).note == note

    @pytest.mark.covers("G6")
    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            pytest.param("x" * 4000, "x" * 4000, id="fits"),
            pytest.param("x" * 4001, "x" * 3999 + "\u2026", id="one too many"),
            pytest.param("🎓" * 2000, "🎓" * 2000, id="2,000 pairs fit"),
            pytest.param("🎓" * 2001, "🎓" * 1999 + "\u2026", id="never half a pair"),
        ],
    )
    def test_cuts_long_texts_with_a_mark(self, text: str, kept: str) -> None:
        sent = draft(row(comment=text), fee=replace(TUITION, description=text))

        assert sent.note == kept
        assert sent.description == kept

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            pytest.param({}, (), id="nothing to tell"),
            pytest.param({"comment": " \n"}, (), id="a blank comment is nothing"),
            pytest.param({"oddities": frozenset({Oddity.TRACED})}, (), id="traces are known"),
            pytest.param(
                {"oddities": frozenset({Oddity.FRACTION, Oddity.PRECISION, Oddity.NAMESAKE})},
                ("not whole", "cannot hold", "several equal rows"),
                id="rows 7, 11, 36",
            ),
            pytest.param({"comment": "a\x00"}, ("the note is cleaned",), id="cleaned note"),
            pytest.param({"comment": "x" * 4001}, ("the note is cut at 4,000",), id="cut note"),
            pytest.param({"comment": "🎓" * 2001}, ("the note is cut",), id="cut between pairs"),
        ],
    )
    def test_tells_what_it_changed(self, changes: dict[str, Any], words: tuple[str, ...]) -> None:
        told = draft(row(**changes)).reasons

        assert len(told) == len(words)
        assert all(word in reason for word, reason in zip(words, told, strict=True))

    def test_tells_of_a_changed_description(self) -> None:
        cleaned = draft(fee=replace(TUITION, description="a\x00b"))
        cut = draft(fee=replace(TUITION, description="a" * 4001))

        assert cleaned.reasons == ("the description is cleaned of characters QuickBooks refuses",)
        assert cut.reasons == ("the description is cut at 4,000 characters",)

    @pytest.mark.parametrize("changes", [{"dept": None}, {"dated": None}], ids=["amount", "date"])
    def test_is_never_made_of_a_row_with_problems(self, changes: dict[str, Any]) -> None:
        with pytest.raises(NotValidated) as caught:
            draft(row(**changes))

        assert caught.value.invoice_id == 12345


class TestSource:
    @staticmethod
    def made(invoice: MisInvoice = ROW, **changes: Any) -> str:  # noqa: ANN401 - of source_sha256
        given_now: dict[str, Any] = {
            "item_id": "23",
            "description": "Tuition",
            "rule": AmountRule.DEBIT,
        }
        return source_sha256(invoice, **(given_now | changes))

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": 12346},
            {"reg_no": "25/00412/BBA"},
            {"dept": Decimal(1)},
            {"dept": None},
            {"dated": date(2025, 11, 19)},
            {"dated": None},
            {"comment": "Sem 2"},
            {"comment": None},
        ],
        ids=str,
    )
    def test_changes_with_what_would_be_sent(self, changes: dict[str, Any]) -> None:
        assert self.made(row(**changes)) != self.made()

    def test_changes_with_the_mapping(self) -> None:
        made = {self.made(), self.made(item_id="24"), self.made(description="Other")}

        assert len(made) == 3

    @pytest.mark.parametrize(
        "changes",
        [
            {"credit": Decimal(5)},
            {"reg_no": " 25/00411/BBA"},
            {"comment": "Sem 1\x00"},
            {"status": 3, "pushed_by": "fb1.x"},
            {"dept": Decimal(450000)},
            {"fee_category": 13},
            {"dated_text": "2025-11-18 00:00:00"},
        ],
        ids=str,
    )
    def test_stays_when_the_same_would_be_sent(self, changes: dict[str, Any]) -> None:
        assert self.made(row(**changes)) == self.made()

    def test_follows_the_rule_of_the_amount(self) -> None:
        credited = row(credit=Decimal(5))

        assert self.made(credited, rule=AmountRule.NET) != self.made(credited)

    @lightly
    @given(description=texts, comment=texts)
    def test_exists_for_any_text(self, description: str, comment: str) -> None:
        assert len(self.made(row(comment=comment), description=description)) == 64


class TestItemName:
    @pytest.mark.parametrize(
        ("name", "same"),
        [
            pytest.param("TUITION FEE ", "Tuition fee", id="row 27: case and trailing space"),
            pytest.param("Tuition \t fee", "tuition fee", id="runs of space"),
            pytest.param("Fe\u0301e", "F\u00e9e", id="one form of accents"),
            pytest.param("Straße", "STRASSE", id="full case folding"),
        ],
    )
    def test_is_matched_by_its_key(self, name: str, same: str) -> None:
        assert item_key(name) == item_key(same)

    @pytest.mark.parametrize("other", ["Tuition fees", "Tuitionfee", "Tuition-fee", ""])
    def test_is_not_matched_by_less(self, other: str) -> None:
        assert item_key(other) != item_key("Tuition fee")

    @lightly
    @given(name=texts)
    def test_has_a_key_that_is_its_own_key(self, name: str) -> None:
        assert item_key(item_key(name)) == item_key(name)

    @pytest.mark.parametrize(
        ("name", "legal"),
        [
            pytest.param('Tuition & fees (2025), "A"', True, id="ordinary"),
            pytest.param("x" * 100, True, id="100"),
            pytest.param("x" * 101, False, id="101"),
            pytest.param("Fees: tuition", False, id="row 26: colon"),
            pytest.param("Fees\ttuition", False, id="tab"),
            pytest.param("Fees\ntuition", False, id="line break"),
            pytest.param("Fees\u2028tuition", False, id="line separator"),
            pytest.param("Fees\x00", False, id="NUL"),
            pytest.param("  ", False, id="blank"),
            pytest.param("", False, id="empty"),
        ],
    )
    def test_may_be_created(self, *, name: str, legal: bool) -> None:
        assert legal_item_name(name) is legal


class TestCleanText:
    @pytest.mark.covers("G4")
    @lightly
    @given(text=texts)
    def test_can_always_be_sent(self, text: str) -> None:
        clean = mapping.clean_text(text)

        assert clean.encode("utf-8").decode("utf-8") == clean
        assert mapping.clean_text(clean) == clean
