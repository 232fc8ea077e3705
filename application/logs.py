"""One event = one line in logs/app.log; secrets struck out."""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, Literal, Self

from typing_extensions import override

Level = Literal["debug", "info", "warning", "error"]
Count = Callable[[str, str, Mapping[str, object]], None]  # event, level, facts as they are written

FILE = "app.log"
FILE_BYTES_MAX = 10_000_000
FILES_KEPT = 5
WORD_CHARACTERS_MAX = 120
STRUCK = "***"
_NUMBERS: Final[Mapping[Level, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_LISTED = """
actor adopted attempt attempts batch_size batches bundle claimed conflicts count created edge
entry_id environment epoch error_code exit_code failed found gate generation hash held host
http_status in_flight intent_id intuit_tid invoice_id invoices key_id kind lane library line looks
method milliseconds number of outcome paused_ms peer place port processed quickbooks_code
quickbooks_id realm_tag refused released remaining request_id requests requestid retry_after_s
role route run_id sends setting settled slice step stopped_by successful template total unsettled
until version waited_ms waiting
"""
FIELDS = frozenset(_LISTED.split())  # nothing else is ever written
_EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_WORD = re.compile(r"[A-Za-z0-9_.@/+:*-]*")
# Fields with one shape; what has another may be a path with ids in it, or anybody's text.
_SHAPED = {
    "hash": re.compile(r"[0-9a-f]{64}"),
    "method": re.compile(r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT"),
    "route": re.compile(r"(/([a-z0-9_.-]*[a-z][a-z0-9_.-]*|\{[a-z0-9_:]+\})?)+"),
}
OTHER = "other"
# Their own lines may quote a request, a statement or a token.
LIBRARIES = (
    "asyncio", "authlib", "dbos", "fastapi", "httpcore2", "httpx2", "sqlalchemy", "uvicorn",
    "uvicorn.access", "uvicorn.asgi", "uvicorn.error",
)  # fmt: skip
_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), STRUCK),
    (re.compile(r"eyJ[\w-]{8,}(\.[\w-]*)*"), STRUCK),  # signed or encrypted tokens
    (re.compile(r"gAAAA[\w-]{16,}=*"), STRUCK),  # what Fernet encrypted
    (re.compile(r"\bfb_[\w-]{8,}"), STRUCK),  # our API keys
    (re.compile(r"\b(AB[A-Za-z0-9]{38,}|RT1-[\w-]{8,})"), STRUCK),  # Intuit's ids and tokens
    (re.compile(r"://[^/\s@]+@"), f"://{STRUCK}@"),  # user and password of an address
    (
        # `set` and `not set` are what a list of settings says in place of a secret.
        re.compile(
            r"(?i)\b(code|state|realmid|\w*token|\w*secret|password)="
            r"(?!(?:not )?set\b)[^&\s]+"
        ),
        rf"\1={STRUCK}",
    ),
)
_CONTACTS = (
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), STRUCK),  # e-mail
    (re.compile(r"\+\d[\d ]{7,14}\d|\b(250)?0?7[2389]\d{7}\b"), STRUCK),  # phone
)
# Ids of QuickBooks may look like a phone, but are digits of its own making.
_NEVER_STRUCK = frozenset({"quickbooks_id", "run_id", "invoice_id", "until"})


class LogMisused(Exception):
    """An event or field that may not be logged; raised in tests only.

    Args:
        name: The event or field.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(name)
        self.name = name


def masked(text: str) -> str:
    """Return text without anything shaped like a secret, an e-mail or a phone."""
    text = without_secrets(text)
    for shape, instead in _CONTACTS:
        text = shape.sub(instead, text)
    return text


def without_secrets(text: str) -> str:
    """Return text without anything shaped like a secret, for a page that may name a person."""
    for shape, instead in _SECRETS:
        text = shape.sub(instead, text)
    return text


class Logs:
    """Writes events as JSON lines; a log that cannot be written never stops the work.

    Args:
        logger: Where lines go; not registered, so no library finds it by name.
        level: The least that is written.
        strict: Whether an unknown field raises; else it is dropped.
        foreign: Our handler on the root logger, to be taken away again.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        level: Level,
        strict: bool,
        foreign: logging.Handler | None = None,
    ) -> None:
        self._logger = logger
        self._least = _NUMBERS[level]
        self._strict = strict
        self._foreign = foreign
        self._taken_in: tuple[str, ...] = ()
        self._count: Count | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        level: Level = "info",
        console: bool = False,
        strict: bool = False,
        bytes_max: int = FILE_BYTES_MAX,
    ) -> Self:
        """Return logs that append to `app.log` of a folder, made if it is not there.

        Args:
            folder: LOG_DIR; created for its owner alone.
            level: The least that is written.
            console: Whether lines go to stderr too.
            strict: For tests: an unknown field raises instead of being dropped.
            bytes_max: The size at which a file is put aside; five are kept.
        """
        logger = logging.Logger("feebridge", level=logging.DEBUG)  # noqa: LOG001 - private, no name
        logger.addHandler(_File(folder, bytes_max=bytes_max))
        if console:
            logger.addHandler(logging.StreamHandler(sys.stderr))
        foreign = _Foreign()
        logs = cls(logger, level=level, strict=strict, foreign=foreign)
        foreign.logs = logs
        logging.getLogger().addHandler(foreign)
        return logs

    @classmethod
    def silent(cls) -> Self:
        """Return logs that write nothing and refuse what may not be written; for tests."""
        logger = logging.Logger("feebridge", level=logging.DEBUG)  # noqa: LOG001 - private, no name
        logger.addHandler(logging.NullHandler())
        return cls(logger, level="debug", strict=True)

    def event(self, name: str, /, *, level: Level = "info", **facts: object) -> None:
        """Write one line; call it after the thing is durable.

        Args:
            name: What happened: dotted, past tense.
            level: info happened, warning a person may look, error a person must.
            facts: Ids, counts and machine words by listed names; never a person's own facts.

        Raises:
            LogMisused: In strict logs: the name or a field may not be logged.
        """
        number = _NUMBERS[level]
        if number < self._least:
            return
        name, kept = self._allowed(name, facts)
        if self._count is not None:
            self._count(name, level, kept)
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")  # noqa: TID251 - real time is meant
        line = {"time": now, "level": level, "event": name, **kept}
        self._logger.log(number, json.dumps(line))

    def feed(self, count: Count) -> None:
        """From now on hand over each event that is written, so that it is counted once."""
        self._count = count

    def take_in(self, *libraries: str) -> None:
        """Hear these libraries from warning upwards, through us alone: nothing of them on a screen.

        To be called when they stand, and before they speak: some bring a console of their own.

        Args:
            libraries: Names of their loggers.
        """
        if self._foreign is None:
            return
        for name in libraries:
            library = logging.getLogger(name)
            library.handlers = [self._foreign]
            library.propagate = False
            library.setLevel(logging.WARNING)
        self._taken_in += libraries

    def writable(self) -> bool:
        """Return whether a line would reach the file now."""
        try:
            for handler in self._logger.handlers:
                if isinstance(handler, _File):
                    handler.open_once()
        except OSError:
            return False
        return True

    def fault(self, name: str, error: BaseException, /, **facts: object) -> None:
        """Write where an unexpected error arose; what it said stays out: it may name a person."""
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{one.filename}:{one.lineno} {one.name}" for one in reversed(frames))
        told = f"{type(error).__name__} {where}"
        self.event(name, level="error", **facts, template=told)

    def close(self) -> None:
        """Let go of the file and of the libraries' lines."""
        if self._foreign is not None:
            logging.getLogger().removeHandler(self._foreign)
            for name in self._taken_in:
                library = logging.getLogger(name)
                library.removeHandler(self._foreign)
                library.propagate = True
                library.setLevel(logging.NOTSET)
        for handler in list(self._logger.handlers):
            self._logger.removeHandler(handler)
            handler.close()

    def _allowed(self, name: str, facts: Mapping[str, object]) -> tuple[str, dict[str, object]]:
        """Drop what is not listed, and make each value a plain one."""
        unknown = sorted(set(facts) - FIELDS)
        if self._strict and unknown:
            raise LogMisused(name=unknown[0])
        if _EVENT.fullmatch(name) is None:
            if self._strict:
                raise LogMisused(name=name)
            name = "event.misnamed"
        return name, {key: _plain(key, value) for key, value in facts.items() if key in FIELDS}


def _plain(key: str, value: object) -> object:
    if value is None or isinstance(value, bool) or type(value) is int:
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    text = str(value.value if isinstance(value, Enum) else value)
    if key in _SHAPED:
        fits = len(text) <= WORD_CHARACTERS_MAX and _SHAPED[key].fullmatch(text)
        return text if fits else OTHER
    clean = text if key in _NEVER_STRUCK else masked(text)
    # A fact is a word. Whatever follows the first blank or quote is somebody's prose, and
    # QuickBooks' words may name a person.
    found = _WORD.match(clean[:WORD_CHARACTERS_MAX])
    return found.group().rstrip(":") if found and key != "template" else clean


class _File(RotatingFileHandler):
    """The file: for its owner alone, bounded, and never a reason to stop.

    Args:
        folder: Where it stands.
        bytes_max: The size at which it is put aside.
    """

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        self._told = False
        super().__init__(
            folder / FILE,
            maxBytes=bytes_max,
            backupCount=FILES_KEPT,
            encoding="utf-8",
            delay=True,
        )

    def open_once(self) -> None:
        """Open the file and let it go again."""
        self._open().close()

    @override
    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return TextIOWrapper(os.fdopen(os.open(path, flags, 0o600), "ab"), encoding="utf-8")

    @override
    def doRollover(self) -> None:
        try:
            super().doRollover()
        except OSError:
            # Another process holds the file (Windows). It grows until a later try succeeds,
            # and the line at hand is not lost.
            self.stream = self._open()

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        """Say once, on stderr, that there is no log; the work goes on."""
        del record
        if self._told:
            return
        self._told = True
        try:
            sys.stderr.write(f"The log {self.baseFilename} cannot be written; going on without.\n")
        except (OSError, ValueError):
            return  # stderr is closed too; nobody is left to tell

    @override
    def close(self) -> None:
        try:
            super().close()
        except OSError:
            self.stream = None  # what the disk did not take is lost with it


class _Foreign(logging.Handler):
    """Takes in libraries' warnings: which library, and its words without the values."""

    logs: Logs

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        # The template is the library's own text; the arguments may be anybody's data.
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        facts: Mapping[str, object] = {
            "library": record.name,
            "line": record.lineno,
            "template": template if record.args else type(record.msg).__name__,
        }
        self.logs.event("library.warned", level="warning", **facts)
