import re

import pytest


def test_the_root_leads_to_the_docs(client):
    response = client.get("/")
    assert (response.status_code, response.headers["Location"]) == (307, "/docs")


def test_the_docs_page_needs_nothing_from_elsewhere(client):
    page = client.get("/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        assert not link.startswith(("http", "//"))
        assert client.get(f"/{link}").status_code == 200


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("favicon.png", "image/png"),
    ],
)
def test_the_files_of_the_page_have_their_types(client, name, media_type):
    response = client.get(f"/docs/{name}")
    assert response.headers["Content-Type"].startswith(media_type)
    assert len(response.content) > 100


@pytest.mark.parametrize("name", ["redoc.standalone.js", "..%2fcore.py", "x", "%2e%2e/openapi.json"])
def test_no_other_file_is_served(client, name):
    assert client.get(f"/docs/{name}").status_code == 404


def test_the_page_shows_the_document_of_the_service(client):
    assert client.get("/openapi.json").json()["info"]["title"] == "weightinit"
    assert "openapi.json" in client.get("/docs/start.js").text
