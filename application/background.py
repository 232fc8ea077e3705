"""The engine: carries the numbers of durable runs to whoever drives them, and survives a crash.

Nothing about an invoice is kept in it. A run is handed to it under a turn; the body of its workflow
repeats one verb until that says that no part follows, so doing a step twice harms nothing.
"""

from collections.abc import Callable
from typing import Final

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID

from application.catalogue import StateConflict

NAME: Final = "feebridge"
QUEUE: Final = "realms"
VERSION: Final = "1"  # for ever: a new build goes on with the runs of an old one
LIVE: Final = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
POLLS_A_SECOND: Final = 5
DRAIN_MOST_S: Final = 140  # QuickBooks' longest answer, and ten seconds to write it down
Advance = Callable[[int, int], bool]  # run and turn in; whether another part follows

_advance: list[Advance] = []  # the verb of this process: workflows are functions, found by name


class Background:
    """The engine of one process.

    Args:
        url: Its own database; a SQLite file serves one process, PostgreSQL several.
        executor: Name of this process to the engine; fixed where one process has the database.
        advance: Does the next part of a run.
        take: Takes the lock that keeps a second engine off the same file; True where it is ours.
        let_go: Gives that lock back.
    """

    def __init__(
        self,
        *,
        url: str,
        executor: str,
        advance: Advance,
        take: Callable[[], bool],
        let_go: Callable[[], None],
    ) -> None:
        self._url = url
        self._executor = executor
        self._verb = advance
        self._take = take
        self._let_go = let_go
        self._started = False

    def start(self) -> None:
        """Start it; what a process that died had in hand goes on by itself.

        Raises:
            StateConflict: Another server has this engine.
        """
        if not self._take():
            raise StateConflict(state="served by another `feebridge serve` on this machine")
        _advance[:] = [self._verb]
        config: DBOSConfig = {
            "name": NAME,
            "system_database_url": self._url,
            "application_version": VERSION,
            "executor_id": self._executor,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        DBOS(config=config)
        DBOS.launch()
        DBOS.register_queue(QUEUE, partition_concurrency=1, polling_interval_sec=1 / POLLS_A_SECOND)
        self._started = True

    def submit(self, run_id: int, *, turn: int, realm_tag: str) -> None:
        """Take a run in under this turn; a second time changes nothing."""
        if not self._started:
            return
        with SetWorkflowID(_name(run_id, turn)), SetEnqueueOptions(queue_partition_key=realm_tag):
            DBOS.enqueue_workflow(QUEUE, drive_run, run_id, turn)

    def alive(self, run_id: int, *, turn: int) -> bool:
        """Return whether the run waits here or is being driven under this turn."""
        return _status(run_id, turn) in LIVE

    def begun(self, run_id: int, *, turn: int) -> bool:
        """Return whether some process of this engine has taken the run up under this turn."""
        return _status(run_id, turn) == "PENDING"

    def withdraw(self, run_id: int, *, turn: int) -> None:
        """Take a superseded turn out of the queue; one that is being driven ends by itself."""
        if self._started and self.alive(run_id, turn=turn):
            DBOS.cancel_workflow(_name(run_id, turn))

    def tidy(self, *, before: str) -> None:
        """Forget ended workflows from before an instant, in ISO 8601."""
        ended = DBOS.list_workflows(
            end_time=before, status=["SUCCESS", "ERROR", "CANCELLED"], limit=1000
        )
        if ended:
            DBOS.delete_workflows([one.workflow_id for one in ended])

    def close(self) -> None:
        """Wait for the parts in hand, which have been told to stop, and end."""
        if self._started:
            self._started = False
            DBOS.destroy(workflow_completion_timeout_sec=DRAIN_MOST_S)
        self._let_go()


def _name(run_id: int, turn: int) -> str:
    return f"run-{run_id}-{turn}"


def _status(run_id: int, turn: int) -> str | None:
    found = DBOS.get_workflow_status(_name(run_id, turn))
    return found.status if found else None


@DBOS.step(name="part")
def _part(run_id: int, turn: int) -> bool:
    return _advance[0](run_id, turn)


@DBOS.workflow(name="run")
def drive_run(run_id: int, turn: int) -> int:
    """Drive a run until it rests or ends; return how many parts that took."""
    parts = 1
    while _part(run_id, turn):
        parts += 1
    return parts
