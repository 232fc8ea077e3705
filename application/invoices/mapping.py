"""The guide's mapping table as total functions: invoice -> Draft, student -> customer."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

from application.invoices.model import (
    AmountRule,
    CustomerDraft,
    Draft,
    Fee,
    MisInvoice,
    Oddity,
    Student,
    doc_number,
)
from application.invoices.money import amount_to_send

# Source: Intuit, reference of Invoice, Customer and Item. Lengths are counted in UTF-16 units,
# the strictest reading of "characters", because which one QuickBooks uses is not documented.
TEXT_UNITS_MAX = 4000
NAME_UNITS_MAX = 100
PRINT_NAME_UNITS_MAX = 110
ITEM_NAME_UNITS_MAX = 100
EMAIL_CHARACTERS_MAX = 100
PHONE_CHARACTERS_MAX = 21  # documented as 30; the schema and an old error say 21
PHONE_DIGITS_MIN = 7
CUT_MARK = "\u2026"

_KEPT_CONTROLS = frozenset("\t\n\r")
_UNWANTED = frozenset({"Cc", "Cs"})
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})
_SPACES = re.compile(r"\s+")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z]{{2,}}")
_PHONE = re.compile(r"[0-9 +\-().\u002f]+")
_WORDS_OF = {
    Oddity.FRACTION: "the amount is not whole; it is sent rounded to the cent",
    Oddity.PRECISION: "the MIS cannot hold this amount exactly; what it holds is sent",
    Oddity.NAMESAKE: "the registration number stands on several equal rows of students",
}


class NotValidated(ValueError):
    """A row with problems was to be mapped; ask `validation.problems_in` first.

    Args:
        invoice_id: The row.
    """

    def __init__(self, *, invoice_id: int) -> None:
        super().__init__(invoice_id)
        self.invoice_id = invoice_id


def draft_of(
    invoice: MisInvoice,
    *,
    student: Student,
    fee: Fee,
    item_id: str,
    item_name: str,
    customer_id: str,
    rule: AmountRule,
) -> Draft:
    """Return what QuickBooks is to get for a row without problems.

    Raises:
        NotValidated: The row has no amount or no date after all.

    Source:
        The guide's mapping table.
    """
    amount = amount_to_send(invoice, rule=rule)
    if amount is None or invoice.dated is None:
        raise NotValidated(invoice_id=invoice.id)
    described = description_of(fee, item_name=item_name)
    note = note_of(invoice.comment)
    told = (
        *(words for oddity, words in _WORDS_OF.items() if oddity in invoice.oddities),
        *_change(fee.description or "", described, what="description"),
        *_change(invoice.comment or "", note or "", what="note"),
    )
    return Draft(
        doc_number=doc_number(invoice.id),
        customer_id=customer_id,
        customer_name=student.code.strip(),
        item_id=item_id,
        item_name=item_name,
        amount=amount,
        dated=invoice.dated,
        description=described,
        note=note,
        reasons=told,
    )


def source_sha256(invoice: MisInvoice, *, item_id: str, description: str, rule: AmountRule) -> str:
    """Return the SHA-256 of all that decides the payload, except the customer's id.

    It is taken from what would be sent: a change in the MIS that alters nothing in QuickBooks
    (a credit under the debit rule) is no change.
    """
    amount = amount_to_send(invoice, rule=rule)
    parts = (
        invoice.id,
        invoice.payer,
        None if amount is None else str(amount),
        None if invoice.dated is None else invoice.dated.isoformat(),
        item_id,
        _cut(clean_text(description), most=TEXT_UNITS_MAX, mark=CUT_MARK),
        note_of(invoice.comment),
    )
    return hashlib.sha256(ascii(parts).encode("ascii")).hexdigest()


def description_of(fee: Fee, *, item_name: str) -> str:
    """Return the line's description: the category's own, or its name, or the product's name."""
    for text in (fee.description or "", fee.name, item_name):
        cleaned = clean_text(text)
        if cleaned.strip():
            return _cut(cleaned, most=TEXT_UNITS_MAX, mark=CUT_MARK)
    return ""


def note_of(comment: str | None) -> str | None:
    """Return the internal note: the comment as it is, or None when it is blank."""
    cleaned = clean_text(comment or "")
    if not cleaned.strip():
        return None
    return _cut(cleaned, most=TEXT_UNITS_MAX, mark=CUT_MARK)


def clean_text(text: str) -> str:
    """Return text without what JSON or QuickBooks cannot carry; tabs and line breaks stay."""
    if text.isascii() and text.isprintable():
        return text  # nearly every text
    return "".join(
        one for one in text if one in _KEPT_CONTROLS or unicodedata.category(one) not in _UNWANTED
    )


def customer_draft_of(student: Student) -> CustomerDraft:
    """Return the customer of a payer; what is cleaned, cut or left out is told in `reasons`."""
    reasons: list[str] = []
    given, middle, family = (
        _name(text, what=what, reasons=reasons)
        for text, what in (
            (student.first_name, "first name"),
            (student.middle_name, "middle name"),
            (student.last_name, "last name"),
        )
    )
    whole = " ".join(
        part
        for part in map(_clean_name, (student.first_name, student.middle_name, student.last_name))
        if part
    )
    print_name = _cut(whole, most=PRINT_NAME_UNITS_MAX)
    if print_name != whole:
        reasons.append(f"the full name is cut at {PRINT_NAME_UNITS_MAX} characters")
    return CustomerDraft(
        display_name=student.code.strip(),
        given_name=given,
        middle_name=middle,
        family_name=family,
        print_name=print_name or None,
        email=_first(student.emails, good=_good_email, what="e-mail", reasons=reasons),
        phone=_first(student.phones, good=_good_phone, what="phone", reasons=reasons),
        reasons=tuple(reasons),
    )


def without_contact(draft: CustomerDraft, *, field: str, reason: str) -> CustomerDraft:
    """Return the customer without its e-mail or phone; unchanged when it has none.

    Args:
        draft: The customer.
        field: `email` or `phone`.
        reason: Why, for a person.
    """
    if field == "email" and draft.email is not None:
        return replace(draft, email=None, reasons=(*draft.reasons, f"e-mail left out: {reason}"))
    if field == "phone" and draft.phone is not None:
        return replace(draft, phone=None, reasons=(*draft.reasons, f"phone left out: {reason}"))
    return draft


def item_key(name: str) -> str:
    """Return what two names of one product have in common: letter case and spaces do not count."""
    one_form = unicodedata.normalize("NFC", name)
    spaced = _SPACES.sub(" ", one_form).strip()
    return unicodedata.normalize("NFC", spaced.casefold())


def legal_item_name(name: str) -> bool:
    """Return whether QuickBooks would take it as a product's name."""
    return (
        bool(name.strip())
        and _units(name) <= ITEM_NAME_UNITS_MAX
        and not any(_breaks(one) for one in name)
    )


def _breaks(one: str) -> bool:
    return one == ":" or unicodedata.category(one) in _BREAKING


def _clean_name(text: str | None) -> str:
    one_form = unicodedata.normalize("NFC", text or "")
    spaced = "".join(" " if _breaks(one) else one for one in one_form)
    return _SPACES.sub(" ", spaced).strip()


def _name(text: str | None, *, what: str, reasons: list[str]) -> str | None:
    cleaned = _clean_name(text)
    cut = _cut(cleaned, most=NAME_UNITS_MAX)
    if cleaned != _SPACES.sub(" ", unicodedata.normalize("NFC", text or "")).strip():
        reasons.append(f"the {what} is cleaned of characters QuickBooks refuses")
    if cut != cleaned:
        reasons.append(f"the {what} is cut at {NAME_UNITS_MAX} characters")
    return cut or None


def _first(
    texts: Sequence[str | None],
    *,
    good: Callable[[str], bool],
    what: str,
    reasons: list[str],
) -> str | None:
    for place, text in enumerate(texts, start=1):
        trimmed = (text or "").strip()
        if good(trimmed):
            return trimmed
        if trimmed:
            reasons.append(f"{what} {place} is left out: QuickBooks would refuse it")
    return None


def _good_email(text: str) -> bool:
    return len(text) <= EMAIL_CHARACTERS_MAX and _EMAIL.fullmatch(text) is not None


def _good_phone(text: str) -> bool:
    if len(text) > PHONE_CHARACTERS_MAX or _PHONE.fullmatch(text) is None:
        return False  # never cut: a cut number is somebody else's
    return sum(one.isdigit() for one in text) >= PHONE_DIGITS_MIN


def _change(before: str, after: str, *, what: str) -> tuple[str, ...]:
    if not before.strip() or before == after:
        return ()
    if _units(clean_text(before)) > TEXT_UNITS_MAX:
        return (f"the {what} is cut at {TEXT_UNITS_MAX:,} characters",)
    return (f"the {what} is cleaned of characters QuickBooks refuses",)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _cut(text: str, *, most: int, mark: str = "") -> str:
    if _units(text) <= most:
        return text
    room = 2 * (most - _units(mark))
    # Half of a character outside the basic plane is dropped, never sent.
    kept = text.encode("utf-16-le", "surrogatepass")[:room].decode("utf-16-le", "ignore")
    return kept + mark if mark else kept.rstrip()
