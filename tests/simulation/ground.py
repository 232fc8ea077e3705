"""What every seed starts from: MIS and store as they are before the first run, made once."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from random import Random

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry
from typing_extensions import override

from application.invoices.model import Environment, Realm
from application.logs import Logs
from application.mis.demo_schema import create_statements
from application.mis.tables import Mis, open_mis
from application.settings import Settings
from application.store.items import CompanyProfile, ItemRow
from application.store.tables import Store, open_store
from application.store.tokens import TokenSet, new_key
from application.wiring import Services
from application.world import World
from qbo_simulator.company import REALM_ID

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SLOTS = 5  # four processes at most, and the one that cleans up
FEES = ("Tuition Fee", "Registration Fee", "Graduation Fee")
HELD = range(901, 933)  # held rows: a run that counts them opens both lanes
SMALL = "PRAGMA wal_autocheckpoint=100000"


@dataclass(slots=True)
class Slot:
    """The connections one simulated process uses; a dead process gets none."""

    store: Engine
    mis: Engine
    alive: Callable[[], None]

    def in_use(self) -> int:
        """Return how many connections are lent out now."""
        found = 0
        for engine in (self.store, self.mis):
            found += engine.pool.checkedout()  # type: ignore[attr-defined]  # a QueuePool
        return found


class Installation(Services):
    """The real services over connections that outlive a simulated process."""

    def __init__(self, settings: Settings, *, slot: Slot, name: str, **rest: object) -> None:
        super().__init__(settings, **rest)  # type: ignore[arg-type]  # as the base class says
        self._slot = slot
        self._name = name

    @cached_property
    @override
    def logs(self) -> Logs:
        return Logs.silent()

    @cached_property
    @override
    def holder(self) -> str:
        return self._name

    @cached_property
    @override
    def mis(self) -> Mis:
        return Mis(self._slot.mis, world=self.world, name="mis.db", key="simulated-mis")

    @cached_property
    @override
    def store(self) -> Store:
        return Store(
            self._slot.store, world=self.world, url_shown="store", folder=self.place.folder
        )


class Ground:
    """Files in memory, connections to them, and the images every seed starts from."""

    def __init__(self) -> None:
        base = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108 - a file in memory where there is one
        self.folder = Path(tempfile.mkdtemp(prefix="feebridge-simulation-", dir=base))
        self.store_file = self.folder / "store.db"
        self.mis_file = self.folder / "mis.db"
        self.now: Callable[[], datetime] = lambda: START
        self.settings = Settings.load(
            checkout=self.folder,
            mis_database_url=f"sqlite:///{self.mis_file}",
            store_database_url=f"sqlite:///{self.store_file}",
            quickbooks_environment="simulator",
            quickbooks_api_url="http://127.0.0.1:9",
            encryption_keys=new_key(),
        )
        with closing(sqlite3.connect(self.mis_file)) as mis:
            _make_mis(mis)
        self.slots = [self._slot() for _ in range(SLOTS)]
        self._images: dict[Path, sqlite3.Connection] = {}

    def close(self) -> None:
        """Give everything back."""
        for slot in self.slots:
            slot.store.dispose()
            slot.mis.dispose()
        for image in self._images.values():
            image.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def installation(self, number: int, *, name: str, world: World, **rest: object) -> Installation:
        """Return the services of one simulated process."""
        return Installation(
            self.settings,
            slot=self.slots[number],
            name=name,
            world=world,
            open_things=ExitStack(),
            **rest,
        )

    def prepare(self, world: World, *, tokens: dict[str, object]) -> None:
        """Bring the store to where a connected installation stands, and keep both images."""
        services = self.installation(0, name="setup", world=world)
        by = services.actor("setup")
        realm = Realm(environment=Environment.SIMULATOR, company_id=REALM_ID)
        services.tokens.save(_sign_in(realm, tokens, now=world.clock.now()), by=by)
        services.tokens.name_company(Environment.SIMULATOR, "Demo University (simulator)")
        services.connection.bind(realm)
        services.items.save_profile(realm.tag, _profile(world.clock.now()), by=by)
        rows = [ItemRow(id=str(2 + n), name=name) for n, name in enumerate(FEES)]
        services.items.replace(realm.tag, [ItemRow(id="1", name="Services"), *rows], by=by)
        for number in HELD:
            services.journal.hold(number, reason="held for the simulation", by=by)
        for path in (self.store_file, self.mis_file):
            with closing(sqlite3.connect(path)) as source:
                image = sqlite3.connect(":memory:")
                source.backup(image)
                self._images[path] = image

    def reset(self) -> None:
        """Put both databases back to the start."""
        for path in (self.store_file, self.mis_file):
            self.restore(path, self._images[path])
        for lock in (self.folder / "var" / "locks").glob("*.lock"):
            lock.unlink()

    def restore(self, path: Path, image: sqlite3.Connection) -> None:
        """Put a database back to an image of it."""
        with closing(sqlite3.connect(path)) as link:
            image.backup(link)

    def copied(self, path: Path) -> sqlite3.Connection:
        """Return an image of a database as it is now."""
        image = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(path)) as link:
            link.backup(image)
        return image

    def unsettled(self) -> int:
        """Return how many intents nobody knows the end of."""
        asked = "SELECT count(*) FROM intents WHERE state IN ('sending', 'unknown')"
        with closing(sqlite3.connect(self.store_file)) as link:
            return int(link.execute(asked).fetchone()[0])

    def _slot(self) -> Slot:
        quiet = World()
        store = open_store(f"sqlite:///{self.store_file}", world=quiet)
        mis = open_mis(f"sqlite:///{self.mis_file}", world=quiet)
        engines = store._engine, mis._engine  # noqa: SLF001 - kept from seed to seed, with what they compiled
        store.close()
        slot = Slot(*engines, alive=lambda: None)
        event.listen(slot.mis, "connect", self._give_it_our_time)
        for engine in engines:
            event.listen(engine, "connect", _keep_it_quick)
            event.listen(engine, "checkout", lambda *_: slot.alive())
        return slot

    def _give_it_our_time(self, link: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        link.create_function("datetime", -1, lambda *_: f"{self.now():%Y-%m-%d %H:%M:%S}")


def _keep_it_quick(link: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    link.execute(SMALL)


def _make_mis(mis: sqlite3.Connection) -> None:
    for statement in create_statements(sqlite=True, engine="", money="DECIMAL(12,2)"):
        mis.execute(statement)
    mis.execute("CREATE TABLE seen (n INTEGER PRIMARY KEY, id, old, new, old_by, new_by)")
    mis.execute(
        "CREATE TRIGGER watch AFTER UPDATE ON tbl_imvoice BEGIN INSERT INTO seen "
        "(id, old, new, old_by, new_by) VALUES (old.id, old.QuickBk_Status, new.QuickBk_Status, "
        "old.pushed_by, new.pushed_by); END"
    )
    for number, name in enumerate(FEES, start=1):
        mis.execute(
            "INSERT INTO tbl_income_category (id, name, description) VALUES (?, ?, ?)",
            (number, name, name),
        )
    mis.execute("PRAGMA journal_mode=WAL")
    mis.commit()


def _sign_in(realm: Realm, tokens: dict[str, object], *, now: datetime) -> TokenSet:
    return TokenSet(
        realm=realm,
        access_token=str(tokens["access_token"]),
        access_until=now + timedelta(hours=1),
        refresh_token=str(tokens["refresh_token"]),
        refresh_until=now + timedelta(days=101),
        connected_by="setup",
        connected_at=now,
        hard_until=now + timedelta(days=1825),
    )


def _profile(now: datetime) -> CompanyProfile:
    return CompanyProfile(
        name="Demo University (simulator)",
        country="RW",
        currency="RWF",
        custom_numbers=True,
        books_closed_until=None,
        uses_tax=False,
        read_at=now,
    )


def dice_of(seed: int) -> Random:
    """Return the choices of one seed."""
    return Random(seed)  # noqa: S311 - a repeatable draw, not a secret
