"""Who pays: the student or applicant behind a code. SQL finds candidates, Python decides."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from application.invoices.model import PayerKind, Student
from application.mis.rows import text
from application.mis.tables import APPLICANTS, STUDENTS

PAGE = 500


@dataclass(frozen=True, slots=True)
class _Register:
    """A table people stand in, and what its columns are called."""

    kind: PayerKind
    table: sql.TableClause
    code: str
    order: str
    names: tuple[str, str, str]
    emails: tuple[str, ...]
    phones: tuple[str, ...]

    def asked(self, *, padded: bool) -> sql.Select[Any]:
        """Return the question for codes, or for codes between spaces."""
        names = (self.code, *self.names, *self.emails, *self.phones)
        code = self.table.c[self.code]
        candidates = (sql.func.trim(code) if padded else code).in_(
            sql.bindparam("codes", expanding=True)
        )
        asked = sql.select(*(self.table.c[name] for name in names)).where(candidates)
        return asked.order_by(self.table.c[self.order])


_STUDENTS = _Register(
    kind=PayerKind.STUDENT,
    table=STUDENTS,
    code="reg_no",
    order="per_id_ug",
    names=("fname", "middlename", "lname"),
    emails=("email1", "email2"),
    phones=("phone1", "phone2"),
)
_APPLICANTS = _Register(
    kind=PayerKind.APPLICANT,
    table=APPLICANTS,
    code="tracking_id",
    order="appl_Id",
    names=("first_name", "middlename", "family_name"),
    emails=("email1",),
    phones=("phone1",),
)


# Built once: every page asks.
_ASKED = {
    (register.kind, padded): register.asked(padded=padded)
    for register in (_STUDENTS, _APPLICANTS)
    for padded in (False, True)
}


def payers_of(link: sql.Connection, codes: Collection[str]) -> dict[str, Student]:
    """Return who stands behind each code; the student wins over the applicant.

    Args:
        link: The MIS.
        codes: Payer codes without white space around them.
    """
    found: dict[str, Student] = {}
    for register in (_STUDENTS, _APPLICANTS):
        missing = sorted({code for code in codes if code} - found.keys())
        found |= _looked_up(link, missing, register=register, padded=False)
        # Rows padded with spaces: no index serves this, so only what is still missing is asked.
        missing = [code for code in missing if code not in found]
        found |= _looked_up(link, missing, register=register, padded=True)
    return found


def _looked_up(
    link: sql.Connection, codes: list[str], *, register: _Register, padded: bool
) -> dict[str, Student]:
    rows: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    wanted = set(codes)
    for start in range(0, len(codes), PAGE):
        asked = {"codes": codes[start : start + PAGE]}
        for row in link.execute(_ASKED[register.kind, padded], asked).mappings():
            stored = (text(row[register.code]) or "").strip()
            # The server's collation takes `ab/1` for `AB/1 `, and é for e; we do not.
            if stored in wanted:
                rows[stored].append(dict(row))
    return {each: _person(each, alike, register=register) for each, alike in rows.items()}


def _person(code: str, rows: list[Mapping[str, Any]], *, register: _Register) -> Student:
    first, *others = rows
    names = _names(first, register=register)
    given, middle, family = (text(first[name]) for name in register.names)
    return Student(
        code=code,
        kind=register.kind,
        first_name=given,
        middle_name=middle,
        last_name=family,
        emails=tuple(text(first[name]) for name in register.emails),
        phones=tuple(text(first[name]) for name in register.phones),
        rows=len(rows),
        agreed=all(_names(other, register=register) == names for other in others),
    )


def _names(row: Mapping[str, Any], *, register: _Register) -> tuple[str, ...]:
    return tuple(" ".join((text(row[name]) or "").split()) for name in register.names)
