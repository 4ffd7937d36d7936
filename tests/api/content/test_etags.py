import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.content.representation import NPY, OCTET_STREAM, Representation, compute_etag
from service.api.http.ranges import Span
from service.core import LayerSpec, resolve_parameters
from service.core.slices import parse_slices
from service.stream import Tensor

BASE = {"shape": [6, 4], "activation": "relu", "seed": 42, "name": "a"}


def represent(values, cut=":", media_type=NPY):
    spec = LayerSpec.parse({**BASE, **values})
    return Representation.of(
        Tensor.of(spec, resolve_parameters(spec), parse_slices(cut, spec.shape)), media_type
    )


def tag(values, cut=":", media_type=NPY):
    return compute_etag(represent(values, cut, media_type))


@pytest.mark.parametrize(
    "values",
    [
        {"seed": "42"},
        {"activation": "ReLU"},
        {"activation": "gelu"},
        {"layout": "keras"},
        {"layout": "IO"},
        {"scheme": "he"},
        {"scheme": "kaiming"},
        {"scheme": "he_uniform"},
        {"distribution": "uniform"},
        {"scheme": "variance_scaling", "scale": 2.0},
        {"fan_in": 6, "fan_out": 4},
        {"dtype": "float32"},
    ],
)
def test_another_spelling_of_the_same_bytes_has_the_same_tag(values):
    assert tag(values) == tag({})


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 43},
        {"name": "b"},
        {"name": ""},
        {"shape": [4, 6]},
        {"shape": [6, 4, 1]},
        {"activation": "tanh"},
        {"layout": "torch"},
        {"fan_in": 7, "fan_out": 4},
        {"scheme": "lecun"},
        {"distribution": "normal"},
        {"distribution": "truncated_normal"},
        {"dtype": "float64"},
        {"dtype": "float16"},
        {"dtype": "bfloat16"},
        {"scheme": "variance_scaling", "scale": 2.5},
    ],
)
def test_other_bytes_have_another_tag(values):
    assert tag(values) != tag({})


def test_a_box_has_a_tag_of_its_own():
    assert len({tag({}), tag({}, "0:3"), tag({}, "1:4"), tag({}, ":,0:2")}) == 4


def test_a_box_that_is_the_whole_has_the_tag_of_the_whole():
    assert tag({}, "0:6,0:4") == tag({})


def test_each_media_type_has_a_tag_of_its_own():
    assert tag({}, media_type=NPY) != tag({}, media_type=OCTET_STREAM)


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "shape": st.sampled_from([[6, 4], [4, 6], [2, 3, 4]]),
        "layout": st.sampled_from(["keras", "torch"]),
        "seed": st.integers(0, 2),
        "name": st.sampled_from(["a", "b"]),
        "dtype": st.sampled_from(["float32", "float16", "bfloat16"]),
        "distribution": st.sampled_from(["uniform", "normal"]),
    },
)
CUTS = st.sampled_from([":", "0:1", "1:2"])


@given(SPECS, SPECS, CUTS, CUTS)
def test_equal_tags_mean_equal_bytes(values, other_values, cut, other_cut):
    first, second = represent(values, cut), represent(other_values, other_cut)
    if compute_etag(first) == compute_etag(second):
        assert first.draw(Span(0, first.length)) == second.draw(Span(0, second.length))
    else:
        assert first.draw(Span(0, first.length)) != second.draw(Span(0, second.length))
