"""The shape of our own tables: columns, keys and unique rules."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from application.store.columns import Amount, Instant, Json

SERVERS: Final = ("mysql", "mariadb")

tables = MetaData()

BIG: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
_BYTES: TypeEngine[bytes] = LargeBinary().with_variant(mysql.MEDIUMBLOB(), *SERVERS)
_TAG = String(16)
_ULID = String(26)
SHA = String(64)
_QUICKBOOKS_ID = String(40)
_TID = String(120)
_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_MARIADB = {name.replace("mysql", "mariadb"): value for name, value in _MYSQL.items()}
SERVER: dict[str, Any] = _MYSQL | _MARIADB

audit = Table(
    "audit",
    tables,
    Column(
        "id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False
    ),
    Column("at", Instant, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("source", String(40), nullable=False),
    Column("address", String(64)),
    Column("action", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("environment", String(12)),
    Column("realm_tag", _TAG),
    Column("run_id", BigInteger),
    Column("process", String(120), nullable=False),
    Column("intent_id", BigInteger),
    Column("attempt_id", BigInteger),
    Column("request_id", String(64)),
    Column("payload_sha256", SHA),
    Column("answer_sha256", SHA),
    Column("quickbooks_id", String(200)),
    Column("intuit_tid", _TID),
    Column("cause", String(80)),
    Column("previous", SHA, nullable=False),
    Column("hash", SHA, nullable=False),
    Index("audit_actor", "actor", "id"),
    Index("audit_action", "action", "id"),
    Index("audit_at", "at"),
    Index("audit_run", "run_id", "id"),
    **SERVER,
)
audit_head = Table(
    "audit_head",
    tables,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, nullable=False),
    Column("hash", SHA, nullable=False),
    **SERVER,
)
audit_invoices = Table(  # which lines speak of an invoice; derived, so outside the chain
    "audit_invoices",
    tables,
    Column("invoice_id", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", BigInteger, primary_key=True, autoincrement=False),
    **SERVER,
)

bindings = Table(
    "bindings",
    tables,
    Column("mis_key", String(120), primary_key=True),
    Column("realm_tag", _TAG, nullable=False),
    Column("environment", String(12), nullable=False),
    Column("company_name", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    **SERVER,
)
leases = Table(  # who holds a realm now: the row the compare-and-set is about
    "leases",
    tables,
    Column("realm_tag", _TAG, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("ulid", _ULID, nullable=False),
    **SERVER,
)
lease_terms = Table(  # every lease that ever was, because settling asks when it ended
    "lease_terms",
    tables,
    Column("ulid", _ULID, primary_key=True),
    Column("realm_tag", _TAG, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("run_id", BigInteger),
    Column("holder", String(120), nullable=False),
    Column("host", String(120), nullable=False),
    Column("boot_id", String(60), nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("ended_at", Instant),
    UniqueConstraint("realm_tag", "epoch", name="lease_terms_epoch"),
    **SERVER,
)

claims = Table(
    "claims",
    tables,
    Column("token", String(120), primary_key=True),
    Column("realm_tag", _TAG, nullable=False),
    Column("lease_ulid", _ULID, nullable=False),
    Column("run_id", BigInteger),
    Column("actor", Json, nullable=False),
    Column("noted_at", Instant, nullable=False),
    Index("claims_lease", "lease_ulid"),
    **SERVER,
)
claim_rows = Table(
    "claim_rows",
    tables,
    Column("token", String(120), ForeignKey("claims.token"), primary_key=True),
    Column("invoice_id", BigInteger, primary_key=True, autoincrement=False),
    Column("former", Json, nullable=False),
    Column("ended_at", Instant),
    Index("claim_rows_invoice", "invoice_id", "ended_at"),
    Index("claim_rows_open", "ended_at", "token"),
    **SERVER,
)
intents = Table(
    "intents",
    tables,
    Column("id", BIG, primary_key=True),
    Column("realm_tag", _TAG, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("key", String(200), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("open", Integer),  # 1 while unfinished, else NULL: NULLs never meet in a unique rule
    Column("request_id", String(64), nullable=False),
    Column("payload", _BYTES, nullable=False),
    Column("payload_sha256", SHA, nullable=False),
    Column("source_sha256", SHA, nullable=False),
    Column("state", String(12), nullable=False),
    Column("invoice_id", BigInteger),
    Column("facts", Json),
    Column("tries", Integer, nullable=False),
    Column("sends", Integer, nullable=False),
    Column("unsettled", Integer, nullable=False),
    Column("in_bundle", Boolean, nullable=False),
    Column("first_sent_at", Instant),
    Column("last_sent_at", Instant),
    Column("absent_from", Instant),
    Column("looks", Integer, nullable=False),
    Column("looked_at", Instant),
    Column("cause", String(200)),
    Column("quickbooks_id", _QUICKBOOKS_ID),
    Column("sync_token", String(40)),
    Column("customer_id", _QUICKBOOKS_ID),
    Column("total", Amount),
    Column("dated", Date),
    Column("intuit_tid", _TID),
    Column("adopted", Boolean),
    Column("made_at", Instant, nullable=False),
    Column("receipt_at", Instant),
    Column("synced_at", Instant),
    UniqueConstraint("realm_tag", "kind", "key", "generation", name="intents_generation"),
    UniqueConstraint("realm_tag", "kind", "key", "open", name="intents_unfinished"),
    Index("intents_state", "realm_tag", "state", "id"),
    Index("intents_invoice", "invoice_id", "generation"),
    **SERVER,
)
bundles = Table(
    "bundles",
    tables,
    Column("id", String(64), primary_key=True),
    Column("realm_tag", _TAG, nullable=False),
    Column("members", Json, nullable=False),  # intent ids in the order of their places
    Column("made_at", Instant, nullable=False),
    **SERVER,
)
attempts = Table(
    "attempts",
    tables,
    Column("id", BIG, primary_key=True),
    Column("intent_id", BIG, ForeignKey("intents.id"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("open", Integer),
    Column("lane", String(12), nullable=False),
    Column("bundle_id", String(64), ForeignKey("bundles.id")),
    Column("place", String(10)),
    Column("lease_ulid", _ULID, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("boot_id", String(60), nullable=False),
    Column("boot_ms", BigInteger, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("why", String(200)),
    Column("intuit_tid", _TID),
    Column("ended_at", Instant),
    UniqueConstraint("intent_id", "n", name="attempts_number"),
    UniqueConstraint("intent_id", "open", name="attempts_open"),
    **SERVER,
)
refusals = Table(
    "refusals",
    tables,
    Column("id", BIG, primary_key=True),
    Column("invoice_id", BigInteger),
    Column("open", Integer),
    Column("intent_id", BigInteger),
    Column("realm_tag", _TAG, nullable=False),
    Column("cause", String(80), nullable=False),
    Column("facts", Json, nullable=False),
    Column("fingerprint", SHA, nullable=False),
    Column("run_id", BigInteger),
    Column("quickbooks_code", String(40)),
    Column("quickbooks_text", String(500)),
    Column("quickbooks_id", String(200)),
    Column("intuit_tid", _TID),
    Column("at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("closed_by", String(120)),  # the claim that took the invoice up again, or "confirmed"
    UniqueConstraint("invoice_id", "open", name="refusals_open"),
    Index("refusals_cause", "cause", "open", "invoice_id"),
    Index("refusals_run", "run_id", "invoice_id"),
    Index("refusals_closed_by", "closed_by"),
    **SERVER,
)
holds = Table(
    "holds",
    tables,
    Column("id", BIG, primary_key=True),
    Column("invoice_id", BigInteger, nullable=False),
    Column("open", Integer),
    Column("reason", String(500), nullable=False),
    Column("held_by", String(120), nullable=False),
    Column("held_at", Instant, nullable=False),
    Column("released_by", String(120)),
    Column("released_at", Instant),
    UniqueConstraint("invoice_id", "open", name="holds_open"),
    **SERVER,
)

runs = Table(
    "runs",
    tables,
    Column("id", BIG, primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("state", String(24), nullable=False),
    Column("open", Boolean, nullable=False),
    Column("asked", String(12)),  # pause, cancel or resume, until somebody obeys
    Column("actor", Json, nullable=False),
    Column("arguments", Json, nullable=False),
    Column("cut_off_id", BigInteger),
    Column("asked_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("total", BigInteger, nullable=False),
    Column("processed", BigInteger, nullable=False),
    Column("successful", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("unsettled", BigInteger, nullable=False),
    Column("environment", String(12), nullable=False),
    Column("company", String(200)),
    Column("realm_tag", _TAG),
    Column("holder", String(120), nullable=False),
    Column("cause", String(80)),
    Column("asked_by", String(120)),  # the actor's name, to be found by
    Column("durable", Boolean, nullable=False, server_default=false()),  # any process may go on
    Column("sole", Integer),  # 1 for the one long run of a realm that has not ended, else NULL
    Column("turn", Integer, nullable=False, server_default="0"),  # rises when handed out anew
    Column("wake_at", Instant),  # when a waiting run is looked at again
    Column("resumed", Integer, nullable=False, server_default="0"),
    Column("throttled_ms", BigInteger, nullable=False, server_default="0"),
    Column("requests", BigInteger, nullable=False, server_default="0"),  # of QuickBooks, reads too
    Column("metered_reads", BigInteger, nullable=False, server_default="0"),
    Column("request_sha256", SHA),  # the Idempotency-Key it was asked for with
    Index("runs_open", "open", "id"),
    Index("runs_sole", "realm_tag", "sole", unique=True),
    Index("runs_request", "request_sha256"),
    **SERVER,
)
tokens = Table(
    "tokens",
    tables,
    Column("environment", String(12), primary_key=True),
    Column("realm_tag", _TAG, nullable=False),
    Column("version", BigInteger, nullable=False, unique=True),
    Column("sealed", Text),  # NULL once forgotten; the row stays, so a version never comes back
    Column("sealed_before", Text),
    Column("state", String(12), nullable=False),
    Column("reason", String(200)),
    Column("company_name", String(200), nullable=False),
    Column("connected_by", String(120), nullable=False),
    Column("connected_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("refreshing_until", Instant),
    **SERVER,
)
sign_ins = Table(  # begun and not yet finished; the secret itself is not kept
    "sign_ins",
    tables,
    Column("state_sha256", SHA, primary_key=True),
    Column("until", Instant, nullable=False),
    Column("actor", Json),  # who began it
    Column("browser_sha256", SHA),  # the cookie it must come back with; NULL: a terminal or a paste
    Column("verifier", Text),  # PKCE's secret, sealed
    **SERVER,
)
customers = Table(
    "customers",
    tables,
    Column("id", BIG, primary_key=True),
    Column("realm_tag", _TAG, nullable=False),
    Column("code", String(200), nullable=False),
    Column("quickbooks_id", _QUICKBOOKS_ID, nullable=False),
    Column("open", Integer),
    Column("adopted", Boolean, nullable=False),
    Column("linked_at", Instant, nullable=False),
    Column("unlinked_at", Instant),
    UniqueConstraint("realm_tag", "code", "open", name="customers_payer"),
    UniqueConstraint("realm_tag", "quickbooks_id", "open", name="customers_customer"),
    **SERVER,
)
items = Table(
    "items",
    tables,
    Column("realm_tag", _TAG, primary_key=True),
    Column("id", _QUICKBOOKS_ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("active", Boolean, nullable=False),
    **SERVER,
)
item_choices = Table(
    "item_choices",
    tables,
    Column("realm_tag", _TAG, primary_key=True),
    Column("fee_id", BigInteger, primary_key=True, autoincrement=False),
    Column("item_id", _QUICKBOOKS_ID, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("at", Instant, nullable=False),
    **SERVER,
)
profiles = Table(
    "profiles",
    tables,
    Column("realm_tag", _TAG, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("country", String(60)),
    Column("currency", String(8), nullable=False),
    Column("custom_numbers", Boolean),
    Column("books_closed_until", Date),
    Column("uses_tax", Boolean),
    Column("read_at", Instant, nullable=False),
    **SERVER,
)
notes = Table(
    "notes",
    tables,
    Column("name", String(120), primary_key=True),
    Column("value", Json, nullable=False),
    Column("at", Instant, nullable=False),
    **SERVER,
)
