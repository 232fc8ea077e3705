"""The profiles `fresh` and `midlife`: every oddity of a real MIS, at the rate it was seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from application.mis import demo_people as people
from application.mis.demo_fees import FeeBook, text_of
from application.mis.demo_people import Row, Table, pick
from application.mis.demo_schema import MARKER

FIRST_ID: Final = 1001
HUGE: Final = {3: 16_777_217, 5: 25_000_001, 7: 33_554_433, 9: 1_000_000_001}  # by position
FUTURE: Final = "2031-02-03"
NOISE: Final = "33333.3333"
OLD_MARK: Final = "sync-service"
OLD_TIME: Final = "2025-06-01 08:00:00"
PEOPLE_AT: Final = ((1_000, 250), (100_000, 18_000), (1_000_000, 150_000))
# State, and whether a document exists, never did, or was deleted since.
STATES: Final = (
    (6_000, (1, "there")),
    (2_700, (0, "")),
    (300, (None, "")),
    (600, (2, "")),
    (50, (3, "")),
    (200, (1, "never")),
    (50, (2, "there")),
    (50, (3, "there")),
    (50, (1, "deleted")),
)
PAYERS: Final = (
    (450, "applicant"),
    (80, "unknown"),
    (30, "null"),
    (10, "empty"),
    (20, "padded"),
    (10, "cased"),
    (9_400, "student"),
)
DEBITS: Final = (
    (60, "zero"),
    (15, "negative"),
    (30, "null"),
    (5, "cents"),
    (5, "noise"),
    (5_437, "small"),
    (4_448, "tuition"),
)
CREDITS: Final = ((3_500, "null"), (5_500, "zero"), (700, "part"), (250, "all"), (50, "more"))
BALANCES: Final = (
    (4_000, "null"),
    (500, "empty"),
    (3_500, "debit"),
    (1_000, "zero"),
    (995, "part"),
    (5, "comma"),
)
DATES: Final = ((30, "null"), (10, "zero"), (20, "future"), (9_940, "real"))
RECORDED: Final = ((9_000, 0), (800, 30), (50, 400), (150, None))
# Where tuition lies at which share of all, in RWF: median 150,000, p95 600,000.
TUITION: Final = (
    (0, 20_000),
    (500, 37_500),
    (2_500, 85_000),
    (5_000, 150_000),
    (7_500, 265_000),
    (9_500, 600_000),
    (9_900, 1_065_000),
    (10_000, 2_500_000),
)
ENROLMENTS: Final = ((5_500, 1), (3_000, 2), (1_350, 3), (150, 0))
OLDEST: Final = date(2022, 1, 10)
NEWER_FROM: Final = date(2025, 1, 10)
INTAKES: Final = 120  # days between two


@dataclass(frozen=True, slots=True)
class _Made:
    """A row, and what QuickBooks holds for it: there, deleted, or nothing."""

    row: Row
    document: str


class Wild:
    """A university of any size; the same seed always gives the same rows.

    Args:
        size: Invoices.
        seed: Which university.
        midlife: Statuses of a MIS in use, with documents already in QuickBooks.
    """

    def __init__(self, *, size: int, seed: int, midlife: bool) -> None:
        self._size = size
        self._seed = seed
        self._midlife = midlife
        self._students = max(20, _between(PEOPLE_AT, size))
        self._applicants = self._students // 2
        self._fees = FeeBook(big=size > 10_000)  # noqa: PLR2004 - 60 rows for small ones, 130 else

    def tables(self) -> Iterator[Table]:
        """Yield the tables."""
        yield Table(MARKER, ("id",), iter([{"id": 1}]))
        yield Table("tbl_campus", people.CAMPUS_COLUMNS, people.campuses())
        yield Table("tbl_income_category", people.FEE_COLUMNS, self._fees.rows())
        yield Table("tbl_personal_ug", people.STUDENT_COLUMNS, self._student_rows())
        yield Table("tbl_online_application", people.APPLICANT_COLUMNS, self._applicant_rows())
        yield Table("tbl_register_program_ug", people.ENROLMENT_COLUMNS, self._enrolments())
        rows = (made.row for made in self._invoices())
        yield Table("tbl_imvoice", people.INVOICE_COLUMNS, rows)

    def quickbooks(self) -> Iterator[dict[str, Any]]:
        """Yield products, known customers and, in midlife, the documents of rows sent before."""
        yield {"entity": "Account", "Name": "Student fees", "AccountType": "Income"}
        for name in self._fees.products():
            yield {"entity": "Item", "Name": name, "Active": True}
        for number in range(1, len(people.CAMPUSES)):
            yield {"entity": "Department", "Name": people.CAMPUSES[number - 1][1]}
        yield from self._customers()
        for made in self._invoices() if self._midlife else ():
            if made.document in {"there", "deleted"}:
                yield _document(made)

    def _customers(self) -> Iterator[dict[str, Any]]:
        for number in range(1, self._students + 1):
            if number % 100 >= 12:  # noqa: PLR2004 - 12 per cent are unknown to QuickBooks
                yield {"entity": "Customer", "DisplayName": people.reg_no(number)}
        for number in range(7, self._applicants + 1):  # the first carry a student's number
            if number % 100 >= 40:  # noqa: PLR2004 - 40 per cent are unknown to QuickBooks
                yield {"entity": "Customer", "DisplayName": people.tracking_id(number)}

    def _chance(self, what: str) -> Random:
        return Random(f"{self._seed} {what}")  # noqa: S311 - invented people, not secrets

    def _student_rows(self) -> Iterator[Row]:
        chance = self._chance("students")
        for number in range(1, self._students + 1):
            row = people.odd_student(number, chance=chance)
            yield row
            if number % 1_000 == 50:  # noqa: PLR2004 - one in a thousand stands on two rows
                again = row | {"per_id_ug": 5_000_000 + number}
                yield again if number % 2_000 == 50 else again | {"fname": "Somebody"}  # noqa: PLR2004 - as above

    def _applicant_rows(self) -> Iterator[Row]:
        chance = self._chance("applicants")
        for number in range(1, self._applicants + 1):
            became = people.reg_no(number) if number % 20 < 9 else None  # noqa: PLR2004 - 45 per cent
            yield people.odd_applicant(number, chance=chance, student_of=became)

    def _enrolments(self) -> Iterator[Row]:
        chance = self._chance("enrolments")
        row_id = 0
        for number in range(1, self._students + 1):
            campus = 1 + number % len(people.CAMPUSES)
            for turn in range(pick(chance, ENROLMENTS)):
                row_id += 1
                dice = chance.randrange(100)
                yield {
                    "reg_prg_id": row_id,
                    "reg_no": people.reg_no(number),
                    # 4 per cent change campus, 1 per cent point to none
                    "camp_id": 0 if dice == 0 else 1 + (campus + (dice < 5)) % 3,  # noqa: PLR2004 - see above
                    "reg_date": f"{2022 + turn}-01-15" if dice != 50 else None,  # noqa: PLR2004 - 1 per cent
                }

    def _invoices(self) -> Iterator[_Made]:
        chance = self._chance("invoices")
        last: Row = {}
        for position in range(self._size):
            made = self._invoice(position, chance=chance)
            if last and chance.randrange(people.WHOLE) < 50 and not made.document:  # noqa: PLR2004 - twins
                same = ("reg_no", "fee_category", "dept", "credit", "invoice_date", "date")
                made = _Made(dict(made.row) | {name: last[name] for name in same}, "")
            last = made.row
            yield made

    def _invoice(self, position: int, *, chance: Random) -> _Made:
        number = FIRST_ID + position
        status, document = pick(chance, STATES) if self._midlife else (0, "")
        # What was sent once had a payer, a date and an amount.
        clean = bool(document)
        dept = _debit(chance, clean=clean, position=position)
        credit = None if clean else _credit(chance, dept=dept)
        dated = _dated(chance, kind="real" if clean else pick(chance, DATES))
        row = people.invoice(
            number,
            reg_no=self._payer(chance, kind="student" if clean else pick(chance, PAYERS)),
            appl_Id=chance.randrange(1, 9_000) if chance.randrange(4) == 0 else None,
            fee_category=self._fees.draw(chance),
            dept=dept,
            credit=credit,
            balance=_balance(chance, dept=dept),
            invoice_date=dated,
            date=_recorded(chance, dated=dated),
            comment=text_of(chance, traced=self._midlife and status in {1, 2, 3}, number=number),
            level_id=1 + chance.randrange(6) if chance.randrange(4) else None,
            intake_id=1 + chance.randrange(12) if chance.randrange(4) else None,
            reference_number=f"REF{number:08d}" if chance.randrange(5) < 3 else None,  # noqa: PLR2004 - 60 per cent
            QuickBk_Status=status,
            pushed_by=OLD_MARK if status else None,
            pushed_date=OLD_TIME if status and (status != 3 or number % 5) else None,  # noqa: PLR2004 - in progress
        )
        return _Made(row, document)

    def _payer(self, chance: Random, *, kind: str) -> str | None:
        student = people.reg_no(1 + chance.randrange(self._students))
        applicant = people.tracking_id(1 + chance.randrange(self._applicants))
        slashed = people.reg_no(3 + 167 * chance.randrange(1 + self._students // 200))
        payers = {
            "applicant": applicant,
            "unknown": f"2098{chance.randrange(10_000):04d}",
            "null": None,
            "empty": "",
            "padded": f"  {student} ",
            "cased": slashed.lower(),
        }
        return payers.get(kind, student)


def _between(points: tuple[tuple[int, int], ...], at: int) -> int:
    """Return the value at a place between the points, in a straight line from one to the next."""
    below = (0, 0)
    for above in points:
        if below[0] < above[0] >= at:
            return below[1] + (at - below[0]) * (above[1] - below[1]) // (above[0] - below[0])
        below = above
    return below[1] * at // below[0]


def _debit(chance: Random, *, clean: bool, position: int) -> int | str | None:
    small = 1_000 * chance.randint(1, 30)
    if position in HUGE and not clean:
        return HUGE[position]
    kind = "small" if clean else pick(chance, DEBITS)
    if kind == "tuition":
        exact = _between(TUITION, chance.randrange(people.WHOLE))
        return exact // 5_000 * 5_000 if chance.randrange(10) < 7 else exact  # noqa: PLR2004 - 70 per cent
    odd = {"zero": 0, "negative": -small, "null": None, "cents": f"{small}.50", "noise": NOISE}
    return odd.get(kind, small)


def _credit(chance: Random, *, dept: int | str | None) -> int | str | None:
    kind = pick(chance, CREDITS)
    if kind == "null" or dept is None:
        return None
    if not isinstance(dept, int) or kind == "zero":
        return 0
    return {"part": dept // 4, "all": dept, "more": dept + 1_000}[kind]


def _balance(chance: Random, *, dept: int | str | None) -> str | None:
    amount = dept if isinstance(dept, int) else 0
    shown = {"empty": "", "debit": str(amount), "zero": "0", "part": str(amount // 2)}
    return (shown | {"comma": f"{amount:,}.50"}).get(pick(chance, BALANCES))


def _dated(chance: Random, *, kind: str) -> str | None:
    if kind != "real":
        return {"null": None, "zero": "0000-00-00", "future": FUTURE}[kind]
    newer = chance.randrange(10) < 7  # noqa: PLR2004 - 70 per cent
    first, intakes = (NEWER_FROM, 4) if newer else (OLDEST, 9)
    # Six in ten fall into the month of an intake.
    span = 30 if chance.randrange(10) < 6 else INTAKES  # noqa: PLR2004 - see above
    days = INTAKES * chance.randrange(intakes) + chance.randrange(span)
    return (first + timedelta(days=days)).isoformat()


def _recorded(chance: Random, *, dated: str | None) -> str | None:
    off = pick(chance, RECORDED)
    if off is None or dated is None or dated.startswith("0000"):
        return None
    late = off if off > 30 else chance.randint(0, off)  # noqa: PLR2004 - within a month
    return (date.fromisoformat(dated) + timedelta(days=late)).isoformat()


def _document(made: _Made) -> dict[str, Any]:
    row = made.row
    other = row["QuickBk_Status"] in {2, 3} and row["id"] % 5 == 0  # one in five disagrees
    return {
        "entity": "Invoice",
        "DocNumber": f"MIS-{row['id']}",
        "CustomerName": row["reg_no"],
        "Total": f"{row['dept'] + (500 if other else 0)}.00",
        "TxnDate": row["invoice_date"],
        "deleted": made.document == "deleted",
    }
