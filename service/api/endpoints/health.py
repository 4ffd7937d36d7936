"""What OpenAPI says of the operations for those who run the service."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.api import metrics, problems
from service.api.context import get_context
from service.api.endpoints.parameters import JSON
from service.api.metrics import CONTENT_TYPE, render_metrics
from service.api.openapi import Schema, refer

NOT_STORED = {"Cache-Control": "no-store"}


async def get_liveness(_request: Request) -> Response:
    """Say that the process answers."""
    return JSONResponse({"status": "ok"}, headers=NOT_STORED)


async def get_readiness(request: Request) -> Response:
    """Say whether the service has checked its own bytes against the golden vectors."""
    context = get_context(request)
    context.start_check()  # for servers that send no lifespan events
    if not context.ready:
        raise HTTPException(503, "The self-check has not passed.", {"Retry-After": "1"})
    return JSONResponse({"status": "ok"}, headers=NOT_STORED)


async def get_metrics(_request: Request) -> Response:
    """Show counters of requests, bytes and open streams in Prometheus' text format."""
    return Response(render_metrics(), headers={"Content-Type": CONTENT_TYPE, **NOT_STORED})


STATUS: Schema = {JSON: {"schema": {"type": "object", "properties": {"status": {"const": "ok"}}}}}

OPERATIONS: dict[str, Schema] = {
    "get_liveness": {"responses": {"200": {"description": "The process answers.", "content": STATUS}}},
    "get_readiness": {
        "responses": {
            "200": {"description": "The stream draws what it always drew.", "content": STATUS},
            "503": {
                "description": "The self-check has not passed.",
                "content": {problems.MEDIA_TYPE: {"schema": refer("Problem")}},
            },
        }
    },
    "get_metrics": {
        "responses": {
            "200": {
                "description": "The metrics.",
                "content": {metrics.CONTENT_TYPE: {"schema": {"type": "string"}}},
            }
        }
    },
}
