"""Each raw request of the table gets the responses of its RFC, and the server goes on."""

import re
import socket

import httpx
import pytest

from tests.server.raw_requests import ROWS

RESPONSE = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n(.*?)\r\n\r\n", re.DOTALL)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


def exchange(port, data):
    """Send bytes and no more, and return the final responses: status and fields of each."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(2**16):
            received += part
    found = RESPONSE.findall(received.replace(INTERIM, b""))
    return [(int(status), fields.lower()) for status, fields in found]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.section} {row.what}")
def test_a_raw_request_gets_the_responses_of_its_rfc(row, service_server):
    responses = exchange(service_server.port, row.sent)
    assert tuple(status for status, _ in responses) == row.statuses
    assert [fields for _, fields in responses if b"x-content-type-options: nosniff" not in fields] == []
    errors = [fields for status, fields in responses if status >= 400]
    assert [fields for fields in errors if b"content-type: application/problem+json" not in fields] == []


def test_the_server_goes_on_after_all_of_them(service_server):
    for row in ROWS:
        exchange(service_server.port, row.sent)
    assert httpx.get(f"{service_server.url}/livez").status_code == 200
    assert [line for line in service_server.log if "Traceback" in line] == []
