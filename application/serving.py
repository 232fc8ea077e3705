"""The server's other half: engine, supervisor and timetable, started and ended as one."""

from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from threading import Event

from application.background import Background
from application.catalogue import NotConnected, ReadsUsedUp, RealmBusy, Stop
from application.invoices.model import Environment
from application.services.ordering import Asked
from application.services.reports import Caller
from application.services.supervising import Supervising
from application.store.audit import Actor
from application.store.liveness import FileLock
from application.store.runs import Run
from application.store.starts import StartTaken
from application.timers import Timers
from application.wiring import Services
from application.world import Gate

SUPERVISE_MS = 1_000
SCHEDULE_S = 5
SETTLE_S = 60
ANCHOR_S = 60
KEEP_ALIVE_S = 3_600
EVENTS_KEPT = timedelta(days=30)
REPEATS_KEPT = timedelta(hours=24)
ENGINE_KEPT = timedelta(days=7)
DAY_MS = 24 * 60 * 60 * 1_000


class Serving:
    """Everything of a server that is no door.

    Args:
        services: What doors ask.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stopping = Event()
        self._timers: Timers | None = None

    @cached_property
    def engine(self) -> Background:
        """The engine of this process."""
        services = self._services
        named = services.settings.engine_database_url
        if named is None:
            place = services.place
            place.engine_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(place.engine_lock)
            return Background(
                url=f"sqlite:///{place.engine_file}",
                executor="one",
                advance=self._advance,
                take=lock.take,
                let_go=lock.release,
            )
        return Background(
            url=named.get_secret_value(),
            executor=services.world.chance.ulid(at=services.world.clock.now()),
            advance=self._advance,
            take=lambda: True,
            let_go=lambda: None,
        )

    def start(self) -> None:
        """Start the engine and the timetable.

        Raises:
            StateConflict: Another server has the engine.
        """
        services = self._services
        self._make_rooms()
        services.connection.rotate_keys()
        self.engine.start()
        services.submit = self._submit
        self._sign_in_to_the_simulator()
        self._timers = Timers(logs=services.logs)
        every, scaled = self._timers.every, services.world.clock.scaled_ms
        every(SUPERVISE_MS, "supervise", self._supervising.look)
        every(scaled(SCHEDULE_S), "schedule", self._start_due)
        every(scaled(SETTLE_S), "settle", self._settle)
        every(scaled(ANCHOR_S), "anchor", services.anchors.write_if_due)
        every(scaled(KEEP_ALIVE_S), "sign_in", services.connection.keep_alive)
        every(DAY_MS, "tidy", self._tidy)

    def _make_rooms(self) -> None:
        """Make what requests share before the first two come at once."""
        services = self._services
        for room in (
            "anchors",
            "access",
            "auditing",
            "listing",
            "mapping",
            "repeats",
            "resting",
            "schedule",
            "slices",
            "trials",
        ):
            getattr(services, room)

    def _sign_in_to_the_simulator(self) -> None:
        """Connect what needs no person; whatever stands in the way is told when it is asked for."""
        if self._services.environment is not Environment.SIMULATOR:
            return
        with suppress(Stop):
            self._services.connection.realm()
            self._services.read_company()

    def ask_to_stop(self) -> None:
        """Have nothing new claimed from now on; what is in hand is finished."""
        self._services.world.gate(Gate.STOP_ASKED)
        self._stopping.set()

    def stop(self) -> None:
        """End: what is in hand is recorded, what was never sent is given back."""
        self._stopping.set()
        if self._timers is not None:
            self._timers.stop()
        self.engine.close()
        self._services.world.gate(Gate.STOP_DRAINED)

    @cached_property
    def _supervising(self) -> Supervising:
        services = self._services
        return Supervising(
            runs=services.runs,
            leases=services.leases,
            resting=services.resting,
            world=services.world,
            by=self._actor,
            alive=lambda run: self.engine.alive(run.id, turn=run.turn),
            begun=lambda run: self.engine.begun(run.id, turn=run.turn),
            submit=self._submit,
            withdraw=lambda run: self.engine.withdraw(run.id, turn=run.turn),
        )

    @property
    def _actor(self) -> Actor:
        return Actor(name="server", source="server", process=self._services.holder)

    def _submit(self, run: Run) -> None:
        self.engine.submit(run.id, turn=run.turn, realm_tag=run.realm_tag)

    def _advance(self, run_id: int, turn: int) -> bool:
        """Drive the next part; what has no name of its own ends the run and is told."""
        services = self._services
        if self._stopping.is_set():
            return False
        run = services.runs.get(run_id)
        try:
            return services.sync.advance(run_id, turn=turn, stop=self._stopping.is_set)
        except Stop as stop:
            if run is not None:
                services.resting.put_down(run, services.resting.of(stop))
        except Exception as fault:  # noqa: BLE001 - a fault of ours ends the run in words; it is in the log
            services.logs.fault("run.failed", fault, run_id=run_id)
            services.runs.finish(
                run_id, state="failed", cause="internal_error", by=self._actor, turn=turn
            )
        return False

    def _settle(self) -> None:
        """Settle what nobody sends; a run at work does it by itself."""
        if not self._services.company.state().connected:
            return
        try:
            self._services.sync.settle_due(
                caller=Caller(by=self._actor, stop=self._stopping.is_set)
            )
        except (RealmBusy, NotConnected, ReadsUsedUp):
            return

    def _start_due(self) -> None:
        """Start what the schedule says; another server may be faster, or a run at work."""
        services = self._services
        due = services.schedule.due(services.world.clock.now())
        if due is None:
            return
        if due.missed:
            services.schedule.missed(due, by=self._actor)
            return
        chosen = services.schedule.get()
        asked = Asked(by=services.actor("server", name="schedule"), start=due.start)
        try:
            run = services.ordering.all(
                asked=asked,
                max_batches=chosen.max_batches if chosen else None,
                batch_size=chosen.batch_size if chosen else None,
                until=due.until,
            )
        except StartTaken:
            return
        except Stop as stop:
            # A run at work does the same; a condition is told once and the next start tries anew.
            if services.schedule.ticked(due):
                services.logs.event(
                    "schedule.not_started", level="warning", error_code=stop.cause, until=due.until
                )
            return
        if run is None:  # nothing waits
            services.schedule.ticked(due)

    def _tidy(self) -> None:
        services = self._services
        now = services.world.clock.now()
        self.engine.tidy(before=(now - ENGINE_KEPT).isoformat())
        services.events.purge(now - EVENTS_KEPT)
        services.repeats.purge(now - REPEATS_KEPT)
