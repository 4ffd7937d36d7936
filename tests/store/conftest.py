import pytest

from tests.store.places import Place


@pytest.fixture
def sqlite_place(tmp_path):
    return Place("sqlite", {"WEIGHTINIT_DATA_DIRECTORY": str(tmp_path / "data")})


@pytest.fixture
def postgres_place(cluster):
    return Place("postgres", {"WEIGHTINIT_DATABASE_URL": cluster.make_database()})


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return request.getfixturevalue(f"{request.param}_place")


@pytest.fixture
def store(place):
    store = place.open()
    yield store
    store.close()
