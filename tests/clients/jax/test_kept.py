"""Leaves that the model's author fixed are kept: zeros, untrained leaves, initializers of layers."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from weightinit.jax import Applied, ModelRejected, he_normal, initialize, initializer, plan, publish

from tests.clients.drawing import draw

KEY = jax.random.key(0)
X = jnp.zeros((1, 4))
ZEROS = nnx.initializers.zeros_init()


def apply_linen(module, *inputs, abstract=False):
    """A module of Linen with its variables, or with their shapes."""
    make = jax.eval_shape if abstract else lambda function, *given: function(*given)
    return Applied(module, make(module.init, KEY, *inputs), *inputs)


class NnxHead(nnx.Module):
    """A head that begins at zero, behind a hidden layer."""

    def __init__(self):
        self.hidden = nnx.Linear(4, 8, rngs=nnx.Rngs(0))
        self.head = nnx.Linear(8, 2, kernel_init=ZEROS, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return self.head(nnx.relu(self.hidden(x)))


class LinenHead(nn.Module):
    """The same in Linen."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2, kernel_init=ZEROS, name="head")(nn.relu(nn.Dense(8, name="hidden")(x)))


def make_equinox_head():
    model = eqx.nn.MLP(4, 2, 8, 1, key=KEY)
    return eqx.tree_at(lambda model: model.layers[1].weight, model, jnp.zeros((2, 8)))


def make_haiku_head():
    def run(x):
        return hk.Linear(2, w_init=jnp.zeros, name="head")(jax.nn.relu(hk.Linear(8)(x)))

    net = hk.without_apply_rng(hk.transform(run))
    return Applied(net.apply, net.init(KEY, X), X)


class AdaLN(nnx.Module):
    """A block whose shift, scale and gate begin at zero (Peebles & Xie 2023, adaLN-Zero)."""

    def __init__(self):
        self.modulation = nnx.Linear(4, 12, kernel_init=ZEROS, rngs=nnx.Rngs(0))
        self.mlp = nnx.Linear(4, 4, rngs=nnx.Rngs(0))

    def __call__(self, x):
        shift, scale, gate = jnp.split(self.modulation(nnx.silu(x)), 3, -1)
        return x + gate * nnx.gelu(self.mlp(x * (1 + scale) + shift))


class Adapter(eqx.Module):
    """A layer with an adapter of low rank, whose second factor begins at zero (Hu et al. 2021)."""

    base: eqx.nn.Linear
    down: jax.Array
    up: jax.Array

    def __call__(self, x):
        return jax.nn.relu(self.base(x) + self.up @ (self.down @ x))


def make_adapter():
    base = eqx.nn.Linear(4, 8, key=KEY)
    return Adapter(base, jax.random.normal(KEY, (2, 4)), jnp.zeros((8, 2)))


# By model, the leaf that is zero; those with an initializer that a module shows are certain.
ZERO = {
    "nnx": (NnxHead, "head/kernel", "guessed"),
    "linen": (lambda: apply_linen(LinenHead(), X), "params/head/kernel", "certain"),
    "abstract linen": (lambda: apply_linen(LinenHead(), X, abstract=True), "params/head/kernel", "certain"),
    "equinox": (make_equinox_head, "layers/1/weight", "guessed"),
    "haiku": (make_haiku_head, "head/w", "guessed"),
    "adaln": (AdaLN, "modulation/kernel", "guessed"),
    "lora": (make_adapter, "up", "guessed"),
    "tree": (
        lambda: {"a": {"kernel": jnp.eye(4)}, "z": {"kernel": jnp.zeros((4, 2))}},
        "z/kernel",
        "guessed",
    ),
}
NO_ACTIVATIONS = {"tree": {"*": {"activation": "none"}}}


def read(model):
    """The leaves of a model by their paths."""
    tree = nnx.state(model) if isinstance(model, nnx.Module) else model
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    named = ((jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves)
    return {path.removesuffix("/value"): leaf for path, leaf in named if hasattr(leaf, "shape")}


@pytest.mark.parametrize("kind", ZERO)
def test_a_kernel_that_was_zero_unlike_the_others_stays_zero(kind, client):
    make, path, _ = ZERO[kind]
    leaf = read(initialize(make(), 7, rules=NO_ACTIVATIONS.get(kind), client=client))[path]
    assert not np.any(leaf)


@pytest.mark.parametrize("kind", ZERO)
def test_the_report_says_how_certain_a_zero_is(kind, client):
    make, path, certainty = ZERO[kind]
    row = plan(make(), 7, rules=NO_ACTIVATIONS.get(kind), client=client)[path]
    assert (row.scheme, row.value, row.certainty) == ("constant", 0, certainty)


@pytest.mark.parametrize("kind", ZERO)
def test_a_kernel_of_zeros_is_published_as_zeros(kind, client):
    make, path, _ = ZERO[kind]
    published = publish(make(), 7, rules=NO_ACTIVATIONS.get(kind), client=client)
    tensors = {tensor.name: tensor for tensor in client.model(published.id).tensors}
    assert [part.value for part in tensors[path].parts] == [0]


def test_a_rule_draws_what_was_zero(client):
    row = plan(NnxHead(), 7, rules={"head/kernel": "he_normal"}, client=client)["head/kernel"]
    assert (row.scheme, row.certainty) == ("he", "certain")


def test_where_all_kernels_are_zero_all_are_drawn(client):
    tree = {"a": {"kernel": jnp.zeros((4, 4))}, "b": {"kernel": jnp.zeros((4, 2))}}
    report = plan(tree, 7, rules={"*": {"activation": "none"}}, client=client)
    assert report.schemes == {"glorot": 2}


def test_the_other_kernels_are_drawn(client):
    assert plan(NnxHead(), 7, client=client)["hidden/kernel"].activation == "relu"


class LayerScale(eqx.Module):
    """A residual branch, with a factor for each unit (Touvron et al. 2021)."""

    layer: eqx.nn.Linear
    gamma: jax.Array

    def __call__(self, x):
        return x + self.gamma * self.layer(x)


def test_a_factor_of_one_value_is_a_constant_that_is_guessed_and_published(client):
    model = LayerScale(eqx.nn.Linear(4, 4, key=KEY), jnp.full(4, 0.125))
    row = plan(model, 7, client=client)["gamma"]
    assert (row.scheme, row.value, row.certainty) == ("constant", 0.125, "guessed")
    tensors = {one.name: one for one in client.model(publish(model, 7, client=client).id).tensors}
    assert tensors["gamma"].parts[0].value == 0.125


# --- what is not trained --------------------------------------------------------------------------


class Collections(nn.Module):
    """A product with a matrix that is in a collection of its own."""

    collection: str = "constants"

    @nn.compact
    def __call__(self, x):
        matrix = self.variable(self.collection, "matrix", jax.random.normal, KEY, (4, 8))
        return nn.Dense(2, name="out")(nn.relu(x @ matrix.value))


class Stopped(eqx.Module):
    """A product with a matrix that is behind stop_gradient, as Equinox' documentation freezes arrays."""

    matrix: jax.Array
    out: eqx.nn.Linear
    freeze: object = eqx.field(static=True)

    def __call__(self, x):
        return self.out(jax.nn.relu(self.freeze(self.matrix) @ x))


class NnxStopped(nnx.Module):
    """The same in NNX."""

    def __init__(self):
        self.frozen = nnx.Linear(4, 8, rngs=nnx.Rngs(0))
        self.out = nnx.Linear(8, 2, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return self.out(nnx.relu(x @ jax.lax.stop_gradient(self.frozen.kernel[...])))


def make_stopped(freeze):
    return Stopped(jax.random.normal(KEY, (8, 4)), eqx.nn.Linear(8, 2, key=KEY), freeze)


def freeze_in_a_loop(matrix):
    def step(carry, row):
        return carry, jax.lax.stop_gradient(row)

    return jax.lax.scan(step, 0.0, matrix)[1]


UNTRAINED = {
    "constants": (lambda: apply_linen(Collections(), X), "constants/matrix"),
    "cache": (lambda: apply_linen(Collections("cache"), X), "cache/matrix"),
    "batch_stats": (lambda: apply_linen(Collections("batch_stats"), X), "batch_stats/matrix"),
    "equinox": (lambda: make_stopped(jax.lax.stop_gradient), "matrix"),
    "transposed": (lambda: make_stopped(lambda one: jax.lax.stop_gradient(one.T).T), "matrix"),
    "jit": (lambda: make_stopped(jax.jit(jax.lax.stop_gradient)), "matrix"),
    "scan": (lambda: make_stopped(freeze_in_a_loop), "matrix"),
    "nnx": (NnxStopped, "frozen/kernel"),
}


@pytest.mark.parametrize("kind", UNTRAINED)
def test_what_is_not_trained_is_kept(kind, client):
    make, path = UNTRAINED[kind]
    model, before = make(), read(getattr(make(), "model", make()))[path]
    np.testing.assert_array_equal(read(initialize(model, 7, client=client))[path], before)


@pytest.mark.parametrize("kind", UNTRAINED)
def test_the_reason_for_what_is_kept_is_that_it_is_not_trained(kind, client):
    make, path = UNTRAINED[kind]
    row = plan(make(), 7, client=client)[path]
    assert (row.scheme, row.certainty) == ("kept", "certain")
    assert row.reason.startswith("It is not trained")


def test_a_backbone_whose_outputs_are_stopped_is_kept_as_a_guess(client):
    class Model(eqx.Module):
        backbone: eqx.nn.Linear
        head: eqx.nn.Linear

        def __call__(self, x):
            return self.head(jax.lax.stop_gradient(jax.nn.relu(self.backbone(x))))

    report = plan(Model(eqx.nn.Linear(4, 8, key=KEY), eqx.nn.Linear(8, 2, key=KEY)), 7, client=client)
    assert (report["backbone/weight"].scheme, report["backbone/weight"].certainty) == ("kept", "guessed")
    assert report["head/weight"].scheme == "glorot"


def test_where_nothing_is_trained_nothing_is_singled_out(client):
    class Model(eqx.Module):
        layer: eqx.nn.Linear

        def __call__(self, x):
            return jax.lax.stop_gradient(self.layer(x))

    assert plan(Model(eqx.nn.Linear(4, 8, key=KEY)), 7, client=client)["layer/weight"].scheme == "glorot"


def test_a_kernel_that_is_stopped_on_one_way_of_two_is_trained(client):
    model = make_stopped(lambda one: one + jax.lax.stop_gradient(one) * 0)
    assert plan(model, 7, client=client)["matrix"].scheme != "kept"


def test_what_is_not_trained_and_has_no_values_is_refused(client):
    with pytest.raises(ModelRejected, match="constants/matrix: nothing determines how to initialize"):
        plan(apply_linen(Collections(), X, abstract=True), 7, client=client)


def test_collections_that_are_no_parameters_are_not_published(client):
    published = publish(apply_linen(Collections(), X), 7, client=client)
    names = [tensor.name for tensor in client.model(published.id).tensors]
    assert sorted(names) == ["params/out/bias", "params/out/kernel"]


def test_a_frozen_matrix_of_several_values_is_not_published(client):
    with pytest.raises(
        ModelRejected, match=r"matrix \[8, 4\] has no known initial value, and is not trained"
    ):
        publish(make_stopped(jax.lax.stop_gradient), 7, client=client)


# --- initializers of layers -----------------------------------------------------------------------


class Linen(nn.Module):
    """A layer with a kernel_init, and one without."""

    kernel_init: object
    heads: bool = False

    @nn.compact
    def __call__(self, x):
        make = nn.DenseGeneral((2, 4), kernel_init=self.kernel_init, name="hidden")
        hidden = make(x).reshape(-1, 8) if self.heads else nn.Dense(8, kernel_init=self.kernel_init)(x)
        return nn.Dense(2, name="out")(nn.relu(hidden))


class Nnx(nnx.Module):
    """The same in NNX."""

    def __init__(self, kernel_init, key=0):
        self.hidden = nnx.Linear(4, 8, kernel_init=kernel_init, rngs=nnx.Rngs(key))
        self.out = nnx.Linear(8, 2, rngs=nnx.Rngs(key))

    def __call__(self, x):
        return self.out(nnx.relu(self.hidden(x)))


def ours(client, **said):
    return initializer(scheme="lecun", seed=5, name="head", client=client, **said)


def test_an_initializer_of_ours_keeps_its_seed_name_and_scheme_in_nnx(client):
    drawn = initialize(Nnx(ours(client)), 7, client=client).hidden.kernel[...]
    np.testing.assert_array_equal(drawn, draw(4, 8, name="head", seed=5, scheme="lecun"))


@pytest.mark.parametrize("abstract", [False, True])
def test_an_initializer_of_ours_keeps_its_seed_name_and_scheme_in_linen(abstract, client):
    model = apply_linen(Linen(ours(client)), X, abstract=abstract)
    drawn = initialize(model, 7, client=client)["params"]["Dense_0"]["kernel"]
    np.testing.assert_array_equal(drawn, draw(4, 8, name="head", seed=5, scheme="lecun"))


def test_an_initializer_of_ours_draws_what_its_layer_of_several_axes_had(client):
    model = apply_linen(Linen(he_normal(seed=5, name="head", client=client), heads=True), X)
    before = model.model["params"]["hidden"]["kernel"]
    drawn = initialize(model, 7, client=client)["params"]["hidden"]["kernel"]
    np.testing.assert_array_equal(drawn, before)


@pytest.mark.parametrize("kind", ["nnx", "linen"])
def test_an_initializer_without_a_seed_gives_its_scheme(kind, client):
    made = initializer(scheme="lecun", client=client)
    model = Nnx(made) if kind == "nnx" else apply_linen(Linen(made), X)
    path = "hidden/kernel" if kind == "nnx" else "params/Dense_0/kernel"
    row = plan(model, 7, client=client)[path]
    assert (row.scheme, row.certainty) == ("lecun", "certain")
    drawn = read(initialize(model, 7, client=client))[path]
    np.testing.assert_array_equal(drawn, draw(4, 8, name=path, seed=7, scheme="lecun"))


def test_a_model_that_was_initialized_keeps_what_its_initializers_said(client):
    model = initialize(Nnx(initializer(scheme="lecun", client=client)), 7, client=client)
    assert plan(model, 8, client=client)["hidden/kernel"].scheme == "lecun"


def test_two_layers_with_one_name_get_those_of_their_paths(client):
    class Twins(nn.Module):
        @nn.compact
        def __call__(self, x):
            for name in ("a", "b"):
                x = nn.Dense(4, kernel_init=ours(client), name=name)(x)
            return x

    drawn = initialize(apply_linen(Twins(), X), 7, client=client)["params"]
    for name in ("a", "b"):
        expected = draw(4, 4, name=f"params/{name}/kernel", seed=7, scheme="lecun")
        np.testing.assert_array_equal(drawn[name]["kernel"], expected)


def test_a_kernel_of_another_seed_than_the_models_is_not_published(client):
    with pytest.raises(ModelRejected, match="is drawn from the seed 5 of its layer"):
        publish(apply_linen(Linen(ours(client)), X), 7, client=client)


def test_a_kernel_of_the_same_seed_is_published_under_its_name(client):
    model = apply_linen(Linen(ours(client)), X)
    published = publish(model, 5, client=client)
    drawn = initialize(model, published.id, client=client)["params"]["Dense_0"]["kernel"]
    np.testing.assert_array_equal(drawn, draw(4, 8, name="head", seed=5, scheme="lecun"))


@pytest.mark.parametrize("made", [nn.initializers.orthogonal(), nn.initializers.normal(0.02)])
def test_another_initializer_of_a_layer_makes_its_kernel_a_guess(made, client):
    row = plan(apply_linen(Linen(made), X), 7, client=client)["params/Dense_0/kernel"]
    assert (row.activation, row.certainty) == ("relu", "guessed")
    assert "kernel_init" in row.reason
    assert "is not used" in row.reason


@pytest.mark.parametrize("made", [nn.linear.default_kernel_init, nn.initializers.lecun_normal()])
def test_a_layers_own_default_says_nothing(made, client):
    row = plan(apply_linen(Linen(made), X), 7, client=client)["params/Dense_0/kernel"]
    assert row.certainty == "certain"


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.OptimizedLSTMCell, nn.GRUCell, nn.SimpleCell])
def test_what_a_cell_has_by_default_says_nothing(cell, client):
    report = plan(apply_linen(nn.RNN(cell(8)), jnp.zeros((1, 5, 4))), 7, client=client)
    assert not [row.name for row in report if "is not used" in row.reason]


def test_a_constant_of_a_layer_of_which_only_shapes_are_known_is_its_own(client):
    norm = nn.Sequential([nn.Dense(4), nn.LayerNorm(scale_init=nn.initializers.constant(0.5))])
    drawn = initialize(apply_linen(norm, X, abstract=True), 7, client=client)["params"]["layers_1"]
    assert (drawn["scale"].tolist(), drawn["bias"].tolist()) == ([0.5] * 4, [0] * 4)


def test_a_partitioned_initializer_of_zeros_is_one(client):
    made = nn.with_partitioning(nn.initializers.zeros_init(), (None, None))
    model = apply_linen(Linen(made), X, abstract=True)
    drawn = initialize(model, 7, client=client)["params"]["Dense_0"]["kernel"]
    assert not np.any(drawn.value)


@pytest.mark.parametrize("slope", [0.01, 0.25])
def test_the_slope_of_a_prelu_of_linen_is_what_its_layer_says(slope, client):
    model = nn.Sequential([nn.Dense(4), nn.PReLU(negative_slope_init=slope)])
    drawn = initialize(apply_linen(model, X, abstract=True), 7, client=client)
    assert drawn["params"]["layers_1"]["negative_slope"] == pytest.approx(slope)


def test_the_slope_of_an_abstract_prelu_of_nnx_is_the_default_of_flax(client):
    def make():
        return nnx.Sequential(nnx.Linear(4, 4, rngs=nnx.Rngs(0)), nnx.PReLU())

    model = initialize(nnx.eval_shape(make), 7, client=client)
    assert model.layers[1].negative_slope[...] == pytest.approx(0.01)


class Recorded(nnx.Variable):
    """A kind of variable of one's own."""


class Remembering(nnx.Module):
    """A layer beside variables that are no parameters, and an array that is none."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.layer, self.drop = nnx.Linear(5, 7, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)
        self.cache, self.record = nnx.Cache(jnp.zeros((3, 7))), Recorded(jnp.ones((7, 7)))
        self.fixed = nnx.data(jnp.ones(7))

    def __call__(self, x):
        return self.drop(self.layer(x)) @ self.record[...] * self.fixed


@pytest.mark.parametrize(
    ("name", "what"), [("cache", "a Cache"), ("record", "a Recorded"), ("fixed", "no variable")]
)
def test_what_is_no_parameter_of_nnx_is_named_and_kept(name, what, client):
    row = plan(Remembering(), 42, client=client)[name]
    assert (row.scheme, f"it is {what}" in row.reason) == ("kept", True)
