"""What came in and what a good client never sends: the request log and the violations."""

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from qbo_simulator.clock import Clock
from qbo_simulator.codec import Thing, encode
from qbo_simulator.messages import Request

LOG_MAX: Final = 200_000
VIOLATIONS_MAX: Final = 2_000
PAGE_MAX: Final = 10_000


@dataclass(slots=True)
class Visit:
    """One request and what came of it."""

    n: int
    request: Request
    real_at: str
    virtual_s: float
    entity: str = ""
    operation: str = ""
    realm_id: str = ""
    request_id: str = ""
    doc_numbers: list[str] = field(default_factory=list)
    status: int | None = None
    fault: str | None = None
    committed: list[str] = field(default_factory=list)
    authorized: bool = False
    replayed: bool = False
    codes: list[str] = field(default_factory=list)
    wait_s: float = 0.0
    items_max: int | None = None
    cut_items: bool = False
    notes: list[str] = field(default_factory=list)

    def shown(self) -> Thing:
        """Return the log entry."""
        return {
            "n": self.n,
            "at": self.real_at,
            "virtual_s": round(self.virtual_s, 6),
            "method": self.request.method,
            "path": self.request.path,
            "entity": self.entity,
            "operation": self.operation,
            "realm_id": self.realm_id,
            "requestid": self.request_id,
            "docnumbers": self.doc_numbers,
            "status": self.status,
            "codes": self.codes,
            "fault": self.fault,
            "committed": self.committed,
            "authorized": self.authorized,
            "replayed": self.replayed,
        }


class Diary:
    """Keeps the newest entries, counts all."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lines: deque[tuple[int, bytes]] = deque(maxlen=LOG_MAX)
        self._violations: deque[Thing] = deque(maxlen=VIOLATIONS_MAX)
        self.kinds: Counter[str] = Counter()
        self.count = 0

    def open(self, request: Request) -> Visit:
        """Note a request; the rest of the entry is filled in while it is worked on."""
        self.count += 1
        now = self._clock.now().isoformat(timespec="milliseconds")
        return Visit(self.count, request, now, self._clock.virtual_s())

    def close(self, visit: Visit) -> None:
        """Write the entry down and count what was noted against the client."""
        self._lines.append((visit.n, encode(visit.shown()) + b"\n"))
        for kind in visit.notes:
            self.violate(kind, n=visit.n)

    def violate(self, kind: str, *, n: int, detail: str = "") -> None:
        """Note what QuickBooks may tolerate and a good client never sends."""
        self.kinds[kind] += 1
        self._violations.append({"n": n, "kind": kind, "detail": detail})

    def violations(self) -> Thing:
        """Return counts by kind and the newest entries."""
        return {
            "total": sum(self.kinds.values()),
            "by_kind": dict(self.kinds),
            "last": list(self._violations),
        }

    def lines(self, *, after: int, limit: int) -> bytes:
        """Return the entries behind `after`, oldest first, as JSON lines."""
        newer = (line for n, line in self._lines if n > after)
        return b"".join(islice(newer, min(limit, PAGE_MAX)))

    def clear(self) -> None:
        """Forget entries and violations; the numbers go on."""
        self._lines.clear()
        self._violations.clear()
        self.kinds.clear()
