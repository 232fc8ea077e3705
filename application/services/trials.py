"""What would become of invoices, found out without sending, claiming or noting anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from application.catalogue import NotFound
from application.invoices.validation import Problem
from application.mis.reader import MisReader
from application.services.choosing import Choosing
from application.services.company import Company
from application.services.plans import Plan, Plans
from application.services.reports import FAILURES_SHOWN, Failure

PAGE = 500


@dataclass(slots=True)
class Trial:
    """How many would go and how many would not, and why."""

    ready: int = 0
    bad: int = 0
    causes: dict[str, int] = field(default_factory=dict)  # by the first problem of each
    failures: list[Failure] = field(default_factory=list)  # the first hundred

    def take(self, plan: Plan) -> None:
        """Count one invoice."""
        if not plan.problems:
            self.ready += 1
            return
        self.bad += 1
        first = plan.problems[0]
        self.causes[first.cause] = self.causes.get(first.cause, 0) + 1
        if len(self.failures) < FAILURES_SHOWN:
            self.failures.append(Failure(plan.invoice.id, first.cause, dict(first.facts), 0))


class Trials:
    """Tries without sending."""

    def __init__(
        self, *, choosing: Choosing, plans: Plans, reader: MisReader, company: Company
    ) -> None:
        self._choosing = choosing
        self._plans = plans
        self._reader = reader
        self._company = company

    def waiting(self, *, most: int | None) -> Trial:
        """Try what waits, oldest first, at most so many."""
        trial = Trial()
        ids = islice(self._choosing.waiting(after=0, upto=None), most)
        while page := list(islice(ids, PAGE)):
            self._take(page, trial=trial)
        return trial

    def chosen(self, ids: Sequence[int]) -> Trial:
        """Try these invoices.

        Raises:
            NotFound: The MIS has not all of them.
        """
        trial = Trial()
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            known = self._take(page, trial=trial)
            for one in page:
                if one not in known:
                    raise NotFound(what=f"invoice {one}")
        return trial

    def problems_of(self, invoice_id: int) -> tuple[Problem, ...]:
        """Return every problem of one invoice.

        Raises:
            NotFound: The MIS has no such invoice.
        """
        rows = self._reader.rows_of([invoice_id])
        if not rows:
            raise NotFound(what=f"invoice {invoice_id}", highest=self._reader.highest_id())
        return self._plans.of(rows, realm_tag=self._company.realm_tag())[0].problems

    def _take(self, ids: Sequence[int], *, trial: Trial) -> frozenset[int]:
        rows = self._reader.rows_of(ids)
        for plan in self._plans.of(rows, realm_tag=self._company.realm_tag()):
            trial.take(plan)
        return frozenset(row.id for row in rows)
