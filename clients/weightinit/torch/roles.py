"""The roles of the parameters of PyTorch's layers, and how a module is planned by a recipe.

The rules of the roles are the service's. A recipe of a framework takes the roles from the kinds of layers,
and any other recipe from the names of the tensors.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from weightinit.adapters.actions import Block, Constant, Leave
from weightinit.adapters.batches import Batch
from weightinit.adapters.plan import Rename
from weightinit.adapters.recipes import (
    Recipe,
    RecipePlan,
    RecipeTensor,
    find_structure,
    is_of_framework,
    name_recipe,
    plan_recipe,
)
from weightinit.adapters.rules import Rules
from weightinit.client import Client
from weightinit.torch.fill import DTYPES, TENSOR_DTYPES, check_shape
from weightinit.torch.keeping.copies import plan_copies
from weightinit.torch.keeping.kept import FROZEN, describe_named, is_frozen, is_trained
from weightinit.torch.kernels import describe_use
from weightinit.torch.layers import find_inner
from weightinit.torch.readiness import check_overlaps, check_packed, check_scripted
from weightinit.torch.tracing.activations import ActivationFinder
from weightinit.torch.walk import NamedTensor, walk_parameters

OWN = "torch"  # the recipe of this framework

Roles = Mapping[str, str]
# What a kind of layer adds to the fields of a parameter, by the parameter's pattern.
Facts = Mapping[str, Callable[[Any], dict[str, object]]]

DENSE: Roles = {"weight": "kernel", "bias": "bias"}
NORM: Roles = {"weight": "norm_scale", "bias": "norm_shift"}
TABLE: Roles = {"weight": "embedding"}
GATES: Roles = {"weight_ih*": "recurrent_in", "weight_h[hr]*": "recurrent", "bias*": "recurrent_bias"}

ROLES: Mapping[type, Roles] = {
    NonDynamicallyQuantizableLinear: {"weight": "kernel", "bias": "fused_out_bias"},
    **dict.fromkeys((nn.Linear, nn.Bilinear), DENSE),
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), DENSE),
    **dict.fromkeys((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), DENSE),
    **dict.fromkeys((nn.Embedding, nn.EmbeddingBag), TABLE),
    nn.MultiheadAttention: {
        "in_proj_weight": "query_key_value",
        "[qkv]_proj_weight": "query_key_value",
        "in_proj_bias": "query_key_value_bias",
        "bias_[kv]": "query_key_value",
    },
    **dict.fromkeys((nn.RNNBase, nn.RNNCellBase), GATES),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm), NORM),
    **dict.fromkeys((nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d), NORM),
    **dict.fromkeys((nn.LayerNorm, nn.GroupNorm, nn.RMSNorm), NORM),
}


def count_first(module: nn.Bilinear) -> dict[str, object]:
    """Return the fan_in of a bilinear layer, of which PyTorch counts only the first input."""
    return {"fan_in": module.in1_features}


def read_hidden(module: nn.RNNBase) -> dict[str, object]:
    """Return the limit of an LSTM that projects its hidden state: 1/√hidden_size, which no kernel shows."""
    return {"limit": 1 / math.sqrt(module.hidden_size)} if module.proj_size else {}


FACTS: Mapping[type, Facts] = {
    nn.Bilinear: {"weight": count_first, "bias": count_first},
    # xavier_normal_ in torch/nn/modules/activation.py, MultiheadAttention._reset_parameters
    nn.MultiheadAttention: {"bias_[kv]": lambda _module: {"distribution": "normal", "fans_as": OWN}},
    nn.LSTM: {"*": read_hidden},
}
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
# Modules with a constant of their own, whatever the recipe.
CONSTANT = (nn.PReLU,)


def plan_module(
    module: nn.Module,
    recipe: Recipe,
    seed: int,
    rules: Rules | None,
    rename: Rename,
    client: Client,
    *,
    batch: Batch = None,
    prefix: str = "",
    strict: bool | None = None,
) -> RecipePlan:
    """Plan how a recipe initializes the parameters of a module.

    Frozen parameters keep their values, unless all are frozen. Raises ModelRejected, which lists the
    parameters that the recipe has no role for, TensorRejected, and the client's errors.
    """
    check_scripted(module)
    if strict is not False:
        check_packed(module, prefix)
    tensors = walk_parameters(module, prefix)
    for named in tensors:
        check_shape(named.parameter, named.names[0])
    finder, inner, singles_out = ActivationFinder(module, batch), find_inner(module), is_trained(module)
    described = [
        inner.get(id(named.parameter)) or describe_named(named) or describe_use(finder, named, [])
        for named in tensors
    ]
    made = [
        make_tensor(named, blocks, recipe, is_kept=singles_out and is_frozen(named))
        for named, blocks in zip(tensors, described, strict=True)
    ]
    planned = plan_recipe(
        recipe, seed, made, layout="torch", rules=rules, rename=rename, client=client, strict=strict
    )
    check_overlaps(tensors, planned.tensors)
    return planned._replace(tensors=plan_copies(module, tensors, planned.tensors, prefix))


def make_tensor(named: NamedTensor, blocks: list[Block], recipe: Recipe, *, is_kept: bool) -> RecipeTensor:
    """Return a parameter as a recipe takes it, given its blocks according to its layer."""
    tensor = named.parameter
    kept = Block(Leave(), FROZEN) if is_kept else None
    if tensor.dtype not in DTYPES and not tensor.is_floating_point():
        kept = Block(Leave(), "It has integers.")
    fields, kind = describe_fields(named, blocks, recipe)
    dtype = TENSOR_DTYPES.get(tensor.dtype, str(tensor.dtype))
    overlays = [one for one in blocks if one.rows is not None and isinstance(one.action, Constant)]
    return RecipeTensor(
        named.names, named.find_modules(), tuple(tensor.shape), dtype, tensor, fields, kind, kept, overlays
    )


def describe_fields(
    named: NamedTensor, blocks: Sequence[Block], recipe: Recipe
) -> tuple[dict[str, object], str]:
    """Return the fields to send for a parameter, and what gave them: the kind of its layer, or ""."""
    module = named.module
    kind = f"its layer, {type(module).__name__}"
    if isinstance(module, CONSTANT) and blocks and isinstance(blocks[0].action, Constant):
        return {"constant": blocks[0].action.value}, kind
    fields = find_structure(blocks)
    if isinstance(module, TRANSPOSED) and fields:
        fields |= {"transposed": True, "groups": module.groups}
    if not is_of_framework(recipe):
        return fields, ""
    found = next((row for row in map(ROLES.get, type(module).__mro__) if row), {})
    role = find_row(found, named.attribute)
    if role is None:
        return fields, ""
    if name_recipe(recipe) == OWN and isinstance(module, CONVOLUTIONS) and fields:
        fields = {"layout": fields["layout"], "fans_as": OWN}  # PyTorch counts groups and strides otherwise
    if name_recipe(recipe) == OWN:
        facts = next((row for row in map(FACTS.get, type(module).__mro__) if row), {})
        make = find_row(facts, named.attribute)
        fields |= make(module) if make else {}
    return {**fields, "role": role}, kind


def find_row(rows: Mapping[str, Any], attribute: str) -> Any:  # noqa: ANN401 - of any table
    """Return the value of the first pattern that an attribute matches; None if there is none."""
    return next((value for pattern, value in rows.items() if fnmatchcase(attribute, pattern)), None)
