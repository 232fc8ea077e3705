"""doctor: every check with its fix, and the file that goes to whoever helps."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from application.catalogue import printable
from application.cli import failures
from application.cli.call import Call
from application.shown.support import PACKED, support_text
from application.shown.texts import counted

if TYPE_CHECKING:
    from application.services.looks import Check

EXIT_FOUND: Final = 8


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
            chosen = services.settings
            text = support_text(
                checks=checks,
                settings=chosen.model_dump(),
                log=chosen.feebridge_home / chosen.log_dir / "app.log",
            )
            _write(bundle, text=text, call=call)
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
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
    except OSError as wrong:
        raise failures.Usage(
            option="--bundle", problem="cannot be written", got=wrong.strerror or str(file)
        ) from wrong
    call.screen.note(f"Wrote {printable(str(file))}: {PACKED}")
    call.screen.note("It holds no student data; look before sending.")
