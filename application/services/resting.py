"""Where a durable run is left when it cannot go on: until a condition ends, or for good."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from application.catalogue import Stop
from application.mis.reader import MisReader
from application.services.company import Company
from application.store.runs import Run, Runs
from application.world import World

UNCLEAR: Final = "outcome_unknown"
ENDS: Final = frozenset({"finished", "cancelled", "failed"})
SOON: Final = timedelta(seconds=1)
LATER: Final = timedelta(seconds=30)
MUCH_LATER: Final = timedelta(minutes=10)
_CONNECTION: Final = {
    "authentication_failed": SOON,  # looked at in our own store only
    "permission_lost": MUCH_LATER,
    "company_inactive": MUCH_LATER,
    "wrong_environment": MUCH_LATER,
    "config_invalid": MUCH_LATER,
}
_MIS: Final = frozenset({"mis_unavailable", "mis_permission", "mis_schema"})
_QUICKBOOKS: Final = frozenset(
    {"quickbooks_unavailable", "quickbooks_rate_limited", "reads_used_up", "store_unavailable"}
)


@dataclass(frozen=True, slots=True)
class Rest:
    """Where a run is left."""

    state: str
    cause: str | None = None
    wake_at: datetime | None = None

    @property
    def ends(self) -> bool:
        """Whether the run is over."""
        return self.state in ENDS


class Resting:
    """Puts runs down, and says when one may go on."""

    def __init__(self, *, runs: Runs, reader: MisReader, company: Company, world: World) -> None:
        self._runs = runs
        self._reader = reader
        self._company = company
        self._world = world

    def of(self, stop: Stop) -> Rest:
        """Return where a run is left that met this."""
        now = self._world.clock.now()
        cause = stop.cause
        if cause in _CONNECTION:
            return Rest("waiting_connection", cause, now + self._scaled(_CONNECTION[cause]))
        if cause in _MIS:
            return Rest("waiting_mis", cause, now + self._scaled(LATER))
        if cause in _QUICKBOOKS:
            until = stop.facts.get("until")
            later = until if isinstance(until, datetime) else now + self._scaled(LATER)
            return Rest("waiting_quickbooks", cause, max(later, now + SOON))
        return Rest("failed", cause)

    def _scaled(self, wait: timedelta) -> timedelta:
        return max(wait / self._world.clock.scale, SOON)

    def put_down(self, run: Run, rest: Rest) -> bool:
        """Leave a run there; return False where it is in other hands by now."""
        if rest.ends:
            return self._runs.finish(
                run.id, state=rest.state, cause=rest.cause, by=run.by, turn=run.turn
            )
        return self._runs.rest(
            run.id,
            turn=run.turn,
            state=rest.state,
            by=run.by,
            cause=rest.cause,
            wake_at=rest.wake_at,
            sole=run.sole,
        )

    def over(self, run: Run) -> bool:
        """Return whether a run may go on: its time has come, and what it waited for has ended.

        Looked at before it is handed out, so that a run that waits for days for a person leaves no
        two lines in the audit log each second.
        """
        if run.wake_at is not None and run.wake_at > self._world.clock.now():
            return False
        if run.state == "waiting_mis":
            return self._mis_answers()
        if run.state.startswith("waiting_") and run.cause in {"authentication_failed", UNCLEAR}:
            return self._company.state().connected
        return True

    def _mis_answers(self) -> bool:
        try:
            self._reader.highest_id()
        except Stop:
            return False
        return True
