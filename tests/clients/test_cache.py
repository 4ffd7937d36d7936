"""The cache on disk: one download, whatever happens to it or to those who use it."""

import errno
import multiprocessing
import os
import resource
import signal
import threading
import time
import warnings
from pathlib import Path

import pytest
from filelock import FileLock
from weightinit import CacheWarning, Client, ConfigurationError, ConnectionFailed, Retry
from weightinit.cache import ENTRY, TEMPORARY, TRAILER, Cache
from weightinit.settings import find_cache_directory, resolve_settings

from tests.clients.conftest import make_tensor
from tests.clients.faults import FaultServer, refuse, run, truncate

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
SHAPE = (256, 1024)
fork = multiprocessing.get_context("fork")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def fetch(small_server, folder, make_client):
    """Fetch the short tensor through a client with a cache."""
    client = make_client(small_server.url, cache=folder)
    return lambda seed=1, name="w", **spec: client.weights(SHAPE, seed=seed, name=name, **spec).tobytes()


def find(folder, suffix=ENTRY):
    return sorted(folder.glob(f"*{suffix}"))


def run_child(target, *arguments):
    """Run a function in a child, and return its exit code."""
    child = fork.Process(target=target, args=arguments)
    child.start()
    child.join()
    return child.exitcode


def test_there_is_no_cache_unless_asked_for(small_server, small, make_client, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    client = make_client(small_server.url)
    for _ in range(2):
        client.weights(SHAPE, seed=1, name="w")
    assert len(small_server.requests) == 2
    assert not list(tmp_path.iterdir())


def test_a_tensor_is_downloaded_once(small_server, small, fetch):
    assert fetch() == fetch() == small.tobytes()
    assert len(small_server.requests) == 1


def test_a_kept_tensor_needs_no_service(small, folder, make_client):
    with run(FaultServer(small.tobytes())) as server:
        make_client(server.url, cache=folder).weights(SHAPE, seed=1, name="w")
    client = make_client(server.url, cache=folder, retries=Retry(attempts=1))
    assert client.weights(SHAPE, seed=1, name="w").tobytes() == small.tobytes()
    with pytest.raises(ConnectionFailed):
        client.weights(SHAPE, seed=2, name="w")


def test_a_kept_tensor_goes_straight_to_the_memory_given(small, fetch, small_server, folder, make_client):
    fetch()
    out = bytearray(small.nbytes)
    make_client(small_server.url, cache=folder).fetch(SHAPE, seed=1, name="w", out=out)
    assert out == small.tobytes()
    assert len(small_server.requests) == 1


@pytest.mark.parametrize(
    "other", [{"seed": 2}, {"name": "fc2"}, {"scheme": "he"}, {"dtype": "float32", "groups": 2}]
)
def test_another_spec_is_another_entry(small_server, fetch, folder, other):
    fetch()
    fetch(**other)
    assert len(small_server.requests) == len(find(folder)) == 2


def test_another_service_is_another_entry(small_server, small, fetch, folder, make_client):
    """Another service may have other rules, and draw otherwise."""
    fetch()
    with run(FaultServer(bytes(small.nbytes))) as server:
        fetched = make_client(server.url, cache=folder).weights(SHAPE, seed=1, name="w")
    assert fetched.tobytes() == bytes(small.nbytes)


def test_the_order_of_replicas_does_not_matter(small_server, small, folder, make_client):
    with run(FaultServer(small.tobytes())) as second:
        make_client(small_server.url, second.url, cache=folder).weights(SHAPE, seed=1, name="w")
        make_client(second.url, small_server.url, cache=folder).weights(SHAPE, seed=1, name="w")
    assert len(small_server.requests) + len(second.requests) == 1


@pytest.mark.parametrize(
    "control", ["no-store", "no-store, max-age=60", "max-age=0", "public", "max-age=x", ""]
)
def test_what_may_not_be_kept_is_not(small_server, fetch, folder, control):
    small_server.extra["Cache-Control"] = control
    fetch()
    assert not find(folder)


def test_what_was_kept_for_too_long_is_fetched_again(small_server, fetch, monkeypatch):
    small_server.extra |= {"Cache-Control": "max-age=100", "Age": "40"}
    fetch()
    now = time.time()
    monkeypatch.setattr("weightinit.cache.time.time", lambda: now + 59)
    fetch()
    assert len(small_server.requests) == 1
    monkeypatch.setattr("weightinit.cache.time.time", lambda: now + 61)
    fetch()
    assert len(small_server.requests) == 2


def flip(path):
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def empty(path):
    os.truncate(path, 0)


def lengthen(path):
    with path.open("ab") as file:
        file.write(b"x")


def spoil_trailer(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def put_a_folder_there(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [flip, cut, empty, lengthen, spoil_trailer])
def test_a_damaged_entry_is_downloaded_again(small_server, small, fetch, folder, damage):
    fetch()
    damage(find(folder)[0])
    with pytest.warns(CacheWarning, match="cannot be used .* and is downloaded again"):
        assert fetch() == small.tobytes()
    assert fetch() == small.tobytes()
    assert len(small_server.requests) == 2


def test_an_entry_that_cannot_be_replaced_does_no_harm(small, fetch, folder):
    fetch()
    put_a_folder_there(find(folder)[0])
    with pytest.warns(CacheWarning):
        assert fetch() == small.tobytes()
    assert not find(folder, TEMPORARY)


def test_a_failed_download_is_not_kept(small_server, fetch, folder):
    small_server.script = [refuse(404, b"{}")]
    with pytest.raises(Exception, match="404"):
        fetch()
    assert not find(folder)


def test_a_cache_that_cannot_be_made_does_no_harm(small_server, small, make_client, tmp_path):
    (tmp_path / "file").write_text("in the way")
    client = make_client(small_server.url, cache=tmp_path / "file" / "cache")
    with pytest.warns(CacheWarning, match="cannot be used: Not a directory"):
        assert client.weights(SHAPE, seed=1, name="w").tobytes() == small.tobytes()


def test_a_connection_error_is_no_fault_of_the_cache(folder, make_client):
    """Both are an OSError."""
    client = make_client("http://127.0.0.1:1", cache=folder, retries=Retry(attempts=1))
    with pytest.raises(ConnectionFailed):  # and no warning, which would be an error
        client.weights(SHAPE, seed=1, name="w")


# --- processes ------------------------------------------------------------------------------------


def fetch_together(url, folder, barrier, results):
    with Client(url, cache=folder) as client:
        barrier.wait()
        results.put(client.weights(SHAPE, seed=1, name="w").tobytes() == make_tensor().tobytes())


def test_32_processes_that_want_one_tensor_download_it_once(small_server, folder):
    barrier, results = fork.Barrier(32), fork.SimpleQueue()
    arguments = (small_server.url, folder, barrier, results)
    children = [fork.Process(target=fetch_together, args=arguments) for _ in range(32)]
    for child in children:
        child.start()
    assert [results.get() for _ in children] == [True] * 32
    for child in children:
        child.join()
    results.close()
    assert len(small_server.requests) == 1


def fetch_and_die(url, folder):
    """Be killed in the middle of writing the entry."""

    def write_half_and_die(file, data):
        file.write(data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    import weightinit.cache

    weightinit.cache.write_all = write_half_and_die
    Client(url, cache=folder).weights(SHAPE, seed=1, name="w")


def test_a_writer_that_is_killed_leaves_nothing_that_counts(small_server, small, folder, fetch):
    assert run_child(fetch_and_die, small_server.url, folder) == -signal.SIGKILL
    assert not find(folder)
    assert len(find(folder, TEMPORARY)) == 1
    assert fetch() == small.tobytes()
    assert len(find(folder)) == 1


def test_what_a_killed_writer_left_is_swept_away(small_server, folder, fetch):
    run_child(fetch_and_die, small_server.url, folder)
    for seed in range(2, 4):
        fetch(seed=seed, name="w")
    assert not find(folder, TEMPORARY)


def fetch_and_wait(url, folder):
    Client(url, cache=folder).weights(SHAPE, seed=1, name="w")


def test_a_downloader_that_is_killed_lets_the_next_one_download(small_server, small, folder, fetch):
    asked, fetched = threading.Event(), []

    def stall(exchange):
        asked.set()
        exchange.wait_for_client_to_leave()

    small_server.script = [stall]
    child = fork.Process(target=fetch_and_wait, args=[small_server.url, folder])
    child.start()
    asked.wait()
    waiting = threading.Thread(target=lambda: fetched.append(fetch()))
    waiting.start()
    child.kill()
    waiting.join()
    child.join()
    assert fetched == [small.tobytes()]
    assert child.exitcode == -signal.SIGKILL


def test_what_another_process_is_writing_is_not_swept_away(fetch, folder):
    folder.mkdir()
    for shard in range(256):
        (folder / f"{shard:02x}0.1-1{TEMPORARY}").touch()
    with FileLock(folder / "00.lock"), FileLock(folder / "01.lock"):
        fetch()
    left = {path.name[:2] for path in find(folder, TEMPORARY)}
    assert left == {"00", "01"}


def fetch_with_a_full_disk(url, folder, results):
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, 2**19))
    with warnings.catch_warnings(record=True) as caught, Client(url, cache=folder) as client:
        warnings.simplefilter("always")
        array = client.weights(SHAPE, seed=1, name="w")
    results.put((array.tobytes() == make_tensor().tobytes(), [str(warning.message) for warning in caught]))


def test_a_file_that_may_not_grow_does_no_harm(small_server, folder):
    results = fork.SimpleQueue()
    assert run_child(fetch_with_a_full_disk, small_server.url, folder, results) == 0
    is_right, messages = results.get()
    results.close()
    assert is_right
    assert len(messages) == 1
    assert "cannot be written: File too large" in messages[0]
    assert not find(folder, TEMPORARY)


def test_a_full_disk_does_no_harm(small, fetch, folder, monkeypatch):
    def fail(file, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("weightinit.cache.write_all", fail)
    with pytest.warns(CacheWarning, match="cannot be written: No space left on device"):
        assert fetch() == small.tobytes()
    assert not find(folder, TEMPORARY)


# --- size -----------------------------------------------------------------------------------------


def fill(cache, key, data=b"x" * 100):
    """Take an entry from a cache, and say whether it had to be downloaded."""
    downloads = []

    def download():
        downloads.append(key)
        view[:] = data
        return 1000.0

    view = memoryview(bytearray(len(data)))
    cache.fill(key, view, download)
    assert view == data
    return bool(downloads)


def test_the_least_recently_used_entries_go_first(folder):
    cache = Cache(folder, limit=3 * (100 + TRAILER.size))
    for age, key in enumerate(["aa1", "bb2", "cc3"]):
        fill(cache, key)
        os.utime(folder / (key + ENTRY), (age, age))
    assert not fill(cache, "aa1")
    fill(cache, "dd4")
    assert [path.name for path in find(folder)] == [f"{key}{ENTRY}" for key in ("aa1", "cc3", "dd4")]


def test_what_is_larger_than_the_cache_is_not_kept(folder):
    cache = Cache(folder, limit=50)
    assert fill(cache, "aa1")
    assert fill(cache, "aa1")
    assert not find(folder)


def test_the_entry_just_made_is_not_the_one_to_go(folder):
    cache = Cache(folder, limit=100)
    fill(cache, "aa1")
    assert [path.name for path in find(folder)] == [f"aa1{ENTRY}"]


def test_files_of_others_are_left_alone(folder):
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    fill(Cache(folder, limit=100), "aa1")
    fill(Cache(folder, limit=100), "bb2")
    assert (folder / "notes.txt").exists()


# --- settings -------------------------------------------------------------------------------------


def test_true_is_this_platforms_place(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_cache_directory("linux") == tmp_path / "weightinit"
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert find_cache_directory("win32") == tmp_path / "weightinit"
    assert find_cache_directory("darwin").parts[-3:] == ("Library", "Caches", "weightinit")


def test_a_relative_xdg_cache_home_is_ignored(monkeypatch, tmp_path):  # as its specification says
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_cache_directory("linux") == tmp_path / ".cache" / "weightinit"


def test_without_a_home_a_directory_has_to_be_named(monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    with pytest.raises(ConfigurationError, match="set cache= or WEIGHTINIT_CACHE"):
        resolve_settings(cache=True)


@pytest.mark.parametrize(
    ("text", "cache"),
    [
        ("", None),
        ("0", None),
        ("off", None),
        ("1", "default"),
        ("TRUE", "default"),
        ("/some/where", "/some/where"),
    ],
)
def test_the_environment_turns_the_cache_on(text, cache):
    found = resolve_settings(environment={"WEIGHTINIT_CACHE": text}).cache
    assert found == (find_cache_directory() if cache == "default" else cache and Path(cache))


def test_false_turns_the_cache_off_whatever_the_environment_says():
    assert resolve_settings(cache=False, environment={"WEIGHTINIT_CACHE": "1"}).cache is None


def test_a_truncated_download_is_kept_whole(small_server, small, fetch):
    small_server.script = [truncate(1000)]
    assert fetch() == fetch() == small.tobytes()
