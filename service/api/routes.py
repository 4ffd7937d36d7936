"""Routes: which endpoint answers which path. Starlette lets every GET answer HEAD as well."""

from starlette.routing import Route

from service.api.docs import get_asset, get_docs, get_index, get_openapi, get_start
from service.api.links import PARAMETERS, WEIGHTS
from service.api.operations import get_liveness, get_metrics, get_readiness
from service.api.parameters import get_parameters, post_parameters
from service.api.weights import get_weights, post_weights

# The documented interface; the first route that matches is the quickest found.
INTERFACE = (
    Route(WEIGHTS, get_weights, methods=["GET"]),
    Route(WEIGHTS, post_weights, methods=["POST"]),
    Route(PARAMETERS, get_parameters, methods=["GET"]),
    Route(PARAMETERS, post_parameters, methods=["POST"]),
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
