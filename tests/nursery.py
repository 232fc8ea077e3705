"""The other end of `tests.quick`: has the program loaded, and becomes whatever it is asked to be.

python -m tests.nursery DESCRIPTOR

Each child is a sibling, made by clone(CLONE_PARENT): the test that asked for it is its parent, and
waits for it, signals it and kills it as it would one it had started by itself.
"""

import atexit
import ctypes
import gc
import json
import os
import platform
import runpy
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

LOADED: Final = (
    "application.app",
    "application.cli.commands",
    "application.cli.demo",
    "application.cli.looking",
    "application.cli.sending",
    "application.cli.serving",
    "application.cli.upkeep",
    "application.mis.demo",
    "application.reception",
    "application.serving",
    "application.verify.verifier",
    "application.workshop",
    "qbo_simulator.app",
)
LENGTH_BYTES: Final = 8
CLONE_PARENT: Final = 0x8000
CLONE: Final = {"x86_64": 56, "aarch64": 220}
_system = ctypes.PyDLL(None)


def main() -> None:
    """Load the program, then make a child for each request until nobody asks any more."""
    door = socket.socket(fileno=int(sys.argv[1]))
    for name in LOADED:
        __import__(name)
    gc.collect()
    gc.freeze()
    while True:
        asked = _asked(door)
        if asked is None:
            return
        wanted, streams = asked
        child = _sibling()
        if child == 0:
            door.close()
            _be(wanted, streams=streams)
        for one in streams:
            os.close(one)
        door.sendall(child.to_bytes(LENGTH_BYTES, "big"))


def _asked(door: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    begun, streams, _, _ = socket.recv_fds(door, 65_536, 3)
    if not begun:
        return None
    length = int.from_bytes(begun[:LENGTH_BYTES], "big")
    text = begun[LENGTH_BYTES:]
    while len(text) < length:
        text += door.recv(length - len(text))
    return json.loads(text), streams


def _sibling() -> int:
    """Do what os.fork does, but for our parent."""
    call = _system.syscall
    call.restype = ctypes.c_long
    call.argtypes = [ctypes.c_long] * 6
    number = CLONE[platform.machine()]
    ctypes.pythonapi.PyOS_BeforeFork()
    child = int(call(number, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))
    if child == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    assert child >= 0, ctypes.get_errno()
    return child


def _be(wanted: Mapping[str, Any], *, streams: list[int]) -> None:
    """Be the process that was asked for, to its end."""
    code = 1
    try:
        _dress(wanted, streams=streams)
        code = _run(wanted["words"])
    except BaseException:  # noqa: BLE001 - what Python itself does with what nobody caught
        traceback.print_exc()
    finally:
        with suppress(BaseException):  # it ends in any case, with the code it has earned
            threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as Python does at its end
            atexit._run_exitfuncs()  # noqa: SLF001 - as above
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _dress(wanted: Mapping[str, Any], *, streams: list[int]) -> None:
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
    os.closerange(3, 256)
    os.environ.clear()  # noqa: TID251 - the child's environment is that of the request
    os.environ.update(wanted["environment"])  # noqa: TID251 - as above
    if wanted["folder"]:
        os.chdir(wanted["folder"])
    sys.stdin = _stream(0, "r")
    sys.stdout = _stream(1, "w")
    sys.stderr = _stream(2, "w", errors="backslashreplace", buffering=1)


def _stream(place: int, mode: str, **more: Any) -> Any:  # noqa: ANN401 - as open
    return open(place, mode, encoding="utf-8", closefd=False, **more)


def _run(words: list[str]) -> int:
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            sys.path.insert(0, os.path.dirname(words[0]))  # noqa: PTH120 - as Python itself does
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return 0


if __name__ == "__main__":
    main()
