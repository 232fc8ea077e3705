"""Overview: is everything in QuickBooks, what failed and why, what to do next."""

from fastapi import APIRouter, Response

from application.web.rendering import page
from application.web.visit import Here

router = APIRouter(include_in_schema=False)


@router.get("/")
def overview(visit: Here) -> Response:
    """Show everything at one glance."""
    return page(visit, "overview.html", glance=visit.services.overview.glance())
