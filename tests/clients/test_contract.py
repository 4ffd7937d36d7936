"""The client keeps the contract that the service has too, alone and together with a real service."""

import hashlib
import json
import uuid

import ml_dtypes
import numpy as np
import pytest
from weightinit import Model, Spec, SpecRejected
from weightinit.arrays import make_array
from weightinit.download import make_npy_header
from weightinit.models.diff import CANONICAL
from weightinit.models.names import check_name, check_reference, is_model_id
from weightinit.spec.dtypes import DTYPES, TENSOR_DTYPES, find_numpy_dtype
from weightinit.spec.layouts import SHORTHANDS, write_out
from weightinit.spec.slices import TensorSlice

from tests.contract import CONTRACT, LIMITS, MODELS, SHAPE

DTYPE_ROWS = CONTRACT["dtypes"]["rows"]
TENSOR_ROWS = [*DTYPE_ROWS, *CONTRACT["integers"]["rows"]]
NUMPY_DTYPES = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}

each_dtype = pytest.mark.parametrize("row", TENSOR_ROWS, ids=lambda row: row["name"])
each_model = pytest.mark.parametrize("row", MODELS.values(), ids=list(MODELS))


# --- layouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["keras", "torch"])
@pytest.mark.parametrize("rank", range(1, 6))
def test_a_shorthand_is_the_layout_of_its_rank(framework, rank):
    assert write_out(framework, rank) == CONTRACT["layouts"][framework][rank - 1]


def test_there_are_no_other_shorthands():
    assert set(SHORTHANDS) == set(CONTRACT["layouts"]) - {"origin"}


def test_canonical_order_is_that_of_the_contract():
    assert CONTRACT["canonical_order"]["letters"] == CANONICAL


# --- slices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", CONTRACT["slices"]["accepted"], ids=lambda row: row["text"])
class TestAcceptedSlices:
    def test_text_has_its_shape(self, row):
        assert TensorSlice.of(row["text"], SHAPE).shape == tuple(
            stop - start for start, stop in row["bounds"]
        )

    def test_text_is_written_as_the_service_does(self, row):
        assert TensorSlice.of(row["text"], SHAPE).text == row["written"]

    def test_bounds_have_their_text(self, row):
        assert TensorSlice.of(tuple(slice(*bounds) for bounds in row["bounds"]), SHAPE).text == row["written"]


@pytest.mark.parametrize("text", CONTRACT["slices"]["refused"])
def test_a_text_that_is_no_slice_is_refused(text):
    with pytest.raises(SpecRejected, match="slice"):
        TensorSlice.of(text, SHAPE)


# --- dtypes ---------------------------------------------------------------------------------------


def test_the_dtypes_are_those_of_the_contract():
    assert list(DTYPES) == [row["name"] for row in DTYPE_ROWS]
    assert list(TENSOR_DTYPES) == [row["name"] for row in TENSOR_ROWS]


@each_dtype
def test_a_dtype_has_its_size_and_descr(row):
    dtype = TENSOR_DTYPES[row["name"]]
    assert (dtype.name, dtype.itemsize, dtype.npy) == (row["name"], row["itemsize"], row["npy"])


@each_dtype
def test_an_array_of_a_dtype_is_that_of_numpy(row):
    name = row["name"]
    expected = NUMPY_DTYPES[name] if name in NUMPY_DTYPES else np.dtype(name)
    assert find_numpy_dtype(TENSOR_DTYPES[name]) == expected


@each_dtype
def test_an_array_of_a_dtype_has_its_size(row):
    assert make_array((3, 2), TENSOR_DTYPES[row["name"]]).nbytes == 6 * row["itemsize"]


@pytest.mark.parametrize(
    "row", CONTRACT["npy_headers"]["rows"], ids=lambda row: f"{row['shape']}-{row['dtype']}"
)
def test_a_npy_header_has_its_bytes(row):
    shape = tuple(row["shape"])
    written = make_npy_header(Spec(shape, dtype=row["dtype"]), TensorSlice.of(None, shape))
    assert written == row["header"].encode("latin-1")


# --- models ---------------------------------------------------------------------------------------


@each_model
class TestModels:
    def test_a_canonical_form_is_read_as_what_was_requested(self, row):
        canonical = Model.from_json(json.loads(row["canonical"]))
        requested = Model.from_json(row["request"])
        assert {name: tensor.shape for name, tensor in canonical.by_name.items()} == {
            name: tensor.shape for name, tensor in requested.by_name.items()
        }
        assert (canonical.seed, canonical.nbytes) == (requested.seed, requested.nbytes)

    def test_the_id_is_that_of_the_canonical_form(self, row):
        assert is_model_id(row["id"])
        assert hashlib.sha256(row["canonical"].encode()).hexdigest() == row["id"]

    @pytest.mark.parametrize("form", ["request", "canonical"])
    def test_what_the_client_posts_has_the_id_of_the_contract(self, client, row, form):
        values = json.loads(row["canonical"]) if form == "canonical" else row["request"]
        assert client.publish(Model.from_json(values)).id == row["id"]

    def test_a_fetched_model_is_the_canonical_form(self, client, row):
        client.publish(row["request"])
        assert client.model(row["id"]) == Model.from_json(json.loads(row["canonical"]))


@pytest.mark.parametrize("text", CONTRACT["model_names"]["accepted"])
def test_a_model_name_is_accepted(text):
    assert check_name(text) == check_reference(text) == text


@pytest.mark.parametrize("text", CONTRACT["model_names"]["refused"])
def test_what_is_no_model_name_is_refused(text):
    with pytest.raises(SpecRejected):
        check_name(text)


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [LIMITS["seed"], int(LIMITS["seed"])])
def test_the_largest_seed_is_that_of_the_contract(seed):
    tensors = [{"name": "a", "shape": [2]}]
    assert Model.from_json({"seed": seed, "tensors": tensors}).seed == int(LIMITS["seed"])


def test_a_larger_seed_is_refused():
    with pytest.raises(SpecRejected, match=f"from 0 to {LIMITS['seed']}"):
        Model(int(LIMITS["seed"]) + 1, ())


def test_a_segment_of_a_model_name_may_be_as_long_as_the_limit():
    text = f"{'a' * LIMITS['segment']}/b/c"
    assert check_name(text) == text


def test_a_longer_segment_of_a_model_name_is_refused():
    with pytest.raises(SpecRejected, match="name must be team/name/version"):
        check_name(f"{'a' * (LIMITS['segment'] + 1)}/b/c")


def draw_at(client, limit, extra):
    """Request weights of a spec whose axes, seed or name is at a limit, or beyond it by extra."""
    rank = LIMITS["axes"] + extra if limit == "axes" else 1
    values = {
        "axes": {},
        "seed": {"seed": int(LIMITS["seed"]) + extra},
        "name_bytes": {"name": "é" * (LIMITS["name_bytes"] // 2) + "a" * extra},
    }
    fields = {"layout": "O" * rank, "fan_in": 3, "fan_out": 3, "seed": 42, "name": "w"}
    return client.weights([1] * rank, **fields | values[limit])


@pytest.mark.parametrize("limit", ["axes", "seed", "name_bytes"])
class TestLimitsOfASpec:
    def test_a_spec_at_the_limit_is_accepted(self, client, limit):
        assert draw_at(client, limit, 0).size == 1

    def test_a_spec_beyond_the_limit_is_refused(self, client, limit):
        with pytest.raises(SpecRejected, match=limit.partition("_")[0]):
            draw_at(client, limit, 1)


def publish_at(client, **extra):
    """Publish a name whose author and note are at their limits, or beyond them by extra."""
    lengths = {field: LIMITS[field] + extra.get(field, 0) for field in ("author", "note")}
    texts = {field: "é" * length for field, length in lengths.items()}
    request = MODELS["every kind of tensor"]["request"]
    return client.publish(request, name=f"test/{uuid.uuid4().hex}/1", **texts)


def test_author_and_note_may_be_as_long_as_their_limits(client):
    assert publish_at(client).is_new


@pytest.mark.parametrize("field", ["author", "note"])
def test_a_longer_author_or_note_is_refused(client, field):
    with pytest.raises(SpecRejected, match=f"{field} must be .*{LIMITS[field]}"):
        publish_at(client, **{field: 1})
