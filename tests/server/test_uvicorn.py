"""The internals of uvicorn that the server uses: a release that lacks one fails here, by its name."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server

from service.server.connection import Connection
from service.server.graceful import GracefulServer
from service.server.protocol import Protocol

ROOT = Path(__file__).parents[2]
OVERRIDDEN = [
    "connection_lost",
    "connection_made",
    "data_received",
    "eof_received",
    "on_header",
    "on_headers_complete",
    "on_message_begin",
    "on_message_complete",
    "on_response_complete",
    "on_url",
    "pause_writing",
    "resume_writing",
    "send_400_response",
    "_start_asgi_task",
    "_unsupported_upgrade_warning",
]
ATTRIBUTES = [
    "client",
    "cycle",
    "flow",
    "loop",
    "parser",
    "pipeline",
    "scheme",
    "scope",
    "timeout_keep_alive",
    "timeout_keep_alive_task",
    "transport",
]
CYCLE_ATTRIBUTES = [
    "disconnected",
    "expected_content_length",
    "message_event",
    "more_body",
    "response_complete",
    "response_started",
    "transport",
]


def test_the_installed_uvicorn_is_one_that_the_server_was_written_for():
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text("utf-8"))[
        "project"
    ]
    (uvicorn,) = (Requirement(text) for text in project["dependencies"] if text.startswith("uvicorn"))
    assert version("uvicorn") in uvicorn.specifier


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_our_protocol_overrides_is_a_method_of_uvicorns(name):
    assert name in {**vars(Connection), **vars(Protocol)}
    assert callable(vars(HttpToolsProtocol)[name])


@pytest.mark.parametrize("name", ["handle_exit", "on_tick", "run"])
def test_what_our_server_overrides_is_a_method_of_uvicorns(name):
    assert name in vars(GracefulServer)
    assert callable(vars(Server)[name])


@pytest.mark.parametrize("name", ["_captured_signals", "force_exit", "should_exit", "started"])
def test_uvicorns_server_has_an_attribute(name):
    assert name in Server.__init__.__code__.co_names


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_uvicorns_protocol_has_an_attribute(name):
    assert name in HttpToolsProtocol.__init__.__code__.co_names


@pytest.mark.parametrize("name", CYCLE_ATTRIBUTES)
def test_uvicorns_cycle_has_an_attribute(name):
    assert name in RequestResponseCycle.__init__.__code__.co_names
