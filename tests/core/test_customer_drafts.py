"""A payer becomes a customer; what is bad is left out, never a failure."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given

from application.invoices.mapping import customer_draft_of, without_contact
from application.invoices.model import CustomerDraft, Student
from tests.core.rows import UWASE, lightly, students, uwase


class TestCustomer:
    def test_is_the_guide_s_table(self) -> None:
        assert customer_draft_of(UWASE) == CustomerDraft(
            display_name="25/00411/BBA",
            given_name="Aline",
            middle_name=None,
            family_name="Uwase",
            print_name="Aline Uwase",
            email="uwase@mail.example",
            phone="0788 000 411",
        )

    def test_without_any_name_has_its_code(self) -> None:
        nameless = customer_draft_of(uwase(first_name=" ", last_name=None))

        assert (nameless.display_name, nameless.print_name) == ("25/00411/BBA", None)
        assert (nameless.given_name, nameless.middle_name, nameless.family_name) == (None,) * 3
        assert nameless.reasons == ()

    @pytest.mark.parametrize(
        ("first_name", "given_name", "told"),
        [
            pytest.param("  Aline   Marie ", "Aline Marie", 0, id="spaces are no change"),
            pytest.param("Ali:ne", "Ali ne", 1, id="colon"),
            pytest.param("Ali\t\nne\x00", "Ali ne", 1, id="tab, line break, NUL"),
            pytest.param("e\u0301lise", "\u00e9lise", 0, id="one form of accents"),
            pytest.param("\ud800Aline", "Aline", 1, id="half a character"),
            pytest.param("x" * 101, "x" * 100, 1, id="too long"),
            pytest.param("x" * 99 + " y", "x" * 99, 1, id="no space at the end of a cut"),
            pytest.param(":" + "x" * 120, "x" * 100, 2, id="row 42: cleaned and cut"),
            pytest.param("O'Neil-Smith & Co", "O'Neil-Smith & Co", 0, id="what is legal stays"),
        ],
    )
    def test_has_clean_names(self, first_name: str, given_name: str, told: int) -> None:
        made = customer_draft_of(uwase(first_name=first_name, last_name=None))

        assert made.given_name == given_name
        assert len([one for one in made.reasons if "first name" in one]) == told

    def test_cuts_the_whole_name_apart_from_its_parts(self) -> None:
        made = customer_draft_of(uwase(first_name="a" * 60, last_name="b" * 60))

        assert made.print_name == "a" * 60 + " " + "b" * 49
        assert made.family_name == "b" * 60
        assert made.reasons == ("the full name is cut at 110 characters",)

    @pytest.mark.parametrize(
        "email",
        [
            "uwase@mail.example",
            "a.b+c'd@x-y.mail.example",
            "  padded@mail.example ",
            "a@" + "b" * 90 + ".example",
        ],
    )
    def test_takes_a_valid_email(self, email: str) -> None:
        assert customer_draft_of(uwase(emails=(email,))).email == email.strip()

    @pytest.mark.parametrize(
        "email",
        [
            pytest.param("N/A", id="no at"),
            pytest.param("a@b@mail.example", id="two at"),
            pytest.param("a b@mail.example", id="space"),
            pytest.param("a@mail.example, b@mail.example", id="two addresses"),
            pytest.param("a@mail.example;b@mail.example", id="semicolon"),
            pytest.param(".a@mail.example", id="leading dot"),
            pytest.param("a.@mail.example", id="dot before the at"),
            pytest.param("a@mail.example.", id="trailing dot"),
            pytest.param("a..b@mail.example", id="double dot"),
            pytest.param("a@mail..example", id="double dot in the domain"),
            pytest.param("a@localhost", id="one label"),
            pytest.param("a@mail.x", id="one letter at the end"),
            pytest.param("a@mail.e1", id="a digit at the end"),
            pytest.param("a@-mail.example", id="a label begins with a hyphen"),
            pytest.param("é@mail.example", id="not ASCII"),
            pytest.param("@mail.example", id="nobody"),
            pytest.param("a\n@mail.example", id="line break"),
            pytest.param("a@" + "b" * 91 + ".example", id="101 characters"),
        ],
    )
    def test_leaves_a_bad_email_out_with_a_reason(self, email: str) -> None:
        alone = customer_draft_of(uwase(emails=(email, None)))
        beside = customer_draft_of(uwase(emails=(email, "good@mail.example")))

        assert (alone.email, beside.email) == (None, "good@mail.example")
        assert alone.reasons == ("e-mail 1 is left out: QuickBooks would refuse it",)
        assert beside.reasons == alone.reasons

    @pytest.mark.parametrize(
        "phone",
        ["0788000411", "+250788000411", " (0788) 000-411 ", "250/788.000.411", "1234567"],
    )
    def test_takes_a_usable_phone(self, phone: str) -> None:
        assert customer_draft_of(uwase(phones=(phone,))).phone == phone.strip()

    @pytest.mark.parametrize(
        "phone",
        [
            pytest.param("0788000411 / 0722000411", id="two in one field"),
            pytest.param("123456", id="six digits"),
            pytest.param("none", id="words"),
            pytest.param("0788000411x2", id="extension"),
            pytest.param("\u0660788000411", id="digits of another script"),
            pytest.param("0788\t000411", id="tab"),
            pytest.param("+-().  /", id="no digits"),
        ],
    )
    def test_leaves_a_bad_phone_out_with_a_reason(self, phone: str) -> None:
        alone = customer_draft_of(uwase(phones=(phone, "  ")))
        beside = customer_draft_of(uwase(phones=(phone, "0722000411")))

        assert (alone.phone, beside.phone) == (None, "0722000411")
        assert alone.reasons == ("phone 1 is left out: QuickBooks would refuse it",)

    def test_without_contact_data_has_nothing_to_tell(self) -> None:
        made = customer_draft_of(uwase(emails=(None, ""), phones=()))

        assert (made.email, made.phone, made.reasons) == (None, None, ())

    @lightly
    @given(student=students)
    def test_is_sendable_whatever_the_student(self, student: Student) -> None:
        made = customer_draft_of(student)

        names = (made.given_name, made.middle_name, made.family_name, made.print_name)
        for name, most in zip(names, (100, 100, 100, 110), strict=True):
            assert name != ""
            assert len((name or "").encode("utf-16-le")) <= 2 * most
            assert not any(one == ":" or unicodedata.category(one) == "Cc" for one in name or "")
            assert "  " not in (name or "")
        assert len(made.email or "") <= 100
        assert len(made.phone or "") <= 21


class TestWithoutContact:
    FULL = customer_draft_of(UWASE)

    def test_drops_the_email(self) -> None:
        made = without_contact(self.FULL, field="email", reason="refused by QuickBooks")

        assert made == replace(
            self.FULL, email=None, reasons=("e-mail left out: refused by QuickBooks",)
        )

    def test_drops_the_phone(self) -> None:
        made = without_contact(self.FULL, field="phone", reason="refused by QuickBooks")

        assert made == replace(
            self.FULL, phone=None, reasons=("phone left out: refused by QuickBooks",)
        )

    @pytest.mark.parametrize("field", ["email", "phone", "web"])
    def test_changes_nothing_where_there_is_none(self, field: str) -> None:
        bare = replace(self.FULL, email=None, phone=None)

        assert without_contact(bare, field=field, reason="refused") == bare
