"""Structure: schemes that set a matrix as a whole, and which kernels they fit."""

import math
from collections.abc import Callable

from service.core.errors import SpecError, make_spec_error
from service.core.layer.layouts import SPATIAL, check_kernel_axes, measure_kernel
from service.core.layer.spec import LayerSpec
from service.core.schemes import Extents, Scheme, SchemeName


def measure_structure(spec: LayerSpec, scheme: Scheme, letters: str) -> float | None:
    """Return the mean square of the elements that a scheme's structure gives. None if σ has another rule.

    Raises SpecError if the scheme does not fit the kernel.
    """
    if scheme.name == "sparse":
        return _measure_sparse(spec, letters)
    if scheme.mean_square is None:
        return None
    _check_matrix(spec, letters)
    size = measure_kernel(letters, spec.shape)._replace(groups=spec.groups)
    if check := CHECKS.get(scheme.name):
        check(letters, size, spec)
    gain = spec.gain or 1.0
    return gain * gain * scheme.mean_square(size)


def has_space(letters: str) -> bool:
    """Return whether a layout has a spatial axis.

    >>> has_space("HWIO"), has_space("IO")
    (True, False)
    """
    return any(letter in SPATIAL for letter in letters)


def count_zeros(sparsity: float, units: int) -> int:
    """Return the number of zeros among the elements of a unit: ceil(sparsity · units).

    >>> count_zeros(0.9, 784), count_zeros(0.0, 784)
    (706, 0)
    """
    return math.ceil(sparsity * units)


def _measure_sparse(spec: LayerSpec, letters: str) -> float:
    _check_matrix(spec, letters)
    size = measure_kernel(letters, spec.shape)
    stddev, sparsity = spec.stddev or 0.0, spec.sparsity or 0.0
    count = size.inputs * size.field if spec.sparsity_axis == "I" else size.outputs
    zeros = count_zeros(sparsity, count)
    if zeros >= count:
        rule = f"must leave an element that is not 0: {zeros} of the {count} in a unit would be"
        raise make_spec_error("sparsity", rule, spec.sparsity)
    return (count - zeros) / count * (stddev * stddev)


def _check_matrix(spec: LayerSpec, letters: str) -> None:
    if len(letters) < 2:
        raise make_spec_error("shape", f"must have at least 2 axes for scheme {spec.scheme}", spec.shape)
    check_kernel_axes(letters, spec.shape)


def _check_groups(_letters: str, size: Extents, spec: LayerSpec) -> None:
    if size.groups != 1:
        raise make_spec_error("groups", f"must not be combined with scheme={spec.scheme}", spec.groups)


def _check_delta(letters: str, size: Extents, spec: LayerSpec) -> None:
    _check_groups(letters, size, spec)
    if not has_space(letters):
        raise _refuse_layout(spec, letters, "requires a D, H or W axis: use orthogonal")
    if size.inputs > size.outputs:
        rule = f"must have at least as many outputs as inputs for delta_orthogonal, {size.inputs}"
        raise make_spec_error("shape", rule, spec.shape)


def _check_identity(letters: str, size: Extents, spec: LayerSpec) -> None:
    _check_groups(letters, size, spec)
    if has_space(letters):
        raise _refuse_layout(spec, letters, "has no space: use dirac")


def _check_dirac(letters: str, size: Extents, spec: LayerSpec) -> None:
    if not has_space(letters):
        raise _refuse_layout(spec, letters, "requires a D, H or W axis: use identity")
    if spec.transposed:
        raise make_spec_error("transposed", "must not be combined with scheme=dirac", spec.transposed)
    if size.outputs % size.groups:
        rule = f"must divide {size.outputs}, the product of the O axes"
        raise make_spec_error("groups", rule, spec.groups)


def _refuse_layout(spec: LayerSpec, letters: str, rule: str) -> SpecError:
    return make_spec_error("scheme", f"{rule}; layout is {letters}", spec.scheme)


CHECKS: dict[SchemeName, Callable[[str, Extents, LayerSpec], None]] = {
    "orthogonal": _check_groups,
    "delta_orthogonal": _check_delta,
    "identity": _check_identity,
    "dirac": _check_dirac,
}
