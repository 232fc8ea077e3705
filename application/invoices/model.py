"""Nouns: MisInvoice, Student, Draft, Intent, Status; DocNumber and request id."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from functools import cache

DOC_NUMBER_PREFIX = "MIS-"


class Status(IntEnum):
    """What `QuickBk_Status` may hold; NULL reads as 0."""

    NOT_SYNCED = 0
    SYNCED = 1
    FAILED = 2
    IN_PROGRESS = 3


class Oddity(StrEnum):
    """What the MIS boundary noticed about a row; the rules decide what it means."""

    FRACTION = "fraction"  # the amount is not whole; it is sent rounded to the cent
    PRECISION = "precision"  # a FLOAT too large to be exact; what is stored is sent
    NOT_EXACT = "not_exact"  # a DECIMAL with more than two places that are not zero: refused
    TRACED = "traced"  # an earlier program left ` [QB_ID:n]` in the comment
    NAMESAKE = "namesake"  # the registration number stands on several equal student rows


class PayerKind(StrEnum):
    """Where a payer was found."""

    STUDENT = "student"
    APPLICANT = "applicant"


class Environment(StrEnum):
    """Which QuickBooks a company lives in."""

    SIMULATOR = "simulator"
    SANDBOX = "sandbox"
    PRODUCTION = "production"


class Kind(StrEnum):
    """What an intent creates."""

    INVOICE = "invoice"
    CUSTOMER = "customer"


class AmountRule(StrEnum):
    """Which amount of a MIS row is sent."""

    DEBIT = "debit"
    NET = "net"


class ItemPolicy(StrEnum):
    """What happens to a fee that no product is named like."""

    MATCH = "match"
    CREATE = "create"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class MisInvoice:
    """One row of `tbl_imvoice` after the boundary: clean values, oddities named."""

    id: int
    reg_no: str | None  # as stored; the payer code is `payer_code(reg_no)`
    fee_category: int | None
    dept: Decimal | None  # two places
    credit: Decimal | None  # two places
    dated: date | None  # None when missing, zero, partial or outside 2000-2099
    dated_text: str | None  # as stored, for messages
    comment: str | None
    status: int | None
    pushed_by: str | None
    pushed_date: datetime | None  # aware UTC; None when missing or unreadable
    reference_number: str | None = None
    oddities: frozenset[Oddity] = frozenset()

    @property
    def payer(self) -> str:
        """The payer code: the registration number without surrounding white space, or ``""``."""
        return (self.reg_no or "").strip()


@dataclass(frozen=True, slots=True)
class Student:
    """A payer: a student, or an applicant who pays before being one. Texts are as stored."""

    code: str
    kind: PayerKind
    first_name: str | None
    middle_name: str | None
    last_name: str | None
    emails: tuple[str | None, ...]
    phones: tuple[str | None, ...]
    rows: int = 1  # how many rows carry this code
    agreed: bool = True  # False when those rows name different people


@dataclass(frozen=True, slots=True)
class Fee:
    """One row of `tbl_income_category`."""

    id: int
    name: str
    description: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice mapped to QuickBooks' terms and not yet promised."""

    doc_number: str
    customer_id: str
    customer_name: str
    item_id: str
    item_name: str
    amount: Decimal
    dated: date
    description: str
    note: str | None
    reasons: tuple[str, ...] = ()  # what was cleaned, cut or left out, in words for a person


@dataclass(frozen=True, slots=True)
class CustomerDraft:
    """A payer mapped to a QuickBooks customer."""

    display_name: str
    given_name: str | None
    middle_name: str | None
    family_name: str | None
    print_name: str | None
    email: str | None
    phone: str | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What must agree before an invoice in QuickBooks counts as the one we intended."""

    doc_number: str
    customer_id: str
    total: Decimal
    dated: date


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice as QuickBooks shows it; `total` is TotalAmt without TotalTax."""

    quickbooks_id: str
    sync_token: str
    doc_number: str | None
    customer_id: str
    total: Decimal
    dated: date
    created_at: datetime | None = None
    voided: bool = False
    txn_type: str = "Invoice"

    @property
    def facts(self) -> Facts:
        """The part that is compared with an intent."""
        return Facts(
            doc_number=self.doc_number or "",
            customer_id=self.customer_id,
            total=self.total,
            dated=self.dated,
        )


@dataclass(frozen=True, slots=True)
class Party:
    """A customer, vendor or employee as QuickBooks shows it."""

    quickbooks_id: str
    sync_token: str
    display_name: str
    active: bool
    kind: str = "Customer"  # Customer, Vendor or Employee


class IntentState(StrEnum):
    """How far one frozen intent has come."""

    INTENDED = "intended"  # frozen, no send is open or unsettled
    SENDING = "sending"  # an attempt is durable, its outcome is not
    UNKNOWN = "unknown"  # an answer was lost or not recognised; settling decides
    CONFIRMED = "confirmed"  # a receipt is durable
    REFUSED = "refused"  # every attempt was definitely refused
    CONFLICT = "conflict"  # QuickBooks holds another document under the number
    ABSENT = "absent"  # proved not to be in QuickBooks and not sent again


@dataclass(frozen=True, slots=True)
class Intent:
    """A frozen draft we promised: one generation, one request id, one body, for ever."""

    id: int
    realm_tag: str
    kind: Kind
    key: str  # DocNumber of an invoice, registration number of a customer
    generation: int  # counts from 1
    request_id: str
    payload: bytes
    payload_sha256: str
    source_sha256: str  # of the MIS row and mapping it was made from
    state: IntentState
    invoice_id: int | None
    facts: Facts | None  # of an invoice
    sends: int  # attempts so far
    unsettled: int  # attempts whose outcome is open or unknown
    in_bundle: bool  # whether an unsettled attempt went out in a bundle
    first_sent_at: datetime | None
    last_sent_at: datetime | None
    absent_from: datetime | None  # from when "not found" may be believed
    looks: int  # settling look-ups made since the last send
    quickbooks_id: str | None
    sync_token: str | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class Realm:
    """One QuickBooks company in one environment."""

    environment: Environment
    company_id: str

    @property
    def tag(self) -> str:
        """Environment letter and 8 hex digits, written where the company id may not stand."""
        return _tag_of(self.environment.value, self.company_id)


@cache
def _tag_of(environment: str, company_id: str) -> str:
    letter = {"simulator": "s", "sandbox": "b", "production": "p"}[environment]
    return letter + hashlib.sha256(f"{environment}\n{company_id}".encode()).hexdigest()[:8]


def doc_number(invoice_id: int) -> str:
    """Return the number an invoice carries in QuickBooks.

    Source:
        The guide's mapping table: `id` becomes `DocNumber`, prefixed with "MIS-".
    """
    return f"{DOC_NUMBER_PREFIX}{invoice_id}"


def request_id(realm: Realm, *, key: str, operation: str, generation: int) -> str:
    """Return the id under which QuickBooks replays its first answer: 34 ASCII characters.

    It depends on nothing that changes between two attempts or after a lost store.

    Args:
        realm: The company the request is for.
        key: DocNumber of an invoice, DisplayName of a customer.
        operation: `create-invoice` or `create-customer`.
        generation: Version of the frozen body, counted from 1.
    """
    text = "\n".join(("1", realm.company_id, key, operation, str(generation)))
    return "fb" + hashlib.sha256(text.encode()).hexdigest()[:32]
