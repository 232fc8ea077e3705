"""Builds what works before a company is connected: the sign-in, and runs as people ask."""

from collections.abc import Callable
from functools import cached_property

from application.embedded import CLIENT_ID, CLIENT_SECRET, approve
from application.invoices.model import Environment
from application.quickbooks.auth import Auth
from application.rooms import Rooms
from application.services.connection import Connection
from application.services.ordering import Ordering
from application.store.runs import Run

INTUIT = {
    Environment.SANDBOX: "https://sandbox-quickbooks.api.intuit.com",
    Environment.PRODUCTION: "https://quickbooks.api.intuit.com",
}
AUTHORIZE = "https://appcenter.intuit.com/connect/oauth2"
TOKEN = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
REVOKE = "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"


class Reception:
    """The sign-in and the orders, each made when first asked for.

    Args:
        rooms: The MIS, the store and what else questions need too.
        submit: Hands a run to the engine of this process, where it has one.
    """

    def __init__(self, rooms: Rooms, *, submit: Callable[[Run], None]) -> None:
        self._rooms = rooms
        self._submit = submit

    @cached_property
    def connection(self) -> Connection:
        """The sign-in to QuickBooks."""
        simulated = self._rooms.environment is Environment.SIMULATOR
        return Connection(
            tokens=self._rooms.tokens,
            auth=lambda: self._auth,
            items=self._rooms.items,
            company=self._rooms.company,
            leases=self._rooms.leases,
            world=self._rooms.world,
            waits=self._rooms.waits,
            logs=self._rooms.logs,
            environment=self._rooms.environment,
            mis_key=self._rooms.mis.key,
            by=self._rooms.actor("cli"),
            sign_in=approve if simulated else None,
        )

    @cached_property
    def ordering(self) -> Ordering:
        """Durable runs: begun, paused, resumed, cancelled."""
        return Ordering(
            runs=self._rooms.runs,
            leases=self._rooms.leases,
            reader=self._rooms.reader,
            choosing=self._rooms.choosing,
            journal=self._rooms.journal,
            connection=self.connection,
            company=self._rooms.company,
            world=self._rooms.world,
            submit=self._submit,
            holder=self._rooms.holder,
            batch_size=self._rooms.settings.batch_size,
        )

    @cached_property
    def api_url(self) -> str:
        """Where QuickBooks answers."""
        if self._rooms.settings.quickbooks_api_url:
            return self._rooms.settings.quickbooks_api_url
        if self._rooms.environment is Environment.SIMULATOR:
            return self._rooms.simulator.address()
        return INTUIT[self._rooms.environment]

    def control_url(self) -> str:
        """Return where the simulator is steered from; asked only where QuickBooks is one."""
        return self._rooms.settings.quickbooks_api_url or self._rooms.simulator.control_address()

    @cached_property
    def _auth(self) -> Auth:
        chosen = self._rooms.settings
        here = self.api_url if self._rooms.environment is Environment.SIMULATOR else None
        secret = chosen.quickbooks_client_secret
        auth = Auth(
            world=self._rooms.world,
            environment=self._rooms.environment,
            client_id=chosen.quickbooks_client_id or CLIENT_ID,
            client_secret=secret.get_secret_value() if secret else CLIENT_SECRET,
            redirect_uri=chosen.quickbooks_redirect_uri,
            authorize_url=chosen.quickbooks_authorize_url
            or (f"{here}/connect/oauth2" if here else AUTHORIZE),
            token_url=chosen.quickbooks_token_url
            or (f"{here}/oauth2/v1/tokens/bearer" if here else TOKEN),
            revoke_url=chosen.quickbooks_revoke_url
            or (f"{here}/v2/oauth2/tokens/revoke" if here else REVOKE),
            timeout_ms=self._rooms.world.clock.scaled_ms(chosen.refresh_timeout_s),
            transport=self._rooms.outside.road if self._rooms.outside else None,
        )
        self._rooms.things.callback(auth.close)
        return auth
