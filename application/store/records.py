"""What goes into the journal and what comes out of it, as values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, select

from application.invoices.model import Facts, Intent, IntentState, Kind, doc_number
from application.store.audit import Actor, Audit, Entry
from application.store.columns import json_object
from application.store.fence import Guard, Lease
from application.store.schema import intents
from application.store.tables import Store
from application.world import World

UNFINISHED = frozenset({IntentState.INTENDED, IntentState.SENDING, IntentState.UNKNOWN})


class IllegalEdge(AssertionError):
    """A caller asked for a change the state machine does not have: a fault of ours.

    Args:
        wanted: The change.
        intent_id: The intent it was asked for.
        state: What the intent is.
    """

    def __init__(self, *, wanted: str, intent_id: int, state: str) -> None:
        super().__init__(wanted, intent_id, state)
        self.wanted = wanted
        self.intent_id = intent_id
        self.state = state


@dataclass(frozen=True, slots=True)
class Former:
    """What a MIS row said before we claimed it."""

    id: int
    status: int | None
    pushed_by: str | None
    pushed_date_text: str | None


@dataclass(frozen=True, slots=True)
class ClaimNote:
    """One claim as it was noted before the MIS was touched."""

    token: str
    realm_tag: str
    lease_ulid: str
    run_id: int | None
    noted_at: datetime
    formers: tuple[Former, ...]
    ended: frozenset[int]  # invoices this claim is over for


@dataclass(frozen=True, slots=True)
class NewIntent:
    """A frozen draft to be promised."""

    realm_tag: str
    kind: Kind
    key: str
    generation: int
    request_id: str
    payload: bytes  # empty: only the number is watched, nothing of ours was sent
    source_sha256: str
    invoice_id: int | None
    facts: Facts | None


@dataclass(frozen=True, slots=True)
class Send:
    """One intent about to leave in one request."""

    intent_id: int
    lane: str  # single or batch
    bundle_id: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What QuickBooks holds for an intent. The last facts are an invoice's."""

    intent_id: int
    quickbooks_id: str
    sync_token: str
    customer_id: str | None = None
    total: Decimal | None = None
    dated: date | None = None
    intuit_tid: str | None = None
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an invoice, or a customer's intent, is not in QuickBooks."""

    invoice_id: int | None
    intent_id: int | None
    cause: str
    facts: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    run_id: int | None = None
    quickbooks_code: str | None = None
    quickbooks_text: str | None = None
    intuit_tid: str | None = None
    quickbooks_id: str | None = None  # of a conflict: the other document


@dataclass(frozen=True, slots=True)
class ReceiptRecord:
    """A durable receipt of an invoice."""

    invoice_id: int
    intent_id: int
    doc_number: str
    generation: int
    quickbooks_id: str
    sync_token: str
    facts: Facts | None  # as QuickBooks answered; None where the answer showed less
    source_sha256: str
    adopted: bool
    receipt_at: datetime
    synced_at: datetime | None


@dataclass(frozen=True, slots=True)
class RefusalRecord:
    """A refusal as it was recorded."""

    id: int
    invoice_id: int | None
    intent_id: int | None
    cause: str
    facts: Mapping[str, str]
    fingerprint: str
    run_id: int | None
    quickbooks_code: str | None
    quickbooks_text: str | None
    quickbooks_id: str | None
    intuit_tid: str | None
    at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class CauseCount:
    """How many invoices one cause keeps out of QuickBooks."""

    cause: str
    count: int
    invoice_ids: tuple[int, ...]  # the first few
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """An invoice a person keeps out of runs."""

    invoice_id: int
    reason: str
    held_by: str
    held_at: datetime


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened to an invoice."""

    at: datetime
    actor: str
    event: str  # an action of the audit log, or `attempt`
    text: str
    run_id: int | None
    entry_id: int | None
    intent_id: int | None
    attempt: int | None
    lane: str | None
    outcome: str | None
    cause: str | None
    quickbooks_id: str | None
    intuit_tid: str | None


class Named(Protocol):
    """What an audit line says of an intent: an `Intent`, or a stored row of one."""

    @property
    def id(self) -> int:
        """Its own number."""

    @property
    def kind(self) -> str:
        """What it creates."""

    @property
    def key(self) -> str:
        """What it creates it for."""

    @property
    def invoice_id(self) -> int | None:
        """The invoice; None for a customer."""

    @property
    def request_id(self) -> str:
        """The id every send of it carries."""

    @property
    def payload_sha256(self) -> str:
        """Over the frozen body."""


class Book:
    """What every part of the journal writes with."""

    def __init__(self, store: Store, audit: Audit, leases: Guard, *, world: World) -> None:
        self._store = store
        self._audit = audit
        self._leases = leases
        self._world = world

    def _append(self, connection: Connection, entries: Sequence[Entry]) -> None:
        if entries:
            self._audit.append(connection, *entries)


def intent_of(row: Row[Any]) -> Intent:
    """Return an intent as it stands."""
    return Intent(
        id=row.id,
        realm_tag=row.realm_tag,
        kind=Kind(row.kind),
        key=row.key,
        generation=row.generation,
        request_id=row.request_id,
        payload=bytes(row.payload),
        payload_sha256=row.payload_sha256,
        source_sha256=row.source_sha256,
        state=IntentState(row.state),
        invoice_id=row.invoice_id,
        facts=facts_of(row.facts),
        sends=row.sends,
        unsettled=row.unsettled,
        in_bundle=bool(row.in_bundle),
        first_sent_at=row.first_sent_at,
        last_sent_at=row.last_sent_at,
        absent_from=row.absent_from,
        looks=row.looks,
        quickbooks_id=row.quickbooks_id,
        sync_token=row.sync_token,
        cause=row.cause,
    )


def refusal_of(row: Row[Any]) -> RefusalRecord:
    """Return a refusal as it stands."""
    return RefusalRecord(
        id=row.id,
        invoice_id=row.invoice_id,
        intent_id=row.intent_id,
        cause=row.cause,
        facts={name: str(value) for name, value in json_object(row.facts).items()},
        fingerprint=row.fingerprint,
        run_id=row.run_id,
        quickbooks_code=row.quickbooks_code,
        quickbooks_text=row.quickbooks_text,
        quickbooks_id=row.quickbooks_id,
        intuit_tid=row.intuit_tid,
        at=row.at,
        closed_at=row.closed_at,
    )


def facts_json(facts: Facts | None) -> dict[str, str] | None:
    """Return facts as they are stored."""
    if facts is None:
        return None
    return {
        "doc_number": facts.doc_number,
        "customer_id": facts.customer_id,
        "total": format(facts.total, "f"),
        "dated": facts.dated.isoformat(),
    }


def facts_of(stored: object) -> Facts | None:
    """Return stored facts."""
    if stored is None:
        return None
    found = {name: str(value) for name, value in json_object(stored).items()}
    return Facts(
        doc_number=found["doc_number"],
        customer_id=found["customer_id"],
        total=Decimal(found["total"]),
        dated=date.fromisoformat(found["dated"]),
    )


def money_text(amount: Decimal | None) -> str | None:
    """Return an amount as the audit log writes it: at least two places."""
    if amount is None:
        return None
    exponent = amount.as_tuple().exponent
    short = isinstance(exponent, int) and exponent > -2  # noqa: PLR2004 - two places
    return format(amount, ".2f" if short else "f")


def numbered(*shown: Table | ColumnElement[Any]) -> Select[Any]:
    """Return what `confirmed_of` asks: these, the state among them, of intents by number."""
    return select(*shown).where(
        intents.c.realm_tag == bindparam("realm"),
        intents.c.kind == Kind.INVOICE.value,
        intents.c.key.in_(bindparam("numbers", expanding=True)),
    )


def confirmed_of(
    connection: Connection, query: Select[Any], *, realm_tag: str, ids: Iterable[int]
) -> list[Row[Any]]:
    """Return the confirmed intents of these invoices, in the order of the question.

    The state is compared here: SQLite would answer a question that names it by walking through
    all that are confirmed.
    """
    asked = {"realm": realm_tag, "numbers": [doc_number(one) for one in ids]}
    rows = connection.execute(query, asked)
    return [row for row in rows if row.state == IntentState.CONFIRMED]


def entry_of(
    action: str,
    *,
    by: Actor,
    lease: Lease | None,
    intent: Named | Row[Any] | None = None,
    invoice_id: int | None = None,
    **more: Any,  # noqa: ANN401 - the remaining fields of an Entry, checked by its constructor
) -> Entry:
    """Return the audit line about one intent, or about an invoice that has none."""
    if intent is not None:
        invoice_id = invoice_id or intent.invoice_id
        more.setdefault("request_id", intent.request_id)
        more.setdefault("payload_sha256", intent.payload_sha256)
    subject = f"invoice {invoice_id}" if invoice_id is not None else "customer"
    kind = "customer" if intent is not None and intent.kind == Kind.CUSTOMER else "invoice"
    return Entry(
        action=f"{kind}.{action}",
        subject=subject if kind == "invoice" else f"customer {intent.key if intent else ''}",
        by=by,
        realm_tag=lease.realm_tag if lease else None,
        invoice_ids=() if invoice_id is None else (invoice_id,),
        intent_id=intent.id if intent else None,
        **more,
    )
