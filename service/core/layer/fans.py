"""Fans: the number of inputs that each unit sums, and the number of units that each input feeds."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Literal, NamedTuple

from service.core.errors import make_spec_error
from service.core.layer.layouts import SPATIAL, check_kernel_axes, measure_kernel
from service.core.schemes import Mode

#: A number of connections. With a stride it is an average, which may not be whole.
Fan = int | Fraction


class Fans(NamedTuple):
    """The fans of one kernel, exactly."""

    fan_in: Fan
    fan_out: Fan

    @property
    def fan_avg(self) -> float:
        """The arithmetic mean, as an int if it is whole, so that it is exact.

        >>> Fans(784, 300).fan_avg, Fans(2, 3).fan_avg
        (542, 2.5)
        """
        return to_number(Fraction(self.fan_in + self.fan_out, 2))

    @property
    def fan_geo_avg(self) -> float:
        """The geometric mean, as in jax.nn.initializers.

        >>> Fans(4, 9).fan_geo_avg
        6.0
        """
        return math.sqrt(self.fan_in * self.fan_out)

    def select(self, mode: Mode) -> float:
        """Return the fan that a mode names.

        >>> Fans(784, 300).select("fan_out")
        300
        """
        fan: Fan | float = getattr(self, mode)  # a mode is the name of a fan
        return to_number(fan)


def to_number(fan: Fan | float) -> float:
    """Return a fan as an int if it is whole, and else rounded once to binary64.

    >>> to_number(Fraction(6, 2)), to_number(Fraction(9, 4))
    (3, 2.25)
    """
    if isinstance(fan, Fraction):
        return fan.numerator if fan.denominator == 1 else float(fan)
    return fan


def compute_fans(
    shape: tuple[int, ...],
    letters: str,
    groups: int = 1,
    fan_in: int | None = None,
    fan_out: int | None = None,
    *,
    transposed: bool = False,
    stride: tuple[int, ...] = (),
) -> Fans:
    """Compute the fans of a kernel that are not given. `letters` has one letter for each axis.

    field is the product of the D, H and W axes. fan_in = I × field and fan_out = O / groups × field, because
    an input reaches only the units of its group (He et al. 2015, section 2.2). With a stride an input meets
    only one of stride positions of the kernel, so fan_out is divided by the product of the strides. In a
    transposed convolution these are exchanged: fan_in = I / groups × field / strides, fan_out = O × field.
    Stacked axes (B, G) do not count. `stride` has one number, or one for each spatial axis. Raises SpecError.

    >>> compute_fans((3, 3, 32, 64), "HWIO")
    Fans(fan_in=288, fan_out=576)
    >>> compute_fans((64, 8, 3, 3), "OIHW", groups=4)
    Fans(fan_in=72, fan_out=144)
    """
    inputs, outputs, field, _ = measure_kernel(letters, shape)
    strides = multiply_strides(letters, stride, transposed=transposed)
    packed, axis = (inputs, "I") if transposed else (outputs, "O")
    if packed % groups:
        raise make_spec_error("groups", f"must divide {packed}, the product of the {axis} axes", groups)
    if fan_in is not None and fan_out is not None:
        return Fans(fan_in, fan_out)
    check_kernel_axes(letters, shape)
    if transposed:
        derived = Fans(_divide(inputs // groups * field, strides), outputs * field)
    else:
        derived = Fans(inputs * field, _divide(outputs // groups * field, strides))
    return Fans(derived.fan_in if fan_in is None else fan_in, derived.fan_out if fan_out is None else fan_out)


def multiply_strides(letters: str, stride: tuple[int, ...], *, transposed: bool = False) -> int:
    """Return the product of the strides of all spatial axes. Raises SpecError."""
    spatial = sum(letter in SPATIAL for letter in letters)
    if not spatial and (transposed or stride):
        field, value = ("transposed", True) if transposed else ("stride", stride)
        raise make_spec_error(field, f"requires a D, H or W axis, and layout is {letters}", value)
    if len(stride) <= 1:
        return int(math.prod(stride) ** spatial)
    if len(stride) != spatial:
        rule = f"must be one number, or one for each of the {spatial} spatial axes of layout {letters}"
        raise make_spec_error("stride", rule, stride)
    return math.prod(stride)


def _divide(fan: int, strides: int) -> Fan:
    return fan if strides == 1 else Fraction(fan, strides)


FrameworkName = Literal["keras", "torch", "jax"]


def _count_last_axes(shape: tuple[int, ...]) -> Fans:
    if len(shape) == 1:
        return Fans(shape[0], shape[0])
    field = math.prod(shape[:-2])
    return Fans(shape[-2] * field, shape[-1] * field)


def _count_first_axes(shape: tuple[int, ...]) -> Fans:
    field = math.prod(shape[2:])
    return Fans(shape[1] * field, shape[0] * field)


#: How each framework's own initializers count fans, from the shape alone, and the least rank: `compute_fans`
#: of Keras, `_calculate_fan_in_and_fan_out` of torch.nn.init, `_compute_fans` of jax.nn.initializers.
FRAMEWORKS: dict[FrameworkName, tuple[Callable[[tuple[int, ...]], Fans], int]] = {
    "keras": (_count_last_axes, 1),
    "torch": (_count_first_axes, 2),
    "jax": (_count_last_axes, 2),
}


def count_as(framework: FrameworkName, shape: tuple[int, ...]) -> Fans:
    """Return the fans that a framework counts, right or wrong. Raises SpecError.

    >>> count_as("torch", (64, 8, 3, 3)), count_as("keras", (3, 3, 64, 1))
    (Fans(fan_in=72, fan_out=576), Fans(fan_in=576, fan_out=9))
    """
    count, least = FRAMEWORKS[framework]
    if len(shape) < least:
        raise make_spec_error("fans_as", f"requires a shape of at least {least} axes", framework)
    return count(shape)
