import asyncio

import httpx
import pytest

import service.api.endpoints.parameters
from service.app import create_app
from service.settings import Settings

SPEC = b'{"shape": [3, 3], "seed": 1}'


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v1/weights", "GET, HEAD, OPTIONS, POST"),
        ("/v1/parameters", "GET, HEAD, OPTIONS, POST"),
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/docs", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_is_not_answered_is_told_which_are(client, path, allow):
    for method in ("PUT", "DELETE", "PATCH"):
        response = client.request(method, path)
        assert response.status_code == 405
        assert response.headers["Allow"] == allow
        assert response.headers["Content-Type"] == "application/problem+json"
    options = client.options(path)
    assert (options.status_code, options.headers["Allow"], options.content) == (204, allow, b"")


@pytest.mark.parametrize("path", ["/v1/weights", "/v1/parameters"])
@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
        "application/json; charset=latin-1",
    ],
)
def test_a_body_of_another_media_type_is_refused_with_the_one_taken(client, path, media_type):
    response = client.post(path, content=SPEC, headers={"Content-Type": media_type})
    assert response.status_code == 415
    assert response.headers["Accept-Post"] == "application/json"


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", 'application/json;charset="UTF-8"']
)
def test_json_is_taken_however_it_is_spelled(client, media_type):
    response = client.post("/v1/weights", content=SPEC, headers={"Content-Type": media_type})
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/v1/weights", "/v1/parameters"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 50000, b'{"shape": [3, 3]} x'])
def test_a_body_that_is_not_json_is_refused(client, path, body):
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["detail"].startswith("The body")


def test_a_body_beyond_the_limit_is_refused_before_it_is_parsed(client):
    response = client.post("/v1/weights", content=b"[" * 70000, headers={"Content-Type": "application/json"})
    assert response.status_code == 413


def test_a_problem_is_not_stored_by_caches(client):
    assert client.get("/nothing").headers["Cache-Control"] == "no-store"


def test_a_defect_is_a_problem_without_a_trace_of_its_cause(monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("secret")

    monkeypatch.setattr(service.api.endpoints.parameters, "resolve_within_limits", fail)

    async def ask():
        transport = httpx.ASGITransport(create_app(Settings()), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/v1/parameters?shape=3,3")

    response = asyncio.run(ask())
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "secret" not in response.text
