"""Bytes from values, outcomes from answer bytes; bundles by bId; query escaping."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from typing import TypeVar

import msgspec

from application.invoices.model import CustomerDraft, Document, Draft, Kind, Party
from application.invoices.outcomes import Ok, Outcome, Passing, Refused, Unknown
from application.quickbooks import faults
from application.quickbooks.answers import (
    Answer,
    FaultLine,
    Unreadable,
    faults_in,
    faults_of_xml,
    parse,
    retry_after_s,
)
from application.quickbooks.shapes import (
    Account,
    Company,
    Item,
    Misshapen,
    Preferences,
    account_of,
    company_of,
    document_of,
    item_of,
    party_of,
    preferences_of,
)

MINOR_VERSION = "75"
PLACES_MAX = 30
PAGE_ROWS = 1000  # the most QuickBooks returns for one query

_OK = 200
_TOO_LARGE = 413
_TOO_MANY = 429
_NOT_FOUND = 404
_FAULTS_READ = (_OK, faults.BAD_REQUEST, faults.UNAUTHORIZED, faults.FORBIDDEN)
_NO_SUCH_OBJECT = "610"
_LIMIT_REACHED = "3001"
_ALL_OF = "select * from"
_CENT = Decimal("0.01")
_EXACT = Context(prec=28, traps=[Inexact])
_JSON = msgspec.json.Encoder(decimal_format="number")
_ENTITY = {Kind.INVOICE: "Invoice", Kind.CUSTOMER: "Customer"}
_RESULTS = ("Invoice", "Customer", "Item", "BatchItemResponse", "QueryResponse")
_T = TypeVar("_T")
_PAGE_KEYS = frozenset({"startPosition", "maxResults", "totalCount"})


@dataclass(frozen=True, slots=True)
class Missing:
    """QuickBooks has no object with that id (it never had, or it was deleted)."""


def invoice_bytes(draft: Draft) -> bytes:
    """Return the body that creates an invoice: the same bytes for the same draft, for ever.

    Raises:
        decimal.Inexact: The amount has more than two places; the money rules let none pass.

    Source:
        The guide's mapping table; Intuit, "Invoice" (`CustomerRef.value`, one sales line).
    """
    body: dict[str, object] = {
        "DocNumber": draft.doc_number,
        "TxnDate": draft.dated.isoformat(),
        "CustomerRef": {"value": draft.customer_id, "name": draft.customer_name},
    }
    if draft.note:
        body["PrivateNote"] = draft.note
    body["Line"] = [
        {
            "Amount": draft.amount.quantize(_CENT, context=_EXACT),
            "Description": draft.description,
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {"ItemRef": {"value": draft.item_id}},
        }
    ]
    return _JSON.encode(body)


def customer_bytes(draft: CustomerDraft) -> bytes:
    """Return the body that creates a customer; what the draft leaves out is not sent."""
    fields: dict[str, object] = {
        "DisplayName": draft.display_name,
        "GivenName": draft.given_name,
        "MiddleName": draft.middle_name,
        "FamilyName": draft.family_name,
        "PrintOnCheckName": draft.print_name,
        "PrimaryEmailAddr": {"Address": draft.email} if draft.email else None,
        "PrimaryPhone": {"FreeFormNumber": draft.phone} if draft.phone else None,
    }
    return _JSON.encode({name: value for name, value in fields.items() if value})


def item_bytes(name: str, *, income_account_id: str) -> bytes:
    """Return the body that creates a service product for a fee."""
    return _JSON.encode(
        {"Name": name, "Type": "Service", "IncomeAccountRef": {"value": income_account_id}}
    )


def bundle_id(request_ids: Sequence[str]) -> str:
    """Return a bundle's own request id, 34 characters, from its members' ids in order."""
    return "fb" + hashlib.sha256("\n".join(request_ids).encode()).hexdigest()[:32]


def place(number: int) -> str:
    """Return the bId of a member, counted from 0: `i00` to `i29`."""
    return f"i{number:02d}"


def bundle_bytes(kind: Kind, *, payloads: Sequence[bytes]) -> bytes:
    """Return a bundle's body; each frozen payload stands in it byte for byte.

    Args:
        kind: What every member creates.
        payloads: 1 to 30 bodies in journal order.

    Source:
        Intuit, "Batch operations" (30 items) and "RequestId" (36 + 10 characters).
    """
    if not 1 <= len(payloads) <= PLACES_MAX:
        raise ValueError(len(payloads))
    entity = _ENTITY[kind].encode()
    members = (
        b'{"bId":"%s","operation":"create","%s":%s}' % (place(n).encode(), entity, payload)
        for n, payload in enumerate(payloads)
    )
    return b'{"BatchItemRequest":[' + b",".join(members) + b"]}"


def judge(answer: Answer, *, kind: Kind) -> Outcome:
    """Return what one answer to a create means; what is not recognised is unknown."""
    body = _readable(answer)
    if not isinstance(body, dict):
        return body
    return _found(body.get(_ENTITY[kind]), kind=kind, answer=answer)


def judge_bundle(answer: Answer, *, places: int, kind: Kind) -> tuple[Outcome, ...]:
    """Return the outcome of each place, matched by bId.

    An answer that judges the whole call (sign-in, limit, lost) counts for every place.
    """
    body = _readable(answer)
    if not isinstance(body, dict):
        return (body,) * places
    items = body.get("BatchItemResponse")
    named: dict[str, list[dict[str, object]]] = {}
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(b_id := item.get("bId"), str):
            named.setdefault(b_id, []).append(item)
    return tuple(_member(named.get(place(n), []), kind=kind, answer=answer) for n in range(places))


def judge_item(answer: Answer) -> Item | Refused | Unknown:
    """Return the product an answer shows was created."""
    return _one(answer, read=lambda body: item_of(body.get("Item")))


def read_documents(answer: Answer) -> tuple[Document, ...] | Refused | Unknown:
    """Return every invoice of a query's answer; only a whole page counts as an answer."""
    return _rows(answer, entity="Invoice", of=document_of)


def read_count(answer: Answer) -> int | Refused | Unknown:
    """Return the number of a counting query."""
    body = _readable(answer)
    if not isinstance(body, dict):
        return body
    page = body.get("QueryResponse")
    count = page.get("totalCount") if isinstance(page, dict) else None
    if type(count) is not int:
        return Unknown(why="no_count", intuit_tid=answer.intuit_tid)
    return count


def read_parties(answer: Answer, *, kind: str) -> tuple[Party, ...] | Refused | Unknown:
    """Return the customers, vendors or employees of a query's answer."""
    return _rows(answer, entity=kind, of=lambda row: party_of(row, kind=kind))


def read_items(answer: Answer) -> tuple[Item, ...] | Refused | Unknown:
    """Return one page of products."""
    return _rows(answer, entity="Item", of=item_of, full_is_fine=True)


def read_accounts(answer: Answer) -> tuple[Account, ...] | Refused | Unknown:
    """Return one page of accounts."""
    return _rows(answer, entity="Account", of=account_of, full_is_fine=True)


def read_document(answer: Answer) -> Document | Missing | Refused | Unknown:
    """Return the invoice a GET by id shows."""
    return _by_id(answer, entity="Invoice", of=document_of)


def read_party(answer: Answer) -> Party | Missing | Refused | Unknown:
    """Return the customer a GET by id shows, inactive ones included."""
    return _by_id(answer, entity="Customer", of=lambda row: party_of(row, kind="Customer"))


def read_company(answer: Answer) -> Company | Refused | Unknown:
    """Return the company's own entry."""
    return _one(answer, read=lambda body: company_of(body.get("CompanyInfo")))


def read_preferences(answer: Answer) -> Preferences | Refused | Unknown:
    """Return the company's switches that change what we may send."""
    return _one(answer, read=lambda body: preferences_of(body.get("Preferences")))


def quoted(text: str) -> str:
    r"""Return a string of the query language: `\` first, then `'`, each behind a `\`."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def query_documents(numbers: Sequence[str]) -> str:
    """Return the query for invoices by number."""
    wanted = ", ".join(quoted(number) for number in numbers)
    return f"{_ALL_OF} Invoice where DocNumber in ({wanted}) maxresults {PAGE_ROWS}"


def query_own_count() -> str:
    """Return the query for how many invoices carry a number of our form."""
    return "select count(*) from Invoice where DocNumber like 'MIS-%'"


def query_parties(entity: str, *, names: Sequence[str]) -> str:
    """Return the query for names, inactive ones included."""
    wanted = ", ".join(quoted(name) for name in names)
    return (
        f"{_ALL_OF} {entity} where DisplayName in ({wanted})"
        f" and Active in (true, false) maxresults {PAGE_ROWS}"
    )


def query_items(start: int) -> str:
    """Return the query for a page of products, counted from 1."""
    return _listing("Item", start=start)


def query_accounts(start: int) -> str:
    """Return the query for a page of accounts, counted from 1."""
    return _listing("Account", start=start)


def _listing(entity: str, *, start: int) -> str:
    return (
        f"{_ALL_OF} {entity} where Active in (true, false)"
        f" orderby Id startposition {start} maxresults {PAGE_ROWS}"
    )


def _readable(answer: Answer) -> dict[str, object] | Refused | Unknown:
    """Return the body of an answer without a fault, else what the answer means."""
    if answer.status == _TOO_MANY:
        return _limited(answer)
    if answer.status == _TOO_LARGE:
        return Refused(cause="internal_error", code="413", intuit_tid=answer.intuit_tid)
    try:
        body = parse(answer)
    except Unreadable as reason:
        return _without_json(answer, why=reason.why)
    lines = faults_in(body)
    if lines is None and answer.status == _OK:
        return body
    return _not_ok(answer, lines=lines, mixed=any(body.get(name) for name in _RESULTS))


def _not_ok(answer: Answer, *, lines: Sequence[FaultLine] | None, mixed: bool) -> Refused | Unknown:
    if answer.status not in _FAULTS_READ:
        limited = lines and not mixed and all(line.code == _LIMIT_REACHED for line in lines)
        return _limited(answer) if limited else _lost(answer)
    if lines is None:
        return _challenged(answer) or _strange(answer, why=f"status_{answer.status}")
    if mixed:
        return _strange(answer, why="fault_and_entity")
    return _fault(answer, lines=lines)


def _without_json(answer: Answer, *, why: str) -> Refused | Unknown:
    if lines := faults_of_xml(answer):
        return _fault(answer, lines=lines)
    if answer.status in {_OK, faults.BAD_REQUEST}:
        return Unknown(why=why, intuit_tid=answer.intuit_tid)
    return _challenged(answer) or _lost(answer)


def _fault(answer: Answer, *, lines: Sequence[FaultLine]) -> Refused | Unknown:
    outcome = faults.judge(
        lines,
        status=answer.status,
        intuit_tid=answer.intuit_tid,
        retry_after_s=retry_after_s(answer),
    )
    if isinstance(outcome, Unknown) and outcome.unclassified:
        return _challenged(answer) or outcome
    return outcome


def _limited(answer: Answer) -> Refused:
    return Refused(
        cause="quickbooks_rate_limited",
        passing=Passing.PAUSE,
        code=str(answer.status),
        intuit_tid=answer.intuit_tid,
        retry_after_s=retry_after_s(answer),
    )


def _challenged(answer: Answer) -> Refused | None:
    if answer.status != faults.UNAUTHORIZED or answer.challenge is None:
        return None
    if not answer.challenge.strip().lower().startswith("bearer"):
        return None
    return Refused(
        cause="authentication_failed", passing=Passing.SIGN_IN, intuit_tid=answer.intuit_tid
    )


def _lost(answer: Answer) -> Unknown:
    return Unknown(why=f"status_{answer.status}", intuit_tid=answer.intuit_tid)


def _strange(answer: Answer, *, why: str) -> Unknown:
    return Unknown(why=why, intuit_tid=answer.intuit_tid, unclassified=True)


def _found(row: object, *, kind: Kind, answer: Answer) -> Outcome:
    tid = answer.intuit_tid
    try:
        if kind is Kind.INVOICE:
            return Ok(found=document_of(row), intuit_tid=tid)
        return Ok(found=party_of(row, kind="Customer"), intuit_tid=tid)
    except Misshapen as reason:
        return Unknown(why=reason.why, intuit_tid=tid)


def _member(items: Sequence[dict[str, object]], *, kind: Kind, answer: Answer) -> Outcome:
    tid = answer.intuit_tid
    if len(items) != 1:
        return Unknown(why="doubled_place" if items else "missing_place", intuit_tid=tid)
    lines, row = faults_in(items[0]), items[0].get(_ENTITY[kind])
    if lines is None:
        return _found(row, kind=kind, answer=answer)
    if row is not None:
        return _strange(answer, why="fault_and_entity")
    return _fault(answer, lines=lines)


def _one(answer: Answer, *, read: Callable[[dict[str, object]], _T]) -> _T | Refused | Unknown:
    body = _readable(answer)
    if not isinstance(body, dict):
        return body
    try:
        return read(body)
    except Misshapen as reason:
        return Unknown(why=reason.why, intuit_tid=answer.intuit_tid)


def _by_id(
    answer: Answer, *, entity: str, of: Callable[[object], _T]
) -> _T | Missing | Refused | Unknown:
    if _says_missing(answer):
        return Missing()
    body = _readable(answer)
    if not isinstance(body, dict):
        return body
    row = body.get(entity)
    if isinstance(row, dict) and row.get("status") == "Deleted":
        return Missing()
    try:
        return of(row)
    except Misshapen as reason:
        return Unknown(why=reason.why, intuit_tid=answer.intuit_tid)


def _says_missing(answer: Answer) -> bool:
    if answer.status not in {_OK, faults.BAD_REQUEST, _NOT_FOUND}:
        return False
    try:
        lines = faults_in(parse(answer))
    except Unreadable:
        return False
    return bool(lines) and all(line.code == _NO_SUCH_OBJECT for line in lines or ())


def _rows(
    answer: Answer, *, entity: str, of: Callable[[object], _T], full_is_fine: bool = False
) -> tuple[_T, ...] | Refused | Unknown:
    body = _readable(answer)
    if not isinstance(body, dict):
        return body
    tid = answer.intuit_tid
    page = body.get("QueryResponse")
    if not isinstance(page, dict) or page.keys() - _PAGE_KEYS - {entity}:
        return Unknown(why="no_query_answer", intuit_tid=tid)
    rows = page.get(entity, [])
    if not isinstance(rows, list) or page.get("maxResults", len(rows)) != len(rows):
        return Unknown(why="rows_missing", intuit_tid=tid)
    if len(rows) >= PAGE_ROWS and not full_is_fine:
        return Unknown(why="page_full", intuit_tid=tid)
    try:
        return tuple(of(row) for row in rows)
    except Misshapen as reason:
        return Unknown(why=reason.why, intuit_tid=tid)
