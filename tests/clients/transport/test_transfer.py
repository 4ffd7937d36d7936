"""Transfers of which only the service knows the length: what verbs yet to come are built on."""

import io

import pytest
from weightinit import NotWeightinit, Truncated
from weightinit.transport.requests import Query
from weightinit.transport.sinks import FileSink

from tests.clients.faults import send_chunked, truncate

QUERY = Query("/v1/models/1/weights", {}, "model 1")


@pytest.fixture
def file(tmp_path):
    with io.FileIO(tmp_path / "file", "w+") as file:
        yield file


def read(file):
    file.seek(0)
    return file.readall()


def test_the_service_says_how_long_it_is(server, make_client, file):
    server.script = [truncate(600_000), truncate(100_000)]
    transfer = make_client(server.url).transfer(QUERY, FileSink(file), None)
    assert transfer.size == len(server.body)
    assert (transfer.etag, transfer.lifetime) == ('"one"', 31536000)
    assert read(file) == server.body


def test_another_representation_may_be_longer_or_shorter(small_server, make_client, file):
    def replace(exchange):
        small_server.etag, small_server.body = '"two"', small_server.body[:1234]
        exchange.answer(exchange.make_answer())

    small_server.script = [truncate(600_000), replace]
    make_client(small_server.url).transfer(QUERY, FileSink(file), None)
    assert read(file) == small_server.body


def test_it_goes_on_from_what_is_there(small_server, make_client, file):
    file.write(small_server.body[:1000])
    client = make_client(small_server.url)
    client.transfer(QUERY, FileSink(file), None, received=1000, etag='"one"')
    assert small_server.ranges == ["bytes=1000-"]
    assert read(file) == small_server.body


def test_a_part_that_starts_elsewhere_is_thrown_away(small_server, make_client, file):
    """It says so itself: only its place in the whole is wrong."""

    def start_elsewhere(exchange):
        exchange.request.headers["range"] = "bytes=599999-"
        exchange.answer(exchange.make_answer())

    small_server.script = [truncate(600_000), start_elsewhere]
    make_client(small_server.url).transfer(QUERY, FileSink(file), None)
    assert small_server.ranges == [None, "bytes=599999-", None]
    assert read(file) == small_server.body


def test_a_length_that_nobody_says_is_an_error(small_server, make_client, file):
    small_server.script = [send_chunked]
    with pytest.raises(NotWeightinit, match="sent no length"):
        make_client(small_server.url).transfer(QUERY, FileSink(file), None)


def test_a_failure_leaves_what_is_there(small_server, make_client, file):
    small_server.script = [truncate(1000)]
    with pytest.raises(Truncated):
        make_client(small_server.url, retries=0).transfer(QUERY, FileSink(file), None)
    assert read(file) == small_server.body[:1000]
