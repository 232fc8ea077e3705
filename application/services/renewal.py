"""One renewal of the sign-in at a time: locked, asked for, durable before its first use."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from application.catalogue import (
    NotConnected,
    QuickBooksUnavailable,
    StoreUnavailable,
    WrongEnvironment,
)
from application.logs import Logs
from application.quickbooks.auth import Auth, AuthRefused, AuthUnknown, TokenAnswer
from application.store.tokens import BROKEN, RefreshLost, Tokens, TokenSet
from application.world import Gate, Waits, World

PATIENCE_MS = 100
# A lock may have been taken just before we came, and be taken once more by a second try.
LOCKS_MOST = 3
STORES_MOST = 5
DISCONNECTED = "somebody disconnected it"
WRONG_KEYS = frozenset({"invalid_client", "unauthorized_client"})


class Renewal:
    """Renews sign-ins; of many processes that need it at once, one asks QuickBooks.

    Args:
        tokens: The sign-ins.
        auth: The road to the token addresses.
        world: Clock and gates.
        waits: How long a renewal's lock lives.
        logs: The log.
    """

    def __init__(
        self,
        *,
        tokens: Tokens,
        auth: Callable[[], Auth],
        world: World,
        waits: Waits,
        logs: Logs,
    ) -> None:
        self._tokens = tokens
        self._auth = auth
        self._world = world
        self._waits = waits
        self._logs = logs
        # What QuickBooks gave and the store could not take: by then the old token is dead.
        self._unstored: tuple[TokenSet, TokenSet] | None = None

    def renewed(self, held: TokenSet) -> TokenSet:
        """Return a newer sign-in than this one; whoever finds it locked waits for the result.

        Raises:
            NotConnected: QuickBooks no longer accepts it, or somebody disconnected.
            WrongEnvironment: QuickBooks does not know our keys.
            QuickBooksUnavailable: No answer, or another process did not end in time.
            StoreUnavailable: The new tokens could not be kept; this process still holds them.
        """
        if self._unstored is not None and self._unstored[0].version == held.version:
            # Keeping it needs no lock: the store takes it for this version only, and once.
            return self._stored(held, fresh=self._unstored[1])
        waited_ms = 0
        while waited_ms <= LOCKS_MOST * self._waits.refresh_lock_ms:
            lock = self._lock(held)
            if lock is not None:
                self._world.gate(Gate.REFRESH_NOTED)
                fresh = self._under_lock(held, lock=lock)
                if fresh is not None:
                    return fresh
            now = self.usable(held)
            if now.version != held.version:
                return now
            self._world.clock.sleep_ms(PATIENCE_MS)
            waited_ms += PATIENCE_MS
        raise QuickBooksUnavailable(detail="the sign-in is being renewed by another process")

    def usable(self, held: TokenSet) -> TokenSet:
        """Return the sign-in of that environment as it is now.

        Raises:
            NotConnected: There is none, or a person must connect again.
        """
        now = self._tokens.load(held.realm.environment)
        if now is None:
            raise NotConnected(since="", reason=DISCONNECTED)
        if now.state == BROKEN:
            raise NotConnected(since=now.changed_at, reason=now.reason or "")
        return now

    def _lock(self, held: TokenSet) -> "_Lock | None":
        lock_ms = self._waits.refresh_lock_ms
        until = self._tokens.begin_refresh(held, lock_ms=lock_ms)
        if until is None:
            return None
        return _Lock(self._tokens, held=held, until=until, lock_ms=lock_ms)

    def _under_lock(self, held: TokenSet, *, lock: "_Lock") -> TokenSet | None:
        """Return the renewed sign-in; None where somebody else is at it now."""
        try:
            answer = self._asked(held, lock=lock)
        except RefreshLost:
            return None
        if isinstance(answer, TokenAnswer):
            return self._stored(held, fresh=token_set(held, answer=answer, world=self._world))
        if not lock.give_back(answer):
            return None
        if isinstance(answer, AuthUnknown):
            raise QuickBooksUnavailable(detail="the sign-in could not be renewed: no answer")
        self._logs.event("sign_in.lost", level="error")
        if answer.error in WRONG_KEYS:
            raise WrongEnvironment(detail="QuickBooks does not know this client id and secret")
        raise NotConnected(since=self._world.clock.now(), reason=answer.error)

    def _asked(self, held: TokenSet, *, lock: "_Lock") -> TokenAnswer | AuthRefused | AuthUnknown:
        answer = self._auth().refresh(held.refresh_token, about_to_send=lock.keep)
        self._world.gate(Gate.REFRESH_ANSWERED)
        if isinstance(answer, AuthUnknown):
            # One more try with the old token: it may still be good, and if the lost answer
            # rotated it, QuickBooks says so now.
            answer = self._auth().refresh(held.refresh_token, about_to_send=lock.keep)
        return answer

    def _stored(self, held: TokenSet, *, fresh: TokenSet) -> TokenSet:
        self._unstored = (held, fresh)
        kept = self._patiently(held, fresh=fresh)
        self._unstored = None
        self._world.gate(Gate.REFRESH_STORED)
        if kept is None:
            self._auth().revoke(fresh.refresh_token)
            raise NotConnected(since="", reason=DISCONNECTED)
        self._logs.event("sign_in.renewed")
        return kept

    def _patiently(self, held: TokenSet, *, fresh: TokenSet) -> TokenSet | None:
        """Keep them, again after a pause where the store is busy or full: they exist only here."""
        for turn in range(1, STORES_MOST):
            with suppress(StoreUnavailable):
                return self._tokens.finish_refresh(held, tokens=fresh)
            self._world.clock.sleep_ms(PATIENCE_MS * turn)
        return self._tokens.finish_refresh(held, tokens=fresh)


class _Lock:
    """The right to renew one version of a sign-in, as we last wrote it down."""

    def __init__(self, tokens: Tokens, *, held: TokenSet, until: datetime, lock_ms: int) -> None:
        self._tokens = tokens
        self._held = held
        self._until = until
        self._lock_ms = lock_ms

    def keep(self) -> None:
        """Hold it for as long again, right before the old token leaves.

        Raises:
            RefreshLost: It is no longer ours; nothing may be sent.
        """
        self._until = self._tokens.keep_refresh(
            self._held, until=self._until, lock_ms=self._lock_ms
        )

    def give_back(self, answer: AuthRefused | AuthUnknown) -> bool:
        """End it after an answer that brought nothing; return False where it was not ours."""
        # Wrong keys of ours say nothing about the sign-in: with the right ones it goes on.
        error = answer.error if isinstance(answer, AuthRefused) else None
        return self._tokens.fail_refresh(
            self._held,
            until=self._until,
            reason=error or "no answer",
            broken=error is not None and error not in WRONG_KEYS,
        )


def token_set(held: TokenSet, *, answer: TokenAnswer, world: World) -> TokenSet:
    """Return a sign-in with these tokens in place of its own, their lives counted from now."""
    now, scale = world.clock.now(), world.clock.scale
    hard_s = answer.hard_expires_in_s
    return TokenSet(
        realm=held.realm,
        access_token=answer.access_token,
        access_until=now + timedelta(seconds=answer.expires_in_s) / scale,
        refresh_token=answer.refresh_token,
        refresh_until=now + timedelta(seconds=answer.refresh_expires_in_s) / scale,
        hard_until=None if hard_s is None else now + timedelta(seconds=hard_s) / scale,
        connected_by=held.connected_by,
        connected_at=held.connected_at,
        company_name=held.company_name,
    )
