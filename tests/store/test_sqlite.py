import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from service.settings import Settings
from service.store import Store, StoreUnavailableError
from tests.store.places import make_model, make_name, put_model

NOBODY = 65534


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "some % and ?" / "ключ#"


@pytest.fixture
def path(directory):
    return directory / "weightinit.sqlite3"


@pytest.fixture
def store(directory):
    store = Store.of(Settings(data_directory=directory))
    yield store
    store.close()


@contextmanager
def locked(path):
    """Have another process lock the file as SQLite itself would."""
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('BEGIN EXCLUSIVE'); print(1); "
    command = [sys.executable, "-u", "-c", script + "sys.stdin.read()", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"1\n"
        yield
        process.stdin.close()


def test_the_directory_is_made_by_the_first_write_and_by_no_read(store, directory, path):
    assert store.list_names("", None, 1) == []
    assert not directory.parent.exists()
    put_model(store)
    assert path.is_file()


def test_a_commit_is_on_the_disk_before_it_is_acknowledged(store):
    put_model(store)
    with store._database.writer.connect() as connection:
        answers = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert answers == ["wal", 2, 1]


def test_a_reader_is_answered_while_another_process_writes(store, path):
    model = put_model(store)
    with locked(path):
        assert store.get_model(model) == make_model("a")[1]


@pytest.mark.timeout(60)  # for seconds, not forever
def test_a_writer_waits_for_another_and_then_says_so(store, path):
    model = put_model(store)
    locked_out = pytest.raises(StoreUnavailableError, match="The storage is locked by another process")
    with locked(path), locked_out:
        store.put_name(make_name("a/b/1"), model, "ada", "")
    assert store.put_name(make_name("a/b/1"), model, "ada", "")[1] is True


def test_a_writer_that_waited_not_too_long_writes(store, path):
    model = put_model(store)
    with locked(path):
        done = []
        writer = threading.Thread(
            target=lambda: done.append(store.put_name(make_name("a/b/1"), model, "ada", ""))
        )
        writer.start()
        time.sleep(0.5)
        assert not done
    writer.join(10)
    assert done[0][1] is True


def test_a_file_that_is_no_database_is_called_damaged_and_kept(store, directory, path):
    directory.mkdir(parents=True)
    path.write_bytes(b"not a database, but somebody's work" * 100)
    for call in (lambda: store.get_model("0" * 64), lambda: put_model(store)):
        with pytest.raises(StoreUnavailableError, match="The storage is damaged"):
            call()
    assert path.read_bytes().startswith(b"not a database")


def test_a_page_that_was_overwritten_is_called_damaged(store, path):
    identity, canonical = make_model("x" * 100_000)
    store.put_model(identity, canonical)
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match="The storage is damaged"):
        store.get_model(identity)


def test_an_empty_file_is_a_database_that_nothing_was_written_to(store, directory, path):
    directory.mkdir(parents=True)
    path.touch()
    assert store.get_model("0" * 64) is None
    assert store.get_model(put_model(store)) is not None


def test_a_file_where_the_directory_should_be_is_told(store, directory):
    directory.parent.mkdir()
    directory.touch()
    with pytest.raises(StoreUnavailableError, match="The storage cannot be written to"):
        put_model(store)


def test_a_database_that_another_is_put_in_the_place_of_is_seen(store, directory, tmp_path):
    first = put_model(store, "first")
    store.close()
    shutil.copytree(directory, tmp_path / "backup")
    second = put_model(store, "second")
    shutil.rmtree(directory)
    shutil.move(tmp_path / "backup", directory)
    assert (store.get_model(second), store.get_model(first)) == (None, make_model("first")[1])


@pytest.mark.parametrize("lost", ["directory", "path"])
def test_a_database_that_is_removed_is_not_taken_for_an_empty_one(store, lost, request, tmp_path):
    model = put_model(store)
    lost = request.getfixturevalue(lost)
    lost.rename(tmp_path / "elsewhere")
    for call in (lambda: store.get_model(model), lambda: put_model(store, "b")):
        with pytest.raises(StoreUnavailableError, match="The storage is gone"):
            call()
    assert not lost.exists()
    (tmp_path / "elsewhere").rename(lost)
    assert store.get_model(model) == make_model("a")[1]


def test_an_empty_file_in_the_place_of_a_database_is_not_taken_for_one(store, path):
    model = put_model(store)
    path.rename(path.with_suffix(".old"))
    path.touch()
    with pytest.raises(StoreUnavailableError, match="The storage is gone"):
        store.get_model(model)


def limit_pages(store, count):
    """Let the file have so many pages at most, for the connection that the pool hands out next."""
    with store._database.writer.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={count}")


def test_a_database_that_has_reached_its_size_is_full_and_takes_more_when_it_may_grow(store):
    model = put_model(store)
    identity, canonical = make_model("x" * 100_000)
    limit_pages(store, 20)
    with pytest.raises(StoreUnavailableError, match="The storage has no room left"):
        store.put_model(identity, canonical)
    assert (store.get_model(identity), store.get_model(model)) == (None, make_model("a")[1])
    limit_pages(store, 2**30)
    assert store.put_model(identity, canonical) is True


def test_a_disk_that_takes_no_more_is_told_and_what_was_there_stays(store, path):
    model = put_model(store)
    identity, canonical = make_model("x" * 2**20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, limits[1]))
    try:
        with pytest.raises(StoreUnavailableError, match="The storage is on a disk that fails or is full"):
            store.put_model(identity, canonical)
        assert (store.get_model(identity), store.get_model(model)) == (None, make_model("a")[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.put_model(identity, canonical) is True
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.fixture
def unprivileged():
    """Be somebody whom permissions bind, as root is not."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield
    os.seteuid(user)


@pytest.fixture
def shared():
    """A directory with a database, which everybody may enter and nobody may write to."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        store = Store.of(Settings(data_directory=directory))
        put_model(store)
        store.close()
        directory.chmod(0o555)
        (directory / "weightinit.sqlite3").chmod(0o444)
        yield directory
        directory.chmod(0o755)


def test_a_directory_that_may_not_be_written_to_is_told(shared, unprivileged):
    store = Store.of(Settings(data_directory=shared))
    with pytest.raises(StoreUnavailableError, match=r"The storage cannot be (written to|opened)"):
        put_model(store, "b")
    missing = Store.of(Settings(data_directory=shared / "more"))
    with pytest.raises(StoreUnavailableError, match="The storage cannot be written to"):
        put_model(missing)


@pytest.mark.parametrize(
    ("column", "value"), [("published_at", "'garbage'"), ("published_at", "5"), ("author", "X'ff'")]
)
def test_a_row_that_was_altered_is_called_damaged(store, path, column, value):
    store.put_name(make_name("a/b/1"), put_model(store), "ada", "")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE names SET {column} = {value}")
    with pytest.raises(StoreUnavailableError, match="The storage"):
        store.get_name(make_name("a/b/1"))


def test_other_users_of_the_machine_cannot_read_the_files(sqlite_place):
    store = sqlite_place.open()
    put_model(store)
    folder = store._database.path.parent
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert "weightinit.sqlite3-wal" in modes
    assert {*modes.values()} == {0o600}
    store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_a_file_that_root_makes_belongs_to_the_owner_of_the_directory(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 4711, 4712)
    store = Store.of(Settings(data_directory=folder))
    put_model(store)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()} == {(4711, 4712)}
    store.close()
