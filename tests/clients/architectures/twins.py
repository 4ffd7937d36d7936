"""List the activations of a whole model in the order of its kernels, in any framework."""

import math
import warnings

from weightinit.adapters.actions import Draw
from weightinit.keras.plan import plan_variables
from weightinit.torch.plan import plan_parameters

from tests.clients.architectures.records import find_kernels, name_planned


def list_torch(module):
    """Return the activations that follow the kernels of a PyTorch module, each with the kernel's size."""
    with warnings.catch_warnings(action="ignore"):  # of what is unknown: a twin knows it no better
        plan = plan_parameters(module, strict=False)
    names = {id(parameter): name for name, parameter in find_kernels(module).items()}
    drawn = {}
    for tensor in plan:
        if id(tensor.target) in names and isinstance(tensor.action, Draw) and is_kernel(tensor):
            drawn.setdefault(id(tensor.target), []).append(tensor)
    return [(measure(blocks[0].target.shape), name_all(blocks)) for blocks in drawn.values()]


def list_keras(model):
    """Return the activations that follow the kernels of a Keras model, each with the kernel's size."""
    with warnings.catch_warnings(action="ignore"):
        plan = plan_variables(model, None, 0, strict=False)
    return [(measure(one.shape), name_all([one])) for one in plan if isinstance(one.action, Draw)]


def is_kernel(tensor):
    """Return whether a tensor is a kernel, not tokens or positions, which have a fixed variance."""
    return "activation" in tensor.action.layer


def measure(shape):
    """Return the number of elements of a kernel, which is independent of the layout."""
    return math.prod(shape)


def name_all(blocks):
    """Return the names of what follows a kernel's blocks; frameworks may differ in their number."""
    return "+".join(sorted({name_planned(block) for block in blocks}))
