"""Builds the rooms that questions need, once, from Settings: MIS, store, plans, logs."""

import json
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from application.catalogue import ConfigInvalid
from application.embedded import DEMO_SCALE, Place, Simulator, key_in, refuse_if_shared
from application.invoices.model import AmountRule, Environment, ItemPolicy
from application.logs import Logs
from application.mis.reader import MisReader
from application.mis.tables import Mis, open_mis
from application.services.choosing import Choosing
from application.services.company import Company
from application.services.plans import Plans, Rules
from application.services.progress import Progress
from application.settings import Settings, SettingWrong
from application.store.audit import Actor, Audit
from application.store.items import ItemRow, Items
from application.store.journal import Journal
from application.store.leases import Leases
from application.store.runs import Runs
from application.store.tables import Store, open_store
from application.store.tokens import Tokens, new_key
from application.world import Clock, Waits, World

CURRENCY = "RWF"
GUIDE_INVOICES = 1_250
DEMO_SIZE = 1_000
SETTLE_LOOKS_S = (0, 15, 60, 240)
REPLAY_AGE_S = 60
THROTTLE_MOST_S = 600
UNREACHABLE_S = 60


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
    from application.mis import demo  # noqa: PLC0415 - only who builds a MIS pays for it

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


class Rooms:
    """The rooms that questions need, each made when first asked for.

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
        self.things = open_things

    # -- what a door asks -----------------------------------------------------------------------

    @cached_property
    def progress(self) -> Progress:
        """Questions about invoices; they change nothing."""
        return Progress(reader=self.reader, plans=self.plans, journal=self.journal, runs=self.runs)

    @cached_property
    def choosing(self) -> Choosing:
        """Which invoices a run takes."""
        return Choosing(reader=self.reader, journal=self.journal, plans=self.plans)

    @cached_property
    def runs(self) -> Runs:
        """Every run, of any door."""
        return Runs(self.store, audit=self.audit, world=self.world)

    @cached_property
    def audit(self) -> Audit:
        """Who did what."""
        return Audit(self.store, world=self.world)

    @cached_property
    def journal(self) -> Journal:
        """What we know of each invoice."""
        return Journal(self.store, audit=self.audit, leases=self.leases, world=self.world)

    @cached_property
    def company(self) -> Company:
        """The connected company as our store knows it."""
        return Company(
            tokens=self.tokens,
            items=self.items,
            leases=self.leases,
            environment=self.environment,
            mis_key=self.mis.key,
        )

    @cached_property
    def items(self) -> Items:
        """Products, and which fee uses which."""
        return Items(self.store, audit=self.audit, world=self.world)

    @cached_property
    def reader(self) -> MisReader:
        """The MIS, read only."""
        return MisReader(self.mis, invoices_from=self.settings.invoices_from)

    @cached_property
    def logs(self) -> Logs:
        """`logs/app.log`."""
        folder = self.settings.feebridge_home / self.settings.log_dir
        logs = Logs.open(folder)
        self.things.callback(logs.close)
        return logs

    @property
    def mis_name(self) -> str:
        """The MIS as people know it, without secrets."""
        return self.mis.name

    def actor(self, source: str) -> Actor:
        """Return who acts through a door without sign-in."""
        return Actor(name="local", source=source, process=self.holder)

    @cached_property
    def simulator(self) -> Simulator:
        """The simulator's process, started when first needed."""
        simulator = Simulator(
            place=self.place, clock_scale=self.world.clock.scale, world=self.world
        )
        self.things.callback(simulator.close)
        return simulator

    def migrate(self) -> str:
        """Bring the store to this version and return what was done."""
        return f"Store {self.store.url_shown} is up to date."

    def make_demo(self, *, invoices: int | None = None) -> str | None:
        """Build the demo MIS where there is none; return what was built in words."""
        if self.place.mis_file.exists():
            return None
        # Built beside and renamed: an interrupted build must not pass for a MIS without invoices.
        unfinished = self.place.mis_file.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        count = make_demo_mis(
            f"sqlite:///{unfinished}",
            profile="guide" if invoices in {None, GUIDE_INVOICES} else "fresh",
            size=invoices,
            place=self.place,
        )
        unfinished.rename(self.place.mis_file)
        return f"A sample university with {count:,} invoices stands in {self.place.folder.name}/."

    # -- the rooms ------------------------------------------------------------------------------

    @cached_property
    def holder(self) -> str:
        """Host and process, as leases and claim tokens name them."""
        host = "".join(one for one in socket.gethostname() if one.isascii() and one.isalnum())
        return f"{host[:24] or 'host'}-{os.getpid()}"

    @cached_property
    def mis(self) -> Mis:
        """The MIS; the demo MIS is built where none is named."""
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
        self.things.callback(mis.close)
        return mis

    @cached_property
    def store(self) -> Store:
        """Our own database."""
        url = self.settings.store_database_url
        address = url.get_secret_value() if url else f"sqlite:///{self.place.store_file}"
        store = open_store(address, world=self.world)
        self.things.callback(store.close)
        return store

    @cached_property
    def leases(self) -> Leases:
        """Who may send."""
        return Leases(
            self.store,
            audit=self.audit,
            world=self.world,
            lease_ms=self.waits.lease_ms,
            lock_folder=self.place.locks,
        )

    @cached_property
    def tokens(self) -> Tokens:
        """The sign-in, encrypted."""
        keys = [one.get_secret_value() for one in self.settings.encryption_keys]
        if not keys:
            if self.environment is not Environment.SIMULATOR:
                raise ConfigInvalid(setting="ENCRYPTION_KEYS", problem="is needed")
            keys = [key_in(self.place.key_file, make=new_key)]
        return Tokens(self.store, audit=self.audit, world=self.world, keys=keys)

    @cached_property
    def plans(self) -> Plans:
        """Rows judged against the rules."""
        return self.plans_with(None)

    def plans_with(self, make_item: Callable[[str], ItemRow | None] | None) -> Plans:
        """Return plans that ask this for a product where a fee has none and one may be made."""
        return Plans(
            reader=self.reader,
            items=self.items,
            rules=Rules(
                amount=AmountRule(self.settings.amount_rule),
                item_policy=ItemPolicy(self.settings.item_policy),
                item_default=self.settings.item_default,
                income_account=self.settings.item_income_account,
            ),
            make_item=make_item,
        )


def _offset(office: ZoneInfo, *, clock: Clock) -> str:
    minutes = int((clock.now().astimezone(office).utcoffset() or timedelta()).total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
