"""Roles: what a tensor is for.

A role may have a more general one, whose rule is for it too: a query is an attention_in, which is a kernel.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """A role, and the more general one that it belongs to, if any."""

    name: str
    text: str
    general: str | None = None


ROLES: dict[str, Role] = {
    row.name: row
    for row in (
        Role("kernel", "A matrix or convolution without a role of its own."),
        Role("attention_in", "A projection into attention.", "kernel"),
        Role("query", "The projection to queries.", "attention_in"),
        Role("key", "The projection to keys.", "attention_in"),
        Role("value", "The projection to values.", "attention_in"),
        Role("query_key_value", "The projections to queries, keys and values in one tensor.", "attention_in"),
        Role("attention_out", "The projection from attention into the residual stream.", "kernel"),
        Role("mlp_in", "The first matrix of a multilayer perceptron.", "kernel"),
        Role("gate", "The gate of a multilayer perceptron.", "mlp_in"),
        Role("mlp_out", "The last matrix of a multilayer perceptron.", "kernel"),
        Role("head", "The last layer: logits.", "kernel"),
        Role("projection", "A matrix after the layers, such as a pooler.", "kernel"),
        Role("modulation", "The layer of adaLN that computes shifts and scales.", "kernel"),
        Role("time", "A layer that embeds the time step.", "kernel"),
        Role("first", "The first layer.", "kernel"),
        Role("recurrent_in", "The input kernel of a recurrent layer.", "kernel"),
        Role("recurrent", "The recurrent kernel of a recurrent layer.", "kernel"),
        Role("convolution", "The kernel of a convolution.", "kernel"),
        Role("patch", "The kernel that embeds patches.", "convolution"),
        Role("depthwise", "The kernel of a depthwise convolution.", "convolution"),
        Role("shortcut", "The convolution beside a residual branch.", "convolution"),
        Role("branch_in", "A convolution of a residual branch besides its last.", "convolution"),
        Role("branch_out", "The last convolution of a residual branch.", "convolution"),
        Role("vision_attention_in", "attention_in of CLIP's image tower.", "attention_in"),
        Role("vision_attention_out", "attention_out of CLIP's image tower.", "attention_out"),
        Role("vision_mlp_in", "mlp_in of CLIP's image tower.", "mlp_in"),
        Role("vision_mlp_out", "mlp_out of CLIP's image tower.", "mlp_out"),
        Role("vision_position", "Positions and class token of CLIP's image tower.", "position"),
        Role("embedding", "A table of tokens."),
        Role("position", "Learned positions.", "embedding"),
        Role("token_type", "A table of segments.", "embedding"),
        Role("label", "A table of classes.", "embedding"),
        Role("relative_position", "A table of relative positions.", "embedding"),
        Role("class_token", "A class or register token.", "embedding"),
        Role("bias", "A bias."),
        Role("mlp_bias", "A bias of a multilayer perceptron.", "bias"),
        Role("patch_bias", "The bias of a patch.", "bias"),
        Role("attention_bias", "A bias of attention.", "bias"),
        Role("query_key_value_bias", "The bias of query_key_value.", "attention_bias"),
        Role("value_bias", "The bias of a value.", "attention_bias"),
        Role("attention_out_bias", "The bias of attention_out.", "attention_bias"),
        Role("fused_out_bias", "attention_out_bias of PyTorch's MultiheadAttention.", "attention_out_bias"),
        Role("recurrent_bias", "A bias of a recurrent layer.", "bias"),
        Role("lstm_bias", "The bias of Keras' LSTM: input, forget, cell, output.", "recurrent_bias"),
        Role("norm_scale", "The scale of a norm."),
        Role("last_norm_scale", "The scale of the last norm of a residual branch.", "norm_scale"),
        Role("norm_shift", "The shift of a norm."),
        Role("layer_scale", "The factor of a residual branch (LayerScale)."),
        Role("multiplier", "A learned factor that starts from 1."),
        Role("running_mean", "The running mean of a batch norm."),
        Role("running_variance", "The running variance of a batch norm."),
        Role("counter", "The number of batches of a batch norm."),
        Role("logit_scale", "The logarithm of CLIP's inverse temperature."),
        Role("step", "The projection to the time steps of a state space.", "kernel"),
        Role("step_bias", "The bias of the time steps of a state space."),
        Role("state", "The logarithms of the poles of a state space."),
        Role("skip", "The factor around a state space."),
        Role("state_out", "The projection from a state space into the residual stream.", "kernel"),
        Role("receptance", "The receptance of RWKV.", "kernel"),
    )
}
