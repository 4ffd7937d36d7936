from hypothesis import given
from hypothesis import strategies as st

from service.api.http.query import decode_query
from service.api.links import link_parameters, link_weights
from service.core import LayerSpec
from service.core.scheme_names import SCHEME_NAMES

SPECS = st.builds(
    LayerSpec,
    shape=st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=8).map(tuple),
    layout=st.sampled_from(["keras", "torch", "IO", "&=#"]) | st.text(),
    groups=st.integers(1, 2**63 - 1),
    fan_in=st.none() | st.integers(1, 2**63 - 1),
    activation=st.sampled_from([None, "relu", "Leaky-ReLU", "tanh"]),
    scheme=st.sampled_from(SCHEME_NAMES),
    scale=st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    mode=st.none() | st.sampled_from(["fan_avg", "fan_out"]),
    negative_slope=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    dtype=st.sampled_from(["float32", "bfloat16"]),
    seed=st.none() | st.integers(0, 2**64 - 1),
    name=st.text(max_size=100),
)


def read(url):
    path, _, query = url.partition("?")
    return path, decode_query(query.encode("ascii"))


@given(SPECS)
def test_the_url_of_weights_has_the_whole_spec(spec):
    path, pairs = read(link_weights(spec, ""))
    assert path == "/v1/weights"
    assert LayerSpec.parse_query(pairs) == spec


@given(SPECS)
def test_the_url_of_parameters_has_all_but_seed_and_name(spec):
    path, pairs = read(link_parameters(spec, "/proxied"))
    assert path == "/proxied/v1/parameters"
    assert LayerSpec.parse_query(pairs) == spec.model_copy(update={"seed": None, "name": ""})


def test_the_url_of_a_box_has_its_slice():
    assert (
        link_weights(LayerSpec(shape=(3, 3), seed=1), ":,0:2") == "/v1/weights?shape=3,3&seed=1&slice=:,0:2"
    )
