"""A connection without doors: real store, real simulator, a clock that jumps, and a browser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from application.invoices.model import Environment, Realm
from application.logs import Logs
from application.quickbooks.auth import Auth
from application.quickbooks.client import Client
from application.quickbooks.shapes import Company as CompanyEntry
from application.quickbooks.throttle import Throttle
from application.services.company import Company
from application.services.connection import Connection
from application.services.signing_in import Begun
from application.store.audit import Actor
from application.store.tokens import Tokens
from application.world import Gate, Waits, World, open_gate
from tests.rooms.simulator_support import RunningSimulator
from tests.rooms.store_support import JumpingClock, Rooms, rooms_on

REDIRECT = "http://localhost:5000/api/v1/quickbooks/callback"
MIS = "mis-of-the-test"
OTHER_ID = "9130347999"
ADMIN = Actor("admin1", source="dashboard", process="server-1")
OFFICER = Actor("admin2", source="dashboard", process="server-1")
TERMINAL = Actor("local", source="cli", process="desk-1")
DAY_MS = 86_400_000
WAITS = Waits(
    grace_ms=1_000,
    lease_ms=60_000,
    heartbeat_ms=20_000,
    retry_delay_ms=10,
    throttle_pause_ms=100,
    throttle_most_ms=1_000,
    token_early_ms=300_000,
    refresh_lock_ms=2_000,
    mis_patience_ms=1_000,
    unreachable_ms=1_000,
    settle_looks_ms=(0,),
    replay_age_ms=1_000,
)


@dataclass
class Desk:
    """One installation as the service sees it."""

    simulator: RunningSimulator
    rooms: Rooms
    clock: JumpingClock
    tokens: Tokens
    auth: Auth
    company: Company
    connection: Connection
    log: Path
    told: list[str] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    @property
    def realm(self) -> Realm:
        return Realm(Environment.SIMULATOR, self.simulator.realm_id)

    def answer(self, begun: Begun, *, auto: str = "approve", realm: str = "") -> str:
        """Return where QuickBooks sends the browser of somebody who presses a button."""
        where = urlsplit(begun.address)
        more = urlencode({"auto": auto} | ({"realm": realm} if realm else {}))
        reply = self.simulator.call("GET", f"{where.path}?{where.query}&{more}")
        address = reply.headers["location"]
        self.told += [
            value for values in parse_qs(urlsplit(address).query).values() for value in values
        ]
        return address

    def connect(self, *, realm: str = "", another_company: bool = False) -> None:
        begun = self.connection.begin(by=ADMIN, browser="", another_company=another_company)
        address = self.answer(begun, realm=realm)
        self.connection.finish(address, browser=begun.browser_secret, door="callback")

    def open_other(self) -> None:
        """Open a second company in QuickBooks."""
        self.simulator.control("POST", "realms", {"realm_id": OTHER_ID, "name": "Other Ltd"})

    def calls(self, ending: str) -> int:
        """Return how often an address was called."""
        return sum(str(one["path"]).endswith(ending) for one in self.simulator.log())

    @property
    def exchanges(self) -> int:
        return self.calls("/tokens/bearer")

    @property
    def revocations(self) -> int:
        return self.calls("/tokens/revoke")

    def opens_its_company(self) -> bool:
        """Return whether QuickBooks shows the company to our token."""
        return isinstance(self.client().company(), CompanyEntry)

    def client(self) -> Client:
        client = Client(
            world=World(),
            base_url=self.simulator.url,
            company_id=self.connection.connected_realm().company_id,
            access_token=self.connection.access_token,
            fresh_token=self.connection.fresh_token,
            throttle=Throttle(world=World()),
            environment=Environment.SIMULATOR,
        )
        self.clients.append(client)
        return client


@contextmanager
def desk_at(
    folder: Path,
    simulator: RunningSimulator,
    *,
    gate: Callable[[Gate], None] = open_gate,
    clock: JumpingClock | None = None,
    auth_url: str | None = None,
    auth: Auth | None = None,
    keys: tuple[str, ...] = (),
) -> Iterator[Desk]:
    """Yield a desk over this simulator.

    Args:
        folder: Of its store and log.
        simulator: Its QuickBooks.
        gate: Watches the steps.
        clock: Its clock.
        auth_url: Where the token addresses are, if not in the simulator.
        auth: Another road to them altogether.
        keys: Encryption keys, newest first; one for tests when none is given.
    """
    clock = clock or JumpingClock()
    world = World(clock=clock, gate=gate)
    auth = auth or auth_of(simulator, world=world, url=auth_url or simulator.url)
    logs = Logs.open(folder / "logs", strict=True)
    with rooms_on(f"sqlite:///{folder}/own/store.db", locks=folder / "locks", world=world) as rooms:
        tokens = rooms.tokens(*keys)
        company = company_of(rooms, tokens=tokens)
        desk = Desk(
            simulator=simulator,
            rooms=rooms,
            clock=clock,
            tokens=tokens,
            auth=auth,
            company=company,
            connection=connection_of(rooms, tokens=tokens, company=company, auth=auth, logs=logs),
            log=folder / "logs" / "app.log",
        )
        yield desk
        for client in desk.clients:
            client.close()
    auth.close()
    logs.close()


def auth_of(simulator: RunningSimulator, *, world: World, url: str) -> Auth:
    return Auth(
        world=world,
        environment=Environment.SIMULATOR,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
        redirect_uri=REDIRECT,
        authorize_url=f"{simulator.url}/connect/oauth2",
        token_url=f"{url}/oauth2/v1/tokens/bearer",
        revoke_url=f"{url}/v2/oauth2/tokens/revoke",
        timeout_ms=5_000,
    )


def company_of(rooms: Rooms, *, tokens: Tokens) -> Company:
    return Company(
        tokens=tokens,
        items=rooms.items,
        leases=rooms.leases,
        environment=Environment.SIMULATOR,
        mis_key=MIS,
    )


def connection_of(
    rooms: Rooms, *, tokens: Tokens, company: Company, auth: Auth, logs: Logs
) -> Connection:
    return Connection(
        tokens=tokens,
        auth=lambda: auth,
        items=rooms.items,
        company=company,
        leases=rooms.leases,
        world=rooms.world,
        waits=WAITS,
        logs=logs,
        environment=Environment.SIMULATOR,
        mis_key=MIS,
        by=TERMINAL,
    )
