"""One world of one seed: the office, the wires, the clock, the dice, and the processes in it."""

import math
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from application.quickbooks.lanes import Outside
from application.quickbooks.transport import Road
from application.store.records import IllegalEdge
from application.world import Gate, World
from qbo_simulator.company import REALM_ID
from qbo_simulator.messages import Cut, Reply, Request
from qbo_simulator.office import Office
from qbo_simulator.seeding import seeded
from qbo_simulator.world import World as OfficeWorld
from tests.simulation.clocks import SeededChance, SimulatedClock, SimulatedOfficeClock, Threads
from tests.simulation.ground import FEES, START, Ground, Installation, Slot, dice_of
from tests.simulation.history import History
from tests.simulation.network import Network, sent_of
from tests.simulation.profiles import (
    DAY,
    FATES,
    HOUR,
    MINUTE,
    REFUSALS,
    SECOND,
    Profile,
    Weather,
    drawn,
)
from tests.simulation.scheduler import Crash, Misused, Process, Scheduler, Stuck
from tests.simulation.watching import Watch

CODES = re.compile(rb'"code":"(\d+)"')
EARLY = ("refused", "no_connect")  # before there is a connection
LENGTHS = {
    "pause": (2 * SECOND, 20 * SECOND, 6 * MINUTE, 20 * MINUTE, 5 * HOUR),
    "long_pause": (5 * HOUR, 2 * DAY),
    "nap": (SECOND, 6 * SECOND, 3 * MINUTE),
}
BUSY_MOST = 600  # uses of a database within one millisecond
BUNDLE_KINDS = frozenset({"missing_bid", "doubled_bid", "foreign_bid", "cut_batch"})
TOKEN_KINDS = frozenset({"lose_refresh_answer", "refuse_refresh"})


class SimulatedWorld:
    """Everything outside the code under test."""

    def __init__(self, ground: Ground, *, seed: int, profile: Profile, traced: bool) -> None:
        self.ground = ground
        self.dice = dice_of(seed)
        self.history = History(seed=seed, profile=profile.name, traced=traced)
        self.weather: Weather = drawn(profile, self.dice, seed=seed)
        self.scheduler = Scheduler(self.dice)
        self.scheduler.buried = self._buried
        self.calm = False  # the faults are over
        self.watch = Watch(
            self.history,
            mis=ground.mis_file,
            store=ground.store_file,
            past_lost=self.weather.restored_mis or self.weather.restored_store,
            sleepless=not (self.weather.pause or self.weather.nap or self.weather.clock_steps),
        )
        self.skew_ms = 0
        self.processes: dict[Process, tuple[int, Installation]] = {}
        self.people_changed: set[str] = set()  # document numbers a person touched in QuickBooks
        self.last_gate = "start"
        self.last_gone = ""
        self._busy = self._busy_ms = 0
        self._next_fate: str | None = None
        self.qbo, self.tokens = office_world(lambda: self.scheduler.now_ms)
        self.qbo.chance.seed(seed)
        self.office = Office(world=self.qbo)
        self.invoice_ids: list[int] = []
        for name, value in self.weather.knobs.items():
            self.qbo.knobs.change(name, value)
        ground.now = self.true_now

    # -- time ------------------------------------------------------------------------------------

    def true_now(self) -> datetime:
        """Return the time of the MIS server and of QuickBooks."""
        return START + timedelta(milliseconds=self.scheduler.now_ms)

    def machine_now(self) -> datetime:
        """Return what the machine of the processes believes."""
        return START + timedelta(milliseconds=self.scheduler.now_ms + self.skew_ms)

    def second(self) -> int:
        """Return the second an answer is dated."""
        return int(self.true_now().timestamp())

    def next_tid(self) -> str:
        """Return QuickBooks' name for an answer."""
        return f"1-{self.second():08x}-{self.qbo.chance.getrandbits(96):024x}"

    # -- processes -------------------------------------------------------------------------------

    def start(self, name: str, life: Callable[[Installation], None], *, after_ms: int) -> Process:
        """Start a process that lives on its own connections."""
        process = Process(name)
        number = self._free_slot()
        slot = self.ground.slots[number]
        services = self._built(process, number=number, slot=slot)
        self.processes[process] = (number, services)

        def main() -> None:
            slot.alive = lambda: self._connects(process)
            try:
                life(services)
            except IllegalEdge as wrong:
                self._fell(process, "I6", wrong)
            except (Misused, Stuck):
                raise  # this world is wrong, or goes round for ever
            except Exception as wrong:  # noqa: BLE001 - whatever it is, no seed may end a process
                self._fell(process, "I8", wrong)
            else:
                self._gone(process)

        self.scheduler.spawn(process, main, after_ms=after_ms)
        return process

    def _built(self, process: Process, *, number: int, slot: Slot) -> Installation:
        clock = SimulatedClock(self, process)

        def gate(passed: Gate) -> None:
            clock.worked()
            self.passed(process, passed.value, slot=slot)

        road = Road(clock=clock, backend=Network(self, process))
        outside = Outside(road=road, fan_out=Threads(self.scheduler, process))
        chance = SeededChance(Random(self.dice.getrandbits(64)))  # noqa: S311 - a repeatable draw
        return self.ground.installation(
            number,
            name=process.name,
            world=World(clock=clock, chance=chance, gate=gate),
            outside=outside,
        )

    def _free_slot(self) -> int:
        taken = {number for number, _ in self.processes.values()}
        return next(n for n in range(len(self.ground.slots)) if n not in taken)

    def _fell(self, process: Process, invariant: str, wrong: Exception) -> None:
        """End a process that ended itself: nothing our code meets may do that."""
        self.history.violate(invariant, f"{process.name} died of {wrong!r}")
        self.scheduler.condemn(process)

    def _buried(self, process: Process) -> None:
        self.history.crashes += 1
        self.watch.look()
        self._gone(process)

    def _gone(self, process: Process) -> None:
        """Free what the system frees when a process ends: its locks and its connections."""
        number, services = self.processes.pop(process)
        self.last_gone = process.name
        self.ground.slots[number].alive = lambda: None
        if "leases" in vars(services):
            held = services.leases._alive._held  # noqa: SLF001 - the kernel does this
            for descriptor in held.values():
                os.close(descriptor)
            held.clear()

    def _check(self, process: Process) -> None:
        if process.dead:
            raise Crash

    def _connects(self, process: Process) -> None:
        """Let a process that lives use a database, as often as an honest one would."""
        self._check(process)
        if self.scheduler.now_ms != self._busy_ms:
            self._busy_ms, self._busy = self.scheduler.now_ms, 0
        self._busy += 1
        if self._busy > BUSY_MOST:
            raise Stuck(where=f"{process.name} uses its databases without a wait")

    # -- effects ---------------------------------------------------------------------------------

    def effect(self, process: Process, what: str) -> None:
        """Let an effect of a process happen, unless it is dead; no transaction may be open."""
        self._check(process)
        slot = self.ground.slots[self.processes[process][0]]
        if slot.in_use():
            raise Misused(how=f"{what}: a database connection is in use")

    def passed(self, process: Process, gate: str, *, slot: Slot) -> None:
        """Let a process pass a gate, or stop it there."""
        self._check(process)
        if slot.in_use():
            raise Misused(how=f"{gate}: a database connection is in use")
        history, scheduler, weather = self.history, self.scheduler, self.weather
        history.gates += 1
        history.note(scheduler.now_ms, process.name, gate)
        self.last_gate = gate
        if self.calm:
            scheduler.advance(1)
            return
        strike = weather.script.get(history.gates) or self._drawn_strike(gate)
        if strike in FATES:
            self._next_fate, strike = strike, None
        if strike is None:
            scheduler.advance(self.dice.randrange(0, 12))
            return
        history.coverage[gate, strike] += 1
        history.note(scheduler.now_ms, "weather", f"{strike} at {gate}")
        if strike == "crash":
            scheduler.die()
        length = self.dice.choice(LENGTHS[strike])
        if strike == "nap":
            scheduler.advance(length)
            return
        process.frozen_until_ms = scheduler.now_ms + length
        scheduler.wait(process.frozen_until_ms)

    def _drawn_strike(self, gate: str) -> str | None:
        weather, draw = self.weather, self.dice.random()
        if weather.gates and gate not in weather.gates:
            return None
        for strike, share in (
            ("crash", weather.crash),
            ("pause", weather.pause),
            ("nap", weather.nap),
        ):
            if draw < share:
                return strike
            draw -= share
        return None

    def fate(self, where: str, *, head: bytes = b"") -> str | None:
        """Draw what becomes of a connection or a request."""
        weather = self.weather
        fates = [one for one in weather.fates if (one in EARLY) == (where == "connect")]
        planned = self._next_fate
        beside = bool(weather.aim) and f"/{weather.aim}?".encode() not in head
        if planned is not None and (planned in EARLY) == (where == "connect"):
            self._next_fate, fates = None, [planned]
        elif beside or self.calm or self.dice.random() >= weather.fate:
            return None
        if not fates:
            return None
        drawn_one = self.dice.choice(fates)
        self.history.faults[drawn_one] += 1
        self.history.coverage[self.last_gate, drawn_one] += 1
        return drawn_one

    def may_double(self, request: Request) -> bool:
        """Return whether a copy of this request does no harm by what we assume of QuickBooks."""
        knobs = self.qbo.knobs
        if knobs.duplicate_warning:
            return True
        remembers = knobs.requestid_ttl_s is None or knobs.requestid_ttl_s > 0
        return remembers and (not request.path.endswith("/batch") or knobs.batch_key != "none")

    # -- QuickBooks ------------------------------------------------------------------------------

    def answer(self, request: Request, *, sender: str, again: bool) -> Reply:
        """Let the office answer, and look at its books at once."""
        sent = sent_of(request, sender=sender, again=again, at_ms=self.scheduler.now_ms)
        company = request.path.startswith("/v3/")
        if company:
            self.history.sent.append(sent)
        if not again:
            self._draw_trouble(request)
        hits = dict(self.qbo.faults.hits)
        reply = self.office.answer(request)
        for kind, count in self.qbo.faults.hits.items():
            if count != hits.get(kind, 0):
                self.history.faults[kind] += 1
                self.history.coverage[self.last_gate, kind] += 1
        sent.status = reply.status
        self.history.classes[self._class_of(reply)] += 1
        self.look_for_duplicates()
        self._keep_late_work()
        return reply

    def _keep_late_work(self) -> None:
        """Have QuickBooks save in its time what it saves late, although nobody asks it then."""
        due_s = self.qbo.next_due_s
        if due_s is None:
            return
        due_ms = 1 + math.floor((due_s - START.timestamp()) * 1000)

        def work() -> None:
            self.qbo.run_due()
            self.look_for_duplicates()

        self.scheduler.at(due_ms, work)

    def _class_of(self, reply: Reply) -> str:
        """Return what kind of answer left: its status, and the codes QuickBooks gave in it."""
        if reply.cut is not Cut.NOT:
            return f"cut {reply.cut.value}"
        codes = sorted({code.decode() for code in CODES.findall(reply.body)})
        return " ".join([str(reply.status), *codes])

    def _draw_trouble(self, request: Request) -> None:
        """Put one trouble in the way of this request, now and then."""
        weather = self.weather
        if self.calm or not weather.troubles or self.dice.random() >= weather.trouble:
            return
        kind = self.dice.choice(weather.troubles)
        subject = request.path.rsplit("/", 1)[-1]
        if kind in BUNDLE_KINDS and subject != "batch":
            return
        if kind in TOKEN_KINDS and subject != "bearer":
            return
        if weather.aim not in {"", subject}:
            return
        fault = {"kind": kind, "count": 1} | self._details(kind)
        if weather.commits:
            fault["commit"] = True
        self.qbo.faults.add(fault, now_s=self.qbo.clock.virtual_s())

    def _details(self, kind: str) -> dict[str, object]:
        """Draw what a trouble needs to be told."""
        match kind:
            case "refuse":
                code, message = self.dice.choice(REFUSALS)
                return {"code": code, "message": message}
            case "cut_batch":
                return {"items": self.dice.randrange(4)}
            case "slow":
                return {"ms": self.dice.choice((2_000, 60_000, 119_000))}
            case "drip":
                return {"ms": self.dice.choice((1, 40))}
            case "refuse_connection":
                return {"count": None, "seconds": self.dice.choice((1, 30))}
            case _:
                return {}

    @property
    def fenced(self) -> bool:
        """Return whether what we assume of QuickBooks, or one of its own two fences, holds.

        A bundle item that is sent again as a single carries another id: the second fence is none
        for it.
        """
        knobs = self.qbo.knobs
        remembers = knobs.requestid_ttl_s is None and not self.weather.bundles
        return not self.weather.broken or knobs.duplicate_warning or remembers

    def look_for_duplicates(self) -> None:
        """Check I1 at this very moment."""
        if not self.fenced:
            return
        books = self.qbo.realms[REALM_ID].books
        rows = books.rows["Invoice"]
        for number, ids in books.numbers["Invoice"].items():
            live = [one for one in ids if not rows[one].voided and not rows[one].deleted]
            if len(live) > 1:
                self.history.violate("I1", f"{number} has {len(live)} live documents")

    def clear_up(self) -> None:
        """The weather is over."""
        self._next_fate = None
        self.calm = True
        self.qbo.faults.clear()

    def forward(self, wait_ms: int) -> int:
        """Return a moment within that time, drawn."""
        return self.dice.randrange(1, max(2, min(wait_ms, 7 * DAY)))


def office_world(now_ms: Callable[[], int]) -> tuple[OfficeWorld, dict[str, object]]:
    """Return a company with the products we need, and the tokens of its first consent.

    The tokens are the same for every seed, since the store of every seed holds them.
    """
    qbo = OfficeWorld(clock=SimulatedOfficeClock(now_ms), chance=dice_of(0))
    desk = qbo.desk(qbo.realms[REALM_ID], instant=True)
    seeded(desk, {"items": [{"Name": name} for name in FEES]})
    return qbo, qbo.oauth.issue(REALM_ID)
