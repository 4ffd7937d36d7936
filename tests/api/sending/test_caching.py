from tests.api.drawing import SMALL, URL


def test_a_tag_that_the_client_has_is_answered_with_304(client):
    etag = client.head(URL).headers["ETag"]
    for field in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        for method in ("GET", "HEAD"):
            response = client.request(method, URL, headers={"If-None-Match": field})
            assert response.status_code == 304
            assert response.content == b""
            assert response.headers["ETag"] == etag
            assert response.headers["Vary"] == "Accept"
            assert "immutable" in response.headers["Cache-Control"]


def test_if_none_match_on_several_lines_is_one_list(client):
    etag = client.head(URL).headers["ETag"]
    response = client.get(URL, headers=[("If-None-Match", '"x"'), ("If-None-Match", etag)])
    assert response.status_code == 304


def test_a_tag_that_is_not_the_current_one_is_answered_with_the_bytes(client, whole):
    assert client.get(URL, headers={"If-None-Match": '"x"'}).content == whole


def test_304_draws_nothing(client, service_server):
    url = "/v1/weights?shape=1048576,1048576&seed=1"
    etag = client.head(url).headers["ETag"]
    before = service_server.read_metric("weightinit_drawn_bytes_total")
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    assert service_server.read_metric("weightinit_drawn_bytes_total") == before


def test_if_match_lets_the_current_tag_through_and_no_other(client):
    etag = client.head(SMALL).headers["ETag"]
    assert client.get(SMALL, headers={"If-Match": f'"x", {etag}'}).status_code == 200
    assert client.get(SMALL, headers={"If-Match": "*"}).status_code == 200
    for field in ('"x"', f"W/{etag}", ""):
        response = client.get(SMALL, headers={"If-Match": field})
        assert response.status_code == 412
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["ETag"] == etag


def test_a_condition_comes_before_a_range(client):
    etag = client.head(URL).headers["ETag"]
    response = client.get(URL, headers={"If-None-Match": etag, "Range": "bytes=0-1"})
    assert response.status_code == 304


def test_dates_say_nothing(client, whole):
    date = "Mon, 23 Nov 2126 16:00:00 GMT"
    assert client.get(URL, headers={"If-Modified-Since": date}).content == whole
    assert client.get(URL, headers={"If-Unmodified-Since": date}).content == whole
