import asyncio
from unittest.mock import Mock

import httpx
import pytest
from opentelemetry import trace

import service.api.context
import service.app
from service.app import create_app
from service.settings import Settings


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_is_answered_and_not_stored(client, path):
    response = client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert response.headers["Cache-Control"] == "no-store"
    assert client.head(path).status_code == 200


def test_requests_are_counted_by_route_and_never_by_path(client):
    client.get("/made/up/by/a/client")
    client.get("/v1/parameters?shape=3,3")
    text = client.get("/metrics").text
    assert 'weightinit_requests_total{method="GET",route="/v1/parameters",status="200"}' in text
    assert 'route="none",status="404"' in text
    assert "made" not in text


def test_metrics_are_text_for_prometheus(client):
    response = client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "process_resident_memory_bytes" in response.text


def answer_in_process(app, *paths):
    """Ask an application without a server, in the middle of its life."""

    async def answer():
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            return [await client.get(path) for path in paths]

    return asyncio.run(answer())


@pytest.mark.parametrize("observed", [False, True])
def test_opentelemetry_is_asked_only_where_it_can_be_set_up(monkeypatch, observed):
    ask = Mock(wraps=trace.get_tracer_provider)
    monkeypatch.setattr(trace, "get_tracer_provider", ask)
    monkeypatch.setattr(service.app, "OBSERVED", observed)
    answer_in_process(create_app(Settings()), "/livez")
    assert ask.called is observed


def test_the_service_is_alive_but_not_ready_before_its_self_check_passed(monkeypatch):
    async def never(_context):
        await asyncio.Event().wait()

    monkeypatch.setattr(service.api.context, "check_stream", never)
    live, ready = answer_in_process(create_app(Settings()), "/livez", "/readyz")
    assert live.status_code == 200
    assert ready.status_code == 503
    assert ready.headers["Content-Type"] == "application/problem+json"


def test_a_self_check_that_fails_keeps_the_service_from_being_ready(monkeypatch, caplog):
    def fail():
        raise RuntimeError("other bytes")

    monkeypatch.setattr(service.api.context, "check", fail)
    app = create_app(Settings())
    _, _, _, ready = answer_in_process(app, "/livez", "/livez", "/livez", "/readyz")
    assert ready.status_code == 503
