"""The activations of a whole model, in the order of its kernels, whatever its framework."""

import math
import warnings

from weightinit.adapters.actions import Draw
from weightinit.keras.plan import plan_variables
from weightinit.torch.plan import plan_parameters

from tests.clients.architectures.records import find_kernels, name_planned


def list_torch(module):
    """List the activations that follow the kernels of a PyTorch module, each with the kernel's size."""
    with warnings.catch_warnings(action="ignore"):  # of what is unknown: a twin knows it no better
        plan = plan_parameters(module, strict=False)
    names = {id(parameter): name for name, parameter in find_kernels(module).items()}
    drawn = {}
    for tensor in plan:
        if id(tensor.target) in names and isinstance(tensor.action, Draw) and is_kernel(tensor):
            drawn.setdefault(id(tensor.target), []).append(tensor)
    return [(measure(blocks[0].target.shape), name_all(blocks)) for blocks in drawn.values()]


def list_keras(model):
    """List the activations that follow the kernels of a Keras model, each with the kernel's size."""
    with warnings.catch_warnings(action="ignore"):
        plan = plan_variables(model, None, 0, strict=False)
    return [(measure(one.shape), name_all([one])) for one in plan if isinstance(one.action, Draw)]


def is_kernel(tensor):
    """Tell kernels from tokens and positions, which are drawn of a fixed variance."""
    return "activation" in tensor.action.layer


def measure(shape):
    """Measure a kernel by its elements: layouts do not matter, nor whether a classifier is a convolution."""
    return math.prod(shape)


def name_all(blocks):
    """Name what follows the blocks of a kernel, of which one framework may have more than the other."""
    return "+".join(sorted({name_planned(block) for block in blocks}))
