"""Settings, Schedule: days or a cron line, a window, how much a night; paused and resumed."""

from collections.abc import Iterable, Mapping
from typing import Final

from fastapi import APIRouter, Response

from application.catalogue import Stop
from application.services.schedule import DAYS, ScheduleWrong, of_shape, shape_of
from application.web.facts import environment_settings
from application.web.forms import Problem, problem_of
from application.web.rendering import page
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
HOME: Final = "/settings/schedule"
CRON: Final = "cron"
DAYS_FORM: Final = "days"
NUMBERS: Final = ("batch_size", "max_batches")
DIGITS_MOST: Final = 9


@router.get("/settings/schedule")
def schedule(visit: Here) -> Response:
    """Show when runs start by themselves."""
    return _shown(visit, entered=_kept(visit))


@router.post("/settings/schedule")
def save(visit: Here) -> Response:
    """Set when runs start by themselves."""
    timetable = visit.services.schedule
    now = timetable.get()
    try:
        terms = of_shape({**_asked(visit), "enabled": now is None or now.enabled})
        timetable.save(terms, by=visit.by)
    except ScheduleWrong as wrong:
        return _shown(visit, entered=_entered(visit), problems=[_problem(visit, wrong)])
    return visit.go(HOME, say="settings.schedule.saved")


@router.post("/settings/schedule/pause")
def pause(visit: Here) -> Response:
    """Start no run until the schedule is resumed; a run at work goes on."""
    try:
        visit.services.schedule.pause(by=visit.by)
    except Stop as stop:
        return _shown(visit, entered=_kept(visit), problems=[problem_of(stop)])
    return visit.go(HOME, say="settings.schedule.paused")


@router.post("/settings/schedule/resume")
def resume(visit: Here) -> Response:
    """Start runs again."""
    try:
        visit.services.schedule.resume(by=visit.by)
    except Stop as stop:
        return _shown(visit, entered=_kept(visit), problems=[problem_of(stop)])
    return visit.go(HOME, say="settings.schedule.resumed")


def _shown(
    visit: Visit, *, entered: Mapping[str, object], problems: Iterable[Problem] = ()
) -> Response:
    timetable = visit.services.schedule
    return page(
        visit,
        "settings_schedule.html",
        status=422 if problems else 200,
        problems=list(problems),
        schedule=timetable.get(),
        next_run_at=timetable.next_run_at(),
        entered=entered,
        days=DAYS,
        zone=visit.services.settings.time_zone,
        batch_size=visit.services.settings.batch_size,
        env=environment_settings(visit, "TIME_ZONE", "BATCH_SIZE"),
    )


def _kept(visit: Visit) -> Mapping[str, object]:
    """Return the fields of the form as the schedule stands; before one is set, a night."""
    now = visit.services.schedule.get()
    shape = shape_of(now, None)
    if now is None:
        shape.update({"days": list(DAYS), "from": "20:00", "to": "06:00"})
    by_days = shape["days"] is not None
    return {
        **{name: "" if text is None else text for name, text in shape.items()},
        "when": DAYS_FORM if by_days else CRON,
        "days": shape["days"] or [],
        "cron": "" if by_days else shape["cron"],
    }


def _entered(visit: Visit) -> Mapping[str, object]:
    names = ("when", "from", "to", "cron", *NUMBERS)
    return {**{name: visit.field(name) for name in names}, "days": visit.fields("days")}


def _asked(visit: Visit) -> dict[str, object]:
    """Return what the form asks for, as every door says it."""
    numbers = {name: _number(visit.field(name)) for name in NUMBERS}
    window = {"from": visit.field("from") or None, "to": visit.field("to") or None}
    if visit.field("when") == CRON:
        return {**numbers, **window, "cron": visit.field("cron")}
    return {**numbers, **window, "days": visit.fields("days")}


def _number(text: str) -> object:
    """Return a number where there is one; anything else goes on as it is, and is refused there."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MOST else text


def _problem(visit: Visit, wrong: ScheduleWrong) -> Problem:
    field = str(wrong.facts["field"])
    if field == CRON and visit.field("when") != CRON:
        field = "from" if not visit.field("from") else field
    said = str(wrong.facts["problem"])
    if field in NUMBERS:
        said = said.replace(field, visit.text(f"settings.schedule.{field}"))
    return Problem(field, said[:1].upper() + said[1:])
