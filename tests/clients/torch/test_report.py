"""The report of how each tensor was initialized, as text and as data."""

import json

import pytest
import torch
from torch import nn
from weightinit.torch import Report, initialize_


@pytest.fixture
def model():
    """A model with something of everything that a report can say."""
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 5, bias=False))
    model.extra = nn.Parameter(torch.arange(3.0))
    model.other = nn.Parameter(torch.ones(3))
    return model


@pytest.fixture
def report(model, client):
    """Its report."""
    return initialize_(model, 42, rules={"other": None}, strict=False, client=client)


def test_rows_come_in_the_order_of_the_parameters(report, model):
    assert [row.name for row in report] == [name for name, _ in model.named_parameters()]


def test_a_row_says_what_was_decided(report):
    row = report["1.weight"]
    assert (row.activation, row.scheme, row.distribution, row.fan_in, row.fan_out, row.variance) == (
        "relu",
        "he",
        "uniform",
        4,
        8,
        0.5,
    )


def test_a_row_says_why(report):
    row = report["1.weight"]
    assert (row.reason, "rectifiers" in row.rationale) == ("2 (ReLU) follows.", True)


def test_a_row_says_what_the_tensor_is(report):
    row = report["1.weight"]
    assert (row.shape, row.dtype, row.layout) == ((8, 4), "float32", "OI")


@pytest.mark.parametrize(
    ("name", "scheme", "value"),
    [("1.bias", "constant", 0.0), ("extra", "skipped", None), ("other", "kept", None)],
)
def test_what_is_not_drawn_is_said_too(report, name, scheme, value):
    assert (report[name].scheme, report[name].value) == (scheme, value)


def test_what_was_skipped_is_listed(report):
    assert report.skipped == ("extra",)


def test_a_tied_tensor_is_found_by_each_of_its_names(client):
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    report = initialize_(model, 42, client=client)
    assert report["1.weight"] is report["0.weight"]


def test_an_unknown_name_is_a_key_error(report):
    with pytest.raises(KeyError):
        report["nothing"]


def test_it_survives_json(report):
    tensors = json.loads(report.to_json())["tensors"]
    assert [row["name"] for row in tensors] == [row.name for row in report]


def test_json_says_the_seed(report):
    assert json.loads(report.to_json())["seed"] == 42


def test_it_prints_as_a_table(report):
    lines = str(report).splitlines()
    assert (len(lines), lines[0].split()[:3]) == (1 + len(report), ["name", "shape", "scheme"])


def test_columns_are_aligned(report):
    lines = str(report).splitlines()
    assert lines[2].index("kept") == lines[0].index("scheme")


def test_no_line_ends_in_blanks(report):
    assert all(line == line.rstrip() for line in str(report).splitlines())


def test_an_empty_report_prints_its_head():
    assert str(Report(1, ())).startswith("name")
