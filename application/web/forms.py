"""Forms in error: what is wrong with which field, and the page shown once more with all of it."""

from dataclasses import dataclass

from application.catalogue import Stop, explain
from application.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a form.

    Args:
        field: Name of the field, which is also its id on the page; "" where it is none's.
        text: What to do about it, in words.
    """

    field: str
    text: str


def problem_of(stop: Stop, *, field: str = "") -> Problem:
    """Return a condition as a problem of a form.

    Args:
        stop: What was raised.
        field: Which field it concerns; that of the condition where it names one.
    """
    told = explain(stop.cause, stop.facts)
    named = stop.facts.get("field")
    if isinstance(named, str) and not field:
        return Problem(named, f"{told.title}: {stop.facts.get('problem')}")
    return Problem(field, f"{told.why} {told.remedy}")


def missing(visit: Visit, **needed: str) -> list[Problem]:
    """Return a problem for each field that is empty.

    Args:
        visit: With the form.
        needed: Key of what is said, by the name of the field.
    """
    return [Problem(name, visit.text(key)) for name, key in needed.items() if not visit.field(name)]
