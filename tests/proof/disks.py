"""A disk of a few megabytes, and a part of an installation on it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.proof.places import Home

DISK = "16m"  # room for the whole store and its log


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Yield a file system of a few megabytes; none where we may not make one."""
    folder.mkdir()
    made = subprocess.run(  # noqa: S603 - our own folder, no shell
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        if os.environ.get("FEEBRIDGE_REQUIRE_SERVICES") == "1":  # noqa: TID251 - the tests' own switch, no setting
            pytest.fail("a small file system is needed and cannot be mounted here")
        pytest.skip("only root can mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "-l", str(folder)], check=True)  # noqa: S603 - as above


def moved(home: Home, *, what: str, disk: Path) -> None:
    """Put a part of an installation on the small disk."""
    if what == "store":
        shutil.copytree(home.store_file.parent, disk / "store")
        shutil.rmtree(home.store_file.parent)
        home.store_file.parent.symlink_to(disk / "store")
    elif what == "mis":
        shutil.move(home.folder / "mis.db", disk / "mis.db")
        (home.folder / "mis.db").symlink_to(disk / "mis.db")
    else:
        home.settings["LOG_DIR"] = str(disk / "logs")
