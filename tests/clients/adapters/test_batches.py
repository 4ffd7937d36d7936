"""A batch determines what follows a model's kernels where its inputs cannot be guessed."""

import equinox
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
import weightinit.jax
import weightinit.keras
import weightinit.torch
from flax import nnx
from torch import nn
from weightinit.adapters.rules import ModelRejected, UnknownActivationWarning

NODES, EDGES, WIDTH = 6, 9, 4


class TorchGraph(nn.Module):
    """A layer of a graph network: SiLU of what comes along the edges. It asks for sizes."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(WIDTH, 8), nn.Linear(8, 2)

    def forward(self, nodes, edges):
        if edges.shape[0] != 3:
            raise ValueError("edges have a source, a target and a kind")
        sent = self.first(nodes)[edges[0]]
        return self.last(torch.nn.functional.silu(torch.zeros(len(nodes), 8).index_add(0, edges[1], sent)))


class KerasGraph(keras.Model):
    """The same in Keras; it knows the number of its nodes only when it is called."""

    def __init__(self):
        super().__init__()
        self.first, self.last = keras.layers.Dense(8, name="first"), keras.layers.Dense(2, name="last")
        self.first.build((None, WIDTH))
        self.last.build((None, 8))
        self.built = True

    def call(self, nodes, edges):
        if edges.shape[0] != 3:
            raise ValueError("edges have a source, a target and a kind")
        sent = keras.ops.take(self.first(nodes), edges[0], axis=0)
        return self.last(keras.ops.silu(keras.ops.segment_sum(sent, edges[1], num_segments=nodes.shape[0])))


class NNXGraph(nnx.Module):
    """The same in Flax NNX."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.first, self.last = nnx.Linear(WIDTH, 8, rngs=rngs), nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, nodes, edges):
        if edges.shape[0] != 3:
            raise ValueError("edges have a source, a target and a kind")
        sent = self.first(nodes)[edges[0]]
        return self.last(jax.nn.silu(jnp.zeros((len(nodes), 8)).at[edges[1]].add(sent)))


ARRAYS = np.zeros((NODES, WIDTH), "float32"), np.zeros((3, EDGES), "int32")
GRAPHS = {
    "torch": (weightinit.torch, TorchGraph, tuple(map(torch.from_numpy, ARRAYS)), "first.weight"),
    "keras": (weightinit.keras, KerasGraph, ARRAYS, "first/kernel"),
    "jax": (weightinit.jax, NNXGraph, ARRAYS, "first/kernel"),
}


@pytest.fixture(params=GRAPHS)
def graph(request):
    """Return an adapter, a model, its batch, and the name of its first kernel."""
    module, make, batch, name = GRAPHS[request.param]
    return module, make(), batch, name


def find_row(report, name):
    """Find the row of a tensor in a report."""
    return next(row for row in report if row.name == name)


def test_without_a_batch_what_follows_in_a_graph_network_is_unknown(graph, client):
    module, model, _, _ = graph
    with pytest.warns(UnknownActivationWarning):
        module.plan(model, 42, client=client)


def test_a_batch_shows_what_follows(graph, client):
    module, model, batch, name = graph
    row = find_row(module.plan(model, 42, batch=batch, strict=True, client=client), name)
    assert (row.activation, row.certainty) == ("silu", "certain")


def test_a_batch_may_name_arguments(graph, client):
    module, model, batch, name = graph
    named = dict(zip(("nodes", "edges"), batch, strict=True))
    assert find_row(module.plan(model, 42, batch=named, client=client), name).activation == "silu"


def test_initialize_takes_the_batch_of_a_plan(graph, client):
    module, model, batch, _ = graph
    module.initialize(model, 42, batch=batch, client=client)


def test_publish_takes_the_batch_of_a_plan(graph, client):
    module, model, batch, name = graph
    published = module.publish(model, 42, batch=batch, client=client)
    found = {tensor.name: tensor for tensor in client.model(published.id).tensors}
    assert "silu" in str(found[name])


def test_a_batch_that_the_model_does_not_take_is_refused_with_its_error(graph, client):
    module, model, (nodes, _), _ = graph
    with pytest.raises(ModelRejected, match="edges have a source, a target and a kind"):
        module.plan(model, 42, batch=(nodes, nodes), client=client)


def test_a_batch_for_a_bare_tree_is_refused(client):
    with pytest.raises(ModelRejected, match="batch: a tree cannot be called"):
        weightinit.jax.plan({"kernel": jnp.zeros((2, 2))}, 42, batch=jnp.zeros((1, 2)), client=client)


def test_a_batch_of_a_module_of_equinox_counts_samples_along_its_first_axis(client):
    model = equinox.nn.MLP(5, 3, 7, 1, key=jax.random.key(0))
    report = weightinit.jax.plan(model, 42, batch=jnp.zeros((11, 5)), strict=True, client=client)
    assert find_row(report, "layers/0/weight").activation == "relu"


def test_the_values_of_a_batch_do_not_count(client):
    batch = torch.empty(NODES, WIDTH, device="meta"), torch.empty(3, EDGES, dtype=torch.long, device="meta")
    report = weightinit.torch.plan(TorchGraph(), 42, batch=batch, client=client)
    assert find_row(report, "first.weight").activation == "silu"
