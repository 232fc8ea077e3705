"""The connected company as our own store knows it; QuickBooks is never asked."""

from dataclasses import dataclass
from datetime import datetime

from application.invoices.model import Environment
from application.store.items import CompanyProfile, Items
from application.store.leases import Leases
from application.store.tokens import Tokens


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """What is known of the connection without asking QuickBooks."""

    connected: bool
    environment: Environment
    company: str | None = None
    realm_tag: str | None = None
    connected_by: str | None = None
    connected_at: datetime | None = None
    reconnect_by: datetime | None = None
    hard_limit: datetime | None = None
    problem: str | None = None  # catalogue code
    reason: str | None = None
    since: datetime | None = None


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
        if held is None:
            return ConnectionState(
                connected=False,
                environment=self._environment,
                problem="authentication_failed",
                reason="nobody has connected yet",
            )
        broken = held.state == "broken"
        return ConnectionState(
            connected=not broken,
            environment=self._environment,
            company=held.company_name,
            realm_tag=held.realm.tag,
            connected_by=held.connected_by,
            connected_at=held.connected_at,
            reconnect_by=held.refresh_until,
            hard_limit=held.hard_until,
            problem="authentication_failed" if broken else None,
            reason=held.reason,
            since=held.changed_at if broken else None,
        )

    def realm_tag(self) -> str | None:
        """Return which company questions about products concern, or None while there is none."""
        held = self._tokens.load(self._environment)
        if held is not None:
            return held.realm.tag
        binding = self._leases.bound(self._mis_key)
        return binding.realm_tag if binding else None

    def profile(self) -> CompanyProfile | None:
        """Return the company as read at connect."""
        tag = self.realm_tag()
        return self._items.profile(tag) if tag else None
