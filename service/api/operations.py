"""GET /livez, /readyz and /metrics: what those who run the service ask it."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api.context import get_context
from service.api.metrics import CONTENT_TYPE, render_metrics

NOT_STORED = {"Cache-Control": "no-store"}


async def get_liveness(_request: Request) -> Response:
    """Say that the process answers."""
    return JSONResponse({"status": "ok"}, headers=NOT_STORED)


async def get_readiness(request: Request) -> Response:
    """Say whether the service has checked its own bytes against the golden vectors."""
    if not get_context(request).ready:
        raise HTTPException(503, "The self-check has not passed.", {"Retry-After": "1"})
    return JSONResponse({"status": "ok"}, headers=NOT_STORED)


async def get_metrics(_request: Request) -> Response:
    """Show counters of requests, bytes and open streams in Prometheus' text format."""
    return Response(render_metrics(), headers={"Content-Type": CONTENT_TYPE, **NOT_STORED})
