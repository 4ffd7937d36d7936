"""Fans: the number of inputs that each unit sums, and the number of units that each input feeds."""

import math
from typing import NamedTuple

from service.core.errors import make_spec_error
from service.core.layer.layouts import check_kernel_axes, measure_kernel
from service.core.schemes import Mode


class Fans(NamedTuple):
    """The fans of one kernel, as exact integers."""

    fan_in: int
    fan_out: int

    @property
    def fan_avg(self) -> float:
        """The arithmetic mean, as an int if it is whole, so that it is exact.

        >>> Fans(784, 300).fan_avg, Fans(2, 3).fan_avg
        (542, 2.5)
        """
        total = self.fan_in + self.fan_out
        return total / 2 if total % 2 else total // 2

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
        fan: float = getattr(self, mode)  # a mode is the name of a fan
        return fan


def compute_fans(
    shape: tuple[int, ...],
    letters: str,
    groups: int = 1,
    fan_in: int | None = None,
    fan_out: int | None = None,
) -> Fans:
    """Compute the fans of a kernel that are not given. `letters` has one letter for each axis.

    field is the product of the D, H and W axes. fan_in = I × field and fan_out = O / groups × field, because
    an input reaches only the units of its group (He et al. 2015, section 2.2). Stacked axes (B, G) do not
    count. Raises SpecError.

    >>> compute_fans((3, 3, 32, 64), "HWIO")
    Fans(fan_in=288, fan_out=576)
    >>> compute_fans((64, 8, 3, 3), "OIHW", groups=4)
    Fans(fan_in=72, fan_out=144)
    """
    inputs, outputs, field = measure_kernel(letters, shape)
    if outputs % groups:
        raise make_spec_error("groups", f"must divide {outputs}, the product of the O axes", groups)
    if fan_in is not None and fan_out is not None:
        return Fans(fan_in, fan_out)
    check_kernel_axes(letters, shape)
    return Fans(
        inputs * field if fan_in is None else fan_in,
        outputs // groups * field if fan_out is None else fan_out,
    )
