import asyncio
import re
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from service.api.context import Context
from service.api.monitoring import hide_secrets
from service.app import create_app
from service.settings import Settings


@pytest.mark.parametrize("text", ["a", "b" * 128, 'quo"te \\ and space', "~!"])
def test_an_id_is_sent_back(client, text):
    assert client.get("/livez", headers={"X-Request-ID": text}).headers["X-Request-ID"] == text


@pytest.mark.parametrize("text", [None, "", "b" * 129, "\xe9", "a\tb"])
def test_without_a_valid_id_a_request_gets_a_new_one(service_url, text):
    field = b"" if text is None else b"X-Request-ID: " + text.encode("latin-1") + b"\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(service_url).port)) as connection:
        connection.sendall((b"GET /livez HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n") * 2)
        received = b""
        while received.count(b"x-request-id: ") < 2 or not received.endswith(b"}"):
            received += connection.recv(65536)
    made = re.findall(rb"x-request-id: ([0-9a-f]{32})\r\n", received)
    assert len(set(made)) == 2


def test_the_response_to_a_defect_has_an_id(monkeypatch):
    def fail(_context):
        raise RuntimeError

    async def answer():
        app = create_app(Settings())
        monkeypatch.setattr(Context, "start_check", fail)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/readyz", headers={"X-Request-ID": "defect"})

    response = asyncio.run(answer())
    assert response.status_code == 500
    assert response.headers.get_list("X-Request-ID") == ["defect"]


@pytest.mark.parametrize(
    ("query", "logged"),
    [
        ("", ""),
        ("shape=3,3&seed=1", "shape=3,3&seed=1"),
        ("api_key=a&seed=1", "api_key=***&seed=1"),
        ("a=1&X-Amz-Signature=b", "a=1&X-Amz-Signature=***"),
        ("PASSWORD=a=b=c", "PASSWORD=***"),
        ("a=b=token=c", "a=b=token=***"),
        ("token", "token"),
        ("token=", "token=***"),
        ("name=token", "name=token"),
        ("&&key=a&", "&&key=***&"),
    ],
)
def test_the_values_of_secrets_are_not_logged(query, logged):
    assert hide_secrets(query) == logged
