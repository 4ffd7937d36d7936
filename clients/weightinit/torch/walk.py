"""Names: what a parameter is called, whatever its module was wrapped in.

torch.compile, DistributedDataParallel, FSDP and checkpointing put a module inside another, and a word into
every name. The same weights need the same names, so these words are left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

# Attributes that only wrappers have.
WRAPPED = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# Wrappers whose attribute, `module`, others have too.
PARALLEL = (nn.parallel.DistributedDataParallel, nn.DataParallel)


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A parameter or buffer, its module and attribute, and its names: several if tied; the first counts."""

    parameter: torch.Tensor
    module: nn.Module
    attribute: str
    names: list[str] = field(default_factory=list)

    def find_modules(self) -> list[str]:
        """Find the names of the modules that have the parameter."""
        return [name.rpartition(".")[0] for name in self.names]


def find_wrapped(module: nn.Module) -> str | None:
    """Return the attribute that holds what a module wraps; None where it is no wrapper.

    >>> find_wrapped(nn.DataParallel(nn.Linear(1, 1))), find_wrapped(nn.Linear(1, 1))
    ('module', None)
    """
    if isinstance(module, PARALLEL):
        return "module"
    return next((name for name in WRAPPED if name in module._modules), None)  # noqa: SLF001 - no public way


def unwrap(module: nn.Module) -> nn.Module:
    """Return the module inside of all wrappers."""
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
    """Return the buffers of a module in the order of named_buffers, each once.

    >>> [place.names for place in walk_buffers(nn.BatchNorm1d(1), "norm")][:2]
    [['norm.running_mean'], ['norm.running_var']]
    """
    return collect_places(
        (path, module, module.named_buffers(recurse=False, remove_duplicate=False))
        for path, module in walk_modules(root, prefix)
    )


def collect_places(
    modules: Iterable[tuple[str, nn.Module, Iterator[tuple[str, torch.Tensor]]]],
) -> list[NamedTensor]:
    """Collect the tensors of modules, each with its name; a tensor that comes again gets one more name."""
    places: dict[int, NamedTensor] = {}
    for path, module, named in modules:
        for attribute, tensor in named:
            place = places.setdefault(id(tensor), NamedTensor(tensor, module, attribute))
            place.names.append(join_names(path, attribute))
    return list(places.values())


def walk_modules(root: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Walk a module and all inside it, a shared one by each of its names, without the words of wrappers."""
    clean = {"": prefix}
    wrapped: dict[str, str | None] = {}
    for path, module in root.named_modules(remove_duplicate=False):
        parent, _, last = path.rpartition(".")
        if path:
            clean[path] = clean[parent] if last == wrapped[parent] else join_names(clean[parent], last)
        wrapped[path] = find_wrapped(module)
        yield clean[path], module


def join_names(*names: str) -> str:
    """Join names with dots; empty ones leave none.

    >>> join_names("", "fc1", "weight")
    'fc1.weight'
    """
    return ".".join(name for name in names if name)
