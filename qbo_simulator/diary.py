"""What came in and what a good client never sends: the request log and the violations."""

from collections import Counter, deque
from dataclasses import dataclass, field
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
        self._visits: deque[Visit] = deque(maxlen=LOG_MAX)
        self._violations: deque[Thing] = deque(maxlen=VIOLATIONS_MAX)
        self.kinds: Counter[str] = Counter()
        self.count = 0

    def open(self, request: Request) -> Visit:
        """Note a request; the rest of the entry is filled in while it is worked on."""
        self.count += 1
        now = self._clock.now().isoformat(timespec="milliseconds")
        visit = Visit(self.count, request, now, self._clock.virtual_s())
        self._visits.append(visit)
        return visit

    def close(self, visit: Visit) -> None:
        """Let go of the body and count what was noted against the client."""
        visit.request.body = b""
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
        chosen: list[bytes] = []
        for visit in self._visits:
            if visit.n > after:
                chosen.append(encode(visit.shown()))
                if len(chosen) >= min(limit, PAGE_MAX):
                    break
        return b"".join(line + b"\n" for line in chosen)

    def clear(self) -> None:
        """Forget entries and violations; the numbers go on."""
        self._visits.clear()
        self._violations.clear()
        self.kinds.clear()
