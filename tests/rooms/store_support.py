"""Rooms of the store on a real database, and values to put into them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool
from typing_extensions import override

from application.invoices.model import (
    Environment,
    Facts,
    Intent,
    Kind,
    Realm,
    doc_number,
    request_id,
)
from application.store.audit import GENESIS, Actor, Audit
from application.store.customers import Customers
from application.store.items import Items
from application.store.journal import Former, Journal, NewIntent, Receipt, Refusal, Send
from application.store.leases import Lease, Leases
from application.store.people import People
from application.store.runs import Run, Runs
from application.store.schema import audit_head, tables
from application.store.tables import Store, open_store
from application.store.tokens import Tokens
from application.world import Clock, World

CLAIM = "fb1.t"  # the token of a claim
KINDS = ("sqlite", "mariadb", "postgres")
REALM = Realm(Environment.SIMULATOR, "9130350000000001")
LIVE = Realm(Environment.PRODUCTION, "9130350000000002")
UWASE = Actor("uwase", source="cli", run_id=1, process="desk-1")
LEASE_MS = 300_000
AMOUNT = Decimal("450000.00")
DATED = date(2025, 11, 18)
KEY = "cyCq6dn0jBaTMFYMqzg3NS5bEyrtgs6FCsp3mJ8w4oI="


@dataclass
class Rooms:
    """Every room of one open store."""

    store: Store
    world: World
    audit: Audit
    leases: Leases
    journal: Journal
    runs: Runs
    customers: Customers
    items: Items

    def tokens(self, *keys: str) -> Tokens:
        return Tokens(self.store, audit=self.audit, world=self.world, keys=keys or (KEY,))

    def lease(self, *, holder: str = "desk-1") -> Lease:
        return self.leases.take(REALM.tag, run_id=1, holder=holder, by=UWASE)

    def claimed(self, ids: Sequence[int], *, lease: Lease) -> None:
        formers = [Former(one, 0, None, None) for one in ids]
        self.journal.note_claim(lease=lease, token=CLAIM, run_id=1, formers=formers, by=UWASE)

    def intended(self, ids: Sequence[int], *, lease: Lease, generation: int = 1) -> list[Intent]:
        wanted = [wanted_of(one, generation=generation) for one in ids]
        return self.journal.intend(wanted, lease=lease, by=UWASE)

    def sent(self, ids: Sequence[int], *, lease: Lease, generation: int = 1) -> list[Intent]:
        intents = self.intended(ids, lease=lease, generation=generation)
        sends = [Send(one.id, "single") for one in intents]
        self.journal.attempt(sends, lease=lease, by=UWASE)
        return self.journal.intents([one.id for one in intents])

    def confirmed(self, ids: Sequence[int], *, lease: Lease) -> list[Intent]:
        intents = self.sent(ids, lease=lease)
        self.journal.confirmed([receipt_of(one) for one in intents], lease=lease, by=UWASE)
        return intents


def people_in(rooms: Rooms) -> People:
    return People(rooms.store, audit=rooms.audit, world=rooms.world)


def wanted_of(invoice_id: int, *, generation: int = 1, payload: bytes = b"{}") -> NewIntent:
    number = doc_number(invoice_id)
    return NewIntent(
        realm_tag=REALM.tag,
        kind=Kind.INVOICE,
        key=number,
        generation=generation,
        request_id=request_id(REALM, key=number, operation="create-invoice", generation=generation),
        payload=payload,
        source_sha256="0" * 64,
        invoice_id=invoice_id,
        facts=Facts(number, "58", AMOUNT, DATED),
    )


def receipt_of(intent: Intent, *, quickbooks_id: str | None = None) -> Receipt:
    return Receipt(
        intent_id=intent.id,
        quickbooks_id=quickbooks_id or f"1{intent.id:03}",
        sync_token="0",  # noqa: S106 - QuickBooks' word for a version
        customer_id="58",
        total=AMOUNT,
        dated=DATED,
        intuit_tid="1-abc",
    )


def refusal_of(invoice_id: int, *, cause: str, intent: Intent | None = None) -> Refusal:
    return Refusal(
        invoice_id=invoice_id,
        intent_id=intent.id if intent else None,
        cause=cause,
        facts={"reg_no": "25/00411/BBA"},
        fingerprint="f" * 64,
        run_id=1,
    )


@contextmanager
def rooms_on(
    url: str, *, locks: Path, world: World | None = None, lease_ms: int = LEASE_MS
) -> Iterator[Rooms]:
    """Open every room on one database."""
    world = world or World()
    store = open_store(url, world=world)
    audit = Audit(store, world=world)
    leases = Leases(store, audit=audit, world=world, lease_ms=lease_ms, lock_folder=locks)
    try:
        yield Rooms(
            store=store,
            world=world,
            audit=audit,
            leases=leases,
            journal=Journal(store, audit=audit, leases=leases, world=world),
            runs=Runs(store, audit=audit, world=world),
            customers=Customers(store, audit=audit, world=world),
            items=Items(store, audit=audit, world=world),
        )
    finally:
        store.close()


def again(rooms: Rooms, intent: Intent) -> Intent:
    return rooms.journal.intents([intent.id])[0]


def actions(rooms: Rooms, invoice_id: int) -> list[str]:
    found = rooms.audit.entries(invoice_id=invoice_id)
    return [line.action.removeprefix("invoice.") for line in found]


def customer_of(code: str) -> NewIntent:
    return NewIntent(
        realm_tag=REALM.tag,
        kind=Kind.CUSTOMER,
        key=code,
        generation=1,
        request_id=f"fb{code}",
        payload=b"{}",
        source_sha256="",
        invoice_id=None,
        facts=None,
    )


def unclear(rooms: Rooms, lease: Lease) -> list[Intent]:
    intents = rooms.sent([1], lease=lease)
    rooms.journal.unknown(
        [intents[0].id], why="reset", absent_from=rooms.store.now(), lease=lease, by=UWASE
    )
    return intents


class JumpingClock(Clock):
    """A clock a test moves: wall time, time since boot, or another boot altogether."""

    def __init__(self) -> None:
        super().__init__()
        self.wall_ms = 0
        self.boot_ms = 0
        self.boot = "this-boot"

    @override
    def now(self) -> datetime:
        return super().now() + timedelta(milliseconds=self.wall_ms)

    @override
    def since_boot_ms(self) -> int:
        return super().since_boot_ms() + self.boot_ms

    @override
    def boot_id(self) -> str:
        return self.boot


def address_on(kind: str, *, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database of that kind; skips where no server was started."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/own/store.db"
    try:
        server = request.getfixturevalue(f"{kind}_server")
    except pytest.FixtureLookupError:
        pytest.skip(f"no private {kind} here")
    address: str = server.new_database()
    return address


_worn: dict[tuple[str, int], str] = {}


def worn_address_on(kind: str, *, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database that is made once and emptied before each test.

    On a server, making every table anew takes longer than most tests. The guards of the audit log
    are gone from such a database; the tests of the log itself take a fresh one.
    """
    if kind == "sqlite":
        return address_on(kind, request=request, tmp_path=tmp_path)
    place = (kind, id(request.session))
    if place not in _worn:
        _worn[place] = address_on(kind, request=request, tmp_path=tmp_path)
        open_store(_worn[place], world=World()).close()
        with raw_engine(_worn[place]).connect() as connection:
            drop_guards(connection)
    with raw_engine(_worn[place]).connect() as connection:
        for table in reversed(tables.sorted_tables):
            connection.execute(table.delete())
        connection.execute(audit_head.insert().values(one=1, id=0, hash=GENESIS))
    return _worn[place]


@contextmanager
def worn_rooms_on(request: pytest.FixtureRequest, *, tmp_path: Path) -> Iterator[Rooms]:
    """Open every room on such a database, of the kind that the fixture's parameter names."""
    url = worn_address_on(request.param, request=request, tmp_path=tmp_path)
    with rooms_on(url, locks=tmp_path / "locks") as opened:
        yield opened


def drop_guards(connection: Connection) -> None:
    """Take down the triggers that guard the audit log."""
    for table in ("audit", "audit_invoices"):
        for verb in ("update", "delete"):
            where = f" ON {table}" if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER {table}_{verb}{where}"))


def raw_engine(url: str) -> Engine:
    """Return a way into the database that knows nothing of our rules: an intruder's."""
    drivers = {"mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}
    address = make_url(url)
    kind = address.get_backend_name()
    return create_engine(
        address.set(drivername=drivers.get(kind, kind)),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
    )


def asked(
    rooms: Rooms, *, sole: bool = True, tag: str = REALM.tag, request: str | None = None
) -> Run:
    """Return a durable run that somebody asked for and nobody has begun."""
    return rooms.runs.open(
        kind="all",
        state="queued",
        by=UWASE,
        environment="simulator",
        realm_tag=tag,
        holder="desk-1",
        durable=True,
        sole=sole,
        request_sha256=request,
    )
