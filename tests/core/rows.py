"""Rows to judge: one good one to vary, and strategies that make any."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from application.invoices.model import (
    AmountRule,
    Document,
    Facts,
    Fee,
    MisInvoice,
    Oddity,
    PayerKind,
    Student,
)

# The nightly proof asks for more of the same.
EXAMPLES = int(os.environ.get("CORE_EXAMPLES", "2000"))  # noqa: TID251 - tests have no settings
generated = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
lightly = settings(generated, max_examples=max(1, EXAMPLES // 8))

ROW = MisInvoice(
    id=12345,
    reg_no="25/00411/BBA",
    fee_category=12,
    dept=Decimal("450000.00"),
    credit=None,
    dated=date(2025, 11, 18),
    dated_text="2025-11-18",
    comment="Sem 1",
    status=0,
    pushed_by=None,
    pushed_date=None,
)
UWASE = Student(
    code="25/00411/BBA",
    kind=PayerKind.STUDENT,
    first_name="Aline",
    middle_name=None,
    last_name="Uwase",
    emails=("uwase@mail.example", None),
    phones=("0788 000 411", None),
)
TUITION = Fee(id=12, name="Tuition fee", description="Tuition, first semester")
SENT = Facts(
    doc_number="MIS-12345", customer_id="58", total=Decimal("450000.00"), dated=date(2025, 11, 18)
)
FOUND = Document(
    quickbooks_id="1046",
    sync_token="0",  # noqa: S106 - a version, not a secret
    doc_number="MIS-12345",
    customer_id="58",
    total=Decimal(450000),
    dated=date(2025, 11, 18),
)


def row(**changes: Any) -> MisInvoice:  # noqa: ANN401 - any field of the row
    return replace(ROW, **changes)


def uwase(**changes: Any) -> Student:  # noqa: ANN401 - any field of the student
    return replace(UWASE, **changes)


texts = st.text(st.characters(), max_size=120) | st.sampled_from(
    ["", "  ", "\x00", "\ud800", "a:b", "a\tb", "a\nb", "\u202eabc", "🎓" * 60, "e\u0301" * 90]
)
long_texts = st.builds(lambda text, times: text * times, texts, st.integers(1, 90))
amounts = (
    st.decimals(min_value=Decimal(-(10**18)), max_value=Decimal(10**18), places=2, allow_nan=False)
    | st.decimals()
)
dates = st.dates(date(1, 1, 1), date(9999, 12, 31)) | st.dates(date(2000, 1, 1), date(2099, 12, 31))
invoices = st.builds(
    MisInvoice,
    id=st.integers(1, 2**31),
    reg_no=st.none() | texts | st.just("25/00411/BBA"),
    fee_category=st.none() | st.integers(-1, 200),
    dept=st.none() | amounts,
    credit=st.none() | amounts,
    dated=st.none() | dates,
    dated_text=st.none() | texts,
    comment=st.none() | texts | long_texts,
    status=st.none() | st.integers(-1, 9),
    pushed_by=st.none() | texts,
    pushed_date=st.none() | st.just(datetime(2025, 11, 22, tzinfo=UTC)),
    oddities=st.frozensets(st.sampled_from(Oddity)),
)
sound_invoices = st.builds(
    replace,
    st.just(ROW),
    reg_no=st.sampled_from(["25/00411/BBA", " 88123 ", "AAAA/9999/AA99", "O'Neil & Co"]),
    dept=st.decimals(Decimal("100.01"), Decimal("9999999994.99"), places=2),
    credit=st.none() | st.decimals(Decimal(-5), Decimal(100), places=2),
    dated=st.dates(date(2022, 1, 1), date(2099, 12, 31)),
    comment=st.none() | texts | long_texts,
    oddities=st.frozensets(st.sampled_from([Oddity.FRACTION, Oddity.TRACED, Oddity.NAMESAKE])),
)
students = st.builds(
    Student,
    code=texts,
    kind=st.sampled_from(PayerKind),
    first_name=st.none() | texts | long_texts,
    middle_name=st.none() | texts,
    last_name=st.none() | texts,
    emails=st.tuples(st.none() | texts | st.emails(), st.none() | texts),
    phones=st.tuples(st.none() | texts, st.none() | st.from_regex(r"[0-9 +().-]{5,30}")),
    rows=st.integers(1, 3),
    agreed=st.booleans(),
)
fees = st.builds(Fee, id=st.integers(0, 200), name=texts, description=st.none() | long_texts)
rules = st.sampled_from(AmountRule)
