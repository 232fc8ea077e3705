"""Whether a run may begin now, and what it would send: shown before anything is sent."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from application.catalogue import CAUSES, RetryRule, Stop
from application.services.company import Company, ConnectionState
from application.services.progress import Progress
from application.services.resting import UNCLEAR
from application.store.journal import Journal
from application.store.runs import Run, Runs

CONFIRM_ABOVE: Final = 100
BATCH: Final = "batch"
EVERYTHING: Final = "all"
SINGLE: Final = "single"
KINDS: Final = (BATCH, EVERYTHING, SINGLE)


@dataclass(frozen=True, slots=True)
class Offer:
    """What could be sent now, and what stands in the way."""

    count: int  # that wait
    amount: Decimal
    batch_size: int
    state: ConnectionState
    active: Run | None  # a long run that has not ended: no other one may begin
    trouble: Stop | None  # a condition under which nothing can be sent
    first: bool  # nothing was ever sent into this production company

    @property
    def open(self) -> bool:
        """Whether something can be sent at all."""
        return self.trouble is None and self.state.problem is None

    def needs_word(self, count: int) -> bool:
        """Return whether somebody has to confirm that so many are sent."""
        return count > CONFIRM_ABOVE or self.first


class Starting:
    """Looks before a run is begun; reads the MIS and our store."""

    def __init__(
        self,
        *,
        progress: Progress,
        company: Company,
        runs: Runs,
        journal: Journal,
        batch_size: int,
    ) -> None:
        self._progress = progress
        self._company = company
        self._runs = runs
        self._journal = journal
        self._batch_size = batch_size

    def offer(self) -> Offer:
        """Return what could be sent now.

        Raises:
            Stop: Our own store does not answer.
        """
        state = self._company.state()
        tag = self._company.realm_tag()
        active = self._active(tag) if tag else None
        count, amount, trouble = 0, Decimal(0), self._blocking(active)
        try:
            counts = self._progress.counts()
            count, amount = counts.not_synced, counts.amounts["not_synced"]
        except Stop as stop:
            trouble = stop
        production = state.environment.value == "production"
        return Offer(
            count=count,
            amount=amount,
            batch_size=self._batch_size,
            state=state,
            active=active,
            trouble=trouble,
            first=production and not (tag and self._journal.any_receipt(tag)),
        )

    def _active(self, tag: str) -> Run | None:
        """Return the run that keeps others out."""
        going = self._runs.open_runs(tag)
        known = (run for run in going if run.sole or not run.durable)
        # One that only waits for lost answers ends instead, and the next one settles those first.
        return next((run for run in known if run.cause != UNCLEAR), None)

    def _blocking(self, active: Run | None) -> Stop | None:
        """Return the condition a run at rest has met and that lasts; a pause ends by itself."""
        if active is None or active.cause is None or not active.state.startswith("waiting_"):
            return None
        known = CAUSES.get(active.cause)
        lasts = known is not None and known.retry is RetryRule.WAIT
        return _Waits(active.cause) if lasts else None


class _Waits(Stop):
    """A run has met this condition and waits for its end.

    Args:
        cause: That of the run.
    """

    cause = "quickbooks_unavailable"  # of the class; each one has its run's

    def __init__(self, cause: str) -> None:
        self.cause = cause  # type: ignore[misc]  # this one carries the cause of whatever it tells
        super().__init__()
