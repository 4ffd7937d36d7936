"""Endpoints: each operation with its path, its OpenAPI rows and its handler, by resource."""

from fastapi.routing import APIRoute

from service.api.endpoints import (
    docs,
    health,
    models,
    named_models,
    names,
    packages,
    parameters,
    tables,
    weights,
)

# The first route that matches is found quickest.
ROUTES = tuple(
    route
    for router in (
        weights.router,
        parameters.router,
        models.router,
        names.router,
        named_models.router,
        tables.router,
        health.router,
        docs.router,
        packages.router,
    )
    for route in router.routes
    if isinstance(route, APIRoute)
)
