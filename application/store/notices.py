"""Notes that the processes of one machine leave each other, and whether their writers live."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from application.store.liveness import locked_in_turn, make_folder, try_lock

SUFFIX: Final = ".note"
PATIENCE_MS: Final = 100  # a turn lasts a fraction of one


@dataclass(frozen=True, slots=True)
class Other:
    """Somebody else's note."""

    name: str
    says: Mapping[str, Any]
    alive: bool


class Notices:
    """One note of ours, and those of others about the same subject.

    Notes are read and written in `turn`, so that none is read half written.

    Args:
        folder: Where the notes are; the same for every process of this machine.
        subject: What they are about: letters, digits and points.
        name: Ours; never used before.
        nap: Sleeps so many milliseconds.
    """

    def __init__(
        self, folder: Path, *, subject: str, name: str, nap: Callable[[int], None]
    ) -> None:
        self._nap = nap
        self._folder = folder
        self._subject = subject
        self._ours = f"{subject}.{name}{SUFFIX}"
        self._descriptor: int | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let no other process of this machine read or write these notes meanwhile.

        Raises:
            OSError: The folder cannot be used, or somebody does not end his turn.
        """
        if self._descriptor is None:  # a look at every folder above, each time, would be slower
            make_folder(self._folder)
        path = self._folder / f"{self._subject}.turn"
        with locked_in_turn(path, patience_ms=PATIENCE_MS, nap=self._nap):
            yield

    def put(self, note: Mapping[str, object]) -> None:
        """Replace our note.

        Raises:
            OSError: It cannot be written.
        """
        if self._descriptor is None:
            descriptor = os.open(self._folder / self._ours, os.O_CREAT | os.O_RDWR, 0o600)
            try_lock(descriptor)  # for as long as this process lives
            self._descriptor = descriptor
        text = json.dumps(note, separators=(",", ":")).encode()
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, text)
        os.truncate(self._descriptor, len(text))

    def others(self) -> list[Other]:
        """Return the notes of others.

        Raises:
            OSError: The folder cannot be read.
        """
        names = [
            entry.name
            for entry in os.scandir(self._folder)
            if entry.name.startswith(f"{self._subject}.") and entry.name.endswith(SUFFIX)
        ]
        return [
            found
            for name in names
            if name != self._ours and (found := self._read(name)) is not None
        ]

    def forget(self, other: Other) -> None:
        """Remove a dead process's note that no longer matters."""
        if not other.alive:
            with suppress(OSError):  # it costs a look more the next time
                (self._folder / other.name).unlink()

    def close(self) -> None:
        """Let go of our note; it stays, for what it says is true for a while still."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self, name: str) -> Other | None:
        try:
            descriptor = os.open(self._folder / name, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            alive = not try_lock(descriptor)
            text = os.read(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)
        try:
            return Other(name, json.loads(text), alive)
        except ValueError:  # its writer died before it had written anything
            self.forget(Other(name, {}, alive))
            return None
