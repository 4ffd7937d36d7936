"""Check that a module's parameters can be initialized or measured."""

from collections.abc import Sequence

import torch
from torch import nn

from weightinit.adapters.actions import Leave, Unknown
from weightinit.adapters.messages import shorten
from weightinit.adapters.plan import PlannedTensor
from weightinit.adapters.rules import ModelRejected
from weightinit.torch.walk import NamedTensor, find_overlaps, walk_modules

# Advice for parameters whose initialization is unknown, by the class of module or hook that causes it.
PARAMETRIZED = "initialize before registering parametrizations"
NORMED = "initialize before applying weight_norm or spectral_norm"
HINTS = {
    "ParametrizationList": PARAMETRIZED,
    "SpectralNorm": NORMED,
    "WeightNorm": NORMED,
    "BasePruningMethod": "initialize before pruning",
    "FullyShardedDataParallel": "initialize before wrapping in FullyShardedDataParallel, or use fully_shard",
}


def check_overlaps(tensors: Sequence[NamedTensor], plan: Sequence[PlannedTensor]) -> None:
    """Check that no tensor is written into the memory of another. Raises ModelRejected, which names both.

    If a rule leaves one of two tensors alone, the other may be written.
    """
    written, left = set[int](), set[int]()
    for tensor in plan:
        if not isinstance(tensor.action, Leave | Unknown):
            written.add(id(tensor.target))
        elif tensor.action == Leave(by_rule=True):
            left.add(id(tensor.target))
    for pair in find_overlaps(tensors):
        targets = {id(named.parameter) for named in pair}
        if targets & written and not targets & left:
            first, second = (describe_tensor(named) for named in pair)
            raise ModelRejected(
                f"{first} and {second} share part of their memory: keep one with rules={{name: None}}"
            )


def check_known(unknown: list[NamedTensor], root: nn.Module) -> None:
    """Check that no parameter is without a known initialization. Raises ModelRejected."""
    if not unknown:
        return
    listed = shorten(map(describe_tensor, unknown))
    hooks = (hook for module in root.modules() for hook in module._forward_pre_hooks.values())  # noqa: SLF001
    kinds = {kind.__name__ for one in (*root.modules(), *hooks) for kind in type(one).__mro__}
    advice = [
        "set it with rules={name: ...} (a scheme, a number, a mapping, or None)",
        *dict.fromkeys(hint for kind, hint in HINTS.items() if kind in kinds),
        "or keep their values with strict=False",
    ]
    raise ModelRejected(f"nothing determines how to initialize these: {listed}; {', '.join(advice)}")


def check_scripted(root: nn.Module) -> None:
    """Check that no part of a module is compiled by torch.jit. Raises ModelRejected."""
    for name, part in root.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise ModelRejected(
                f"{name or 'the model'} is compiled by torch.jit, which hides its layers: "
                "pass the module that it was made from, and script or trace it afterwards"
            )


def check_packed(root: nn.Module, prefix: str = "") -> None:
    """Check that a module has no packed (quantized) weights. Raises ModelRejected."""
    packed: list[str] = []
    for name, module in walk_modules(root, prefix):
        is_inside = any(name.startswith(f"{one}.") for one in packed)
        if not is_inside and is_packed(module):
            packed.append(name)
    if packed:
        raise ModelRejected(
            f"these layers hold packed weights instead of parameters: {shorten(packed)}; "
            "initialize the model before it is quantized, or keep their values with strict=False"
        )


def is_packed(module: nn.Module) -> bool:
    """Return whether a module has quantized weights in buffers or C++ objects instead of parameters."""
    if "quantized" in type(module).__module__.split("."):
        return any(True for _ in module.children()) or hasattr(module, "weight")
    objects = (one for one in vars(module).values() if isinstance(one, torch.ScriptObject))
    buffers = (
        "weight" in name and buffer.ndim > 1 and not buffer.is_floating_point()
        for name, buffer in module.named_buffers(recurse=False)
    )
    return any(True for _ in objects) or any(buffers)


def describe_tensor(named: NamedTensor) -> str:
    """Return a parameter's name, shape and module for messages."""
    return f"{named.names[0]} {list(named.parameter.shape)} of {type(named.module).__name__}"
