"""Describe how a variable is initialized, by its layer or by the products that use it."""

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
    from weightinit.spec.fields import LayerFields

# The largest value of a uniform draw of at least ENOUGH elements is between NEAR and ROUNDING of its limit.
ROUNDING, NEAR, ENOUGH = 1.01, 0.8, 32


def find_used(finder: ActivationFinder, named: NamedTensor) -> Kernel | None:
    """Return what kernel a variable is, by its layer or by the products that use it; None for no kernel."""
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
    """Return whether a variable is a trainable matrix without an initializer, as in custom layers."""
    variable = named.variable
    if len(variable.shape) < 2 or not variable.trainable or name_dtype(variable) not in DTYPES:
        return False
    return find_initializer(named.layer, variable.name)[1] is None


def describe_author(named: NamedTensor) -> str:
    """Return a sentence on the author's initial values, which are not used; "" for Keras' defaults."""
    if not is_own_matrix(named):
        return describe_unused(named)
    held = read_values(named)
    limit = math.sqrt(6 / sum(compute_fans(held.shape)))  # of Glorot uniform
    is_default = NEAR * limit < np.abs(held).max() <= ROUNDING * limit
    if is_default or held.size < ENOUGH:
        return ""
    return "What it holds is no draw of Keras' default initializer, and is not kept."


def describe_rest(finder: ActivationFinder, named: NamedTensor) -> list[Block]:
    """Describe a variable that is not a kernel, or that may be one and is left as it is."""
    if not is_own_matrix(named) or find_held(named) is not None:
        return describe_constant(named)
    if finder.find_products(named.variable):
        return [Block(Leave(), UNSEEN, certainty="unknown")]
    if why := finder.explain_failure(named.layer):
        return [Block(Leave(), f"{why}: {OWN}", certainty="unknown")]
    return [Block(Leave(), UNAPPLIED, certainty="guessed")]


def describe_kernel(named: NamedTensor, kernel: Kernel, unused: str) -> list[Block]:
    """Return the blocks of a kernel: one, or one for each gate packed along its last axis."""
    shape = tuple(named.variable.shape)
    fields: LayerFields = {"layout": "keras", **kernel.layer}
    if not kernel.activated:
        fields["activation"] = None
    reason = kernel.reason
    certainty: Certainty = "certain"
    if unused and not kernel.activated:  # if activated, `infer` adds this to its reason
        reason, certainty = f"{reason} {unused}".strip(), "guessed"
    if not kernel.gates:
        return [Block(Draw(fields), reason, certainty=certainty)]
    actions = dict.fromkeys(kernel.gates, Draw(fields))
    reasons = {gate: f"Gate {gate} is a separate kernel. {reason}".strip() for gate in kernel.gates}
    blocks = split_axis(dict.fromkeys(kernel.gates, shape[-1] // len(kernel.gates)), actions, reasons, -1)
    return [replace(block, certainty=certainty) for block in blocks]
