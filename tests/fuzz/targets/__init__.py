"""The targets of the fuzzer: functions of bytes that raise if a parser breaks its contract.

A parser either returns or raises the error that its docstring names. What it returns keeps a property.
"""

from collections.abc import Callable

from tests.fuzz.targets import client, fields, models, protocol, specs

TARGETS: dict[str, Callable[[bytes], None]] = {
    "spec_json": specs.parse_spec_json,
    "spec_query": specs.parse_spec_query,
    "slices": specs.parse_slices_of_shapes,
    "names": models.parse_names,
    "models": models.parse_model_json,
    "ranges": fields.parse_range_field,
    "accept": fields.parse_accept_field,
    "tags": fields.parse_tag_fields,
    "digests": fields.parse_digest_fields,
    "texts": fields.read_texts,
    "heads": protocol.receive_requests,
    "client_files": client.read_files,
    "client_responses": client.read_responses,
}
