"""One call of the program: how to answer, who to ask, which request it is."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from application.cli.asking import Ask
from application.cli.printing import Screen
from application.logs import Logs
from application.world import Chance, Clock

if TYPE_CHECKING:
    from application.settings import Settings
    from application.wiring import Services

SCHEMA = 1


class Call:
    """What every command has at hand.

    Args:
        ask: How somebody wants to be answered.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.screen = Screen(out=sys.stdout, err=sys.stderr, ask=ask)
        self.clock = Clock()
        self.request_id = Chance().ulid(at=self.clock.now())
        self.command = ""
        self.environment: str | None = None
        self.currency: str | None = None
        self._log_folder = Path("logs")
        self._office: ZoneInfo | None = None
        self.prompts = sys.stdin.isatty() and sys.stderr.isatty() and not ask.yes

    @classmethod
    def of(cls, context: typer.Context) -> "Call":
        """Return the call a command belongs to."""
        call = context.obj
        assert isinstance(call, cls), "the program hands its Call to every command"  # noqa: S101 - narrows the type
        call.command = context.command_path.partition(" ")[2]
        return call

    @contextmanager
    def services(self, *, settings: "Settings | None" = None) -> Iterator["Services"]:
        """Yield the services of this installation.

        Raises:
            Stop: A setting is missing or wrong.
        """
        from application import wiring  # noqa: PLC0415 - `--help` and usage errors need no room

        with wiring.build(settings) as services:
            self.environment = services.environment.value
            self.currency = services.currency
            self._office = services.office
            self._log_folder = services.settings.feebridge_home / services.settings.log_dir
            if services.place.demo and settings is None:
                self.screen.note("No MIS is set: using the demo MIS and the simulator.")
                if not services.place.mis_file.exists():
                    services.make_demo()
            yield services

    def log_fault(self, error: Exception) -> None:
        """Keep where an unexpected error arose in `app.log`, under the request id.

        What it said stays out: it may name a person.
        """
        logs = Logs.open(self._log_folder)
        logs.fault("program.failed", error, request_id=self.request_id)
        logs.close()

    def done(
        self,
        content: object,
        *,
        message: str,
        exit_code: int = 0,
        meta: Mapping[str, object] | None = None,
    ) -> int:
        """Answer a program that asked for JSON, and return the exit code.

        Args:
            content: What the matching endpoint answers under `data`.
            message: One full sentence.
            exit_code: With which number the process ends.
            meta: What goes beside the standing entries of `meta`.
        """
        if self.ask.json:
            self.screen.document(
                {
                    "success": True,
                    "data": content,
                    "message": message,
                    "meta": {**(meta or {}), **self.meta(exit_code=exit_code)},
                }
            )
        return exit_code

    def meta(self, *, exit_code: int) -> dict[str, object]:
        """Return what every JSON answer carries."""
        return {
            "command": self.command,
            "exit_code": exit_code,
            "environment": self.environment,
            "currency": self.currency,
            "request_id": self.request_id,
            "timestamp": self.now(),
            "schema": SCHEMA,
        }

    @property
    def office(self) -> ZoneInfo:
        """The zone times are told in, once that is known."""
        return self._office or ZoneInfo("UTC")

    def now(self) -> datetime:
        """Return the present instant in office time, once that is known."""
        return self.clock.now().astimezone(self._office)
