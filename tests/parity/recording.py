"""What a framework's initializer draws: the parameters that its random call and the steps after it use."""

import math
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from service.core import LayerSpec, resolve_parameters


class Drawn(NamedTuple):
    """A distribution on (low, high). `mean` and `stddev` are those of the normal, before it is cut."""

    distribution: str
    mean: float
    stddev: float | None = None
    low: float | None = None
    high: float | None = None


def describe(spec):
    """Return what the service draws for a spec."""
    found = resolve_parameters(LayerSpec.parse(spec))
    stddev = {"uniform": None, "normal": found.stddev, "truncated_normal": found.parent_stddev}
    return Drawn(found.distribution, found.mean, stddev[found.distribution], found.low, found.high)


class Recorder(TorchDispatchMode):
    """Follows a random tensor of PyTorch: the draw, and how it is cut, scaled and shifted after it."""

    def __init__(self):
        super().__init__()
        self.drawn = None

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        numbers = [float(value) for value in args if type(value) in {int, float}]
        name = function.overloadpacket.__name__.strip("_")
        if name in DRAWS:
            self.drawn = DRAWS[name](*numbers)
        elif name in STEPS and self.drawn and (numbers or name == "erfinv"):
            self.drawn = STEPS[name](self.drawn, *numbers)
        return function(*args, **kwargs)


def draw_uniform(low, high):
    return Drawn("uniform", (low + high) / 2, None, low, high)


#: The functions of PyTorch that draw.
DRAWS = {
    "normal": lambda mean=0.0, stddev=1.0: Drawn("normal", mean, stddev),
    "uniform": draw_uniform,
    "rand": lambda *_fields: draw_uniform(0.0, 1.0),
}


def move(drawn, factor=1.0, shift=0.0):
    """Return the distribution of factor · x + shift."""
    mean, stddev, low, high = (
        None if value is None else value * factor + added
        for value, added in zip(drawn[1:], (shift, 0.0, shift, shift), strict=True)
    )
    return Drawn(drawn.distribution, mean, stddev, low, high)


def cut(drawn, end):
    """Return a normal whose values beyond an end are drawn again."""
    ends = [end, *(other for other in (drawn.low, drawn.high) if other is not None)]
    return drawn._replace(distribution="truncated_normal", low=min(ends), high=max(ends))


def invert(drawn):
    """Return the distribution of erfinv(u): normal with σ² = 1/2, and cut if u does not reach ±1."""
    low, high = (float(torch.erfinv(torch.tensor(end, dtype=torch.float64))) for end in drawn[-2:])
    return Drawn("truncated_normal", 0.0, math.sqrt(0.5), low, high)


STEPS = {
    "erfinv": invert,
    "mul": move,
    "add": lambda drawn, shift: move(drawn, 1.0, shift),
    "gt": cut,
    "lt": cut,
    "clamp": lambda drawn, low, high: drawn._replace(low=low, high=high),
}


def record_torch(make):
    """Return the distribution that a function draws from with PyTorch's generators."""
    recorder = Recorder()
    with recorder:
        make()
    return recorder.drawn


def record_jax(initialize, shape):
    """Return the distribution that an initializer of JAX draws from.

    It gets the parameters of its draw in place of the values: what it makes of them are those of the weights.
    """
    drawn = []

    def draw(distribution, *parameters):
        drawn.append(distribution)
        return jnp.array(parameters, jnp.float64)

    random = SimpleNamespace(
        uniform=lambda _key, _shape, _dtype, low=0.0, high=1.0, **_: draw("uniform", low, high),
        normal=lambda *_, **__: draw("normal", 0.0, 1.0),
        truncated_normal=lambda _key, low, high, *_, **__: draw("truncated_normal", 0.0, 1.0, low, high),
    )
    with jax.enable_x64(True), mock.patch("jax._src.nn.initializers.random", random):
        found = [float(value) for value in initialize(None, shape, jnp.float64)]
    (distribution,) = drawn
    if distribution == "uniform":
        return draw_uniform(*found)
    mean, above, *ends = found
    return Drawn(distribution, mean, above - mean, *ends)
