"""The must-have rows: one for every oddity that has a verdict, ids 2000001 and up."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from application.mis import demo_people as people
from application.mis.demo_cases import CASES, FEES_BESIDE, TUITION_FEE, Case
from application.mis.demo_people import Row, Table

FIRST_ID: Final = 2_000_000
SECOND: Final = 100  # the second case of a row of the table stands this much higher
FIRST_PERSON: Final = 900_000
LEFT_BEHIND: Final = "2024-03-01 08:00:00"


@dataclass(frozen=True, slots=True)
class Expected:
    """What must have become of one must-have row after a full run with default settings.

    Args:
        row: Its number in the table of must-have rows; a few stand for two cases.
        id: In `tbl_imvoice`.
        status: `QuickBk_Status` afterwards.
        cause: Catalogue code of a failure.
        amount: Of the one document that is then in QuickBooks under its number; None: there is
            none, or one that is not ours to change.
        customer: DisplayName on that document.
        needs: What the run must be given for this verdict, in a word; None: nothing.
    """

    row: int
    id: int
    status: int
    cause: str | None = None
    amount: Decimal | None = None
    customer: str | None = None
    needs: str | None = None


@dataclass(slots=True)
class _Rows:
    """The rows of all cases, by table."""

    invoices: list[Row] = field(default_factory=list)
    students: list[Row] = field(default_factory=list)
    applicants: list[Row] = field(default_factory=list)
    enrolments: list[Row] = field(default_factory=list)


def edge_expectations(*, money: str = "DOUBLE") -> list[Expected]:
    """Return the verdict of each row, in order of id.

    Args:
        money: Type the amounts were built with; FLOAT cannot hold two of them.
    """
    found: list[Expected] = []
    for case in CASES:
        amount = case.amount_float if money == "FLOAT" and case.amount_float else case.amount
        sent = case.status == 1 and amount is not None
        found.append(
            Expected(
                row=case.row,
                id=_id(case),
                status=case.status,
                cause=case.cause,
                amount=Decimal(amount).quantize(Decimal("0.01")) if sent and amount else None,
                customer=(case.customer or _code(case)) if sent else None,
                needs=case.needs,
            )
        )
    return sorted(found, key=lambda one: one.id)


def edge_tables() -> Iterator[Table]:
    """Yield the rows, table by table."""
    made = _Rows()
    for case in CASES:
        _add(case, made=made)
    made.invoices.sort(key=lambda row: int(row["id"]))
    yield Table("tbl_income_category", people.FEE_COLUMNS, iter([fee.row for fee in FEES_BESIDE]))
    yield Table("tbl_personal_ug", people.STUDENT_COLUMNS, iter(made.students))
    yield Table("tbl_online_application", people.APPLICANT_COLUMNS, iter(made.applicants))
    yield Table("tbl_register_program_ug", people.ENROLMENT_COLUMNS, iter(made.enrolments))
    yield Table("tbl_imvoice", people.INVOICE_COLUMNS, iter(made.invoices))


def edge_lines() -> Iterator[dict[str, Any]]:
    """Yield what QuickBooks holds beside them."""
    for fee in FEES_BESIDE:
        if fee.product is not None:
            yield {"entity": "Item", "Name": fee.product, "Active": True}
    for case in CASES:
        for line in case.beside:
            yield {**line, **_filled(line, case=case)}


def _filled(line: dict[str, Any], *, case: Case) -> dict[str, Any]:
    """Return what a seed line leaves to its case: number, customer, total, date."""
    if line["entity"] != "Invoice":
        return {}
    whole = {
        "DocNumber": f"MIS-{_id(case)}",
        "CustomerName": case.customer or _code(case),
        "Total": f"{case.invoice.get('dept', 1_000)}.00",
        "TxnDate": str(case.invoice.get("invoice_date", "2025-09-01")),
    }
    return {name: text for name, text in whole.items() if name not in line}


def _id(case: Case) -> int:
    return FIRST_ID + case.row + (SECOND if case.second else 0)


def _code(case: Case) -> str:
    return f"29{case.row:04d}{'02' if case.second else '01'}"


def _add(case: Case, *, made: _Rows) -> None:
    code = _code(case)
    ordinary = {
        "reg_no": code,
        "fee_category": TUITION_FEE,
        "dept": 1_000,
        "credit": 0,
        "invoice_date": "2025-09-01",
        "date": "2025-09-01",
        "comment": f"Row {case.row}",
        "level_id": 1,
        "pushed_date": LEFT_BEHIND if case.invoice.get("QuickBk_Status") in {1, 2, 3} else None,
    }
    made.invoices.append(people.invoice(_id(case), **{**ordinary, **case.invoice}))
    person = FIRST_PERSON + case.row * 10 + (5 if case.second else 0)
    for turn, said in enumerate(case.students):
        clean = {"fname": "Aline", "lname": f"Uwase{case.row}", "reg_no": code}
        empty = dict.fromkeys(people.STUDENT_COLUMNS)
        made.students.append({**empty, **clean, **said, "per_id_ug": person + turn})
    for said in case.applicants:
        empty = dict.fromkeys(people.APPLICANT_COLUMNS)
        clean = {"first_name": "Keza", "camp_id": "1", "tracking_id": code}
        made.applicants.append({**empty, **clean, **said, "appl_Id": person})
    for turn, (campus, dated) in enumerate(case.enrolments):
        enrolled = {"reg_prg_id": person + turn, "reg_no": code, "camp_id": campus}
        made.enrolments.append(enrolled | {"reg_date": dated})
