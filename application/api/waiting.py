"""Requests that start a run: how long a caller waits, and what is answered when it is over."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from anyio.to_thread import run_sync
from fastapi import Response

from application.api.door import SOON, Here
from application.catalogue import NotFound, Stop
from application.invoices.model import doc_number
from application.services.ordering import Asked
from application.services.reports import FAILURES_SHOWN, Run
from application.shown.runs import run_answer

WAIT_S: Final = 50
WAIT_MOST_S: Final = 300
AT_WORK: Final = frozenset({"queued", "running", "stopping"})
_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,4})"?', flags=re.IGNORECASE)


class RunStopped(Stop):
    """A run ended before its first invoice; the cause is that of the run.

    Args:
        cause: What stopped it.
        run_id: The run.
    """

    cause = "internal_error"  # of the class; each one has its run's

    def __init__(self, cause: str, *, run_id: int) -> None:
        self.cause = cause  # type: ignore[misc]  # this one carries the cause of whatever it tells
        super().__init__(run_id=run_id)


@dataclass(frozen=True, slots=True)
class Preference:
    """How long a caller would like to wait (RFC 7240)."""

    wait_s: int = WAIT_S
    applied: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Return what `Prefer` asks for; anything we do not know is passed over."""
        for part in headers.get("prefer", "").split(","):
            word = part.strip()
            if word.lower() == "respond-async":
                return cls(0, "respond-async")
            found = _WAIT.fullmatch(word)
            if found and 1 <= int(found[1]) <= WAIT_MOST_S:
                return cls(int(found[1]), f"wait={int(found[1])}")
        return cls()

    @property
    def headers(self) -> dict[str, str]:
        """What tells a caller which preference was used."""
        return {"Preference-Applied": self.applied} if self.applied else {}


async def started(here: Here, start: Callable[[Asked], Run | str | None]) -> Run | str | None:
    """Return what this request began; a repeat of it gets the run the first one began."""
    once = here.once
    asked = Asked(by=here.by, request_sha256=once.request_sha256 if once else None)

    def begin() -> Run | str | None:
        known = here.services.runs.of_request(once.request_sha256) if once else None
        run = known or start(asked)
        if once is not None and isinstance(run, Run):
            here.door.repeats.link(once.id, run.id)
        return run

    return await run_sync(begin)


async def answered(here: Here, run: Run) -> Response:
    """Return the answer for a run once it has ended or rests, or the caller's wait is over."""
    preference = Preference.of(here.request.headers)
    runs = here.services.runs

    def over() -> bool:
        now = runs.get(run.id)
        return now is None or now.state not in AT_WORK

    if preference.wait_s:
        await here.door.hub.wait_ended(run.id, wait_s=preference.wait_s, ended=over)
    now = await run_sync(runs.get, run.id)
    if now is None:
        raise NotFound(what=f"run {run.id}")
    return await answer_of(here, now, headers=preference.headers)


async def answer_of(
    here: Here,
    run: Run,
    *,
    headers: Mapping[str, str] | None = None,
    replayed: bool = False,
) -> Response:
    """Return the guide's answer for a run as it stands: 200 when it has ended, else 202."""
    if run.state == "failed" and not run.processed and run.cause:
        raise RunStopped(run.cause, run_id=run.id)
    more = dict(headers or {})
    if run.finished_at is None:
        more |= {"Location": f"/api/v1/sync/runs/{run.id}", **SOON}
    told = await run_sync(_single if run.kind == "single" else _sent, here, run)
    return here.answer(
        told.content,
        message=told.message,
        meta={**told.meta, **({"replayed": True} if replayed else {})},
        status=202 if run.finished_at is None else 200,
        headers=more,
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What is answered."""

    content: dict[str, object]
    message: str
    meta: dict[str, object]


class NotSent(Stop):
    """One invoice was refused; the cause is that of the invoice.

    Args:
        cause: Why it was refused.
        facts: What its texts and the caller may want to know.
    """

    cause = "quickbooks_rejected"  # of the class; each one has its invoice's

    def __init__(self, cause: str, facts: Mapping[str, object]) -> None:
        self.cause = cause  # type: ignore[misc]  # this one carries the cause of whatever it tells
        super().__init__(**facts)


def _sent(here: Here, run: Run) -> Told:
    services = here.services
    failures = services.runs.failures(run.id, limit=FAILURES_SHOWN)
    shown = run_answer(run, failures=failures, remaining=services.progress.waiting())
    return Told(shown.content, shown.message, shown.meta)


def _single(here: Here, run: Run) -> Told:
    invoice_id = (run.ids or (0,))[0]
    failure = next(iter(here.services.runs.failures(run.id, limit=1)), None)
    if run.finished_at is not None and failure is not None:
        refusal = here.services.journal.refusals_for([invoice_id], also_closed=True).get(invoice_id)
        raise NotSent(
            failure.cause,
            {
                **failure.facts,
                "number": doc_number(invoice_id),
                "invoice_id": invoice_id,
                "attempts": failure.attempts,
                "quickbooks_fault": refusal.quickbooks_text if refusal else None,
                "intuit_tid": refusal.intuit_tid if refusal else None,
                "run_id": run.id,
            },
        )
    receipts = here.services.journal.receipts_for(run.realm_tag, [invoice_id])
    kept = receipts.get(invoice_id)
    where = f"is in QuickBooks as {kept.quickbooks_id}" if kept else "is not decided yet"
    return Told(
        content={"invoice_id": invoice_id, "quickbooks_id": kept.quickbooks_id if kept else None},
        message=f"Invoice {invoice_id} {where}.",
        meta={
            "run_id": run.id,
            "doc_number": doc_number(invoice_id),
            "already_synced": False,
            "state": run.state,
        },
    )
