"""Tracing: the graph of a module, and of those parts of it that cannot be followed from outside."""

import dis
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import fx, nn

from weightinit.torch.activation_names import find_activation, fold, is_passing
from weightinit.torch.layers import find_kind, is_known
from weightinit.torch.walk import unwrap


@dataclass(frozen=True, slots=True)
class Trace:
    """The graph of one module, and `modules` by the names in it.

    `opaque` modules could not be followed, for a reason; what there is of their inside is `broken`. Where the
    module is itself inside of such a one, `outside` is the reason that nothing is known of what comes after.
    """

    graph: fx.Graph
    modules: dict[str, nn.Module]
    opaque: dict[str, str]
    broken: frozenset[fx.Node]
    outside: str


class LayerTracer(fx.Tracer):
    """A tracer whose leaves are layers and activations, and that hooks of wrappers do not disturb."""

    def __init__(self) -> None:
        super().__init__()
        self.opaque: dict[str, str] = {}
        self.broken: set[fx.Node] = set()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Keep whole what has a name, besides what torch.nn makes of one piece."""
        if is_known(m) or name_module(m):
            return True
        return super().is_leaf_module(m, module_qualified_name) and not has_children(m)

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],  # noqa: ARG002 - it would run hooks, and FSDP's communicate
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - what a forward returns
        """Make a node of a leaf; follow any other module, and make a node of it where that fails."""
        inner = unwrap(m)
        path = self.path_of_module(inner)
        if not self.is_leaf_module(inner, path):
            known = set(self.graph.nodes)
            try:
                return inner.forward(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - code of the user's, run on stand-ins for tensors
                self.opaque[path] = explain_failure(inner, error)
                self.broken |= set(self.graph.nodes) - known
        return self.create_proxy("call_module", path, args, kwargs)

    def to_bool(self, obj: fx.Proxy) -> bool:
        """Let assertions hold; no other branch can be taken without a value."""
        frame = inspect.currentframe()
        caller = frame.f_back.f_back if frame and frame.f_back else None
        if caller and is_asserting(caller):
            return True
        return super().to_bool(obj)


def trace_module(root: nn.Module, outside: str = "") -> Iterator[Trace]:
    """Trace a module, then each part of it that could not be followed."""
    root = unwrap(root)
    tracer = LayerTracer()
    modules = dict(root.named_modules())
    with keep_attributes(root), warnings.catch_warnings(action="ignore"):
        try:
            tracer.trace(root)
        except Exception as error:  # noqa: BLE001 - as above
            tracer.opaque[""] = explain_failure(root, error)
            tracer.broken |= set(tracer.graph.nodes)
    yield Trace(tracer.graph, modules, tracer.opaque, frozenset(tracer.broken), outside)
    for path, why in tracer.opaque.items():
        yield from trace_children(modules[path], why)


def explain_failure(module: nn.Module, error: Exception) -> str:
    """Explain why a module could not be followed: the first sentence of the error."""
    message = str(error).partition(". ")[0] or type(error).__name__
    return f"{type(module).__name__}.forward cannot be traced ({message})"


def trace_children(module: nn.Module, outside: str) -> Iterator[Trace]:
    """Trace the children of a module; a list of modules, which computes nothing, through its items."""
    for child in module.children():
        inner = unwrap(child)
        if isinstance(inner, nn.ModuleList | nn.ModuleDict):
            yield from trace_children(inner, outside)
        elif not is_known(inner) and has_children(inner):
            yield from trace_module(inner, outside)


def has_children(module: nn.Module) -> bool:
    """Tell whether a module has others inside it."""
    return next(module.children(), None) is not None


def name_module(module: nn.Module) -> str:
    """Return the folded name of an activation, or of what lets a signal through; empty for other modules.

    The class's own name decides, or that of the nearest base: fully_shard, for one, gives a module a class of
    its own. So a norm that a library made itself counts as a norm.

    >>> name_module(nn.LeakyReLU()), name_module(nn.BatchNorm2d(1)), name_module(nn.Linear(1, 1))
    ('leakyrelu', 'batchnorm2d', '')
    """
    return fold(kind.__name__) if (kind := find_named_kind(module)) else ""


def find_named_kind(module: nn.Module) -> type | None:
    """Find the class that a module has its name from."""
    known = find_kind(module)
    kinds = [known] if known else [] if has_children(module) else type(module).__mro__
    if known or next(module.parameters(), None) is None:
        for kind in kinds:
            if find_activation(fold(kind.__name__)):
                return kind
    return next((kind for kind in kinds if is_passing(fold(kind.__name__))), None)


def is_asserting(frame: FrameType) -> bool:
    """Tell whether a frame is about to jump over the raising of an AssertionError.

    fx looks for the same pattern, in the byte code of Python 3.10 and older.
    """
    following = (step for step in dis.get_instructions(frame.f_code) if step.offset > frame.f_lasti)
    steps = itertools.islice(following, 2)
    return any(step.opname == "LOAD_ASSERTION_ERROR" or step.argval is AssertionError for step in steps)


@contextmanager
def keep_attributes(root: nn.Module) -> Iterator[None]:
    """Put back the attributes of all modules: a forward may keep what it computes, here a stand-in for it."""
    before = [(module, dict(vars(module))) for module in root.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)
