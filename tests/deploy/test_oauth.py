"""Apache with deploy/apache/oauth.conf, in front of a service, with an OpenID provider for tests."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from weightinit import Client, Unauthorized

from tests.api.tokens import bear, create_token, publish_model, publish_name
from tests.deploy.proxies import run_apache, run_provider
from tests.servers import run_server

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("trust")]

WEIGHTS = "/v1/weights?shape=300,200&name=w&seed=1"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def server(data):
    access = {
        "WEIGHTINIT_READ_ACCESS": "token",
        "WEIGHTINIT_WRITE_ACCESS": "token",
        "WEIGHTINIT_TRUSTED_PROXIES": "127.0.0.1",
    }
    with run_server(WEIGHTINIT_DATA_DIRECTORY=str(data), **access) as server:
        yield server


@pytest.fixture(scope="module")
def provider():
    with run_provider() as url:
        yield url


@pytest.fixture(scope="module")
def proxy(server, data, provider):
    secrets = {
        "WEIGHTINIT_READ_TOKEN": create_token(data, "read", team="*"),
        "OIDC_CLIENT_SECRET": "swordfish-47",
        "OIDC_PASSPHRASE": "a long random text",
    }
    with run_apache(server.port, provider, **secrets) as proxy:
        yield proxy


@pytest.fixture
def browser(proxy):
    """A browser that has not logged in."""
    with proxy.connect(headers=BROWSER) as client:
        yield client


@pytest.fixture
def person(browser):
    """A browser that has logged in at the provider, on its way to /docs."""
    assert log_in(browser, "/docs").status_code == 200
    return browser


def log_in(browser, path):
    """Request a page, log in where the redirect leads, and return the page."""
    form = browser.get(browser.get(path).headers["location"])
    return browser.post(form.url, data={"sub": "ada"}, follow_redirects=True)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/", WEIGHTS, "/v1/names", "/nothing", "//docs"])
def test_a_browser_is_sent_to_log_in(browser, provider, proxy, path):
    response = browser.get(path)
    assert response.status_code == 302
    assert response.headers["location"].startswith(f"{provider}/oauth2/authorize?")
    wanted = parse_qs(urlsplit(response.headers["location"]).query)["redirect_uri"]
    assert wanted == [f"{proxy.url}/oauth/callback"]


def test_a_login_ends_on_the_page_that_was_wanted(browser, proxy):
    response = log_in(browser, "/docs")
    assert (response.status_code, str(response.url)) == (200, f"{proxy.url}/docs")
    assert "swagger-ui" in response.text


def test_a_login_that_is_denied_opens_nothing(browser):
    form = browser.get(browser.get("/docs").headers["location"])
    browser.post(form.url, data={"action": "deny"}, follow_redirects=True)
    assert browser.get("/docs").status_code == 302


def test_who_has_logged_in_reads(person, proxy, data):
    with Client(proxy.url, token=create_token(data, "read"), retries=0) as client:
        expected = client.raw(shape=(300, 200), seed=1, name="w")
    assert person.get(WEIGHTS, headers={"Accept": "application/octet-stream"}).content == expected


def test_who_has_logged_in_reads_the_names_of_all_teams(person, data):
    token = create_token(data, "publish", team="speech")
    identity = publish_model(person, token).json()["id"]
    assert publish_name(person, "speech/mlp/1", identity, token).status_code == 201
    assert person.get("/v1/names/speech/mlp/1").json()["model"] == identity


def test_who_has_logged_in_changes_nothing_without_a_token(person):
    response = publish_model(person)
    assert response.status_code == 403
    assert "has no scope publish" in response.json()["detail"]


def test_a_token_of_ones_own_comes_before_that_of_the_proxy(person, data):
    assert publish_model(person, create_token(data, "publish")).is_success
    assert person.get("/v1/names", headers=bear("wrong")).status_code == 401


def test_the_session_shows_no_token(person):
    response = person.get("/v1/token")
    assert response.json()["record"]["team"] == "*"
    assert re.search(r"wi_[0-9a-f]{12}_", response.text) is None


def test_a_forged_session_opens_nothing(browser):
    browser.cookies.set("mod_auth_openidc_session", "forged", domain="127.0.0.1")
    assert browser.get("/docs").status_code == 302
    assert browser.get(WEIGHTS, headers={"Accept": "*/*"}).status_code == 401


def test_a_program_with_a_token_is_not_redirected(proxy, data):
    with Client(proxy.url, token=create_token(data, "publish"), retries=0) as client:
        published = client.publish(
            {"seed": 1, "tensors": [{"name": "w", "shape": [3, 3]}]}, name="vision/a/1"
        )
        assert client.resolve("vision/a/1").model == published.id
        assert client.weights((3, 3), seed=1, name="w").shape == (3, 3)


def test_a_program_that_sends_too_much_gets_the_413_of_the_service(proxy, data):
    headers = {"Content-Type": "application/json", **bear(create_token(data, "publish"))}
    with proxy.connect(headers=headers) as http:
        response = http.post("/v1/models", content=b" " * 9_000_000)
    assert response.status_code == 413
    assert response.json()["detail"] == "The body must be at most 8388608 bytes."


def test_a_program_without_a_token_gets_the_401_of_the_service(proxy):
    with Client(proxy.url, token="", retries=0) as client, pytest.raises(Unauthorized):
        client.weights((3, 3), seed=1, name="w")
    with proxy.connect() as http:
        response = http.get(WEIGHTS)
    assert response.json()["status"] == response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="weightinit"'


@pytest.mark.parametrize("authorization", ["Bearer wi_5f0c9b7e21d4_" + "x" * 43, "Bearer", "Basic YTpi"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_a_wrong_token_opens_nothing(proxy, authorization, accept):
    headers = {"Authorization": authorization, "Accept": accept}
    with proxy.connect(headers=headers) as http:
        assert http.get(WEIGHTS).status_code in {302, 401}
        assert http.get("/docs").status_code == 302
        assert publish_model(http).status_code == 401


@pytest.mark.parametrize("path", ["/simple/weightinit/", "/livez", "/readyz"])
def test_pip_and_probes_need_no_login(browser, path):
    assert browser.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/simple/..%2fdocs", "/simple/%2e%2e/docs", "/livez/../docs", "/v1/..%2fdocs", "/v1/%2e%2e/docs",
        "/simple/..%2fv1/names", "/simplex", "/livez/docs",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_leads_around_the_login(proxy, path):
    with proxy.connect() as http:
        response = http.send(http.build_request("GET", proxy.url, extensions={"target": path.encode()}))
    assert response.status_code in {302, 401, 404}


def test_nobody_reads_the_metrics(person):
    assert person.get("/metrics").status_code == 403


def test_apache_does_not_start_without_a_passphrase(server, provider):
    secrets = {"WEIGHTINIT_READ_TOKEN": "a", "OIDC_CLIENT_SECRET": "b"}
    with (
        pytest.raises(AssertionError, match="must define OIDC_PASSPHRASE"),
        run_apache(server.port, provider, **secrets),
    ):
        pass
