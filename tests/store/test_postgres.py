import psycopg
import pytest

from service.settings import Settings
from service.store import Store, StoreUnavailableError
from tests.postgres import PASSWORD
from tests.store.places import make_model, make_name, put_model


def open_store(url):
    return Store.of(Settings(database_url=url))


@pytest.fixture
def url(postgres_place):
    return postgres_place.environment["WEIGHTINIT_DATABASE_URL"]


@pytest.fixture
def store(url):
    store = open_store(url)
    yield store
    store.close()


def test_a_url_may_begin_with_postgres_and_say_what_the_driver_takes(url):
    store = open_store(url.replace("postgresql:", "postgres:") + "?application_name=mine&connect_timeout=9")
    put_model(store)
    with store._database.reader.connect() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar() == "mine"
    store.close()


def test_what_the_url_says_of_timeouts_goes_before(url):
    store = open_store(url + "?options=-c%20statement_timeout%3D7777")
    with store._database.reader.connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "7777ms"
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "3s"
    store.close()


def test_a_server_that_was_stopped_is_told_and_found_again_when_it_is_back(cluster, store):
    model = put_model(store)
    cluster.stop()
    try:
        for call in (lambda: store.get_model(model), lambda: put_model(store, "b")):
            with pytest.raises(StoreUnavailableError, match=r"The storage (cannot be reached|was shut down)"):
                call()
    finally:
        cluster.start()
    assert store.get_model(model) == make_model("a")[1]
    assert store.put_model(*make_model("b")) is True


def test_a_server_that_was_restarted_meanwhile_costs_no_call(cluster, store):
    model = put_model(store)
    cluster.stop()
    cluster.start()
    assert store.get_model(model) == make_model("a")[1]


@pytest.mark.timeout(60)
def test_a_server_that_takes_connections_and_never_answers_is_told_in_seconds(cluster, url):
    store = open_store(url)
    with cluster.frozen(), pytest.raises(StoreUnavailableError, match="The storage cannot be reached"):
        store.get_model("0" * 64)
    assert store.get_model("0" * 64) is None
    store.close()


@pytest.mark.timeout(60)
def test_a_table_that_another_has_locked_is_told_in_seconds(store, url):
    model = put_model(store)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE names IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailableError, match="The storage is locked by another process"):
            store.put_name(make_name("a/b/1"), model, "ada", "")
    assert store.put_name(make_name("a/b/1"), model, "ada", "")[1] is True


def test_a_migration_that_another_process_is_at_is_waited_for_for_seconds(store, url):
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [0x77656967687469])
        with pytest.raises(StoreUnavailableError, match="The storage is locked by another process"):
            put_model(store)
    assert store.get_model(put_model(store)) is not None


def test_a_database_that_is_read_only_answers_reads_and_says_so_of_writes(cluster, store, url):
    model = put_model(store)
    store.close()
    cluster.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
    assert store.get_model(model) == make_model("a")[1]
    with pytest.raises(StoreUnavailableError, match="The storage cannot be written to"):
        put_model(store, "b")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"database": "none"}, 'database "none" does not exist'),
        ({"password": "octopus-53"}, "password authentication failed"),
    ],
)
def test_what_is_wrong_with_a_url_is_logged_without_its_password(cluster, wrong, reason, caplog):
    store = open_store(cluster.make_url(**wrong))
    with pytest.raises(StoreUnavailableError, match="The storage cannot be reached") as told:
        store.get_model("0" * 64)
    assert reason in caplog.text
    texts = caplog.text + str(told.value) + repr(told.value)
    assert PASSWORD not in texts
    assert "octopus-53" not in texts


def test_a_host_that_is_not_there_is_told():
    store = open_store("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailableError, match="The storage cannot be reached"):
        store.get_model("0" * 64)
