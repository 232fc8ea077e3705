"""Settings, API keys: what opens the REST interface for programs; made, shown once, revoked."""

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from application.services.access import KeyWrong
from application.services.roles import Role
from application.web.forms import Problem, missing
from application.web.rendering import page
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
HOME: Final = "/settings/keys"
ROLES: Final = tuple(one.value for one in Role)
KeyId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/settings/keys")
def keys(visit: Here) -> Response:
    """List every key there ever was."""
    return _listed(visit)


@router.post("/settings/keys")
def make(visit: Here) -> Response:
    """Make a key. The answer alone shows it: it is kept nowhere, so no other page can."""
    problems = missing(visit, name="settings.keys.name.missing")
    if visit.field("role") not in ROLES:
        problems.append(Problem("role", visit.text("settings.people.role.missing")))
    if not visit.services.people.all():
        problems = [Problem("", visit.text("settings.keys.nobody"))]
    if problems:
        return _listed(visit, problems=problems)
    try:
        key, text = visit.services.access.create(
            visit.field("name"), role=Role(visit.field("role")), by=visit.by
        )
    except KeyWrong as wrong:
        said = str(wrong.facts["problem"])
        return _listed(visit, problems=[Problem("name", said[:1].upper() + said[1:])])
    return page(visit, "settings_key.html", key=key, opens=text)


@router.post("/settings/keys/{key_id}/revoke")
def revoke(visit: Here, key_id: KeyId) -> Response:
    """Let a key open nothing any more."""
    key = next((one for one in visit.services.access.all() if one.id == key_id), None)
    if key is None:
        return visit.go(HOME)
    if not visit.field("sure"):
        return page(
            visit,
            "confirm.html",
            title=visit.text("settings.keys.revoke.title", name=key.name),
            lines=[
                visit.text("settings.keys.revoke.once"),
                visit.text("settings.keys.revoke.kept"),
            ],
            action=f"{HOME}/{key_id}/revoke",
            label=visit.text("settings.keys.revoke"),
            fields={"sure": "yes"},
            back=HOME,
            kind="danger",
        )
    visit.services.access.revoke(key_id, by=visit.by)
    return visit.go(HOME, say="settings.keys.revoked", name=key.name)


def _listed(visit: Visit, *, problems: Iterable[Problem] = ()) -> Response:
    return page(
        visit,
        "settings_keys.html",
        status=422 if problems else 200,
        problems=list(problems),
        keys=list(reversed(visit.services.access.all())),
        nobody=not visit.services.people.all(),
        roles=ROLES,
        name=visit.field("name"),
        role=visit.field("role"),
    )
