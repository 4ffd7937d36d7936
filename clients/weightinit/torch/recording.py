"""Recording: the graph of a module, made by running a copy of it on the meta device, which computes nothing.

The copy has no memory and no hooks, so a run leaves no trace in the module: parameters, buffers, attributes
and the generators of torch, random and NumPy are what they were.
"""

import copy
import dis
import inspect
import itertools
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from weightinit.adapters.graph import Node, Role, Structure, fold
from weightinit.torch.operations import FILLED, FILLS, ROLES, TENSOR_ATTRIBUTES, make_node
from weightinit.torch.walk import unwrap

CPU = torch.device("cpu")

# How questions of values are answered that are about inputs alone, or whether a signal is finite: a mask lets
# all pass, nothing is out of range, no token is special.
ANSWERS = {"all": True, "any": False, "eq": True, "isalltrue": True}


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a module without memory. `originals` are its tensors' originals, by the id of the copy."""

    module: nn.Module
    originals: dict[int, torch.Tensor]


def copy_module(root: nn.Module) -> Copy:
    """Copy a module onto the meta device, without hooks and wrappers.

    What classes do when they are copied is left out: nn.TransformerDecoderLayer would forget its activation
    and FSDP refuse. Attributes that cannot be copied are shared.
    """
    memo: dict[int, Any] = {}
    originals: dict[int, torch.Tensor] = {}
    modules = list(root.modules())
    for tensor in itertools.chain(root.parameters(), root.buffers()):
        if id(tensor) not in memo:
            made = _copy_tensor(tensor)
            memo[id(tensor)] = made
            originals[id(made)] = tensor
    for module in modules:
        memo[id(module)] = object.__new__(type(module))
    for module in modules:
        attributes = {name: _copy_attribute(name, value, memo) for name, value in vars(module).items()}
        vars(memo[id(module)]).update(attributes)
    for module in modules:
        made = memo[id(module)]
        for name, child in module.named_children():
            made._modules[name] = memo[id(unwrap(child))]  # noqa: SLF001 - no public way
    return Copy(memo[id(unwrap(root))], originals)


def _copy_attribute(name: str, value: Structure, memo: dict[int, Any]) -> Structure:
    if name.endswith("_hooks") or name.startswith(("_forward_hooks", "_forward_pre_hooks")):
        return type(value)() if isinstance(value, dict) else value
    try:
        return copy.deepcopy(value, memo)
    except Exception:  # noqa: BLE001 - a lock, a process group, a stream
        return value


def _copy_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """Copy a parameter or a buffer: its values too where it is small and no parameter."""
    if isinstance(tensor, nn.Parameter):
        made = torch.empty_like(tensor.detach(), device="meta", memory_format=torch.preserve_format)
        return nn.Parameter(_to_plain(made), requires_grad=tensor.dtype.is_floating_point)
    if tensor.ndim == 0 and tensor.device.type == "cpu":
        return tensor.detach().clone()  # a number, which a forward may read
    return _to_plain(torch.empty_like(tensor.detach(), device="meta"))


def _to_plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of the whole shape and of no subclass: a DTensor stands for the whole."""
    if type(tensor) in {torch.Tensor, nn.Parameter}:
        return tensor
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


@contextmanager
def keep_generators() -> Iterator[None]:
    """Put the global generators of torch, random and NumPy back to where they were; meanwhile, seed them."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 - others' code may use it
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # torch.manual_seed seeds those of all devices
            random.seed(0)
            np.random.seed(0)  # noqa: NPY002
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002


class Recorder(TorchFunctionMode):
    """Records the operations of a run as nodes."""

    def __init__(self, made: Copy) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.path: list[tuple[str, nn.Module]] = []
        self._tensors: dict[int, tuple[Node, torch.Tensor]] = {}  # the tensor is kept, so that its id is
        self._originals = made.originals
        self._forms: dict[Structure, Forms] = {}
        self._answers: dict[int, tuple[bool, torch.Tensor]] = {}  # kept, as above

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
        if name == "contains":  # of a number, as a padding token among the tokens
            return False
        if name in {"bool", "item"} and id(args[0]) in self._answers:
            return self._answers[id(args[0])][0]
        if name == "get":  # an attribute: T, shape, device
            attribute = getattr(getattr(func, "__self__", None), "__name__", "")
            name = TENSOR_ATTRIBUTES.get(attribute, fold(attribute))
        result = self._run(func, args, kwargs or {})
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
        """Run a function; where it has run on tensors of these forms, make its results without running it.

        Models repeat their blocks, and PyTorch works out in Python which form a result has.
        """
        try:
            key = None if is_in_place(func, keywords) else (func, describe(args), describe(keywords))
            known = None if key is None else self._forms.get(key)
        except TypeError:  # an argument that has no hash, or whose values may decide
            return run_on_meta(func, args, keywords)
        if known is not None:
            made = [
                torch.empty_strided(size, stride, dtype=dtype, device="meta")
                for size, stride, dtype in known.forms
            ]
            return tuple(made) if known.is_tuple else made[0]
        result = run_on_meta(func, args, keywords)
        if key is not None and type(result) in {torch.Tensor, tuple}:
            several = result if isinstance(result, tuple) else (result,)
            if all(type(one) is torch.Tensor and one.is_meta for one in several):
                forms = [(tuple(one.shape), one.stride(), one.dtype) for one in several]
                self._forms[key] = Forms(forms, isinstance(result, tuple))
        return result

    def add_input(self, value: Structure) -> None:
        """Add the tensors of an argument of the module."""
        for tensor in find_tensors(value):
            self._add(Node(0, Role.INPUT, shape=tuple(tensor.shape)), tensor)

    def add_output(self, value: Structure) -> None:
        """Add the end of the graph, which uses all tensors that the module returned."""
        found = tuple(dict.fromkeys(self._find(tensor) for tensor in find_tensors(value)))
        add_node(Node(0, Role.OUTPUT, "the output", inputs=found), self.nodes)

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
        for place, tensor in enumerate(made):
            node = make_node(name, self._label(func), func, tuple(arguments), named)
            node.shape = tuple(tensor.shape)
            node.output = place if isinstance(result, tuple | list) else None
            node.is_mask = not tensor.dtype.is_floating_point and not tensor.dtype.is_complex
            if node.is_constant:
                node.tensor = read_fill(name, args, keywords) if tensor.is_meta else tensor
            self._add(node, tensor)

    def _label(self, func: Callable[..., Any]) -> str:
        """Label a function for people: by the module that it is all of, or by its own name."""
        if self.path and is_simple(self.path[-1][1]):
            path, module = self.path[-1]
            return f"{path} ({type(module).__name__})"
        return f"{getattr(func, '__name__', 'a function')}()"

    def _add(self, node: Node, tensor: torch.Tensor) -> None:
        add_node(node, self.nodes)
        self._tensors[id(tensor)] = node, tensor

    def _find(self, tensor: torch.Tensor) -> Node:
        """Find the node of a tensor; one that is new is a constant."""
        if id(tensor) not in self._tensors:
            original = self._originals.get(id(tensor), tensor)
            node = make_constant(original)
            node.shape, node.is_mask = tuple(tensor.shape), tensor.dtype == torch.bool
            self._add(node, tensor)
        return self._tensors[id(tensor)][0]

    def _asks_of(self, tensor: Structure) -> str:
        """Return the folded name of the function that made a tensor."""
        made = self._tensors.get(id(tensor))
        return fold(getattr(made[0].call, "__name__", "")) if made else ""

    def _is_computed(self, tensor: Structure) -> bool:
        """Tell whether a tensor comes of a kernel, and not of the inputs alone."""
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
        """Replace the tensors of an argument by their nodes, and devices by that of the stand-ins."""
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


# The shape, the strides and the dtype of a tensor.
Form = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of the tensors that a function returned."""

    forms: list[Form]
    is_tuple: bool


def describe(value: Structure) -> Structure:
    """Describe an argument by the forms of its tensors. Raises TypeError where one has memory."""
    if isinstance(value, torch.Tensor):
        if not value.is_meta or type(value) not in {torch.Tensor, nn.Parameter}:
            raise TypeError("its values may decide")
        return value.shape, value.stride(), value.dtype
    if isinstance(value, dict):
        return tuple((name, describe(item)) for name, item in value.items())
    if isinstance(value, tuple | list):
        return (type(value), *map(describe, value))
    if isinstance(value, slice):
        return slice, value.start, value.stop, value.step
    return type(value), value


def run_on_meta(
    func: Callable[..., Any], args: tuple[Structure, ...], keywords: dict[str, Structure]
) -> Structure:
    """Run a function. A grouped product, which the meta device has in bfloat16 only, is run in that."""
    if fold(getattr(func, "__name__", "")) != "groupedmm" or not args[0].is_meta:
        return func(*args, **keywords)
    return func(args[0].bfloat16(), args[1].bfloat16(), *args[2:], **keywords).to(args[0].dtype)


def is_in_place(func: Callable[..., Any], keywords: dict[str, Structure]) -> bool:
    """Tell whether a function changes an argument: add_, __iadd__, __setitem__, relu(inplace=True)."""
    name = getattr(func, "__name__", "_")
    if name.startswith("__"):
        return name in {"__get__", "__set__", "__setitem__", "__delitem__"} or name.startswith("__i")
    return name.endswith("_") or keywords.get("inplace") is True or "out" in keywords


def add_node(node: Node, nodes: list[Node]) -> None:
    """Add a node to a graph, as a user of its inputs."""
    node.index = len(nodes)
    nodes.append(node)
    for source in node.inputs:
        source.users.append(node)


def make_constant(tensor: torch.Tensor) -> Node:
    """Make the node of a parameter, a buffer or another tensor that does not depend on inputs."""
    keys = frozenset([id(tensor)]) if isinstance(tensor, nn.Parameter) else frozenset()
    return Node(0, Role.CONSTANT, tensor=tensor, parameters=keys)


def read_fill(
    name: str, arguments: Sequence[Structure], keywords: dict[str, Structure]
) -> torch.Tensor | None:
    """Read the value that a tensor without memory was made with; None where it is not of one value."""
    value = FILLS.get(name)
    if name in FILLED:
        place = FILLED[name]
        given = arguments[place] if place < len(arguments) else keywords.get("fill_value")
        value = float(given) if isinstance(given, int | float) else None
    return None if value is None else torch.tensor(value)


def is_simple(module: nn.Module) -> bool:
    """Tell whether a module is one operation: it has no others inside, and no kernel."""
    return next(module.children(), None) is None and all(one.ndim < 2 for one in module.parameters())


def find_tensors(value: Structure) -> list[torch.Tensor]:
    """Find the tensors of a structure: of containers, dataclasses and other objects with attributes."""
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


def leave(recorder: Recorder) -> None:
    """Note that a module returns."""
    recorder.path.pop()


def record(made: Copy, arguments: Sequence[Structure], keywords: dict[str, Structure]) -> list[Node]:
    """Run a copied module on stand-ins, and return what was recorded. Raises what its forward does."""
    recorder = Recorder(made)
    handles = [
        handle
        for path, module in made.module.named_modules()
        for handle in (
            module.register_forward_pre_hook(
                lambda _module, _args, path=path: recorder.path.append((path, _module))
            ),
            module.register_forward_hook(lambda *_: leave(recorder)),
        )
    ]
    recorder.add_input((arguments, keywords))
    try:
        with keep_generators(), warnings.catch_warnings(action="ignore"), torch.enable_grad(), recorder:
            result = made.module(*arguments, **keywords)
    finally:
        for handle in handles:
            handle.remove()
    recorder.add_output(result)
    return recorder.nodes


def is_asserting_above() -> bool:
    """Tell whether the caller's code that asks for the truth of a tensor is an assertion."""
    frame = inspect.currentframe()
    while frame is not None and (
        frame.f_code.co_filename == __file__ or "torch/" in frame.f_code.co_filename
    ):
        frame = frame.f_back
    return False if frame is None else is_asserting(frame)


def is_asserting(frame: FrameType) -> bool:
    """Tell whether a frame is about to jump over the raising of an AssertionError.

    torch.fx looks for the same pattern, in the byte code of Python 3.10 and older.
    """
    following = (step for step in dis.get_instructions(frame.f_code) if step.offset > frame.f_lasti)
    steps = itertools.islice(following, 2)
    return any(step.opname == "LOAD_ASSERTION_ERROR" or step.argval is AssertionError for step in steps)
