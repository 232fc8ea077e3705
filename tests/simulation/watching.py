"""What only shows while a world still runs, or from when and why something was written down.

Its SQL is its own, like the checker's; it imports nothing it judges.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from tests.simulation.history import History

REFRESH_MS = 30_000  # the longest a renewal of a sign-in waits for its answer
ANSWER_MS = 600_000  # no answer takes longer to be written down where nobody sleeps
# Whoever waits for these waits with every invoice: none of them is at fault.
NOBODYS_FAULT = (
    "authentication_failed",
    "company_inactive",
    "company_reset",
    "not_connected",
    "permission_lost",
    "quickbooks_rate_limited",
    "quickbooks_unavailable",
    "reads_used_up",
    "wrong_environment",
)


class Question(Protocol):
    """A request that left."""

    @property
    def waiting(self) -> bool:
        """Whether its answer has not come and can still come."""


@dataclass
class Watch:
    """Looks at one world as it goes on.

    Args:
        history: Takes what is found.
        mis: The MIS file.
        store: The store's file.
        past_lost: A database goes back in time: its history has holes.
        sleepless: No process stops between an answer and its receipt.
    """

    history: History
    mis: Path
    store: Path
    past_lost: bool = False
    sleepless: bool = False
    _refreshes: list[tuple[int, Question]] = field(default_factory=list)
    _deleted: dict[str, datetime] = field(default_factory=dict)

    def refresh_left(self, question: Question, *, now_ms: int) -> None:
        """Look at a renewal of the sign-in that leaves now: no other may be under way (I14)."""
        self._refreshes = [
            (at_ms, one)
            for at_ms, one in self._refreshes
            if one.waiting and now_ms - at_ms < REFRESH_MS
        ]
        if self._refreshes:
            self.history.violate("I14", f"{len(self._refreshes) + 1} renewals are under way")
        self._refreshes.append((now_ms, question))

    def deleted(self, number: str, *, at: datetime) -> None:
        """Note when a person deleted a document."""
        self._deleted[number] = at

    def look(self) -> None:
        """Look at a moment when a process died: what it marked has its receipt (I7)."""
        if self.past_lost:
            return
        with closing(sqlite3.connect(self.mis)) as mis:
            synced = {row[0] for row in mis.execute(f"{_ROWS} WHERE QuickBk_Status = 1")}
        if not synced:
            return
        with closing(sqlite3.connect(self.store)) as store:
            confirmed = {row[0] for row in store.execute(_CONFIRMED)}
        for one in sorted(synced - confirmed):
            self.history.violate("I7", f"{one} was marked synced before anybody confirmed it")

    def judge(self, *, live: frozenset[str]) -> None:
        """Look at the end.

        Args:
            live: Numbers that stand in QuickBooks now.
        """
        if self.past_lost:
            return
        found = (*self._refused(), *self._confirmed_after_deletion(live), *self._bodies())
        for invariant, text in found:
            self.history.violate(invariant, text)

    def _refused(self) -> Iterator[tuple[str, str]]:
        marks = ", ".join("?" * len(NOBODYS_FAULT))
        query = f"{_REFUSED} AND cause IN ({marks})"
        with closing(sqlite3.connect(self.store)) as store:
            for subject, cause in store.execute(query, NOBODYS_FAULT):
                yield "I8", f"{subject} was refused for what is no fault of it: {cause}"

    def _bodies(self) -> Iterator[tuple[str, str]]:
        """Look at what left under each id: what was frozen, byte for byte."""
        with closing(sqlite3.connect(self.store)) as store:
            frozen = {name: bytes(body) for name, body in store.execute(_FROZEN)}
        for one in self.history.sent:
            body = frozen.get(one.request_id)
            if one.method == "POST" and body not in {None, one.body}:
                yield "I10", f"{one.request_id} left with another body than was frozen"

    def _confirmed_after_deletion(self, live: frozenset[str]) -> Iterator[tuple[str, str]]:
        if not self.sleepless:
            return
        with closing(sqlite3.connect(self.store)) as store:
            for number, deleted_at in self._deleted.items():
                if number in live:
                    continue  # it was made anew
                since = deleted_at + timedelta(milliseconds=ANSWER_MS)
                asked = (int(number.removeprefix("MIS-")), _microseconds(since))
                if store.execute(_CONFIRMED_SINCE, asked).fetchone() is not None:
                    yield "I2", f"{number} was confirmed long after it was deleted"


_ROWS = "SELECT id FROM tbl_imvoice"
_REFUSED = "SELECT subject, cause FROM audit WHERE action = 'invoice.refused'"
_FROZEN = "SELECT request_id, payload FROM intents"
_CONFIRMED = (
    "SELECT i.invoice_id FROM audit a JOIN audit_invoices i ON i.entry_id = a.id "
    "WHERE a.action = 'invoice.confirmed'"
)
_CONFIRMED_SINCE = f"{_CONFIRMED} AND i.invoice_id = ? AND a.at > ?"


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
