"""The application: the wiring, nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from fastapi import FastAPI
from starlette.middleware import Middleware

import service
from service.api.context import Context
from service.api.document import render_openapi
from service.api.metrics import MetricsMiddleware, forget_process
from service.api.problems import HANDLERS
from service.api.routes import INTERFACE, PAGES
from service.settings import Settings

# FastAPI asks OpenTelemetry at each request whether anybody has set it up, for which it takes the SDK.
OBSERVED = find_spec("opentelemetry.sdk") is not None


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application; settings are the environment's unless given.

    The routes are plain ones and parse their requests themselves: FastAPI's own would take `true` for an
    integer, answer HEAD with 405, and read a body of any size before they refuse it.
    """
    app = FastAPI(
        title="weightinit",
        version=service.__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": OBSERVED, "metrics": OBSERVED, "logs": OBSERVED},
        routes=[*INTERFACE, *PAGES],
        middleware=[Middleware(MetricsMiddleware, [*INTERFACE, *PAGES])],
        exception_handlers=HANDLERS,
        lifespan=live,
    )
    app.state.context = Context.of(settings or Settings(), render_openapi())
    return app


@asynccontextmanager
async def live(app: FastAPI) -> AsyncIterator[None]:
    """Check the stream beside the first requests, and stop the threads at the end."""
    context: Context = app.state.context
    context.start_check()
    try:
        yield
    finally:
        context.stop_check()
        context.workers.close()
        context.storing.close()
        context.parsing.close()
        context.store.close()
        forget_process()
