"""What an auditor asks: the newest entries, the whole chain against the anchors, a month."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from application.store.anchors import Anchors
from application.store.audit import Audit, AuditLine, Head, Sought, Verified
from application.world import Clock

__all__ = ["AuditEntry", "Auditing", "Evidence", "Head", "Page", "Sought", "Verified", "Walked"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry as doors show it; an export holds the rest of it too."""

    id: int
    at: datetime
    actor: str
    source: str
    address: str | None
    action: str
    subject: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    environment: str | None
    hash: str
    previous: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One entry with everything it leads to."""

    entry: AuditEntry
    run_id: int | None  # in which it happened
    cause: str | None  # why something failed
    request_id: str | None  # under which QuickBooks was asked
    payload_sha256: str | None
    answer_sha256: str | None
    quickbooks_id: str | None
    intuit_tid: str | None  # under which Intuit finds the exchange
    body: bytes  # what was to be sent, to the byte; empty: nothing of ours


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first."""

    entries: list[AuditEntry]
    before: int | None  # where the next page begins; None at the end
    after: int | None = None  # where the page of newer ones begins; None at the newest
    runs: Mapping[int, int] = field(default_factory=dict)  # in which run, by number of the entry


@dataclass(frozen=True, slots=True)
class Walked:
    """What the last walk along the chain showed, and when."""

    at: datetime
    seen: Verified


class Auditing:
    """Reads the audit log for people; it has no way to write.

    Args:
        audit: The log.
        anchors: Heads kept elsewhere.
        clock: When the chain was walked.
    """

    def __init__(self, *, audit: Audit, anchors: Anchors, clock: Clock) -> None:
        self._audit = audit
        self._anchors = anchors
        self._clock = clock
        self._walked: Walked | None = None

    def entries(
        self, sought: Sought, *, limit: int, before: int | None = None, after: int | None = None
    ) -> Page:
        """Return a page of entries, newest first.

        Args:
            sought: Which ones.
            limit: Most entries to return.
            before: Number of the last entry of the page before this one.
            after: Number of the first entry of the page behind this one, on the way back; where
                less than a page is newer, the newest page is returned.
        """
        if after is not None:
            newer = self._audit.following(sought, after=after, limit=limit + 1)
            if len(newer) > limit:
                lines = newer[limit - 1 :: -1]
                return _page(lines, before=lines[-1].id, after=lines[0].id)
            before = None
        lines = self._audit.latest(sought, before=before, limit=limit + 1)
        more, shown = len(lines) > limit, lines[:limit]
        return _page(
            shown,
            before=shown[-1].id if more else None,
            after=shown[0].id if before is not None and shown else None,
        )

    def evidence(self, number: int) -> Evidence | None:
        """Return one entry and what it leads to; None where there is none of that number."""
        line = self._audit.line(number)
        if line is None:
            return None
        return Evidence(
            entry=_shown(line),
            run_id=line.run_id,
            cause=line.cause,
            request_id=line.request_id,
            payload_sha256=line.payload_sha256,
            answer_sha256=line.answer_sha256,
            quickbooks_id=line.quickbooks_id,
            intuit_tid=line.intuit_tid,
            body=b"" if line.intent_id is None else self._audit.body_of(line.intent_id),
        )

    def months(self) -> list[str]:
        """Return the months from the first entry to the last, newest first, as `YYYY-MM` in UTC."""
        span = self._audit.span()
        if span is None:
            return []
        first, last = (12 * at.year + at.month - 1 for at in (one.astimezone(UTC) for one in span))
        return [f"{one // 12}-{one % 12 + 1:02}" for one in range(last, first - 1, -1)]

    def verify(self, progress: Callable[[int], None] | None = None) -> Verified:
        """Walk the whole chain and compare it with every head that was kept elsewhere.

        Args:
            progress: Called with the number of entries walked, from time to time.
        """
        # The kept heads first: one that is written meanwhile is of a longer chain than we walk.
        known = self._anchors.known()
        seen = self._audit.verify(progress, known=known)
        self._walked = Walked(self._clock.now(), seen)
        return seen

    def walked(self) -> Walked | None:
        """Return what the last walk of this process showed; None before the first."""
        return self._walked

    def export(self, month: str) -> Iterator[str]:
        """Return the entries of a month as lines of JSON; the last line is their SHA-256.

        Args:
            month: `YYYY-MM`, in UTC, as the entries tell their time.

        Raises:
            MonthWrong: It is not written like that; raised at once, not by the iterator.
            NotFound: The month has no entry; raised at once too.
        """
        return self._audit.export(month)

    def head(self) -> Head:
        """Return the number and the hash of the newest entry."""
        return self._audit.head()


def _page(lines: list[AuditLine], *, before: int | None, after: int | None) -> Page:
    return Page(
        [_shown(line) for line in lines],
        before=before,
        after=after,
        runs={line.id: line.run_id for line in lines if line.run_id is not None},
    )


def _shown(line: AuditLine) -> AuditEntry:
    return AuditEntry(
        id=line.id,
        at=line.at,
        actor=line.actor,
        source=line.source,
        address=line.address,
        action=line.action,
        subject=line.subject,
        before=line.before,
        after=line.after,
        environment=line.environment,
        hash=line.hash,
        previous=line.previous,
    )
