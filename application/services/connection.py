"""Our OAuth journey and tokens; products and preferences read at connect; realm binding."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from application.catalogue import (
    NO_SIGN_IN,
    CompanyMismatch,
    ConfigInvalid,
    NotConnected,
    QuickBooksUnavailable,
    Stop,
    WrongEnvironment,
)
from application.invoices.model import Environment, Realm
from application.invoices.outcomes import Passing, Refused, Unknown
from application.invoices.retries import stop_for
from application.logs import Logs
from application.quickbooks.auth import Auth, AuthUnknown, TokenAnswer
from application.quickbooks.client import Client
from application.quickbooks.shapes import Company as CompanyEntry
from application.quickbooks.shapes import Preferences
from application.services.company import FIVE_YEARS, Company, ConnectionState
from application.services.renewal import WRONG_KEYS, Renewal, token_set
from application.services.signing_in import (
    SIGN_IN_S,
    Begun,
    Door,
    Returned,
    SignInRefused,
    Why,
    checked,
)
from application.store.audit import Actor
from application.store.items import CompanyProfile, ItemRow, Items
from application.store.leases import Leases
from application.store.sign_ins import Begun as Noted
from application.store.tokens import BROKEN, Tokens, TokenSet
from application.world import Gate, Waits, World

KEEP_ALIVE = timedelta(days=7)
READS_MOST = 4
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
T = TypeVar("T")


class NameNotTyped(Stop):
    """What was typed to confirm is not the company's name. Facts: problem."""

    cause = "validation_failed"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at the company brought."""

    profile: CompanyProfile
    company: CompanyEntry
    preferences: Preferences


@dataclass(frozen=True, slots=True)
class Keys:
    """How the tokens rest."""

    count: int
    older_in_use: bool  # an older key must stay in ENCRYPTION_KEYS


class Connection:
    """Keeps one QuickBooks company connected. Any number of threads may share it.

    No token is kept between two calls: each reads the store, so that what one process renews or
    ends is what every other one uses next.

    Args:
        sign_in: Gets the address QuickBooks returns to; used where no person is needed (the
            simulator), else None.
        mis_key: Which MIS this installation serves; it is bound to one company.
        by: Who acts where nobody is named.
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
        self._renewal = Renewal(tokens=tokens, auth=auth, world=world, waits=waits, logs=logs)

    # -- what a sender needs ----------------------------------------------------------------------

    def realm(self) -> Realm:
        """Return the connected company, after checking that this MIS may be written for it.

        Raises:
            NotConnected: A person must connect first.
            CompanyMismatch: This MIS is bound to another company.
        """
        realm = self._connected().realm
        self._refuse_another(realm)
        return realm

    def standing_realm(self) -> Realm:
        """Return the same of the sign-in that stands; none is made, whoever could make one.

        For what a server does by itself: it must not undo what a person just disconnected.

        Raises:
            NotConnected: A person must connect first.
            CompanyMismatch: This MIS is bound to another company.
        """
        realm = self._usable().realm
        self._refuse_another(realm)
        return realm

    def connected_realm(self) -> Realm:
        """Return the connected company, bound or not; for reading only.

        Raises:
            NotConnected: A person must connect first.
        """
        return self._connected().realm

    def bind(self, realm: Realm) -> None:
        """Bind this MIS to the company on the first live use.

        Raises:
            CompanyMismatch: It is bound to another one.
        """
        self._bind(realm, company_name=self._connected().company_name, by=self._by)

    def access_token(self, *, company_id: str | None = None) -> str:
        """Return a token that outlasts one request, renewed in time.

        Args:
            company_id: Where it is to be used; None: wherever the present sign-in leads.

        Raises:
            NotConnected: QuickBooks no longer accepts our sign-in.
            CompanyMismatch: Meanwhile another company was connected.
        """
        held = self._of(company_id)
        return held.access_token if self._fresh(held) else self._renewal.renewed(held).access_token

    def fresh_token(self, failed: str, *, company_id: str | None = None) -> str:
        """Return another token after QuickBooks refused this one; renews at most once for it.

        Raises:
            NotConnected: QuickBooks no longer accepts our sign-in.
            CompanyMismatch: Meanwhile another company was connected.
        """
        held = self._of(company_id)
        if held.access_token != failed:
            return held.access_token
        return self._renewal.renewed(held).access_token

    def _of(self, company_id: str | None) -> TokenSet:
        held = self._usable()
        if company_id is not None and held.realm.company_id != company_id:
            raise CompanyMismatch(
                company=held.company_name, environment=held.realm.environment.value
            )
        return held

    def _connected(self) -> TokenSet:
        """Return the sign-in; where no person is needed for one, it is made."""
        held = self._tokens.load(self._environment)
        if held is None and self.sign_in_again(by=self._by):
            return self._usable()
        return self._judged(held)

    def sign_in_again(self, *, by: Actor) -> bool:
        """Sign in where no person is needed for it, whatever became of a former sign-in.

        Returns:
            False where a person is needed; nothing was done.
        """
        if self._sign_in is None:
            return False
        begun = self.begin(by=by, browser=None)
        self.finish(self._sign_in(begun.address), browser=None, door="cli", by=by)
        return True

    def _usable(self) -> TokenSet:
        # In the middle of a run nothing is made: whoever disconnected wants it to end.
        return self._judged(self._tokens.load(self._environment))

    def _judged(self, held: TokenSet | None) -> TokenSet:
        if held is None:
            raise NotConnected(since="", reason=NO_SIGN_IN)
        if held.state == BROKEN:
            raise NotConnected(since=held.changed_at, reason=held.reason or "")
        return held

    def _fresh(self, held: TokenSet) -> bool:
        early = timedelta(milliseconds=self._waits.token_early_ms)
        return held.access_until - early > self._world.clock.now()

    def _refuse_another(self, realm: Realm) -> None:
        binding = self._leases.bound(self._mis_key)
        if binding is not None and binding.realm_tag != realm.tag:
            raise CompanyMismatch(
                company=binding.company_name, environment=binding.environment.value
            )

    def _bind(self, realm: Realm, *, company_name: str, by: Actor, force: bool = False) -> None:
        self._leases.bind(self._mis_key, realm=realm, company_name=company_name, by=by, force=force)
        self._world.gate(Gate.START_BOUND)

    # -- a person's journey -----------------------------------------------------------------------

    def begin(
        self, *, by: Actor, browser: str | None = None, another_company: bool = False
    ) -> Begun:
        """Begin a sign-in; it is good for ten minutes and for one answer.

        Args:
            by: Who begins it.
            browser: What this browser's own cookie held, "" where it sent none. None: no browser
                takes part, as on the command line.
            another_company: Whether it may bring another company than the bound one, because the
                administrator wants to bind the MIS anew.
        """
        state = self._world.chance.secret()
        until = self._world.clock.now() + timedelta(seconds=SIGN_IN_S)
        verifier = self._world.chance.secret() if self._auth().offers_pkce() else None
        secret = None if browser is None else self._browser_secret(browser)
        self._tokens.sign_ins.note(
            state,
            by=by,
            until=until,
            browser=secret,
            verifier=verifier,
            another_company=another_company,
        )
        address = self._auth().authorize_address(state, verifier=verifier)
        return Begun(address=address, browser_secret=secret, until=until)

    def _browser_secret(self, kept: str) -> str:
        # A second tab must not end the sign-in of the first, so both share one secret.
        return kept if _SECRET.fullmatch(kept) else self._world.chance.secret()

    def finish(
        self, address: str, *, browser: str | None, door: Door, by: Actor | None = None
    ) -> ConnectionState:
        """Take the address QuickBooks returned to, and store the sign-in it stands for.

        Args:
            address: The redirect address with what QuickBooks put behind it.
            browser: What the cookie held.
            door: Which way the address came.
            by: Who brings it; None for a callback, which carries no sign-in of ours.

        Raises:
            SignInRefused: It is not the answer to a sign-in begun here, or says that the person
                declined. No token was asked for.
            CompanyMismatch: It is not the company this MIS is bound to. Nothing was kept, and
                QuickBooks was told to forget the sign-in.
            NotConnected: QuickBooks did not take the code.
            WrongEnvironment: QuickBooks does not know our keys.
            QuickBooksUnavailable: No answer; begin again.
        """
        try:
            returned = Returned.read(address, redirect_uri=self._auth().redirect_uri)
            noted = self._taken_up(returned.state, browser=browser, door=door, by=by)
            code, company_id = returned.approval()
        except SignInRefused as refused:
            self._logs.event("sign_in.refused", level="warning", outcome=refused.why.value)
            raise
        answer = self._exchanged(code, noted=noted)
        realm = Realm(environment=self._environment, company_id=company_id)
        self._keep(realm, answer=answer, noted=noted)
        return self._company.state()

    def _taken_up(self, state: str, *, browser: str | None, door: Door, by: Actor | None) -> Noted:
        now = self._world.clock.now()
        found = self._tokens.sign_ins.look(state, now=now)
        noted = checked(found, browser=browser, door=door, by=by)
        gone = self._tokens.sign_ins.use(state, now=now, by=by or noted.by)
        if gone is not None:
            raise SignInRefused(Why(gone.value))
        return noted

    def _exchanged(self, code: str, *, noted: Noted) -> TokenAnswer:
        answer = self._auth().exchange(code, verifier=noted.verifier)
        if isinstance(answer, TokenAnswer):
            return answer
        if isinstance(answer, AuthUnknown):
            raise QuickBooksUnavailable(detail="the sign-in could not be finished: no answer")
        if answer.error in WRONG_KEYS:
            raise WrongEnvironment(detail="QuickBooks does not know this client id and secret")
        raise NotConnected(since="", reason=answer.error)

    def _keep(self, realm: Realm, *, answer: TokenAnswer, noted: Noted) -> None:
        if not noted.another_company:
            try:
                self._refuse_another(realm)
            except CompanyMismatch:
                # Kept by nobody, these tokens would open that company's books for 100 days.
                self._auth().revoke(answer.refresh_token)
                self._logs.event("sign_in.refused", level="warning", outcome="company")
                raise
        before = self._readable()
        now, scale = self._world.clock.now(), self._world.clock.scale
        empty = TokenSet(
            realm=realm,
            access_token="",
            access_until=now,
            refresh_token="",
            refresh_until=now,
            connected_by=noted.by.name,
            connected_at=now,
        )
        fresh = token_set(empty, answer=answer, world=self._world)
        if fresh.hard_until is None:
            fresh = replace(fresh, hard_until=now + FIVE_YEARS / scale)
        self._tokens.save(fresh, by=noted.by)
        self._logs.event("connection.made", realm_tag=realm.tag)
        if before is not None and before.realm != realm:
            self._auth().revoke(before.refresh_token)

    def rebind(self, *, confirm: str, by: Actor) -> ConnectionState:
        """Bind this MIS to the connected company because an administrator typed its name.

        Raises:
            NameNotTyped: The name is another one.
            CompanyMismatch: The simulator may never take over the MIS of a real company.
        """
        held = self._connected()
        if not held.company_name or confirm.strip() != held.company_name.strip():
            raise NameNotTyped(problem="type the connected company's name as it is shown")
        self._bind(held.realm, company_name=held.company_name, by=by, force=True)
        return self._company.state()

    def disconnect(self, *, by: Actor | None = None) -> bool:
        """Forget the sign-in; return whether QuickBooks confirmed the revocation."""
        held = self._readable()
        revoked = held is not None and self._auth().revoke(held.refresh_token) is True
        ended = self._tokens.forget(self._environment, by=by or self._by)
        if ended:
            self._logs.event("connection.ended")
        return revoked or not ended

    def _readable(self) -> TokenSet | None:
        """Return the sign-in where there is one our keys open.

        Whoever lost the keys must still be able to end it, and to connect anew.
        """
        try:
            return self._tokens.load(self._environment)
        except ConfigInvalid:
            return None

    # -- on a timer, and at the start -------------------------------------------------------------

    def keep_alive(self) -> bool:
        """Renew a sign-in nobody renewed for a week; return whether it was.

        QuickBooks ends one that rests for 100 days.

        Raises:
            Stop: As a renewal during a run; a person may have to connect again.
        """
        held = self._tokens.load(self._environment)
        if held is None or held.state == BROKEN:
            return False
        age = self._world.clock.now() - (held.changed_at or held.connected_at)
        if age < KEEP_ALIVE / self._world.clock.scale:
            return False
        self._renewal.renewed(held)
        return True

    def rotate_keys(self) -> int:
        """Seal under the newest key whatever rests under an older one; return how many sign-ins.

        Raises:
            ConfigInvalid: Something opens under none of the keys; nothing was changed.
        """
        if not self.keys().older_in_use:
            return 0
        count = self._tokens.rotate(by=self._by)
        self._logs.event("keys.rotated", count=count)
        return count

    def keys(self) -> Keys:
        """Return whether the older encryption keys may go."""
        return Keys(count=self._tokens.keys_count, older_in_use=self._tokens.needs_rotation())

    # -- the company ------------------------------------------------------------------------------

    def read_company(self, client: Client) -> CompanyProfile:
        """Read company, preferences and products once, and keep them.

        Raises:
            Stop: QuickBooks cannot be asked now.
        """
        return self.look(client).profile

    def look(self, client: Client) -> Reading:
        """Read company, preferences and products, keep them, and return all that was read.

        Raises:
            Stop: QuickBooks cannot be asked now.
        """
        tag = self.connected_realm().tag
        company = self._answer(client.company, client=client)
        preferences = self._answer(client.preferences, client=client)
        items = self._answer(client.items, client=client)
        profile = CompanyProfile(
            name=company.name,
            country=company.country,
            currency=preferences.home_currency or "",
            custom_numbers=preferences.custom_numbers,
            books_closed_until=preferences.books_closed_until,
            uses_tax=preferences.uses_tax,
            read_at=self._world.clock.now(),
        )
        self._items.replace(
            tag,
            [ItemRow(id=one.id, name=one.name, active=one.active) for one in items],
            by=self._by,
        )
        # Last: with it all of this counts as read, and is not read again for hours.
        self._items.save_profile(tag, profile, by=self._by)
        self._tokens.name_company(self._environment, company.name)
        return Reading(profile=profile, company=company, preferences=preferences)

    def _answer(self, ask: Callable[[], T | Refused | Unknown], *, client: Client) -> T:
        """Return what a read brings; a lost one is asked again, since reading changes nothing."""
        for turn in range(1, READS_MOST + 1):
            answer = ask()
            if not isinstance(answer, Refused | Unknown):
                return answer
            client.require_reads()
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
