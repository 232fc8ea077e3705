"""The embedded default: where its files lie, the demo MIS, and the simulator's process."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from application.catalogue import ConfigInvalid, QuickBooksUnavailable
from application.store.liveness import FileLock
from application.world import World

START_MS = 15_000
ASK_EVERY_MS = 50
STOP_S = 5
# Published on purpose: the simulator's own key, which opens nothing else.
CLIENT_ID = "ABsimulatorClientIdForDemonstrationOnly0001"
CLIENT_SECRET = "simulator-client-secret-not-a-real-one"  # noqa: S105 - see the line above
DEMO_SCALE = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where one installation keeps what it makes itself."""

    folder: Path
    demo: bool  # no MIS was named: the demo MIS stands in

    @property
    def mis_file(self) -> Path:
        """The demo MIS."""
        return self.folder / "mis.db"

    @property
    def store_file(self) -> Path:
        """Our own database."""
        return self.folder / "store" / "store.db"

    @property
    def key_file(self) -> Path:
        """The key that opens the tokens; never in the store's own folder."""
        return self.folder / "keys" / "encryption.key"

    @property
    def engine_file(self) -> Path:
        """The background engine's database."""
        return self.folder / "engine" / "engine.db"

    @property
    def engine_lock(self) -> Path:
        """Held by the one server that uses that file."""
        return self.engine_file.with_suffix(".lock")

    @property
    def locks(self) -> Path:
        """Locks that prove which sender lives."""
        return self.folder / "locks"

    @property
    def mis_away(self) -> Path:
        """Where the demo MIS lies while it is out of reach."""
        return self.folder / "mis.db.away"

    @property
    def outage_lock(self) -> Path:
        """Held by the server that put it there."""
        return self.locks / "outage.lock"

    @property
    def demo_lock(self) -> Path:
        """Held by the `demo` command that minds this installation's server."""
        return self.locks / "demo.lock"

    @property
    def kill_wish(self) -> Path:
        """Made by whoever wants that server killed."""
        return self.folder / "kill-the-server"

    @property
    def simulator_file(self) -> Path:
        """The simulator's books."""
        return self.folder / "simulator.db"

    @property
    def seed_file(self) -> Path:
        """What the simulator's books hold at the start."""
        return self.folder / "simulator-seed.jsonl"


def key_in(path: Path, *, make: Callable[[], str]) -> str:
    """Return the key in that file; makes one, readable by its owner only, where there is none.

    Raises:
        ConfigInvalid: Others may read the file.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as out:
                out.write(make() + "\n")
    refuse_if_shared(path)
    return path.read_text(encoding="ascii").strip()


def refuse_if_shared(path: Path) -> None:
    """Refuse a file with secrets that other users of the machine can read.

    Raises:
        ConfigInvalid: Its mode lets others in; the remedy is the `chmod` that mends it.
    """
    if os.name == "posix" and path.exists() and path.stat().st_mode & 0o077:
        raise ConfigInvalid(setting=path.name, problem=f"others can read it; run: chmod 600 {path}")


class Simulator:
    """The simulator's process: started when first needed, shared with other commands.

    Args:
        place: Where its books lie.
        clock_scale: How many times faster its limits and waits run.
    """

    def __init__(self, *, place: Place, clock_scale: int, world: World) -> None:
        self._place = place
        self._scale = clock_scale
        self._world = world
        self._child: subprocess.Popen[bytes] | None = None
        self._lock: FileLock | None = None
        self._address: str | None = None
        self._control: str | None = None
        self._note = place.folder / "simulator.json"

    def address(self, *, port: int = 0) -> str:
        """Return where it listens, starting it if nobody has; port 0 takes a free one.

        Raises:
            QuickBooksUnavailable: It does not start.
        """
        if self._address is None:
            ports = self._running() or self._start(port)
            self._address, self._control = (f"http://127.0.0.1:{one}" for one in ports)
        return self._address

    def control_address(self) -> str:
        """Return where its control interface answers, whatever trouble it makes elsewhere.

        Raises:
            QuickBooksUnavailable: It does not start.
        """
        self.address()
        assert self._control is not None, "known with the address"  # noqa: S101 - narrows the type
        return self._control

    def revive(self) -> bool:
        """Start it again where it listened before if it has died; return whether it had.

        Raises:
            QuickBooksUnavailable: It does not start.
        """
        if self._child is None or self._child.poll() is None:
            return False
        former = [urlsplit(one or "").port or 0 for one in (self._address, self._control)]
        self.close()
        self._start(*former)
        self._address, self._control = (f"http://127.0.0.1:{one}" for one in former)
        return True

    def close(self) -> None:
        """End the process if this command started it."""
        if self._child is not None:
            self._note.unlink(missing_ok=True)
            if self._child.stdin is not None:
                self._child.stdin.close()
            self._child.terminate()
            try:
                self._child.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            if self._child.stdout is not None:
                self._child.stdout.close()
            self._child = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        self._address = self._control = None

    def _running(self) -> tuple[int, int] | None:
        """Return both ports of a simulator another command keeps running on these books."""
        try:
            noted = json.loads(self._note.read_text(encoding="ascii"))
            ports = int(noted["port"]), int(noted["control_port"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return ports if answers(f"http://127.0.0.1:{ports[1]}") else None

    def _start(self, port: int, control_port: int = 0) -> tuple[int, int]:
        self._place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = FileLock(self._place.folder / "simulator.lock")
        waited_ms = 0
        while not self._lock.take():
            # Another command is starting it, or is just ending its own.
            running = self._running()
            if running is not None:
                self._lock = None
                return running
            if waited_ms > START_MS:
                raise QuickBooksUnavailable(detail="the simulator is held by another command")
            self._world.clock.sleep_ms(ASK_EVERY_MS)
            waited_ms += ASK_EVERY_MS
        self._child = subprocess.Popen(  # noqa: S603 - our own module, arguments are ours
            self._command(port, control_port),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_without_secrets(os.environ),  # noqa: TID251 - the child gets it without secrets
            start_new_session=True,  # Ctrl-C is for us: the request in hand must still be answered
        )
        return self._wait_for(self._child.stdout)

    def _command(self, port: int, control_port: int) -> list[str]:
        command = [sys.executable, "-m", "qbo_simulator", "--port", str(port)]
        command += ["--control-port", str(control_port), "--exit-with-parent"]
        command += ["--file", str(self._place.simulator_file)]
        command += ["--clock-scale", str(self._scale)]
        if not self._place.simulator_file.exists() and self._place.seed_file.exists():
            command += ["--seed-file", str(self._place.seed_file)]
        return command

    def _wait_for(self, stdout: IO[bytes] | None) -> tuple[int, int]:
        line = stdout.readline() if stdout is not None else b""
        try:
            told = json.loads(line)
            ports = int(told["port"]), int(told["control_port"])
        except (ValueError, KeyError, TypeError):
            self.close()
            raise QuickBooksUnavailable(detail="the simulator did not start") from None
        note = {"port": ports[0], "control_port": ports[1]}
        self._note.write_text(json.dumps(note), encoding="ascii")
        return ports


def answers(address: str) -> bool:
    """Return whether a simulator listens there."""
    where = urlsplit(address)
    link = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=2)
    try:
        link.request("GET", "/_simulator/state")
        return link.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def approve(address: str) -> str:
    """Return where the simulator sends the browser of somebody who approves.

    Raises:
        QuickBooksUnavailable: The simulator does not answer as a consent page would.
    """
    where = urlsplit(address)
    link = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=10)
    try:
        link.request("GET", f"{where.path}?{where.query}&auto=approve")
        location = link.getresponse().getheader("Location")
    except (OSError, http.client.HTTPException) as away:
        raise QuickBooksUnavailable(detail="the simulator does not answer") from away
    finally:
        link.close()
    if not location:
        raise QuickBooksUnavailable(detail="the simulator did not approve the sign-in")
    return location


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    hidden = ("QUICKBOOKS_", "ENCRYPTION_", "MIS_", "STORE_", "ENGINE_")
    return {name: text for name, text in environment.items() if not name.startswith(hidden)}
