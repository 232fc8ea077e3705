"""The door: signing in with name and password, and out again."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from application.services.access import TooMany
from application.services.people import LIFE
from application.services.reports import Actor
from application.web.forms import Problem, missing
from application.web.rendering import page
from application.web.visit import HOME, Here, Visit, own_path

router = APIRouter(include_in_schema=False)
Next = Annotated[str, Query(alias="next", max_length=2_000)]


@router.get("/login")
def ask(visit: Here, after: Next = HOME) -> Response:
    """Ask who it is; who is known already, or need not sign in, goes on."""
    if visit.visitor.signed_in or visit.services.access.is_open():
        return visit.go(own_path(after))
    return _asked(visit, after=own_path(after))


@router.post("/login")
def sign_in(visit: Here) -> Response:
    """Let somebody in."""
    after = own_path(visit.field("next"))
    problems = missing(visit, name="login.name.missing", password="login.password.missing")  # noqa: S106 - keys of texts
    if problems:
        return _asked(visit, after=after, problems=problems, status=422)
    password = next(text for key, text in visit.form if key == "password")
    by = visit.services.actor("dashboard", name=visit.field("name")[:100], address=visit.peer)
    try:
        secret = visit.services.people.sign_in(visit.field("name"), password, by=by)
    except TooMany as many:
        minutes = -(-int(str(many.facts["retry_after_s"])) // 60)
        text = visit.text("login.too_many", count=minutes)
        return _asked(visit, after=after, problems=[Problem("name", text)], status=429)
    if secret is None:
        wrong = Problem("name", visit.text("login.wrong"))
        return _asked(visit, after=after, problems=[wrong], status=422)
    return _signed_in(visit, secret, after=after)


def _asked(
    visit: Visit, *, after: str, problems: list[Problem] | None = None, status: int = 200
) -> Response:
    return page(
        visit,
        "login.html",
        status=status,
        problems=problems or (),
        after=after,
        name=visit.field("name"),
    )


def _signed_in(visit: Visit, secret: str, *, after: str) -> Response:
    answer = visit.go(after)
    if visit.browser is not None:
        answer.set_cookie(
            visit.browser.session_name,
            secret,
            max_age=int(LIFE.total_seconds()),
            path="/",
            secure=visit.browser.secure,
            httponly=True,
            samesite="lax",  # Strict would drop it on the way back from QuickBooks
        )
    return answer


@router.post("/logout")
def sign_out(visit: Here) -> Response:
    """Let somebody out: the session ends here, not only in the browser."""
    answer = visit.go("/login", say="login.out")
    browser = visit.browser
    if browser is not None and browser.session is not None:
        by: Actor = visit.by
        visit.services.people.sign_out(browser.session, by=by)
        answer.delete_cookie(browser.session_name, path="/", secure=browser.secure)
    return answer
