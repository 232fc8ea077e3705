"""Connection: signing in to QuickBooks and out, the company, its checks, another company bound."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from application.catalogue import Stop
from application.services.company import ConnectionState
from application.services.signing_in import COOKIE, COOKIE_PATH, SIGN_IN_S, SignInRefused, Why
from application.web.facts import known
from application.web.forms import Problem, missing, problem_of
from application.web.rendering import page
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
HOME: Final = "/connection"
CAUSES: Final = (
    "authentication_failed",
    "company_mismatch",
    "quickbooks_unavailable",
    "wrong_environment",
)
# How a sign-in may have ended without a connection; each has words of its own.
ENDS: Final = frozenset({*(one.value for one in Why), *CAUSES})
Ended = Annotated[str, Query(max_length=40)]


@router.get("/connection")
def connection(visit: Here, ended: Ended = "") -> Response:
    """Show what is known of the connection, and how the last sign-in ended."""
    return _shown(visit, ended=ended if ended in ENDS else "")


@router.post("/connection/connect")
def connect(visit: Here) -> Response:
    """Begin a sign-in; the page that answers leads to QuickBooks by a plain link.

    A form that led there itself would need a door in our own rules for pages.
    """
    try:
        begun = visit.services.connection.begin(
            by=visit.by,
            browser=visit.cookies.get(COOKIE, ""),
            another_company=bool(visit.field("another_company")),
        )
    except Stop as stop:
        return _shown(visit, problems=[problem_of(stop)], status=409)
    answer = page(visit, "connection_away.html", address=begun.address, until=begun.until)
    answer.set_cookie(
        COOKIE,
        begun.browser_secret or "",
        max_age=SIGN_IN_S,
        path=COOKIE_PATH,
        secure=visit.services.settings.quickbooks_redirect_uri.startswith("https:"),
        httponly=True,
        samesite="lax",  # QuickBooks' redirect comes from its own site
    )
    return answer


@router.post("/connection/paste")
def paste(visit: Here) -> Response:
    """Finish a sign-in with the address the browser ended at, where it could not come back here."""
    problems = missing(visit, url="connection.paste.missing")
    if problems:
        return _shown(visit, problems=problems, status=422)
    try:
        visit.services.connection.finish(
            visit.field("url"), browser=visit.cookies.get(COOKIE), door="paste", by=visit.by
        )
    except SignInRefused as refused:
        text = visit.text(f"connection.ended.{refused.why.value}")
        return _shown(visit, problems=[Problem("url", text)], status=400)
    except Stop as stop:
        return visit.go(f"{HOME}?ended={stop.cause}" if stop.cause in ENDS else HOME)
    with suppress(Stop):  # connected it is; what stands in the way is told when it is asked for
        visit.services.read_company()
    return visit.go(HOME, say="connection.said.connected")


@router.post("/connection/test")
def test(visit: Here) -> Response:
    """Look at the company from every side that would refuse an invoice."""
    try:
        found = visit.services.look_at_company()
    except Stop as stop:
        return _shown(visit, problems=[problem_of(stop)], status=409)
    bad = sum(one.result != "ok" for one in found)
    if not bad:
        return visit.go(HOME, say="connection.said.tested", count=len(found))
    return visit.go(HOME, say="connection.said.tested_bad", count=len(found), bad=bad)


@router.get("/connection/disconnect")
def leave(visit: Here) -> Response:
    """Say what disconnecting means, and ask for the company's name."""
    return _asked(visit, "connection_leave.html")


@router.post("/connection/disconnect")
def disconnect(visit: Here) -> Response:
    """Revoke the sign-in and forget it; links and history stay."""
    state = visit.services.company.state()
    if visit.field("confirm") != state.to_type:
        wrong = Problem("confirm", visit.text("connection.name.wrong", name=state.to_type))
        return _asked(visit, "connection_leave.html", problems=[wrong])
    revoked = visit.services.connection.disconnect(by=visit.by)
    say = "connection.said.revoked" if revoked else "connection.said.wiped"
    return visit.go(HOME, say=say)


@router.get("/connection/bind")
def another(visit: Here) -> Response:
    """Show both companies, and ask for the name of the one the MIS is to belong to."""
    if visit.services.company.state().bound:
        return visit.go(HOME)  # it belongs there already
    return _asked(visit, "connection_bind.html")


@router.post("/connection/bind")
def bind(visit: Here) -> Response:
    """Bind the MIS to the connected company, whose name is typed."""
    try:
        state = visit.services.connection.rebind(confirm=visit.field("confirm"), by=visit.by)
    except Stop as stop:
        problem = problem_of(stop, field="confirm")
        if stop.cause == "validation_failed":
            named = visit.services.company.state().company or ""
            problem = Problem("confirm", visit.text("connection.name.wrong", name=named))
        return _asked(visit, "connection_bind.html", problems=[problem])
    return visit.go(HOME, say="connection.said.bound", company=state.company or "")


@router.get("/quickbooks/disconnected")
def disconnected(visit: Here) -> Response:
    """Tell somebody who removed the app in QuickBooks what that means."""
    return page(visit, "connection_removed.html")


def _shown(
    visit: Visit, *, ended: str = "", problems: Iterable[Problem] = (), status: int = 200
) -> Response:
    services = visit.services
    settings = services.settings
    return page(
        visit,
        "connection.html",
        status=status,
        problems=list(problems),
        state=services.company.state(),
        profile=services.company.profile(),
        seen=known(services.company_seen),
        figures=known(services.overview.figures),
        paused_until=known(services.paused_until),
        reads=known(services.reads),
        new_reads_on=_next_month(visit.now),
        redirect=settings.quickbooks_redirect_uri,
        key_end=(settings.quickbooks_client_id or "")[-4:],
        secret_set=settings.quickbooks_client_secret is not None,
        ended=ended,
        url=visit.field("url"),
    )


def _next_month(now: datetime) -> date:
    return (now.astimezone(UTC).replace(day=1) + timedelta(days=31)).replace(day=1).date()


def _asked(visit: Visit, template: str, *, problems: Iterable[Problem] = ()) -> Response:
    """Return a page that wants a name typed; it is of no use once nothing is connected."""
    state: ConnectionState = visit.services.company.state()
    if state.company is None and not state.connected:
        return visit.go(HOME)
    return page(
        visit,
        template,
        status=422 if problems else 200,
        problems=list(problems),
        state=state,
        figures=known(visit.services.overview.figures),
        confirm=visit.field("confirm"),
    )
