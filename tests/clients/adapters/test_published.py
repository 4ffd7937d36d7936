"""Responses of a service about a published model agree with each other, or raise an error."""

import hashlib
import json
from dataclasses import asdict

import pytest
from weightinit import Model, NotWeightinit, Part, Spec, TensorSpec
from weightinit.adapters.published import fetch_published

from tests.clients.faults import refuse

JSON = "application/json"
REST = Part.of(Spec((5, 4), name="table"), "1:5")
MODEL = Model(
    42,
    (
        TensorSpec.of("fc", Part.of(Spec((2, 3), name="fc"))),
        TensorSpec.of("table", Part.constant((1, 4), 0), REST),
    ),
)
TEXT = json.dumps(MODEL.to_json()).encode()
ID = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture
def fetch(client, small_server, make_client):
    """Fetch the model from a service that says of its tensors what a function makes of what is right."""

    def fetch_it(change=lambda rows: rows):
        rows = json.loads(json.dumps([asdict(row) for row in client.model_parameters(MODEL)]))
        decided = json.dumps({"tensors": change(rows)}).encode()
        small_server.script = [refuse(200, TEXT, JSON), refuse(200, decided, JSON)]
        return fetch_published(ID, make_client(small_server.url))

    return fetch_it


def test_what_is_published_is_put_together_with_what_is_decided(fetch):
    fc, table = fetch().tensors
    assert fc.segments[0].parameters.scheme == "glorot"
    assert [(segment.rows, segment.first) for segment in table.segments] == [
        (slice(0, 1), 0),
        (slice(1, 5), 1),
    ]


def change_part(number, **changes):
    """Change a part of the table."""

    def change(rows):
        rows[1]["parts"][number] |= changes
        return rows

    return change


WRONG = {
    "a tensor that is missing": (lambda rows: rows[1:], "'fc' .*; received nothing"),
    "one more": (lambda rows: [*rows, {**rows[0], "name": "fc2"}], r"'fc2' .*; received \[2, 3\] in 1 parts"),
    "another name": (lambda rows: [{**rows[0], "name": "fc2"}, rows[1]], "'fc' .*; received nothing"),
    "another shape": (
        lambda rows: [{**rows[0], "shape": [3, 2]}, rows[1]],
        r"'fc' .*; received \[3, 2\] in 1 parts",
    ),
    "a part that is missing": (
        lambda rows: [rows[0], {**rows[1], "parts": rows[1]["parts"][1:]}],
        r"'table' .*; received \[5, 4\] in 1 parts",
    ),
    "a part of another shape": (change_part(1, shape=[3, 4]), r"'table' .*; received \[5, 4\] in 2 parts"),
    "a part that is not drawn": (change_part(1, parameters=None, constant=0), "'table' "),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_what_is_decided_for_another_model_is_an_error(fetch, change, words):
    with pytest.raises(NotWeightinit, match=f"^the parameters of {words}"):
        fetch(change)
