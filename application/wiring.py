"""Builds every object once from Settings; starts the simulator's process; holds the timetable."""

import json
import os
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from application.catalogue import ConfigInvalid
from application.embedded import (
    CLIENT_ID,
    CLIENT_SECRET,
    DEMO_SCALE,
    Place,
    Simulator,
    approve,
    key_in,
    refuse_if_shared,
)
from application.invoices.model import AmountRule, Document, Environment, ItemPolicy
from application.invoices.retries import stop_for
from application.mis import demo
from application.logs import Logs
from application.mis.claims import MisClaims
from application.mis.reader import MisReader
from application.mis.tables import Mis, open_mis
from application.quickbooks.auth import Auth
from application.quickbooks.client import Client, LookUp
from application.quickbooks.lanes import Lanes
from application.quickbooks.throttle import Spent, Throttle
from application.services.arrivals import Arrivals
from application.services.checks import Check, Checks
from application.services.choosing import Choosing
from application.services.connection import Connection
from application.services.crossing import Crossing
from application.services.customers import Customers
from application.services.driving import Driving
from application.services.invoice_sync import InvoiceSyncService, Limits
from application.services.plans import Plans, Rules
from application.services.progress import Progress
from application.services.recording import Patience, Recording
from application.services.settling import Settling
from application.services.sweeping import Sweeping
from application.settings import Settings, SettingWrong
from application.store.audit import Actor, Audit
from application.store.customers import Customers as Links
from application.store.items import Items
from application.store.journal import Journal
from application.store.leases import Leases
from application.store.runs import Runs
from application.store.tables import Store, open_store
from application.store.tokens import Tokens, new_key
from application.world import Clock, Waits, World

__all__ = [
    "Services",
    "build",
    "demo_settings",
    "home",
    "load_settings",
    "make_demo_mis",
    "new_key",
]

CURRENCY = "RWF"
GUIDE_INVOICES = 1_250
DEMO_SIZE = 1_000
SETTLE_LOOKS_S = (0, 15, 60, 240)
REPLAY_AGE_S = 60
THROTTLE_MOST_S = 600
UNREACHABLE_S = 60
INTUIT = {
    Environment.SANDBOX: "https://sandbox-quickbooks.api.intuit.com",
    Environment.PRODUCTION: "https://quickbooks.api.intuit.com",
}
AUTHORIZE = "https://appcenter.intuit.com/connect/oauth2"
TOKEN = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
REVOKE = "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"


def home() -> Path:
    """Return the folder that relative paths count from: the checkout, else where we were started.

    A scheduled command must find the same `.env` whatever folder the scheduler starts it in.
    """
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "pyproject.toml").exists() else Path.cwd()


def load_settings(**overrides: object) -> Settings:
    """Return the settings of the environment and of `.env`.

    Raises:
        ConfigInvalid: One is missing or wrong, or others can read `.env`.
    """
    try:
        settings = Settings.load(checkout=home(), **overrides)
    except SettingWrong as wrong:
        raise ConfigInvalid(setting=wrong.setting, problem=wrong.problem) from None
    refuse_if_shared(settings.feebridge_home / ".env")
    return settings


def place_of(settings: Settings) -> Place:
    """Return where this installation keeps its own files."""
    demo = settings.mis_database_url is None
    return Place(folder=settings.feebridge_home / ("demo" if demo else "var"), demo=demo)


def clock_scale_of(settings: Settings) -> int:
    """Return how many times faster waits run: the demo's own pace unless one was asked for."""
    if place_of(settings).demo and "clock_scale" not in settings.model_fields_set:
        return DEMO_SCALE
    return settings.clock_scale


def demo_settings() -> Settings:
    """Return settings under which everything runs on this machine, whatever `.env` says."""
    return load_settings(
        mis_database_url=None,
        store_database_url=None,
        quickbooks_environment="simulator",
        quickbooks_api_url=None,
        quickbooks_authorize_url=None,
        quickbooks_token_url=None,
        quickbooks_revoke_url=None,
        encryption_keys=[],
    )


def make_demo_mis(
    url: str,
    *,
    profile: str = "guide",
    size: int | None = None,
    edge: bool = False,
    seed: int = 1,
    replace: bool = False,
    place: Place | None = None,
) -> int:
    """Build a synthetic MIS and what the simulator holds beside it; return its invoices.

    Args:
        url: Where; a SQLite file or a MariaDB database.
        profile: `guide`, `fresh` or `midlife`.
        size: Invoices of the last two.
        edge: Add the must-have rows.
        seed: Which university.
        replace: Drop what a former build left.
        place: Whose simulator it is for; the configured installation's when absent.

    Raises:
        Stop: The database is not ours to fill, or does not answer.
    """
    beside = place or Place(folder=home_of_files() / "var", demo=False)
    count = size or DEMO_SIZE
    built = demo.build(url, profile=profile, size=count, edge=edge, seed=seed, replace=replace)
    beside.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with beside.seed_file.open("w", encoding="utf-8") as out:
        for line in demo.seed_lines(profile=profile, size=count, edge=edge, seed=seed):
            out.write(json.dumps(line) + "\n")
    return built.invoices


def home_of_files() -> Path:
    """Return the folder this installation keeps its files in."""
    return load_settings().feebridge_home


def waits_of(settings: Settings, *, clock: Clock) -> Waits:
    """Return every wait in real milliseconds."""
    ms = clock.scaled_ms
    return Waits(
        grace_ms=ms(settings.grace_s),
        lease_ms=ms(settings.lease_s),
        heartbeat_ms=ms(settings.heartbeat_s),
        retry_delay_ms=ms(settings.retry_delay_s),
        throttle_pause_ms=ms(settings.throttle_pause_s),
        throttle_most_ms=ms(THROTTLE_MOST_S),
        token_early_ms=ms(settings.token_early_s),
        refresh_lock_ms=ms(settings.refresh_lock_s),
        mis_patience_ms=settings.mis_patience_s * 1000,
        unreachable_ms=ms(UNREACHABLE_S),
        settle_looks_ms=tuple(ms(one) for one in SETTLE_LOOKS_S),
        replay_age_ms=ms(REPLAY_AGE_S),
    )


class Services:
    """Everything a door may ask, made when first asked for.

    Args:
        settings: Checked settings.
        world: Time, chance and gates.
        transport: Another road to QuickBooks, for tests.
        open_things: What must be closed at the end.
    """

    currency = CURRENCY

    def __init__(self, settings: Settings, *, world: World, open_things: ExitStack) -> None:
        self.settings = settings
        self.world = world
        self.place = place_of(settings)
        self.environment = Environment(settings.quickbooks_environment)
        self.office = ZoneInfo(settings.time_zone)
        self.waits = waits_of(settings, clock=world.clock)
        self._things = open_things

    # -- what a door asks -----------------------------------------------------------------------

    @cached_property
    def sync(self) -> InvoiceSyncService:
        """Send, retry, settle."""
        return InvoiceSyncService(
            progress=self.progress,
            choosing=self.choosing,
            connection=self.connection,
            crossing=self._crossing(self._lanes()),
            beside=self._crossing(self._lanes()),
            sweeping=self._sweeping,
            settling=self._settling,
            driving=self._driving,
            reader=self.reader,
            client=self._client,
            journal=self.journal,
            items=self.items,
            runs=self.runs,
            leases=self._leases,
            world=self.world,
            limits=Limits(
                batch_size=self.settings.batch_size,
                max_retries=self.settings.max_retries,
                sends_max=self.settings.sends_max,
            ),
        )

    @cached_property
    def progress(self) -> Progress:
        """Questions about invoices; they change nothing."""
        return Progress(reader=self.reader, plans=self._plans, journal=self.journal, runs=self.runs)

    @cached_property
    def connection(self) -> Connection:
        """The sign-in to QuickBooks."""
        simulated = self.environment is Environment.SIMULATOR
        return Connection(
            tokens=self._tokens,
            auth=lambda: self._auth,
            items=self.items,
            leases=self._leases,
            world=self.world,
            waits=self.waits,
            logs=self.logs,
            environment=self.environment,
            mis_key=self._mis.key,
            by=self.actor("cli"),
            sign_in=approve if simulated else None,
        )

    @cached_property
    def checks(self) -> Checks:
        """What `doctor` looks at."""
        return Checks(
            reader=self.reader,
            connection=self.connection,
            client=lambda: self._client,
            audit=self.audit,
            shown=self._own_checks,
        )

    @cached_property
    def choosing(self) -> Choosing:
        """Which invoices a run takes."""
        return Choosing(reader=self.reader, journal=self.journal, plans=self._plans)

    @cached_property
    def runs(self) -> Runs:
        """Every run, of any door."""
        return Runs(self._store, audit=self.audit, world=self.world)

    @cached_property
    def audit(self) -> Audit:
        """Who did what."""
        return Audit(self._store, world=self.world)

    @cached_property
    def journal(self) -> Journal:
        """What we know of each invoice."""
        return Journal(self._store, audit=self.audit, leases=self._leases, world=self.world)

    @cached_property
    def items(self) -> Items:
        """Products, and which fee uses which."""
        return Items(self._store, audit=self.audit, world=self.world)

    @cached_property
    def reader(self) -> MisReader:
        """The MIS, read only."""
        return MisReader(self._mis, invoices_from=self.settings.invoices_from)

    @cached_property
    def logs(self) -> Logs:
        """`logs/app.log`."""
        folder = self.settings.feebridge_home / self.settings.log_dir
        logs = Logs.open(folder)
        self._things.callback(logs.close)
        return logs

    @property
    def mis_name(self) -> str:
        """The MIS as people know it, without secrets."""
        return self._mis.name

    def actor(self, source: str) -> Actor:
        """Return who acts through a door without sign-in."""
        return Actor(name="local", source=source, process=self._holder)

    @cached_property
    def simulator(self) -> Simulator:
        """The simulator's process, started when first needed."""
        simulator = Simulator(
            place=self.place, clock_scale=self.world.clock.scale, world=self.world
        )
        self._things.callback(simulator.close)
        return simulator

    def documents(self, numbers: Sequence[str]) -> Sequence[Document]:
        """Return invoices as QuickBooks holds them now.

        Raises:
            Stop: QuickBooks cannot be asked.
        """
        found = self._client.documents_by_number(numbers)
        if isinstance(found, LookUp):
            return found.documents
        raise stop_for("quickbooks_unavailable", detail="the search was not answered")

    def read_company(self) -> None:
        """Read company, preferences and products again."""
        self.connection.read_company(self._client)

    def migrate(self) -> str:
        """Bring the store to this version and return what was done."""
        return f"Store {self._store.url_shown} is up to date."

    def make_demo(self, *, invoices: int | None = None) -> str | None:
        """Build the demo MIS where there is none; return what was built in words."""
        if self.place.mis_file.exists():
            return None
        count = make_demo_mis(
            f"sqlite:///{self.place.mis_file}",
            profile="guide" if invoices in {None, GUIDE_INVOICES} else "fresh",
            size=invoices,
            place=self.place,
        )
        return f"A sample university with {count:,} invoices stands in {self.place.folder.name}/."

    # -- the rooms ------------------------------------------------------------------------------

    @cached_property
    def _holder(self) -> str:
        host = "".join(one for one in socket.gethostname() if one.isascii() and one.isalnum())
        return f"{host[:24] or 'host'}-{os.getpid()}"

    @cached_property
    def _mis(self) -> Mis:
        if self.place.demo:
            self.make_demo()
        url = self.settings.mis_database_url
        address = url.get_secret_value() if url else f"sqlite:///{self.place.mis_file}"
        mis = open_mis(
            address,
            world=self.world,
            time_zone_offset=_offset(self.office, clock=self.world.clock),
            lock_wait_s=self.settings.mis_lock_wait_s,
        )
        self._things.callback(mis.close)
        return mis

    @cached_property
    def _store(self) -> Store:
        url = self.settings.store_database_url
        address = url.get_secret_value() if url else f"sqlite:///{self.place.store_file}"
        store = open_store(address, world=self.world)
        self._things.callback(store.close)
        return store

    @cached_property
    def _leases(self) -> Leases:
        return Leases(
            self._store,
            audit=self.audit,
            world=self.world,
            lease_ms=self.waits.lease_ms,
            lock_folder=self.place.locks,
        )

    @cached_property
    def _tokens(self) -> Tokens:
        keys = [one.get_secret_value() for one in self.settings.encryption_keys]
        if not keys:
            if self.environment is not Environment.SIMULATOR:
                raise ConfigInvalid(setting="ENCRYPTION_KEYS", problem="is needed")
            keys = [key_in(self.place.key_file, make=new_key)]
        return Tokens(self._store, audit=self.audit, world=self.world, keys=keys)

    @cached_property
    def _plans(self) -> Plans:
        return Plans(
            reader=self.reader,
            items=self.items,
            rules=Rules(
                amount=AmountRule(self.settings.amount_rule),
                item_policy=ItemPolicy(self.settings.item_policy),
                item_default=self.settings.item_default,
                income_account=self.settings.item_income_account,
            ),
        )

    @cached_property
    def _api_url(self) -> str:
        if self.settings.quickbooks_api_url:
            return self.settings.quickbooks_api_url
        if self.environment is Environment.SIMULATOR:
            return self.simulator.address()
        return INTUIT[self.environment]

    @cached_property
    def _auth(self) -> Auth:
        chosen = self.settings
        here = self._api_url if self.environment is Environment.SIMULATOR else None
        secret = chosen.quickbooks_client_secret
        return Auth(
            world=self.world,
            environment=self.environment,
            client_id=chosen.quickbooks_client_id or CLIENT_ID,
            client_secret=secret.get_secret_value() if secret else CLIENT_SECRET,
            redirect_uri=chosen.quickbooks_redirect_uri,
            authorize_url=chosen.quickbooks_authorize_url
            or (f"{here}/connect/oauth2" if here else AUTHORIZE),
            token_url=chosen.quickbooks_token_url
            or (f"{here}/oauth2/v1/tokens/bearer" if here else TOKEN),
            revoke_url=chosen.quickbooks_revoke_url
            or (f"{here}/v2/oauth2/tokens/revoke" if here else REVOKE),
            timeout_ms=self.world.clock.scaled_ms(chosen.refresh_timeout_s),
        )

    @cached_property
    def _client(self) -> Client:
        ms = self.world.clock.scaled_ms
        client = Client(
            world=self.world,
            base_url=self._api_url,
            company_id=self.connection.realm().company_id,
            access_token=self.connection.access_token,
            fresh_token=self.connection.fresh_token,
            throttle=self._throttle,
            environment=self.environment,
            read_timeout_ms=ms(self.settings.read_timeout_s),
            connect_timeout_ms=ms(self.settings.connect_timeout_s),
            check_to_send_ms=ms(self.settings.check_to_send_s),
            idle_ms=ms(self.settings.idle_connection_s),
        )
        self._things.callback(client.close)
        return client

    @cached_property
    def _throttle(self) -> Throttle:
        return Throttle(
            world=self.world,
            per_second=self.settings.requests_per_second,
            per_minute=self.settings.requests_per_minute,
            bundles_per_minute=self.settings.batches_per_minute,
            in_flight_max=self.settings.in_flight_max,
            pause_s=self.settings.throttle_pause_s,
            pause_most_s=THROTTLE_MOST_S,
            breaker_after=self.settings.breaker_after,
            breaker_min_s=self.settings.breaker_min_s,
            breaker_most_s=self.settings.breaker_max_s,
            recall=self._spent,
            remember=lambda spent: self.items.remember(self._windows, asdict(spent)),
        )

    @property
    def _windows(self) -> str:
        return f"windows.{self.connection.realm().tag}"

    def _spent(self) -> Spent | None:
        """Return what QuickBooks' limits had taken in when the last sender ended."""
        kept = self.items.recall(self._windows)
        if not isinstance(kept, dict):
            return None
        return Spent(
            requests=tuple(kept["requests"]),
            bundles=tuple(kept["bundles"]),
            paused_until=kept["paused_until"],
            kept_at=kept["kept_at"],
        )

    @cached_property
    def _fan_out(self) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(max_workers=self.settings.in_flight_max)
        self._things.callback(pool.shutdown, wait=False, cancel_futures=True)
        return pool

    def _lanes(self) -> Lanes:
        return Lanes(
            client=self._client, throttle=self._throttle, world=self.world, fan_out=self._fan_out
        )

    # -- the services below the verbs -------------------------------------------------------------

    @cached_property
    def _patience(self) -> Patience:
        return Patience(world=self.world, waits=self.waits, logs=self.logs)

    @cached_property
    def _claims(self) -> MisClaims:
        return MisClaims(self._mis, world=self.world)

    @cached_property
    def _recording(self) -> Recording:
        return Recording(
            journal=self.journal,
            claims=self._claims,
            reader=self.reader,
            leases=self._leases,
            world=self.world,
            logs=self.logs,
            patiently=self._patience,
        )

    @cached_property
    def _settling(self) -> Settling:
        return Settling(
            journal=self.journal,
            reader=self.reader,
            recording=self._recording,
            plans=self._plans,
            client=self._client,
            world=self.world,
            waits=self.waits,
            logs=self.logs,
            sends_max=self.settings.sends_max,
        )

    @cached_property
    def _sweeping(self) -> Sweeping:
        return Sweeping(
            journal=self.journal,
            leases=self._leases,
            reader=self.reader,
            claims=self._claims,
            recording=self._recording,
            settling=self._settling,
            plans=self._plans,
            world=self.world,
        )

    @cached_property
    def _driving(self) -> Driving:
        return Driving(
            runs=self.runs,
            leases=self._leases,
            reader=self.reader,
            connection=self.connection,
            progress=self.progress,
            world=self.world,
            waits=self.waits,
            logs=self.logs,
            holder=self._holder,
            paused_ms=self._throttle.paused_ms,
        )

    def _crossing(self, lanes: Lanes) -> Crossing:
        customers = Customers(
            journal=self.journal,
            links=Links(self._store, audit=self.audit, world=self.world),
            client=self._client,
            lanes=self._lanes(),
            world=self.world,
            waits=self.waits,
        )
        arrivals = Arrivals(
            journal=self.journal,
            plans=self._plans,
            customers=customers,
            recording=self._recording,
            settling=self._settling,
            lanes=lanes,
            client=self._client,
            world=self.world,
            waits=self.waits,
        )
        return Crossing(
            reader=self.reader,
            claims=self._claims,
            journal=self.journal,
            plans=self._plans,
            customers=customers,
            recording=self._recording,
            settling=self._settling,
            arrivals=arrivals,
            lanes=lanes,
            client=self._client,
            world=self.world,
            waits=self.waits,
            patiently=self._patience,
        )

    def _own_checks(self) -> list[Check]:
        return [
            Check("Settings", "ok", f"QUICKBOOKS_ENVIRONMENT is {self.environment.value}"),
            Check("Store", "ok", f"{self._store.url_shown} answers"),
        ]


@contextmanager
def build(settings: Settings | None = None, *, world: World | None = None) -> Iterator[Services]:
    """Yield the services, and close at the end whatever was opened.

    Args:
        settings: Checked settings; read from the environment when absent.
        world: Time, chance and gates; the real ones when absent.

    Raises:
        ConfigInvalid: A setting is missing or wrong.
    """
    chosen = settings or load_settings()
    with ExitStack() as things:
        yield Services(
            chosen,
            world=world or World(clock=Clock(scale=clock_scale_of(chosen))),
            open_things=things,
        )


def _offset(office: ZoneInfo, *, clock: Clock) -> str:
    minutes = int((clock.now().astimezone(office).utcoffset() or timedelta()).total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
