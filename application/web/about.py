"""Settings, About: version, settings of the environment, what doctor found, the support file."""

from typing import Final

from fastapi import APIRouter, Response

from application.services.looks import DOCTOR
from application.shown.support import support_text
from application.web.facts import environment_settings
from application.web.rendering import page
from application.web.visit import Here

router = APIRouter(include_in_schema=False)
HOME: Final = "/settings/about"
FILE: Final = "feebridge-support.txt"


@router.get("/settings/about")
def about(visit: Here) -> Response:
    """Show what this installation is."""
    return page(
        visit,
        "settings_about.html",
        seen=visit.services.looks.known(DOCTOR),
        env=environment_settings(visit),
        store=visit.services.store.url_shown,
    )


@router.post("/settings/about/doctor")
def doctor(visit: Here) -> Response:
    """Make every check; what stands in QuickBooks and the MIS is only read."""
    found = visit.services.checks.all()
    bad = sum(one.result == "fail" for one in found)
    return visit.go(HOME, say="settings.checked", count=len(found), bad=bad)


@router.get("/settings/about/support-file")
def support_file(visit: Here) -> Response:
    """Return the file for whoever helps, with what doctor found last."""
    services = visit.services
    seen = services.looks.known(DOCTOR)
    chosen = services.settings
    text = support_text(
        checks=seen.checks if seen else (),
        settings=chosen.model_dump(),
        log=chosen.feebridge_home / chosen.log_dir / "app.log",
    )
    return Response(
        text,
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{FILE}"'},
    )
