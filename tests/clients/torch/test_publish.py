"""The tensors that are published for a module."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from weightinit import SpecRejected
from weightinit.torch import ModelRejected, TensorRejected, UnpublishedTensorWarning, initialize_, publish

from tests.clients.torch.models import Gpt, Residual


@pytest.fixture
def describe(recorder):
    """What is published of a module, by name."""

    def publish_it(module, **said):
        publish(module, 42, client=recorder, **said)
        return {tensor["name"]: tensor for tensor in recorder.model.to_json()["tensors"]}

    return publish_it


def test_a_kernel_is_published_as_its_layer_asks_for(describe):
    model = nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.ReLU())
    assert describe(model)["0.weight"] == {
        "name": "0.weight",
        "shape": [8, 2, 3, 3],
        "layout": "OIHW",
        "groups": 2,
        "activation": "relu",
    }


def test_biases_and_norms_are_constants(describe):
    tensors = describe(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)))
    found = {name: tensor.get("constant") for name, tensor in tensors.items()}
    assert found == {"0.weight": None, "0.bias": 0, "1.weight": 1, "1.bias": 0}


def test_running_statistics_are_published_too(describe):
    tensors = describe(nn.BatchNorm1d(3))
    assert [tensors[name]["constant"] for name in ("running_mean", "running_var")] == [0, 1]


def test_the_counter_of_batches_is_published_too(describe):
    module = nn.BatchNorm1d(3)
    module.num_batches_tracked.fill_(57)  # which initialize resets
    assert describe(module)["num_batches_tracked"] == {
        "name": "num_batches_tracked",
        "shape": [],
        "dtype": "int64",
        "constant": 0,
    }


@pytest.mark.parametrize(
    ("buffer", "published"),
    [
        (torch.tensor(7), {"shape": [], "dtype": "int64", "constant": 7}),
        (torch.zeros(3, dtype=torch.int8), {"shape": [3], "dtype": "int8", "constant": 0}),
        (torch.ones(1, 2, dtype=torch.bool), {"shape": [1, 2], "dtype": "bool", "constant": 1}),
        (torch.tensor(0.5), {"shape": [], "constant": 0.5}),
        (torch.zeros(0, 4, dtype=torch.int32), {"shape": [0, 4], "dtype": "int32", "constant": 0}),
    ],
)
def test_a_buffer_of_one_value_is_published(describe, buffer, published):
    module = nn.Linear(2, 3)
    module.register_buffer("kept", buffer)
    assert describe(module)["kept"] == {"name": "kept", **published}


@pytest.mark.parametrize("buffer", [torch.arange(3), torch.tensor([[1.0, 1.0], [2.0, 2.0]])], ids=str)
def test_a_buffer_whose_rows_are_of_one_value_is_published(describe, buffer, client):
    module = nn.Linear(2, 3)
    module.register_buffer("kept", buffer)
    published = publish(module, 42, client=client)
    other = nn.Linear(2, 3)
    other.register_buffer("kept", torch.zeros_like(buffer))
    initialize_(other, published.id, client=client)
    assert torch.equal(other.kept, buffer)


@pytest.mark.parametrize(
    "buffer",
    [
        torch.tensor([[0, 1], [1, 0]]),
        torch.arange(100),
        torch.tensor(float("nan")),
        torch.tensor(float("-inf")),
        torch.tensor(2**53),  # which no double next to it can be told from
        torch.tensor(1j),
        torch.tensor(7, device="meta"),
    ],
    ids=str,
)
def test_any_other_buffer_is_not_published_and_warned_of(describe, buffer):
    """As the relative_position_index of a Swin transformer."""
    module = nn.Linear(2, 3)
    module.register_buffer("kept", buffer)
    with pytest.warns(UnpublishedTensorWarning, match="^kept: not published"):
        tensors = describe(module)
    assert "kept" not in tensors


def test_a_buffer_that_a_state_dict_has_not_is_not_published(describe):
    module = nn.Linear(2, 3)
    module.register_buffer("positions", torch.zeros(3), persistent=False)
    assert set(describe(module)) == set(module.state_dict())


def test_the_counter_of_a_wrapper_is_not_published(describe):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    assert describe(AveragedModel(model)) == describe(model)


def test_a_norm_without_running_statistics_has_none(describe):
    assert list(describe(nn.BatchNorm1d(3, track_running_stats=False))) == ["weight", "bias"]


@pytest.mark.parametrize(
    ("module", "name", "parts"),
    [
        (nn.MultiheadAttention(4, 2), "in_proj_weight", [f"in_proj_weight.{part}" for part in "qkv"]),
        (nn.LSTM(4, 2), "weight_ih_l0", [f"weight_ih_l0.{gate}" for gate in "ifgo"]),
        (nn.GRU(4, 2), "weight_hh_l0", [f"weight_hh_l0.{gate}" for gate in "rzn"]),
    ],
)
def test_packed_kernels_are_parts_with_names_of_their_own(describe, module, name, parts):
    assert [part["name"] for part in describe(module)[name]["parts"]] == parts


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        (0, [(1, None), (9, "1:9")]),
        (3, [(9, "0:3"), (1, None), (9, "4:9")]),
        (8, [(9, "0:8"), (1, None)]),
    ],
)
def test_a_row_of_padding_is_cut_out_of_the_table(describe, padding, expected):
    parts = describe(nn.Embedding(9, 4, padding_idx=padding))["weight"]["parts"]
    assert [(part["shape"][0], part.get("slice")) for part in parts] == expected


def test_a_tied_parameter_is_published_once_under_its_first_name(describe):
    assert [name for name in describe(Gpt()) if "lm_head" in name or "wte" in name] == ["wte.weight"]


def test_a_shared_norm_is_published_once(describe):
    norm = nn.BatchNorm1d(3)
    assert set(describe(nn.Sequential(norm, norm))) == {
        "0.weight",
        "0.bias",
        "0.running_mean",
        "0.running_var",
        "0.num_batches_tracked",
    }


def test_a_rule_splits_a_kernel_into_parts(describe):
    tensors = describe(nn.Linear(4, 8), rules={"weight": {"parts": {"q": 4, "kv": 4}, "scheme": "he"}})
    assert [part["name"] for part in tensors["weight"]["parts"]] == ["weight.q", "weight.kv"]


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_dtypes_are_those_of_the_parameters(describe, dtype):
    tensors = describe(nn.BatchNorm1d(3).to(getattr(torch, dtype)))
    assert {tensor["dtype"] for tensor in tensors.values()} == {dtype, "int64"}


def test_a_scalar_is_published_without_axes(describe):
    module = nn.Module()
    module.scale = nn.Parameter(torch.tensor(2.0))
    assert describe(module, rules={"scale": 2.5})["scale"] == {"name": "scale", "shape": [], "constant": 2.5}


def test_a_scalar_cannot_be_drawn(describe):
    module = nn.Module()
    module.scale = nn.Parameter(torch.tensor(2.0))
    with pytest.raises(SpecRejected, match="shape must have at least one axis"):
        describe(module, rules={"scale": {"stddev": 0.5}})


def test_a_parameter_without_elements_is_published(describe):
    module = nn.Linear(1, 3)
    module.weight = nn.Parameter(torch.empty(3, 0))
    module.empty = nn.Parameter(torch.empty(0, 3, dtype=torch.float16))
    tensors = describe(module)
    assert tensors["weight"] == {"name": "weight", "shape": [3, 0], "constant": 0}
    assert tensors["empty"] == {"name": "empty", "shape": [0, 3], "dtype": "float16", "constant": 0}


def test_a_model_without_memory_can_be_published(describe):
    with torch.device("meta"):
        model = Residual()
    assert describe(model) == describe(Residual())


def test_a_prefix_is_the_name_of_the_module(describe):
    assert set(describe(nn.BatchNorm1d(3, affine=False), rename=lambda name: f"norm.{name}")) == {
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    }


def test_the_seed_is_the_model_s(recorder):
    publish(nn.Linear(2, 3), 2**64 - 1, client=recorder)
    assert recorder.model.seed == 2**64 - 1


def test_the_name_is_given_on(recorder):
    said = {"name": "vision/net/1", "author": "ada", "note": "first"}
    assert publish(nn.Linear(2, 3), 42, client=recorder, **said) == "published"
    assert recorder.naming == said


def test_nothing_is_written(recorder):
    model = nn.Linear(2, 3)
    before = model.weight.detach().clone()
    publish(model, 42, client=recorder)
    assert torch.equal(model.weight, before)


def test_what_rules_leave_alone_is_refused_by_name(describe):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(ModelRejected, match=r"0\.weight, which keeps its values: .*; 1\.bias, which"):
        describe(model, rules={"0.weight": None, "1.bias": None, "*": {"activation": "none"}})


def test_a_rule_that_turns_a_kernel_around_is_refused(describe):
    with pytest.raises(ModelRejected, match="weight, whose axes are OI, not IO: set its fans"):
        describe(nn.Linear(4, 4), rules={"weight": {"layout": "IO"}})


def test_a_parameter_that_nobody_knows_is_refused(describe):
    module = nn.Module()
    module.table = nn.Parameter(torch.zeros(3))
    with pytest.raises(ModelRejected, match="nothing determines how to initialize these: table"):
        describe(module)


def test_a_lazy_parameter_is_refused(describe):
    with pytest.raises(TensorRejected, match="no shape yet"):
        describe(nn.LazyLinear(3))


def test_a_dtype_that_weights_do_not_come_in_is_refused(describe):
    module = nn.Module()
    module.table = nn.Parameter(torch.zeros(3, dtype=torch.complex64), requires_grad=False)
    with pytest.raises(ModelRejected, match=r"table, of dtype torch\.complex64"):
        describe(module, rules={"table": 0})


def test_an_integer_parameter_may_be_a_constant(describe):
    module = nn.Module()
    module.table = nn.Parameter(torch.zeros(3, dtype=torch.int8), requires_grad=False)
    published = describe(module, rules={"table": 5})["table"]
    assert published == {"name": "table", "shape": [3], "dtype": "int8", "constant": 5}
