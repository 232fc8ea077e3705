"""QuickBooks as the checker reads it: counted first, paged by Id, numbers as Decimal."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from application.verify.values import PAGE, Document, Unreadable

MINOR_VERSION: Final = "75"
TIMEOUT_S: Final = 130
ANSWER_MOST: Final = 64 * 1024 * 1024
PATIENCE: Final = 5  # times QuickBooks may ask us to wait
WAIT_S: Final = 60
PACE_MS: Final = 150  # at most 400 reads a minute, of the 500 there are
NUMBERS: Final = 30
OURS: Final = "DocNumber like 'MIS-%'"
EVERYBODY: Final = "Active in (true, false)"


@dataclass(frozen=True, slots=True)
class Road:
    """How to reach one company."""

    base: str  # address without a path
    company: str
    token: Callable[[str | None], str]  # a good token; another one than that which was refused
    wait_ms: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Party:
    """A customer; the name is compared and never shown."""

    id: str
    name: str


class QuickBooksBook:
    """Reads a company's invoices and customers.

    Args:
        road: How to reach it.
    """

    def __init__(self, road: Road) -> None:
        self._road = road
        self.reads = 0

    def count(self) -> tuple[int, int]:
        """Return how many invoices carry a number of our form, and how many customers there are."""
        return self._count("Invoice", OURS), self._count("Customer", EVERYBODY)

    def documents(self) -> Iterator[Sequence[Document]]:
        """Yield every invoice with a number of our form, a page at a time."""
        for page in self._pages("Invoice", OURS):
            yield [_document(row) for row in page]

    def customers(self) -> Iterator[Sequence[Party]]:
        """Yield every customer, a page at a time."""
        for page in self._pages("Customer", EVERYBODY):
            yield [Party(_text(row, "Id"), str(row.get("DisplayName", ""))) for row in page]

    def numbered(self, numbers: Sequence[str]) -> list[Document]:
        """Return the invoices that carry these numbers now."""
        found: list[Document] = []
        for start in range(0, len(numbers), NUMBERS):
            wanted = ", ".join(f"'{one}'" for one in numbers[start : start + NUMBERS])
            found += [_document(row) for row in self._query("Invoice", f"DocNumber in ({wanted})")]
        return found

    def by_id(self, quickbooks_id: str) -> Document | None:
        """Return one invoice by its Id, which no search index delays; None where it is gone."""
        path = f"invoice/{quote(quickbooks_id, safe='')}?minorversion={MINOR_VERSION}"
        body = self._get(path, gone_is_none=True)
        if body is None:
            return None
        row = body.get("Invoice")
        if not isinstance(row, dict):
            raise Unreadable(book="quickbooks", detail="an answer has another shape")
        return None if row.get("status") == "Deleted" else _document(row)

    def _count(self, entity: str, where: str) -> int:
        body = self._asked(f"select count(*) from {entity} where {where}")  # noqa: S608 - our own words
        total = body.get("totalCount")
        if not isinstance(total, int):
            raise Unreadable(book="quickbooks", detail="a count was not answered")
        return total

    def _pages(self, entity: str, where: str) -> Iterator[list[dict[str, Any]]]:
        start = 1
        while True:
            rows = self._query(entity, where, start=start)
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            start += PAGE

    def _query(self, entity: str, where: str, *, start: int = 1) -> list[dict[str, Any]]:
        asked = f"select * from {entity} where {where} orderby Id"  # noqa: S608 - our own words
        page = f"startposition {start} maxresults {PAGE}"
        rows = self._asked(f"{asked} {page}").get(entity, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Unreadable(book="quickbooks", detail="an answer has another shape")
        return rows

    def _asked(self, statement: str) -> dict[str, Any]:
        options = urlencode({"query": statement, "minorversion": MINOR_VERSION})
        body = self._get(f"query?{options}")
        found = body.get("QueryResponse") if body is not None else None
        if not isinstance(found, dict):
            raise Unreadable(book="quickbooks", detail="an answer has another shape")
        return found

    def _get(self, path: str, *, gone_is_none: bool = False) -> dict[str, Any] | None:
        refused: str | None = None
        for _ in range(PATIENCE):
            token = self._road.token(refused)
            status, headers, raw = self._sent(path, token=token)
            if status == http.client.UNAUTHORIZED and refused is None:
                refused = token
            elif status == http.client.TOO_MANY_REQUESTS:
                asked = headers.get("retry-after", "")
                self._road.wait_ms(1000 * (int(asked) if asked.isdecimal() else WAIT_S))
            else:
                return _read(raw, status=status, gone_is_none=gone_is_none)
        raise Unreadable(book="quickbooks", detail="it asked us to wait too often")

    def _sent(self, path: str, *, token: str) -> tuple[int, Mapping[str, str], bytes]:
        if self.reads:
            self._road.wait_ms(PACE_MS)
        self.reads += 1
        where = urlsplit(self._road.base)
        kind = (
            http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
        )
        link = kind(where.hostname or "", where.port, timeout=TIMEOUT_S)
        try:
            link.request(
                "GET",
                f"/v3/company/{quote(self._road.company, safe='')}/{path}",
                headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            )
            answer = link.getresponse()
            raw = answer.read(ANSWER_MOST + 1)
            headers = {name.lower(): value for name, value in answer.getheaders()}
        except (OSError, http.client.HTTPException) as away:
            raise Unreadable(book="quickbooks", detail=type(away).__name__) from away
        finally:
            link.close()
        if len(raw) > ANSWER_MOST:
            raise Unreadable(book="quickbooks", detail="an answer is too large")
        if headers.get("content-length", str(len(raw))) != str(len(raw)):
            raise Unreadable(book="quickbooks", detail="an answer was cut")
        return answer.status, headers, raw


def _read(raw: bytes, *, status: int, gone_is_none: bool) -> dict[str, Any] | None:
    try:
        body = json.loads(
            raw, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once
        )
    except ValueError as wrong:
        raise Unreadable(book="quickbooks", detail=f"HTTP {status} without JSON") from wrong
    if not isinstance(body, dict):
        raise Unreadable(book="quickbooks", detail="an answer has another shape")
    fault = body.get("Fault") or body.get("fault")
    if fault is None and status == http.client.OK:
        return body
    codes = _codes(fault)
    if gone_is_none and "610" in codes:
        return None
    raise Unreadable(book="quickbooks", detail=f"HTTP {status}, error {', '.join(codes) or '?'}")


def _codes(fault: object) -> list[str]:
    errors = fault.get("Error") or fault.get("error") if isinstance(fault, dict) else None
    rows = errors if isinstance(errors, list) else []
    return [str(row.get("code", "")) for row in rows if isinstance(row, dict)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object none of whose names stands twice: else nobody knows which one counts."""
    whole = dict(pairs)
    if len(whole) < len(pairs):
        raise ValueError(len(pairs))
    return whole


def _no_number(text: str) -> Decimal:
    raise ValueError(text)


def _document(row: Mapping[str, Any]) -> Document:
    tax = row.get("TxnTaxDetail")
    total = _money(row.get("TotalAmt"))
    taxed = _money(tax.get("TotalTax", 0)) if isinstance(tax, dict) else Decimal(0)
    payer = row.get("CustomerRef")
    note = row.get("PrivateNote")
    void = total == 0 and isinstance(note, str) and note.startswith("Voided")
    return Document(
        id=_text(row, "Id"),
        number=str(row.get("DocNumber", "")),
        customer=_text(payer, "value") if isinstance(payer, dict) else "",
        total=total - taxed,
        dated=str(row.get("TxnDate", "")),
        live=not void and row.get("status") != "Deleted",
    )


def _money(value: object) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise Unreadable(book="quickbooks", detail="an amount is no number") from None
    if not amount.is_finite():
        raise Unreadable(book="quickbooks", detail="an amount is no number")
    return amount


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(book="quickbooks", detail=f"an object has no {name}")
    return value
