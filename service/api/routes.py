"""Routes: which endpoint answers which path. Starlette lets every GET answer HEAD as well."""

import re
from collections.abc import Callable, Sequence

from starlette import routing

from service.api.endpoints.docs import get_asset, get_docs, get_index, get_openapi, get_start
from service.api.endpoints.health import get_liveness, get_metrics, get_readiness
from service.api.endpoints.models import (
    get_model,
    get_model_parameters,
    get_model_tensor,
    get_model_weights,
    post_model,
)
from service.api.endpoints.names import delete_name, get_name, list_names, put_name
from service.api.endpoints.parameters import get_parameters, post_parameters
from service.api.endpoints.weights import get_weights, post_weights
from service.api.links import MODELS, NAME, NAMES, PARAMETERS, WEIGHTS


class Route(routing.Route):
    """A route of a path that ends where it says: Starlette's `$` lets a line feed follow."""

    def __init__(self, path: str, endpoint: Callable[..., object], *, methods: Sequence[str]) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")


# The documented interface; the first route that matches is the quickest found.
INTERFACE = (
    Route(WEIGHTS, get_weights, methods=["GET"]),
    Route(WEIGHTS, post_weights, methods=["POST"]),
    Route(PARAMETERS, get_parameters, methods=["GET"]),
    Route(PARAMETERS, post_parameters, methods=["POST"]),
    Route(MODELS, post_model, methods=["POST"]),
    Route(MODELS + "/{id}", get_model, methods=["GET"]),
    Route(MODELS + "/{id}/parameters", get_model_parameters, methods=["GET"]),
    Route(MODELS + "/{id}/weights", get_model_weights, methods=["GET"]),
    Route(MODELS + "/{id}/weights/{tensor:path}", get_model_tensor, methods=["GET"]),
    Route(NAMES, list_names, methods=["GET"]),
    Route(NAME, get_name, methods=["GET"]),
    Route(NAME, put_name, methods=["PUT"]),
    Route(NAME, delete_name, methods=["DELETE"]),
    Route("/livez", get_liveness, methods=["GET"]),
    Route("/readyz", get_readiness, methods=["GET"]),
    Route("/metrics", get_metrics, methods=["GET"]),
)
PAGES = (
    Route("/", get_index, methods=["GET"]),
    Route("/openapi.json", get_openapi, methods=["GET"]),
    Route("/docs", get_docs, methods=["GET"]),
    Route("/docs/start.js", get_start, methods=["GET"]),
    Route("/docs/{name}", get_asset, methods=["GET"]),
)
