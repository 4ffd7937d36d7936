"""Patterns: find what a tensor is for, and its layer, from its name in the libraries that people use."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

W = r"(weight|kernel|w)"
SCALE = r"(weight|scale|gamma)"
SHIFT = r"(bias|beta|offset|shift)"
NORM = r"(\w*norm\w*|ln|ln_\w+|ln\d+|\w+_ln|bn|bn\d+|bn_\w+|\w+_bn)"
ATTENTION = r"(\w*attn\w*|\w*attention\w*|att)"
TABLE = r"(weight|embeddings?)"


class Pattern(NamedTuple):
    """A pattern of the end of a name, the role it gives, and the ranks of the tensor, if they matter.

    `#` stands for a number between dots. With `sibling`, the model must have a tensor of the name in which
    that replaces the last `up` parts, of one of the ranks `beside`; with `alone`, it must not.
    """

    text: str
    role: str
    ranks: range = range(9)
    sibling: str = ""
    alone: str = ""
    up: int = 1
    beside: range = range(9)

    def compile(self) -> re.Pattern[str]:
        """Compile the pattern, for the end of a name that starts after a dot."""
        return re.compile(rf"(?:^|(?<=\.)){self.text}$", re.IGNORECASE)


VECTOR, MATRIX, KERNEL, SPACE = range(1, 2), range(2, 3), range(2, 6), range(3, 6)

PATTERNS: tuple[Pattern, ...] = (
    Pattern(r"num_batches_tracked", "counter"),
    Pattern(r"(running|moving)_mean", "running_mean"),
    Pattern(r"(running_var|moving_variance)", "running_variance"),
    Pattern(r"logit_scale", "logit_scale"),
    # state spaces, RWKV and DiT
    Pattern(r"A_log", "state"),
    Pattern(r"mixer\.D", "skip"),
    Pattern(r"dt_proj\.bias", "step_bias"),
    Pattern(rf"dt_proj\.{W}", "step"),
    Pattern(rf"mixer\.out_proj\.{W}", "state_out"),
    Pattern(rf"mixer\.(in|x)_proj\.{W}", "kernel"),
    Pattern(rf"adaLN_modulation\.#\.{W}", "modulation"),
    Pattern(rf"t_embedder\.mlp\.#\.{W}", "time"),
    Pattern(rf"y_embedder\.embedding_table\.{W}", "label"),
    Pattern(rf"(final_layer\.linear|heads?\.head)\.{W}", "head"),
    Pattern(rf"(att|ffn)\.receptance\.{W}", "receptance"),
    Pattern(rf"att\.output\.{W}", "attention_out"),
    Pattern(rf"ffn\.key\.{W}", "mlp_in"),
    Pattern(rf"ffn\.value\.{W}", "mlp_out"),
    Pattern(rf"att\.gate\.{W}", "gate"),
    # CLIP's image tower
    Pattern(r"visual\.(class_embedding|positional_embedding)", "vision_position"),
    Pattern(r"visual\.conv1\.weight", "patch"),
    Pattern(r"visual\..*attn\.in_proj_weight", "vision_attention_in"),
    Pattern(r"visual\..*attn\.out_proj\.weight", "vision_attention_out"),
    Pattern(r"visual\..*mlp\.c_fc\.weight", "vision_mlp_in"),
    Pattern(r"visual\..*mlp\.c_proj\.weight", "vision_mlp_out"),
    Pattern(r"(visual\.proj|text_projection)", "projection"),
    # norms, tokens and tables
    Pattern(rf"bn3\.{SCALE}", "last_norm_scale", VECTOR),
    Pattern(rf"#\.bn2\.{SCALE}", "last_norm_scale", VECTOR, alone="conv3.weight", up=2),
    Pattern(r"(ls\d|layer_?scale\w*|layer_scale_\d)\.(gamma|weight|lambda\d?)", "layer_scale"),
    Pattern(rf"{NORM}\.{SCALE}", "norm_scale"),
    Pattern(rf"{NORM}\.{SHIFT}", "norm_shift"),
    Pattern(r"(cls|cls_token|class_token|class_embedding|reg_token|dist_token|mask_token)", "class_token"),
    Pattern(rf"(relative_attention_bias|relative_position_bias_table)(\.{TABLE})?", "relative_position"),
    Pattern(
        r"(wpe|pos_embed|pos_embedding|positional_embedding|embed_positions|\w*position_embeddings?)"
        rf"(\.{TABLE})?",
        "position",
    ),
    Pattern(rf"token_type_embeddings\.{TABLE}", "token_type"),
    Pattern(
        rf"(patch_embed\.proj|patch_embeddings?(\.projection)?|conv_proj|embedding)\.{W}", "patch", SPACE
    ),
    Pattern(
        r"(wte|\w*embed_tokens|tok_embeddings|token_embedding|word_embeddings|shared|embeddings?|embed_in|emb"
        rf"|\w+_embedding|Embed_\d+)\.{TABLE}",
        "embedding",
        MATRIX,
    ),
    Pattern(r"\w+\.embeddings?", "embedding", MATRIX),
    # recurrent layers
    Pattern(r"weight_ih_\w+", "recurrent_in"),
    Pattern(r"weight_hh_\w+", "recurrent"),
    Pattern(r"bias_(ih|hh)_\w+", "recurrent_bias"),
    Pattern(r"recurrent_kernel", "recurrent"),
    Pattern(r"h[ifgornz]\.kernel", "recurrent"),
    Pattern(r"kernel", "recurrent_in", MATRIX, sibling="recurrent_kernel"),
    Pattern(r"lstm\w*\.bias", "lstm_bias", sibling="recurrent_kernel"),
    Pattern(r"bias", "recurrent_bias", sibling="recurrent_kernel"),
    # biases
    Pattern(r"bias", "norm_shift", sibling="weight", beside=range(1, 2)),
    Pattern(r"patch_embed\.proj\.bias", "patch_bias"),
    Pattern(r"in_proj_bias", "query_key_value_bias"),
    Pattern(r"out_proj\.bias", "fused_out_bias", sibling="in_proj_weight", up=2),
    Pattern(rf"{ATTENTION}\.out_proj\.bias", "attention_out_bias"),
    Pattern(rf"{ATTENTION}\.v_proj\.bias", "value_bias"),
    Pattern(rf"{ATTENTION}(\.\w+)*\.bias", "attention_bias"),
    Pattern(r"(mlp|ffn|MlpBlock_\d+|feed_forward)(\.\w+)*\.bias", "mlp_bias"),
    Pattern(r"(bias|b|bias\d[ab]?)", "bias"),
    # attention
    Pattern(rf"((c_attn|qkv|query_key_value|Wqkv|qkv_proj|att_proj)\.{W}|in_proj_weight)", "query_key_value"),
    Pattern(rf"(q_proj|query|q|wq|to_q|q_lin)\.{W}", "query"),
    Pattern(rf"(k_proj|key|k|wk|to_k|k_lin)\.{W}", "key"),
    Pattern(rf"(v_proj|value|v|wv|to_v|v_lin)\.{W}", "value"),
    Pattern(
        rf"{ATTENTION}(\.\w+)*\.(c_proj|out_proj|o_proj|proj|dense|wo|out|o|output|to_out(\.#)?)\.{W}",
        "attention_out",
    ),
    Pattern(rf"(o_proj|attn_out|attention_output|out_lin)\.{W}", "attention_out"),
    # multilayer perceptrons
    Pattern(rf"(gate_proj|wi_0|w1)\.{W}", "gate", MATRIX),
    Pattern(
        rf"(c_fc|fc1|up_proj|wi|wi_1|w3|intermediate\.dense|dense_h_to_4h|ff_proj|linear1|lin1|fc_in"
        rf"|linear_1|MlpBlock_\d+\.Dense_0)\.{W}",
        "mlp_in",
        MATRIX,
    ),
    Pattern(rf"transformer\.ff_out\.{W}", "head", MATRIX),
    Pattern(rf"pooler\.dense\.{W}", "projection", MATRIX),
    Pattern(rf"(pre_logits|transform\.dense|(text|visual|vision)_projection)\.{W}", "projection", MATRIX),
    Pattern(
        rf"(c_proj|fc2|down_proj|wo|w2|output\.dense|dense_4h_to_h|ff_out|linear2|lin2|fc_out"
        rf"|linear_2|MlpBlock_\d+\.Dense_1)\.{W}",
        "mlp_out",
        MATRIX,
    ),
    Pattern(
        rf"(lm_head|head|classifier(\.#)?|fc|score|qa_outputs|output|output_projection|embed_out|decoder"
        rf"|seq_relationship)\.{W}",
        "head",
        MATRIX,
    ),
    # convolutions and the rest
    Pattern(rf"(downsample\.#|downsample|shortcut\w*|skip)\.{W}", "shortcut", SPACE),
    Pattern(rf"(conv_dw|dwconv|depthwise\w*|conv1d)\.{W}", "depthwise", SPACE),
    Pattern(rf"#\.conv3\.{W}", "branch_out", SPACE),
    Pattern(rf"#\.conv2\.{W}", "branch_out", SPACE, alone="conv3.weight", up=2),
    Pattern(rf"#\.conv\d\.{W}", "branch_in", SPACE),
    Pattern(W, "convolution", SPACE),
    Pattern(rf"{SCALE}", "norm_scale", VECTOR),
    Pattern(r"scale", "multiplier"),
)
#: Recipes of frameworks have a rule for any matrix.
ANY_KERNEL = Pattern(W, "kernel", KERNEL)
ANY_TABLE = Pattern(rf"(\w*embedding\w*|wte|wpe)\.{TABLE}", "embedding", MATRIX)

COMPILED = tuple((pattern, pattern.compile()) for pattern in (*PATTERNS, ANY_TABLE, ANY_KERNEL))
#: Characters of a name that patterns see, from its end: they take quadratic time.
MAX_MATCHED = 80
NUMBER = re.compile(r"(?<![^.])[0-9]+(?![^.])")
LAYER = re.compile(
    r"(?:^|\.)(?:(?:h|blocks?|layers?|resblocks|encoder|decoder|groups)\.|"
    r"(?:h|block|layer|layers|encoderblock|encoder_layer|transformer_layer)_)([0-9]{1,9})(?=\.|$)",
    re.ASCII,
)


def normalize_name(name: str) -> str:
    """Write a name with dots between its parts, as PyTorch does.

    >>> normalize_name("Transformer/encoderblock_3/Dense_0/kernel")
    'Transformer.encoderblock_3.Dense_0.kernel'
    """
    return name.replace("/", ".").removesuffix(":0")


def find_layer(name: str) -> tuple[str, int] | None:
    """Return the stack of a tensor and the number of its layer in it, or None if the name has no number.

    >>> find_layer("transformer.h.11.attn.c_proj.weight")
    ('transformer.h.', 11)
    """
    plain = normalize_name(name)
    found = LAYER.search(plain)
    if not found:
        return None
    return plain[: found.start(1)], int(found[1])


def find_role(
    name: str, rank: int, find_rank: Callable[[str], int | None], *, by_kind: bool = False
) -> Pattern | None:
    """Return the first pattern that a name matches, or None.

    `find_rank` returns the rank of a tensor of the model by its name, or None.

    >>> find_role("h.3.attn.c_proj.weight", 2, lambda name: None).role
    'attention_out'
    """
    plain = NUMBER.sub("#", normalize_name(name))
    if len(plain) > MAX_MATCHED:
        plain = plain[-MAX_MATCHED:].partition(".")[2]
    for pattern in _match(plain, rank):
        if pattern in {ANY_KERNEL, ANY_TABLE} and not by_kind:
            continue
        other = replace_last(name, pattern.sibling or pattern.alone, pattern.up)
        if pattern.sibling and find_rank(other) not in pattern.beside:
            continue
        if pattern.alone and find_rank(other) is not None:
            continue
        return pattern
    return None


@lru_cache(maxsize=4096)
def _match(plain: str, rank: int) -> tuple[Pattern, ...]:
    """Return the patterns that a name matches. The layers of a model share their answer."""
    return tuple(
        pattern for pattern, compiled in COMPILED if rank in pattern.ranks and compiled.search(plain)
    )


def replace_last(name: str, ending: str, parts: int = 1) -> str:
    """Replace the last parts of a name.

    >>> replace_last("h/0/c_proj/bias", "kernel")
    'h/0/c_proj/kernel'
    """
    mark = "/" if "/" in name else "."
    kept = name.split(mark)[:-parts]
    return mark.join([*kept, *ending.split(".")])
