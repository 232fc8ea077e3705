"""everything secret: QuickBooks tokens encrypted, under a row lock."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, update
from typing_extensions import override

from application.catalogue import ConfigInvalid
from application.invoices.model import Environment, Realm
from application.store.audit import Actor, Audit, Entry
from application.store.columns import clean, instant, microseconds
from application.store.schema import tokens
from application.store.sign_ins import SUBJECT, SignIns
from application.store.tables import Store
from application.world import World

SETTING = "ENCRYPTION_KEYS"
PURPOSE = "quickbooks-tokens"
CONNECTED = "connected"
BROKEN = "broken"
_ROW = select(tokens).where(tokens.c.environment == bindparam("environment"))
_LOCKED_ROW = _ROW.with_for_update()
_CHANGE = update(tokens).where(
    tokens.c.environment == bindparam("b_environment"), tokens.c.version == bindparam("b_version")
)
_NEWEST = select(func.max(tokens.c.version))
_TAG = select(tokens.c.realm_tag).where(
    tokens.c.environment == bindparam("environment"), tokens.c.sealed.is_not(None)
)


@dataclass(frozen=True, slots=True)
class TokenSet:
    """One sign-in of one company. Its secrets show in no text made of it."""

    realm: Realm
    access_token: str
    access_until: datetime
    refresh_token: str
    refresh_until: datetime
    connected_by: str
    connected_at: datetime
    hard_until: datetime | None = None
    version: int = 0  # rises with every change of the tokens, never returns
    company_name: str = ""
    state: str = CONNECTED  # or broken
    reason: str | None = None
    changed_at: datetime | None = None

    @override
    def __repr__(self) -> str:
        """Return what may stand in a log."""
        return f"TokenSet({self.realm.tag}, version {self.version}, ***)"


class RefreshLost(Exception):
    """The right to renew a sign-in went to somebody else; the old token must not be sent.

    Args:
        version: Of the sign-in.
    """

    def __init__(self, *, version: int) -> None:
        super().__init__(version)
        self.version = version


class Tokens:
    """The sign-ins, sealed.

    Args:
        store: Our database.
        audit: Its log.
        world: Clock, chance and gates.
        keys: Fernet keys, newest first; the first one seals.

    Raises:
        ConfigInvalid: A key is no key.
    """

    def __init__(self, store: Store, *, audit: Audit, world: World, keys: Sequence[str]) -> None:
        self._store = store
        self._audit = audit
        self._world = world
        if not keys:
            raise ConfigInvalid(setting=SETTING, problem="is needed")
        try:
            each = [Fernet(key) for key in keys]
        except ValueError:
            raise ConfigInvalid(setting=SETTING, problem="holds a value that is no key") from None
        self._keys = MultiFernet(each)
        self._newest = each[0]
        self.keys_count = len(each)
        self.clock = world.clock  # the lives of tokens are counted by it
        self.sign_ins = SignIns(
            store,
            audit=audit,
            seal=lambda text: self._keys.encrypt(text.encode()).decode(),
            opened=lambda sealed: self._plain(sealed).decode(),
        )

    def load(self, environment: Environment) -> TokenSet | None:
        """Return the sign-in of an environment; None where nobody has connected.

        Raises:
            ConfigInvalid: No key opens it, or it was put there from elsewhere.
        """
        with self._store.read() as connection:
            row = connection.execute(_ROW, {"environment": environment.value}).first()
        return None if row is None or row.sealed is None else self._opened(row)

    def realm_tag(self, environment: Environment) -> str | None:
        """Return which company is connected; no key is needed for that."""
        with self._store.read() as connection:
            return connection.execute(_TAG, {"environment": environment.value}).scalar_one_or_none()

    def save(self, fresh: TokenSet, *, by: Actor) -> TokenSet:
        """Keep a new sign-in in place of the one before, and return it as kept."""

        def work(connection: Connection) -> TokenSet:
            now = self._store.moment(connection)
            environment = fresh.realm.environment.value
            old = _locked(connection, environment)
            kept = replace(
                fresh,
                version=_next_version(connection),
                state=CONNECTED,
                reason=None,
                changed_at=now,
            )
            values = self._values(kept, old=old) | {
                "company_name": clean(kept.company_name, most=200),
                "connected_by": clean(kept.connected_by, most=120),
                "connected_at": kept.connected_at,
            }
            if old is None:
                connection.execute(insert(tokens).values(environment=environment, **values))
            else:
                _change(connection, old, values)
            self._line(connection, "signin.connected", kept.realm, by=by)
            return kept

        return self._store.write(work)

    def begin_refresh(self, sign_in: TokenSet, *, lock_ms: int) -> datetime | None:
        """Return until when we, and nobody else, may renew this version; None while we may not.

        It is durable when it returns. A lock whose time is over is taken over.
        """

        def work(connection: Connection) -> datetime | None:
            now = self._store.moment(connection)
            row = _renewable(connection, sign_in)
            if row is None or (row.refreshing_until is not None and row.refreshing_until > now):
                return None
            until: datetime = now + timedelta(milliseconds=lock_ms)
            _change(connection, row, {"refreshing_until": until})
            return until

        return self._store.write(work)

    def keep_refresh(self, sign_in: TokenSet, *, until: datetime, lock_ms: int) -> datetime:
        """Return the new end of a lock that is still ours, right before the old token leaves.

        Whoever was stopped for longer than the lock lasts finds it lost, and sends nothing.

        Raises:
            RefreshLost: Somebody took it over, or connected anew, or disconnected.
        """

        def work(connection: Connection) -> datetime | None:
            now = self._store.moment(connection)
            row = _renewable(connection, sign_in)
            if row is None or row.refreshing_until != until:
                return None
            fresh: datetime = max(now + timedelta(milliseconds=lock_ms), until)
            _change(connection, row, {"refreshing_until": fresh})
            return fresh

        kept = self._store.write(work)
        if kept is None:
            raise RefreshLost(version=sign_in.version)
        return kept

    def finish_refresh(self, sign_in: TokenSet, *, tokens: TokenSet) -> TokenSet | None:
        """Keep the renewed tokens, durable before their first use, and return them as kept.

        Where somebody connected anew meanwhile, that newer sign-in stays and is returned; where
        somebody disconnected, nothing is kept.
        """
        fresh = tokens

        def work(connection: Connection) -> TokenSet | None:
            now = self._store.moment(connection)
            row = _locked(connection, sign_in.realm.environment.value)
            if row is None or row.version != sign_in.version or row.sealed is None:
                return None
            kept = replace(
                fresh,
                version=_next_version(connection),
                company_name=row.company_name,
                connected_by=row.connected_by,
                connected_at=row.connected_at,
                hard_until=fresh.hard_until or sign_in.hard_until,
                state=CONNECTED,
                reason=None,
                changed_at=now,
            )
            _change(connection, row, self._values(kept, old=row))
            self._line(connection, "signin.renewed", kept.realm, by=_renewer(row))
            return kept

        return self._store.write(work) or self.load(sign_in.realm.environment)

    def fail_refresh(
        self, sign_in: TokenSet, *, until: datetime, reason: str, broken: bool
    ) -> bool:
        """Give the lock back after a renewal that brought nothing; return whether it was ours.

        Args:
            sign_in: What was to be renewed.
            until: The end of our lock, as last written.
            reason: Why not, in a machine's word.
            broken: QuickBooks no longer accepts it; a person must connect again.
        """

        def work(connection: Connection) -> bool:
            row = _renewable(connection, sign_in)
            if row is None or row.refreshing_until != until:
                return False
            values: dict[str, object] = {"refreshing_until": None}
            if broken:
                now = self._store.moment(connection)
                values |= {
                    "state": BROKEN,
                    "reason": clean(reason, most=200),
                    "changed_at": now,
                }
            _change(connection, row, values)
            if broken:
                self._line(
                    connection, "signin.broken", sign_in.realm, by=_renewer(row), cause=reason
                )
            return True

        return self._store.write(work)

    def forget(self, environment: Environment, *, by: Actor) -> bool:
        """Wipe a sign-in and return whether there was one; its version is never used again."""

        def work(connection: Connection) -> bool:
            row = _locked(connection, environment.value)
            if row is None or row.sealed is None:
                return False
            wiped: dict[str, object] = {
                "sealed": None,
                "sealed_before": None,
                "refreshing_until": None,
            }
            _change(connection, row, wiped)
            self._audit.append(
                connection,
                Entry(
                    action="signin.ended",
                    subject=SUBJECT,
                    by=by,
                    realm_tag=row.realm_tag,
                ),
            )
            return True

        return self._store.write(work)

    def name_company(self, environment: Environment, name: str) -> None:
        """Keep the company's name beside its sign-in, for people."""

        def work(connection: Connection) -> None:
            row = _locked(connection, environment.value)
            if row is not None:
                _change(connection, row, {"company_name": clean(name, most=200)})

        self._store.write(work)

    def rotate(self, *, by: Actor) -> int:
        """Seal everything under the first key, in one transaction; return how many rows changed.

        Raises:
            ConfigInvalid: A row opens under none of the keys; nothing was changed.
        """

        def work(connection: Connection) -> int:
            rows = connection.execute(
                select(tokens).where(tokens.c.sealed.is_not(None)).with_for_update()
            ).all()
            for row in rows:
                sealed = self._keys.encrypt(self._plain(row.sealed)).decode()
                _change(connection, row, {"sealed": sealed, "sealed_before": None})
            self.sign_ins.reseal(connection)
            if rows:
                line = Entry(action="key.rotated", subject=f"{len(rows)} sign-ins", by=by)
                self._audit.append(connection, line)
            return len(rows)

        return self._store.write(work)

    def needs_rotation(self) -> bool:
        """Return whether anything rests under a key that is not the newest."""
        held = select(tokens.c.sealed, tokens.c.sealed_before).where(
            or_(tokens.c.sealed.is_not(None), tokens.c.sealed_before.is_not(None))
        )
        with self._store.read() as connection:
            sealed = [one for row in connection.execute(held) for one in row if one is not None]
            sealed += self.sign_ins.sealed(connection)
        return not all(self._is_newest(one) for one in sealed)

    # -- sealing --------------------------------------------------------------------------------

    def _values(self, kept: TokenSet, *, old: Row[Any] | None) -> dict[str, object]:
        return {
            "realm_tag": kept.realm.tag,
            "version": kept.version,
            "sealed": self._sealed(kept),
            "sealed_before": None if old is None else old.sealed,
            "state": kept.state,
            "reason": kept.reason,
            "changed_at": kept.changed_at,
            "refreshing_until": None,
        }

    def _sealed(self, kept: TokenSet) -> str:
        # The cipher binds no context, so the context is inside and is compared on opening.
        envelope = {
            "purpose": PURPOSE,
            "environment": kept.realm.environment.value,
            "company_id": kept.realm.company_id,
            "version": kept.version,
            "issued_at": microseconds(kept.changed_at or kept.connected_at),
            "access_token": kept.access_token,
            "access_until": microseconds(kept.access_until),
            "refresh_token": kept.refresh_token,
            "refresh_until": microseconds(kept.refresh_until),
            "hard_until": None if kept.hard_until is None else microseconds(kept.hard_until),
        }
        return self._keys.encrypt(json.dumps(envelope).encode()).decode()

    def _is_newest(self, sealed: str) -> bool:
        try:
            self._newest.decrypt(sealed.encode())
        except (InvalidToken, UnicodeEncodeError):
            return False
        return True

    def _plain(self, sealed: str) -> bytes:
        try:
            return self._keys.decrypt(sealed.encode())
        except (InvalidToken, UnicodeEncodeError):
            problem = "does not open the stored sign-in"
            raise ConfigInvalid(setting=SETTING, problem=problem) from None

    def _opened(self, row: Row[Any]) -> TokenSet:
        inside = json.loads(self._plain(row.sealed))
        realm = Realm(Environment(inside["environment"]), inside["company_id"])
        ours = (PURPOSE, row.environment, row.realm_tag, row.version)
        if ours != (inside["purpose"], realm.environment, realm.tag, inside["version"]):
            problem = "opens a sign-in that does not belong in this row; connect again"
            raise ConfigInvalid(setting=SETTING, problem=problem)
        hard = inside["hard_until"]
        return TokenSet(
            realm=realm,
            access_token=inside["access_token"],
            access_until=instant(inside["access_until"]),
            refresh_token=inside["refresh_token"],
            refresh_until=instant(inside["refresh_until"]),
            hard_until=None if hard is None else instant(hard),
            version=row.version,
            company_name=row.company_name,
            connected_by=row.connected_by,
            connected_at=row.connected_at,
            state=row.state,
            reason=row.reason,
            changed_at=row.changed_at,
        )

    def _line(
        self,
        connection: Connection,
        action: str,
        realm: Realm,
        *,
        by: Actor,
        cause: str | None = None,
    ) -> None:
        self._audit.append(
            connection,
            Entry(
                action=action,
                subject=SUBJECT,
                by=by,
                realm_tag=realm.tag,
                cause=cause,
            ),
        )


def new_key() -> str:
    """Return a fresh key for `ENCRYPTION_KEYS`."""
    return Fernet.generate_key().decode()


def _locked(connection: Connection, environment: str) -> Row[Any] | None:
    return connection.execute(_LOCKED_ROW, {"environment": environment}).first()


def _renewable(connection: Connection, sign_in: TokenSet) -> Row[Any] | None:
    """Return the row of this very version while it can be renewed."""
    row = _locked(connection, sign_in.realm.environment.value)
    if row is None or row.version != sign_in.version or row.sealed is None or row.state == BROKEN:
        return None
    return row


def _change(connection: Connection, row: Row[Any], values: dict[str, object]) -> None:
    known = {"b_environment": row.environment, "b_version": row.version}
    connection.execute(_CHANGE, {**values, **known})


def _next_version(connection: Connection) -> int:
    newest = connection.execute(_NEWEST).scalar()
    return int(newest or 0) + 1


def _renewer(row: Row[Any]) -> Actor:
    return Actor(name=row.connected_by, source="renewal")
