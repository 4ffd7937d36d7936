"""Each raw request of the table gets the responses of its RFC, and leaves its connection as it has to be."""

import json
import re
from collections import Counter

import httpx
import pytest

from tests.server.raw import ROWS
from tests.server.raw.exchange import exchange
from tests.server.raw.resources import FORM, NAME, PUBLICATION
from tests.server.raw.rows import ETAG, RUN
from tests.servers import run_server

RETIRED = "/v1/names/raw/retired/1.0"
TARGET = re.compile(rb"\S+ (\S+)")
DATE = re.compile(rb"[a-z]{3}, \d\d [a-z]{3} \d{4} \d\d:\d\d:\d\d gmt")

# status → a field that each response with it has (RFC 9110, section 15)
REQUIRED = {
    206: b"content-range",
    304: b"etag",
    307: b"location",
    308: b"location",
    405: b"allow",
    416: b"content-range",
}


@pytest.fixture(scope="module")
def server():
    """A server in which everyone may publish, with the model and the names of the table."""
    with run_server("--write-access", "open") as server, httpx.Client(base_url=server.url) as client:
        client.post(
            "/v1/models", content=FORM, headers={"Content-Type": "application/json"}
        ).raise_for_status()
        for name in (NAME.decode(), RETIRED):
            client.put(name, json=json.loads(PUBLICATION)).raise_for_status()
        client.delete(RETIRED, params={"author": "ada"}).raise_for_status()
        yield server


def fill(row, server, run):
    """Replace the placeholders of a row: a run has its own names, and the entity tag is the server's."""
    row = row._replace(sent=row.sent.replace(RUN, str(run).encode()))
    if ETAG not in b"".join([row.sent, *row.fields]):
        return row
    target = TARGET.match(row.sent)[1].decode()
    tag = httpx.get(server.url + target).headers["ETag"].encode()
    return row._replace(
        sent=row.sent.replace(ETAG, tag),
        fields=tuple(line.replace(ETAG, tag) for line in row.fields),
    )


def check_fields(response):
    """Check what RFC 9110 and the service promise for every response."""
    assert DATE.fullmatch(response.read(b"date")), "section 6.6.1"
    assert response.read(b"x-content-type-options") == b"nosniff"
    assert response.read(REQUIRED.get(response.status, b"date")) is not None
    if response.status == 204:
        assert response.read(b"content-length") is None, "section 8.6"
    if response.status >= 400:
        assert response.read(b"content-type") == b"application/problem+json"
        assert response.read(b"cache-control") == b"no-store"
    if response.status >= 400 and response.body:
        assert json.loads(response.body)["status"] == response.status


@pytest.mark.parametrize("pieces", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.section} {row.what[:60]}")
def test_a_raw_request_gets_the_responses_of_its_rfc(row, pieces, server):
    row = fill(row, server, pieces)
    responses, interim = exchange(server.port, row, pieces)
    statuses = tuple(response.status for response in responses)
    if pieces > 1 and 400 in row.statuses:
        # The first piece of a line may be one of a request with an unknown method.
        statuses = tuple(400 if status == 501 else status for status in statuses)
    assert statuses == row.statuses
    for response in responses:
        check_fields(response)
    lines = responses[-1].lines if responses else ()
    for field in row.fields:
        absent = field.startswith(b"!")
        assert any(line.startswith(field.removeprefix(b"!")) for line in lines) != absent, field
    if responses:
        assert (b"connection: close" in lines) == row.closes  # RFC 9112, section 9.6
    assert set(interim) <= {100}
    assert not interim or b"100-continue" in row.sent.lower()  # RFC 9110, section 10.1.1


def test_no_raw_request_is_in_the_table_twice():
    for what in (lambda row: row.sent, lambda row: (row.section, row.what)):
        assert [key for key, count in Counter(map(what, ROWS)).items() if count > 1] == []


def test_the_table_has_at_least_a_thousand_requests():
    assert len(ROWS) >= 1000


def test_the_log_has_no_traceback_of_them(server):
    assert [line for line in server.log if "Traceback" in line] == []
