import logging

import psycopg
import pytest
from psycopg import errors

from service.store import StoreUnavailableError
from service.store.errors import explain, translate_errors


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.DiskFull(), "has no room left"),
        (errors.TooManyConnections(), "has too many connections"),
        (errors.OutOfMemory(), "has no resources left"),
        (errors.InsufficientPrivilege(), "does not grant the permissions that the service needs"),
        (errors.QueryCanceled(), "did not respond in time"),
        (errors.LockNotAvailable(), "is locked by another process"),
        (errors.AdminShutdown(), "was shut down"),
        (errors.ReadOnlySqlTransaction(), "cannot be written to"),
        (errors.DataCorrupted(), "is damaged"),
        (errors.UndefinedTable(), "failed"),
        (psycopg.OperationalError("no code: there was no server to send one"), "cannot be reached"),
    ],
)
def test_a_code_of_postgresql_is_explained(error, message):
    assert explain(error) == message


@pytest.mark.parametrize(
    "text",
    ["at postgresql://ada:sword-47@db/x it broke", "host=db password=sword-47 dbname=x", "PASSWORD=sword-47"],
)
def test_a_password_in_what_a_driver_says_is_not_logged(text, caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(StoreUnavailableError), translate_errors():
        raise OSError(text)
    assert "the store failed: OSError" in caplog.text
    assert "sword-47" not in caplog.text


def test_an_error_of_ours_is_not_blamed_on_the_storage():
    with pytest.raises(KeyError), translate_errors():
        raise KeyError("a defect")
