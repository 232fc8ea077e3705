"""Is it well, what does it count, what does it offer: health, metrics, description."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Query as Parameters
from starlette.responses import JSONResponse

from application.api import envelope, shapes
from application.api.description import described
from application.api.door import EVERYWHERE, At, NoQuery, documented
from application.metrics import CONTENT_TYPE
from application.shown.connection import check_entry

router = APIRouter(tags=["watch"])
LINES = {"content": {"text/plain": {"schema": {"type": "string"}}}}


@router.get(
    "/health/",
    response_class=JSONResponse,
    responses={
        200: {
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {"status": {"const": "ok"}},
                        "required": ["status"],
                        "additionalProperties": False,
                    }
                }
            }
        },
        **{code: {"model": envelope.Refusal} for code in EVERYWHERE},
    },
)
def health(asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Say that the server answers; nothing else is looked at, so anybody may ask."""
    del asked
    return Response(envelope.text_of({"status": "ok"}), media_type=envelope.JSON)


@router.get("/health/detailed", responses=documented(model=shapes.Health))
def detailed(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Look at everything a run needs; QuickBooks as it was last known."""
    del asked
    checks = here.services.health.checks()
    problems = sum(one.result == "fail" for one in checks)
    advice = sum(one.result == "warn" for one in checks)
    return here.answer(
        {
            "checks": [check_entry(one) for one in checks],
            "problems": problems,
            "advice": advice,
        },
        message=f"{problems} problems, {advice} to look at.",
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: LINES, **{code: {"model": envelope.Refusal} for code in EVERYWHERE}},
)
def metrics(here: At, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Counters and gauges for Prometheus; no person is in them."""
    del asked
    return Response(here.services.metrics.text(), media_type=CONTENT_TYPE)


@router.get("/openapi.json", include_in_schema=False)
def description(request: Request, asked: Annotated[NoQuery, Parameters()]) -> Response:
    """Describe every endpoint (OpenAPI 3.1)."""
    del asked
    return JSONResponse(described(request.app))
