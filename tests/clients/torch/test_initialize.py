"""Every parameter of a whole model has the weights of its name and layer."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.ao.quantization import QuantWrapper
from torch.optim.swa_utils import AveragedModel
from weightinit import Client, ConnectionFailed, SpecRejected
from weightinit.torch import ModelRejected, TensorRejected, initialize_

from tests.clients.torch.models import Gpt, Residual

RELU = {"activation": "relu"}
SIGMOID = {"activation": "sigmoid"}
TANH = {"activation": "tanh"}


def make_mlp():
    """Make the perceptron of the book."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 6), nn.SELU(), nn.Linear(6, 3), nn.Softmax(1)
    )


def make_transformer():
    """Make an encoder of PyTorch's own."""
    layer = nn.TransformerEncoderLayer(4, 2, 8, activation="gelu", batch_first=True)
    return nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)


# Model → what its drawn tensors are: name → (rows, the keywords of the spec that says the same).
MODELS = {
    "mlp": (
        make_mlp,
        {
            "1.weight": (None, RELU),
            "3.weight": (None, {"activation": "selu"}),
            "5.weight": (None, {"activation": "softmax"}),
        },
    ),
    "residual": (
        Residual,
        {
            "stem.weight": (None, RELU),
            "depthwise.weight": (None, {"activation": "silu", "groups": 8}),
            "grouped.weight": (None, {"activation": "relu", "groups": 4}),
            "up.weight": (None, {"activation": "tanh", "layout": "IOHW", "fan_in": 16, "fan_out": 8}),
            "head.weight": (None, {}),
        },
    ),
    "transformer": (
        make_transformer,
        {
            "layers.0.self_attn.in_proj_weight.q": (slice(0, 4), {}),
            "layers.0.self_attn.in_proj_weight.k": (slice(4, 8), {}),
            "layers.0.self_attn.in_proj_weight.v": (slice(8, 12), {}),
            "layers.0.self_attn.out_proj.weight": (None, {}),
            "layers.0.linear1.weight": (None, {"activation": "gelu"}),
            "layers.0.linear2.weight": (None, {}),
        },
    ),
    "lstm": (
        partial(nn.LSTM, 3, 2),
        {
            "weight_ih_l0.i": (slice(0, 2), SIGMOID),
            "weight_ih_l0.f": (slice(2, 4), SIGMOID),
            "weight_ih_l0.g": (slice(4, 6), TANH),
            "weight_ih_l0.o": (slice(6, 8), SIGMOID),
            "weight_hh_l0.i": (slice(0, 2), SIGMOID),
            "weight_hh_l0.f": (slice(2, 4), SIGMOID),
            "weight_hh_l0.g": (slice(4, 6), TANH),
            "weight_hh_l0.o": (slice(6, 8), SIGMOID),
        },
    ),
    "gru": (
        partial(nn.GRUCell, 3, 2),
        {
            "weight_ih.r": (slice(0, 2), SIGMOID),
            "weight_ih.z": (slice(2, 4), SIGMOID),
            "weight_ih.n": (slice(4, 6), TANH),
            "weight_hh.r": (slice(0, 2), SIGMOID),
            "weight_hh.z": (slice(2, 4), SIGMOID),
            "weight_hh.n": (slice(4, 6), TANH),
        },
    ),
    "gpt": (
        partial(Gpt, depth=1),
        {
            # The head, too: σ² = 1 / width.
            "wte.weight": (None, {"layout": "IO", "fan_in": 4, "fan_out": 11, "scheme": "lecun"}),
            "wpe.weight": (None, {"layout": "IO", "fan_in": 1, "scheme": "lecun"}),
            "h.0.c_attn.weight": (None, {}),
            "h.0.c_proj.weight": (None, {}),
            "h.0.mlp.0.weight": (None, {"activation": "gelu"}),
            "h.0.mlp.2.weight": (None, {}),
        },
    ),
}
TENSORS = [(make, name, *said) for make, tensors in MODELS.values() for name, said in tensors.items()]


def find_tensor(model, name, rows):
    """Find a parameter, or its rows, by the name of the tensor."""
    names = dict(model.named_parameters())
    return names[name] if rows is None else names[name.rpartition(".")[0]][rows]


@pytest.mark.parametrize(("make", "name", "rows", "said"), TENSORS, ids=[name for _, name, *_ in TENSORS])
def test_a_kernel_has_the_weights_that_its_layer_asks_for(make, name, rows, said, client, expect):
    model = make()
    initialize_(model, 42, client=client)
    tensor = find_tensor(model, name, rows)
    assert torch.equal(tensor, expect(*tensor.shape, name=name, **said))


@pytest.mark.parametrize(("make", "tensors"), MODELS.values(), ids=MODELS)
def test_nothing_else_is_drawn(make, tensors, client):
    report = initialize_(make(), 42, client=client)
    assert [row.name for row in report if row.variance is not None] == list(tensors)


@pytest.mark.parametrize("make", [make for make, _ in MODELS.values()], ids=MODELS)
def test_every_parameter_is_written(make, client):
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)
    initialize_(model, 42, client=client)
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_biases_are_zero_and_norms_identity(client):
    model = Residual()
    initialize_(model, 42, client=client)
    assert [model.head.bias.abs().max(), model.bn1.weight.min(), model.bn1.bias.abs().max()] == [0, 1, 0]


def test_running_statistics_are_reset(client):
    model = nn.Sequential(nn.BatchNorm1d(3)).to_empty(device="cpu")
    initialize_(model, 42, client=client)
    assert [model[0].running_mean.tolist(), model[0].running_var.tolist()] == [[0] * 3, [1] * 3]


def test_other_buffers_are_left_alone(client):
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.full((2,), 7.0))
    initialize_(model, 42, client=client)
    assert model.mask.tolist() == [7, 7]


def test_the_seed_changes_every_kernel(client):
    first, second = make_mlp(), make_mlp()
    initialize_(first, 1, client=client)
    initialize_(second, 2, client=client)
    assert not any(torch.equal(first[index].weight, second[index].weight) for index in (1, 3, 5))


def test_layers_of_one_shape_differ(client):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    initialize_(model, 42, client=client)
    assert not torch.equal(model[0].weight, model[1].weight)


def test_the_order_of_layers_does_not_matter(client):
    first = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})
    second = nn.ModuleDict({"b": nn.Linear(4, 4), "a": nn.Linear(4, 4)})
    for model in (first, second):
        initialize_(model, 42, rules={"*": {"activation": "none"}}, client=client)
    assert torch.equal(first["a"].weight, second["a"].weight)


def test_a_part_with_its_prefix_starts_as_in_the_whole(client):
    whole, part = nn.ModuleDict({"head": nn.Linear(4, 4)}), nn.Linear(4, 4)
    initialize_(whole, 42, rules={"*": {"activation": "none"}}, client=client)
    initialize_(part, 42, rename=lambda name: f"head.{name}", client=client)
    assert torch.equal(whole["head"].weight, part.weight)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_each_dtype_is_a_rounding_of_one_tensor(dtype, client, expect):
    model = make_mlp().to(dtype)
    initialize_(model, 42, client=client)
    assert torch.equal(model[1].weight, expect(8, 12, dtype=dtype, name="1.weight", activation="relu"))


def test_a_tied_parameter_stays_tied(client):
    model = Gpt()
    initialize_(model, 42, client=client)
    assert model.lm_head.weight is model.wte.weight


def test_the_row_of_padding_is_zero_and_others_are_not(client):
    model = nn.Embedding(4, 3, padding_idx=2)
    initialize_(model, 42, client=client)
    assert model.weight.eq(0).all(dim=1).tolist() == [False, False, True, False]


def test_rules_decide(client, expect):
    model = Gpt(depth=1)
    rules = {"w?e.weight": {"stddev": 0.02}, "*.c_attn.weight": {"parts": ["q", "k", "v"], "scheme": "he"}}
    initialize_(model, 42, rules=rules, client=client)
    assert torch.equal(model.h[0].c_attn.weight[4:8], expect(4, 4, name="h.0.c_attn.weight.k", scheme="he"))


def test_a_standard_deviation_is_what_was_asked_for(client):
    model = nn.Embedding(300, 200)
    initialize_(model, 42, rules={"weight": {"stddev": 0.02}}, client=client)
    assert model.weight.std().item() == pytest.approx(0.02, rel=0.01)


def test_what_is_to_be_kept_is_kept(client):
    model = make_mlp()
    before = model[1].weight.detach().clone()
    initialize_(model, 42, rules={"1.weight": None}, client=client)
    assert torch.equal(model[1].weight, before)


@pytest.mark.parametrize(
    "wrap", [partial(torch.compile, backend="eager"), nn.DataParallel, AveragedModel, QuantWrapper]
)
def test_a_wrapped_model_starts_as_the_model(wrap, client):
    model, twin = make_mlp(), wrap(make_mlp())
    initialize_(model, 42, client=client)
    initialize_(twin, 42, client=client)
    assert all(map(torch.equal, model.parameters(), twin.parameters()))


def test_a_model_built_on_meta_starts_as_one_that_was_not(client):
    with torch.device("meta"):
        model = make_mlp()
    model.to_empty(device="cpu")
    twin = make_mlp()
    initialize_(model, 42, client=client)
    initialize_(twin, 42, client=client)
    assert all(map(torch.equal, model.parameters(), twin.parameters()))


def test_requires_grad_stays(client):
    model = make_mlp()
    model[1].weight.requires_grad_(False)
    initialize_(model, 42, client=client)
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, *[True] * 5]


def test_a_model_that_is_started_can_be_trained(client):
    model = make_mlp()
    initialize_(model, 42, client=client)
    model(torch.ones(2, 12)).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_the_default_client_is_asked(default_service):
    assert len(initialize_(make_mlp(), 42)) == 6


def test_a_choice_is_asked_for_once_for_all_layers_of_a_kind(client, monkeypatch):
    asked = []
    parameters = client.parameters
    monkeypatch.setattr(client, "parameters", lambda spec: asked.append(spec.shape) or parameters(spec))
    initialize_(nn.Sequential(*[nn.Linear(4, 4) for _ in range(5)]), 42, client=client)
    assert asked == [(4, 4)]


REFUSED = {
    "unknown parameter": (ModelRejected, {"rules": {"nothing": "he"}}),
    "unknown activation": (SpecRejected, {"rules": {"5": {"activation": "relo"}}}),
    "unknown scheme": (SpecRejected, {"rules": {"5.weight": "hee"}}),
    "layout of another rank": (SpecRejected, {"rules": {"5.weight": {"layout": "OIHW"}}}),
    "negative seed": (SpecRejected, {"seed": -1}),
    "seed beyond 64 bits": (SpecRejected, {"seed": 2**64}),
    "seed that is a truth": (SpecRejected, {"seed": True}),
    "seed that is no number": (SpecRejected, {"seed": 42.0}),
}


@pytest.mark.parametrize(("error", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_leaves_the_model_as_it_was(error, said, client):
    model = make_mlp()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with pytest.raises(error):
        initialize_(model, client=client, **{"seed": 42, **said})
    assert all(map(torch.equal, model.parameters(), before))


def test_a_parameter_that_cannot_be_written_leaves_the_model_as_it_was(client):
    model = make_mlp()
    model[5] = nn.Linear(6, 3, device="meta")
    before = model[1].weight.detach().clone()
    with pytest.raises(TensorRejected, match=r"5\.weight is on the meta device"):
        initialize_(model, 42, client=client)
    assert torch.equal(model[1].weight, before)


def test_an_absent_service_leaves_the_model_as_it_was():
    model = make_mlp()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with Client("http://127.0.0.1:9", retries=0) as absent, pytest.raises(ConnectionFailed):
        initialize_(model, 42, client=absent)
    assert all(map(torch.equal, model.parameters(), before))


def test_an_error_of_the_service_names_the_tensor(client):
    with pytest.raises(SpecRejected) as caught:
        initialize_(make_mlp(), 42, rules={"5": {"activation": "relo"}}, client=client)
    assert caught.value.__notes__ == ["This was requested for 5.weight."]


def test_an_error_midway_names_the_tensor(client, monkeypatch):
    fetch = client.fetch

    def fail_later(spec, **options):
        if spec.name == "3.weight":
            raise ConnectionFailed("gone")
        fetch(spec, **options)

    monkeypatch.setattr(client, "fetch", fail_later)
    with pytest.raises(ConnectionFailed) as caught:
        initialize_(make_mlp(), 42, client=client)
    assert caught.value.__notes__ == ["3.weight is not complete, and nothing after it is initialized."]


def convert(dtype):
    """Make a model of which one kernel has a dtype that no draw has."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].weight = nn.Parameter(model[2].weight.detach().to(dtype))
    return model


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.complex64])
def test_a_dtype_that_is_not_drawn_is_refused_by_name_before_anything_is_written(dtype, client):
    model = convert(dtype)
    before = model[0].weight.clone()
    with pytest.raises(TensorRejected, match=rf"2\.weight must have dtype .*; received {dtype}"):
        initialize_(model, seed=1, client=client)
    assert torch.equal(model[0].weight, before)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_parameter_is_refused_by_name(client):
    model = nn.Linear(4, 4)
    model.ragged = nn.Parameter(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]))
    with pytest.raises(TensorRejected, match="ragged must be one tensor"):
        initialize_(model, seed=1, client=client)


def test_a_model_made_in_inference_mode_starts_as_any_other(client):
    def make():
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))

    with torch.inference_mode():
        frozen_in_time = make()
    twin = make()
    for model in (frozen_in_time, twin):
        initialize_(model, seed=1, client=client)
    assert all(map(torch.equal, frozen_in_time.parameters(), twin.parameters()))
