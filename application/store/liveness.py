"""A locked file that dies with its process: the only proof of death we accept."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class Liveness:
    """Locks of the leases this process holds, and a look at those of others.

    Args:
        folder: Where the locked files are; the same for every process of this machine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def hold(self, name: str) -> None:
        """Lock the file of a lease until this process ends or lets it go."""
        make_folder(self._folder)
        descriptor = os.open(self._path(name), os.O_CREAT | os.O_RDWR, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            raise AssertionError(name)  # a lease id never repeats
        self._held[name] = descriptor

    def let_go(self, name: str) -> None:
        """Unlock and remove the file of a lease."""
        descriptor = self._held.pop(name, None)
        if descriptor is not None:
            _close_and_remove(descriptor, self._path(name))

    def proved_dead(self, name: str) -> bool:
        """Return whether the holder is proved to be gone: its file is there and nobody locks it.

        No file proves nothing: the holder may use another folder.
        """
        if name in self._held:
            return False
        try:
            descriptor = os.open(self._path(name), os.O_RDWR)
        except OSError:
            return False
        free = try_lock(descriptor)
        # The file stays, so that whoever asks next gets the same answer.
        os.close(descriptor)
        return free

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"


class FileLock:
    """A lock on one file that ends with its process.

    Args:
        path: The file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Return whether the lock is ours now."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        if not try_lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give it back; the file stays, so that two processes never lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def locked_in_turn(path: Path, *, patience_ms: int, nap: Callable[[int], None]) -> Iterator[None]:
    """Hold a file's lock; whoever holds it now is waited for, so hold it for moments only.

    Args:
        path: The file.
        patience_ms: How long to wait; whoever has it longer was stopped in between.
        nap: Sleeps so many milliseconds.

    Raises:
        OSError: The file cannot be opened, or it stays locked.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        for _ in range(patience_ms):
            if try_lock(descriptor):
                break
            nap(1)
        else:
            raise TimeoutError(str(path))
        yield
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder, and the missing ones above it, that only this user can enter."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def try_lock(descriptor: int) -> bool:
    """Return whether the lock was ours to take."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            # Not `lockf`: that lock is the process's, so a second thread would get it too.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _close_and_remove(descriptor: int, path: Path) -> None:
    if sys.platform == "win32":
        os.close(descriptor)  # Windows removes no open file
        path.unlink(missing_ok=True)
    else:
        path.unlink(missing_ok=True)
        os.close(descriptor)
