"""Kernels: how variables are initialized, by their layers or by the products that apply them."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras.src.initializers.random_initializers import compute_fans

from weightinit.adapters.actions import Block, Certainty, Draw, Leave, split_axis
from weightinit.keras.activations import ActivationFinder
from weightinit.keras.constants import OWN, UNAPPLIED, UNSEEN, describe_constant, find_initializer
from weightinit.keras.kept import describe_unused, find_held
from weightinit.keras.layers import Kernel, find_kernel, make_head
from weightinit.keras.tracing.uses import find_letters
from weightinit.keras.walk import NamedTensor, name_dtype, read_values
from weightinit.spec.dtypes import DTYPES

if TYPE_CHECKING:
    from weightinit.spec.layer import LayerFields

# How far rounding may take a draw beyond its limit. Of so many elements, one is this near to it.
ROUNDING, NEAR, ENOUGH = 1.01, 0.8, 32


def find_used(finder: ActivationFinder, named: NamedTensor) -> Kernel | None:
    """Find what a variable is, by its layer or else by the products that apply it; None for no kernel."""
    known = find_kernel(named.layer, named.variable.name)
    if is_table(named) and finder.is_head(named.variable):
        return make_head(*named.variable.shape)
    if known or not is_own_matrix(named):
        return known
    products = finder.find_products(named.variable)
    letters = {find_letters(node, named.variable) for node in products}
    if len(letters) != 1 or not (layout := letters.pop()):
        return None
    return Kernel({"layout": layout})


def is_table(named: NamedTensor) -> bool:
    """Return whether a variable is the table of an embedding."""
    return isinstance(named.layer, keras.layers.Embedding) and named.variable.name == "embeddings"


def is_own_matrix(named: NamedTensor) -> bool:
    """Return whether a variable is a matrix that a layer of the author's own trains."""
    variable = named.variable
    if len(variable.shape) < 2 or not variable.trainable or name_dtype(variable) not in DTYPES:
        return False
    return find_initializer(named.layer, variable.name)[1] is None


def describe_author(named: NamedTensor) -> str:
    """Describe what the author chose to draw a kernel, and is not used; "" for what Keras has by default."""
    if not is_own_matrix(named):
        return describe_unused(named)
    held = read_values(named)
    limit = math.sqrt(6 / sum(compute_fans(held.shape)))  # of Glorot's uniform draws
    is_default = NEAR * limit < np.abs(held).max() <= ROUNDING * limit
    if is_default or held.size < ENOUGH:
        return ""
    return "What it holds is no draw of Keras' default initializer, and is not kept."


def describe_rest(finder: ActivationFinder, named: NamedTensor) -> list[Block]:
    """Describe a variable that is no kernel, or that may be one and is left as it is."""
    if not is_own_matrix(named) or find_held(named) is not None:
        return describe_constant(named)
    if finder.find_products(named.variable):
        return [Block(Leave(), UNSEEN, certainty="unknown")]
    if why := finder.explain_failure(named.layer):
        return [Block(Leave(), f"{why}: {OWN}", certainty="unknown")]
    return [Block(Leave(), UNAPPLIED, certainty="guessed")]


def describe_kernel(named: NamedTensor, kernel: Kernel, unused: str) -> list[Block]:
    """Describe the blocks of a kernel: the gates that its last axis packs, each a separate kernel."""
    shape = tuple(named.variable.shape)
    fields: LayerFields = {"layout": "keras", **kernel.layer}
    if not kernel.activated:
        fields["activation"] = None
    reason = kernel.reason
    certainty: Certainty = "certain"
    if unused and not kernel.activated:  # else what follows is not certain, and why
        reason, certainty = f"{reason} {unused}".strip(), "guessed"
    if not kernel.gates:
        return [Block(Draw(fields), reason, certainty=certainty)]
    actions = dict.fromkeys(kernel.gates, Draw(fields))
    reasons = {gate: f"Gate {gate} is a separate kernel. {reason}".strip() for gate in kernel.gates}
    blocks = split_axis(dict.fromkeys(kernel.gates, shape[-1] // len(kernel.gates)), actions, reasons, -1)
    return [replace(block, certainty=certainty) for block in blocks]
