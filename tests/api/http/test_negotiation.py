import pytest
from starlette.exceptions import HTTPException

from service.api.content.representation import MEDIA_TYPES, NPY, RAW
from service.api.http.negotiation import choose_media_type


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, NPY),
        ("", NPY),
        ("*/*", NPY),
        ("application/*", NPY),
        ("application/octet-stream", RAW),
        ("APPLICATION/OCTET-STREAM", RAW),
        ("application/x-npy", NPY),
        ("application/octet-stream, application/x-npy", NPY),
        ("application/octet-stream, application/x-npy;q=0.9", RAW),
        ("application/octet-stream, */*", RAW),
        ("application/octet-stream;q=0.5, */*;q=0.5", RAW),
        ("application/octet-stream;q=0.4, */*;q=0.5", NPY),
        ("application/x-npy;q=0, */*", RAW),
        ("application/x-npy;q=0, application/*;q=0.1", RAW),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", NPY),
        ("application/octet-stream ; q=1.000 , text/html", RAW),
        ("nonsense, application/octet-stream", RAW),
        ("application/octet-stream;q=2, */*;q=0.1", NPY),
        ("application/octet-stream;version=1, */*;q=0.1", NPY),
        (",,*/*", NPY),
    ],
)
def test_the_media_type_that_the_client_would_rather_have_is_chosen(accept, chosen):
    assert choose_media_type(accept, MEDIA_TYPES) == chosen


@pytest.mark.parametrize(
    "accept", ["text/html", "*/*;q=0", "application/json", "nonsense", "application", "*", "image/*", "q=1"]
)
def test_an_accept_that_cannot_be_met_is_refused_with_what_there_is(accept):
    with pytest.raises(HTTPException) as caught:
        choose_media_type(accept, MEDIA_TYPES)
    assert caught.value.status_code == 406
    assert NPY in caught.value.detail
    assert RAW in caught.value.detail
