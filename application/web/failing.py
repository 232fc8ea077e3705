"""What a page says where there is none to show: not found, not allowed, not possible, our fault."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from application.catalogue import Stop, explain
from application.shown.texts import sentence_of
from application.web.rendering import page
from application.web.visit import HOME, SEE_OTHER, Visit

FOR_PROGRAMS: Final = ("/api/", "/health", "/metrics", "/openapi.json", "/static/")
LOGIN: Final = "/login"
NO_SIGN_IN: Final = "unauthorized"


def wants_page(path: str, *, accept: str) -> bool:
    """Return whether a person in a browser is answered."""
    return "text/html" in accept and not path.startswith(FOR_PROGRAMS)


def failed(visit: Visit, stop: Stop, *, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return a condition as a page."""
    told = explain(stop.cause, stop.facts)
    lost = stop.cause == "not_found" and stop.facts.get("what") == "page"
    return page(
        visit,
        "failed.html",
        status=told.http_status,
        headers=headers,
        told=told,
        sentence=visit.text("failed.no_page") if lost else sentence_of(stop.cause, stop.facts),
    )


def turned_away(visit: Visit, stop: Stop, *, method: str, query: str) -> Response:
    """Return what somebody sees whom the guard did not let in; who is not signed in may do so."""
    if stop.cause != NO_SIGN_IN:
        return failed(visit, stop)
    here = f"{visit.path}?{query}" if query else visit.path
    to = f"{LOGIN}?{urlencode({'next': here})}" if method == "GET" and here != HOME else LOGIN
    if visit.htmx:
        return Response(status_code=204, headers={"HX-Redirect": to})
    return Response(status_code=SEE_OTHER, headers={"Location": to})
