import base64
import hashlib

from tests.api.drawing import LAYER, SMALL, URL


def test_a_digest_is_that_of_the_whole_even_of_a_range(client, whole):
    expected = f"sha-256=:{base64.b64encode(hashlib.sha256(whole).digest()).decode()}:"
    for headers in ({}, {"Range": "bytes=0-1"}):
        response = client.get(URL, headers={"Want-Repr-Digest": "sha-256=10, sha-512=3", **headers})
        assert response.headers["Repr-Digest"] == expected
    assert client.head(URL, headers={"Want-Repr-Digest": "sha-256=1"}).headers["Repr-Digest"] == expected
    post = client.post("/v1/weights", json=LAYER, headers={"Want-Repr-Digest": "sha-256=1"})
    assert post.headers["Repr-Digest"] == expected


def test_there_is_no_digest_unless_one_is_wanted_that_is_known(client):
    assert "Repr-Digest" not in client.get(SMALL).headers
    assert "Repr-Digest" not in client.get(SMALL, headers={"Want-Repr-Digest": "md5=10"}).headers


def test_the_wish_for_a_digest_of_too_much_is_ignored(client):
    response = client.head(
        "/v1/weights?shape=1048576,1048576&seed=1", headers={"Want-Repr-Digest": "sha-256=1"}
    )
    assert response.status_code == 200
    assert "Repr-Digest" not in response.headers
