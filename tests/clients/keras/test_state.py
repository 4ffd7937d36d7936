"""Tracing restores the state that a model's calls change, and suppresses their warnings."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from weightinit.keras import UnknownActivationWarning, check, plan
from weightinit.keras.plan import plan_variables

from tests.clients.keras.following import judge

BATCH = np.ones((2, 4), "float32")


class Remembering(layers.Layer):
    """A layer that adds a loss and keeps what it has seen in attributes of every kind."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4)
        self.seen, self.last, self.nested, self.ids, self.count = [], {}, [[]], set(), 0

    def build(self, shape):
        self.dense.build(shape)

    def call(self, inputs):
        made = self.dense(inputs)
        self.add_loss(ops.mean(made))
        self.seen.append(made)
        self.last["made"] = made
        self.nested[0].append(made)
        self.ids.add(id(made))
        self.count += 1
        return ops.relu(made)

    def remember(self):
        return [len(self.seen), set(self.last), len(self.nested[0]), set(self.ids), self.count]


class Measuring(keras.Model):
    """A model that updates a metric, a mean and a counter, and drops from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.dense, self.metric = layers.Dense(4), keras.metrics.Mean()
        self.mean = self.add_weight(shape=(4,), initializer="zeros", trainable=False, name="mean")
        self.steps = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="steps"
        )
        self.generator = keras.random.SeedGenerator(3)

    def call(self, inputs):
        made = self.dense(inputs)
        self.metric.update_state(ops.mean(made))
        self.mean.assign(0.9 * self.mean + 0.1 * ops.mean(made, axis=0))
        self.steps.assign_add(1)
        return ops.tanh(keras.random.dropout(made, 0.1, seed=self.generator))


def build(layer):
    given = keras.Input((4,))
    return keras.Model(given, layer(given))


def test_a_loss_that_a_call_adds_does_not_hide_what_follows():
    layer = Remembering()
    assert judge(build(layer), layer.dense) == ("relu", "certain")


@pytest.mark.parametrize(
    "look", [lambda model: plan_variables(model, None, 42), lambda model: check(model, BATCH)]
)
def test_no_attribute_and_no_loss_is_left_of_a_look_at_a_model(look):
    layer = Remembering()
    model = build(layer)
    model(BATCH)
    before, losses = layer.remember(), [float(ops.convert_to_numpy(loss)) for loss in model.losses]
    look(model)
    assert (layer.remember(), [float(ops.convert_to_numpy(loss)) for loss in model.losses]) == (
        before,
        losses,
    )


def test_metrics_counters_and_means_are_followed_and_do_not_change():
    model = Measuring()
    model(BATCH)
    before = [ops.convert_to_numpy(one).copy() for one in [*model.variables, *model.metrics[0].variables]]
    assert judge(model, model.dense) == ("tanh", "certain")
    after = [ops.convert_to_numpy(one) for one in [*model.variables, *model.metrics[0].variables]]
    assert all(map(np.array_equal, before, after))


def test_what_a_call_warns_of_is_not_said_and_hides_nothing():
    class Warner(layers.Layer):
        def call(self, inputs):
            warnings.warn("from a call", stacklevel=1)
            return ops.relu(inputs)

    dense, filters = layers.Dense(4), list(warnings.filters)
    given = keras.Input((4,))
    layer = Warner()
    with warnings.catch_warnings(action="ignore"):
        model = keras.Model(given, layer(dense(given)))
    with warnings.catch_warnings(action="error"):
        assert judge(model, dense) == ("relu", "certain")
    assert warnings.filters == filters


def test_the_warning_of_an_unknown_activation_points_at_the_caller(client):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Lambda(ops.sin), layers.Dense(3)])
    with pytest.warns(UnknownActivationWarning) as caught:
        plan(model, 42, client=client)
    assert [one.filename for one in caught] == [__file__]
