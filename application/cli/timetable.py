"""When runs start by themselves: shown, set, paused."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from application.cli.call import Call
from application.cli.printing import moment, number
from application.services.schedule import of_shape, shape_of

if TYPE_CHECKING:
    from application.services.schedule import Schedule
    from application.wiring import Services

NEXT: Final = "feebridge schedule set --days mon,tue,wed,thu,fri --from 20:00 --to 06:00"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked to be changed; None leaves it as it is."""

    cron: str | None = None
    days: str | None = None
    starts: str | None = None
    ends: str | None = None  # empty: no end
    batch_size: int | None = None  # 0: the setting's own
    max_batches: int | None = None  # 0: no limit


def show(call: Call) -> int:
    """Show the schedule and its next start."""
    with call.services() as services:
        schedule = services.schedule.get()
        if schedule is not None:
            return _told(call, services=services, schedule=schedule)
        message = "No schedule is set: runs start when somebody asks."
        call.screen.say(message)
        call.screen.next(NEXT)
        return call.done(shape_of(None, None), message=message)


def change(call: Call, *, wanted: Wanted) -> int:
    """Set the schedule; what is not named stays as it is."""
    with call.services() as services:
        present = shape_of(services.schedule.get(), None)
        terms = of_shape(_changed(present, wanted=wanted))
        schedule = services.schedule.save(terms, by=services.actor("cli"))
        return _told(call, services=services, schedule=schedule)


def pause(call: Call) -> int:
    """Let no run start by itself."""
    with call.services() as services:
        schedule = services.schedule.pause(by=services.actor("cli"))
        return _told(call, services=services, schedule=schedule)


def resume(call: Call) -> int:
    """Let runs start by themselves again."""
    with call.services() as services:
        schedule = services.schedule.resume(by=services.actor("cli"))
        return _told(call, services=services, schedule=schedule)


def _changed(present: dict[str, object], *, wanted: Wanted) -> dict[str, object]:
    """Return the present schedule with the changes somebody asked for."""
    shape = dict(present)
    if present["cron"] is None:
        shape["enabled"] = True  # the first one is meant to run
    if wanted.cron is not None:
        kept = present["from"] if present["to"] else None
        shape |= {"cron": wanted.cron, "days": None, "from": wanted.starts or kept}
    elif wanted.days is not None or wanted.starts is not None:
        shape |= {"cron": None, "from": wanted.starts or present["from"]}
    if wanted.days is not None:
        shape["days"] = [word.strip().lower() for word in wanted.days.split(",")]
    _end(shape, wanted=wanted)
    for name, count in (("batch_size", wanted.batch_size), ("max_batches", wanted.max_batches)):
        if count is not None:
            shape[name] = count or None
    return shape


def _end(shape: dict[str, object], *, wanted: Wanted) -> None:
    """Set the window's end, or take it off; a cron expression without an end has no window."""
    if wanted.ends is None:
        return
    shape["to"] = wanted.ends or None
    if not wanted.ends and shape["days"] is None and wanted.starts is None:
        shape["from"] = None


def _told(call: Call, *, services: "Services", schedule: "Schedule") -> int:
    next_at = services.schedule.next_run_at()
    shape = shape_of(schedule, next_at)
    message = "The schedule is paused."
    if next_at is not None:
        shown = moment(next_at, office=services.office, now=call.clock.now())
        message = f"The next run starts {shown}."
    for line in (message, _starts(shape), _amount(schedule)):
        call.screen.say(line)
    return call.done(shape, message=message)


def _starts(shape: dict[str, object]) -> str:
    days, begins, ends = shape["days"], shape["from"], shape["to"]
    if isinstance(days, list):
        end = "goes on until it is done" if ends is None else f"ends by {ends}"
        return f"A run starts {', '.join(days)} at {begins} and {end}."
    window = "" if ends is None else f", between {begins} and {ends}"
    return f"A run starts by the cron line {shape['cron']}{window}."


def _amount(schedule: "Schedule") -> str:
    size = "BATCH_SIZE" if schedule.batch_size is None else number(schedule.batch_size)
    most = schedule.max_batches
    limit = "" if most is None else f", at most {number(most)} of them in a run"
    return f"Batches of {size}{limit}."
