"""How each parameter of PyTorch's own modules is initialized."""

import inspect

import pytest
import torch
from torch import nn
from weightinit.adapters.actions import Constant, Draw
from weightinit.torch.layers import LAYERS, describe_parameter

from service.core import LayerSpec, resolve_parameters


def describe(module, attribute="weight"):
    """Describe a module's parameter."""
    return describe_parameter(module, attribute, tuple(getattr(module, attribute).shape))


# Module → (fan_in, fan_out) of one unit: what it sums, what one input feeds.
FANS = {
    "dense": (lambda: nn.Linear(32, 64), (32, 64)),
    "bilinear": (lambda: nn.Bilinear(3, 4, 5), (12, 5)),
    "conv1d": (lambda: nn.Conv1d(32, 64, 3), (96, 192)),
    "conv2d": (lambda: nn.Conv2d(32, 64, 3), (288, 576)),
    "conv3d": (lambda: nn.Conv3d(32, 64, 3), (864, 1728)),
    "conv2d in 4 groups": (lambda: nn.Conv2d(32, 64, 3, groups=4), (72, 144)),
    "depthwise": (lambda: nn.Conv2d(32, 64, 3, groups=32), (9, 18)),
    "transposed 1d": (lambda: nn.ConvTranspose1d(32, 64, 3), (96, 192)),
    "transposed 2d": (lambda: nn.ConvTranspose2d(32, 64, 3), (288, 576)),
    "transposed 3d": (lambda: nn.ConvTranspose3d(32, 64, 3), (864, 1728)),
    "transposed 2d in 4 groups": (lambda: nn.ConvTranspose2d(32, 64, 3, groups=4), (72, 144)),
    "embedding": (lambda: nn.Embedding(100, 16), (1, 16)),
    "embedding bag": (lambda: nn.EmbeddingBag(100, 16), (1, 16)),
}


@pytest.mark.parametrize(("make", "fans"), FANS.values(), ids=FANS)
def test_fans_are_those_of_a_unit(make, fans):
    module = make()
    (block,) = describe(module)
    decided = resolve_parameters(LayerSpec.parse({"shape": list(module.weight.shape), **block.action.layer}))
    assert (decided.fan_in, decided.fan_out) == fans


# What docs/pytorch.md says that torch.nn.init makes of the same kernels.
FANS_OF_TORCH = {
    "dense": (32, 64),
    "conv2d": (288, 576),
    "conv2d in 4 groups": (72, 576),
    "depthwise": (9, 576),
    "transposed 2d": (576, 288),
}


@pytest.mark.parametrize(("name", "fans"), FANS_OF_TORCH.items())
def test_fans_of_torch_are_those_on_the_page(name, fans):
    make, _ = FANS[name]
    assert nn.init._calculate_fan_in_and_fan_out(make().weight) == fans


def test_an_embedding_has_the_spread_of_torch():
    (block,) = describe(nn.Embedding(100, 16))
    decided = resolve_parameters(LayerSpec.parse({"shape": [100, 16], **block.action.layer}))
    assert (decided.distribution, decided.stddev) == ("normal", 1.0)


def test_the_row_of_padding_is_zero():
    _, row = describe(nn.Embedding(10, 4, padding_idx=3))
    assert (row.action, row.rows, row.suffix) == (Constant(0.0), slice(3, 4), "[3]")


def test_packed_attention_is_three_kernels():
    blocks = describe(nn.MultiheadAttention(8, 2), "in_proj_weight")
    assert [(block.suffix, block.rows) for block in blocks] == [
        (".q", slice(0, 8)),
        (".k", slice(8, 16)),
        (".v", slice(16, 24)),
    ]


@pytest.mark.parametrize("attribute", ["q_proj_weight", "k_proj_weight", "v_proj_weight"])
def test_attention_of_several_sizes_has_kernels_of_its_own(attribute):
    (block,) = describe(nn.MultiheadAttention(8, 2, kdim=3, vdim=5), attribute)
    assert block.action == Draw({"layout": "OI", "activation": None})


@pytest.mark.parametrize("attribute", ["bias_k", "bias_v"])
def test_positions_that_attention_adds_have_the_spread_of_torch(attribute):
    module = nn.MultiheadAttention(8, 2, add_bias_kv=True)
    (block,) = describe(module, attribute)
    decided = resolve_parameters(LayerSpec.parse({"shape": [1, 1, 8], **block.action.layer}))
    assert (decided.distribution, decided.variance) == ("normal", 1 / 8)


GATES = {
    nn.LSTM: {".i": "sigmoid", ".f": "sigmoid", ".g": "tanh", ".o": "sigmoid"},
    nn.GRU: {".r": "sigmoid", ".z": "sigmoid", ".n": "tanh"},
}


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("attribute", ["weight_ih_l0", "weight_hh_l1", "weight_ih_l1_reverse"])
def test_each_gate_is_a_kernel(kind, attribute):
    blocks = describe(kind(3, 4, num_layers=2, bidirectional=True), attribute)
    assert {block.suffix: block.action.layer["activation"] for block in blocks} == GATES[kind]


@pytest.mark.parametrize(
    ("kind", "cell"), [(nn.LSTM, nn.LSTMCell), (nn.GRU, nn.GRUCell), (nn.RNN, nn.RNNCell)]
)
def test_a_cell_starts_as_its_layer(kind, cell):
    assert describe(cell(3, 4), "weight_ih") == describe(kind(3, 4), "weight_ih_l0")


def test_gates_lie_in_the_order_of_torch():
    assert [block.rows for block in describe(nn.LSTM(3, 4), "weight_ih_l0")] == [
        slice(0, 4),
        slice(4, 8),
        slice(8, 12),
        slice(12, 16),
    ]


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_a_plain_recurrent_layer_names_its_activation(nonlinearity):
    (block,) = describe(nn.RNN(3, 4, nonlinearity=nonlinearity), "weight_hh_l0")
    assert block.action.layer["activation"] == nonlinearity


@pytest.mark.parametrize("attribute", ["weight_hr_l0", "weight_hr_l1", "weight_hr_l0_reverse"])
def test_no_activation_follows_the_projection_of_an_lstm(attribute):
    module = nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2)
    (block,) = describe(module, attribute)
    assert block.action == Draw({"layout": "OI", "activation": None})


NORMS = [
    nn.BatchNorm1d(4),
    nn.BatchNorm2d(4),
    nn.BatchNorm3d(4),
    nn.SyncBatchNorm(4),
    nn.InstanceNorm1d(4, affine=True),
    nn.InstanceNorm2d(4, affine=True),
    nn.InstanceNorm3d(4, affine=True),
    nn.LayerNorm(4),
    nn.GroupNorm(2, 4),
]


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: type(norm).__name__)
def test_a_norm_starts_as_identity(norm):
    starts = [describe(norm, attribute)[0].action for attribute in ("weight", "bias")]
    assert starts == [Constant(1.0), Constant(0.0)]


def test_a_norm_without_shift_starts_as_identity():
    assert describe(nn.RMSNorm(4))[0].action == Constant(1.0)


@pytest.mark.parametrize("init", [0.25, 0.5])
def test_a_prelu_starts_as_it_was_made(init):
    assert describe(nn.PReLU(init=init))[0].action == Constant(init)


def test_a_subclass_starts_as_its_base():
    class Special(nn.Linear):
        pass

    assert describe(Special(3, 4)) == describe(nn.Linear(3, 4))


def test_another_parameter_of_a_subclass_is_unknown():
    class Special(nn.Linear):
        def __init__(self):
            super().__init__(3, 4)
            self.extra = nn.Parameter(torch.zeros(3))

    assert describe(Special(), "extra") == []


def test_a_flattened_kernel_is_unknown():
    assert describe_parameter(nn.Linear(3, 4), "weight", (12,)) == []


def test_every_module_of_torch_with_parameters_has_a_row():
    with_parameters = {
        kind
        for name, kind in vars(nn).items()
        if isinstance(kind, type)
        and kind.__module__ != "torch.nn.modules.loss"
        and not name.startswith("Lazy")
        and not name.endswith("Base")
        and {"weight", "bias", "in_proj_weight"} & inspect.get_annotations(kind).keys()
    }
    assert with_parameters - LAYERS.keys() == set()
