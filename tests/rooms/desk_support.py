"""The services that answer lists, on a real MIS and a real store, without QuickBooks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from application.invoices.model import Environment, ItemPolicy
from application.mis.reader import MisReader
from application.mis.tables import Mis
from application.services.causes import Causes
from application.services.choosing import Choosing
from application.services.company import Company
from application.services.listing import Listing
from application.services.mapping import Mapping
from application.services.plans import Plans, Rules
from application.services.progress import Progress
from application.store.flags import Flags
from application.store.items import CompanyProfile, ItemRow
from application.store.leases import Lease
from application.world import Waits, World
from tests.rooms.mis_support import Place, opened
from tests.rooms.store_support import (
    REALM,
    UWASE,
    JumpingClock,
    Rooms,
    refusal_of,
    rooms_on,
)

TAG = REALM.tag
LEASE_MS = 300_000
GRACE_MS = 60_000
WAITS = Waits(
    grace_ms=GRACE_MS,
    lease_ms=LEASE_MS,
    heartbeat_ms=1_000,
    retry_delay_ms=1_000,
    throttle_pause_ms=1_000,
    throttle_most_ms=1_000,
    token_early_ms=1_000,
    refresh_lock_ms=1_000,
    mis_patience_ms=1_000,
    unreachable_ms=1_000,
    settle_looks_ms=(0,),
    replay_age_ms=1_000,
)


class Desk:
    """Everything a list is made of."""

    def __init__(self, place: Place, *, rooms: Rooms, mis: Mis, rules: Rules, world: World) -> None:
        self.place = place
        self.rooms = rooms
        self.clock = world.clock
        self.reader = MisReader(mis, invoices_from=None)
        self.plans = Plans(reader=self.reader, items=rooms.items, rules=rules)
        self.flags = Flags(rooms.store)
        self.mis_key = mis.key
        self.company = Company(
            tokens=rooms.tokens(),
            items=rooms.items,
            leases=rooms.leases,
            environment=Environment.SIMULATOR,
            mis_key=mis.key,
        )
        self.choosing = Choosing(reader=self.reader, journal=rooms.journal, plans=self.plans)
        self.progress = Progress(
            reader=self.reader,
            rule=self.plans.rules.amount,
            plans=lambda: self.plans,
            journal=lambda: rooms.journal,
            runs=lambda: rooms.runs,
        )
        self.listing = self._listing(world)
        self.causes = self._causes(rules)
        self.mapping = Mapping(
            reader=self.reader,
            items=rooms.items,
            plans=self.plans,
            causes=self.causes,
            company=self.company,
            flags=self.flags,
        )

    def _causes(self, rules: Rules) -> Causes:
        return Causes(
            reader=self.reader,
            journal=self.rooms.journal,
            choosing=self.choosing,
            progress=self.progress,
            company=self.company,
            rule=rules.amount,
        )

    def _listing(self, world: World) -> Listing:
        return Listing(
            reader=self.reader,
            plans=self.plans,
            choosing=self.choosing,
            progress=self.progress,
            journal=self.rooms.journal,
            flags=self.flags,
            leases=self.rooms.leases,
            company=self.company,
            world=world,
            waits=WAITS,
        )

    def bind(self) -> None:
        """Let a company be known."""
        self.rooms.leases.bind(self.mis_key, realm=REALM, company_name="Demo", by=UWASE)
        profile = CompanyProfile(
            name="Demo",
            country="RW",
            currency="RWF",
            custom_numbers=True,
            books_closed_until=None,
            uses_tax=None,
            read_at=self.clock.now(),
        )
        self.rooms.items.save_profile(TAG, profile, by=UWASE)

    def products(self, *names: str) -> None:
        """Let the company have these products, numbered from 1."""
        rows = [ItemRow(id=str(one), name=name) for one, name in enumerate(names, start=1)]
        self.rooms.items.replace(TAG, rows, by=UWASE)

    def fee(self, number: int, name: str) -> None:
        """Let the MIS have a fee category."""
        self.place.put("tbl_income_category", id=number, name=name, description="")

    def refuse(self, ids: Sequence[int], *, cause: str) -> None:
        """Let these invoices be refused."""
        lease = self.rooms.lease()
        refused = [refusal_of(one, cause=cause) for one in ids]
        self.rooms.journal.refused(refused, lease=lease, by=UWASE)
        self.rooms.leases.release(lease)

    def confirm(self, ids: Sequence[int]) -> None:
        """Let these invoices be in QuickBooks: 450,000 of 18 November 2025, of customer 58."""
        lease = self.rooms.lease()
        self.rooms.confirmed(ids, lease=lease)
        self.rooms.leases.release(lease)

    def unclear(self, one: int, *, minutes: int) -> Lease:
        """Let an answer be lost; "not found" may be believed after so many minutes."""
        lease = self.rooms.lease()
        (intent,) = self.rooms.sent([one], lease=lease)
        absent_from = self.clock.now() + timedelta(minutes=minutes)
        self.rooms.journal.unknown(
            [intent.id], why="reset", absent_from=absent_from, lease=lease, by=UWASE
        )
        return lease


@contextmanager
def desk_at(
    place: Place, *, folder: Path, bound: bool = True, policy: ItemPolicy = ItemPolicy.MATCH
) -> Iterator[Desk]:
    """Open both databases for as long as the block lasts."""
    world = World(clock=JumpingClock())
    rules = Rules(
        item_policy=policy, item_default="Other" if policy is ItemPolicy.DEFAULT else None
    )
    store = f"sqlite:///{folder}/own/store.db"
    with (
        rooms_on(store, locks=folder / "locks", world=world) as rooms,
        opened(place.url, world=world) as mis,
    ):
        desk = Desk(place, rooms=rooms, mis=mis, rules=rules, world=world)
        if bound:
            desk.bind()
        yield desk
