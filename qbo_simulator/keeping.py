"""The simulator's own file: what was answered is on disk before the answer leaves."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path


class Keeper:
    """Puts keyed values on disk, or nowhere when no file was asked for."""

    def __init__(self, *, path: Path | None = None) -> None:
        self._waiting: dict[tuple[str, str, str], bytes | None] = {}
        self._file: sqlite3.Connection | None = None
        if path is not None:
            self._file = sqlite3.connect(path, isolation_level=None)
            # WAL survives a killed process; FULL would only add the loss of power to that.
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            # A checkpoint is the only moment that waits for the disk; make it rare.
            self._file.execute("PRAGMA wal_autocheckpoint=10000")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS kept (kind TEXT, realm TEXT, name TEXT, value BLOB,"
                " PRIMARY KEY (kind, realm, name)) WITHOUT ROWID"
            )

    def put(self, kind: str, *, realm: str, name: str, value: bytes | None) -> None:
        """Note one value; None removes it. Durable after `commit`."""
        if self._file is not None:
            self._waiting[(kind, realm, name)] = value

    def commit(self) -> None:
        """Make everything noted durable, all of it or nothing."""
        if self._file is None or not self._waiting:
            return
        gone = [key for key, value in self._waiting.items() if value is None]
        rows = [(*key, value) for key, value in self._waiting.items() if value is not None]
        self._file.execute("BEGIN IMMEDIATE")
        self._file.executemany("REPLACE INTO kept VALUES (?, ?, ?, ?)", rows)
        self._file.executemany("DELETE FROM kept WHERE kind = ? AND realm = ? AND name = ?", gone)
        self._file.execute("COMMIT")
        self._waiting.clear()

    def each(self, kind: str) -> Iterator[tuple[str, str, bytes]]:
        """Yield (realm, name, value) of everything kept of that kind."""
        if self._file is not None:
            yield from self._file.execute(
                "SELECT realm, name, value FROM kept WHERE kind = ?", (kind,)
            )

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        if self._file is not None:
            self._file.execute("DELETE FROM kept")

    def close(self) -> None:
        """Commit and let go of the file."""
        self.commit()
        if self._file is not None:
            self._file.close()
            self._file = None
