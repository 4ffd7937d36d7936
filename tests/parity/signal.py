"""The variance of signals and gradients through a kernel, in the framework that initialized it.

Inputs and output gradients are N(0, 1), so a variance of 1 is right: of the outputs where σ² follows from
fan_in, and of the gradients of the inputs where it follows from fan_out.
"""

import jax
import keras
import numpy as np
import torch
from torch.nn import functional

from service.core import LayerSpec, resolve_parameters
from service.stream.sources.making import make_source
from tests.parity.initializers import initialize
from tests.parity.kernels import count_fans

#: An initializer of each framework whose σ² is 1 / fan.
THEIRS = {
    "torch": "kaiming_normal_(w, mode='{mode}', nonlinearity='linear')",
    "keras": "VarianceScaling(1.0, '{mode}', 'untruncated_normal')",
    "jax": "variance_scaling(1.0, '{mode}', 'normal')",
}
BATCH, SIDE, EDGE = 64, 16, 4


def draw(kernel, mode):
    """Return the service's kernel, in the shape of the framework."""
    fields = {"scheme": "lecun", "mode": mode, "dtype": "float64", "seed": 42, "name": kernel.layer}
    spec = LayerSpec.parse(kernel.whole | fields)
    elements = np.empty(kernel.shape)
    make_source(spec, resolve_parameters(spec)).bind()(0, elements.reshape(-1).view(np.uint8))
    return elements


def apply_torch(kernel, x, w):
    """Apply a kernel in PyTorch."""
    match kernel.layer.split(","):
        case ["embedding"]:
            return functional.embedding(x, w)
        case ["transposed convolution", *stride]:
            return functional.conv_transpose2d(x, w, stride=1 + len(stride))
        case ["convolution" | "depthwise convolution", *_]:
            stride = kernel.spec.get("stride", [1])[0]
            return functional.conv2d(x, w, stride=stride, groups=kernel.spec.get("groups", 1))
        case _:
            return torch.einsum(EQUATIONS["torch", kernel.layer], x, w)


def apply_keras(kernel, x, w):
    """Apply a kernel in Keras."""
    match kernel.layer.split(","):
        case ["embedding"]:
            return keras.ops.take(w, x, axis=0)
        case ["transposed convolution", *stride]:
            return keras.ops.conv_transpose(x, w, strides=1 + len(stride), padding="valid")
        case ["depthwise convolution"]:
            return keras.ops.depthwise_conv(x, w)
        case ["convolution", *_]:
            return keras.ops.conv(x, w, strides=kernel.spec.get("stride", [1])[0])
        case _:
            return keras.ops.einsum(EQUATIONS["keras", kernel.layer], x, w)


def apply_jax(kernel, x, w):
    """Apply a kernel in JAX."""
    order = ("NHWC", "HWIO", "NHWC")
    match kernel.layer.split(","):
        case ["embedding"]:
            return w[x]
        case ["transposed convolution", *stride]:
            steps = (1 + len(stride),) * 2
            return jax.lax.conv_transpose(x, w, steps, "VALID", dimension_numbers=order)
        case ["convolution" | "depthwise convolution", *_]:
            steps = kernel.spec.get("stride", [1]) * 2
            groups = kernel.spec.get("groups", 1)
            return jax.lax.conv_general_dilated(
                x, w, steps, "VALID", dimension_numbers=order, feature_group_count=groups
            )
        case _:
            return jax.numpy.einsum(EQUATIONS["keras", kernel.layer], x, w)


EQUATIONS = {
    ("torch", "attention, into heads"): "bi,hsi->bhs",
    ("torch", "attention, out of heads"): "bhs,ohs->bo",
    ("torch", "gates of an LSTM"): "bi,oi->bo",
    ("torch", "experts"): "bei,eoi->beo",
    ("keras", "attention, into heads"): "bi,ihs->bhs",
    ("keras", "attention, out of heads"): "bhs,hso->bo",
    ("keras", "gates of an LSTM"): "bi,io->bo",
    ("keras", "experts"): "bei,eio->beo",
}


def make_input(kernel, generator):
    """Return inputs of N(0, 1) for a kernel, or rows to look up."""
    channels_first = kernel.framework == "torch"
    if kernel.layer == "embedding":
        return generator.integers(0, kernel.shape[0], BATCH * 16)
    if "convolution" in kernel.layer:
        channels = 64 if "depthwise" in kernel.layer or "groups" in kernel.layer else 32
        size = (channels, SIDE, SIDE) if channels_first else (SIDE, SIDE, channels)
        return generator.standard_normal((BATCH, *size))
    sizes = {"attention, out of heads": (8, 16), "experts": (8, 128)}
    return generator.standard_normal((BATCH * 8, *sizes.get(kernel.layer, (128,))))


def measure(kernel, mode, w):
    """Return the variance of the outputs (fan_in) or of the gradients of the inputs (fan_out)."""
    generator = np.random.default_rng(0)
    x = make_input(kernel, generator)
    if kernel.framework == "jax":
        with jax.enable_x64(True):
            outputs, pull = jax.vjp(lambda x: apply_jax(kernel, x, w), x) if mode == "fan_out" else (apply_jax(kernel, x, jax.numpy.asarray(w)), None)
            found = pull(generator.standard_normal(outputs.shape))[0] if pull else outputs
    else:
        apply = apply_torch if kernel.framework == "torch" else apply_keras
        x = torch.from_numpy(x)
        x.requires_grad_(mode == "fan_out")
        outputs = apply(kernel, x, torch.from_numpy(w))
        found = outputs
        if mode == "fan_out":
            (found,) = torch.autograd.grad(outputs, x, torch.from_numpy(generator.standard_normal(outputs.shape)))
        found = found.detach()
    return float(np.var(crop(np.asarray(found), kernel)))


def crop(values, kernel):
    """Cut off the edges of images, where fewer products are summed."""
    if "convolution" not in kernel.layer:
        return values
    inner = slice(EDGE, -EDGE)
    return values[:, :, inner, inner] if kernel.framework == "torch" else values[:, inner, inner]


def list_modes(kernel):
    """List the modes whose fan differs between the service and the framework, and that can be measured."""
    ours, theirs = count_fans(kernel)
    modes = [mode for mode in ("fan_in", "fan_out") if ours.select(mode) != theirs.select(mode)]
    return [mode for mode in modes if (kernel.layer, mode) != ("embedding", "fan_out")]  # a row has no gradient


def measure_both(kernel, mode):
    """Return the variance with the framework's kernel, and with the service's."""
    call = THEIRS[kernel.framework].format(mode=mode)
    theirs = initialize(kernel.framework, call, kernel.shape)
    return measure(kernel, mode, np.array(theirs)), measure(kernel, mode, draw(kernel, mode))
