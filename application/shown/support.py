"""The file for whoever helps: versions, checks, settings, newest lines of the log; no secret."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from application import __version__
from application.logs import masked
from application.services.looks import Check
from application.shown.settings import settings_shown

LOG_LINES: Final = 200
LIBRARIES: Final = ("dbos", "fastapi", "httpx2", "pydantic", "pymysql", "psycopg", "sqlalchemy")
PACKED: Final = (
    f"versions, checks, settings (secrets as set or not set), {LOG_LINES} lines of app.log."
)


def support_text(*, checks: Sequence[Check], settings: Mapping[str, object], log: Path) -> str:
    """Return what the file holds; it passes the same filter as the log.

    Args:
        checks: As last made.
        settings: By field.
        log: `app.log`.
    """
    lines = [
        f"Packed: {PACKED}",
        "Left out: store, keys, .env, and whatever names a student.",
        "",
        *_versions(),
        "",
        *(f"[{one.result}] {one.name}: {one.text}" for one in checks),
        "",
        *_settings(settings),
        "",
        *_newest(log),
        "",
    ]
    return "".join(masked(line) for line in "\n".join(lines).splitlines(keepends=True))


def _versions() -> Iterator[str]:
    yield f"Feebridge {__version__}, Python {platform.python_version()}, {platform.platform()}"
    for name in LIBRARIES:
        yield f"{name} {version(name)}"


def _settings(settings: Mapping[str, object]) -> Iterator[str]:
    for one in settings_shown(settings, about={}):
        shown = one.value if one.value is not None else ("set" if one.is_set else "not set")
        yield f"{one.name}={shown}"


def _newest(log: Path) -> Iterator[str]:
    """Yield the newest lines of the log, which holds no secrets by its own rules."""
    if log.exists():
        yield from log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
