"""The roles of the variables of Keras' layers, and how a model is planned by a recipe.

The rules of the roles are the service's. A recipe of a framework takes the roles from the kinds of layers,
and any other recipe from the paths of the variables.
"""

from collections.abc import Mapping

from keras import layers
from keras.src.layers.rnn.conv_lstm import ConvLSTMCell

from weightinit.adapters.actions import Block, Leave
from weightinit.adapters.batches import Batch
from weightinit.adapters.plan import Rename
from weightinit.adapters.recipes import (
    Recipe,
    RecipePlan,
    RecipeTensor,
    is_of_framework,
    name_recipe,
    plan_recipe,
)
from weightinit.adapters.rules import Rules
from weightinit.client import Client
from weightinit.keras.activations import ActivationFinder
from weightinit.keras.constants import read_value
from weightinit.keras.kept import FROZEN, is_frozen, is_trained
from weightinit.keras.kernels import find_used
from weightinit.keras.layers import Kernel, Layer, is_gated_by_forgetting
from weightinit.keras.walk import NamedTensor, name_dtype, walk_variables
from weightinit.spec.dtypes import DTYPES
from weightinit.spec.layouts import write_out

OWN = "keras"  # the recipe of this framework

Roles = Mapping[str, str]

DENSE: Roles = {"kernel": "kernel", "bias": "bias"}
SEPARABLE: Roles = {"depthwise_kernel": "kernel", "pointwise_kernel": "kernel", "bias": "bias"}
TABLE: Roles = {"embeddings": "embedding", "reverse_embeddings": "embedding"}
CELL: Roles = {"kernel": "recurrent_in", "recurrent_kernel": "recurrent", "bias": "recurrent_bias"}
NORM: Roles = {
    "gamma": "norm_scale",
    "scale": "norm_scale",
    "beta": "norm_shift",
    "moving_mean": "running_mean",
    "moving_variance": "running_variance",
}
CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
NORMS = (
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.RMSNormalization,
)

ROLES: Mapping[type, Roles] = {
    **dict.fromkeys((layers.Dense, layers.EinsumDense, *CONVOLUTIONS, *TRANSPOSED, *DEPTHWISE), DENSE),
    **dict.fromkeys((layers.SeparableConv1D, layers.SeparableConv2D), SEPARABLE),
    **dict.fromkeys((layers.Embedding, layers.ReversibleEmbedding), TABLE),
    **dict.fromkeys((layers.SimpleRNNCell, layers.LSTMCell, layers.GRUCell, ConvLSTMCell), CELL),
    **dict.fromkeys(NORMS, NORM),
}


def plan_model(
    model: Layer,
    recipe: Recipe,
    seed: int,
    rules: Rules | None,
    rename: Rename,
    client: Client,
    *,
    batch: Batch = None,
    strict: bool | None = None,
) -> RecipePlan:
    """Plan how a recipe initializes the variables of a model.

    Frozen variables keep their values, unless all are frozen, and so do integers. Raises ModelRejected, which
    lists the variables that the recipe has no role for, and the client's errors.
    """
    finder, variables = ActivationFinder(model, batch), walk_variables(model)
    singles_out = is_trained(variables)
    tensors = [
        make_tensor(named, find_used(finder, named), recipe, is_kept=singles_out and is_frozen(named))
        for named in variables
    ]
    return plan_recipe(
        recipe, seed, tensors, layout="keras", rules=rules, rename=rename, client=client, strict=strict
    )


def make_tensor(named: NamedTensor, kernel: Kernel | None, recipe: Recipe, *, is_kept: bool) -> RecipeTensor:
    """Return a variable as a recipe takes it, given which kernel it is."""
    shape, dtype = tuple(named.variable.shape), name_dtype(named.variable)
    kept = Block(Leave(), FROZEN) if is_kept else None
    if dtype not in DTYPES:
        kept = Block(Leave(), f"It is of dtype {dtype}, and no weight.")
    fields, kind = describe_fields(named, kernel, recipe)
    modules = [named.path.rpartition("/")[0]]
    return RecipeTensor([named.path], modules, shape, dtype, named, fields, kind, kept)


def describe_fields(
    named: NamedTensor, kernel: Kernel | None, recipe: Recipe
) -> tuple[dict[str, object], str]:
    """Return the fields to send for a variable, and what gave them: the kind of its layer, or ""."""
    layer, name, rank = named.layer, named.variable.name, len(named.variable.shape)
    kind = f"its layer, {type(layer).__name__}"
    if isinstance(layer, layers.PReLU) and (value := read_value(layer, name)) is not None:
        return {"constant": value}, kind  # its module's own, whatever the recipe
    fields = find_structure(layer, kernel, rank)
    if not is_of_framework(recipe):
        return fields, ""
    role = next((row for row in map(ROLES.get, type(layer).__mro__) if row), {}).get(name)
    if role is None:
        return fields, ""
    if role == "recurrent_bias" and is_gated_by_forgetting(layer):
        role = "lstm_bias"
    if name_recipe(recipe) == OWN and role == "kernel" and not isinstance(layer, layers.EinsumDense):
        fields = {"layout": fields["layout"], "fans_as": OWN}  # Keras counts groups and windows otherwise
    return {**fields, "role": role}, kind


def find_structure(layer: Layer, kernel: Kernel | None, rank: int) -> dict[str, object]:
    """Return the axes and groups of a kernel; {} for other variables."""
    if kernel is None:
        return {}
    fields: dict[str, object] = {"layout": write_out(kernel.layer.get("layout", "keras"), rank)}
    if isinstance(layer, TRANSPOSED):
        fields["transposed"] = True
    groups = kernel.layer.get("groups", 1)
    return fields if groups == 1 else {**fields, "groups": groups}
