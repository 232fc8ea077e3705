"""The connected company as our own store knows it; QuickBooks is never asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from application.catalogue import NO_SIGN_IN
from application.invoices.model import Environment
from application.store.items import CompanyProfile, Items
from application.store.leases import Binding, Leases
from application.store.tokens import BROKEN, Tokens, TokenSet

FIVE_YEARS = timedelta(seconds=157_680_000)
REMINDED_DAYS = (1, 7, 14)  # the shortest that applies is told
SHOWN = 4


@dataclass(frozen=True, slots=True)
class Reminder:
    """A day is near on which somebody has to connect again."""

    code: str  # reconnect_due or hard_limit_due
    text: str
    days: int  # 14, 7 or 1: which of the three reminders this is


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """What is known of the connection without asking QuickBooks."""

    connected: bool
    environment: Environment
    company: str | None = None
    realm_tag: str | None = None
    realm_id_masked: str | None = None
    bound: bool = False  # this MIS belongs to this very company
    bound_company: str | None = None  # the company this MIS belongs to, connected or not
    connected_by: str | None = None
    connected_at: datetime | None = None
    access_token_expires_in_s: int | None = None  # 0 once it is over; it renews itself
    reconnect_by: datetime | None = None
    hard_limit: datetime | None = None
    problem: str | None = None  # catalogue code
    reason: str | None = None
    since: datetime | None = None
    reminders: tuple[Reminder, ...] = ()

    @property
    def to_type(self) -> str:
        """What a person types to end this connection: the company's name, once it is known."""
        return self.company or self.environment.value


class Company:
    """Answers what may be asked while QuickBooks is away."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        items: Items,
        leases: Leases,
        environment: Environment,
        mis_key: str,
    ) -> None:
        self._tokens = tokens
        self._items = items
        self._leases = leases
        self._environment = environment
        self._mis_key = mis_key

    def state(self) -> ConnectionState:
        """Return what our store knows of the connection."""
        held = self._tokens.load(self._environment)
        binding = self._leases.bound(self._mis_key)
        if held is None:
            return ConnectionState(
                connected=False,
                environment=self._environment,
                bound_company=binding.company_name if binding else None,
                problem="authentication_failed",
                reason=NO_SIGN_IN,
            )
        broken = held.state == BROKEN
        left = held.access_until - self._tokens.clock.now()
        return ConnectionState(
            connected=not broken,
            environment=self._environment,
            company=held.company_name,
            realm_tag=held.realm.tag,
            realm_id_masked=masked(held.realm.company_id),
            bound=binding is not None and binding.realm_tag == held.realm.tag,
            bound_company=binding.company_name if binding else None,
            connected_by=held.connected_by,
            connected_at=held.connected_at,
            access_token_expires_in_s=None if broken else max(0, int(left.total_seconds())),
            reconnect_by=held.refresh_until,
            hard_limit=self._hard_limit(held),
            problem=_problem(held, binding=binding),
            reason=held.reason,
            since=held.changed_at if broken else None,
            reminders=() if broken else tuple(self._reminders(held)),
        )

    def realm_tag(self) -> str | None:
        """Return which company questions about products concern, or None while there is none."""
        connected = self._tokens.realm_tag(self._environment)
        if connected is not None:
            return connected
        binding = self._leases.bound(self._mis_key)
        return binding.realm_tag if binding else None

    def profile(self) -> CompanyProfile | None:
        """Return the company as read at connect."""
        tag = self.realm_tag()
        return self._items.profile(tag) if tag else None

    def _hard_limit(self, held: TokenSet) -> datetime:
        return held.hard_until or held.connected_at + FIVE_YEARS / self._tokens.clock.scale

    def _reminders(self, held: TokenSet) -> Iterator[Reminder]:
        ends = (
            ("reconnect_due", held.refresh_until, "unless it is used before then"),
            ("hard_limit_due", self._hard_limit(held), "however often it is used"),
        )
        scale = self._tokens.clock.scale
        for code, end, condition in ends:
            left = end - self._tokens.clock.now()
            for days in REMINDED_DAYS:
                if left <= timedelta(days=days) / scale:
                    text = f"The sign-in to QuickBooks ends on {end:%d %b %Y}, {condition}."
                    yield Reminder(code=code, text=f"{text} Connect again.", days=days)
                    break


def masked(company_id: str) -> str:
    """Return a company's id as people may see it: its first and last four digits."""
    if len(company_id) <= 2 * SHOWN:
        return f"\u2026{company_id[-2:]}"
    return f"{company_id[:SHOWN]}\u2026{company_id[-SHOWN:]}"


def _problem(held: TokenSet, *, binding: Binding | None) -> str | None:
    if held.state == BROKEN:
        return "authentication_failed"
    if binding is not None and binding.realm_tag != held.realm.tag:
        return "company_mismatch"
    return None
