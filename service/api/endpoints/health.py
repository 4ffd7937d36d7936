"""GET /livez, /readyz and /metrics: probes and metrics for operators."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api.context import get_context
from service.api.http.media_types import JSON, PROBLEM_JSON, PROMETHEUS
from service.api.metrics import render_metrics
from service.api.openapi import Schema, refer
from service.api.router import make_router

router = make_router("operations")

NOT_STORED = {"Cache-Control": "no-store"}

STATUS: Schema = {JSON: {"schema": refer("Health")}}


@router.get(
    "/livez",
    openapi_extra={"responses": {"200": {"description": "The process is running.", "content": STATUS}}},
)
async def get_liveness(_request: Request) -> Response:
    """Return whether the process is running."""
    return JSONResponse({"status": "ok"}, headers=NOT_STORED)


@router.get(
    "/readyz",
    openapi_extra={
        "responses": {
            "200": {"description": "The stream matches the golden vectors.", "content": STATUS},
            "503": {
                "description": "The self-check has not passed, or the service is about to stop.",
                "content": {PROBLEM_JSON: {"schema": refer("Problem")}},
            },
        }
    },
)
async def get_readiness(request: Request) -> Response:
    """Return whether the service matches the golden vectors and can take traffic."""
    context = get_context(request)
    context.start_check()  # for servers that send no lifespan events
    if request.scope.get("state", {}).get("draining"):  # set by service.server.graceful
        raise HTTPException(503, "The service is about to stop.", {"Retry-After": "1"})
    if not context.ready:
        raise HTTPException(503, "The self-check has not passed.", {"Retry-After": "1"})
    return JSONResponse({"status": "ok"}, headers=NOT_STORED)


@router.get(
    "/metrics",
    openapi_extra={
        "responses": {
            "200": {
                "description": "The metrics.",
                "content": {PROMETHEUS: {"schema": {"type": "string"}}},
            }
        }
    },
)
async def get_metrics(request: Request) -> Response:
    """Return the metrics of all workers in Prometheus' text format."""
    if get_context(request).settings.metrics_port:
        raise HTTPException(404)
    return Response(render_metrics(), headers={"Content-Type": PROMETHEUS, **NOT_STORED})
