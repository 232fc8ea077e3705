"""doctor: every check with its fix, and the file that goes to whoever helps."""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from application import __version__
from application.catalogue import printable
from application.cli import failures
from application.cli.call import Call
from application.cli.printing import counted

if TYPE_CHECKING:
    from application.services.checks import Check
    from application.wiring import Services

EXIT_FOUND: Final = 8
LOG_LINES: Final = 200
SECRET: Final = ("url", "uri", "secret", "keys", "client_id")


def doctor(call: Call, *, bundle: Path | None) -> int:
    """Run every check, and write the file for whoever helps."""
    with call.services() as services:
        checks = services.checks.all()
        for one in checks:
            _say_check(call, check=one)
        problems = sum(one.result == "fail" for one in checks)
        advice = sum(one.result == "warn" for one in checks)
        message = f"{counted(problems, 'problem')}, {advice} advice."
        call.screen.say(message)
        if bundle is not None:
            _write(bundle, text=_bundle(services, checks=checks), call=call)
        return call.done(
            {
                "checks": [
                    {
                        "name": one.name,
                        "result": one.result,
                        "text": one.text,
                        "remedy": one.remedy,
                        "error_code": one.cause,
                    }
                    for one in checks
                ],
                "problems": problems,
                "advice": advice,
            },
            message=message,
            exit_code=EXIT_FOUND if problems else 0,
        )


def _say_check(call: Call, *, check: "Check") -> None:
    call.screen.say(f"[{check.result}] {printable(check.name)}: {printable(check.text)}")
    if check.remedy and check.result != "ok":
        for line in check.remedy.splitlines():
            call.screen.say(f"       Do:  {line}")


# -- the file -------------------------------------------------------------------------------------


def _write(file: Path, *, text: str, call: Call) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise failures.Usage(
            option="--bundle", problem="cannot be written", got=wrong.strerror or str(file)
        ) from wrong
    call.screen.note(
        f"Wrote {printable(str(file))}. It holds no student data; look before sending."
    )


def _bundle(services: "Services", *, checks: Sequence["Check"]) -> str:
    return "\n".join(
        [
            f"Feebridge {__version__}, Python {platform.python_version()}, {platform.platform()}",
            "",
            *(f"[{one.result}] {one.name}: {one.text}" for one in checks),
            "",
            *_settings(services),
            "",
            *_log(services),
            "",
        ]
    )


def _settings(services: "Services") -> Iterator[str]:
    """Yield each setting; what might hold a secret only as set or not set."""
    for name, value in services.settings.model_dump().items():
        hidden = any(word in name for word in SECRET)
        shown = ("set" if value else "not set") if hidden else value
        yield f"{name.upper()}={shown}"


def _log(services: "Services") -> Iterator[str]:
    """Yield the newest lines of the log, which holds no secrets by its own rules."""
    file = services.settings.feebridge_home / services.settings.log_dir / "app.log"
    if file.exists():
        yield from file.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
