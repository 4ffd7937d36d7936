"""The index and the wheel, as PEP 503, 658, 691, 700 and 714 want them, and to real pip and uv."""

import hashlib
import subprocess
import sys
from email.parser import BytesParser
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx
import pytest

import service
from tests.servers import run_server

JSON = "application/vnd.pypi.simple.v1+json"
WHEEL = f"weightinit-{service.__version__}-py3-none-any.whl"


class Anchors(HTMLParser):
    """The attributes of all anchors of a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.found.append(dict(attributes))


def read_anchors(text):
    anchors = Anchors()
    anchors.feed(text)
    return anchors.found


def get_json(client, path):
    return client.get(path, headers={"Accept": JSON}).json()


@pytest.fixture(scope="module")
def file(client):
    (found,) = get_json(client, "/simple/weightinit/")["files"]
    return found


@pytest.fixture(scope="module")
def wheel(client, file):
    return client.get(urljoin("/simple/weightinit/", file["url"])).content


def test_the_index_lists_the_client(client):
    assert get_json(client, "/simple/")["projects"] == [{"name": "weightinit"}]


def test_the_index_in_html_lists_the_client(client):
    assert read_anchors(client.get("/simple/").text) == [{"href": "weightinit/"}]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        # what pip 26 and uv 0.9 send
        (f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", JSON),
        (f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01", JSON),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
    ],
)
def test_the_index_comes_in_the_media_type_that_is_accepted(client, accept, media_type):
    response = client.get("/simple/weightinit/", headers={"Accept": accept} if accept else {})
    assert response.headers["Content-Type"] == media_type


def test_another_media_type_of_the_index_is_not_acceptable(client):
    response = client.get("/simple/", headers={"Accept": "application/vnd.pypi.simple.v2+json"})
    assert response.status_code == 406


def test_the_version_of_the_client_is_that_of_the_service(client, file):
    assert get_json(client, "/simple/weightinit/")["versions"] == [service.__version__]
    assert file["filename"] == WHEEL


def test_the_wheel_has_the_digest_and_the_size_that_the_index_says(file, wheel):
    assert hashlib.sha256(wheel).hexdigest() == file["hashes"]["sha256"]
    assert len(wheel) == file["size"]


def test_the_metadata_beside_the_wheel_has_the_digest_that_the_index_says(client, file):
    metadata = client.get(urljoin("/simple/weightinit/", file["url"]) + ".metadata").content
    assert hashlib.sha256(metadata).hexdigest() == file["core-metadata"]["sha256"]
    assert BytesParser().parsebytes(metadata)["Requires-Python"] == file["requires-python"] == ">=3.11"


def test_the_index_in_html_has_what_that_in_json_has(client, file):
    (anchor,) = read_anchors(client.get("/simple/weightinit/").text)
    assert anchor == {
        "href": f"{file['url']}#sha256={file['hashes']['sha256']}",
        "data-requires-python": file["requires-python"],
        "data-core-metadata": f"sha256={file['core-metadata']['sha256']}",
    }


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/simple", "/simple/"),
        ("/simple/weightinit", "/simple/weightinit/"),
        ("/simple/WeightInit/", "/simple/weightinit/"),
    ],
)
def test_other_spellings_redirect_to_the_normalized_path(client, path, location):
    response = client.get(path)
    assert (response.status_code, response.headers["Location"]) == (308, location)


@pytest.mark.parametrize(
    "path",
    [
        "/simple/numpy/",
        "/simple/numpy",
        "/simple/%2e%2e/",
        f"/packages/{WHEEL}",
        f"/packages/{'0' * 64}/{WHEEL}",
    ],
)
def test_nothing_else_is_there(client, path):
    assert client.get(path).status_code == 404


def test_the_wheel_may_be_kept_for_ever_and_the_index_not(client, file):
    wheel = client.head(urljoin("/simple/weightinit/", file["url"]))
    assert "immutable" in wheel.headers["Cache-Control"]
    assert client.get("/simple/weightinit/").headers["Cache-Control"] == "public, max-age=600"


def test_a_part_of_the_wheel_can_be_requested(client, file, wheel):
    response = client.get(
        urljoin("/simple/weightinit/", file["url"]), headers={"Range": f"bytes={len(wheel) - 22}-"}
    )
    assert response.status_code == 206
    assert response.content == wheel[-22:]


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-m", "pip", "--isolated", "install", "--no-cache-dir", "--no-deps", "--index-url"),
        (
            sys.executable,
            "-m",
            "uv",
            "--no-config",
            "pip",
            "install",
            "--no-cache",
            "--no-deps",
            "--index-url",
        ),
    ],
    ids=["pip", "uv"],
)
def test_the_client_is_installed_from_the_service(service_url, tmp_path, command):
    subprocess.run([*command, f"{service_url}/simple", "--target", tmp_path, "weightinit"], check=True)
    assert f'"{service.__version__}"' in (tmp_path / "weightinit/version.py").read_text("utf-8")


@pytest.fixture(scope="module")
def bare():
    """A service without a wheel, behind a proxy's path."""
    with (
        run_server("--wheel-directory", "/nonexistent", "--root-path", "/below") as server,
        httpx.Client(base_url=server.url) as client,
    ):
        yield client


def test_the_index_of_a_service_without_a_wheel_is_empty(bare):
    assert get_json(bare, "/simple/")["projects"] == []


def test_a_service_without_a_wheel_says_so(bare):
    response = bare.get("/simple/weightinit/")
    assert response.status_code == 404
    assert response.json()["detail"] == "This service was installed without a wheel of the client."


def test_redirects_keep_the_path_of_a_proxy(bare):
    assert bare.get("/simple").headers["Location"] == "/below/simple/"
