"""Files are whole or not there, and gone on with."""

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from weightinit import OutputFailed, Retry, ServerError, Spec, Truncated
from weightinit.download import HEADERS, make_npy_header, save_weights
from weightinit.spec.slices import TensorSlice

from tests.clients.faults import flip_bit, refuse, truncate

SPEC = Spec((256, 1024), seed=1, name="w")
ONCE = Retry(attempts=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.npy"


def save(client, path, spec=SPEC, form="npy"):
    box = TensorSlice.of(None, spec.shape)
    save_weights(client, path, spec, box, HEADERS[form](spec, box))


def list_names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def test_a_file_is_what_numpy_saves(small_server, small, make_client, path, tmp_path):
    save(make_client(small_server.url), path)
    np.save(tmp_path / "numpy.npy", small)
    assert path.read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    assert list_names(path) == ["numpy.npy", "w.npy"]


def test_a_raw_file_is_the_bytes(small_server, small, make_client, path):
    save(make_client(small_server.url), path, form="raw")
    assert path.read_bytes() == small.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_a_header_is_numpys_own(dtype, tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.zeros((3, 5), ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    np.save(tmp_path / "a.npy", array)
    header = make_npy_header(Spec((3, 5), dtype=dtype), TensorSlice.of(None, (3, 5)))
    assert (tmp_path / "a.npy").read_bytes() == header + array.tobytes()


def test_a_file_that_is_there_is_replaced_when_the_new_one_is_whole(small_server, make_client, path):
    path.write_text("old")
    small_server.script = [truncate(1000)]
    with pytest.raises(Truncated):
        save(make_client(small_server.url, retries=ONCE), path)
    assert path.read_text() == "old"
    save(make_client(small_server.url), path)
    assert np.load(path).shape == SPEC.shape


def test_a_download_goes_on_in_another_process(small_server, small, make_client, path):
    small_server.script = [truncate(1000)]
    with pytest.raises(Truncated):
        save(make_client(small_server.url, retries=ONCE), path)
    assert list_names(path) == ["w.npy.part", "w.npy.part.json"]
    save(make_client(small_server.url), path)
    assert small_server.ranges == [None, "bytes=1000-"]
    assert np.load(path).tobytes() == small.tobytes()
    assert list_names(path) == ["w.npy"]


def leave_part(server, make_client, path):
    """Leave a file half done."""
    server.script = [truncate(1000)]
    with pytest.raises(Truncated):
        save(make_client(server.url, retries=ONCE), path)


def test_what_has_changed_meanwhile_starts_again(small_server, make_client, path):
    leave_part(small_server, make_client, path)
    small_server.etag, small_server.body = '"two"', small_server.body[::-1]
    save(make_client(small_server.url), path)
    assert np.load(path).tobytes() == small_server.body


@pytest.mark.parametrize("change", [{"seed": 2}, {"name": "x"}, {"shape": (1024, 256)}])
def test_what_is_of_another_tensor_is_not_gone_on_with(small_server, make_client, path, change):
    from dataclasses import replace

    leave_part(small_server, make_client, path)
    save(make_client(small_server.url), path, replace(SPEC, **change))
    assert small_server.ranges == [None, None]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"query": 1}', '{"etag": null, "query": {}}'])
def test_a_note_that_says_nothing_is_not_gone_by(small_server, small, make_client, path, text):
    leave_part(small_server, make_client, path)
    Path(f"{path}.part.json").write_text(text)
    save(make_client(small_server.url), path)
    assert small_server.ranges == [None, None]
    assert np.load(path).tobytes() == small.tobytes()


def test_a_part_without_a_note_starts_again(small_server, small, make_client, path):
    Path(f"{path}.part").write_bytes(b"someone else's" * 1000)
    save(make_client(small_server.url), path)
    assert np.load(path).tobytes() == small.tobytes()


def test_a_part_that_is_longer_than_the_whole_starts_again(small_server, small, make_client, path):
    leave_part(small_server, make_client, path)
    with Path(f"{path}.part").open("ab") as file:
        file.write(bytes(2 * small.nbytes))
    small_server.script = [refuse(416, content_range="bytes */1048576")]
    save(make_client(small_server.url), path)
    assert np.load(path).tobytes() == small.tobytes()


def test_a_failure_before_the_first_byte_leaves_nothing(small_server, make_client, path):
    small_server.script = [refuse(503)]
    with pytest.raises(ServerError):
        save(make_client(small_server.url, retries=ONCE), path)
    assert list_names(path) == []


def test_the_note_names_the_query_and_the_tag(small_server, make_client, path):
    leave_part(small_server, make_client, path)
    note = json.loads(Path(f"{path}.part.json").read_text())
    assert note == {
        "etag": '"one"',
        "query": {"path": "/v1/weights", "shape": "256,1024", "seed": "1", "name": "w"},
    }


def test_a_file_that_another_process_writes_is_left_to_it(small_server, make_client, path):
    with (
        FileLock(f"{path}.part.lock"),
        pytest.raises(OutputFailed, match="being written by another process"),
    ):
        save(make_client(small_server.url), path)


def test_a_verified_file_is_checked_on_the_disk(small_server, small, make_client, path):
    small_server.script = [flip_bit(at=3)]
    save(make_client(small_server.url, verify=True), path)
    assert np.load(path).tobytes() == small.tobytes()
    assert len(small_server.requests) == 2


def test_a_verified_file_is_checked_as_a_whole_when_it_is_gone_on_with(
    small_server, small, make_client, path
):
    leave_part(small_server, make_client, path)
    with Path(f"{path}.part").open("r+b") as file:
        file.seek(500)
        file.write(b"damage")
    save(make_client(small_server.url, verify=True), path)
    assert np.load(path).tobytes() == small.tobytes()


def test_a_folder_that_is_not_there_is_an_error(small_server, make_client, path):
    with pytest.raises(OutputFailed, match="cannot be written: No such file or directory"):
        save(make_client(small_server.url), path.parent / "missing" / "w.npy")


def test_a_folder_in_the_way_is_an_error(small_server, make_client, path):
    path.mkdir()
    with pytest.raises(OutputFailed, match="cannot be written: Is a directory"):
        save(make_client(small_server.url), path)


def test_a_full_disk_is_an_error_that_can_be_gone_on_from(
    small_server, small, make_client, path, monkeypatch
):
    import weightinit.transport.sinks

    real = weightinit.transport.sinks.write_all
    written = []

    def fill_up(file, data):
        if len(written) >= 2:
            raise OSError(28, os.strerror(28))
        written.append(len(data))
        real(file, data)

    monkeypatch.setattr("weightinit.transport.sinks.FILE_STEP", 300_000)
    monkeypatch.setattr("weightinit.transport.sinks.write_all", fill_up)
    with pytest.raises(OutputFailed, match="cannot be written: No space left on device"):
        save(make_client(small_server.url), path)
    monkeypatch.undo()
    save(make_client(small_server.url), path)
    assert np.load(path).tobytes() == small.tobytes()
    assert small_server.ranges[1].startswith("bytes=")


def test_no_lock_is_left_behind(client, path):
    save(client, path)
    assert list_names(path) == [path.name]


def test_a_link_stays_a_link_to_the_file_that_is_written(client, tmp_path):
    target, link = tmp_path / "target.npy", tmp_path / "link.npy"
    link.symlink_to(target)
    save(client, link)
    assert link.is_symlink()
    assert np.load(target).shape == SPEC.shape


@pytest.mark.parametrize("name", ["w.npy", "w.npy.part"])
def test_a_pipe_is_left_alone(name, client, path, tmp_path):
    os.mkfifo(tmp_path / name)
    with pytest.raises(OutputFailed, match="is not a regular file"):
        save(client, path)
    assert stat.S_ISFIFO((tmp_path / name).lstat().st_mode)


def test_a_link_that_stands_for_the_part_is_not_followed(client, path, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "w.npy.part").symlink_to(victim)
    with pytest.raises(OutputFailed, match="is not a regular file"):
        save(client, path)
    assert victim.read_bytes() == b"precious"
