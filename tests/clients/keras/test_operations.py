"""The table of operations is complete for Keras."""

import inspect
from collections.abc import Iterator

import keras
import pytest
from weightinit.adapters.flow.graph import fold
from weightinit.keras.layers import KERNELS, is_known
from weightinit.keras.tracing.operations import FILLS, ROLES

# Layers that are opened, or called moment by moment.
OPENED = {
    "activation",
    "bidirectional",
    "groupedqueryattention",
    "lambda",
    "layer",
    "multiheadattention",
    "pipeline",
    "rnn",
    "spectralnormalization",
    "stackedrnncells",
    "timedistributed",
    "wrapper",
}
RECURRENT = {"convlstm1d", "convlstm2d", "convlstm3d", "gru", "lstm", "simplernn"}
# A graph of others, a value without inputs, and two outputs of two roles.
SPECIAL = {"function", "full", "fulllike", "moments"}


def find_subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from find_subclasses(one)


def test_no_operation_of_keras_is_forgotten():
    found = {
        fold(kind.__name__)
        for kind in find_subclasses(keras.Operation)
        if kind.__module__.startswith("keras.src.ops") and not issubclass(kind, keras.Layer)
    }
    assert found - set(ROLES) - set(FILLS) == SPECIAL


def test_no_layer_of_keras_is_forgotten():
    found = {
        fold(kind.__name__)
        for _, kind in inspect.getmembers(keras.layers, inspect.isclass)
        if issubclass(kind, keras.Layer) and not any(issubclass(kind, known) for known in KERNELS)
    }
    assert found - set(ROLES) == OPENED | RECURRENT


@pytest.mark.parametrize("kind", [keras.layers.Dense, keras.layers.ReversibleEmbedding])
def test_kernels_have_rows_of_their_own(kind):
    assert is_known(kind(3, 4) if kind is keras.layers.ReversibleEmbedding else kind(3))
