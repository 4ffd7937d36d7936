import pytest
from starlette.exceptions import HTTPException

from service.api.content.representation import MEDIA_TYPES, NPY, OCTET_STREAM
from service.api.http.negotiation import MAX_RANGES, choose_media_type


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, NPY),
        ("", NPY),
        ("*/*", NPY),
        ("application/*", NPY),
        ("application/octet-stream", OCTET_STREAM),
        ("APPLICATION/OCTET-STREAM", OCTET_STREAM),
        ("application/x-npy", NPY),
        ("application/octet-stream, application/x-npy", NPY),
        ("application/octet-stream, application/x-npy;q=0.9", OCTET_STREAM),
        ("application/octet-stream, */*", OCTET_STREAM),
        ("application/octet-stream;q=0.5, */*;q=0.5", OCTET_STREAM),
        ("application/octet-stream;q=0.4, */*;q=0.5", NPY),
        ("application/x-npy;q=0, */*", OCTET_STREAM),
        ("application/x-npy;q=0, application/*;q=0.1", OCTET_STREAM),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", NPY),
        ("application/octet-stream ; q=1.000 , text/html", OCTET_STREAM),
        ("nonsense, application/octet-stream", OCTET_STREAM),
        ("application/octet-stream;q=2, */*;q=0.1", NPY),
        ("application/octet-stream;version=1, */*;q=0.1", NPY),
        (",,*/*", NPY),
        # What openapi-generator's Python client sends for a path that returns bytes.
        ("application/problem+json", NPY),
    ],
)
def test_the_media_type_that_the_client_would_rather_have_is_chosen(accept, chosen):
    assert choose_media_type(accept, MEDIA_TYPES) == chosen


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "*/*;q=0",
        "application/problem+json, text/html",
        "application/json",
        "nonsense",
        "application",
        "*",
        "image/*",
        "q=1",
    ],
)
def test_an_accept_that_cannot_be_met_is_refused_with_what_there_is(accept):
    with pytest.raises(HTTPException) as caught:
        choose_media_type(accept, MEDIA_TYPES)
    assert caught.value.status_code == 406
    assert NPY in caught.value.detail
    assert OCTET_STREAM in caught.value.detail


def test_media_ranges_after_the_limit_are_disregarded():
    assert choose_media_type("a/b," * (MAX_RANGES - 1) + OCTET_STREAM, MEDIA_TYPES) == OCTET_STREAM
    with pytest.raises(HTTPException):
        choose_media_type("a/b," * MAX_RANGES + OCTET_STREAM, MEDIA_TYPES)
