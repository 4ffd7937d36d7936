"""Name the parameters and buffers of a module independently of wrappers, and find shared memory.

torch.compile, DistributedDataParallel, FSDP, averaging, checkpointing and PEFT put a module inside another
and add a component to each name. The same weights need the same names, so these components are removed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import nn

# Attributes that only wrappers have.
WRAPPED = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# Wrappers whose attribute name is also used by other modules: by package and class, which need not be
# installed.
WRAPPERS = {
    ("torch", "DistributedDataParallel"): "module",
    ("torch", "DataParallel"): "module",
    ("torch", "AveragedModel"): "module",
    ("torch", "QuantWrapper"): "module",
    ("timm", "ModelEmaV2"): "module",
    ("timm", "ModelEmaV3"): "module",
    ("deepspeed", "DeepSpeedEngine"): "module",
    ("opacus", "AbstractGradSampleModule"): "_module",
    ("lightning", "_FabricModule"): "_forward_module",
    ("lightning_fabric", "_FabricModule"): "_forward_module",
}
# Adapters contain the adapted module, but compute something else.
ADAPTED = {
    ("peft", "PeftModel"): "base_model",
    ("peft", "BaseTuner"): "model",
    ("peft", "BaseTunerLayer"): "base_layer",
}
# Types of tensors whose data_ptr and strides describe their memory.
PLAIN = (torch.Tensor, nn.Parameter, nn.Buffer)


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A parameter or buffer, its module and attribute, and its names: several if tied; the first is used.

    `owners` are all modules that have it, each with its attribute; `tied` is the tensor of each owner, which
    may be another object with the same memory.
    """

    parameter: torch.Tensor
    module: nn.Module
    attribute: str
    names: list[str] = field(default_factory=list)
    owners: list[tuple[nn.Module, str]] = field(default_factory=list)
    tied: list[torch.Tensor] = field(default_factory=list)

    def find_modules(self) -> list[str]:
        """Return the names of the modules that own the parameter."""
        return [name.rpartition(".")[0] for name in self.names]


def find_wrapped(module: nn.Module) -> str | None:
    """Return the attribute that holds the wrapped module; None if the module is not a wrapper.

    >>> find_wrapped(nn.DataParallel(nn.Linear(1, 1))), find_wrapped(nn.Linear(1, 1))
    ('module', None)
    """
    own = (WRAPPERS[key] for key in list_classes(type(module).__mro__) if key in WRAPPERS)
    return next((name for name in (*own, *WRAPPED) if name in module._modules), None)  # noqa: SLF001 - no public way


def find_adapted(module: nn.Module) -> str | None:
    """Return the attribute that holds the adapted module; None if the module is not an adapter."""
    return next((ADAPTED[key] for key in list_classes(type(module).__mro__) if key in ADAPTED), None)


@lru_cache(maxsize=256)
def list_classes(kinds: tuple[type, ...]) -> list[tuple[str, str]]:
    """Return the package and name of each class."""
    return [(kind.__module__.partition(".")[0], kind.__name__) for kind in kinds]


def unwrap(module: nn.Module) -> nn.Module:
    """Return the module inside all wrappers."""
    while (name := find_wrapped(module)) is not None:
        module = module.get_submodule(name)
    return module


def walk_parameters(root: nn.Module, prefix: str = "") -> list[NamedTensor]:
    """Return the parameters of a module in the order of named_parameters, each once.

    >>> [place.names for place in walk_parameters(nn.Sequential(nn.Linear(1, 1)), "head")]
    [['head.0.weight'], ['head.0.bias']]
    """
    return collect_places(
        (path, module, module.named_parameters(recurse=False, remove_duplicate=False))
        for path, module in walk_modules(root, prefix)
    )


def walk_buffers(root: nn.Module, prefix: str = "") -> list[NamedTensor]:
    """Return the buffers of a module in the order of named_buffers, each once, without those of wrappers.

    >>> [place.names for place in walk_buffers(nn.BatchNorm1d(1), "norm")][:2]
    [['norm.running_mean'], ['norm.running_var']]
    """
    return collect_places(
        (path, module, module.named_buffers(recurse=False, remove_duplicate=False))
        for path, module in walk_modules(root, prefix)
        if find_wrapped(module) is None
    )


def collect_places(
    modules: Iterable[tuple[str, nn.Module, Iterator[tuple[str, torch.Tensor]]]],
) -> list[NamedTensor]:
    """Return the tensors of modules with their names; a tensor found again gets an additional name.

    Two tensors with exactly the same memory count as one, such as those tied by `nn.Parameter(other.data)`.
    """
    places: dict[tuple[object, ...], NamedTensor] = {}
    for path, module, named in modules:
        for attribute, tensor in named:
            place = places.setdefault(identify_memory(tensor), NamedTensor(tensor, module, attribute))
            place.names.append(join_names(path, attribute))
            place.owners.append((module, attribute))
            place.tied.append(tensor)
    return list(places.values())


def identify_memory(tensor: torch.Tensor) -> tuple[object, ...]:
    """Return a key that is equal for two tensors if they are the same elements of the same memory.

    >>> table = torch.zeros(3, 2)
    >>> identify_memory(table) == identify_memory(nn.Parameter(table)), identify_memory(table[:2]) == (
    ...     identify_memory(table)
    ... )
    (True, False)
    """
    is_plain = type(tensor) in PLAIN and not tensor.is_nested and tensor.layout == torch.strided
    if not is_plain or not tensor.numel():
        return (id(tensor),)
    strides = [
        stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1
    ]  # strides of axes with one element are arbitrary
    where = tensor.data_ptr()
    if tensor.is_meta:  # a meta tensor has a storage, but no address
        where = tensor.untyped_storage()._cdata  # noqa: SLF001 - no public way
    elif not where:
        return (id(tensor),)
    offset = tensor.storage_offset() if tensor.is_meta else 0
    return (tensor.device, where, offset, tensor.dtype, tuple(tensor.shape), *strides)


def find_overlaps(tensors: Sequence[NamedTensor]) -> Iterator[tuple[NamedTensor, NamedTensor]]:
    """Yield pairs of tensors that share some, but not exactly the same, memory."""
    spans = [
        (str(one.parameter.device), one.parameter.data_ptr(), measure_span(one.parameter), index)
        for index, one in enumerate(tensors)
        if type(one.parameter) in PLAIN
        and not one.parameter.is_meta
        and one.parameter.layout == torch.strided
        and one.parameter.numel()
        and one.parameter.data_ptr()
    ]
    before: list[tuple[int, int]] = []
    device = ""
    for where, start, span, index in sorted(spans):
        before = [row for row in before if where == device and row[0] > start]
        device = where
        for _, other in before:
            if share_elements(tensors[other].parameter, tensors[index].parameter):
                first, second = sorted((other, index))
                yield tensors[first], tensors[second]
        before.append((start + span, index))


def measure_span(tensor: torch.Tensor) -> int:
    """Return the number of bytes from a tensor's first element through its last."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return (sum((size - 1) * stride for size, stride in steps) + 1) * tensor.element_size()


def share_elements(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Return whether two tensors share a byte; interleaved columns of one matrix do not."""
    start = min(first.data_ptr(), second.data_ptr())
    end = max(one.data_ptr() + measure_span(one) for one in (first, second))
    used = torch.zeros(end - start, dtype=torch.bool)
    mark_bytes(used, first, start).fill_(1)
    return bool(mark_bytes(used, second, start).any())


def mark_bytes(used: torch.Tensor, tensor: torch.Tensor, start: int) -> torch.Tensor:
    """Return a view of `used`, the flags of the memory from an address on, for a tensor's bytes."""
    size = tensor.element_size()
    strides = [stride * size for stride in tensor.stride()]
    # All elements along an expanded axis are the same memory.
    shape = [length if stride else 1 for length, stride in zip(tensor.shape, strides, strict=True)]
    return used.as_strided((*shape, size), (*strides, 1), tensor.data_ptr() - start)


def walk_modules(root: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield a module and its submodules, shared ones under each name, without the components of wrappers."""
    clean = {"": prefix}
    wrapped: dict[str, str | None] = {}
    for path, module in root.named_modules(remove_duplicate=False):
        parent, _, last = path.rpartition(".")
        if path and (parent not in clean or _is_second(root, parent, wrapped[parent], last, module)):
            continue
        if path:
            clean[path] = clean[parent] if last == wrapped[parent] else join_names(clean[parent], last)
        wrapped[path] = find_wrapped(module) or find_adapted(module)
        yield clean[path], module


def _is_second(root: nn.Module, parent: str, inner: str | None, name: str, module: nn.Module) -> bool:
    """Return whether a wrapper's submodule is the wrapped module under a second name."""
    return inner is not None and inner != name and module is root.get_submodule(join_names(parent, inner))


def join_names(*names: str) -> str:
    """Join the names that are not empty with dots.

    >>> join_names("", "fc1", "weight")
    'fc1.weight'
    """
    return ".".join(name for name in names if name)
