"""Settings, Mapping: which product takes which fee; what a choice would mend is shown first."""

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from application.catalogue import NO_SIGN_IN, NotConnected, Stop
from application.web.facts import environment_settings, known
from application.web.forms import Problem, problem_of
from application.web.rendering import page
from application.web.visit import Here, Visit

router = APIRouter(include_in_schema=False)
HOME: Final = "/settings/mapping"
ID_MOST: Final = 2**63 - 1
SETTINGS: Final = ("ITEM_POLICY", "ITEM_DEFAULT", "ITEM_INCOME_ACCOUNT", "AMOUNT_RULE")
FeeCategory = Annotated[int, Path(ge=-ID_MOST, le=ID_MOST)]
ItemId = Annotated[str, Query(max_length=40)]
Show = Annotated[str, Query(max_length=20)]
UNMAPPED: Final = "unmapped"


@router.get("/settings")
def settings(visit: Here) -> Response:
    """Lead to the first tab."""
    return visit.go(HOME)


@router.get("/settings/mapping")
def mapping(visit: Here, show: Show = "") -> Response:
    """List fee categories in use and the products that take them."""
    return _listed(visit, unmapped=show == UNMAPPED)


@router.post("/settings/mapping/refresh")
def refresh(visit: Here) -> Response:
    """Read products and preferences from QuickBooks again."""
    try:
        if not visit.services.company.state().connected:
            raise NotConnected(since="", reason=NO_SIGN_IN)
        visit.services.read_company()
    except Stop as stop:
        return _listed(visit, problems=[problem_of(stop)], status=409)
    return visit.go(HOME, say="settings.mapping.read", count=len(visit.services.mapping.products()))


@router.get("/settings/mapping/{fee_category}")
def fee(visit: Here, fee_category: FeeCategory, item_id: ItemId = "") -> Response:
    """Show one fee, and what a product chosen for it would mend."""
    return _one(visit, fee_category, item_id=item_id)


@router.post("/settings/mapping/{fee_category}")
def choose(visit: Here, fee_category: FeeCategory) -> Response:
    """Let a product take a fee; without one, go back to the product of the same name."""
    item_id, service = visit.field("item_id"), visit.services.mapping
    try:
        if item_id:
            chosen = service.choose(fee_category, item_id=item_id, by=visit.by)
        else:
            chosen = service.clear(fee_category, by=visit.by)
    except Stop as stop:
        if (
            stop.cause != "not_found"
            or known(lambda: service.effect(fee_category, item_id="")) is None
        ):
            raise
        wrong = Problem("item_id", visit.text("settings.mapping.gone"))
        return _one(visit, fee_category, item_id="", problems=[wrong])
    fixed = chosen.now_look_fixed
    name = chosen.row.fee or str(fee_category)
    if fixed:
        return visit.go(HOME, say="settings.mapping.saved_fixed", fee=name, count=fixed)
    return visit.go(HOME, say="settings.mapping.saved", fee=name)


def _listed(
    visit: Visit, *, unmapped: bool = False, problems: Iterable[Problem] = (), status: int = 200
) -> Response:
    services = visit.services
    try:
        listed = services.mapping.rows(unmapped=unmapped)
    except NotConnected:
        listed = None
    return page(
        visit,
        "settings_mapping.html",
        status=status,
        problems=list(problems),
        listed=listed,
        unmapped=unmapped,
        connected=services.company.state().connected,
        env=environment_settings(visit, *SETTINGS),
    )


def _one(
    visit: Visit, fee_category: int, *, item_id: str, problems: Iterable[Problem] = ()
) -> Response:
    services = visit.services
    sample = known(lambda: services.listing.page(fee=fee_category, status="failed", limit=1))
    if sample is None or not sample.invoices:
        sample = known(lambda: services.listing.page(fee=fee_category, limit=1))
    return page(
        visit,
        "settings_fee.html",
        status=422 if problems else 200,
        problems=list(problems),
        effect=services.mapping.effect(fee_category, item_id=item_id),
        products=services.mapping.products(),
        sample=sample.invoices[0] if sample and sample.invoices else None,
    )
