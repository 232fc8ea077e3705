"""The chain of the audit log: its canonical form, its hashes, and one pass over it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import RowMapping

Line = RowMapping  # a stored line, by column name

GENESIS = "0" * 64
_ENCODE: Final = msgspec.json.Encoder(order="sorted").encode
_FIELDS = (
    "id", "at", "actor", "source", "address", "action", "subject", "before", "after",
    "environment", "realm_tag", "run_id", "process", "intent_id", "attempt_id", "request_id",
    "payload_sha256", "answer_sha256", "quickbooks_id", "intuit_tid", "cause",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends: what an anchor keeps elsewhere."""

    id: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What walking the whole chain showed."""

    intact: bool
    entries: int
    head: str
    first_bad: int | None
    problem: str | None


def canonical(line: Mapping[str, object]) -> bytes:
    """Return the one byte form of a line: sorted keys, UTF-8, no spaces."""
    return _ENCODE(line)


def chained(previous: str, *, line: Mapping[str, object]) -> str:
    """Return the hash that binds a line to all before it."""
    return hashlib.sha256(b"\x00" + bytes.fromhex(previous) + canonical(line)).hexdigest()


def hashed(row: Line | dict[str, object]) -> dict[str, object]:
    """Return the part of a stored line that its hash covers, in the form it covers it."""
    line = {name: row[name] for name in _FIELDS}
    at = line["at"]
    line["at"] = at.isoformat(timespec="microseconds") if isinstance(at, datetime) else None
    return line


class Walk:
    """One pass over the chain, one line at a time.

    Args:
        known: Heads kept elsewhere; two of one number cannot both be right.
    """

    def __init__(self, known: Iterable[Head]) -> None:
        self.seen = Head(0, GENESIS)
        self._kept: dict[int, set[str]] = {}
        for one in known:
            self._kept.setdefault(one.id, set()).add(one.hash)
        self._bad: tuple[int, str] | None = None

    def step(self, row: Line) -> bool:
        """Return whether this line follows from the one before and says what was hashed."""
        wanted = self.seen.id + 1
        if row["id"] != wanted:
            missing = row["id"] > wanted
            self._bad = (
                (wanted, "missing") if missing else (int(row["id"]), "planted before the first")
            )
        elif row["previous"] != self.seen.hash:
            self._bad = (wanted, "does not follow from the entry before it")
        elif not _says_what_was_hashed(row):
            self._bad = (wanted, "changed after it was written")
        elif self._kept.get(wanted, {row["hash"]}) != {row["hash"]}:
            self._bad = (wanted, "differs from a head that was kept elsewhere")
        if self._bad is None:
            self.seen = Head(wanted, row["hash"])
        return self._bad is None

    def end(self, head: Head) -> Verified:
        """Return the result after the last line."""
        most = max([head.id, *self._kept])
        if self.seen.id < most:
            self._bad = (self.seen.id + 1, "missing at the end")
        elif self.seen.id > head.id:
            self._bad = (head.id + 1, "stands behind the end of the chain")
        elif self.seen.hash != head.hash:
            self._bad = (self.seen.id, "differs from the head of the chain")
        return self.result()

    def result(self) -> Verified:
        """Return what was found so far."""
        first_bad, problem = self._bad or (None, None)
        return Verified(
            intact=self._bad is None,
            entries=self.seen.id,
            head=self.seen.hash,
            first_bad=first_bad,
            problem=problem,
        )


def _says_what_was_hashed(row: Line) -> bool:
    try:
        return bool(chained(row["previous"], line=hashed(row)) == row["hash"])
    except (ValueError, TypeError, UnicodeError):
        return False  # somebody wrote what we never write, such as broken JSON
