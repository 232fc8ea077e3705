"""Connecting a company: begun, finished by callback or paste, tested, bound, ended."""

from contextlib import suppress
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Body, Response
from fastapi import Query as Parameters
from pydantic import Field

from application.api import envelope, shapes
from application.api.door import EVERYWHERE, At, Here, NoQuery, Query, Strict, documented
from application.api.failing import wrong
from application.api.once import Once
from application.catalogue import Stop
from application.services.signing_in import COOKIE, COOKIE_PATH, SIGN_IN_S, SignInRefused
from application.shown.connection import connection_entry

router = APIRouter(prefix="/api/v1/quickbooks", tags=["connection"], route_class=Once)
AFTER = "/connection"


class Returned(Query):
    """What QuickBooks puts behind our redirect address."""

    code: str | None = Field(default=None, max_length=1024, description="Good for one sign-in.")
    state: str | None = Field(default=None, max_length=512, description="As we sent it along.")
    realmId: str | None = Field(  # noqa: N815 - QuickBooks' own name
        default=None, max_length=64, description="The company."
    )
    error: str | None = Field(default=None, max_length=200, description="Why there is no code.")
    error_description: str | None = Field(default=None, max_length=500, description="In words.")


class Begin(Strict):
    """How the sign-in comes back."""

    another_company: bool = Field(
        default=False, description="Whether it may bring another company than the bound one."
    )
    paste: bool = Field(
        default=False, description="Whether the address will be pasted rather than come back here."
    )


class Pasted(Strict):
    """The address the browser ended at."""

    url: str = Field(min_length=1, max_length=4096)


class Confirmed(Strict):
    """The connected company's name, typed."""

    confirm: str = Field(min_length=1, max_length=200)


@router.get("/connection", responses=documented(model=shapes.Connection))
def connection(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Tell what is known of the connection; QuickBooks is not asked."""
    del asked
    return _shown(here, words="")


@router.post("/test", responses=documented(409, 413, 415, model=shapes.Connection))
def test(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Look at the company from every side that would refuse an invoice."""
    del asked
    found = here.services.look_at_company()
    bad = sum(one.result != "ok" for one in found)
    return _shown(here, words=f"{len(found)} checks, {bad} to look at. ")


@router.post("/connect", responses=documented(409, 413, 415, model=shapes.SignIn))
def connect(
    here: At,
    query: Annotated[NoQuery, Parameters()],
    asked: Annotated[Begin | None, Body()] = None,
) -> Response:
    """Begin a sign-in; a company administrator opens the address and approves."""
    del query
    wanted = asked or Begin()
    kept = None if wanted.paste else here.request.cookies.get(COOKIE, "")
    begun = here.services.connection.begin(
        by=here.by, browser=kept, another_company=wanted.another_company
    )
    answer = here.answer(
        {"authorization_url": begun.address, "expires_in": SIGN_IN_S},
        message="Open the address and approve as a company administrator.",
    )
    if begun.browser_secret is not None:
        answer.set_cookie(
            COOKIE,
            begun.browser_secret,
            max_age=SIGN_IN_S,
            path=COOKIE_PATH,
            secure=here.services.settings.quickbooks_redirect_uri.startswith("https:"),
            httponly=True,
            samesite="lax",  # QuickBooks' redirect comes from its own site
        )
    return answer


@router.get(
    "/callback",
    status_code=302,
    response_class=Response,
    responses={
        302: {"description": "To the connection page, whatever became of it."},
        **{code: {"model": envelope.Refusal} for code in (*EVERYWHERE, 409)},
    },
)
async def callback(here: At, asked: Annotated[Returned, Parameters()]) -> Response:
    """Take what QuickBooks sent the browser back with, and go on to an address without it.

    A person is told there what became of it; a program is told why it was refused.
    """
    del asked
    address = f"{here.services.settings.quickbooks_redirect_uri}?{here.request.url.query}"
    browser = here.request.cookies.get(COOKIE)

    def finish() -> None:
        here.services.connection.finish(address, browser=browser, door="callback")
        _learn_name(here)

    after = AFTER
    try:
        await run_sync(finish)
    except Stop as stop:
        if "text/html" not in here.request.headers.get("accept", ""):
            raise
        word = stop.why.value if isinstance(stop, SignInRefused) else stop.cause
        after = f"{AFTER}?ended={word}"
    answer = Response(status_code=302, headers={"Location": after})
    answer.delete_cookie(COOKIE, path=COOKIE_PATH)
    return answer


@router.post("/connect/paste", responses=documented(409, 413, 415, model=shapes.Connection))
def paste(
    here: At, query: Annotated[NoQuery, Parameters()], asked: Annotated[Pasted, Body()]
) -> Response:
    """Finish a sign-in with the address the browser ended at, where it could not come back here."""
    del query
    here.services.connection.finish(
        asked.url, browser=here.request.cookies.get(COOKIE), door="paste", by=here.by
    )
    _learn_name(here)
    return _shown(here, words="Connected. ")


def _learn_name(here: Here) -> None:
    """Read the company: who disconnects or binds types its name, and has to be shown it."""
    with suppress(Stop):  # connected it is; whatever stands in the way is told when it is asked for
        here.services.read_company()


@router.post("/bind", responses=documented(409, 413, 415, model=shapes.Connection))
def bind(
    here: At, query: Annotated[NoQuery, Parameters()], asked: Annotated[Confirmed, Body()]
) -> Response:
    """Bind the MIS to the connected company, whose name is typed."""
    del query
    here.services.connection.rebind(confirm=asked.confirm, by=here.by)
    return _shown(here, words="Bound. ")


@router.post("/disconnect", responses=documented(409, 413, 415, model=shapes.Connection))
def disconnect(
    here: At, query: Annotated[NoQuery, Parameters()], asked: Annotated[Confirmed, Body()]
) -> Response:
    """Revoke the sign-in and forget it; links and history stay."""
    del query
    state = here.services.company.state()
    if asked.confirm.strip() != state.to_type:
        raise wrong(
            field="confirm", problem="must be the company's name as it is shown", got=asked.confirm
        )
    revoked = here.services.connection.disconnect(by=here.by)
    words = (
        "Disconnected and revoked. "
        if revoked
        else "Disconnected here; QuickBooks did not confirm it, so remove the app there too. "
    )
    return _shown(here, words=words, meta={"revoked": revoked})


def _shown(here: Here, *, words: str, meta: dict[str, object] | None = None) -> Response:
    services = here.services
    state = services.company.state()
    seen = services.company_seen()
    checks = seen.checks if seen else ()
    entry = connection_entry(state, checks=checks, office=services.office)
    name = state.company or "QuickBooks"
    told = f"{name} is connected." if state.connected else "QuickBooks is not connected."
    more = {"checked_at": seen.at.astimezone(services.office) if seen else None, **(meta or {})}
    return here.answer(entry, message=f"{words}{told}", meta=more)
