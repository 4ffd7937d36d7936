"""The vectors of tests/golden/vectors.jsonl, drawn by reference/weightinit.c, are what the service draws."""

import hashlib
import itertools
import json
import math
from urllib.parse import parse_qsl

import numpy as np
import pytest

from service.core import LayerSpec, SpecError, cut, resolve_parameters
from service.core.activations import ACTIVATION_NAMES
from service.core.layer import fans, parameters, scaling, spread
from service.core.schemes import SCHEMES
from service.core.signal import moments
from service.core.slices import parse_slices
from service.stream import make_source
from service.stream.sources import making, reference
from tests.stream.scripts import load_script

SCRIPT = load_script("make_vectors")
LINES = SCRIPT.PATH.read_text("utf-8").splitlines()
VECTORS = [json.loads(line) for line in LINES[1:]]
REFUSED = [vector for vector in VECTORS if "refused" in vector]
DRAWN = [vector for vector in VECTORS if "refused" not in vector]
QUERIES = [vector["query"] for vector in DRAWN]


def parse(query):
    """Parse a query as /v1/weights does: the spec, its parameters, and a slice for each axis."""
    pairs = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
    text = pairs.pop("slice", "")
    spec = LayerSpec.parse_query(pairs.items())
    resolved = resolve_parameters(spec)
    return spec, resolved, parse_slices(text or ":", spec.shape)


def draw_by_kernels(spec, resolved, slices):
    source = make_source(spec, resolved, slices)
    drawn = np.empty(source.nbytes, np.uint8)
    source.bind()(0, drawn)
    return drawn.tobytes()


def draw_by_reference(spec, resolved, slices):
    return reference.draw_spec(spec, resolved, slices).tobytes()


def is_drawn(vector, drawn):
    """Return whether bytes have the length, the ends and the digest of a vector."""
    ends = (drawn[:8].hex(), drawn[-8:].hex(), hashlib.sha256(drawn).hexdigest())
    return (len(drawn), *ends) == (vector["bytes"], vector["first"], vector["last"], vector["sha256"])


def list_wrong(draw, vectors=DRAWN):
    return [vector["query"] for vector in vectors if not is_drawn(vector, draw(*parse(vector["query"])))]


def test_the_program_makes_the_same_file_again(independent):
    assert SCRIPT.describe(independent.program).decode().splitlines() == LINES[1:]


def test_the_first_line_states_the_origin():
    header = json.loads(LINES[0])
    assert header["stream"] == 1
    assert "reference/weightinit.c" in header["origin"]


def test_kernels():
    assert list_wrong(draw_by_kernels) == []


def test_numpy_reference():
    assert list_wrong(draw_by_reference) == []


@pytest.mark.parametrize("query", [vector["query"] for vector in REFUSED])
def test_what_the_program_refuses_is_refused(query):
    with pytest.raises(SpecError):
        parse(query)


def test_every_scheme_mode_distribution_dtype_and_layout_is_there():
    found = {(r.scheme, r.mode, r.distribution, r.dtype, r.layout) for _, r, _ in map(parse, QUERIES)}
    schemes = ("glorot", "he", "lecun", "variance_scaling")
    modes = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
    kinds = list(itertools.product(SCRIPT.DISTRIBUTIONS, SCRIPT.DTYPES))
    layouts = ["O", "IO", "OI", "WIO", "OIW", "HWIO", "OIHW", "DHWIO", "OIDHW"]
    layouts += ["HWOI", "IOHW", "HWGO", "GIO", "IBOO", "GBOI", "IOO"]
    for scheme, mode, kind, layout in itertools.product(schemes, modes, kinds, layouts):
        assert (scheme, mode, *kind, layout) in found


def test_every_scheme_is_there_in_every_dtype():
    found = {(r.scheme, r.dtype) for _, r, _ in map(parse, QUERIES)}
    assert found == set(itertools.product(SCHEMES, SCRIPT.DTYPES))


def test_every_field_is_there():
    found = {name for query in QUERIES for name, _ in parse_qsl(query, keep_blank_values=True)}
    assert found == {*LayerSpec.model_fields, "slice"}


def test_every_activation_with_moments_is_preserved():
    found = {spec.activation for spec, r, _ in map(parse, QUERIES) if r.scheme == "preserve"}
    assert found == {*moments.MOMENTS, *moments.PARAMETRIC}


def test_every_activation_is_there():
    assert set(SCRIPT.ACTIVATIONS.split()) == set(ACTIVATION_NAMES)


# Other formulas for the spread: module or class, attribute, replacement.
MUTATIONS = {
    "root of each fan": (
        fans.Fans,
        "fan_geo_avg",
        property(lambda f: math.sqrt(f.fan_in) * math.sqrt(f.fan_out)),
    ),
    "whole fan_avg": (fans.Fans, "fan_avg", property(lambda f: (f.fan_in + f.fan_out) // 2)),
    "root of three apart": (
        spread.Spread,
        "of",
        classmethod(lambda cls, s, f: cls(s / f, (d := math.sqrt(s / f)), math.sqrt(3) * d)),
    ),
    "stddev from the scale's root": (
        spread.Spread,
        "of",
        classmethod(lambda cls, s, f: cls(s / f, math.sqrt(s) / math.sqrt(f), math.sqrt(3 * s / f))),
    ),
    "slope not squared": (
        scaling,
        "compute_scale",
        lambda spec, scale: scale if spec.negative_slope is None else 2 / (1 + abs(spec.negative_slope)),
    ),
    "moments exchanged": (
        scaling,
        "find_moments",
        lambda *args: moments.Moments(*moments.find_moments(*args)[::-1]),
    ),
    "cut not corrected": (
        parameters,
        "compute_cut",
        lambda *ends: cut.compute_cut(*ends)._replace(stddev=1.0),
    ),
    "both ends of an interval open": (
        making,
        "round_interval",
        lambda low, high, dtype, **_: cut.round_interval(low, high, dtype, above_low=True),
    ),
    "stride ignored": (fans, "multiply_strides", lambda *_, **__: 1),
    "groups ignored": (
        parameters,
        "compute_fans",
        lambda shape, letters, _groups, *given, **axes: fans.compute_fans(shape, letters, 1, *given, **axes),
    ),
}


@pytest.mark.parametrize(("owner", "attribute", "replacement"), MUTATIONS.values(), ids=MUTATIONS)
def test_the_vectors_see_another_formula(owner, attribute, replacement, monkeypatch):
    monkeypatch.setattr(owner, attribute, replacement)
    assert any(not is_drawn(vector, draw_by_kernels(*parse(vector["query"]))) for vector in reversed(DRAWN))
