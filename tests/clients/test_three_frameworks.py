"""One start for Keras, PyTorch and JAX: the same outputs, and the same first loss on real data."""

from itertools import pairwise

import keras
import numpy as np
import pytest
import torch
import weightinit.keras
import weightinit.torch
from sklearn.datasets import load_digits
from torch import nn
from weightinit.keras import Initializer

from tests.clients.pages import run_page

SIZES = (64, 32, 16, 10)
NAMES = ("hidden1", "hidden2", "out")
ACTIVATIONS = ("relu", "relu", "none")


@pytest.fixture(scope="module")
def digits():
    """scikit-learn's digits: 1797 images of 64 pixels in [0, 1], and their labels."""
    found = load_digits()
    return (found.data / 16).astype("float32"), found.target.astype("int32")


def test_the_page_s_examples_run(service):
    assert run_page("three-frameworks.md")


def test_the_gates_of_an_lstm_are_the_same(client):
    in_keras, in_torch = keras.layers.LSTM(5), nn.LSTM(3, 5)
    in_keras.build((None, 4, 3))
    names = {"lstm_cell/kernel": "weight_ih_l0", "lstm_cell/recurrent_kernel": "weight_hh_l0"}

    def name(path):
        kernel, gate = path.split(".")
        return f"{names[kernel]}.{gate}"

    weightinit.keras.initialize(in_keras, 42, rename=name, client=client)
    weightinit.torch.initialize_(in_torch, 42, client=client)
    kernel, recurrent, _ = in_keras.get_weights()
    np.testing.assert_array_equal(kernel.T, in_torch.weight_ih_l0.detach())
    np.testing.assert_array_equal(recurrent.T, in_torch.weight_hh_l0.detach())


def test_a_depthwise_kernel_is_the_same(client):
    in_keras, in_torch = keras.layers.DepthwiseConv2D(3, depth_multiplier=2), nn.Conv2d(4, 8, 3, groups=4)
    in_keras.build((None, 8, 8, 4))
    weightinit.keras.initialize(in_keras, 42, rename=lambda _path: "weight", client=client)
    weightinit.torch.initialize_(in_torch, 42, client=client)
    kernel = in_keras.get_weights()[0].transpose(2, 3, 0, 1).reshape(8, 1, 3, 3)
    np.testing.assert_array_equal(kernel, in_torch.weight.detach())


def build_in_keras(client):
    """An MLP in Keras, for plain gradient descent."""
    layers = [
        keras.layers.Dense(
            size,
            activation=None if activation == "none" else activation,
            kernel_initializer=Initializer(activation=activation, seed=42, name=name, client=client),
        )
        for size, name, activation in zip(SIZES[1:], NAMES, ACTIVATIONS, strict=True)
    ]
    model = keras.Sequential([keras.Input((SIZES[0],)), *layers])
    model.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


def build_in_torch(client):
    """The same in PyTorch."""
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(SIZES)]
    for layer, name, activation in zip(layers, NAMES, ACTIVATIONS, strict=True):
        weightinit.torch.init_(layer.weight, activation=activation, seed=42, name=name, client=client)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def train_in_keras(model, inputs, labels, steps):
    """Losses of so many steps of gradient descent on the whole set."""
    return [float(model.train_on_batch(inputs, labels)) for _ in range(steps)]


def train_in_torch(model, inputs, labels, steps):
    """The same in PyTorch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.from_numpy(inputs)), torch.from_numpy(labels).long())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.fixture(scope="module")
def losses(client, digits):
    """Losses of training in Keras and in PyTorch."""
    return train_in_keras(build_in_keras(client), *digits, 50), train_in_torch(
        build_in_torch(client), *digits, 50
    )


def test_the_first_loss_is_the_same(losses):
    in_keras, in_torch = losses
    assert in_keras[0] == pytest.approx(in_torch[0], abs=1e-5)


def test_the_losses_stay_together(losses):
    in_keras, in_torch = losses
    np.testing.assert_allclose(in_keras, in_torch, atol=1e-3)


def test_training_learns(losses):
    for run in losses:
        assert run[-1] < run[0] / 2
