"""main(): `feebridge` and the tool start here; standard library only, until packages are found."""

import gc
import importlib.util
import os
import sys
from pathlib import Path

EXIT_CONFIG = 9
NEEDED = ("typer", "pydantic_settings", "sqlalchemy")
MISSING = """Error: This Python has no packages of Feebridge, so nothing was done.
  Why   {python} lacks {missing}, and {checkout} has no usable .venv.
  Do    Run `make demo` or `make install` first, in {checkout}.
  Code  config_invalid"""


def main() -> int:
    """Run one command line and return its exit code."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return _elsewhere(missing)
    # What is loaded now stays to the end: looking through it for garbage takes a tenth of a start.
    gc.disable()
    from application.cli.commands import run  # noqa: PLC0415 - only now are our packages there

    gc.freeze()
    gc.enable()
    try:
        return run(sys.argv[1:])
    finally:
        # Nor is anything worth freeing now: the process ends.
        gc.freeze()


def _elsewhere(missing: list[str]) -> int:
    """Start again under the checkout's own Python, once; or say how to make it."""
    checkout = Path(__file__).resolve().parents[2]
    python = checkout / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    # sys.prefix, not the executable: a virtual environment's python is a link to the same file.
    already = Path(sys.prefix).resolve() == (checkout / ".venv").resolve()
    if already or not python.exists():
        sys.stderr.write(
            MISSING.format(python=sys.executable, missing=", ".join(missing), checkout=checkout)
            + "\n"
        )
        return EXIT_CONFIG
    words = [str(python), str(checkout / "tools" / "sync_invoices.py"), *sys.argv[1:]]
    if os.name == "nt":
        # Windows' exec returns to the prompt while the new process still runs.
        return os.spawnv(os.P_WAIT, words[0], words)  # noqa: S606 - our own Python, no shell
    sys.stdout.flush()
    return os.execv(words[0], words)  # noqa: S606 - our own Python, no shell
