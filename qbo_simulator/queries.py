"""What a query finds: filters, order, pages, and rows that are too new to be seen."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from qbo_simulator import refusals
from qbo_simulator.books import Books, Row, folded
from qbo_simulator.clock import PACIFIC
from qbo_simulator.entities import EMPTY_ENTITIES, KINDS, PEOPLE, Kind
from qbo_simulator.statements import Condition, Parser, Question

ROWS_DEFAULT: Final = 100
ROWS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What a query answers: rows, or their number."""

    entity: str
    rows: list[Row]
    start: int
    total: int | None = None


def answered(statement: str, *, books: Books, now_s: float, today: str, cap_results: bool) -> Found:
    """Answer one statement from the books.

    Args:
        statement: As it came, decoded once.
        books: The company.
        now_s: Simulated second; rows written too lately are not there yet.
        today: Pacific date, for CURRENT_DATE.
        cap_results: MAXRESULTS above 1000 is cut instead of refused.

    Raises:
        Refusal: 4000 or 4001.
    """
    question = Parser(statement).question()
    kind = next((k for k in KINDS.values() if k.path == question.entity.lower()), None)
    if kind is None:
        return _elsewhere(question)
    limit = _checked(question, cap_results=cap_results)
    tests = [_test(kind, condition, today=today) for condition in question.conditions]
    if not kind.transaction and not any(c.name.lower() == "active" for c in question.conditions):
        tests.append(lambda row: row.active)
    rows = [
        row
        for row in _visible(
            _candidates(question, kind, books, now_s=now_s), books=books, now_s=now_s
        )
        if all(test(row) for test in tests)
    ]
    if question.count:
        return Found(kind.entity, [], 1, total=len(rows))
    _sort(rows, question, kind)
    first = question.start - 1
    return Found(kind.entity, rows[first : first + limit], question.start)


def _elsewhere(question: Question) -> Found:
    known = {name.lower(): name for name in EMPTY_ENTITIES}
    if question.entity.lower() not in known:
        raise refusals.query_invalid(f"invalid context declaration: {question.entity}")
    return Found(question.entity, [], 1, total=0 if question.count else None)


def _checked(question: Question, *, cap_results: bool) -> int:
    if question.start < 1:
        raise refusals.query_invalid(f"value {question.start} is too small. Min allowed value is 1")
    limit = ROWS_DEFAULT if question.limit is None else question.limit
    if limit > ROWS_MAX and not cap_results:
        raise refusals.query_invalid(f"value {limit} is too large. Max allowed value is {ROWS_MAX}")
    if limit < 1:
        raise refusals.query_invalid(f"value {limit} is too small. Min allowed value is 1")
    return min(limit, ROWS_MAX)


def _candidates(question: Question, kind: Kind, books: Books, *, now_s: float) -> Iterable[Row]:
    rows = books.rows[kind.entity]
    for condition in question.conditions:
        ids = _indexed(condition, kind, books)
        if ids is not None:
            found = {row_id: rows[row_id] for row_id in ids if row_id in rows}
            # A row whose index entry moved lately may still be seen under its old value.
            found |= {row.row_id: row for row in books.unseen(kind.entity, now_s=now_s)}
            return [found[row_id] for row_id in sorted(found)]
    return list(rows.values())


def _indexed(condition: Condition, kind: Kind, books: Books) -> list[int] | None:
    if condition.sign not in {"=", "IN"}:
        return None
    name = condition.name.lower()
    if name == "id":
        return [int(value) for value in condition.values if value.isdecimal()]
    if name == "customerref" and kind.transaction:
        ids = [int(value) for value in condition.values if value.isdecimal()]
        return [one for row_id in ids for one in books.of_customer.get(row_id, ())]
    index: dict[str, list[int]] | None = None
    if name == "docnumber" and kind.transaction:
        index = books.numbers[kind.entity]
    elif name == kind.name_property.lower():
        index = books.names[kind.entity]
    if index is None:
        return None
    return [one for value in condition.values for one in index.get(folded(value), ())]


def _visible(rows: Iterable[Row], *, books: Books, now_s: float) -> Iterable[Row]:
    for row in rows:
        seen = books.seen(row, now_s=now_s)
        if seen is not None and not seen.deleted:
            yield seen


Getter = Callable[[Row], Any]
COLUMNS: Final[dict[str, tuple[str, Getter]]] = {
    "id": ("number", lambda row: row.row_id),
    "docnumber": ("text", lambda row: row.doc_number),
    "customerref": ("text", lambda row: str(row.customer_id)),
    "txndate": ("date", lambda row: row.dated),
    "duedate": ("date", lambda row: row.due),
    "totalamt": ("number", lambda row: row.total),
    "balance": ("number", lambda row: row.balance),
    "metadata.createtime": ("time", lambda row: row.created_s),
    "metadata.lastupdatedtime": ("time", lambda row: row.updated_s),
    "active": ("flag", lambda row: row.active),
    "name": ("text", lambda row: row.name),
    "displayname": ("text", lambda row: row.name),
}
TRANSACTION_COLUMNS: Final = frozenset(
    {"id", "docnumber", "customerref", "txndate", "duedate", "totalamt", "balance"}
    | {"metadata.createtime", "metadata.lastupdatedtime"}
)


def _column(kind: Kind, name: str) -> tuple[str, Getter]:
    key = name.lower()
    if kind.transaction:
        if key in TRANSACTION_COLUMNS:
            return COLUMNS[key]
        raise refusals.query_invalid(f"property '{name}' is not queryable")
    if key in {"id", "active", "metadata.createtime", "metadata.lastupdatedtime"}:
        return COLUMNS[key]
    if key == "balance" and kind.entity in PEOPLE:
        return COLUMNS[key]
    if key == kind.name_property.lower():
        return COLUMNS[key]
    exact = next((one for one in kind.shape if one.lower() == key), None)
    if exact is None or kind.shape[exact].kind in {"one", "many", "any"}:
        raise refusals.query_invalid(f"property '{name}' not found for Entity {kind.entity}")
    sort = {"number": "number", "flag": "flag", "date": "date"}.get(kind.shape[exact].kind, "text")
    return sort, lambda row: _plain(row.thing().get(exact))


def _plain(value: Any) -> Any:  # noqa: ANN401  # one column of any type
    return value.get("value", "") if isinstance(value, dict) else "" if value is None else value


def _operand(sort: str, value: str, *, name: str, today: str) -> Any:  # noqa: ANN401  # by column
    try:
        match sort:
            case "number":
                return Decimal(value)
            case "flag":
                return {"true": True, "false": False}[value.lower()]
            case "date":
                return date.fromisoformat(today if value == "CURRENT_DATE" else value).isoformat()
            case "time":
                moment = datetime.fromisoformat(today if value == "CURRENT_DATE" else value)
                aware = moment if moment.tzinfo else moment.replace(tzinfo=PACIFIC)
                return aware.timestamp()
            case _:
                return value.strip().casefold()
    except (ValueError, KeyError, InvalidOperation):
        raise refusals.query_invalid(f"value {value} is not valid for property {name}") from None


def _test(kind: Kind, condition: Condition, *, today: str) -> Callable[[Row], bool]:
    sort, getter = _column(kind, condition.name)
    if sort == "text":
        exact, getter = getter, lambda row: str(exact(row)).strip().casefold()
    sign = condition.sign
    if condition.name.lower() == "id" and sign not in {"=", "IN"}:
        raise refusals.query_invalid(f"operator {sign} is not supported on property Id")
    if sign == "LIKE":
        pattern = re.compile(
            ".*".join(re.escape(part) for part in condition.values[0].casefold().split("%")),
            re.DOTALL,
        )
        return lambda row: pattern.fullmatch(str(getter(row)).casefold()) is not None
    values = [_operand(sort, v, name=condition.name, today=today) for v in condition.values]
    if sign == "IN":
        wanted = set(values)
        return lambda row: getter(row) in wanted
    value = values[0]
    compare: dict[str, Callable[[Row], bool]] = {
        "=": lambda row: bool(getter(row) == value),
        "<": lambda row: bool(getter(row) < value),
        ">": lambda row: bool(getter(row) > value),
        "<=": lambda row: bool(getter(row) <= value),
        ">=": lambda row: bool(getter(row) >= value),
    }
    return compare[sign]


def _sort(rows: list[Row], question: Question, kind: Kind) -> None:
    if not question.order:
        # As recorded: lists by name, documents by their last change, newest first.
        if kind.transaction:
            rows.sort(key=lambda row: (row.updated_s, row.row_id), reverse=True)
        else:
            rows.sort(key=lambda row: (row.name.casefold(), row.row_id))
        return
    for name, descending in reversed(question.order):
        _, getter = _column(kind, name)
        rows.sort(key=getter, reverse=descending)
