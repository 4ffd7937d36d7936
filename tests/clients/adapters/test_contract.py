"""initialize, plan, publish and the report have the same interface in every framework."""

import inspect
import json
import warnings

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
import weightinit.jax
import weightinit.keras
import weightinit.torch
from weightinit import SpecRejected
from weightinit.adapters.plan import read_seed

FRAMEWORKS = {"torch": weightinit.torch, "keras": weightinit.keras, "jax": weightinit.jax}
FUNCTIONS = ("initialize", "plan", "publish")
LARGEST = 2**64 - 1


def make_torch():
    """Make a layer before a ReLU, and one after."""
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.ReLU(), torch.nn.Linear(7, 3))


def make_keras():
    """Make the same in Keras, under PyTorch's names of layers."""
    layers = [keras.layers.Dense(7, activation="relu", name="0"), keras.layers.Dense(3, name="2")]
    return keras.Sequential([keras.Input((5,)), *layers])


def make_jax():
    """Make the same as a tree and a function of it."""
    shapes = {"0": (5, 7), "2": (7, 3)}
    tree = {
        name: {"kernel": jnp.zeros(shape), "bias": jnp.zeros(shape[-1])} for name, shape in shapes.items()
    }

    def apply(tree, x):
        hidden = jax.nn.relu(x @ tree["0"]["kernel"] + tree["0"]["bias"])
        return hidden @ tree["2"]["kernel"] + tree["2"]["bias"]

    return weightinit.jax.Applied(apply, tree, jnp.zeros((1, 5)))


MODELS = {"torch": make_torch, "keras": make_keras, "jax": make_jax}


SLOPE = 0.2
LEAKY = {
    "torch": lambda: torch.nn.Sequential(
        torch.nn.Linear(5, 7), torch.nn.LeakyReLU(SLOPE), torch.nn.Linear(7, 3)
    ),
    "keras": lambda: keras.Sequential(
        [keras.Input((5,)), *(keras.layers.Dense(7), keras.layers.LeakyReLU(SLOPE), keras.layers.Dense(3))]
    ),
    "jax": lambda: weightinit.jax.Applied(
        lambda tree, x: jax.nn.leaky_relu(x @ tree[0], SLOPE) @ tree[1],
        [jnp.zeros((5, 7)), jnp.zeros((7, 3))],
        jnp.zeros((1, 5)),
    ),
}


def name_as_torch(path):
    """Return the name that PyTorch has for a path."""
    return path.replace("/kernel", ".weight").replace("/", ".")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("framework", ["keras", "jax"])
def test_the_parameters_of_a_function_are_those_of_pytorch(framework, function):
    ours, theirs = (
        [(row.name, row.kind, row.default) for row in inspect.signature(found).parameters.values()]
        for found in (getattr(FRAMEWORKS[framework], function), getattr(weightinit.torch, function))
    )
    assert ours == theirs


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_exports_the_contract(framework):
    shared = {*FUNCTIONS, "Report", "Row", "ModelRejected"}
    assert shared <= set(FRAMEWORKS[framework].__all__)


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_report_of_a_plan_is_that_of_initialize(framework, client):
    module, model = FRAMEWORKS[framework], MODELS[framework]()
    assert module.plan(model, 42, client=client) == module.initialize(model, 42, client=client)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_slope_of_a_leaky_relu_is_in_the_variance(framework, client):
    report = FRAMEWORKS[framework].plan(LEAKY[framework](), 42, client=client)
    # He et al. 2015, equation 15.
    assert next(iter(report)).variance == 2 / (1 + SLOPE**2) / 5


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_kernels_have_the_same_parameters_in_every_framework(framework, client):
    report = FRAMEWORKS[framework].plan(MODELS[framework](), 42, client=client)
    rows = {name_as_torch(row.name): row for row in report}
    assert [
        (row.scheme, row.distribution, row.activation, row.variance)
        for row in (rows["0.weight"], rows["2.weight"])
    ] == [("he", "uniform", "relu", 2 / 5), ("glorot", "uniform", "none", 2 / 10)]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_report_has_the_same_columns_in_every_framework(framework, client):
    report = FRAMEWORKS[framework].plan(MODELS[framework](), 42, client=client)
    columns = str(report).splitlines()[0].split()
    assert columns == [
        "name",
        "shape",
        "scheme",
        "distribution",
        "variance",
        "activation",
        "certainty",
        "reason",
    ]
    assert json.loads(report.to_json())["totals"]["elements"] == 5 * 7 + 7 + 7 * 3 + 3


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("rule", "scheme"),
    [("lecun_normal", "lecun"), (0.25, "constant"), (None, "kept"), ({"scheme": "he"}, "he")],
)
def test_a_rule_means_the_same_in_every_framework(framework, rule, scheme, client):
    name = {"torch": "2.weight"}.get(framework, "2/kernel")
    report = FRAMEWORKS[framework].plan(MODELS[framework](), 42, rules={name: rule}, client=client)
    assert report[name].scheme == scheme


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_rule_that_gives_an_activation_alone_may_name_a_layer(framework, client):
    rules = {"2": {"activation": "selu"}}
    report = FRAMEWORKS[framework].plan(MODELS[framework](), 42, rules=rules, client=client)
    rows = {name_as_torch(row.name): row for row in report}
    assert (rows["2.weight"].scheme, rows["2.bias"].activation) == ("lecun", None)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_seed_may_be_decimal_text_in_every_framework(framework, client):
    report = FRAMEWORKS[framework].plan(MODELS[framework](), str(LARGEST), client=client)
    assert report.seed == LARGEST


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("seed", [-1, 2**64, str(2**64), True, 1.5])
def test_a_wrong_seed_is_the_same_error_in_every_framework(framework, seed, client):
    with pytest.raises(SpecRejected, match="seed must be an integer from 0 to 18446744073709551615"):
        FRAMEWORKS[framework].plan(MODELS[framework](), seed, client=client)


def test_a_seed_may_be_an_integer_of_numpy():
    assert read_seed(np.uint64(LARGEST)) == LARGEST


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_is_published_is_the_same_in_every_framework(framework, client):
    module, model = FRAMEWORKS[framework], MODELS[framework]()
    published = module.publish(model, 42, rename=name_as_torch, client=client)
    kernel = next(tensor for tensor in client.model(published.id).tensors if tensor.name == "0.weight")
    (part,) = kernel.parts
    assert (part.spec.name, part.spec.activation) == ("0.weight", "relu")
    report = module.plan(MODELS[framework](), published.id, rename=name_as_torch, client=client)
    assert (report.model, {row.scheme for row in report}) == (published.id, {"he", "glorot", "constant"})


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_unknown_name_is_a_key_error_with_the_nearest(framework, client):
    report = FRAMEWORKS[framework].plan(MODELS[framework](), 42, client=client)
    name = report.rows[0].name
    with pytest.raises(KeyError, match=f"did you mean {name}"):
        report[f"{name}s"]


def test_a_report_in_a_notebook_is_collapsed_and_escaped(client):
    layer = torch.nn.Sequential()
    layer.add_module("<b>", torch.nn.Linear(2, 3))
    html = weightinit.torch.plan(layer, 42, client=client)._repr_html_()
    assert html.startswith("<details><summary>2 tensors, 9 elements, 36 bytes")
    assert ("&lt;b&gt;.weight" in html, "<b>" in html) == (True, False)


@pytest.mark.parametrize("keyword", ["activations", "prefix"])
def test_a_deprecated_keyword_is_warned_of_and_works(keyword, client):
    value = {"activations": {"2": "selu"}, "prefix": "head"}[keyword]
    with pytest.deprecated_call(match=f"plan\\({keyword}=\\) is deprecated"):
        report = weightinit.torch.plan(make_torch(), 42, client=client, **{keyword: value})
    assert "lecun" in report.schemes or report.rows[0].name == "head.0.weight"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_deprecated_keyword_name_is_rename(framework, client):
    with warnings.catch_warnings(record=True) as caught:  # Keras has others of its own
        warnings.simplefilter("always")
        FRAMEWORKS[framework].initialize(MODELS[framework](), 42, name=str, client=client)
    messages = [str(warning.message) for warning in caught if warning.category is DeprecationWarning]
    assert any("initialize(name=) is deprecated: use rename=" in message for message in messages)


@pytest.mark.parametrize("name", ["Entry", "plan_module"])
def test_a_deprecated_name_is_warned_of(name):
    with pytest.deprecated_call(match=f"weightinit.torch.{name} is deprecated"):
        assert getattr(weightinit.torch, name)


def test_describe_of_jax_is_deprecated_for_plan(client):
    with pytest.deprecated_call(match="use weightinit.jax.plan"):
        describe = weightinit.jax.describe
    assert describe(make_jax(), client=client)["0/bias"] is None
