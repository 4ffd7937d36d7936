"""Endpoints: path, OpenAPI description and handler of each operation. One module for each resource."""

from fastapi.routing import APIRoute

from service.api.endpoints import (
    docs,
    health,
    models,
    name_lists,
    named_models,
    names,
    packages,
    parameters,
    publication,
    tables,
    tokens,
    weights,
)

# Routes are tried in this order, so those with the most requests come first.
ROUTES = tuple(
    route
    for router in (
        weights.router,
        parameters.router,
        models.router,
        publication.router,
        names.router,
        name_lists.router,
        named_models.router,
        tables.router,
        health.router,
        tokens.router,
        docs.router,
        packages.router,
    )
    for route in router.routes
    if isinstance(route, APIRoute)
)
