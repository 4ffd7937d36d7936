"""What a model has, by a name that stands for it."""

import itertools
from urllib.parse import quote

import pytest

from tests.api.published import MODEL, publish

NUMBERS = itertools.count()
PATHS = ["/parameters", "/weights", "/weights/conv.weight"]
each_path = pytest.mark.parametrize("path", PATHS)


@pytest.fixture(scope="module")
def model(client):
    """The URL of a model."""
    return publish(client, MODEL)


@pytest.fixture
def name(client, model):
    """The URL of a name that stands for it."""
    url = f"/v1/names/team/named{next(NUMBERS)}/1.0"
    client.put(url, json={"model": model.rpartition("/")[2], "author": "ada"}).raise_for_status()
    return url


@each_path
def test_a_name_leads_to_what_its_model_has(client, name, model, path):
    response = client.get(name + path)
    assert (response.status_code, response.headers["Location"]) == (307, model + path)
    followed = client.get(name + path, follow_redirects=True)
    assert followed.content == client.get(model + path).content


@each_path
def test_it_does_so_for_a_minute_since_a_name_may_be_retired(client, name, path):
    assert client.get(name + path).headers["Cache-Control"] == "public, max-age=60"


@each_path
def test_head_is_led_there_too(client, name, model, path):
    response = client.head(name + path)
    assert (response.status_code, response.headers["Location"]) == (307, model + path)
    assert response.content == b""


@pytest.mark.parametrize(
    "query", ["slice=0:4", "slice=0:4,:,:,:", "slice=0%3A4", "slice=0:4&slice=0:5", "a=%20+b;c", "x=%zz"]
)
def test_the_query_is_kept_as_it_came(client, name, model, query):
    location = client.get(f"{name}/weights/conv.weight?{query}").headers["Location"]
    assert location == f"{model}/weights/conv.weight?{query}"


def test_a_slice_of_a_tensor_is_that_of_the_model(client, name, model):
    path = "/weights/conv.weight?slice=0:4"
    followed = client.get(name + path, follow_redirects=True)
    assert (followed.status_code, followed.content) == (200, client.get(model + path).content)


def test_a_range_is_answered_where_the_name_leads(client, name, model):
    headers = {"Range": "bytes=100-199"}
    followed = client.get(f"{name}/weights", headers=headers, follow_redirects=True)
    assert (followed.status_code, followed.content) == (
        206,
        client.get(f"{model}/weights").content[100:200],
    )


@pytest.mark.parametrize("tensor", ["attention/in_proj_weight", "große Ebene ⚖/kernel"])
@pytest.mark.parametrize("safe", ["/", ""])
def test_a_tensor_of_any_name_is_found(client, name, model, tensor, safe):
    path = f"/weights/{quote(tensor, safe=safe)}"
    followed = client.get(name + path, follow_redirects=True)
    assert (followed.status_code, followed.content) == (200, client.get(model + path).content)


def test_a_tensor_that_the_model_has_not_is_404_there(client, name):
    assert client.get(f"{name}/weights/conv.wieght", follow_redirects=True).status_code == 404


@each_path
def test_a_name_that_nothing_was_published_under_is_404(client, path):
    response = client.get(f"/v1/names/team/nothing/1.0{path}")
    assert (response.status_code, response.headers["Cache-Control"]) == (404, "no-store")
    assert response.json()["detail"] == "No model is published under the name team/nothing/1.0."


@each_path
def test_a_retired_name_is_410_as_the_name_itself_is(client, name, path):
    client.delete(name, params={"author": "grace", "note": "superseded"}).raise_for_status()
    response = client.get(name + path)
    assert response.status_code == 410
    assert response.json() == client.get(name).json()


@each_path
def test_what_is_no_name_is_422(client, path):
    response = client.get(f"/v1/names/team/-x/1.0{path}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "name"


@each_path
def test_options_lists_the_methods(client, name, path):
    assert client.options(name + path).headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_tensor_that_is_no_utf_8_is_422(client, name):
    assert client.get(f"{name}/weights/%ff").status_code == 422
