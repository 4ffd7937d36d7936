"""A module initialized by reference equals the one initialized by its seed."""

from functools import partial

import pytest
import torch
from safetensors.torch import load_file, load_model
from torch import nn
from torch.ao.quantization import QuantWrapper
from torch.optim.swa_utils import AveragedModel
from weightinit import Client, ConnectionFailed, Model, NotFound, Part, Spec, SpecRejected, TensorSpec
from weightinit.torch import ModelRejected, TensorRejected, initialize_, publish
from weightinit.torch.walk import unwrap

from tests.clients.torch.models import Gpt, Residual
from tests.clients.torch.test_initialize import MODELS, make_mlp


def make_padded():
    """Make embeddings with a row of padding at either end, in the middle, and without."""
    return nn.Sequential(*[nn.Embedding(7, 4, padding_idx=row) for row in (0, 3, 6, None)])


def make_norms():
    """Make a model with running statistics, one of them shared."""
    norm = nn.BatchNorm1d(4)
    return nn.Sequential(
        nn.Linear(4, 4), norm, nn.ReLU(), norm, nn.InstanceNorm1d(4, track_running_stats=True)
    )


def make_scalar():
    """Make a module with a parameter of no axes."""
    module = nn.Linear(4, 4)
    module.scale = nn.Parameter(torch.tensor(0.0))
    return module


MAKES = {
    **{name: make for name, (make, _) in MODELS.items()},
    "padding": make_padded,
    "norms": make_norms,
    "attention": partial(nn.MultiheadAttention, 8, 2, add_bias_kv=True),
    "projected lstm": partial(nn.LSTM, 4, 6, proj_size=2, bidirectional=True),
    "transposed with groups": partial(nn.ConvTranspose1d, 4, 6, 3, groups=2),
    "bilinear": partial(nn.Bilinear, 2, 3, 4),
}
RULES = {"weight": {"stddev": 0.02}, "bias": 0.5, "scale": 2.5}


def spoil(model):
    """Overwrite every floating tensor of a model, so that one that is not started shows."""
    with torch.no_grad():
        for tensor in filter(torch.is_floating_point, model.state_dict().values()):
            tensor.fill_(7)
    return model


def assert_equal(first, second):
    """Check that two modules hold the same bits, in parameters and buffers."""
    expected = first.state_dict()
    found = second.state_dict()
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []


@pytest.fixture(params=MAKES)
def make(request):
    """How to make a model."""
    return MAKES[request.param]


@pytest.fixture
def started(make, client):
    """The model, started by its seed."""
    model = spoil(make())
    initialize_(model, 42, client=client)
    return model


def test_a_published_start_is_that_of_its_seed(make, started, client):
    model = spoil(make())
    initialize_(model, publish(make(), 42, client=client).id, client=client)
    assert_equal(started, model)


@pytest.fixture
def pull(client, tmp_path):
    """Publish what a model starts from, and pull it to a file."""

    def pull_it(model):
        client.pull(publish(model, 42, client=client).id, tmp_path / "start.safetensors")
        return tmp_path / "start.safetensors"

    return pull_it


def test_a_file_that_was_pulled_is_the_same_start(make, started, pull):
    model = spoil(make())
    model.load_state_dict(load_file(pull(make())), strict=False)
    assert_equal(started, model)


@pytest.mark.parametrize("make", [Residual, make_padded], ids=["residual", "padding"])
def test_a_file_that_was_pulled_loads_strictly(make, pull):
    model = make()
    assert model.load_state_dict(load_file(pull(model)), strict=True).missing_keys == []


def test_tied_names_are_all_that_a_pulled_file_lacks(pull):
    found = Gpt().load_state_dict(load_file(pull(Gpt())), strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (["lm_head.weight"], [])


def test_load_model_of_safetensors_knows_what_is_tied(pull):
    assert load_model(Gpt(), pull(Gpt())) == (set(), [])


def test_rules_go_into_what_is_published(client):
    model, twin = make_scalar(), make_scalar()
    initialize_(model, 42, rules=RULES, client=client)
    initialize_(twin, publish(make_scalar(), 42, rules=RULES, client=client).id, client=client)
    assert_equal(model, twin)


def test_a_name_will_do(client):
    model, twin = make_mlp(), make_mlp()
    initialize_(model, 42, client=client)
    publish(twin, 42, name="tests/mlp/1", author="tests", client=client)
    initialize_(twin, "tests/mlp/1", client=client)
    assert_equal(model, twin)


def test_all_processes_may_publish_at_once(client):
    first, second = (publish(make_mlp(), 42, client=client) for _ in range(2))
    assert (first.id, second.is_new) == (second.id, False)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_the_dtype_is_the_parameter_s_own(dtype, client):
    model, twin = make_mlp().to(dtype), make_mlp().to(dtype)
    initialize_(model, 42, client=client)
    initialize_(twin, publish(make_mlp(), 42, client=client).id, client=client)
    assert_equal(model, twin)


def test_a_model_built_on_meta_can_be_published(client):
    with torch.device("meta"):
        model = Residual()
    assert publish(model, 42, client=client).id == publish(Residual(), 42, client=client).id


def test_a_part_starts_as_in_the_whole_by_its_prefix(client):
    whole, part = nn.ModuleDict({"head": nn.Linear(4, 4)}), nn.Linear(4, 4)
    published = publish(whole, 42, rules={"*": {"activation": "none"}}, client=client).id
    initialize_(whole, published, client=client)
    initialize_(part, published, rename=lambda name: f"head.{name}", client=client)
    assert_equal(whole.head, part)


@pytest.mark.parametrize(
    "wrap", [partial(torch.compile, backend="eager"), nn.DataParallel, AveragedModel, QuantWrapper]
)
def test_a_wrapped_model_starts_as_the_model(wrap, client):
    model, twin = make_mlp(), wrap(make_mlp())
    initialize_(model, 42, client=client)
    initialize_(twin, publish(wrap(make_mlp()), 42, client=client).id, client=client)
    assert_equal(model, unwrap(twin))


def test_a_parameter_without_elements_needs_nothing(client):
    module = nn.Linear(2, 3)
    module.empty = nn.Parameter(torch.empty(0, 3))
    report = initialize_(module, publish(module, 42, client=client).id, client=client)
    assert (report["empty"].value, report.skipped) == (0, ())


def make_empty_linear(inputs, outputs):
    """Make a linear layer without elements, of which PyTorch's own initialization warns."""
    layer = nn.Linear(1, 1, bias=False)
    layer.weight = nn.Parameter(torch.empty(outputs, inputs))
    layer.in_features, layer.out_features = inputs, outputs
    return layer


def make_counting():
    """Make a model with all that is no weight: counters, scalars, a mask, a parameter without elements."""
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), make_empty_linear(2, 0)
    )
    model.logit_scale = nn.Parameter(torch.tensor(2.5))
    for name, buffer in {
        "step": torch.tensor(7),
        "seen": torch.zeros(3, dtype=torch.int32),
        "mask": torch.ones(2, 4, dtype=torch.bool),
        "levels": torch.full((2,), 255, dtype=torch.uint8),
        "ratio": torch.tensor(0.5),
        "empty": torch.zeros(0, 2, dtype=torch.int64),
    }.items():
        model.register_buffer(name, buffer)
    return model


SCALE = {"logit_scale": 2.5}


def test_a_file_has_all_that_a_strict_load_asks_for(client, tmp_path):
    model, twin = make_counting(), make_counting()
    published = publish(model, 42, rules=SCALE, client=client)
    client.pull(published.id, tmp_path / "start.safetensors")
    loaded = load_file(tmp_path / "start.safetensors")
    assert set(loaded) == set(model.state_dict())
    twin.load_state_dict(loaded, strict=True)
    initialize_(model, 42, rules=SCALE, client=client)
    assert_equal(model, twin)
    for name, tensor in model.state_dict().items():
        assert (loaded[name].shape, loaded[name].dtype) == (tensor.shape, tensor.dtype)


def test_counters_and_masks_are_initialized_by_a_name(client):
    model, twin = make_counting(), make_counting()
    published = publish(model, 42, rules=SCALE, client=client)
    with torch.no_grad():
        for tensor in (*twin.parameters(), *twin.buffers()):
            tensor.fill_(1)
    twin[1].num_batches_tracked.fill_(57)
    report = initialize_(twin, published.id, client=client)
    initialize_(model, 42, rules=SCALE, client=client)
    assert_equal(model, twin)
    assert (report["1.num_batches_tracked"].dtype, report["step"].value) == ("int64", 7)
    assert report.nbytes == sum(tensor.nbytes for tensor in model.state_dict().values())


def test_a_model_of_another_framework_need_not_count_batches(client):
    count = TensorSpec.of("norm.num_batches_tracked", Part.constant((), 0), dtype="int64")
    weight = TensorSpec.of("weight", Part.of(Spec((3, 2), layout="OI", name="weight")))
    published = client.publish(Model(42, (weight, count)))
    report = initialize_(nn.Linear(2, 3, bias=False), published.id, client=client)
    assert [row.name for row in report] == ["weight"]


def test_a_weight_that_the_module_lacks_is_refused_still(client):
    published = publish(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)), 42, client=client)
    with pytest.raises(ModelRejected, match=r"1\.weight \[3\] is published, but not in the model"):
        initialize_(nn.Sequential(nn.Linear(2, 3)), published.id, client=client)


@pytest.mark.parametrize("value", [0.5, 300.0, -1.0])
def test_a_value_that_an_integer_cannot_have_is_refused_before_anything_is_written(value, client):
    tensors = [
        TensorSpec.of("weight", Part.constant((3, 2), 1)),
        TensorSpec.of("levels", Part.constant(2, value)),
    ]
    published = client.publish(Model(42, tuple(tensors)))
    module = nn.Linear(2, 3, bias=False)
    module.register_buffer("levels", torch.zeros(2, dtype=torch.uint8))
    before = module.weight.detach().clone()
    with pytest.raises(
        TensorRejected, match=r"levels, of dtype uint8, must be set to an integer from 0 to 255"
    ):
        initialize_(module, published.id, client=client)
    assert torch.equal(module.weight, before)


def test_another_shape_without_elements_is_refused(client):
    published = client.publish(Model(42, (TensorSpec.of("weight", Part.constant((0, 2), 0)),)))
    with pytest.raises(ModelRejected, match=r"weight \[3, 0\] OI is published as \[0, 2\]"):
        initialize_(make_empty_linear(0, 3), published.id, client=client)


def test_names_may_be_mapped(client):
    model, twin = make_mlp(), make_mlp()
    initialize_(model, 42, client=client)
    renamed = nn.ModuleDict({"body": twin})
    name = lambda name: name.removeprefix("body.")  # noqa: E731
    initialize_(renamed, publish(model, 42, client=client).id, rename=name, client=client)
    assert_equal(model, twin)


def test_names_may_be_mapped_for_a_seed_too(client, expect):
    model = nn.Linear(4, 3)
    initialize_(model, 42, rename=lambda name: f"head.{name}", client=client)
    assert torch.equal(model.weight, expect(3, 4, name="head.weight"))


def test_a_kernel_in_keras_order_is_turned(client, expect):
    dense = TensorSpec.of("weight", Part.of(Spec((4, 4), layout="IO", name="weight", activation="relu")))
    bias = TensorSpec.of("bias", Part.constant(4, 0.5))
    model = nn.Linear(4, 4)
    initialize_(model, client.publish(Model(42, (dense, bias))).id, client=client)
    assert torch.equal(model.weight, expect(4, 4, name="weight", activation="relu"))
    assert model.bias.tolist() == [0.5] * 4


def test_gates_are_found_by_name_in_any_order(client):
    model, twin = nn.LSTM(3, 2), nn.LSTM(3, 2)
    initialize_(model, 42, client=client)
    gates = [
        TensorSpec.of(
            f"weight_{side}_l0",
            *[
                Part.of(Spec((2, size), layout="OI", name=f"weight_{side}_l0.{gate}", activation=said))
                for gate, said in {"o": "sigmoid", "g": "tanh", "f": "sigmoid", "i": "sigmoid"}.items()
            ],
        )
        for side, size in {"ih": 3, "hh": 2}.items()
    ]
    biases = [TensorSpec.of(f"bias_{side}_l0", Part.constant(8, 0)) for side in ("ih", "hh")]
    initialize_(twin, client.publish(Model(42, (*gates, *biases))).id, client=client)
    assert_equal(model, twin)


def test_the_report_says_where_a_start_came_from(client):
    model = make_mlp()
    published = publish(model, 42, name="tests/report/1", author="tests", client=client)
    report = initialize_(model, "tests/report/1", client=client)
    assert (report.seed, report.reference, report.model) == (42, "tests/report/1", published.id)
    assert report["1.weight"].reason == "Published in tests/report/1 as 1.weight."


def test_the_report_has_what_was_decided(client):
    model = make_mlp()
    by_seed = initialize_(model, 42, client=client)
    by_name = initialize_(model, publish(model, 42, client=client).id, client=client)
    assert [row.variance for row in by_name] == [row.variance for row in by_seed]
    assert [row.activation for row in by_name] == [row.activation for row in by_seed]


def test_the_rows_of_packed_kernels_are_named_as_ever(client):
    model = nn.MultiheadAttention(4, 2)
    report = initialize_(model, publish(model, 42, client=client).id, client=client)
    assert [row.name for row in report][:3] == [f"in_proj_weight.{part}" for part in "qkv"]


def change(*, lack=(), add=(), width=6):
    """Make a perceptron that lacks some parameters, has others besides, or is of another width."""
    model = make_mlp()
    model[3] = nn.Linear(8, width)
    model[5] = nn.Linear(width, 3)
    for name in lack:
        model.get_submodule(name).register_parameter("bias", None)
    for name in add:
        model.register_parameter(name, nn.Parameter(torch.ones(2)))
    return model


@pytest.fixture(scope="module")
def mlp(client):
    """The id of a published perceptron."""
    return publish(make_mlp(), 42, client=client).id


def test_every_mismatch_is_listed_at_once(mlp, client):
    with pytest.raises(ModelRejected) as caught:
        initialize_(change(lack=["1"], add=["extra"], width=5), mlp, client=client)
    for said in (
        "3.weight [5, 8] OI is published as [6, 8]",
        "3.bias [5] is published as [6]",
        "5.weight [3, 5] OI is published as [3, 6]",
        "extra [2] is not published",
        "1.bias [8] is published, but not in the model",
    ):
        assert said in str(caught.value)


@pytest.mark.parametrize("changes", [{"width": 5}, {"lack": ["1"]}, {"add": ["extra"]}])
def test_what_does_not_fit_leaves_the_model_as_it_was(changes, mlp, client):
    model = change(**changes)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with pytest.raises(ModelRejected):
        initialize_(model, mlp, client=client)
    assert all(map(torch.equal, model.parameters(), before))


def test_unless_strict_what_only_one_of_the_two_has_is_left_alone(mlp, client):
    model = change(lack=["1"], add=["extra"])
    report = initialize_(model, mlp, strict=False, client=client)
    assert (report.skipped, model.extra.tolist()) == (("extra",), [1, 1])


def test_another_shape_is_refused_however_strict(mlp, client):
    with pytest.raises(ModelRejected, match=r"3\.weight \[5, 8\] OI is published as \[6, 8\]"):
        initialize_(change(width=5), mlp, strict=False, client=client)


def test_running_statistics_that_are_not_published_are_reset(client):
    model = spoil(nn.BatchNorm1d(3))
    tensors = [TensorSpec.of(name, Part.constant(3, value)) for name, value in (("weight", 1), ("bias", 0))]
    initialize_(model, client.publish(Model(42, tuple(tensors))).id, client=client)
    assert [model.running_mean.tolist(), model.running_var.tolist()] == [[0] * 3, [1] * 3]


def test_running_statistics_that_are_published_are_filled(client):
    model = nn.BatchNorm1d(3, affine=False)
    tensors = [TensorSpec.of(name, Part.constant(3, 0.25)) for name in ("running_mean", "running_var")]
    initialize_(model, client.publish(Model(42, tuple(tensors))).id, client=client)
    assert [model.running_mean.tolist(), model.running_var.tolist()] == [[0.25] * 3] * 2


def test_parts_across_the_rows_are_refused(client):
    halves = [Part.of(Spec((2, 4), layout="IO", name=name)) for name in ("a", "b")]
    published = client.publish(Model(42, (TensorSpec.of("weight", *halves),))).id
    with pytest.raises(ModelRejected, match="The published parts are not rows of this tensor"):
        initialize_(nn.Linear(4, 4, bias=False), published, client=client)


@pytest.mark.parametrize("rules", [{"*": "he"}, {"*": {"activation": "relu"}}, {"*.bias": 1.0}])
def test_a_published_model_says_it_all(rules, mlp, client):
    with pytest.raises(
        ModelRejected, match=r"a rule may only give the layout of .*: the published model sets the rest"
    ):
        initialize_(make_mlp(), mlp, rules=rules, client=client)


@pytest.mark.parametrize("reference", ["vision", "a/b", "a/b/c/d", "", "Ω/b/c", "0" * 63])
def test_what_is_no_reference_is_refused(reference, client):
    with pytest.raises(SpecRejected):
        initialize_(make_mlp(), reference, client=client)


@pytest.mark.parametrize("reference", ["tests/unknown/1", "0" * 64])
def test_what_is_not_published_is_not_found(reference, client):
    with pytest.raises(NotFound):
        initialize_(make_mlp(), reference, client=client)


def test_an_error_midway_names_the_tensor(mlp, client, monkeypatch):
    fetch = Client.fetch

    def fail_later(self, spec, **options):
        if spec.name == "3.weight":
            raise ConnectionFailed("gone")
        fetch(self, spec, **options)

    monkeypatch.setattr(Client, "fetch", fail_later)
    with pytest.raises(ConnectionFailed) as caught:
        initialize_(make_mlp(), mlp, client=client)
    assert caught.value.__notes__ == ["3.weight is not complete, and nothing after it is initialized."]
