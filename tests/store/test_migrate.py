import logging
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

import service.store.migrate
from service.store import StoreUnavailableError
from service.store.tables import METADATA
from tests.store.places import make_name, put_model


def test_the_migrations_make_the_tables_that_the_code_describes(store):
    put_model(store)
    with store._database.reader.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_half_a_retirement_is_refused_by_the_table_itself(store):
    store.put_name(make_name("a/b/1"), put_model(store), "ada", "")
    halves = [f"{column} = CURRENT_TIMESTAMP" for column in ("retired_at", "retired_author", "retired_note")]
    for half in halves:
        with pytest.raises(Exception, match="ck_names_retired"), store._database.writer.begin() as connection:
            connection.execute(text(f"UPDATE names SET {half}"))


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "migrated by a newer version of the service"),
        ("DROP TABLE alembic_version", "The storage is damaged"),
    ],
    ids=["newer", "none"],
)
def test_tables_of_another_version_are_left_alone(place, store, statement, words):
    model = put_model(store)
    with store._database.writer.begin() as connection:
        connection.execute(text(statement))
    other = place.open()
    for call in (lambda: other.get_model(model), lambda: put_model(other, "b")):
        with pytest.raises(StoreUnavailableError, match=words):
            call()
    other.close()


def test_tables_that_are_dropped_are_not_made_anew(store):
    model = put_model(store)
    with store._database.writer.begin() as connection:
        METADATA.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(StoreUnavailableError, match="The storage failed"):
        store.get_model(model)
    for call in (lambda: store.get_model(model), lambda: put_model(store, "b")):
        with pytest.raises(StoreUnavailableError, match="The storage is gone"):
            call()


def test_a_migration_that_failed_leaves_nothing_and_is_tried_again(place, store, monkeypatch):
    def fail(*_arguments):
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(service.store.migrate.command, "upgrade", fail)
        with pytest.raises(StoreUnavailableError):
            put_model(store)
    assert store.list_names("", None, 10) == []
    assert store.get_model(put_model(store)) is not None


def test_a_migration_that_failed_half_way_is_undone(store, monkeypatch):
    upgrade = service.store.migrate.command.upgrade

    def fail(*arguments):
        upgrade(*arguments)
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(service.store.migrate.command, "upgrade", fail)
        with pytest.raises(StoreUnavailableError):
            put_model(store)
    with store._database.reader.connect() as connection:
        assert service.store.migrate.read_revisions(connection) == set()
    assert store.get_model(put_model(store)) is not None


def test_a_migration_leaves_the_loggers_alone(store):
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("uvicorn").disabled)
    put_model(store)
    assert (root.level, root.handlers, logging.getLogger("uvicorn").disabled) == before


def test_the_wheel_has_the_migrations(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), "."]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], check=True, capture_output=True, text=True
    ).stdout
    assert "service/store/migrations/env.py" in listed
    assert "service/store/migrations/versions/m0001_models_and_names.py" in listed
