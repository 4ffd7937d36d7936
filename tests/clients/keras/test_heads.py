"""Embedding tables that are also the kernels of output layers (Vaswani et al. 2017, section 3.4)."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops
from weightinit.keras import initialize, plan

ROWS, WIDTH = 200, 64


class Language(keras.Model):
    """Looks tokens up, and gives what comes of them to a head with the table."""

    def __init__(self, head):
        super().__init__()
        self.table = layers.Embedding(ROWS, WIDTH, name="table")
        self.dense = layers.Dense(WIDTH, name="dense")
        self.head = head

    def call(self, tokens):
        return self.head(self.dense(self.table(tokens)), self.table.embeddings)


def build(head):
    model = Language(head)
    model(np.zeros((2, 4), "int32"))
    return model


def build_reversible(**keywords):
    tokens = keras.Input((4,), dtype="int32")
    table = layers.ReversibleEmbedding(ROWS, WIDTH, name="table", **keywords)
    return keras.Model(tokens, table(layers.Dense(WIDTH)(table(tokens)), reverse=True))


@pytest.mark.parametrize(
    "head",
    [
        lambda signal, table: ops.matmul(signal, ops.transpose(table)),
        lambda signal, table: signal @ ops.cast(ops.transpose(table.value), "float32"),
        lambda signal, table: ops.einsum("btd,vd->btv", signal, table),
        lambda signal, table: ops.tensordot(signal, table, axes=[[2], [1]]),
        lambda signal, table: ops.matmul(table, ops.transpose(signal, (0, 2, 1))),
    ],
)
def test_a_table_whose_transpose_makes_logits_is_a_head(client, head):
    row = plan(build(head), 42, client=client)["table/embeddings"]
    assert math.sqrt(row.variance) == pytest.approx(1 / math.sqrt(WIDTH))
    assert row.certainty == "certain"
    assert row.reason.startswith("The table of an embedding that is a head, too: σ = 1/√d")


@pytest.mark.parametrize(
    "keywords", [{}, {"dtype": "mixed_bfloat16"}, {"logit_soft_cap": 30.0}, {"reverse_dtype": "float32"}]
)
def test_a_reversible_embedding_that_is_reversed_is_a_head(client, keywords):
    row = plan(build_reversible(**keywords), 42, client=client)["table/embeddings"]
    assert (math.sqrt(row.variance), row.certainty) == (pytest.approx(1 / math.sqrt(WIDTH)), "certain")


def test_logits_of_a_head_have_a_variance_of_about_one(client):
    model = build_reversible()
    initialize(model, 42, client=client)
    table = model.get_layer("table")
    signal = np.random.default_rng(0).normal(size=(50, WIDTH)).astype("float32")
    logits = ops.convert_to_numpy(table(signal, reverse=True))
    assert np.var(logits) == pytest.approx(1, abs=0.1)


def test_a_table_with_a_kernel_of_its_own_for_the_way_back_is_no_head(client):
    report = plan(build_reversible(tie_weights=False), 42, client=client)
    assert report["table/embeddings"].limit == pytest.approx(0.05)


@pytest.mark.parametrize(
    "head",
    [
        lambda signal, _table: signal,
        lambda signal, table: ops.matmul(ops.softmax(ops.tile(signal, (1, 1, 4))[..., :ROWS]), table),
    ],
)
def test_a_table_of_which_rows_are_mixed_is_no_head(client, head):
    assert plan(build(head), 42, client=client)["table/embeddings"].limit == pytest.approx(0.05)
