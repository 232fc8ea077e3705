"""Invented people, fees and campuses; no real person is among them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

Row = Mapping[str, Any]

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
FEES: Final = (
    ("Tuition fee", 450_000),
    ("Registration fee", 30_000),
    ("Examination fee", 20_000),
    ("Library fee", 10_000),
    ("Student card", 5_000),
    ("Laboratory fee", 40_000),
    ("Graduation fee", 50_000),
    ("Campus transfer", 25_000),
    ("Special exam", 15_000),
    ("Internship fee", 35_000),
    ("Accommodation fee", 120_000),
    ("Sports and culture", 8_000),
)
UNMAPPED_FEE: Final = "Caution money"  # has no product in QuickBooks
CAMPUSES: Final = (
    (1, "Kigali Campus", "KGL"),
    (2, "Huye Campus", "HUY"),
    (3, "Rusizi Campus", "RSZ"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows on their way into one table."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Row]

    @property
    def insert(self) -> str:
        """The statement that takes a chunk of them."""
        names = ", ".join(f"`{column}`" for column in self.columns)
        values = ", ".join(f":{column}" for column in self.columns)
        return f"INSERT INTO {self.name} ({names}) VALUES ({values})"  # noqa: S608 - our own words


STUDENT_COLUMNS: Final = (
    "per_id_ug", "reg_no", "fname", "middlename", "lname", "email1", "email2", "phone1", "phone2",
)  # fmt: skip
APPLICANT_COLUMNS: Final = (
    "appl_Id", "tracking_id", "reg_no", "first_name", "middlename", "family_name", "email1",
    "phone1", "camp_id",
)  # fmt: skip
FEE_COLUMNS: Final = ("id", "name", "description", "camp_id", "amount", "status_Id")
CAMPUS_COLUMNS: Final = ("camp_id", "camp_full_name", "camp_short_name")
INVOICE_COLUMNS: Final = (
    "id", "reg_no", "fee_category", "dept", "credit", "balance", "invoice_date", "date", "comment",
    "reference_number", "QuickBk_Status", "pushed_by", "pushed_date",
)  # fmt: skip


def reg_no(number: int) -> str:
    """Return the registration number of the nth student: eight digits."""
    return f"{20230000 + number:08d}"


def tracking_id(number: int) -> str:
    """Return the tracking id of the nth applicant."""
    return f"{9_100_000 + number}"


def student(number: int, *, chance: Random) -> Row:
    """Return a clean student."""
    first, last = chance.choice(FIRST), chance.choice(LAST)
    middle = chance.choice(MIDDLE) if chance.randrange(100) < 15 else None  # noqa: PLR2004 - as seen in the MIS
    return {
        "per_id_ug": number,
        "reg_no": reg_no(number),
        "fname": first,
        "middlename": middle,
        "lname": last,
        "email1": f"student{number}@students.example.org",
        "email2": None,
        "phone1": f"07{chance.randrange(10**8):08d}",
        "phone2": None,
    }


def applicant(number: int, *, chance: Random) -> Row:
    """Return a clean applicant."""
    return {
        "appl_Id": number,
        "tracking_id": tracking_id(number),
        "reg_no": None,
        "first_name": chance.choice(FIRST),
        "middlename": None,
        "family_name": chance.choice(LAST),
        "email1": f"applicant{number}@applicants.example.org",
        "phone1": f"07{chance.randrange(10**8):08d}",
        "camp_id": str(1 + number % 3),
    }


def fee(number: int, *, name: str, amount: int, active: bool = True) -> Row:
    """Return a fee whose description is its name."""
    return {
        "id": number,
        "name": name,
        "description": name,
        "camp_id": 0,
        "amount": amount,
        "status_Id": 1 if active else 0,
    }


def invoice(number: int, **said: object) -> Row:
    """Return an invoice row; what is not said is empty."""
    return dict.fromkeys(INVOICE_COLUMNS) | {"id": number, "QuickBk_Status": 0} | said
