"""Invented people, fees and campuses; no real person is among them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeVar

Row = Mapping[str, Any]
_T = TypeVar("_T")

WHOLE: Final = 10_000  # shares are counted out of this
FIRST: Final = (
    "Aline", "Beata", "Cedric", "Diane", "Eric", "Fabrice", "Grace", "Hope", "Innocent", "Joyeuse",
    "Keza", "Lionel", "Mireille", "Nadine", "Olivier", "Patience", "Queen", "Robert", "Sandrine",
    "Thierry", "Umutoni", "Vestine", "Willy", "Yvette", "Zawadi",
)  # fmt: skip
MIDDLE: Final = ("Gloria", "Kevin", "Marie", "Pacifique", "Rose", "Samuel")
LAST: Final = (
    "Bizimana", "Cyusa", "Dushime", "Gasana", "Habimana", "Ingabire", "Kamanzi", "Mugisha",
    "Mukamana", "Ndayisaba", "Niyonsenga", "Rukundo", "Shema", "Tuyisenge", "Uwase", "Uwimana",
)  # fmt: skip
ODD_LAST: Final = (
    "N'Diaye",
    "Zoë-Müller",
    "O'Brien",
    "Uwase: Marie",
    'Keza "K"',
    "Shema & Co",
    "R2",
)
CAMPUSES: Final = (
    (1, "Kigali Campus", "KGL"),
    (2, "Huye Campus", "HUY"),
    (3, "Rusizi Campus", "RSZ"),  # the one without a Department in QuickBooks
)
PROGRAMMES: Final = (
    "BBIT", "BCOM", "BEDU", "BLAW", "BNUR", "BAGR", "BENG", "BSOC", "BTHE", "BMED", "BPHA", "BPUB",
    "BHIS", "BGEO", "BMAT", "BSTA",
)  # fmt: skip
EMAIL: Final = ((3_500, "absent"), (5_000, "valid"), (1_000, "invalid"), (500, "shared"))
BAD_EMAILS: Final = (
    "N/A", "nobody.example.org", "a b@example.org", "one@x.org,two@x.org", "dot@example.org.",
    "one@example.o", "zoë@example.org",
)  # fmt: skip
PHONE: Final = (
    (6_000, "07{0:08d}"),
    (2_000, "2507{0:08d}"),
    (1_000, "+2507{0:08d}"),
    (500, "07{0:08d} / 0788000001"),
    (300, ""),
    (100, "ask the mother"),
    (100, "07{0:08d} or, in the evening, her uncle"),
)
WORDS: Final = ((8_200, 2), (1_530, 3), (260, 4), (10, 1))

STUDENT_COLUMNS: Final = (
    "per_id_ug", "reg_no", "fname", "middlename", "lname", "email1", "email2", "phone1", "phone2",
)  # fmt: skip
APPLICANT_COLUMNS: Final = (
    "appl_Id", "tracking_id", "reg_no", "first_name", "middlename", "family_name", "email1",
    "phone1", "camp_id",
)  # fmt: skip
FEE_COLUMNS: Final = ("id", "name", "description", "camp_id", "amount", "status_Id")
CAMPUS_COLUMNS: Final = ("camp_id", "camp_full_name", "camp_short_name")
ENROLMENT_COLUMNS: Final = ("reg_prg_id", "reg_no", "camp_id", "reg_date")
INVOICE_COLUMNS: Final = (
    "id", "reg_no", "appl_Id", "fee_category", "dept", "credit", "balance", "invoice_date", "date",
    "comment", "level_id", "module_id", "intake_id", "Rpt_Id", "user", "reference_number",
    "QuickBk_Status", "pushed_by", "pushed_date",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """Rows on their way into one table."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Row]


def pick(chance: Random, shares: Sequence[tuple[int, _T]]) -> _T:
    """Return one of the values by its share out of 10,000; the last takes what is left."""
    dice = chance.randrange(WHOLE)
    for share, value in shares:
        dice -= share
        if dice < 0:
            return value
    return shares[-1][1]


def reg_no(number: int) -> str:
    """Return the registration number of the nth student: eight digits, few exceptions.

    Some are seven digits from older years, some carry a programme and slashes.
    """
    if number % 250 == 7:  # noqa: PLR2004 - where in the row of students, here and below
        return f"{1_900_000 + number}"
    if number % 167 == 3:  # noqa: PLR2004 - as above
        programme = PROGRAMMES[number // WHOLE % len(PROGRAMMES)]
        return f"{programme}/{number % WHOLE:04d}/KG{number % 100:02d}"
    return f"{20_230_000 + number:08d}"


def tracking_id(number: int) -> str:
    """Return the tracking id of the nth applicant; five are the number of somebody else."""
    same_as = {1: 11, 2: 12, 4: 13, 5: 14, 6: 15}
    return reg_no(same_as[number]) if number in same_as else f"{9_100_000 + number}"


def student(number: int, *, chance: Random) -> dict[str, Any]:
    """Return a clean student."""
    middle = chance.choice(MIDDLE) if chance.randrange(100) < 15 else None  # noqa: PLR2004 - per cent
    return {
        "per_id_ug": number,
        "reg_no": f"{20_230_000 + number:08d}",
        "fname": chance.choice(FIRST),
        "middlename": middle,
        "lname": chance.choice(LAST),
        "email1": f"student{number}@students.example.org",
        "email2": None,
        "phone1": f"07{chance.randrange(10**8):08d}",
        "phone2": None,
    }


def applicant(number: int, *, chance: Random) -> dict[str, Any]:
    """Return a clean applicant."""
    return {
        "appl_Id": number,
        "tracking_id": f"{9_100_000 + number}",
        "reg_no": None,
        "first_name": chance.choice(FIRST),
        "middlename": None,
        "family_name": chance.choice(LAST),
        "email1": f"applicant{number}@applicants.example.org",
        "phone1": f"07{chance.randrange(10**8):08d}",
        "camp_id": str(1 + number % 3),
    }


def odd_student(number: int, *, chance: Random) -> dict[str, Any]:
    """Return a student as a real MIS has them: names, e-mail and phone of every quality."""
    row = student(number, chance=chance)
    given, middle, last = odd_name(chance)
    row |= {"reg_no": reg_no(number), "fname": given, "middlename": middle, "lname": last}
    row["email1"] = odd_email(number, chance=chance)
    if chance.randrange(10) == 0:
        row["email2"] = f"second{number}@students.example.org"
    row["phone1"] = odd_phone(chance)
    return row


def odd_applicant(number: int, *, chance: Random, student_of: str | None) -> dict[str, Any]:
    """Return an applicant as a real MIS has them; `student_of` when they became a student."""
    row = applicant(number, chance=chance)
    given, middle, last = odd_name(chance)
    row |= {"first_name": given, "middlename": middle, "family_name": last}
    row |= {"tracking_id": tracking_id(number), "reg_no": student_of}
    row["email1"] = odd_email(number, chance=chance)
    row["phone1"] = odd_phone(chance)[:50]
    return row


def odd_name(chance: Random) -> tuple[str | None, str | None, str | None]:
    """Return the three parts of a name, with the spaces and gaps as they occur."""
    words = pick(chance, WORDS)
    given: str | None = chance.choice(FIRST)
    last: str | None = chance.choice(LAST if chance.randrange(WHOLE) > 60 else ODD_LAST)  # noqa: PLR2004 - a share
    middle = " ".join(chance.choice(MIDDLE) for _ in range(words - 2)) or None
    dice = chance.randrange(WHOLE)
    if dice < 1_800:  # noqa: PLR2004 - a share, here and below
        last = f" {last} "
    elif dice < 2_000:  # noqa: PLR2004 - as above
        given = "" if dice % 2 else None
    elif dice < 2_100 or words == 1:  # noqa: PLR2004 - as above
        last = None
    return given, middle, last


def odd_email(number: int, *, chance: Random) -> str | None:
    """Return an e-mail address, or what stands in its place."""
    match pick(chance, EMAIL):
        case "valid":
            return f"student{number}@students.example.org"
        case "invalid":
            return chance.choice(BAD_EMAILS)
        case "shared":
            return "family@example.org"
        case _:
            return None


def odd_phone(chance: Random) -> str:
    """Return a phone number, or what stands in its place."""
    return pick(chance, PHONE).format(chance.randrange(10**8))


def fee(number: int, *, name: str, amount: int, active: bool = True) -> dict[str, Any]:
    """Return a fee whose description is its name."""
    return {
        "id": number,
        "name": name,
        "description": name,
        "camp_id": 1 + number % 3,
        "amount": amount,
        "status_Id": 1 if active else 0,
    }


def campuses() -> Iterator[Row]:
    """Yield the campuses."""
    for number, name, short in CAMPUSES:
        yield {"camp_id": number, "camp_full_name": name, "camp_short_name": short}


def invoice(number: int, **said: object) -> Row:
    """Return an invoice row; what is not said is empty."""
    return dict.fromkeys(INVOICE_COLUMNS) | {"id": number, "QuickBk_Status": 0} | said
