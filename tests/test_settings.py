import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from service.settings import Settings
from tests.servers import run_server


def run(*arguments, **environment):
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "x"], "--port: input should be a valid integer"),
        (["--port", "65536"], "--port: input should be less than or equal to 65535; received '65536'"),
        (["--workers", "0"], "--workers: input should be greater than or equal to 1; received '0'"),
        (
            ["--max-team-bytes", str(2**63)],
            "--max-team-bytes: input should be less than or equal to 9223372036854775807",
        ),
        (["--log-level", "loud"], "--log-level: input should be "),
        (["--root-path", "weights/"], "--root-path: string should match pattern"),
    ],
)
def test_a_wrong_option_is_told_in_a_line(arguments, message):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(f"weightinit: {message}")
    assert result.stderr.count("\n") == 1


def test_a_wrong_variable_is_told_by_its_name():
    result = run(WEIGHTINIT_MAX_RANK="9", WEIGHTINIT_PORT="")
    assert result.returncode == 2
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == [
        "WEIGHTINIT_PORT",
        "WEIGHTINIT_MAX_RANK",
    ]


def test_an_empty_directory_is_not_the_current_one():
    result = run(WEIGHTINIT_DATA_DIRECTORY="")
    assert result.returncode == 2
    assert result.stderr == "weightinit: WEIGHTINIT_DATA_DIRECTORY: must not be empty; received ''\n"
    assert (
        run("--data-directory", "").stderr == "weightinit: --data-directory: must not be empty; received ''\n"
    )


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ada:sword-47@host/base",
        "sqlite:///sword-47",
        "postgresql+asyncpg://ada:sword-47@host/base",
        "ada:sword-47@host",
        "postgresql://ada:sword-47@host:port/base",
        "sword-47",
    ],
)
def test_a_wrong_url_of_a_database_is_told_in_a_line_without_its_password(url):
    rule = "must be postgresql://user:password@host:port/database\n"
    assert run("--database-url", url).stderr == f"weightinit: --database-url: {rule}"
    result = run(WEIGHTINIT_DATABASE_URL=url)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"weightinit: WEIGHTINIT_DATABASE_URL: {rule}"


def test_the_password_of_a_database_is_in_no_text_of_the_settings():
    settings = Settings(database_url="postgresql://ada:sword-47@host/base")
    assert "sword-47" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    with pytest.raises(ValidationError) as refused:
        Settings(database_url="mysql://ada:sword-47@host/base")
    assert "sword-47" not in str(refused.value)
    assert (
        "sword-47" not in run("--help", WEIGHTINIT_DATABASE_URL="postgresql://ada:sword-47@host/base").stdout
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_DATA_HOME": "/srv/data", "HOME": "/home/ada"}, "/srv/data/weightinit"),
        ({"XDG_DATA_HOME": "data", "HOME": "/home/ada"}, "/home/ada/.local/share/weightinit"),
        ({"HOME": "/home/ada"}, "/home/ada/.local/share/weightinit"),
    ],
)
def test_models_are_kept_where_the_users_data_belong(environment, expected):
    assert f"(default: {expected})" in " ".join(run("--help", **environment).stdout.split())


def test_a_user_without_a_home_keeps_models_with_the_systems_data(monkeypatch):
    def fail():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", fail)
    assert Settings().data_directory == Path("/var/lib/weightinit")


def test_an_unknown_option_is_an_error():
    result = run("--prot=8000")
    assert result.returncode == 2
    assert "--prot" in result.stderr


def test_every_setting_is_an_option_with_its_default():
    text = run("--help").stdout
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert field.description
    assert "(default: 8000)" in text


def test_an_option_goes_before_a_variable():
    with run_server("--max-rank", "2", WEIGHTINIT_MAX_RANK="1", WEIGHTINIT_MAX_ELEMENTS="100") as server:
        assert httpx.get(f"{server.url}/v1/parameters?shape=10,10").status_code == 200
        assert httpx.get(f"{server.url}/v1/parameters?shape=10,11").status_code == 422
        deep = httpx.get(f"{server.url}/v1/parameters?shape=3,3,3").json()
        assert deep["errors"][0]["rule"] == "must have at most 2 axes"


def test_the_limits_of_bodies_and_digests_can_be_set():
    with run_server("--max-body-bytes", "40", "--max-digest-bytes", "200") as server:
        url = f"{server.url}/v1/weights"
        assert httpx.post(url, json={"shape": [3, 3], "seed": 1}).status_code == 200
        assert httpx.post(url, json={"shape": [3, 3], "seed": 1, "name": "a" * 40}).status_code == 413
        want = {"Want-Repr-Digest": "sha-256=1"}
        assert "Repr-Digest" in httpx.get(f"{url}?shape=3,3&seed=1", headers=want).headers
        assert "Repr-Digest" not in httpx.get(f"{url}?shape=9,9&seed=1", headers=want).headers


def test_large_bodies_beyond_the_limit_are_put_off():
    with run_server("--max-streams", "1") as server:
        large = f"{server.url}/v1/weights?shape=65536,65536&seed=1"
        with httpx.stream("GET", large) as first:
            assert first.status_code == 200
            second = httpx.get(large)
            assert second.status_code == 503
            assert second.headers["Retry-After"] == "1"
            assert httpx.get(f"{server.url}/v1/weights?shape=9,9&seed=1").status_code == 200
            assert httpx.head(large).status_code == 200


def test_the_path_that_a_proxy_puts_before_ours_is_in_every_link():
    with run_server("--root-path", "/init") as server:
        weights = httpx.post(f"{server.url}/v1/weights", json={"shape": [3, 3], "seed": 1})
        assert weights.headers["Content-Location"] == "/init/v1/weights?shape=3,3&seed=1"
        assert weights.headers["Link"].startswith("</init/v1/parameters?shape=3,3>")
        assert httpx.get(f"{server.url}/").headers["Location"] == "/init/docs"


def test_several_processes_draw_the_same_and_count_together():
    with run_server("--workers", "2") as server:
        url = f"{server.url}/v1/weights?shape=300,300&seed=1"
        bodies = {httpx.get(url).content for _ in range(20)}
        assert len(bodies) == 1
        assert server.read_metric("weightinit_drawn_bytes_total") == 20 * len(bodies.pop())
        found = re.search(
            r'weightinit_requests_total{method="GET",route="/v1/weights",status="200"} (\S+)',
            httpx.get(f"{server.url}/metrics").text,
        )
        assert float(found[1]) == 20


def test_a_request_is_logged_where_that_is_asked_for():
    with run_server("--access-log", "true") as server:
        httpx.get(f"{server.url}/livez")
    assert [line for line in server.log if '"GET /livez HTTP/1.1" 200' in line]
