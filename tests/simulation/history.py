"""What happened in one world: hashed as it happens, counted, and shown when asked for."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant."""

    invariant: str
    text: str


@dataclass(slots=True)
class Sent:
    """One company request that reached the simulator, whole."""

    at_ms: int
    process: str
    method: str
    path: str
    request_id: str
    body: bytes
    again: bool  # a copy the network made
    status: int = 0


@dataclass
class History:
    """One seed's world, from its first instant to its last."""

    seed: int
    profile: str
    violations: list[Violation] = field(default_factory=list)
    coverage: Counter[tuple[str, str]] = field(default_factory=Counter)  # gate x fault
    classes: Counter[str] = field(default_factory=Counter)  # how answers were read
    causes: Counter[str] = field(default_factory=Counter)  # what stopped a verb
    faults: Counter[str] = field(default_factory=Counter)
    sent: list[Sent] = field(default_factory=list)
    created: int = 0
    steps: int = 0
    gates: int = 0
    crashes: int = 0
    lines: list[str] = field(default_factory=list)
    traced: bool = False
    digest: str = ""
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256, repr=False)

    @property
    def requests(self) -> int:
        """Company requests that reached the simulator."""
        return len(self.sent)

    def note(self, at_ms: int, who: str, what: str, content: bytes = b"") -> None:
        """Write down one event; its bytes count for the digest."""
        line = f"{at_ms} {who} {what}"
        self._hash.update(line.encode())
        self._hash.update(content)
        if self.traced:
            shown = content.decode("utf-8", "replace").replace("\r\n", " | ")
            self.lines.append(f"{line} {shown}" if content else line)

    def violate(self, invariant: str, text: str) -> None:
        """Note a broken invariant, once."""
        found = Violation(invariant, text)
        if found not in self.violations:
            self.violations.append(found)

    def seal(self) -> None:
        """Fix the digest."""
        self.digest = self._hash.hexdigest()
