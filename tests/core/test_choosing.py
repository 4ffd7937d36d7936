"""The numbers, formulas and names in docs/choosing.md are those of the service and of the frameworks."""

import math
import re
from pathlib import Path

import pytest

from service.core import LayerSpec, resolve_parameters
from service.core.layer.propagate import add_propagation
from service.core.schemes import DISTRIBUTIONS, SCHEMES
from service.core.signal.moments import find_moments
from service.core.signal.propagation import measure

TEXT = (Path(__file__).parents[2] / "docs/choosing.md").read_text("utf-8")


def read_table(heading):
    """Return the cells of the first table below a heading, without its head."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1:]]


def propagate(**fields):
    spec = LayerSpec.parse({"shape": [512, 512]} | fields)
    return add_propagation(spec, resolve_parameters(spec))


@pytest.mark.parametrize("row", read_table("What an activation does to the variance"), ids=lambda row: row[0])
def test_the_propagation_is_that_of_the_service(row):
    activation, scheme, *numbers = row
    auto, preserve = propagate(activation=activation), propagate(activation=activation, scheme="preserve")
    assert scheme == auto.scheme
    assert [float(number) for number in numbers] == [
        auto.propagation.forward,
        auto.propagation.backward,
        float(f"{512 * preserve.variance:.4g}"),
        preserve.propagation.forward,
        preserve.propagation.backward,
    ]


def change(activation, variance):
    """Return what scheme preserve makes of a variance."""
    signal, _ = measure(activation, variance)
    return signal / find_moments(activation, None).signal


@pytest.mark.parametrize("activation", ["tanh", "selu"])
def test_a_chain_with_preserve_returns_to_a_variance_of_1(activation):
    assert propagate(activation=activation, scheme="preserve").propagation.fixed_point == 1
    assert change(activation, 0.9) > 0.9
    assert change(activation, 1.1) < 1.1


@pytest.mark.parametrize("activation", ["gelu", "silu", "mish"])
def test_a_chain_with_preserve_moves_away_from_a_variance_of_1(activation):
    assert change(activation, 0.9) < 0.9
    assert change(activation, 1.1) > 1.1


SCHEME_ROWS = [
    (name, *row[1:]) for row in read_table("Scheme by scheme") for name in re.findall(r"\w+", row[0])
]


def test_every_scheme_is_on_the_page():
    assert sorted(row[0] for row in SCHEME_ROWS) == sorted(SCHEMES)


@pytest.mark.parametrize("row", SCHEME_ROWS, ids=lambda row: row[0])
def test_the_formula_of_a_scheme_is_that_of_the_service(row):
    assert SCHEMES[row[0]].formula == f"σ² = {row[1]}"


@pytest.mark.parametrize("row", SCHEME_ROWS, ids=lambda row: row[0])
def test_the_source_of_a_scheme_is_that_of_the_service(row):
    """Its numbers: the years, equations, sections and papers of arXiv."""
    numbers = re.findall(r"(?:equations?|section|algorithm|arXiv:)[ ]?([\d.]+(?: and \d+)?)", row[2])
    assert [number for number in numbers if number not in SCHEMES[row[0]].reference] == []


def test_the_largest_weights_are_those_of_the_distributions():
    assert f"ends at {DISTRIBUTIONS['uniform'].peak:.2f}σ" in TEXT
    assert f"ends at {DISTRIBUTIONS['truncated_normal'].peak:.2f}σ" in TEXT


def test_the_gains_of_torch_keep_what_the_page_says():
    import torch

    for activation, kept in (("tanh", "1.095"), ("selu", "0.5625")):
        gain = torch.nn.init.calculate_gain(activation)
        assert f"keeps {kept} of" in TEXT
        assert math.isclose(gain * gain * find_moments(activation, None).signal, float(kept), rel_tol=5e-4)


@pytest.mark.parametrize("row", SCHEME_ROWS, ids=lambda row: row[0])
def test_the_frameworks_have_these_names(row):
    import jax.nn
    import keras
    import torch

    places = (torch.nn.init, keras.initializers, jax.nn.initializers)
    for place, names in zip(places, row[4].split(" · ")[:3], strict=True):
        found = re.findall(r"`(\w+)", names)
        assert found or names == "none"
        assert [name for name in found if not hasattr(place, name)] == []
