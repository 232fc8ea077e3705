"""Settings, MIS database: which one it is, what was found there, the rights its user needs."""

from typing import Final

from fastapi import APIRouter, Response

from application.services.looks import DOCTOR_MIS
from application.web.facts import environment_settings, known
from application.web.rendering import page
from application.web.visit import Here

router = APIRouter(include_in_schema=False)
HOME: Final = "/settings/database"
SETTINGS: Final = ("MIS_DATABASE_URL", "INVOICES_FROM", "MIS_LOCK_WAIT_S", "MIS_PATIENCE_S")


@router.get("/settings/database")
def database(visit: Here) -> Response:
    """Show what is known of the MIS."""
    services = visit.services
    return page(
        visit,
        "settings_database.html",
        name=services.mis_name,
        demo=services.place.demo,
        figures=known(services.overview.figures),
        seen=services.looks.known(DOCTOR_MIS),
        grants=known(services.reader.grants),
        env=environment_settings(visit, *SETTINGS),
    )


@router.post("/settings/database/check")
def check(visit: Here) -> Response:
    """Look at the MIS; it is only read."""
    found = visit.services.checks.mis()
    bad = sum(one.result == "fail" for one in found)
    return visit.go(HOME, say="settings.checked", count=len(found), bad=bad)
