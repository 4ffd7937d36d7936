"""Recipes of frameworks: what their layers do by themselves. Roles are kinds of layers."""

from service.core.recipes.rules import (
    NORMS,
    Recipe,
    Rule,
    constant,
    glorot,
    normal,
    torch_bias,
    torch_kernel,
    uniform,
    zero_biases,
)

TORCH_RNN = "torch/nn/modules/rnn.py:308-311 (2.13)"
TORCH_ATTENTION = "torch/nn/modules/activation.py, MultiheadAttention._reset_parameters (2.13)"
KERAS_DENSE = "keras 3.15, layers/core/dense.py:89-90, layers/convolutional/base_conv.py:102-103"
KERAS_RNN = "keras 3.15, layers/rnn/lstm.py:94-97, gru.py:92-94, simple_rnn.py:84-86"
FLAX = "flax 0.12, nnx/nn/linear.py"

FRAMEWORKS: tuple[Recipe, ...] = (
    Recipe(
        "torch",
        "PyTorch's layers by themselves",
        "PyTorch's reset_parameters: U(±1/√fan_in)",
        (
            normal(1.0, "embedding", source="torch/nn/modules/sparse.py:180 (2.13)"),
            uniform("1 / sqrt(hidden)", "recurrent", "recurrent_in", "recurrent_bias", source=TORCH_RNN),
            glorot("uniform", "query_key_value", source=TORCH_ATTENTION),
            constant(0, "query_key_value_bias", "fused_out_bias", source=TORCH_ATTENTION),
            torch_kernel("kernel"),
            torch_bias("bias"),
            *NORMS,
        ),
        by_kind=True,
    ),
    Recipe(
        "keras",
        "Keras' layers by themselves",
        "Keras' default arguments",
        (
            uniform(0.05, "embedding", source="keras 3.15, layers/core/embedding.py:91"),
            Rule(
                ("recurrent",), {"scheme": "orthogonal"}, KERAS_RNN, "One matrix for all gates, as in Keras."
            ),
            Rule(("lstm_bias",), {}, KERAS_RNN, "The forget gate starts from 1.", shares=(0, 1, 0, 0)),
            glorot("uniform", "kernel", source=KERAS_DENSE),
            *zero_biases(KERAS_DENSE),
        ),
        by_kind=True,
    ),
    Recipe(
        "flax",
        "Flax's layers by themselves, linen and nnx",
        "Flax's default arguments",
        (
            normal("1 / sqrt(columns)", "embedding", source=f"{FLAX}:1212"),
            Rule(("recurrent",), {"scheme": "orthogonal"}, "flax 0.12, nnx/nn/recurrent.py:90-92"),
            Rule(("kernel",), {"scheme": "lecun", "distribution": "truncated_normal"}, f"{FLAX}:48"),
            *zero_biases(f"{FLAX}:49"),
        ),
        by_kind=True,
    ),
)
