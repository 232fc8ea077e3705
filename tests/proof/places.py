"""Small universities, each built once and copied; one QuickBooks that forgets between two tests."""

import http.client
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from application import wiring
from application.embedded import Place
from application.store.audit import Audit
from application.store.tables import open_store
from application.world import World
from tests.proof.children import Child, born
from tests.proof.deeds import Deed
from tests.proof.olden import engine_of
from tests.rooms.simulator_support import RunningSimulator
from tests.walks.university import University

SCALE = 100
PATIENCE_S = 30
TURNS_MOST = 8
# Absence is believed after (40 + 120 + 20) s: 1.8 s at this scale. A lease lasts 3.1 s.
SETTINGS = {
    "CLOCK_SCALE": str(SCALE),
    "INDEX_LAG_S": "20",
    "CHECK_TO_SEND_S": "40",
    "LEASE_S": "310",
    "REFRESH_LOCK_S": "120",
    "RETRY_DELAY_S": "1",
}
LISTS = {
    "Account": "accounts",
    "Customer": "customers",
    "Department": "departments",
    "Item": "items",
}


@dataclass
class Home(University):
    """A university whose senders are children of this test."""

    def born(self, deed: Deed, **settings: str) -> Child:
        """Start a process on this installation."""
        return born(deed, environment={**self.environment(), **settings}, folder=self.folder)

    def done(self, deed: Deed, **settings: str) -> Child:
        """Let a process come to its end, whichever."""
        child = self.born(deed, **settings)
        child.wait()
        return child

    @property
    def store_file(self) -> Path:
        return self.folder / "var" / "store" / "store.db"

    @property
    def store_url(self) -> str:
        return self.settings.get("STORE_DATABASE_URL", f"sqlite:///{self.store_file}")

    def runs(self) -> list[tuple[str, str | None]]:
        """Return state and cause of each run somebody asked for, the oldest first."""
        return self.stored("SELECT state, cause FROM runs WHERE kind <> 'settle' ORDER BY id")

    def stored(self, query: str) -> list[Any]:
        """Return what our store answers to a question."""
        with engine_of(self.store_url).connect() as store:
            return [tuple(row) for row in store.exec_driver_sql(query.replace("%", "%%"))]

    def change(self, statement: str) -> None:
        """Change our store as nobody should."""
        with engine_of(self.store_url).begin() as store:
            store.exec_driver_sql(statement)

    def plan(self) -> None:
        """Set a schedule that stands since long ago, so that today's start lies behind it."""
        child = self.done(Deed("plan"))
        assert child.code == 0, child.said
        self.change("UPDATE schedules SET changed_at = changed_at - 3600000000, ticked_at = NULL")

    @property
    def key_file(self) -> Path:
        return Place(folder=self.folder / "var", demo=False).key_file

    def answered(self, child: Child, path: str) -> Any:  # noqa: ANN401 - any JSON document
        """Return the data a server that is a child of ours answers with."""
        link = _link_to(child)
        try:
            link.request("GET", path)
            return json.loads(link.getresponse().read())["data"]
        finally:
            link.close()

    def ask(self, child: Child, path: str, body: object = None) -> int:
        """Post to a server that is a child of ours; return the status, 0 where it went away."""
        link = _link_to(child)
        headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
        try:
            link.request("POST", path, body=json.dumps(body or {}), headers=headers)
            return link.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0  # it died meanwhile, which is what it is here for
        finally:
            link.close()

    def problems(self) -> list[str]:
        """Return what is wrong between the two books, or with the log, at this moment."""
        wrongs = [*self.look().problems, *self.chain_problems()]
        return wrongs + [f"{kind}: {times}" for kind, times in self.violations().items()]

    def brought_to_end(self, *verbs: str) -> int:
        """Have other processes do what is left, and return how many it took.

        On a busy machine a sender may get no processor for as long as a lease lasts here; it stops
        then, as it must, and the next one goes on.
        """
        born = 0
        for verb in (*verbs, "all"):
            child = self.done(Deed(verb))
            while child.code and born < TURNS_MOST:
                assert "run_active" in child.said, child.said
                born, child = born + 1, self.done(Deed(verb))
            assert child.code == 0, child.said
        return born

    def answering(self) -> None:
        """Wait until QuickBooks takes connections again."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.simulator.control("GET", "state")
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)
            else:
                return

    def violations(self) -> dict[str, int]:
        """Return what QuickBooks noted against its senders."""
        return self.simulator.violations()

    def chain_problems(self) -> list[str]:
        """Return what the verifier says against the audit log."""
        if self.store_url.startswith("sqlite") and not self.store_file.exists():
            return []
        world = World()
        store = open_store(self.store_url, world=world, upgrade=False)
        try:
            found = Audit(store, world=world).verify()
        finally:
            store.close()
        return [] if found.intact else [f"audit log: {found}"]

    def sql(self, statement: str, *values: object) -> None:
        """Change the MIS as another program would."""
        with closing(sqlite3.connect(self.folder / "mis.db")) as mis, mis:
            mis.execute(statement, values)


def _link_to(child: Child) -> http.client.HTTPConnection:
    port = int(child.said.split("port ", maxsplit=1)[1].split()[0])
    return http.client.HTTPConnection("127.0.0.1", port, timeout=30)


@dataclass
class Town:
    """The QuickBooks all homes of a module share, and the universities built so far."""

    folder: Path
    simulator: RunningSimulator
    built: dict[int, Place] = field(default_factory=dict)
    homes: int = 0
    scale: int = SCALE

    def home(
        self,
        *,
        size: int = 12,
        knobs: Mapping[str, object] | None = None,
        strangers: bool = True,
        patient: bool = False,
    ) -> Home:
        """Return a fresh copy of a university, and QuickBooks as on its first day.

        Args:
            size: How many invoices.
            knobs: How QuickBooks behaves.
            strangers: Whether QuickBooks knows people already.
            patient: Whether a lease outlasts a sender that gets no processor for a while.
        """
        model = self.folder / f"of-{size}"
        if not model.exists():
            url = f"sqlite:///{self._made(model) / 'mis.db'}"
            place = Place(folder=model, demo=False)
            wiring.make_demo_mis(url, profile="fresh", size=size, place=place)
            self.built[size] = place
            # A store of today's shape: making one takes longer than all that is tried here.
            open_store(f"sqlite:///{model / 'var' / 'store' / 'store.db'}", world=World()).close()
        self.homes += 1
        folder = self.folder / f"home-{self.homes}"
        shutil.copytree(model, folder)
        self.simulator.reset()
        self.simulator.control("POST", "seed", self.lists(size, strangers=strangers))
        self.simulator.knob(**(knobs or {}))
        url = f"sqlite:///{folder / 'mis.db'}"
        settings = {**SETTINGS, "CLOCK_SCALE": str(self.scale)}
        settings |= {"LEASE_S": "3100"} if patient else {}
        return Home(folder=folder, simulator=self.simulator, mis_url=url, settings=settings)

    def lists(self, size: int, *, strangers: bool) -> dict[str, list[dict[str, object]]]:
        """Return what QuickBooks holds on its first day; with the people it knows, or without."""
        lists = _lists(self.built[size].seed_file)
        if not strangers:
            lists.pop(LISTS["Customer"], None)
        return lists

    def _made(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        return folder


def _lists(seed_file: Path) -> dict[str, list[dict[str, object]]]:
    lists: dict[str, list[dict[str, object]]] = {}
    for line in seed_file.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        if one["entity"] in LISTS:
            lists.setdefault(LISTS[one.pop("entity")], []).append(one)
    return lists


@contextmanager
def town(folder: Path, *, scale: int = SCALE) -> Iterator[Town]:
    """Yield a QuickBooks for many homes, whose clock runs that many times faster."""
    with RunningSimulator.start(file=folder / "simulator.db", clock_scale=scale) as simulator:
        yield Town(folder, simulator, scale=scale)
