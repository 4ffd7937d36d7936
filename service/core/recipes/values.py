"""Values: what expressions may use of a tensor and of those beside it."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self

from service.core.errors import MISSING, make_spec_error
from service.core.layer.fans import FRAMEWORKS, Fans, FrameworkName, count_as
from service.core.layer.layouts import measure_kernel, resolve_layout
from service.core.recipes.patterns import replace_last
from service.core.schemes import Extents

Fields = Mapping[str, Any]

#: What a kernel is called beside its bias.
KERNELS = ("weight", "kernel")


class Tensor(NamedTuple):
    """The shape, letters, groups and counting of a tensor that is not validated otherwise."""

    name: str
    shape: tuple[int, ...]
    letters: str
    groups: int
    fans_as: FrameworkName | None = None

    @classmethod
    def of(cls, fields: Fields, defaults: Fields) -> Self:
        """Read a tensor. Raises SpecError."""
        shape = fields.get("shape", MISSING)
        if not isinstance(shape, list) or not shape or not all(_is_length(length) for length in shape):
            raise make_spec_error("shape", "must be a list of integers of at least 1", shape)
        layout = fields.get("layout", defaults.get("layout", "keras"))
        groups = fields.get("groups", defaults.get("groups", 1))
        if not isinstance(layout, str):
            raise make_spec_error("layout", "must be text", layout)
        if not _is_length(groups):
            raise make_spec_error("groups", "must be an integer of at least 1", groups)
        letters, fans_as = resolve_layout(layout, len(shape)), fields.get("fans_as", defaults.get("fans_as"))
        if fans_as is not None and fans_as not in FRAMEWORKS:
            raise make_spec_error("fans_as", f"must be one of {', '.join(FRAMEWORKS)}", fans_as)
        return cls(str(fields.get("name", "")), tuple(shape), letters, groups, fans_as)

    @property
    def extents(self) -> Extents:
        """The products of the axes."""
        return measure_kernel(self.letters, self.shape)

    @property
    def fans(self) -> Fans:
        """The fans, as a framework counts them if `fans_as` is set."""
        if self.fans_as is not None:
            return count_as(self.fans_as, self.shape)
        inputs, outputs, size, _ = self.extents
        return Fans(inputs * size, outputs // self.groups * size)


OF_SHAPE: Mapping[str, Callable[[Tensor], int]] = {
    "rows": lambda tensor: tensor.shape[0],
    "columns": lambda tensor: tensor.shape[-1],
    "field": lambda tensor: tensor.extents.field,
    "fan_in": lambda tensor: int(tensor.fans.fan_in),  # whole without a stride
    "fan_out": lambda tensor: int(tensor.fans.fan_out),
}


def measure(
    names: Iterable[str], fields: Fields, by_name: Mapping[str, Fields], defaults: Fields
) -> dict[str, int]:
    """Measure a tensor, or the kernel that it belongs to. Unknown names are left out. Raises SpecError."""
    values = {}
    for name in names:
        if name in OF_SHAPE:
            values[name] = OF_SHAPE[name](Tensor.of(fields, defaults))
        elif name in BESIDE:
            find, measured = BESIDE[name]
            kernel = _find(str(fields.get("name", "")), by_name, find)
            values[name] = OF_SHAPE[measured](Tensor.of(kernel, defaults))
    return values


def name_kernels(name: str) -> tuple[str, ...]:
    """Return the names that the kernel of a bias may have.

    >>> name_kernels("fc.bias")
    ('fc.weight', 'fc.kernel')
    """
    return tuple(replace_last(name, kernel) for kernel in KERNELS)


def name_recurrent(name: str) -> tuple[str, ...]:
    """Return the name of the recurrent kernel beside another tensor of a layer of PyTorch.

    >>> name_recurrent("rnn.bias_ih_l0_reverse"), name_recurrent("cell.weight_ih")
    (('rnn.weight_hh_l0_reverse',), ('cell.weight_hh',))
    """
    return (re.sub(r"(weight|bias)_(ih|hh)(?=_|$)", "weight_hh", name),)


#: name → the names of the tensor beside it, and what of that is measured.
BESIDE: Mapping[str, tuple[Callable[[str], tuple[str, ...]], str]] = {
    "kernel_fan_in": (name_kernels, "fan_in"),
    "hidden": (name_recurrent, "columns"),
}


def _find(name: str, by_name: Mapping[str, Fields], find: Callable[[str], tuple[str, ...]]) -> Fields:
    for other in find(name):
        if other in by_name:
            return by_name[other]
    rule = f"needs a kernel beside it, {' or '.join(find(name))}; or set its σ"
    raise make_spec_error("role", rule, MISSING)


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
