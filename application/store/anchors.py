"""Heads of the audit's chain, kept in a file beside the logs: the database cannot reach it."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from application.catalogue import ConfigInvalid
from application.logs import Logs
from application.store.audit import Audit, Head
from application.store.liveness import make_folder
from application.world import World

FILE = "audit-anchors.jsonl"
ENTRIES_MAX = 1_000
EVERY = timedelta(minutes=10)
_TAIL_BYTES = 4_096


class Anchors:
    """Keeps heads where whoever can change our database cannot change them too.

    Args:
        folder: LOG_DIR.
        audit: The log they are of.
        world: Clock.
        logs: Where each head is told as well.
    """

    def __init__(self, folder: Path, *, audit: Audit, world: World, logs: Logs) -> None:
        self._path = folder / FILE
        self._audit = audit
        self._world = world
        self._logs = logs
        self._last: tuple[Head, datetime] | None = None
        self._warned: Head | None = None

    def known(self) -> list[Head]:
        """Return every head that was kept, oldest first; none where no server has run yet.

        Raises:
            ConfigInvalid: The file is there and cannot be read.
        """
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as wrong:
            raise ConfigInvalid(setting="LOG_DIR", problem=f"{FILE} cannot be read") from wrong
        read = [_read(line) for line in lines if line.strip()]
        kept = [one[0] for one in read if one is not None]
        if len(kept) < len(read):
            # The last line of a power cut, or somebody at work in the file; the rest still counts.
            self._logs.event(
                "audit.anchor_unreadable", level="warning", count=len(read) - len(kept)
            )
        return kept

    def newest(self) -> Head | None:
        """Return the head that was kept last; None where none was, or where nobody can read it."""
        found = self._newest()
        return found[0] if found else None

    def write_if_due(self) -> Head | None:
        """Keep the head after 1,000 entries or 10 minutes, if the log has grown; else do nothing.

        A log that is behind the newest head is not kept over it: that head is the proof.

        Returns:
            The head that was kept now, or None.
        """
        head = self._audit.head()
        self._last = self._last or self._newest()
        if self._last is not None:
            kept, at = self._last
            if head.id < kept.id or (head.id == kept.id and head.hash != kept.hash):
                self._warn(head)
                return None
            fresh = self._world.clock.now() - at < EVERY
            if head.id == kept.id or (fresh and head.id - kept.id < ENTRIES_MAX):
                return None
        elif head.id == 0:
            return None
        return self._write()

    def _write(self) -> Head | None:
        try:
            head = self._audit.anchor(_Durable(self._path))
        except OSError:
            # A full disk stops no run; the next turn tries again, and `verify` has the older ones.
            self._logs.event("audit.anchor_failed", level="error")
            return None
        self._last = (head, self._world.clock.now())
        self._logs.event("audit.anchored", entry_id=head.id, hash=head.hash)
        return head

    def _warn(self, head: Head) -> None:
        if self._warned == head:
            return  # once for each thing seen, not once a tick
        self._warned = head
        self._logs.event("audit.behind_anchor", level="error", entry_id=head.id, hash=head.hash)

    def _newest(self) -> tuple[Head, datetime] | None:
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL_BYTES))
                tail = file.read(_TAIL_BYTES).decode(errors="replace")
        except OSError:
            return None  # there is none, or `known` will say that nobody can read it
        read = [found for line in tail.splitlines() if (found := _read(line)) is not None]
        return read[-1] if read else None


class _Durable:
    """The end of the file; what was written to it outlives a power cut.

    Args:
        path: The file; made for its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, text: str, /) -> None:
        """Add a line."""
        make_folder(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size and (file.seek(size - 1), file.read(1))[1] != b"\n":
                text = "\n" + text  # a line cut short must not spoil this one
            file.write(text.encode())
            os.fsync(file.fileno())


def _read(line: str) -> tuple[Head, datetime] | None:
    """Return the head of a line and when it was kept; None for a line nobody can read."""
    try:
        found = json.loads(line)
        at = datetime.fromisoformat(found["at"])
        head = Head(int(found["id"]), str(found["hash"]))
    except (ValueError, KeyError, TypeError):
        return None
    return (head, at) if at.tzinfo is not None else None
