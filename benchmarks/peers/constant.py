"""The constant: a FastAPI application that validates a layer spec and answers with the same bytes always.

It is what a service of this kind costs before it does anything: FastAPI's own reading of the query or of the
body, pydantic's validation of the very same model, and the least answer there is. Nothing is decided and
nothing drawn.
"""

from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import ConfigDict

from service.core import LayerSpec

app = FastAPI(openapi_url=None)
CONSTANT = {"status": "ok"}


class QuerySpec(LayerSpec):
    """The spec out of a query: all is text there, so that it cannot be strict; `shape` is repeated."""

    model_config = ConfigDict(strict=False)


@app.get("/livez")
async def get_liveness() -> dict[str, str]:
    """Answer 200 while the process runs."""
    return CONSTANT


@app.get("/constant")
async def get_constant(spec: Annotated[QuerySpec, Query()]) -> dict[str, str]:  # noqa: ARG001 - only validated
    """Validate a query."""
    return CONSTANT


@app.post("/constant")
async def post_constant(spec: LayerSpec) -> dict[str, str]:  # noqa: ARG001 - only validated
    """Validate a body."""
    return CONSTANT
