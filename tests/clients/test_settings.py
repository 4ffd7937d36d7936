"""Settings: an argument, else the environment, else a default."""

import pytest
from weightinit import Client, ConfigurationError, Retry, default_client
from weightinit.settings import resolve_settings


def resolve(environment=(), **arguments):
    return resolve_settings(environment=dict(environment), **arguments)


def test_the_defaults():
    settings = resolve()
    assert settings.endpoints == ("http://127.0.0.1:8000",)
    assert settings.token is None
    assert settings.timeout == 30
    assert settings.cache is None
    assert settings.cache_limit == 10 * 2**30
    assert not settings.verify
    assert settings.retry == Retry(attempts=6)


def test_the_environment():
    settings = resolve(
        {
            "WEIGHTINIT_URL": "http://a:1, http://b:2/",
            "WEIGHTINIT_TOKEN": "secret",
            "WEIGHTINIT_TIMEOUT": "2.5",
            "WEIGHTINIT_CACHE": "/tmp/cache",
            "WEIGHTINIT_CACHE_GIB": "0.5",
            "WEIGHTINIT_VERIFY": "yes",
        }
    )
    assert settings.endpoints == ("http://a:1", "http://b:2")
    assert settings.token == "secret"
    assert settings.timeout == 2.5
    assert str(settings.cache) == "/tmp/cache"
    assert settings.cache_limit == 2**29
    assert settings.verify


def test_arguments_go_first():
    said = {"WEIGHTINIT_URL": "http://a", "WEIGHTINIT_TIMEOUT": "1", "WEIGHTINIT_VERIFY": "1"}
    settings = resolve(said, url="http://b", timeout=2, verify=False, retries=Retry(attempts=1))
    assert (settings.endpoints, settings.timeout, settings.verify) == (("http://b",), 2, False)
    assert settings.retry.attempts == 1


def test_what_is_set_to_nothing_is_not_set():
    settings = resolve(dict.fromkeys(["WEIGHTINIT_URL", "WEIGHTINIT_TOKEN", "WEIGHTINIT_TIMEOUT"], ""))
    assert settings == resolve()


@pytest.mark.parametrize("retries", [0, 1, 10])
def test_retries_come_after_the_first_attempt(retries):
    assert resolve(retries=retries).retry.attempts == retries + 1


@pytest.mark.parametrize("timeout", ["0", "-1", "soon", "nan", "inf"])
def test_an_impossible_timeout_is_refused(timeout):
    with pytest.raises(ConfigurationError, match="timeout must be a number greater than 0"):
        resolve({"WEIGHTINIT_TIMEOUT": timeout})


def test_an_impossible_switch_is_refused():
    with pytest.raises(ConfigurationError, match="WEIGHTINIT_VERIFY must be 1 or 0; received 'perhaps'"):
        resolve({"WEIGHTINIT_VERIFY": "perhaps"})


def test_the_environment_is_read_when_a_client_is_made(monkeypatch):
    monkeypatch.setenv("WEIGHTINIT_URL", "http://elsewhere:1")
    assert repr(Client()) == "weightinit.Client('http://elsewhere:1')"


def test_the_default_client_is_one():
    default_client.cache_clear()
    assert default_client() is default_client()
    default_client.cache_clear()
