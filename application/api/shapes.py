"""What stands under `data` in each answer, as the interface's description tells it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema

Money = Annotated[Decimal, WithJsonSchema({"type": "number"})]
Status = Literal["not_synced", "synced", "failed", "in_progress"]
Flag = Literal["settling", "stuck", "held", "unverified", "changed"]
RunState = Literal[
    "queued",
    "running",
    "paused",
    "waiting_connection",
    "waiting_quickbooks",
    "waiting_mis",
    "stopping",
    "finished",
    "cancelled",
    "failed",
]


class Shape(BaseModel):
    """One answer's content; nothing else stands in it."""

    model_config = ConfigDict(extra="forbid")


class Statistics(Shape):
    """Where the invoices stand; the four add up to the total."""

    total_invoices: int
    not_synced: int
    already_synced: int
    failed: int
    in_progress: int


class Obstacle(Shape):
    """Why an invoice may not go."""

    error: str
    error_code: str
    remedy: str


class StudentDetails(Shape):
    """The payer, as the MIS has them; e-mail and phone are masked for a viewer."""

    full_name: str
    email: str | None
    phone: str | None


class Previewed(Shape):
    """One invoice as the next run would meet it."""

    id: int
    reg_no: str | None
    dept: Money | None
    credit: Money | None
    invoice_date: date | None
    comment: str | None
    fee_category: int | None
    QuickBk_Status: int
    student_details: StudentDetails | None
    ready: bool
    problems: list[Obstacle]
    notes: list[str]
    quickbooks: dict[str, Any] | None


class Preview(Shape):
    """What the next run would send first."""

    invoices: list[Previewed]
    count: int
    limit: int
    offset: int


class SentError(Shape):
    """One invoice a run could not send."""

    invoice_id: int
    error: str


class Sent(Shape):
    """What a run did."""

    total_processed: int
    successful: int
    failed: int
    errors: list[SentError]


class SentOne(Shape):
    """Where one invoice is in QuickBooks; null while nobody can tell."""

    invoice_id: int
    quickbooks_id: str | None


class QuickBooksSide(Shape):
    """The connected company, as our store knows it."""

    environment: Literal["simulator", "sandbox", "production"]
    company: str | None
    reconnect_by: date | None
    paused_until: datetime | None
    reads_this_month: int | None
    reads_limit: int | None


class ActiveRun(Shape):
    """The run at work."""

    id: int
    state: RunState
    processed: int
    total: int
    eta_seconds: int | None


class LastRun(Shape):
    """The run before."""

    id: int
    state: RunState
    successful: int
    failed: int


class SyncStatus(Shape):
    """Everything at a glance."""

    statistics: Statistics
    progress_percentage: Money
    quickbooks_connected: bool
    last_updated: datetime
    quickbooks: QuickBooksSide
    active_run: ActiveRun | None
    last_run: LastRun | None
    next_run_at: datetime | None
    reconciliation: None


class Invoice(Shape):
    """One invoice."""

    id: int
    doc_number: str
    reg_no: str | None
    student: str | None
    fee_category: int | None
    fee: str | None
    amount: Money | None
    invoice_date: date | None
    status: Status
    status_code: int
    flag: Flag | None
    error: str | None
    error_code: str | None
    looks_fixed: bool | None
    hold_reason: str | None
    quickbooks_id: str | None
    pushed_by: str | None
    pushed_date: datetime | None


class MisSide(Shape):
    """What else the MIS says."""

    dept: Money | None
    credit: Money | None
    comment: str | None


class InQuickBooks(Shape):
    """The invoice as QuickBooks answered when it was last read."""

    id: str
    doc_number: str
    customer: str | None
    total: Money | None
    date: date | None
    sync_token: str
    read_at: datetime
    url: str | None


class Happening(Shape):
    """One thing that happened to an invoice."""

    at: datetime
    actor: str
    event: str
    text: str
    intuit_tid: str | None


class InvoiceDetail(Invoice):
    """One invoice, both sides and its story."""

    mis: MisSide
    payload: dict[str, Any] | None
    quickbooks: InQuickBooks | None
    timeline: list[Happening]


class Invoices(Shape):
    """A page of invoices, newest first."""

    invoices: list[Invoice]
    count: int


class Run(Shape):
    """One run."""

    id: int
    kind: str
    state: RunState
    started_by: str
    started_at: datetime | None
    finished_at: datetime | None
    environment: str
    company: str | None
    total: int
    processed: int
    successful: int
    failed: int
    unsettled: int
    rate_per_minute: int | None
    eta_seconds: int | None
    throttled_seconds: int
    quickbooks_requests: int
    quickbooks_reads: int
    resumed: int
    settings: dict[str, Any]
    failures_by_cause: dict[str, int]
    error_code: str | None
    wake_at: datetime | None


class Runs(Shape):
    """A page of runs, newest first."""

    runs: list[Run]
    count: int


class Failure(Shape):
    """One invoice a run refused, with what to do."""

    invoice_id: int
    error_code: str
    why: str
    remedy: str
    owner: str
    retry: str
    attempts: int


class Failures(Shape):
    """A page of a run's failures."""

    failures: list[Failure]
    count: int


class CauseGroup(Shape):
    """The failures of one cause."""

    error_code: str
    error: str
    count: int
    amount: Money
    owner: str
    why: str
    remedy: str
    retry: str
    first_seen: datetime | None
    looks_fixed: int | None
    sample_invoice_ids: list[int]


class Causes(Shape):
    """All failures that stand, by cause."""

    total: int
    amount: Money
    groups: list[CauseGroup]


class MarkedSynced(Shape):
    """An invoice that was found in QuickBooks."""

    invoice_id: int
    quickbooks_id: str


class Left(Shape):
    """An invoice that cannot be decided yet."""

    invoice_id: int
    settles_at: datetime


class StuckReset(Shape):
    """What settling decided."""

    checked: int
    marked_synced: list[MarkedSynced]
    released: list[int]
    conflicts: list[int]
    left: list[Left]


class Entry(Shape):
    """One line of the audit log."""

    id: int
    at: datetime
    actor: str
    source: str
    address: str | None
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    environment: str | None
    hash: str
    previous: str


class Entries(Shape):
    """A page of the audit log, newest first."""

    entries: list[Entry]
    count: int


class Chain(Shape):
    """What walking the whole audit log showed."""

    intact: bool
    entries: int
    head: str
    first_bad: int | None


class Check(Shape):
    """One thing that was looked at."""

    name: str
    result: Literal["ok", "warn", "fail"]
    text: str
    remedy: str | None


class Connection(Shape):
    """The sign-in to QuickBooks."""

    connected: bool
    environment: Literal["simulator", "sandbox", "production"]
    company: str | None
    realm_id_masked: str | None
    bound: bool
    connected_by: str | None
    access_token_expires_in: int | None
    reconnect_by: date | None
    hard_limit: date | None
    problem: str | None
    warnings: list[str]
    checks: list[Check]


class SignIn(Shape):
    """Where an administrator of the company approves."""

    authorization_url: str
    expires_in: int


class Health(Shape):
    """The checks of `doctor`, QuickBooks as last known."""

    checks: list[Check]
    problems: int
    advice: int
