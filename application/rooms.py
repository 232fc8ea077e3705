"""Builds the rooms that questions need, once, from Settings: MIS, store, plans, logs."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from application.catalogue import ConfigInvalid
from application.embedded import Simulator, key_in
from application.invoices.model import AmountRule, Environment, ItemPolicy
from application.premises import make_demo_mis, place_of, waits_of
from application.settings import Settings
from application.world import World

if TYPE_CHECKING:
    from application.logs import Logs
    from application.mis.reader import MisReader
    from application.mis.tables import Mis
    from application.quickbooks.lanes import Outside
    from application.services.access import Access
    from application.services.auditing import Auditing
    from application.services.causes import Causes
    from application.services.choosing import Choosing
    from application.services.company import Company
    from application.services.listing import Listing
    from application.services.looks import Looks
    from application.services.mapping import Mapping
    from application.services.people import SignIn
    from application.services.plans import Plans
    from application.services.progress import Progress
    from application.services.resting import Resting
    from application.services.schedule import Timetable
    from application.services.trials import Trials
    from application.store.anchors import Anchors
    from application.store.audit import Actor, Audit
    from application.store.events import Events
    from application.store.flags import Flags
    from application.store.items import ItemRow, Items
    from application.store.journal import Journal
    from application.store.leases import Leases
    from application.store.people import People
    from application.store.repeats import Repeats
    from application.store.runs import Runs
    from application.store.slices import Slices
    from application.store.tables import Store
    from application.store.tokens import Tokens
    from application.store.usage import Usage

CURRENCY = "RWF"
GUIDE_INVOICES = 1_250


class Rooms:
    """The rooms that questions need, each made when first asked for.

    Args:
        settings: Checked settings.
        world: Time, chance and gates.
        open_things: What must be closed at the end.
        outside: Another road to QuickBooks and other threads; the real ones when absent.
    """

    currency = CURRENCY

    def __init__(
        self,
        settings: Settings,
        *,
        world: World,
        open_things: ExitStack,
        outside: Outside | None = None,
    ) -> None:
        self.settings = settings
        self.world = world
        self.outside = outside
        self.place = place_of(settings)
        self.environment = Environment(settings.quickbooks_environment)
        self.office = ZoneInfo(settings.time_zone)
        self.waits = waits_of(settings, clock=world.clock)
        self.things = open_things

    # -- what a door asks -----------------------------------------------------------------------

    @cached_property
    def progress(self) -> Progress:
        """Questions about invoices; they change nothing."""
        from application.services.progress import Progress

        return Progress(
            reader=self.reader,
            rule=AmountRule(self.settings.amount_rule),
            plans=lambda: self.plans,
            journal=lambda: self.journal,
            runs=lambda: self.runs,
        )

    @cached_property
    def choosing(self) -> Choosing:
        """Which invoices a run takes."""
        from application.services.choosing import Choosing

        return Choosing(reader=self.reader, journal=self.journal, plans=self.plans)

    @cached_property
    def runs(self) -> Runs:
        """Every run, of any door."""
        from application.store.runs import Runs

        return Runs(self.store, audit=self.audit, world=self.world)

    @cached_property
    def slices(self) -> Slices:
        """The parts of durable runs."""
        from application.store.slices import Slices

        return Slices(self.store, world=self.world)

    @cached_property
    def resting(self) -> Resting:
        """Where durable runs are left."""
        from application.services.resting import Resting

        return Resting(runs=self.runs, reader=self.reader, company=self.company, world=self.world)

    @cached_property
    def audit(self) -> Audit:
        """Who did what."""
        from application.store.audit import Audit

        return Audit(self.store, world=self.world)

    @cached_property
    def anchors(self) -> Anchors:
        """Where the log's chain ended at times, kept beside the log file."""
        from application.store.anchors import Anchors

        folder = self.settings.feebridge_home / self.settings.log_dir
        return Anchors(folder, audit=self.audit, world=self.world, logs=self.logs)

    @cached_property
    def auditing(self) -> Auditing:
        """The audit log as an auditor asks it."""
        from application.services.auditing import Auditing

        return Auditing(audit=self.audit, anchors=self.anchors, clock=self.world.clock)

    @cached_property
    def events(self) -> Events:
        """What live views are told."""
        from application.store.events import Events

        return Events(self.store, world=self.world)

    @cached_property
    def repeats(self) -> Repeats:
        """Requests that may come again."""
        from application.store.repeats import Repeats

        return Repeats(self.store, world=self.world)

    @cached_property
    def schedule(self) -> Timetable:
        """When runs start by themselves."""
        from application.services.schedule import Timetable
        from application.store.schedules import Schedules

        schedules = Schedules(self.store, audit=self.audit, world=self.world)
        return Timetable(schedules, office=self.office, clock=self.world.clock)

    @cached_property
    def journal(self) -> Journal:
        """What we know of each invoice."""
        from application.store.journal import Journal

        return Journal(self.store, audit=self.audit, leases=self.leases, world=self.world)

    @cached_property
    def company(self) -> Company:
        """The connected company as our store knows it."""
        from application.services.company import Company

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
        from application.store.items import Items

        return Items(self.store, audit=self.audit, world=self.world)

    @cached_property
    def usage(self) -> Usage:
        """What was asked of QuickBooks, month by month."""
        from application.store.usage import Usage

        return Usage(self.store)

    @cached_property
    def reader(self) -> MisReader:
        """The MIS, read only."""
        from application.mis.reader import MisReader

        return MisReader(self.mis, invoices_from=self.settings.invoices_from)

    @cached_property
    def logs(self) -> Logs:
        """`logs/app.log`."""
        from application.logs import Logs

        folder = self.settings.feebridge_home / self.settings.log_dir
        logs = Logs.open(folder)
        self.things.callback(logs.close)
        return logs

    @cached_property
    def flags(self) -> Flags:
        """What our records say of many invoices at once."""
        from application.store.flags import Flags

        return Flags(self.store)

    @cached_property
    def listing(self) -> Listing:
        """Invoices as people search them."""
        from application.services.listing import Listing

        return Listing(
            reader=self.reader,
            plans=self.plans,
            choosing=self.choosing,
            progress=self.progress,
            journal=self.journal,
            flags=self.flags,
            leases=self.leases,
            company=self.company,
            world=self.world,
            waits=self.waits,
        )

    @cached_property
    def causes(self) -> Causes:
        """Failures by cause."""
        from application.services.causes import Causes

        return Causes(
            reader=self.reader,
            journal=self.journal,
            choosing=self.choosing,
            progress=self.progress,
            company=self.company,
            rule=self.plans.rules.amount,
        )

    @cached_property
    def looks(self) -> Looks:
        """What was found when somebody last looked."""
        from application.services.looks import Looks

        return Looks(self.items, clock=self.world.clock)

    @cached_property
    def mapping(self) -> Mapping:
        """Which product takes which fee."""
        from application.services.mapping import Mapping

        return Mapping(
            reader=self.reader,
            items=self.items,
            plans=self.plans,
            causes=self.causes,
            company=self.company,
            flags=self.flags,
        )

    @cached_property
    def access(self) -> Access:
        """Who may use the REST interface."""
        from application.services.access import Access
        from application.store.keys import Keys

        keys = Keys(self.store, audit=self.audit, world=self.world)
        return Access(keys, people=self._people, world=self.world)

    @cached_property
    def people(self) -> SignIn:
        """Who signs in to the pages."""
        from application.services.people import SignIn

        return SignIn(self._people, world=self.world)

    @cached_property
    def _people(self) -> People:
        from application.store.people import People

        return People(self.store, audit=self.audit, world=self.world)

    @cached_property
    def trials(self) -> Trials:
        """What would become of invoices."""
        from application.services.trials import Trials

        return Trials(
            choosing=self.choosing, plans=self.plans, reader=self.reader, company=self.company
        )

    @property
    def mis_name(self) -> str:
        """The MIS as people know it, without secrets."""
        return self.mis.name

    def actor(self, source: str, *, name: str = "local", address: str | None = None) -> Actor:
        """Return who acts through a door; `local` is whoever needs no sign-in there."""
        from application.store.audit import Actor

        return Actor(name=name, source=source, address=address, process=self.holder)

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
        from application.stage.outage import restored

        if self.place.mis_file.exists() or self.place.mis_away.exists():
            restored(self.place)
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
        from application.mis.tables import open_mis

        if self.place.demo:
            self.make_demo()
        mis = open_mis(
            self.settings.mis_address(self.place.mis_file),
            world=self.world,
            time_zone_offset=self.offset,
            lock_wait_s=self.settings.mis_lock_wait_s,
        )
        self.things.callback(mis.close)
        return mis

    @property
    def offset(self) -> str:
        """The office's distance from UTC, as a database takes it."""
        away = self.world.clock.now().astimezone(self.office).utcoffset() or timedelta()
        minutes = int(away.total_seconds()) // 60
        sign = "-" if minutes < 0 else "+"
        return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"

    @cached_property
    def store(self) -> Store:
        """Our own database."""
        from application.store.tables import open_store

        store = open_store(self.settings.store_address(self.place.store_file), world=self.world)
        self.things.callback(store.close)
        return store

    @cached_property
    def leases(self) -> Leases:
        """Who may send."""
        from application.store.leases import Leases

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
        from application.store.tokens import Tokens, new_key

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
        from application.services.plans import Plans, Rules

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
