"""Our OAuth journey and tokens; products and preferences read at connect; realm binding."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from application.catalogue import (
    CompanyMismatch,
    NotConnected,
    QuickBooksUnavailable,
    WrongEnvironment,
)
from application.invoices.model import Environment, Realm
from application.invoices.outcomes import Passing, Refused, Unknown
from application.invoices.retries import stop_for
from application.logs import Logs
from application.quickbooks.auth import Auth, AuthRefused, AuthUnknown, TokenAnswer
from application.quickbooks.client import Client
from application.services.company import Company, ConnectionState
from application.store.audit import Actor
from application.store.items import CompanyProfile, ItemRow, Items
from application.store.leases import Leases
from application.store.tokens import Tokens, TokenSet
from application.world import Gate, Waits, World

PATIENCE_MS = 100
READS_MOST = 3
T = TypeVar("T")


class Connection:
    """Keeps one QuickBooks company connected.

    Args:
        sign_in: Gets the address QuickBooks returns to; used where no person is needed (the
            simulator), else None.
        mis_key: Which MIS this installation serves; it is bound to one company.
    """

    def __init__(
        self,
        *,
        tokens: Tokens,
        auth: Callable[[], Auth],
        items: Items,
        company: Company,
        leases: Leases,
        world: World,
        waits: Waits,
        logs: Logs,
        environment: Environment,
        mis_key: str,
        by: Actor,
        sign_in: Callable[[str], str] | None = None,
    ) -> None:
        self._tokens = tokens
        self._auth = auth
        self._items = items
        self._company = company
        self._leases = leases
        self._world = world
        self._waits = waits
        self._logs = logs
        self._environment = environment
        self._mis_key = mis_key
        self._by = by
        self._sign_in = sign_in
        self._held: TokenSet | None = None

    # -- what a sender needs ----------------------------------------------------------------------

    def realm(self) -> Realm:
        """Return the connected company, after checking that this MIS may be written for it.

        Raises:
            NotConnected: A person must connect first.
            CompanyMismatch: This MIS is bound to another company.
        """
        held = self._connected()
        binding = self._leases.bound(self._mis_key)
        if binding is not None and binding.realm_tag != held.realm.tag:
            raise CompanyMismatch(
                company=binding.company_name, environment=binding.environment.value
            )
        return held.realm

    def bind(self, realm: Realm, *, force: bool = False) -> None:
        """Bind this MIS to the company on the first live use.

        Raises:
            CompanyMismatch: It is bound to another one and nobody said otherwise.
        """
        held = self._connected()
        self._leases.bind(
            self._mis_key,
            realm=realm,
            company_name=held.company_name,
            by=self._by,
            force=force,
        )
        self._world.gate(Gate.START_BOUND)

    def rebind(self) -> None:
        """Bind this MIS to the connected company because a person said so."""
        self.bind(self._connected().realm, force=True)

    def access_token(self) -> str:
        """Return a token that outlasts one request, renewed in time.

        Raises:
            NotConnected: QuickBooks no longer accepts our sign-in.
        """
        held = self._held or self._connected()
        if self._fresh(held):
            self._held = held
            return held.access_token
        return self._renewed(held).access_token

    def fresh_token(self, failed: str) -> str:
        """Return another token after QuickBooks refused this one; renews at most once for it.

        Raises:
            NotConnected: QuickBooks no longer accepts our sign-in.
        """
        held = self._connected()
        if held.access_token != failed:
            self._held = held
            return held.access_token
        return self._renewed(held).access_token

    def _connected(self) -> TokenSet:
        held = self._tokens.load(self._environment)
        if held is None and self._sign_in is not None:
            self.finish(self._sign_in(self.begin()))
            held = self._tokens.load(self._environment)
        if held is None:
            raise NotConnected(since="", reason="nobody has connected yet")
        if held.state == "broken":
            raise NotConnected(since=held.changed_at, reason=held.reason or "")
        return held

    def _fresh(self, held: TokenSet) -> bool:
        early = timedelta(milliseconds=self._waits.token_early_ms)
        return held.access_until - early > self._world.clock.now()

    def _renewed(self, held: TokenSet) -> TokenSet:
        """Renew under the row's lock; whoever finds it taken waits for the holder's result."""
        waited_ms = 0
        while waited_ms <= self._waits.refresh_lock_ms:
            if self._tokens.begin_refresh(held, lock_ms=self._waits.refresh_lock_ms):
                return self._refresh(held)
            self._world.clock.sleep_ms(PATIENCE_MS)
            waited_ms += PATIENCE_MS
            now = self._connected()
            if now.version != held.version:
                self._held = now
                return now
        raise QuickBooksUnavailable(detail="the sign-in is being renewed by another process")

    def _refresh(self, held: TokenSet) -> TokenSet:
        self._world.gate(Gate.REFRESH_NOTED)
        answer = self._auth().refresh(held.refresh_token)
        self._world.gate(Gate.REFRESH_ANSWERED)
        if isinstance(answer, AuthUnknown):
            # One more try with the old token: it may still be good, and if the lost answer
            # rotated it, QuickBooks says so now.
            answer = self._auth().refresh(held.refresh_token)
        if isinstance(answer, TokenAnswer):
            self._held = self._tokens.finish_refresh(held, tokens=self._set(held.realm, answer))
            self._world.gate(Gate.REFRESH_STORED)
            self._logs.event("sign_in.renewed")
            return self._held
        self._held = None
        if isinstance(answer, AuthUnknown):
            self._tokens.fail_refresh(held, reason="no answer", broken=False)
            raise QuickBooksUnavailable(detail="the sign-in could not be renewed: no answer")
        self._tokens.fail_refresh(held, reason=answer.error, broken=True)
        self._logs.event("sign_in.lost", level="error")
        if answer.error == "invalid_client":
            raise WrongEnvironment(detail="QuickBooks does not know this client id and secret")
        raise NotConnected(since=self._world.clock.now(), reason=answer.error)

    def _set(self, realm: Realm, answer: TokenAnswer) -> TokenSet:
        now = self._world.clock.now()
        scale = self._world.clock.scale
        return TokenSet(
            realm=realm,
            access_token=answer.access_token,
            access_until=now + timedelta(seconds=answer.expires_in_s) / scale,
            refresh_token=answer.refresh_token,
            refresh_until=now + timedelta(seconds=answer.refresh_expires_in_s) / scale,
            connected_by=self._by.name,
            connected_at=now,
        )

    # -- a person's journey -----------------------------------------------------------------------

    def begin(self) -> str:
        """Return the address where a company administrator approves; good for ten minutes."""
        state = self._world.chance.secret()
        self._tokens.note_state(state, until=self._world.clock.now() + timedelta(minutes=10))
        return self._auth().authorize_address(state)

    def finish(self, address: str) -> ConnectionState:
        """Take the address QuickBooks returned to, and store the sign-in it stands for.

        Raises:
            NotConnected: It carries no valid code, or its state is not ours.
        """
        query = parse_qs(urlsplit(address.strip()).query)
        state, code, company = (query.get(name, [""])[0] for name in ("state", "code", "realmId"))
        if not self._tokens.use_state(state, now=self._world.clock.now()):
            raise NotConnected(since="", reason="this sign-in was not started here, or is old")
        if not code or not company:
            reason = query.get("error", ["the address carries no code"])[0]
            raise NotConnected(since="", reason=reason)
        answer = self._auth().exchange(code)
        if isinstance(answer, AuthUnknown):
            raise QuickBooksUnavailable(detail="the sign-in could not be finished: no answer")
        if isinstance(answer, AuthRefused):
            raise NotConnected(since="", reason=answer.error)
        realm = Realm(environment=self._environment, company_id=company)
        self._tokens.save(self._set(realm, answer), by=self._by)
        self._held = None
        self._logs.event("connection.made")
        return self._company.state()

    def disconnect(self) -> bool:
        """Forget the sign-in; return whether QuickBooks confirmed the revocation."""
        held = self._tokens.load(self._environment)
        if held is None:
            return True
        revoked = self._auth().revoke(held.refresh_token)
        self._tokens.forget(self._environment, by=self._by)
        self._held = None
        self._logs.event("connection.ended")
        return revoked is True

    def read_company(self, client: Client) -> CompanyProfile:
        """Read company, preferences and products once, and keep them.

        Raises:
            Stop: QuickBooks cannot be asked now.
        """
        tag = self.realm().tag
        company = self._answer(client.company)
        preferences = self._answer(client.preferences)
        items = self._answer(client.items)
        profile = CompanyProfile(
            name=company.name,
            country=company.country,
            currency=preferences.home_currency or "",
            custom_numbers=preferences.custom_numbers,
            books_closed_until=preferences.books_closed_until,
            uses_tax=preferences.uses_tax,
            read_at=self._world.clock.now(),
        )
        self._items.save_profile(tag, profile, by=self._by)
        self._items.replace(
            tag,
            [ItemRow(id=one.id, name=one.name, active=one.active) for one in items],
            by=self._by,
        )
        self._tokens.name_company(self._environment, company.name)
        return profile

    def _answer(self, ask: Callable[[], T | Refused | Unknown]) -> T:
        """Return what a read brings; a lost one is asked again, since reading changes nothing."""
        for turn in range(1, READS_MOST + 1):
            answer = ask()
            if not isinstance(answer, Refused | Unknown):
                return answer
            passing = isinstance(answer, Unknown) or answer.passing in {
                Passing.NOT_SENT,
                Passing.TRANSIENT,
                Passing.PAUSE,
            }
            if not passing and isinstance(answer, Refused):
                raise stop_for(answer.cause)
            if turn < READS_MOST:
                self._world.clock.sleep_ms(self._waits.retry_delay_ms)
        raise QuickBooksUnavailable(detail="QuickBooks did not answer what we read")
