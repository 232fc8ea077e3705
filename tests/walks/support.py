"""An installation of its own in a folder, and the real tool run in it as a person would."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import quick

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "sync_invoices.py"
PATIENCE_S = 180
OURS = ("MIS_", "STORE_", "ENGINE_", "QUICKBOOKS_", "ENCRYPTION_", "FEEBRIDGE_")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON document
        """The one document on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Installation:
    """A folder with a demo MIS, a store and a simulator's books."""

    folder: Path

    @property
    def mis_file(self) -> Path:
        return self.folder / "demo" / "mis.db"

    @property
    def store_file(self) -> Path:
        return self.folder / "demo" / "store" / "store.db"

    def run(
        self, *words: str, settings: Mapping[str, str] | None = None, python: str = sys.executable
    ) -> Done:
        """Run one command to its end; nothing of it is a terminal."""
        done = quick.run(
            [python, str(TOOL), *words],
            cwd=self.folder,
            env=self.environment(settings),
            timeout=PATIENCE_S,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(
        self, *words: str, settings: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start one command and leave it running."""
        return quick.Quick(
            [sys.executable, str(TOOL), *words],
            cwd=self.folder,
            env=self.environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # what a reader here read ahead, `communicate` would not find
        )

    def words(self, *words: str) -> list[str]:
        """Return the command line of a command, for who starts it in another way."""
        return [sys.executable, str(TOOL), *words]

    def copied_to(self, folder: Path) -> "Installation":
        """Return the same installation in another folder."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Installation(folder)

    def environment(self, settings: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return what the command finds in its environment: nothing of this process' settings."""
        kept = {
            name: text
            for name, text in os.environ.items()  # noqa: TID251 - the child needs PATH
            if not name.startswith(OURS)
        }
        return {
            **kept,
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "100",
            "FEEBRIDGE_HOME": str(self.folder),
            **(settings or {}),
        }


def ended(child: "subprocess.Popen[bytes]") -> Done:
    """Wait for a started command."""
    out, err = child.communicate(timeout=PATIENCE_S)
    return Done(child.returncode, out.decode(), err.decode())


def read_until(child: "subprocess.Popen[bytes]", *, words: bytes) -> None:
    """Read stderr of a started command up to the line with these words."""
    assert child.stderr is not None
    seen = b""
    while words not in seen:
        line = child.stderr.readline()
        assert line, seen
        seen += line


def interrupt_after(child: "subprocess.Popen[bytes]", *, words: bytes) -> None:
    """Send Ctrl-C once the command has written these words on stderr."""
    read_until(child, words=words)
    child.send_signal(signal.SIGINT)
