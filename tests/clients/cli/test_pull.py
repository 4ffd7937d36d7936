"""A model's file is whole or not there, whatever happens on the way."""

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from safetensors import safe_open
from weightinit import DigestMissing, Model, OutputFailed, Part, Retry, Spec, TensorSpec, Truncated

from tests.clients.faults import FaultServer, flip_bit, refuse, run, truncate

MODEL = "0123456789abcdef" * 4
ONCE = Retry(attempts=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.safetensors"


def list_names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def leave_part(server, make_client, path):
    """Leave a file half done."""
    server.script = [truncate(1000)]
    with pytest.raises(Truncated):
        make_client(server.url, retries=ONCE).pull(MODEL, path)


def test_the_file_is_the_bytes_and_the_sha_256_is_the_files(server, tensor, make_client, path):
    digest = make_client(server.url).pull(MODEL, path)
    assert path.read_bytes() == tensor.tobytes()
    assert digest == hashlib.sha256(tensor.tobytes()).hexdigest()
    assert list_names(path) == ["m.safetensors"]
    assert server.requests[0].path == f"/v1/models/{MODEL}/weights"


def test_a_path_may_be_text(small_server, make_client, path):
    make_client(small_server.url).pull(MODEL, str(path))
    assert path.exists()


def test_a_connection_that_breaks_is_gone_on_from(server, tensor, make_client, path):
    server.script = [truncate(600_000), truncate(100), refuse(503)]
    make_client(server.url).pull(MODEL, path)
    assert server.ranges == [None, "bytes=600000-", "bytes=600100-", "bytes=600100-"]
    assert path.read_bytes() == tensor.tobytes()


def test_a_download_goes_on_in_another_call(small_server, small, make_client, path):
    leave_part(small_server, make_client, path)
    assert list_names(path) == ["m.safetensors.part", "m.safetensors.part.json"]
    digest = make_client(small_server.url).pull(MODEL, path)
    assert small_server.ranges == [None, "bytes=1000-"]
    assert digest == hashlib.sha256(small.tobytes()).hexdigest()


def test_a_file_that_is_there_stays_until_the_new_one_is_whole(small_server, make_client, path):
    path.write_text("old")
    leave_part(small_server, make_client, path)
    assert path.read_text() == "old"


def test_what_has_changed_meanwhile_starts_again(small_server, make_client, path):
    leave_part(small_server, make_client, path)
    small_server.etag, small_server.body = '"two"', small_server.body[::-1]
    make_client(small_server.url).pull(MODEL, path)
    assert path.read_bytes() == small_server.body


def test_a_range_that_is_ignored_starts_again(small_server, small, make_client, path):
    def ignore_range(exchange):
        exchange.request.headers.pop("range")
        exchange.answer(exchange.make_answer())

    leave_part(small_server, make_client, path)
    small_server.script = [ignore_range]
    make_client(small_server.url).pull(MODEL, path)
    assert path.read_bytes() == small.tobytes()


def test_another_model_is_not_gone_on_with(small_server, make_client, path):
    leave_part(small_server, make_client, path)
    make_client(small_server.url).pull(MODEL[::-1], path)
    assert small_server.ranges == [None, None]


def test_a_verified_file_is_mended(small_server, small, make_client, path):
    small_server.script = [flip_bit(at=3)]
    digest = make_client(small_server.url, verify=True).pull(MODEL, path)
    assert len(small_server.requests) == 2
    assert path.read_bytes() == small.tobytes()
    assert digest == hashlib.sha256(small.tobytes()).hexdigest()


def test_what_cannot_be_verified_is_an_error(small_server, make_client, path):
    small_server.digests = False
    with pytest.raises(DigestMissing):
        make_client(small_server.url, verify=True).pull(MODEL, path)
    assert list_names(path) == []


def test_an_answer_without_a_byte_leaves_nothing(small_server, make_client, path):
    small_server.script = [truncate(0)]
    with pytest.raises(Truncated):
        make_client(small_server.url, retries=ONCE).pull(MODEL, path)
    assert list_names(path) == []


def test_a_folder_in_the_place_of_the_file_is_an_error_and_leaves_nothing(small_server, make_client, path):
    path.mkdir()
    with pytest.raises(OutputFailed, match="cannot be written: Is a directory"):
        make_client(small_server.url).pull(MODEL, path)
    assert list_names(path) == ["m.safetensors"]
    assert list(path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(small_server, make_client, path):
    with pytest.raises(OutputFailed, match="cannot be written"):
        make_client(small_server.url).pull(MODEL, path.parent / "missing" / "m.safetensors")


def test_a_killed_pull_is_gone_on_with(small, path, make_client, monkeypatch):
    """kill -9 in the middle, then the same command again."""
    sent, over = threading.Event(), threading.Event()

    def stall(exchange):
        answer = exchange.make_answer()
        answer.body = answer.body[:500_000]
        exchange.answer(answer)
        sent.set()
        over.wait()

    with run(FaultServer(small.tobytes(), script=[stall])) as server:
        monkeypatch.setenv("WEIGHTINIT_URL", server.url)
        command = [sys.executable, "-m", "weightinit", "pull", MODEL, "-o", str(path)]
        process = subprocess.Popen(command)
        sent.wait()
        process.kill()
        process.wait()
        assert not path.exists()
        over.set()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert path.read_bytes() == small.tobytes()
    assert done.stdout == f"{hashlib.sha256(small.tobytes()).hexdigest()}  {path}\n"


# --- a real service -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(client):
    drawn = (
        Part.of(Spec((300, 1000), dtype=dtype, name=dtype)) for dtype in ("float32", "float16", "bfloat16")
    )
    tensors = [TensorSpec.of(part.spec.name, part) for part in drawn]
    return client.publish(
        Model(42, (*tensors, TensorSpec.of("ones", Part.constant((3, 5), 1), dtype="float64")))
    )


def test_a_file_is_one_of_safetensors(client, published, path):
    client.pull(published.id, path)
    with safe_open(path, "numpy") as file:
        assert sorted(file.keys()) == ["bfloat16", "float16", "float32", "ones"]
        assert file.metadata()["weightinit.model"] == published.id
        array = file.get_tensor("float32")
    assert array.tobytes() == client.weights((300, 1000), seed=42, name="float32").tobytes()


def test_a_file_that_was_cut_off_is_gone_on_with(client, published, path):
    """Its first byte is changed, so that it shows whether it was fetched again."""
    client.pull(published.id, path)
    whole = b"?" + path.read_bytes()[1:]
    note = {"etag": find_etag(client, published.id), "query": {"path": f"/v1/models/{published.id}/weights"}}
    Path(f"{path}.part").write_bytes(whole[:1_000_003])
    Path(f"{path}.part.json").write_text(json.dumps(note))
    client.pull(published.id, path)
    assert path.read_bytes() == whole


def find_etag(client, model):
    import httpx

    (endpoint,) = client._settings.endpoints
    headers = {"Accept": "application/octet-stream"}
    return httpx.head(f"{endpoint}/v1/models/{model}/weights", headers=headers).headers["ETag"]


def test_a_verified_file_has_the_digest_that_the_service_says(service_url, make_client, published, path):
    digest = make_client(service_url, verify=True).pull(published.id, path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
