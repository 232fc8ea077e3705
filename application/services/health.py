"""Health as a machine asks: the checks of doctor without a request to QuickBooks, and figures."""

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from application.catalogue import Stop, explain
from application.logs import Logs
from application.metrics import Figures
from application.mis.reader import MisReader
from application.services.checks import Check
from application.services.company import Company
from application.services.progress import Progress
from application.store.anchors import Anchors
from application.store.audit import Audit
from application.store.runs import Runs
from application.store.tables import Store
from application.world import Clock

FREE_BYTES_LEAST: Final = 500_000_000
RENEW_EARLY: Final = timedelta(days=7)
HASH_SHOWN: Final = 12
SECOND: Final = timedelta(seconds=1)

T = TypeVar("T")


def free_bytes(folder: Path) -> int:
    """Return how much the disk of a folder still takes."""
    return shutil.disk_usage(folder).free


class Health:
    """Looks at what can be seen without asking QuickBooks, so that looking often is free.

    Args:
        reader: The MIS.
        progress: Counts of invoices.
        store: Our own database.
        runs: Runs of any kind.
        audit: The log.
        anchors: Heads of it, kept elsewhere.
        company: The connection as our store knows it.
        logs: `logs/app.log`.
        clock: Time.
        engine: Looks at the background engine; None where this process has none.
        free: How much the disk of a folder still takes.
    """

    def __init__(
        self,
        *,
        reader: MisReader,
        progress: Progress,
        store: Store,
        runs: Runs,
        audit: Audit,
        anchors: Anchors,
        company: Company,
        logs: Logs,
        clock: Clock,
        engine: Callable[[], Check] | None = None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._reader = reader
        self._progress = progress
        self._store = store
        self._runs = runs
        self._audit = audit
        self._anchors = anchors
        self._company = company
        self._logs = logs
        self._clock = clock
        self._engine = engine
        self._free = free

    def alive(self) -> bool:
        """Return whether our own database answers: without it nothing can be asked or done."""
        return _known(self._store.now) is not None

    def checks(self) -> list[Check]:
        """Return every check; one that cannot be made is a failed one, never a passed one."""
        engine = self._engine
        return [
            *_guarded("Store", self._store_answers),
            *_guarded("Audit log", self._chain_end),
            *_guarded("MIS", self._mis),
            *_guarded("QuickBooks", self._connection),
            *([] if engine is None else _guarded("Engine", lambda: [engine()])),
            *self._disk(),
            self._log(),
        ]

    def figures(self) -> Figures:
        """Return what stands now; what cannot be read at the moment is absent."""
        counts = _known(self._progress.counts)
        runs = _known(self._runs.open_runs)
        state = _known(self._company.state)
        head = _known(self._audit.head)
        ends = state.reconnect_by if state else None
        return Figures(
            invoices={}
            if counts is None
            else {
                "not_synced": counts.not_synced,
                "synced": counts.synced,
                "failed": counts.failed,
                "in_progress": counts.in_progress,
            },
            runs=Counter(one.state for one in runs or ()),
            connected=state.connected if state else None,
            sign_in_left_s=(ends - self._clock.now()) // SECOND if ends else None,
            audit_entries=head.id if head else None,
            store_bytes=self._store_bytes(),
        )

    # -- one check each -------------------------------------------------------------------------

    def _store_answers(self) -> list[Check]:
        self._store.now()
        return [Check("Store", "ok", f"{self._store.url_shown} answers")]

    def _chain_end(self) -> list[Check]:
        """Compare the end of the chain with the last anchor; walking all of it is `verify`."""
        head = self._audit.head()
        kept = self._anchors.newest()
        if kept is not None:
            there = self._audit.entries(after=kept.id - 1, limit=1)
            if not there or (there[0].id, there[0].hash) != (kept.id, kept.hash):
                return [
                    Check(
                        "Audit log",
                        "fail",
                        f"entry {kept.id} is not the one that was kept elsewhere",
                        "Run `feebridge audit verify`, and keep this database as it is.",
                    )
                ]
        told = f"{head.id:,} entries, head {head.hash[:HASH_SHOWN]}"
        return [Check("Audit log", "ok", told)]

    def _mis(self) -> list[Check]:
        return [
            Check(line.name, line.result, line.text, line.remedy, line.cause)
            for line in self._reader.check()
        ]

    def _connection(self) -> list[Check]:
        state = self._company.state()
        if not state.connected:
            told = explain(state.problem or "authentication_failed", {"reason": state.reason})
            return [
                Check("QuickBooks", "fail", f"{told.title}: {told.why}", told.remedy, told.code)
            ]
        text = f"connected to {state.company} ({state.environment.value.upper()}), as last known"
        ends = state.reconnect_by
        if ends is not None and ends - self._clock.now() < RENEW_EARLY:
            return [
                Check(
                    "QuickBooks",
                    "warn",
                    f"{text}; the sign-in ends on {ends:%Y-%m-%d}",
                    "Run `feebridge connect` as an administrator of the company.",
                )
            ]
        return [Check("QuickBooks", "ok", text)]

    def _disk(self) -> list[Check]:
        folder = self._store.folder
        if folder is None:
            return []  # a server keeps our database; its disk is not ours to see
        try:
            left = self._free(folder)
        except OSError as wrong:
            return [Check("Disk", "fail", f"cannot be looked at: {wrong.strerror}")]
        text = f"{left // 1_000_000:,} MB free beside the store"
        if left < FREE_BYTES_LEAST:
            remedy = "Make room: a full disk stops every run before its next step."
            return [Check("Disk", "warn", text, remedy)]
        return [Check("Disk", "ok", text)]

    def _log(self) -> Check:
        if self._logs.writable():
            return Check("Log", "ok", "app.log can be written")
        return Check("Log", "fail", "app.log cannot be written", "Give us LOG_DIR, or make room.")

    def _store_bytes(self) -> int | None:
        folder = self._store.folder
        if folder is None:
            return None
        try:
            return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        except OSError:
            return None  # a file went away while we looked; the next scrape sees the rest


def _guarded(name: str, look: Callable[[], list[Check]]) -> list[Check]:
    try:
        return look()
    except Stop as stop:
        told = explain(stop.cause, stop.facts)
        return [Check(name, "fail", f"{told.title}: {told.why}", told.remedy, stop.cause)]


def _known(ask: Callable[[], T]) -> T | None:
    """Return the answer, or None where the room does not answer now."""
    try:
        return ask()
    except Stop:
        return None
