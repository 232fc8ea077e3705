"""who may send: one holder a realm, epoch and end; the realm this MIS is bound to."""

import platform
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from application.catalogue import CompanyMismatch, LeaseLost, RealmBusy, StoreUnavailable
from application.invoices.model import Environment, Realm
from application.store.audit import Actor, Audit, Entry
from application.store.columns import clean
from application.store.fence import Lease, held
from application.store.liveness import Liveness
from application.store.schema import bindings, lease_terms, leases
from application.store.tables import Clash, Store, present_in
from application.world import World

__all__ = ["Binding", "Lease", "LeaseRecord", "Leases"]


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What is known of a lease now."""

    ulid: str
    realm_tag: str
    epoch: int
    run_id: int | None
    holder: str
    until: datetime
    live: bool
    ended_at: datetime  # of a live lease: when it ends unless it is renewed


@dataclass(frozen=True, slots=True)
class Binding:
    """The company a MIS belongs to."""

    realm_tag: str
    environment: Environment
    company_name: str
    at: datetime


class Leases:
    """Decides who may send.

    Args:
        store: Our database.
        audit: Its log.
        world: Clock, chance and gates.
        lease_ms: Life of a lease without renewal, in real milliseconds.
        lock_folder: Where a living holder keeps a locked file that proves it lives.
    """

    def __init__(
        self, store: Store, *, audit: Audit, world: World, lease_ms: int, lock_folder: Path
    ) -> None:
        self._store = store
        self._world = world
        self._lease_ms = lease_ms
        self._audit = audit
        self._alive = Liveness(lock_folder)
        self._host = clean(platform.node() or "?", most=120)
        self._ends_boot_ms: dict[str, int] = {}  # of the leases this process holds

    # -- the lease ------------------------------------------------------------------------------

    def take(
        self, realm_tag: str, *, run_id: int | None, holder: str, by: Actor | None = None
    ) -> Lease:
        """Return a new lease of the realm.

        Raises:
            RealmBusy: Another sender holds it and is not proved dead. Facts: run_id, until, holder.
        """
        clock = self._world.clock
        ulid = self._world.chance.ulid(at=clock.now())
        boot_ms = clock.since_boot_ms()
        actor = by or Actor(name=clean(holder, most=120), source="lease", run_id=run_id)
        term = _Term(realm_tag, ulid=ulid, run_id=run_id, holder=clean(holder, most=120))
        self._alive.hold(ulid)  # before the row, so that nobody sees a lease without its proof
        try:
            epoch, until = self._store.write(
                lambda connection: self._take(connection, term=term, by=actor)
            )
        except Clash:
            self._alive.let_go(ulid)
            raise self._busy(realm_tag) from None
        except BaseException:  # whatever it was, no lock of a lease that is not ours may stay
            self._alive.let_go(ulid)
            raise
        self._ends_boot_ms[ulid] = boot_ms + self._lease_ms
        return Lease(
            realm_tag=realm_tag,
            epoch=epoch,
            ulid=ulid,
            run_id=run_id,
            holder=term.holder,
            until=until,
            boot_id=clock.boot_id(),
            until_boot_ms=boot_ms + self._lease_ms,
        )

    def renew(self, lease: Lease) -> Lease:
        """Return the lease with a later end; values made before stay good for the same term.

        Raises:
            LeaseLost: It ended, or another sender took over.
        """
        boot_ms = self._world.clock.since_boot_ms()

        def work(connection: Connection) -> datetime:
            until = self.guard(connection, lease) + timedelta(milliseconds=self._lease_ms)
            connection.execute(_RENEW, {"b_ulid": lease.ulid, "b_until": until})
            return until

        until = self._store.write(work)
        self._ends_boot_ms[lease.ulid] = boot_ms + self._lease_ms
        return Lease(
            realm_tag=lease.realm_tag,
            epoch=lease.epoch,
            ulid=lease.ulid,
            run_id=lease.run_id,
            holder=lease.holder,
            until=until,
            boot_id=lease.boot_id,
            until_boot_ms=boot_ms + self._lease_ms,
        )

    def release(self, lease: Lease, *, by: Actor | None = None) -> None:
        """End the lease; nothing happens where it ended before."""
        actor = by or Actor(name=lease.holder, source="lease", run_id=lease.run_id)

        def work(connection: Connection) -> None:
            now = self._store.moment(connection)
            ended = connection.execute(_RELEASE, {"b_ulid": lease.ulid, "b_now": now})
            if ended.rowcount:
                self._audit.append(connection, _line("lease.released", lease.epoch, lease, actor))

        self._store.write(work)
        self._ends_boot_ms.pop(lease.ulid, None)
        self._alive.let_go(lease.ulid)

    def still_ours(self, lease: Lease) -> None:
        """Return while the lease holds by the database's clock and by the boot clock.

        Raises:
            LeaseLost: It does not; nothing more may be sent.
        """
        with self._store.read() as connection:
            self._check(connection, lease, lock=False)

    def guard(self, connection: Connection, lease: Lease) -> datetime:
        """Return the database's present; the lease cannot be taken until the transaction ends.

        Raises:
            LeaseLost: The lease does not hold.
        """
        return self._check(connection, lease, lock=True)

    def record(self, ulid: str) -> LeaseRecord | None:
        """Return what is known of a lease; None where this store never saw it."""
        with self._store.read() as connection:
            asked = {"ulid": ulid, **self._store.present()}
            row = connection.execute(_record_in(self._store.dialect), asked).first()
        return None if row is None else self._record(row)

    def active(self, realm_tag: str) -> LeaseRecord | None:
        """Return the live lease of a realm; None where nobody may send now."""
        with self._store.read() as connection:
            row = self._current(connection, realm_tag, lock=False)
        if row is None:
            return None
        record = self._record(row)
        return record if record.live else None

    def _current(self, connection: Connection, realm_tag: str, *, lock: bool) -> Row[Any] | None:
        query = _term_in(self._store.dialect, lock=lock)
        return connection.execute(query, {"realm_tag": realm_tag, **self._store.present()}).first()

    def _take(self, connection: Connection, *, term: "_Term", by: Actor) -> tuple[int, datetime]:
        old = self._current(connection, term.realm_tag, lock=True)
        now = self._store.moment(connection)
        lines: list[Entry] = []
        epoch = 1
        if old is not None:
            epoch = old.epoch + 1
            lines += self._end_old(connection, old, now=now, by=by)
            former = {"b_realm": term.realm_tag, "b_epoch": old.epoch}
            connection.execute(_NEXT_TERM, {"epoch": epoch, "ulid": term.ulid, **former})
        else:
            first = {"realm_tag": term.realm_tag, "epoch": epoch, "ulid": term.ulid}
            connection.execute(_FIRST_TERM, first)
        until = now + timedelta(milliseconds=self._lease_ms)
        values = {
            "ulid": term.ulid,
            "realm_tag": term.realm_tag,
            "epoch": epoch,
            "run_id": term.run_id,
            "holder": term.holder,
            "host": self._host,
            "boot_id": self._world.clock.boot_id(),
            "taken_at": now,
            "until": until,
        }
        connection.execute(_NEW_TERM, values)
        self._audit.append(connection, *lines, _line("lease.taken", epoch, term, by))
        return epoch, until

    def _end_old(
        self, connection: Connection, old: Row[Any], *, now: datetime, by: Actor
    ) -> list[Entry]:
        """End the term before ours where that is allowed.

        Raises:
            RealmBusy: Its holder may still send.
        """
        if old.ended_at is not None:
            return []
        expired = old.until <= now
        if not expired and not self._proved_dead(old):
            raise RealmBusy(run_id=old.run_id, until=old.until, holder=old.holder)
        ended_at = old.until if expired else now
        connection.execute(_END_TERM, {"b_ulid": old.ulid, "b_ended_at": ended_at})
        return [_line("lease.expired" if expired else "lease.seized", old.epoch, old, by)]

    def _busy(self, realm_tag: str) -> RealmBusy | StoreUnavailable:
        holder = self.active(realm_tag)
        if holder is None:
            return StoreUnavailable(detail="two senders asked at once")
        return RealmBusy(run_id=holder.run_id, until=holder.until, holder=holder.holder)

    def _check(self, connection: Connection, lease: Lease, *, lock: bool) -> datetime:
        clock = self._world.clock
        ends_ms = self._ends_boot_ms.get(lease.ulid, lease.until_boot_ms)
        if clock.boot_id() != lease.boot_id or clock.since_boot_ms() >= ends_ms:
            raise LeaseLost(epoch=lease.epoch)
        return held(connection, store=self._store, lease=lease, lock=lock)

    def _record(self, row: Row[Any]) -> LeaseRecord:
        ended_at = row.ended_at
        if ended_at is None and row.until <= row.now:
            ended_at = row.until
        if ended_at is None and self._proved_dead(row):
            ended_at = row.now
        return LeaseRecord(
            ulid=row.ulid,
            realm_tag=row.realm_tag,
            epoch=row.epoch,
            run_id=row.run_id,
            holder=row.holder,
            until=row.until,
            live=ended_at is None,
            ended_at=ended_at or row.until,
        )

    def _proved_dead(self, row: Row[Any]) -> bool:
        """Return whether the holder ran on this machine and its lock is free."""
        return bool(row.host == self._host) and self._alive.proved_dead(row.ulid)

    # -- the binding ----------------------------------------------------------------------------

    def bound(self, mis_key: str) -> Binding | None:
        """Return the company a MIS belongs to; None before its first use."""
        with self._store.read() as connection:
            return _binding(connection, mis_key, lock=False)

    def bind(
        self, mis_key: str, *, realm: Realm, company_name: str, by: Actor, force: bool = False
    ) -> Binding:
        """Bind a MIS to a company and return the binding.

        Args:
            mis_key: Name of the MIS database; no secret in it.
            realm: The company.
            company_name: Its name, for people.
            by: Who binds it.
            force: A person said that another company takes over.

        Raises:
            CompanyMismatch: It is bound to another company, or the simulator asks for the MIS of
                a real one, which nobody can allow. Facts: company, environment.
        """

        def work(connection: Connection) -> Binding:
            old = _binding(connection, mis_key, lock=True)
            if old is not None and old.realm_tag == realm.tag:
                return old
            if old is not None:
                _refuse_rebinding(old, realm=realm, force=force)
            return self._bind(
                connection,
                mis_key,
                realm=realm,
                old=old,
                company_name=company_name,
                by=by,
            )

        try:
            binding = self._store.write(work)
        except Clash:
            return self.bind(mis_key, realm=realm, company_name=company_name, by=by, force=force)
        return binding

    def _bind(
        self,
        connection: Connection,
        mis_key: str,
        *,
        realm: Realm,
        old: Binding | None,
        company_name: str,
        by: Actor,
    ) -> Binding:
        now = self._store.moment(connection)
        values = {
            "realm_tag": realm.tag,
            "environment": realm.environment.value,
            "company_name": clean(company_name, most=200),
            "at": now,
        }
        if old is None:
            connection.execute(insert(bindings).values(mis_key=mis_key, **values))
        else:
            connection.execute(
                update(bindings)
                .where(bindings.c.mis_key == mis_key, bindings.c.realm_tag == old.realm_tag)
                .values(**values)
            )
        self._audit.append(
            connection,
            Entry(
                action="mis.bound",
                subject=f"MIS {mis_key}",
                by=by,
                before=None if old is None else {"realm_tag": old.realm_tag},
                after={"realm_tag": realm.tag},
                realm_tag=realm.tag,
            ),
        )
        return Binding(realm.tag, realm.environment, str(values["company_name"]), now)


@dataclass(frozen=True, slots=True)
class _Term:
    realm_tag: str
    ulid: str
    run_id: int | None
    holder: str


def _line(action: str, epoch: int, term: "Lease | _Term | Row[Any]", by: Actor) -> Entry:
    return Entry(
        action=action,
        subject=f"lease {term.ulid}",
        by=by,
        after={"epoch": epoch, "holder": term.holder, "run_id": term.run_id},
        realm_tag=term.realm_tag,
    )


def _binding(connection: Connection, mis_key: str, *, lock: bool) -> Binding | None:
    query = _LOCKED_BINDING if lock else _BINDING
    row = connection.execute(query, {"mis_key": mis_key}).first()
    if row is None:
        return None
    return Binding(row.realm_tag, Environment(row.environment), row.company_name, row.at)


def _refuse_rebinding(old: Binding, *, realm: Realm, force: bool) -> None:
    toy = realm.environment is Environment.SIMULATOR
    real = old.environment is not Environment.SIMULATOR
    if not force or (toy and real):
        raise CompanyMismatch(company=old.company_name, environment=old.environment.value)


# Built once: every run asks them, and building a statement costs more than running it.
_OPEN_TERM = (lease_terms.c.ulid == bindparam("b_ulid"), lease_terms.c.ended_at.is_(None))
_RENEW = update(lease_terms).where(*_OPEN_TERM).values(until=bindparam("b_until"))
_RELEASE = (
    update(lease_terms)
    .where(*_OPEN_TERM, lease_terms.c.until > bindparam("b_now"))
    .values(ended_at=bindparam("b_now"))
)
_END_TERM = update(lease_terms).where(*_OPEN_TERM).values(ended_at=bindparam("b_ended_at"))
_NEXT_TERM = update(leases).where(
    leases.c.realm_tag == bindparam("b_realm"), leases.c.epoch == bindparam("b_epoch")
)
_FIRST_TERM, _NEW_TERM = insert(leases), insert(lease_terms)
_BINDING = select(bindings).where(bindings.c.mis_key == bindparam("mis_key"))
_LOCKED_BINDING = _BINDING.with_for_update()


@cache
def _record_in(dialect: str) -> Select[Any]:
    query = select(lease_terms, present_in(dialect).label("now"))
    return query.where(lease_terms.c.ulid == bindparam("ulid"))


@cache
def _term_in(dialect: str, *, lock: bool) -> Select[Any]:
    query = (
        select(lease_terms, present_in(dialect).label("now"))
        .join(leases, leases.c.ulid == lease_terms.c.ulid)
        .where(leases.c.realm_tag == bindparam("realm_tag"))
    )
    return query.with_for_update() if lock else query
