"""A difference between a plan and a record is detected."""

import pytest
from torch import nn

from tests.clients.architectures.records import Kernel, Record, find_gaps, judge


def make_record(**rows):
    def build():
        return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))

    named = {{"first": "0", "last": "2"}.get(name, name): row for name, row in rows.items()}
    return Record("two layers", "here", build, named)


@pytest.mark.parametrize(
    ("first", "verdict"), [("relu", "right"), ("silu", "name"), ("tanh", "scheme"), ("none", "scheme")]
)
def test_a_kernel_is_held_against_its_row(first, verdict):
    kernels = judge(make_record(first=first, last="none"))
    assert [kernel.verdict for kernel in kernels] == [verdict, "right"]


def test_a_kernel_without_a_row_is_a_gap():
    assert find_gaps(make_record(first="relu")) == ["2.weight"]


def test_a_row_without_a_kernel_is_a_gap():
    assert find_gaps(make_record(first="relu", last="none", other="relu")) == ["other"]


def test_a_kernel_of_unknown_activation_is_not_silently_wrong():
    assert Kernel("fc1", "gelu", ("none",), "unknown").verdict == "unknown"


def test_a_guess_that_is_wrong_is_wrong():
    assert Kernel("fc1", "gelu", ("none",), "guessed").verdict == "scheme"


@pytest.mark.parametrize("planned", [("silu", "swiglu"), ("swiglu",)])
def test_a_packed_gated_unit_may_be_planned_in_halves_or_whole(planned):
    assert Kernel("gate_up", "silu+swiglu", planned, "certain").verdict == "right"


@pytest.mark.parametrize("planned", [("swiglu", "silu"), ("none",), ("silu", "none"), ("geglu",)])
def test_a_packed_gated_unit_is_not_planned_otherwise(planned):
    assert Kernel("gate_up", "silu+swiglu", planned, "certain").verdict in {"name", "scheme"}


@pytest.mark.parametrize("planned", [("none", "none", "none"), ("none",)])
def test_queries_keys_and_values_may_be_planned_apart(planned):
    assert Kernel("qkv", "none", planned, "certain").verdict == "right"


def test_one_of_several_blocks_that_differs_is_wrong():
    assert Kernel("qkv", "none", ("none", "none", "relu"), "certain").verdict == "scheme"
