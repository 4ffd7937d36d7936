"""Record the graph of a module by running a copy of it on the meta device.

The copy has no memory and no hooks, so the run changes nothing: parameters, buffers, attributes and the
generators of torch, random and NumPy stay as they were.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from weightinit.adapters.batches import map_batch
from weightinit.adapters.flow.graph import Node, Role, Structure, fold
from weightinit.torch.tracing.aliases import VIEWS, Aliases
from weightinit.torch.tracing.copying import Copy, keep_surroundings
from weightinit.torch.tracing.forms import FormCache, drop_values, has_values, is_in_place
from weightinit.torch.tracing.frames import is_asserting_above
from weightinit.torch.tracing.hooks import explain_inputs, explain_outputs
from weightinit.torch.tracing.nodes import add_node, make_constant, make_node, read_fill
from weightinit.torch.tracing.operations import FILLED, FILLS, ROLES, TENSOR_ATTRIBUTES

CPU = torch.device("cpu")

# How comparisons of inputs, and isfinite, are answered without values: a mask selects everything, nothing is
# out of range, no token is special.
ANSWERS = {"all": True, "any": False, "eq": True, "isalltrue": True}


class Recorder(TorchFunctionMode):
    """Records the operations of a run as nodes of a graph."""

    def __init__(self, made: Copy) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.path: list[tuple[str, nn.Module]] = []
        # An error that only a meta tensor raises; code that catches it takes another path.
        self.refused: Exception | None = None
        self._tensors: dict[int, tuple[Node, torch.Tensor]] = {}  # keeps the tensor, and so its id, alive
        self._copied = made
        self._forms = FormCache()
        self._aliases = Aliases(lambda key: self._tensors[key][0], self._bind)
        self._answers: dict[int, tuple[bool, torch.Tensor]] = {}  # kept alive, as above

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Structure, ...] = (),
        kwargs: dict[str, Structure] | None = None,
    ) -> Structure:
        """Run a function, and record it if it returns tensors."""
        name = fold(getattr(func, "__name__", ""))
        if name == "bool" and is_asserting_above():
            return True
        if name == "contains":  # e.g. whether a padding token is among the tokens
            return False
        if name in {"bool", "item"} and id(args[0]) in self._answers:
            return self._answers[id(args[0])][0]
        if name == "get":  # an attribute: T, shape, device
            attribute = getattr(getattr(func, "__self__", None), "__name__", "")
            name = TENSOR_ATTRIBUTES.get(attribute, fold(attribute))
        try:
            result = self._run(func, args, kwargs or {})
        except Exception as error:
            if isinstance(error, NotImplementedError) or "meta tensor" in str(error):
                self.refused = error
            raise
        if (
            name in ANSWERS
            and isinstance(result, torch.Tensor)
            and (self._asks_of(args[0]) == "isfinite" or not self._is_computed(args[0]))
        ):
            self._answers[id(result)] = ANSWERS[name], result
        if ROLES.get(name) is not Role.IGNORED or name in FILLS or name in FILLED:
            self._record(name, func, args, kwargs or {}, result)
        return result

    def _run(
        self, func: Callable[..., Any], args: tuple[Structure, ...], keywords: dict[str, Structure]
    ) -> Structure:
        """Run a function; if that fails because some of the tensors have values, run it on meta tensors."""
        try:
            return self._forms.run(func, args, keywords)
        except Exception:
            tensors = find_tensors((args, keywords))
            if not any(map(has_values, tensors)) or not any(tensor.is_meta for tensor in tensors):
                raise
            if is_in_place(func, keywords) and has_values(args[0]) and not self._take_values(args[0]):
                raise
            return self._forms.run(func, *map_batch((args, keywords), drop_values))

    def _take_values(self, tensor: torch.Tensor) -> bool:
        """Turn a tensor that was created in this run into a meta tensor; its node keeps the values."""
        made = self._tensors.get(id(tensor))
        if made is None or made[0].call is None:
            return False
        kept = torch.empty_like(tensor, device="meta")
        torch.utils.swap_tensors(tensor, kept)  # type: ignore[no-untyped-call]  # PyTorch has no types for it
        if made[0].tensor is tensor:
            made[0].tensor = kept
        return True

    def find_source(self, module: nn.Module) -> nn.Module:
        """Return the original of a copied module."""
        return self._copied.sources.get(module, module)

    def add_input(self, value: Structure) -> None:
        """Add nodes for the tensors of an argument of the module."""
        for tensor in find_tensors(value):
            self._add(Node(0, Role.INPUT, shape=tuple(tensor.shape)), tensor)

    def add_output(self, value: Structure) -> None:
        """Add the output node, whose inputs are all tensors that the module returned."""
        found = tuple(dict.fromkeys(self._find(tensor) for tensor in find_tensors(value)))
        add_node(Node(0, Role.OUTPUT, "the output", inputs=found), self.nodes)

    def doubt(self, value: Structure, why: str) -> None:
        """Mark tensors as unknown from here on, with the reason."""
        for tensor in find_tensors(value):
            source = self._find(tensor)
            if not source.is_constant:
                self._add(Node(0, Role.UNKNOWN, inputs=(source,), shape=source.shape, why=why), tensor)

    def _record(
        self,
        name: str,
        func: Callable[..., Any],
        args: tuple[Structure, ...],
        keywords: dict[str, Structure],
        result: Structure,
    ) -> None:
        made = find_tensors(args[:1] if name == "setitem" else result)
        arguments, named = self._replace(args), self._replace(keywords)
        is_changed = is_in_place(func, keywords) and name not in {"get", *VIEWS}
        for place, tensor in enumerate(made):
            node = make_node(name, self._label(func), func, tuple(arguments), named)
            node.shape = tuple(tensor.shape)
            node.output = place if isinstance(result, tuple | list) else None
            node.is_mask = not tensor.dtype.is_floating_point and not tensor.dtype.is_complex
            if node.is_constant:
                node.tensor = read_fill(name, args, keywords) if tensor.is_meta else tensor
            before = self._tensors.get(id(tensor))
            self._add(node, tensor)
            if name in VIEWS and isinstance(args[0], torch.Tensor):
                self._aliases.note(id(tensor), id(args[0]), node)
            elif is_changed and before is not None:
                self._aliases.change(id(tensor), before[0])

    def _label(self, func: Callable[..., Any]) -> str:
        """Return a function's label for messages: the module that consists of it, or its own name."""
        if self.path and is_simple(self.path[-1][1]):
            path, module = self.path[-1]
            return f"{path} ({type(module).__name__})"
        return f"{getattr(func, '__name__', 'a function')}()"

    def _add(self, node: Node, tensor: torch.Tensor) -> None:
        add_node(node, self.nodes)
        self._tensors[id(tensor)] = node, tensor

    def _bind(self, key: int, node: Node) -> None:
        """Set a new node for a tensor that shares another's memory."""
        self._add(node, self._tensors[key][1])

    def _find(self, tensor: torch.Tensor) -> Node:
        """Return the node of a tensor; a tensor without a node becomes a constant."""
        if id(tensor) not in self._tensors:
            original = self._copied.find_original(tensor)
            node = make_constant(original)
            node.shape, node.is_mask = tuple(tensor.shape), tensor.dtype == torch.bool
            self._add(node, tensor)
        return self._tensors[id(tensor)][0]

    def _asks_of(self, tensor: Structure) -> str:
        """Return the normalized name of the function that made a tensor."""
        made = self._tensors.get(id(tensor))
        return fold(getattr(made[0].call, "__name__", "")) if made else ""

    def _is_computed(self, tensor: Structure) -> bool:
        """Return whether a tensor derives from a kernel, rather than from the inputs alone."""
        pending = [self._tensors[id(tensor)][0]] if id(tensor) in self._tensors else []
        seen = set(pending)
        while pending:
            node = pending.pop()
            if node.role is Role.PRODUCT:
                return True
            new = [source for source in node.inputs if source not in seen]
            seen.update(new)
            pending += new
        return False

    def _replace(self, value: Structure) -> Structure:
        """Replace the tensors of an argument by their nodes, and devices by the CPU."""
        if isinstance(value, torch.Tensor):
            return self._find(value)
        if isinstance(value, torch.device):
            return CPU
        if isinstance(value, tuple | list):
            items = [self._replace(item) for item in value]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, dict):
            return {key: self._replace(item) for key, item in value.items()}
        return value


def is_simple(module: nn.Module) -> bool:
    """Return whether a module is a single operation: it has no children and no kernel."""
    return next(module.children(), None) is None and all(one.ndim < 2 for one in module.parameters())


def find_tensors(value: Structure) -> list[torch.Tensor]:
    """Return the tensors in containers, dataclasses and other objects with attributes."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return find_tensors(list(value.values()))
    if isinstance(value, tuple | list | set):
        return [tensor for item in value for tensor in find_tensors(item)]
    if hasattr(value, "__dict__") and not isinstance(value, nn.Module | type):
        kept = [item for item in vars(value).values() if isinstance(item, torch.Tensor | list | tuple | dict)]
        return find_tensors(kept)
    return []


def enter(
    recorder: Recorder, path: str, module: nn.Module, arguments: Structure, keywords: Structure
) -> None:
    """Record that a module is called, and mark its inputs as unknown if its hooks may change them."""
    recorder.path.append((path, module))
    if why := explain_inputs(recorder.find_source(module)):
        recorder.doubt((arguments, keywords), why)


def leave(recorder: Recorder, module: nn.Module, result: Structure) -> None:
    """Record that a module returns, and mark its result as unknown if its hooks may change it."""
    recorder.path.pop()
    if why := explain_outputs(recorder.find_source(module)):
        recorder.doubt(result, why)


def record(made: Copy, arguments: Sequence[Structure], keywords: dict[str, Structure]) -> list[Node]:
    """Run a copied module on meta tensors and return the graph. Raises what its forward raises.

    Also raises an error that the forward caught, if a tensor with values would not have raised it.
    """
    recorder = Recorder(made)
    handles = [
        handle
        for path, module in made.module.named_modules()
        for handle in (
            module.register_forward_pre_hook(
                lambda inner, given, named, path=path: enter(recorder, path, inner, given, named),
                with_kwargs=True,
            ),
            module.register_forward_hook(lambda inner, _, result: leave(recorder, inner, result)),
        )
    ]
    recorder.add_input((arguments, keywords))
    try:
        with keep_surroundings(made.module), recorder:
            result = made.module(*arguments, **keywords)
    finally:
        for handle in handles:
            handle.remove()
    if recorder.refused is not None:
        raise recorder.refused
    recorder.add_output(result)
    return recorder.nodes
