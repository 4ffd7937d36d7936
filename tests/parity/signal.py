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
from tests.parity.kernels import KERNELS, count_fans

#: An initializer of each framework whose σ² is 1 / fan.
THEIRS = {
    "torch": "kaiming_normal_(w, mode='{mode}', nonlinearity='linear')",
    "keras": "VarianceScaling(1.0, '{mode}', 'untruncated_normal')",
    "jax": "variance_scaling(1.0, '{mode}', 'normal')",
}
BATCH, SIDE, EDGE = 16, 16, 4


def draw(kernel, mode, **fields):
    """Return the service's kernel, in the shape of the framework."""
    named = {"scheme": "lecun", "mode": mode, "dtype": "float64", "seed": 42, "name": kernel.layer}
    spec = LayerSpec.parse({name: value for name, value in (kernel.whole | named | fields).items() if value})
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
    ("torch", "dense"): "bi,oi->bo",
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
        return generator.integers(0, kernel.shape[0], BATCH * 64)
    if "convolution" in kernel.layer:
        channels = 64 if "depthwise" in kernel.layer or "groups" in kernel.layer else 32
        size = (channels, SIDE, SIDE) if channels_first else (SIDE, SIDE, channels)
        return generator.standard_normal((BATCH, *size))
    sizes = {"attention, out of heads": (8, 16), "experts": (8, 128)}
    return generator.standard_normal(
        (BATCH * 32, *sizes.get(kernel.layer, (784,) if kernel.layer == "dense" else (128,)))
    )


def measure(kernel, mode, w):
    """Return the variance of the outputs (fan_in) or of the gradients of the inputs (fan_out)."""
    generator = np.random.default_rng(0)
    run = run_jax if kernel.framework == "jax" else run_torch
    outputs, pull = run(kernel, make_input(kernel, generator), w)
    found = pull(generator.standard_normal(outputs.shape)) if mode == "fan_out" else outputs
    return float(np.var(crop(np.asarray(found), kernel)))


def run_torch(kernel, x, w):
    """Return the outputs, and the function of their gradients that returns those of the inputs."""
    apply = apply_torch if kernel.framework == "torch" else apply_keras
    inputs = torch.from_numpy(x).requires_grad_(kernel.layer != "embedding")
    outputs = apply(kernel, inputs, torch.from_numpy(w))
    return outputs.detach(), lambda g: torch.autograd.grad(outputs, inputs, torch.from_numpy(g))[0]


def run_jax(kernel, x, w):
    """Return the same with JAX."""
    with jax.enable_x64(True):
        kernels = jax.numpy.asarray(w)
        if kernel.layer == "embedding":  # whole numbers have no gradient
            return apply_jax(kernel, x, kernels), None
        outputs, pull = jax.vjp(lambda inputs: apply_jax(kernel, inputs, kernels), x)

    def pull_wide(gradients):
        with jax.enable_x64(True):
            return pull(jax.numpy.asarray(gradients))[0]

    return outputs, pull_wide


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
    return [
        mode for mode in modes if (kernel.layer, mode) != ("embedding", "fan_out")
    ]  # a row has no gradient


def measure_both(kernel, mode):
    """Return the variance with the framework's kernel, and with the service's."""
    call = THEIRS[kernel.framework].format(mode=mode)
    theirs = initialize(kernel.framework, call, kernel.shape)
    return measure(kernel, mode, np.array(theirs)), measure(kernel, mode, draw(kernel, mode))


#: The functions of torch.nn.init.calculate_gain that an input goes through first.
FUNCTIONS = {
    "linear": lambda x: x,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "selu": torch.selu,
}
DENSE = next(kernel for kernel in KERNELS if (kernel.layer, kernel.framework) == ("dense", "torch"))


def measure_gain(nonlinearity):
    """Return the mean square behind an activation and a dense kernel: PyTorch's gain, and scheme preserve."""
    call = f"kaiming_normal_(w, nonlinearity='{nonlinearity}')"
    slope = 0.01 if nonlinearity == "leaky_relu" else 0
    theirs = initialize("torch", call.replace("w,", f"w, a={slope},"), DENSE.shape)
    ours = draw(DENSE, "fan_in", scheme="preserve", activation=nonlinearity)
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((2000, 784)))
    inputs = FUNCTIONS[nonlinearity](z)
    return tuple(float((inputs @ torch.from_numpy(w).T).square().mean()) for w in (np.array(theirs), ours))


def measure_lecun():
    """Return the variance behind a dense kernel of transformers' lecun_normal_, and of the service's."""
    theirs = initialize("transformers", "lecun_normal_(w)", DENSE.shape)
    ours = draw(DENSE, "fan_in", distribution="truncated_normal")
    return tuple(measure(DENSE, "fan_in", w) for w in (np.array(theirs), ours))


def measure_step():
    """Return the variance of an LSTM's gradients, with gates by fan_out: PyTorch's and the service's."""
    gates = next(kernel for kernel in KERNELS if (kernel.layer, kernel.framework) == (GATES, "torch"))
    call = THEIRS["torch"].format(mode="fan_out")
    pairs = [
        [np.array(initialize("torch", call, gates.shape, seed)) for seed in (0, 1)],
        [draw(gates, "fan_out", name=name) for name in ("inputs", "state")],
    ]
    return tuple(follow_step(*map(torch.from_numpy, pair)) for pair in pairs)


def follow_step(input_kernel, state_kernel):
    """Return the variance of the gradients through one step of an LSTM that has run for 20."""
    cell = torch.nn.LSTMCell(128, 128, bias=False, dtype=torch.float64)
    cell.load_state_dict({"weight_ih": input_kernel, "weight_hh": state_kernel})
    steps = torch.from_numpy(np.random.default_rng(0).standard_normal((22, 1000, 128)))
    state = (torch.zeros_like(steps[0]), torch.zeros_like(steps[0]))
    with torch.no_grad():
        for inputs in steps[:20]:
            state = cell(inputs, state)
    inputs = steps[20].clone().requires_grad_()
    return float(torch.autograd.grad(cell(inputs, state)[0], inputs, steps[21])[0].var())


def measure_singular(layer, part):
    """Return the least singular value of an orthogonal kernel of Keras, and of the service's."""
    kernel = next(row for row in KERNELS if (row.layer, row.framework) == (layer, "keras"))
    theirs = np.array(initialize("keras", "Orthogonal()", kernel.shape))
    ours = draw(kernel, None, scheme="orthogonal")
    return tuple(
        float(np.linalg.svd(w.reshape(128, -1)[:, part], compute_uv=False).min()) for w in (theirs, ours)
    )


def measure_others():
    """Return the other measured pairs by name."""
    return {
        "other: lecun_normal_": measure_lecun(),
        "other: orthogonal gate": measure_singular(GATES, slice(128)),
        "other: orthogonal heads": measure_singular(HEADS, slice(None)),
        "other: LSTM": measure_step(),
    }


GATES, HEADS = "gates of an LSTM", "attention, into heads"


def measure_all():
    """Return every measured pair by its name: the variance of a library, and the service's."""
    kernels = {
        f"{kernel.framework}: {kernel.layer}: {mode}": measure_both(kernel, mode)
        for kernel in KERNELS
        for mode in list_modes(kernel)
    }
    gains = {f"gain: {name}": measure_gain(name) for name in FUNCTIONS}
    return kernels | gains | measure_others()
