"""The hash chain of the audit log, recomputed as documented, against its head and anchors."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from application.verify.opening import Row
from application.verify.store_book import instant
from application.verify.values import Finding, Unreadable

FIRST: Final = "0" * 64
FIELDS: Final = (
    "id", "actor", "source", "address", "action", "subject", "before", "after", "environment",
    "realm_tag", "run_id", "process", "intent_id", "attempt_id", "request_id", "payload_sha256",
    "answer_sha256", "quickbooks_id", "intuit_tid", "cause",
)  # fmt: skip
REMEDY: Final = (
    "Keep this database as it is and compare it with the last backup; find out who could write it."
)


class Chain:
    """Walks the log line by line and goes on behind a break, so that each break is told once.

    Args:
        anchors: Heads kept elsewhere, hashes by number.
    """

    def __init__(self, anchors: dict[int, set[str]]) -> None:
        self._anchors = anchors
        self.last = 0
        self.hash = FIRST

    def step(self, row: Row) -> Iterator[Finding]:
        """Yield what is wrong with one line."""
        number = int(row["id"])
        if number != self.last + 1:
            yield _broken(self.last + 1, "is missing", f"entry {number} follows {self.last}")
        elif row["previous"] != self.hash:
            yield _broken(number, "does not follow from the one before", "its link was changed")
        if _hash_of(row) != row["hash"]:
            yield _broken(number, "was changed after it was written", "its hash does not fit")
        kept = self._anchors.get(number)
        if kept is not None and kept != {row["hash"]}:
            yield _broken(number, "differs from its anchor", "the log was written anew")
        self.last, self.hash = number, str(row["hash"])

    def end(self, head: tuple[int, str]) -> Iterator[Finding]:
        """Yield what is wrong with the end."""
        most = max([head[0], *self._anchors])
        if self.last < most:
            yield _broken(self.last + 1, "is missing at the end", f"entry {most} is known to be")
        elif self.last > head[0]:
            yield _broken(self.last, "stands behind the end", f"the head names entry {head[0]}")
        elif self.hash != head[1]:
            yield _broken(self.last, "differs from the head", "the head row was changed")


def anchors_in(files: Sequence[Path]) -> dict[int, set[str]]:
    """Return every anchor of these files; a line nobody can read is left out.

    Raises:
        Unreadable: A file is there and cannot be read.
    """
    kept: defaultdict[int, set[str]] = defaultdict(set)
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as wrong:
            raise Unreadable(book="anchors", detail=f"{file.name} cannot be read") from wrong
        for line in lines:
            try:
                found = json.loads(line)
                kept[int(found["id"])].add(str(found["hash"]))
            except (ValueError, KeyError, TypeError):
                continue
    return dict(kept)


def _hash_of(row: Row) -> str | None:
    """Return SHA-256 of 0x00, the hash before, and the line as canonical JSON."""
    try:
        line: dict[str, Any] = {name: row[name] for name in FIELDS}
        line["at"] = instant(row["at"]).isoformat(timespec="microseconds")
        told = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        before = bytes.fromhex(str(row["previous"]))
        return hashlib.sha256(b"\x00" + before + told.encode()).hexdigest()
    except (ValueError, TypeError, OverflowError):
        return None


def _broken(number: int, what: str, why: str) -> Finding:
    return Finding("I18", None, f"entry {number}", f"Entry {number} {what}.", f"{why}.", REMEDY)
