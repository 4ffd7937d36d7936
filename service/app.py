"""The application: FastAPI with the routes, middleware and error handlers."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from fastapi import FastAPI
from starlette.middleware import Middleware

import service
from service.api.access import ReadAccessMiddleware
from service.api.context import Context
from service.api.endpoints import ROUTES
from service.api.metrics import forget_process, identify_process
from service.api.monitoring import MonitoringMiddleware
from service.api.openapi import render_openapi
from service.api.problems import HANDLERS
from service.settings import Settings

# With telemetry on, FastAPI checks on each request whether OpenTelemetry is set up. That requires its SDK.
OBSERVED = find_spec("opentelemetry.sdk") is not None

# Python's default is 10. A full collection blocks all requests for 0.3 s while large models are cached, and
# parsing one of 20,000 tensors would start several.
FULL_COLLECTION_THRESHOLD = 1000


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application. The default settings come from the environment."""
    settings = settings or Settings()
    is_logged = settings.access_log and settings.log_format == "json"  # uvicorn logs requests as text
    app = FastAPI(
        title="weightinit",
        version=service.__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": OBSERVED, "metrics": OBSERVED, "logs": OBSERVED},
        routes=[*ROUTES],
        middleware=[
            Middleware(MonitoringMiddleware, [*ROUTES], is_logged=is_logged),
            *([Middleware(ReadAccessMiddleware)] if settings.read_access == "token" else []),
        ],
        exception_handlers=HANDLERS,
        lifespan=live,
    )
    app.state.context = Context.of(settings, render_openapi(ROUTES))
    return app


@asynccontextmanager
async def live(app: FastAPI) -> AsyncIterator[None]:
    """Start the self-check, and at shutdown stop the threads and close the store."""
    context: Context = app.state.context
    context.start_check()
    gc.set_threshold(*gc.get_threshold()[:2], FULL_COLLECTION_THRESHOLD)
    try:
        yield
    finally:
        context.stop_check()
        context.workers.close()
        context.store_readers.close()
        context.store_writers.close()
        context.parse_workers.close()
        context.store.close()
        forget_process(identify_process())
