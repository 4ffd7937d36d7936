"""Operations: path operations of FastAPI, with dependencies where they are given."""

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.api.endpoints import ROUTES
from service.api.openapi import make_document
from service.api.router import make_router

BEARER = HTTPBearer(auto_error=False)


def require_token(given: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]) -> None:
    """Refuse a request without the token."""
    if given is None or given.credentials != "secret":
        raise HTTPException(401)


async def get_thing(_request: Request) -> Response:
    """Return a thing.

    It is always the same.
    """
    return Response("thing")


def send(app, method, path, headers=None):
    """Send a request to an app in this process, and return the response."""

    async def run():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(run())


def make_app(**options):
    """Make an app of one operation."""
    router = make_router("things", **options)
    router.get("/thing")(get_thing)
    return FastAPI(routes=router.routes)


@pytest.fixture
def guarded():
    """An app whose router has a dependency."""
    return make_app(dependencies=[Depends(require_token)])


@pytest.mark.parametrize(("token", "status"), [("secret", 200), ("other", 401), (None, 401)])
def test_a_dependency_of_a_router_runs_before_the_endpoint(guarded, token, status):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert send(guarded, "GET", "/thing", headers).status_code == status


def test_a_dependency_is_in_the_document(guarded):
    document = make_document(guarded.routes)
    assert document["paths"]["/thing"]["get"]["security"] == [{"HTTPBearer": []}]
    assert document["components"]["securitySchemes"]["HTTPBearer"] == {"type": "http", "scheme": "bearer"}


def test_an_operation_is_described_by_its_docstring():
    operation = make_document(make_app().routes)["paths"]["/thing"]["get"]
    assert (operation["summary"], operation["description"], operation["operationId"], operation["tags"]) == (
        "Return a thing",
        "It is always the same.",
        "get_thing",
        ["things"],
    )


@pytest.mark.parametrize("app", [make_app(), make_app(dependencies=[Depends(lambda: None)])])
def test_a_get_answers_head_as_well(app):
    assert send(app, "HEAD", "/thing").status_code == 200


def test_every_get_of_the_service_answers_head():
    assert [route.path for route in ROUTES if "GET" in route.methods and "HEAD" not in route.methods] == []


def test_a_path_ends_where_it_says():
    assert send(make_app(), "GET", "/thing%0A").status_code == 404
