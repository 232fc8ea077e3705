"""Setup: six steps from the MIS to the first invoices, each with a test and what to do next."""

from typing import Final

from fastapi import APIRouter, Response

from application.catalogue import Stop
from application.services.looks import DOCTOR
from application.services.setup import Step
from application.web.facts import environment_settings, known
from application.web.forms import problem_of
from application.web.rendering import page
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
HOME: Final = "/setup"
SETTINGS: Final = {
    Step.MIS: ("MIS_DATABASE_URL", "INVOICES_FROM", "ENCRYPTION_KEYS"),
    Step.KEYS: (
        "QUICKBOOKS_ENVIRONMENT",
        "QUICKBOOKS_CLIENT_ID",
        "QUICKBOOKS_CLIENT_SECRET",
        "QUICKBOOKS_REDIRECT_URI",
    ),
}


@router.get("/setup")
def setup(visit: Here) -> Response:
    """Show the steps, and open the first that is left."""
    return _shown(visit)


@router.post("/setup/test")
def test(visit: Here) -> Response:
    """Try what one step is about; its result stays with the step."""
    services, step = visit.services, visit.field("step")
    try:
        if step == Step.MIS:
            services.checks.mis()
        elif step == Step.CONNECT:
            services.look_at_company()
        elif step == Step.FEES:
            services.read_company()
        elif step == Step.CHECKS:
            services.checks.all()
    except Stop as stop:
        return _shown(visit, stop=stop)
    standing = {one.step.value: one.done for one in services.setup.steps()}
    say = "setup.tested" if standing.get(step) else "setup.tested_bad"
    return visit.go(HOME, say=say)


def _shown(visit: Visit, *, stop: Stop | None = None) -> Response:
    services = visit.services
    steps = services.setup.steps()
    left = [one for one in steps if not one.done]
    return page(
        visit,
        "setup.html",
        status=409 if stop else 200,
        problems=[problem_of(stop)] if stop else [],
        steps=steps,
        left=len(left),
        now=left[0].step if left else None,
        state=services.company.state(),
        seen=services.looks.known(DOCTOR),
        figures=known(services.overview.figures),
        opened=services.access.is_open(),
        env={step.value: environment_settings(visit, *names) for step, names in SETTINGS.items()},
    )
