import pytest

from tests.api.drawing import LAYER, RAW, URL, draw


@pytest.mark.parametrize(
    ("field", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-127", 0, 128),
        ("bytes=100-200", 100, 201),
        ("bytes=127-128", 127, 129),
        ("bytes=129-130", 129, 131),
        ("bytes=300000-600000", 300000, 600001),
        ("bytes=524415-524417", 524415, 524418),
        ("bytes=7-", 7, 940928),
        ("bytes=0-", 0, 940928),
        ("bytes=-1024", 940928 - 1024, 940928),
        ("bytes=-99999999", 0, 940928),
        ("bytes=940927-", 940927, 940928),
        ("bytes=0-99999999", 0, 940928),
    ],
)
def test_a_range_is_the_same_cut_of_the_whole(client, whole, field, start, stop):
    response = client.get(URL, headers={"Range": field})
    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    assert int(response.headers["Content-Length"]) == stop - start
    assert response.headers["ETag"] == client.head(URL).headers["ETag"]
    assert response.content == whole[start:stop]


def test_a_range_of_the_bare_elements_counts_from_the_first(client):
    response = client.get(URL, headers={**RAW, "Range": "bytes=6-17"})
    assert response.content == draw(**LAYER).tobytes()[6:18]


@pytest.mark.parametrize("field", ["bytes=940928-", "bytes=99999999999999999999999999-", "bytes=-0"])
def test_a_range_without_a_byte_is_answered_with_416(client, whole, field):
    response = client.get(URL, headers={"Range": field})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(whole)}"
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "field", ["bytes=5-2", "bytes=x-y", "rows=0-1", "bytes", "bytes=", "0-1", "bytes=0-1,5-2"]
)
def test_a_range_that_cannot_be_read_is_ignored(client, whole, field):
    response = client.get(URL, headers={"Range": field})
    assert (response.status_code, response.content) == (200, whole)


def test_several_ranges_are_answered_with_the_whole(client, whole):
    for headers in ([("Range", "bytes=0-1,4-5")], [("Range", "bytes=0-1"), ("Range", "bytes=4-5")]):
        response = client.get(URL, headers=headers)
        assert (response.status_code, response.content) == (200, whole)


def test_head_and_post_know_no_ranges(client, whole):
    head = client.head(URL, headers={"Range": "bytes=0-1"})
    assert (head.status_code, int(head.headers["Content-Length"])) == (200, len(whole))
    post = client.post("/v1/weights", json=LAYER, headers={"Range": "bytes=0-1"})
    assert (post.status_code, post.content) == (200, whole)


def test_if_range_keeps_the_range_for_the_very_tag_alone(client, whole):
    etag = client.head(URL).headers["ETag"]
    kept = client.get(URL, headers={"Range": "bytes=0-1", "If-Range": etag})
    assert (kept.status_code, kept.content) == (206, whole[:2])
    for field in (f"W/{etag}", '"x"', "Mon, 23 Nov 2126 16:00:00 GMT"):
        response = client.get(URL, headers={"Range": "bytes=0-1", "If-Range": field})
        assert (response.status_code, response.content) == (200, whole)


def test_a_range_of_a_tensor_of_a_pebibyte_draws_no_more_than_it_answers(client, service_server):
    url = "/v1/weights?shape=16777216,16777216&seed=5"
    length = 2**50 + 128
    before = service_server.read_metric("weightinit_drawn_bytes_total")
    tail = client.get(url, headers={"Range": "bytes=-1024"})
    assert tail.headers["Content-Range"] == f"bytes {length - 1024}-{length - 1}/{length}"
    row = client.get(f"{url}&slice=16777215:,16776960:", headers=RAW)
    assert tail.content == row.content
    assert service_server.read_metric("weightinit_drawn_bytes_total") - before == 2048
