"""Demo: the controls that break and mend what stands in for the outside."""

from fastapi import APIRouter, Response

from application.catalogue import Stop
from application.stage.table import Needs, NotNow
from application.web.forms import Problem, problem_of
from application.web.rendering import page
from application.web.visit import Here, Visit, own_path

router = APIRouter(include_in_schema=False)
DEMO = "/demo"
KILL = "kill"
INVOICES_DIGITS = 18


@router.get("/demo")
def controls(visit: Here) -> Response:
    """Show what can be broken, and what is."""
    return _listed(visit)


@router.post("/demo/{control}/start")
def start(visit: Here, control: str) -> Response:
    """Do what a control does, and go back to where somebody was."""
    number = visit.field("invoice_id")
    known = number.isascii() and number.isdigit() and len(number) <= INVOICES_DIGITS
    back = own_path(visit.field("back") or DEMO)
    if control == KILL and not visit.field("now") and _can_kill(visit):
        # The page has to stand in the browser first: nobody could hand it out afterwards.
        return page(visit, "demo_killed.html")
    try:
        done = visit.services.controls.start(
            control, by=visit.by, invoice_id=int(number) if known else None
        )
    except NotNow as stop:
        return _refused(visit, stop, back=back)
    if visit.htmx:
        return Response(status_code=204)  # its page looks by itself when to go on
    return visit.go(back, say="demo.did", did=done.did)


@router.post("/demo/{control}/stop")
def stop(visit: Here, control: str) -> Response:
    """End what a control began."""
    try:
        done = visit.services.controls.stop(control, by=visit.by)
    except NotNow as stopped:
        return _refused(visit, stopped, back=DEMO)
    return visit.go(DEMO, say="demo.did", did=done.did)


def _can_kill(visit: Visit) -> bool:
    seen = visit.services.controls.seen()
    return any(one.control.name == KILL and one.state != "unavailable" for one in seen)


def _refused(visit: Visit, stop: Stop, *, back: str) -> Response:
    if back != DEMO:
        raise stop
    return _listed(visit, problem=problem_of(stop))


def _listed(visit: Visit, *, problem: Problem | None = None) -> Response:
    seen = visit.services.controls.seen()
    outside = [one for one in seen if one.control.needs is Needs.SIMULATOR]
    return page(
        visit,
        "demo.html",
        status=409 if problem else 200,
        problems=[problem] if problem else (),
        groups=[
            ("demo.quickbooks", outside),
            ("demo.here", [one for one in seen if one not in outside]),
        ],
        going=[one for one in seen if one.state == "on"],
    )
