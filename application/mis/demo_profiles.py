"""What each synthetic MIS holds, and what QuickBooks holds beside it."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, Final, Protocol

from application.catalogue import ConfigInvalid
from application.mis import demo_people as people
from application.mis.demo_people import Row, Table
from application.mis.demo_schema import MARKER
from application.mis.demo_wild import Wild

GUIDE_LAST: Final = 12345  # so that the guide's `/single/12345` works
GUIDE_IDS: Final = (*range(101, 1350), GUIDE_LAST)
GUIDE_STUDENTS, GUIDE_APPLICANTS = 300, 20
NO_CUSTOMER: Final = frozenset({123, 401, 733, 1102})
NO_AMOUNT: Final = frozenset({142, 512, 871, 1240})
NO_PRODUCT: Final = frozenset({205, 618, 990, 1301})
GUIDE_FROM: Final = date(2025, 9, 1)
GUIDE_DAYS: Final = 80
GUIDE_FEES: Final = (
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
)
UNMAPPED_FEE: Final = ("Caution money", 10_000)  # has no product in QuickBooks


class Profile(Protocol):
    """A synthetic university."""

    def tables(self) -> Iterator[Table]:
        """Yield its tables, rows streamed."""

    def quickbooks(self) -> Iterator[dict[str, Any]]:
        """Yield what QuickBooks holds beside it, as the simulator's seed lines."""


def profile_of(name: str, *, size: int, seed: int) -> Profile:
    """Return a profile by name.

    Raises:
        ConfigInvalid: There is no such profile, or the size is no size.
    """
    if name == "guide":
        return Guide(seed=seed)
    if name in {"fresh", "midlife"} and size > 0:
        return Wild(size=size, seed=seed, midlife=name == "midlife")
    raise ConfigInvalid(
        setting="--profile, --size", problem="guide, fresh or midlife; a size above 0"
    )


class Guide:
    """The guide's university: 1,250 invoices, clean but for twelve that fail on purpose."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    def tables(self) -> Iterator[Table]:
        """Yield the tables."""
        chance = Random(self._seed)  # noqa: S311 - invented people, not secrets
        yield Table(MARKER, ("id",), iter([{"id": 1}]))
        yield Table("tbl_campus", people.CAMPUS_COLUMNS, people.campuses())
        yield Table("tbl_income_category", people.FEE_COLUMNS, _fees())
        students = (people.student(n, chance=chance) for n in range(1, GUIDE_STUDENTS + 1))
        yield Table("tbl_personal_ug", people.STUDENT_COLUMNS, students)
        applicants = (people.applicant(n, chance=chance) for n in range(1, GUIDE_APPLICANTS + 1))
        yield Table("tbl_online_application", people.APPLICANT_COLUMNS, applicants)
        yield Table("tbl_register_program_ug", people.ENROLMENT_COLUMNS, _enrolments())
        yield Table("tbl_imvoice", people.INVOICE_COLUMNS, _invoices(chance))

    def quickbooks(self) -> Iterator[dict[str, Any]]:
        """Yield an income account and a product for every fee but one."""
        yield {"entity": "Account", "Name": "Student fees", "AccountType": "Income"}
        for name, _ in GUIDE_FEES:
            yield {"entity": "Item", "Name": name, "Active": True}


def _fees() -> Iterator[Row]:
    for number, (name, amount) in enumerate((*GUIDE_FEES, UNMAPPED_FEE), start=1):
        yield people.fee(number, name=name, amount=amount)


def _invoices(chance: Random) -> Iterator[Row]:
    for position, number in enumerate(GUIDE_IDS):
        fee = 1 + chance.randrange(len(GUIDE_FEES))
        amount = GUIDE_FEES[fee - 1][1]
        dated = (GUIDE_FROM + timedelta(days=position % GUIDE_DAYS)).isoformat()
        yield people.invoice(
            number,
            reg_no=f"2099{number:04d}" if number in NO_CUSTOMER else _payer(position),
            fee_category=len(GUIDE_FEES) + 1 if number in NO_PRODUCT else fee,
            dept=0 if number in NO_AMOUNT else amount,
            credit=amount if number in NO_AMOUNT else 0,
            balance=str(amount),
            invoice_date=dated,
            date=dated,
            comment=f"Semester {1 + position % 2}" if position % 5 else None,
            reference_number=f"REF{number:06d}",
        )


def _payer(position: int) -> str:
    turn = position * 7 % (GUIDE_STUDENTS + GUIDE_APPLICANTS)
    if turn < GUIDE_STUDENTS:
        return f"{20_230_001 + turn:08d}"
    return f"{9_100_001 + turn - GUIDE_STUDENTS}"


def _enrolments() -> Iterator[Row]:
    for number in range(1, GUIDE_STUDENTS + 1):
        yield {
            "reg_prg_id": number,
            "reg_no": f"{20_230_000 + number:08d}",
            "camp_id": 1 + number % len(people.CAMPUSES),
            "reg_date": GUIDE_FROM.isoformat(),
        }
