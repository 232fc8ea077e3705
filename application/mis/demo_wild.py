"""The profiles `fresh` and `midlife`: every oddity of a real MIS, at the rate it was seen."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

from application.mis import demo_people as people
from application.mis.demo_people import Row, Table
from application.mis.demo_schema import MARKER

FIRST_ID: Final = 1001
PER_STUDENT: Final = 4
FEES_MOST: Final = 60
SINCE: Final = date(2025, 1, 6)
DAYS: Final = 660
WHOLE: Final = 10_000  # shares are counted out of this
BAD_EMAILS: Final = ("N/A", "nobody@", "a b@example.org", "one@x.org,two@x.org", "dot.@example.org")
NOTES: Final = (
    "Paid in\ntwo parts", 'He said "yes" & <b>left</b>', "Murakoze \N{PARTY POPPER}", "x" * 900,
)  # fmt: skip


Amount = int | Decimal | None


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
        self._students = max(10, size // PER_STUDENT)
        self._applicants = max(5, size // (2 * PER_STUDENT))
        self._fees = min(FEES_MOST, max(len(people.FEES), size // 10))

    def tables(self) -> Iterator[Table]:
        """Yield the tables."""
        chance = self._chance("people")
        yield Table(MARKER, ("id",), iter([{"id": 1}]))
        campuses = (
            {"camp_id": number, "camp_full_name": name, "camp_short_name": short}
            for number, name, short in people.CAMPUSES
        )
        yield Table("tbl_campus", people.CAMPUS_COLUMNS, campuses)
        yield Table("tbl_income_category", people.FEE_COLUMNS, self._fee_rows())
        yield Table("tbl_personal_ug", people.STUDENT_COLUMNS, self._student_rows(chance))
        applicants = (people.applicant(n, chance=chance) for n in range(1, self._applicants + 1))
        yield Table("tbl_online_application", people.APPLICANT_COLUMNS, applicants)
        yield Table("tbl_imvoice", people.INVOICE_COLUMNS, self._invoices())

    def quickbooks(self) -> Iterator[dict[str, Any]]:
        """Yield products, known customers and, in midlife, the documents of synced rows."""
        yield {"entity": "Account", "Name": "Student fees", "AccountType": "Income"}
        for number in range(1, self._fees + 1):
            if not self._without_product(number):
                yield {"entity": "Item", "Name": self._fee_name(number), "Active": True}
        if self._midlife:
            yield from self._documents()

    def _documents(self) -> Iterator[dict[str, Any]]:
        for row in self._invoices():
            if row["QuickBk_Status"] == 1 and row["dept"] and row["reg_no"] and row["invoice_date"]:
                yield {
                    "entity": "Invoice",
                    "DocNumber": f"MIS-{row['id']}",
                    "CustomerName": str(row["reg_no"]).strip(),
                    "Total": f"{Decimal(str(row['dept'])):.2f}",
                    "TxnDate": row["invoice_date"],
                }

    def _chance(self, what: str) -> Random:
        return Random(f"{self._seed} {what}")  # noqa: S311 - invented people, not secrets

    def _fee_name(self, number: int) -> str:
        name = people.FEES[number % len(people.FEES)][0]
        return name if number <= len(people.FEES) else f"{name} {number}"

    def _without_product(self, number: int) -> bool:
        return number % 29 == 0

    def _fee_rows(self) -> Iterator[Row]:
        for number in range(1, self._fees + 1):
            amount = people.FEES[number % len(people.FEES)][1]
            yield people.fee(
                number, name=self._fee_name(number), amount=amount, active=number % 9 != 0
            )

    def _student_rows(self, chance: Random) -> Iterator[Row]:
        for number in range(1, self._students + 1):
            row = dict(people.student(number, chance=chance))
            dice = chance.randrange(WHOLE)
            if dice < 3_500:  # noqa: PLR2004 - shares as seen in the MIS, here and below
                row["email1"] = None
            elif dice < 4_500:  # noqa: PLR2004
                row["email1"] = chance.choice(BAD_EMAILS)
            if chance.randrange(WHOLE) < 700:  # noqa: PLR2004
                row["phone1"] = "0788000001 / 0788000002 or home"
            if chance.randrange(WHOLE) < 200:  # noqa: PLR2004
                row["fname"] = "  "
            yield row

    def _invoices(self) -> Iterator[Row]:
        chance = self._chance("invoices")
        for number in range(FIRST_ID, FIRST_ID + self._size):
            yield self._invoice(number, chance=chance)

    def _invoice(self, number: int, *, chance: Random) -> Row:
        fee = 1 + chance.randrange(self._fees)
        dept, credit = _money(chance)
        dated = _dated(chance)
        status, who = self._status(chance)
        return people.invoice(
            number,
            reg_no=self._payer(chance),
            fee_category=_fee(fee, chance=chance),
            dept=dept,
            credit=credit,
            balance=_balance(dept, chance=chance),
            invoice_date=dated,
            date=dated if chance.randrange(WHOLE) > 200 else None,  # noqa: PLR2004
            comment=_comment(chance),
            reference_number=f"REF{number:08d}" if chance.randrange(WHOLE) < 6_000 else None,  # noqa: PLR2004
            QuickBk_Status=status,
            pushed_by=who,
            pushed_date="2025-06-01 08:00:00" if who else None,
        )

    def _payer(self, chance: Random) -> str | None:
        dice = chance.randrange(WHOLE)
        student = people.reg_no(1 + chance.randrange(self._students))
        for below, payer in (
            (30, None),
            (40, ""),
            (120, f"2098{chance.randrange(10_000):04d}"),
            (140, f"  {student} "),
            (590, people.tracking_id(1 + chance.randrange(self._applicants))),
        ):
            if dice < below:
                return payer
        return student

    def _status(self, chance: Random) -> tuple[int | None, str | None]:
        dice = chance.randrange(WHOLE)
        if not self._midlife:
            return 0, None
        for below, status, who in (
            (6_000, 1, "old-sync"),
            (8_700, 0, None),
            (9_000, None, None),
            (9_600, 2, "old-sync"),
            (9_650, 3, "old-sync"),
        ):
            if dice < below:
                return status, who
        return 1, "old-sync"


def _fee(fee: int, *, chance: Random) -> int | None:
    dice = chance.randrange(WHOLE)
    if dice < 30:  # noqa: PLR2004
        return None
    return 99_999 if dice < 60 else fee  # noqa: PLR2004


def _money(chance: Random) -> tuple[Amount, Amount]:
    dice = chance.randrange(WHOLE)
    small = 1_000 * chance.randint(1, 30)
    dept = small if chance.randrange(WHOLE) < 5_500 else 5_000 * chance.randint(10, 120)  # noqa: PLR2004
    for below, odd in (
        (60, 0),
        (75, -dept),
        (105, None),
        (110, Decimal("12500.50")),
        (115, Decimal("33333.3333")),
    ):
        if dice < below:
            return odd, 0
    share = chance.randrange(WHOLE)
    if share < 3_500:  # noqa: PLR2004
        return dept, None
    if share < 9_000:  # noqa: PLR2004
        return dept, 0
    if share < 9_700:  # noqa: PLR2004
        return dept, dept // 4
    return dept, dept if share < 9_950 else dept + 1_000  # noqa: PLR2004


def _balance(dept: Amount, *, chance: Random) -> str | None:
    dice = chance.randrange(WHOLE)
    if dice < 4_000:  # noqa: PLR2004
        return None
    return "" if dice < 4_500 else f"{dept or 0:,.2f}"  # noqa: PLR2004


def _dated(chance: Random) -> str | None:
    dice = chance.randrange(WHOLE)
    if dice < 30:  # noqa: PLR2004
        return None
    if dice < 40:  # noqa: PLR2004
        return "0000-00-00"
    return (SINCE + timedelta(days=chance.randrange(DAYS))).isoformat()


def _comment(chance: Random) -> str | None:
    dice = chance.randrange(WHOLE)
    if dice < 2_000:  # noqa: PLR2004
        return None
    if dice < 3_000:  # noqa: PLR2004
        return ""
    return chance.choice(NOTES) if dice > 9_800 else f"Semester {1 + chance.randrange(6)}"  # noqa: PLR2004
