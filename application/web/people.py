"""Settings, People: who signs in to the pages, with which role; added, changed, removed."""

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from application.catalogue import NotFound, Stop
from application.services.people import PASSWORD_LEAST, PASSWORD_MOST, PersonWrong
from application.services.roles import Role
from application.web.forms import Problem, missing
from application.web.rendering import page
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
HOME: Final = "/settings/people"
PersonId = Annotated[int, Path(ge=1, le=2**63 - 1)]
ROLES: Final = tuple(one.value for one in Role)


@router.get("/settings/people")
def people(visit: Here) -> Response:
    """List who may sign in."""
    return _listed(visit)


@router.post("/settings/people")
def add(visit: Here) -> Response:
    """Let somebody sign in; after the first one everybody has to."""
    first = not visit.services.people.all()
    problems = missing(visit, name="settings.people.name.missing")
    if visit.field("role") not in ROLES:
        problems.append(Problem("role", visit.text("settings.people.role.missing")))
    if first and visit.field("role") != Role.ADMIN.value:
        problems.append(Problem("role", visit.text("settings.people.first")))
    if problems:
        return _listed(visit, problems=problems)
    try:
        person = visit.services.people.add(
            visit.field("name"),
            role=Role(visit.field("role")),
            password=_password(visit),
            by=visit.by,
        )
    except PersonWrong as wrong:
        return _listed(visit, problems=[_problem(visit, wrong)])
    visit.services.access.look_again()
    return visit.go(HOME, say="settings.people.added", name=person.name)


@router.get("/settings/people/{person_id}")
def person(visit: Here, person_id: PersonId) -> Response:
    """Show one person, and what may be changed."""
    return _one(visit, _named(visit, person_id))


@router.post("/settings/people/{person_id}/role")
def change_role(visit: Here, person_id: PersonId) -> Response:
    """Give somebody another role."""
    name = _named(visit, person_id)
    if visit.field("role") not in ROLES:
        return _one(
            visit, name, problems=[Problem("role", visit.text("settings.people.role.missing"))]
        )
    try:
        visit.services.people.change_role(name, role=Role(visit.field("role")), by=visit.by)
    except Stop as stop:
        return _refused(visit, stop, name=name)
    return visit.go(HOME, say="settings.people.changed", name=name)


@router.post("/settings/people/{person_id}/password")
def change_password(visit: Here, person_id: PersonId) -> Response:
    """Give somebody another password; they have to sign in again everywhere."""
    name = _named(visit, person_id)
    try:
        visit.services.people.change_password(name, password=_password(visit), by=visit.by)
    except PersonWrong as wrong:
        return _one(visit, name, problems=[_problem(visit, wrong)])
    return visit.go(HOME, say="settings.people.password_changed", name=name)


@router.post("/settings/people/{person_id}/remove")
def remove(visit: Here, person_id: PersonId) -> Response:
    """Let somebody sign in no more."""
    name = _named(visit, person_id)
    if not visit.field("sure"):
        return page(
            visit,
            "confirm.html",
            title=visit.text("settings.people.remove.title", name=name),
            lines=[
                visit.text("settings.people.remove.out"),
                visit.text("settings.people.remove.kept"),
            ],
            action=f"{HOME}/{person_id}/remove",
            label=visit.text("settings.people.remove"),
            fields={"sure": "yes"},
            back=HOME,
            kind="danger",
        )
    try:
        visit.services.people.remove(name, by=visit.by)
    except Stop as stop:
        return _refused(visit, stop, name=name)
    visit.services.access.look_again()
    return visit.go(HOME, say="settings.people.removed", name=name)


def _named(visit: Visit, person_id: int) -> str:
    """Return the name of a person.

    Raises:
        NotFound: There is nobody of that number.
    """
    for one in visit.services.people.all():
        if one.id == person_id:
            return one.name
    raise NotFound(what=f"person {person_id}")


def _password(visit: Visit) -> str:
    """Return a password as it was typed: blanks at its ends belong to it."""
    return next((text for key, text in visit.form if key == "password"), "")


def _problem(visit: Visit, wrong: PersonWrong) -> Problem:
    field = str(wrong.facts["field"])
    if field == "password":
        text = visit.text(
            "settings.people.password.wrong", least=PASSWORD_LEAST, most=PASSWORD_MOST
        )
        return Problem(field, text)
    said = str(wrong.facts["problem"])
    return Problem(field, said[:1].upper() + said[1:])


def _refused(visit: Visit, stop: Stop, *, name: str) -> Response:
    """Return the person's page with why something was not done."""
    if stop.cause != "state_conflict":
        raise stop
    return _one(visit, name, problems=[Problem("", visit.text("settings.people.last_admin"))])


def _listed(visit: Visit, *, problems: Iterable[Problem] = ()) -> Response:
    everybody = visit.services.people.all()
    return page(
        visit,
        "settings_people.html",
        status=422 if problems else 200,
        problems=list(problems),
        everybody=everybody,
        roles=ROLES if everybody else (Role.ADMIN.value,),
        least=PASSWORD_LEAST,
        name=visit.field("name"),
        role=visit.field("role"),
    )


def _one(visit: Visit, name: str, *, problems: Iterable[Problem] = ()) -> Response:
    everybody = visit.services.people.all()
    found = next(one for one in everybody if one.name == name)
    return page(
        visit,
        "settings_person.html",
        status=422 if problems else 200,
        problems=list(problems),
        person=found,
        last_admin=[one.name for one in everybody if one.role == Role.ADMIN] == [name],
        roles=ROLES,
        least=PASSWORD_LEAST,
    )
