"""Processes of our program that start at once: a Popen whose child comes from `tests.nursery`.

Loading the program took most of the time of the walks. A child from there is the same in all that
a walk can see: own process, streams, environment, folder, signals, exit code. Where that cannot be
had (another system, another Python, an output that is not UTF-8), it is a plain Popen.
"""

import atexit
import inspect
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, AnyStr, Final

from tests.nursery import CLONE, LENGTH_BYTES

ROOT: Final = Path(__file__).resolve().parents[1]
SLOW: Final = "FEEBRIDGE_TESTS_PLAIN_START"
# What a child cannot take on after its Python has begun.
EARLY: Final = ("PYTHONWARNINGS", "PYTHONUTF8", "PYTHONMALLOC", "PYTHONHASHSEED", "LC_ALL", "LANG")
_lock = Lock()
_door: socket.socket | None = None


class Quick(subprocess.Popen[AnyStr]):
    """A Popen for `[sys.executable, script or -m module, words...]`."""

    def _execute_child(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - Popen's own
        plain: Callable[..., None] = super()._execute_child  # type: ignore[misc]  # Popen's own seam
        bound = inspect.signature(plain).bind(*given, **named).arguments
        if not _can_be_had(bound):
            plain(*given, **named)
            return
        streams = [bound["p2cread"], bound["c2pwrite"], bound["errwrite"]]
        self.pid = _born(
            {
                "words": [os.fspath(one) for one in bound["args"][1:]],
                "environment": dict(os.environ if bound["env"] is None else bound["env"]),  # noqa: TID251 - as Popen hands it on
                "folder": os.fspath(bound["cwd"]) if bound["cwd"] is not None else None,
            },
            streams=[place if one == -1 else one for place, one in enumerate(streams)],
        )
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        close: Callable[..., None] = self._close_pipe_fds  # type: ignore[attr-defined]  # as above
        close(*(bound[one] for one in ends))


def run(
    words: list[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    fed: bytes | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Run one process to its end, as subprocess.run does; what it says is kept."""
    child: subprocess.Popen[bytes] = Quick(
        words,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if fed is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        try:
            out, err = child.communicate(fed, timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
    return subprocess.CompletedProcess(words, child.returncode, out, err)


def _can_be_had(bound: dict[str, Any]) -> bool:
    args, env = bound["args"], bound["env"]
    here = os.environ  # noqa: TID251 - what this Python began with
    return (
        sys.platform == "linux"
        and platform.machine() in CLONE
        and SLOW not in {**here, **(env or {})}
        and isinstance(args, list)
        and args[0] == sys.executable
        and not bound["start_new_session"]
        and bound["preexec_fn"] is None
        and not bound["pass_fds"]
        and (args[1] == "-m" or str(args[1]).endswith(".py"))
        and (env or {}).get("PYTHONIOENCODING", "utf-8") == "utf-8"
        and (env is None or all(env.get(one) == here.get(one) for one in EARLY))
    )


def _born(wanted: dict[str, Any], *, streams: list[int]) -> int:
    text = json.dumps(wanted).encode()
    with _lock:
        door = _nursery()
        socket.send_fds(door, [len(text).to_bytes(LENGTH_BYTES, "big") + text[:4096]], streams)
        door.sendall(text[4096:])
        answer = door.recv(LENGTH_BYTES)
    assert answer, "the nursery is gone"
    return int.from_bytes(answer, "big")


def _nursery() -> socket.socket:
    global _door  # noqa: PLW0603 - one for each worker, made when first needed
    if _door is None:
        ours, theirs = socket.socketpair()
        child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "tests.nursery", str(theirs.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},  # noqa: TID251 - handed on
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        atexit.register(child.wait)
        atexit.register(ours.close)
        _door = ours
    return _door
