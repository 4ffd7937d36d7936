"""Equinox models with states, random keys and tables are traced as they are normally called."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from weightinit.jax.activations import ActivationFinder
from weightinit.jax.models import open_model

KEY = jax.random.key(0)
IMAGES = jnp.ones((2, 3, 8, 8))


class Normed(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    head: eqx.nn.Linear

    def __init__(self):
        self.conv = eqx.nn.Conv2d(3, 8, 3, key=KEY)
        self.norm = eqx.nn.BatchNorm(8, "samples", mode="batch")
        self.head = eqx.nn.Linear(8, 2, key=KEY)

    def __call__(self, x, state):
        x, state = self.norm(self.conv(x), state)
        return self.head(jax.nn.relu(x).mean((1, 2))), state


def find(model, path, batch=None):
    found = ActivationFinder(open_model(model, batch)).find(path)
    return found.activation, found.certainty


@pytest.mark.parametrize("is_named", [False, True])
def test_a_batch_has_samples_and_the_state_of_all(is_named):
    model, state = eqx.nn.make_with_state(Normed)()
    batch = {"x": IMAGES, "state": state} if is_named else (IMAGES, state)
    assert find(model, "conv/weight", batch) == ("relu", "certain")


def test_an_abstract_model_with_a_state():
    model, state = eqx.filter_eval_shape(eqx.nn.make_with_state(Normed))
    assert find(model, "conv/weight", (IMAGES, state)) == ("relu", "certain")


def test_dropout_without_a_random_key_is_as_in_inference():
    layers = [eqx.nn.Linear(8, 16, key=KEY), eqx.nn.Dropout(), eqx.nn.Lambda(jax.nn.relu)]
    model = eqx.nn.Sequential([*layers, eqx.nn.Linear(16, 2, key=KEY)])
    assert find(model, "layers/0/weight") == ("relu", "certain")


def test_a_model_with_a_table_takes_numbers():
    class Table(eqx.Module):
        words: eqx.nn.Embedding
        head: eqx.nn.Linear

        def __call__(self, word):
            return self.head(self.words(word))

    model = Table(eqx.nn.Embedding(10, 8, key=KEY), eqx.nn.Linear(8, 3, key=KEY))
    assert ActivationFinder(open_model(model)).uses.lookups == {"words/weight"}
