"""One seed from its first instant to its verdict."""

import atexit
import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from functools import cache

from application.world import World
from qbo_simulator.company import REALM_ID
from tests.simulation import checker
from tests.simulation.checker import Document, Expected, Scene
from tests.simulation.clocks import SeededChance, StillClock
from tests.simulation.ground import Ground, dice_of
from tests.simulation.history import History
from tests.simulation.life import TIDY, Life
from tests.simulation.profiles import Profile
from tests.simulation.scheduler import Stuck
from tests.simulation.world import SimulatedWorld, office_world

# Each is entered around every seed: a planted bug puts itself in here.
AROUND: list[Callable[[], AbstractContextManager[object]]] = []

STATE = (
    ("store", "SELECT id, action, subject, after, cause FROM audit ORDER BY id"),
    ("store", "SELECT id, state, sends, unsettled, looks, quickbooks_id FROM intents ORDER BY id"),
    ("store", "SELECT id, n, lane, place, sent_at, outcome, why FROM attempts ORDER BY id"),
    ("mis", "SELECT id, QuickBk_Status, pushed_by, pushed_date FROM tbl_imvoice ORDER BY id"),
    ("mis", "SELECT * FROM seen ORDER BY n"),
)  # fmt: skip


@cache
def ground() -> Ground:
    """Return what every seed of this process starts from."""
    made = Ground()
    atexit.register(made.close)
    _, tokens = office_world(lambda: 0)
    made.prepare(World(clock=StillClock(), chance=SeededChance(dice_of(0))), tokens=tokens)
    gc.freeze()  # what is here stays to the end and need not be walked again
    return made


def run_seed(seed: int, profile: Profile, *, traced: bool = False) -> History:
    """Return what happened in the world of one seed."""
    place = ground()
    collecting = gc.isenabled()
    gc.disable()  # when it runs depends on what ran before
    try:
        with ExitStack() as around:
            for one in AROUND:
                around.enter_context(one())
            return _run(place, seed=seed, profile=profile, traced=traced)
    finally:
        if collecting:
            gc.enable()


def _run(place: Ground, *, seed: int, profile: Profile, traced: bool) -> History:
    place.reset()
    world = SimulatedWorld(place, seed=seed, profile=profile, traced=traced)
    life = Life(world)
    history = world.history
    life.settle_in()
    life.begin()
    try:
        ends_ms = world.weather.ends_ms
        world.scheduler.at(ends_ms, lambda: None)
        world.scheduler.run(lambda: world.scheduler.now_ms >= ends_ms)
        if not life.at_rest():
            life.tidy()
        world.scheduler.run(lambda: False)
        if not life.at_rest() and world.last_gone != TIDY:
            # Somebody slept through it all and woke behind the cleaner's back.
            life.tidy()
            world.scheduler.run(lambda: False)
    except Stuck as stuck:
        history.violate("I24", f"the world does not come to rest: {stuck}")
    for process in [*world.processes]:
        history.violate("I24", f"{process.name} never ended")
        world.scheduler.condemn(process)
    world.scheduler.at(world.scheduler.now_ms, lambda: None)
    world.scheduler.run(lambda: False)
    _judge(world, life)
    _digest(world)
    return history


def _judge(world: SimulatedWorld, life: Life) -> None:
    history = world.history
    documents = [*_documents(world)]
    history.created = len(documents)
    scene = Scene(
        mis=world.ground.mis_file,
        store=world.ground.store_file,
        documents=documents,
        sent=history.sent,
        expected={
            row.id: Expected(row.id, row.kind, row.payer, frozenset(row.amounts), row.touched)
            for row in life.rows.values()
        },
        people=frozenset(world.people_changed),
        person_retried=life.person_retried,
        numbers_kept=not world.qbo.knobs.number_not_kept,
        fenced=world.fenced,
        past_lost=world.weather.restored_mis or world.weather.restored_store,
        unfinished=life.unfinished,
    )
    world.watch.judge(live=frozenset(one.number for one in documents if one.live))
    for invariant, text in checker.problems(scene):
        history.violate(invariant, text)


def _documents(world: SimulatedWorld) -> Iterator[Document]:
    books = world.qbo.realms[REALM_ID].books
    names = {one.row_id: one.name for one in books.rows["Customer"].values()}
    for row in books.rows["Invoice"].values():
        yield Document(
            number=row.doc_number,
            live=not row.deleted and not row.voided,
            total=row.total,
            payer=names.get(row.customer_id, ""),
            quickbooks_id=str(row.row_id),
        )


def _digest(world: SimulatedWorld) -> None:
    history = world.history
    files = {"store": world.ground.store_file, "mis": world.ground.mis_file}
    for name, query in STATE:
        with closing(sqlite3.connect(files[name])) as link:
            for row in link.execute(query):
                history.note(world.scheduler.now_ms, name, repr(row))
    history.steps = world.scheduler.steps
    history.seal()
