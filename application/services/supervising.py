"""What a server looks after each second: durable runs that nobody drives, and those that may go on.

Every rule reads our own tables, so it holds whatever became of a process or of the engine's memory.
"""

from collections.abc import Callable
from dataclasses import replace

from application.services.resting import Resting
from application.store.audit import Actor
from application.store.leases import Leases
from application.store.runs import Run, Runs
from application.world import World

QUIET_S = 10
QUIET_LEAST_MS = 1_000  # however fast the clock runs: a driver pauses that long on a busy machine


class Supervising:
    """Hands durable runs out.

    Args:
        alive: Whether the engine still holds a run with this turn.
        begun: Whether a process of the engine has taken it up, if only a moment ago.
        submit: Hands a run with its turn to the engine.
        withdraw: Takes a turn back that was superseded.
    """

    def __init__(
        self,
        *,
        runs: Runs,
        leases: Leases,
        resting: Resting,
        world: World,
        by: Actor,
        alive: Callable[[Run], bool],
        begun: Callable[[Run], bool],
        submit: Callable[[Run], None],
        withdraw: Callable[[Run], None],
    ) -> None:
        self._runs = runs
        self._leases = leases
        self._resting = resting
        self._world = world
        self._by = by
        self._alive = alive
        self._begun = begun
        self._submit = submit
        self._withdraw = withdraw
        self._quiet_since: dict[tuple[int, int], int] = {}

    def look(self) -> int:
        """Hand out every run that should go on and that nobody holds; return how many."""
        handed = 0
        for run in self._runs.resting():
            if self._due(run):
                handed += self._hand_out(run)
        return handed

    def _due(self, run: Run) -> bool:
        now = self._world.clock.now()
        if run.wake_at is not None and run.wake_at > now:
            return False
        if run.state in {"queued", "running"}:
            return self._abandoned(run)
        return run.state.startswith("waiting_") and self._resting.over(run)

    def _abandoned(self, run: Run) -> bool:
        """Return whether a run that was handed out is in nobody's hands.

        Its driver holds the realm's lease but for a moment between two parts; a driver that died
        is proved dead, or its lease runs out.
        """
        if not self._alive(run):
            return True
        # A queued one waits its turn, or a process died between taking it up and writing that down.
        if run.state == "queued" and not self._begun(run):
            return False
        seen = (run.id, run.turn)
        busy = self._leases.active(run.realm_tag)
        if busy is not None and busy.live:
            self._quiet_since.pop(seen, None)
            return False
        now_ms = self._world.clock.since_boot_ms()
        since_ms = self._quiet_since.setdefault(seen, now_ms)
        quiet_ms = max(QUIET_LEAST_MS, self._world.clock.scaled_ms(QUIET_S))
        return now_ms - since_ms >= quiet_ms

    def _hand_out(self, run: Run) -> bool:
        turn = self._runs.hand_out(run.id, turn=run.turn, by=self._by)
        if turn is None:
            return False
        self._quiet_since.pop((run.id, run.turn), None)
        self._withdraw(run)
        self._submit(replace(run, turn=turn, state="queued"))
        return True
