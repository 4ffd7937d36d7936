"""The service keeps the contract that the client has too, and the contract is what others publish."""

import hashlib
import io
import json
import re

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save

from service.api.content.formats import make_npy_header
from service.core import DTYPES, TENSOR_DTYPES, LayerSpec, SpecError
from service.core.layer.layouts import SHORTHANDS, resolve_layout
from service.core.models import Limits, parse_model
from service.core.models.names import (
    MAX_AUTHOR_LENGTH,
    MAX_NOTE_LENGTH,
    MAX_SEGMENT_LENGTH,
    ModelName,
)
from service.core.slices import format_slices, parse_slices
from service.stream.order import CANONICAL
from tests.contract import CONTRACT, LIMITS, MODELS, SHAPE

NUMPY_DTYPES = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
DTYPE_ROWS = CONTRACT["dtypes"]["rows"]
TENSOR_ROWS = [*DTYPE_ROWS, *CONTRACT["integers"]["rows"]]
HEADER_ROWS = CONTRACT["npy_headers"]["rows"]
ANY = Limits(tensors=1000, elements=2**48, rank=8)
SIZES = {"I": 2, "O": 3, "D": 5, "H": 7, "W": 11}

each_dtype = pytest.mark.parametrize("row", TENSOR_ROWS, ids=lambda row: row["name"])
each_header = pytest.mark.parametrize("row", HEADER_ROWS, ids=lambda row: f"{row['shape']}-{row['dtype']}")
each_model = pytest.mark.parametrize("row", MODELS.values(), ids=list(MODELS))
each_framework = pytest.mark.parametrize("framework", ["keras", "torch"])
each_rank = pytest.mark.parametrize("rank", range(2, 6))


def find_numpy_dtype(name):
    """Find what NumPy calls a dtype: its own name for integers."""
    return NUMPY_DTYPES[name] if name in NUMPY_DTYPES else np.dtype(name)


# --- layouts --------------------------------------------------------------------------------------


@each_framework
@pytest.mark.parametrize("rank", range(1, 6))
def test_a_shorthand_is_the_layout_of_its_rank(framework, rank):
    assert resolve_layout(framework, rank) == CONTRACT["layouts"][framework][rank - 1]


def test_there_are_no_other_shorthands():
    assert set(SHORTHANDS) == set(CONTRACT["layouts"]) - {"origin"}


def make_keras_kernel(rank):
    from keras import layers

    if rank == 2:
        layer = layers.Dense(SIZES["O"])
    else:
        size = [SIZES[letter] for letter in "DHW"[5 - rank :]]
        layer = [layers.Conv1D, layers.Conv2D, layers.Conv3D][rank - 3](SIZES["O"], size)
    layer.build((None, *[20] * (rank - 2), SIZES["I"]))
    return layer.kernel


def make_torch_kernel(rank):
    from torch import nn

    if rank == 2:
        return nn.Linear(SIZES["I"], SIZES["O"]).weight
    size = [SIZES[letter] for letter in "DHW"[5 - rank :]]
    return [nn.Conv1d, nn.Conv2d, nn.Conv3d][rank - 3](SIZES["I"], SIZES["O"], size).weight


@each_framework
@each_rank
def test_the_layout_of_a_rank_is_that_of_the_framework(framework, rank):
    kernel = {"keras": make_keras_kernel, "torch": make_torch_kernel}[framework](rank)
    assert tuple(kernel.shape) == tuple(SIZES[axis] for axis in CONTRACT["layouts"][framework][rank - 1])


def test_canonical_order_is_that_of_the_contract():
    assert CONTRACT["canonical_order"]["letters"] == CANONICAL


# --- slices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", CONTRACT["slices"]["accepted"], ids=lambda row: row["text"])
class TestAcceptedSlices:
    def test_text_has_its_bounds(self, row):
        bounds = [[axis.start, axis.stop] for axis in parse_slices(row["text"], SHAPE)]
        assert bounds == row["bounds"]

    def test_bounds_have_their_text(self, row):
        assert format_slices(tuple(slice(*bounds) for bounds in row["bounds"]), SHAPE) == row["written"]

    def test_bounds_are_those_of_numpy(self, row):
        numbered = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)
        text = re.sub(r"\b0+(?=[0-9])", "", row["text"])  # Python has no integers with leading zeros
        bounds = tuple(slice(*bounds) for bounds in row["bounds"])
        assert np.array_equal(numbered[bounds], eval(f"numbered[{text}]", {"numbered": numbered}))


@pytest.mark.parametrize("text", CONTRACT["slices"]["refused"])
def test_a_text_that_is_no_slice_is_refused(text):
    with pytest.raises(SpecError, match="slice"):
        parse_slices(text, SHAPE)


# --- dtypes ---------------------------------------------------------------------------------------


def test_the_dtypes_are_those_of_the_contract():
    assert list(DTYPES) == [row["name"] for row in DTYPE_ROWS]
    assert list(TENSOR_DTYPES) == [row["name"] for row in TENSOR_ROWS]


@each_dtype
def test_a_dtype_has_its_size_and_names(row):
    dtype = TENSOR_DTYPES[row["name"]]
    assert {name: getattr(dtype, name) for name in row} == row


@each_dtype
def test_the_size_of_a_dtype_is_that_of_numpy(row):
    assert find_numpy_dtype(row["name"]).itemsize == row["itemsize"]


@each_dtype
def test_the_safetensors_name_is_what_safetensors_writes(row):
    written = save({"a": np.zeros(1, find_numpy_dtype(row["name"]))})
    header = json.loads(written[8 : 8 + int.from_bytes(written[:8], "little")])
    assert header["a"]["dtype"] == row["safetensors"]


@each_header
def test_a_npy_header_has_its_bytes(row):
    assert make_npy_header(tuple(row["shape"]), row["dtype"]) == row["header"].encode("latin-1")


@each_header
def test_a_npy_header_is_what_numpy_saves(row):
    file = io.BytesIO()
    np.save(file, np.zeros(row["shape"], NUMPY_DTYPES[row["dtype"]]))
    assert file.getvalue().rstrip(b"\0") == row["header"].encode("latin-1")


# --- models ---------------------------------------------------------------------------------------


@each_model
class TestModels:
    def test_a_request_has_its_canonical_form(self, row):
        assert parse_model(row["request"], 1, ANY).canonical.decode() == row["canonical"]

    def test_a_canonical_form_is_a_request_for_the_same_model(self, row):
        assert parse_model(json.loads(row["canonical"]), 1, ANY).canonical.decode() == row["canonical"]

    def test_the_id_is_that_of_the_contract(self, row):
        assert parse_model(row["request"], 1, ANY).id == row["id"]

    def test_the_id_of_the_contract_is_the_sha_256_of_its_canonical_form(self, row):
        assert hashlib.sha256(row["canonical"].encode()).hexdigest() == row["id"]


@pytest.mark.parametrize("text", CONTRACT["model_names"]["accepted"])
def test_a_model_name_is_accepted(text):
    assert str(ModelName.parse(text)) == text


@pytest.mark.parametrize("text", CONTRACT["model_names"]["refused"])
def test_what_is_no_model_name_is_refused(text):
    with pytest.raises(SpecError):
        ModelName.parse(text)


# --- limits ---------------------------------------------------------------------------------------


def parse_at(limit, extra):
    """Parse a spec whose axes, seed or name is at a limit, or beyond it by extra."""
    fields = {
        "axes": {"shape": [1] * (LIMITS["axes"] + extra), "layout": "O" * (LIMITS["axes"] + extra)},
        "seed": {"shape": [1], "seed": int(LIMITS["seed"]) + extra},
        "name_bytes": {"shape": [1], "name": "é" * (LIMITS["name_bytes"] // 2) + "a" * extra},
    }
    return LayerSpec.parse(fields[limit])


@pytest.mark.parametrize("limit", ["axes", "seed", "name_bytes"])
class TestLimitsOfASpec:
    def test_a_spec_at_the_limit_is_accepted(self, limit):
        assert parse_at(limit, 0)

    def test_a_spec_beyond_the_limit_is_refused(self, limit):
        with pytest.raises(SpecError, match="must"):
            parse_at(limit, 1)


def test_a_segment_of_a_model_name_may_be_as_long_as_the_limit():
    assert ModelName.parse(f"{'a' * LIMITS['segment']}/b/c")


def test_a_longer_segment_of_a_model_name_is_refused():
    with pytest.raises(SpecError, match=f"must be 1 to {MAX_SEGMENT_LENGTH} of"):
        ModelName.parse(f"{'a' * (LIMITS['segment'] + 1)}/b/c")


def test_author_and_note_have_the_limits_of_the_contract():
    assert (LIMITS["author"], LIMITS["note"]) == (MAX_AUTHOR_LENGTH, MAX_NOTE_LENGTH)
