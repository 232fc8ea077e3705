"""Each must-have row: what the MIS says, what QuickBooks holds, and the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from application.mis.demo_people import Row, fee

TUITION_FEE: Final = 9_001
_RENAMED, _GONE, _UNMAPPED, _COLON, _SPELT = 9_002, 9_003, 9_004, 9_005, 9_006
_NO_FEE = 99_999
OLD: Final = "sync-service"
UNKNOWN_TOKEN: Final = "fb1.s00000000.01J0000000000000000000000.1.elsewhere-1"  # noqa: S105 - whose is not known


@dataclass(frozen=True, slots=True)
class FeeBeside:
    """A fee of the must-have rows, and the product it finds."""

    row: Row
    product: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """One must-have row.

    `amount` is the total of its document; what `invoice`, a student or a seed line does not say is
    ordinary.
    """

    row: int
    status: int
    cause: str | None = None
    amount: str | None = "1000"
    amount_float: str | None = None
    customer: str | None = None
    needs: str | None = None
    second: bool = False
    invoice: Mapping[str, Any] = field(default_factory=dict)
    students: tuple[Mapping[str, Any], ...] = ({},)
    applicants: tuple[Mapping[str, Any], ...] = ()
    enrolments: tuple[tuple[int, str | None], ...] = ((1, "2025-01-15"),)
    beside: tuple[dict[str, Any], ...] = ()


FEES_BESIDE: Final = (
    FeeBeside(fee(TUITION_FEE, name="Edge tuition", amount=1_000), "Edge tuition"),
    FeeBeside(fee(_RENAMED, name="Edge tuition", amount=900, active=False), None),
    FeeBeside(fee(_GONE, name="Edge levy of old", amount=1, active=False), None),
    FeeBeside(fee(_UNMAPPED, name="Edge fee unknown to QuickBooks", amount=1), None),
    FeeBeside(fee(_COLON, name="Edge: fee with a colon", amount=1), None),
    FeeBeside(fee(_SPELT, name="edge CAFETERIA ", amount=1), "Edge Cafeteria"),
)


def _no(row: int, cause: str, **said: Any) -> Case:  # noqa: ANN401 - whatever a Case takes
    return Case(row, 2, cause, amount=None, **said)


def _document(**said: object) -> dict[str, Any]:
    return {"entity": "Invoice", **said}


def _customer(name: str, *, active: bool = True) -> dict[str, Any]:
    return {"entity": "Customer", "DisplayName": name, "Active": active}


_AMOUNTS: Final = (
    _no(1, "invalid_amount", invoice={"dept": 1_000, "credit": 1_000}),
    _no(2, "invalid_amount", invoice={"dept": 1_000, "credit": 1_500}),
    _no(3, "invalid_amount", invoice={"dept": 0}),
    _no(4, "invalid_amount", invoice={"dept": -5_000}),
    _no(5, "invalid_amount", invoice={"dept": None}),
    _no(6, "invalid_amount", invoice={"dept": "0.004"}),
    Case(7, 1, amount="12500.50", invoice={"dept": "12500.50"}),
    Case(8, 1, amount="33333.33", invoice={"dept": "33333.3333"}),
    Case(9, 1, amount="100000", invoice={"dept": 100_000, "credit": 40_000}),
    Case(10, 1, amount="16777217", amount_float="16777216", invoice={"dept": 16_777_217}),
    Case(11, 1, amount="1000000001", amount_float="1000000000", invoice={"dept": 1_000_000_001}),
    _no(12, "invalid_amount", invoice={"dept": "1e20"}),
)
_DATES: Final = (
    _no(13, "date_invalid", invoice={"invoice_date": None}),
    _no(14, "date_invalid", invoice={"invoice_date": "0000-00-00"}),
    _no(15, "date_invalid", invoice={"invoice_date": "2024-00-15"}),
    Case(16, 1, invoice={"invoice_date": "2031-02-03"}),
    Case(
        17,
        0,
        amount=None,
        needs="invoices_from_2025",
        invoice={"invoice_date": "2024-12-31 23:59:59"},
    ),
    Case(18, 1, invoice={"invoice_date": "2025-01-01 00:00:00"}),
    Case(19, 1, invoice={"date": None}),
    _no(20, "period_closed", needs="books_closed_2021", invoice={"invoice_date": "2021-06-30"}),
)
_FEES: Final = (
    _no(21, "fee_category_unmapped", invoice={"fee_category": None}),
    _no(22, "fee_category_unmapped", invoice={"fee_category": _NO_FEE}),
    Case(23, 1, invoice={"fee_category": _RENAMED}),
    _no(24, "fee_category_unmapped", invoice={"fee_category": _GONE}),
    _no(25, "fee_category_unmapped", invoice={"fee_category": _UNMAPPED}),
    _no(26, "fee_category_unmapped", invoice={"fee_category": _COLON}),
    Case(27, 1, invoice={"fee_category": _SPELT}),
)
_PAYERS: Final = (
    _no(28, "customer_not_found", students=(), invoice={"reg_no": "29002899"}),
    _no(29, "customer_not_found", students=(), invoice={"reg_no": None}),
    _no(30, "customer_not_found", students=(), invoice={"reg_no": ""}),
    Case(31, 1, students=(), applicants=({},)),
    Case(32, 1, applicants=({"first_name": "Somebody"},)),
    Case(
        33,
        1,
        customer="25/00411/BBA",
        invoice={"reg_no": "25/00411/BBA"},
        students=({"reg_no": "25/00411/BBA"},),
    ),
    Case(34, 1, customer="29003401", invoice={"reg_no": "  29003401 "}),
    _no(
        35,
        "customer_not_found",
        invoice={"reg_no": "25/00435/bba"},
        students=({"reg_no": "25/00435/BBA"},),
    ),
    Case(36, 1, students=({}, {})),
    _no(36, "customer_not_found", second=True, students=({}, {"fname": "Diane"})),
    Case(37, 1, students=({"fname": None, "lname": " "},)),
    Case(38, 1, students=({"email1": "a b@example.org", "email2": "good38@example.org"},)),
    Case(39, 1, students=({"email1": "N/A", "email2": "x@y"},)),
    Case(40, 1, students=({"phone1": "0788000001 / 0788000002", "phone2": "0788000003"},)),
    Case(41, 1, students=({"phone1": "ask the mother", "phone2": "-"},)),
    Case(42, 1, students=({"fname": "Aline: " + "Marie" * 23},)),
)
_PLACES: Final = (
    Case(43, 1, enrolments=((1, "2024-01-15"), (2, "2025-01-15"))),
    Case(44, 1, enrolments=((3, "2025-01-15"),)),
    Case(45, 1, enrolments=((0, "2025-01-15"),)),
    Case(46, 1, enrolments=()),
    *(
        Case(
            row,
            2,
            "location_unmapped",
            amount=None,
            needs="location",
            second=True,
            enrolments=enrolments,
        )
        for row, enrolments in (
            (44, ((3, "2025-01-15"),)),
            (45, ((0, "2025-01-15"),)),
            (46, ()),
        )
    ),
)
_NOTES: Final = (
    Case(47, 1, invoice={"comment": "\N{PARTY POPPER}" + "Murakoze! " * 89 + "123456789"}),
    Case(48, 1, invoice={"comment": 'He said "yes" & <script>alert(1)</script>\n\ttwo\r\nlines'}),
    Case(49, 1, invoice={"comment": "Semester 1 [QB_ID:57]"}),
    Case(50, 1, customer="29005001"),
    Case(51, 1, customer="29005001", students=(), invoice={"reg_no": "29005001"}),
)
_STATUSES: Final = (
    Case(52, 1, invoice={"QuickBk_Status": None}),
    Case(53, 7, "status_invalid", amount=None, invoice={"QuickBk_Status": 7}),
    Case(
        54, 1, beside=(_document(),), invoice={"QuickBk_Status": 1, "pushed_by": OLD}, needs="adopt"
    ),
    Case(55, 1, amount=None, invoice={"QuickBk_Status": 1, "pushed_by": OLD}, needs="adopt"),
    Case(56, 1, beside=(_document(),), invoice={"QuickBk_Status": 2, "pushed_by": "4711"}),
    Case(57, 1, needs="settled", invoice={"QuickBk_Status": 2, "pushed_by": "4712"}),
    Case(
        58,
        1,
        beside=(_document(),),
        needs="settled",
        invoice={"QuickBk_Status": 3, "pushed_by": UNKNOWN_TOKEN},
    ),
    Case(59, 1, needs="settled", invoice={"QuickBk_Status": 3, "pushed_by": UNKNOWN_TOKEN}),
)
_BESIDE: Final = (
    Case(60, 1, beside=(_document(),)),
    _no(61, "document_conflict", beside=(_document(Total="900.00"),)),
    _no(62, "document_conflict", beside=(_document(CustomerName="Somebody else"),)),
    _no(63, "document_conflict", beside=(_document(TxnDate="2025-09-02"),)),
    _no(64, "document_conflict", beside=(_document(voided=True),)),
    Case(65, 1, beside=(_customer("29006501"),)),
    _no(
        65,
        "duplicate_customer_name",
        second=True,
        invoice={"reg_no": "29/00652/bba"},
        students=({"reg_no": "29/00652/bba"},),
        beside=(_customer("29/00652/BBA"),),
    ),
    Case(66, 1, beside=(_customer("29006601", active=False),)),
    _no(67, "customer_inactive", needs="customer_made_inactive_after_linking"),
    _no(
        68,
        "duplicate_customer_name",
        beside=({"entity": "Vendor", "DisplayName": "29006801", "Active": True},),
    ),
    Case(69, 3, amount=None, needs="row_deleted_in_progress"),
)
CASES: Final = (
    *_AMOUNTS,
    *_DATES,
    *_FEES,
    *_PAYERS,
    *_PLACES,
    *_NOTES,
    *_STATUSES,
    *_BESIDE,
)
