"""Convert the operations that torch.fx traces to nodes of the adapters' graph."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from torch import nn

from weightinit.adapters.flow.graph import Node, Role, Structure, find_nodes, fold
from weightinit.torch.layers import is_known
from weightinit.torch.tracing.nodes import make_node
from weightinit.torch.tracing.operations import ROLES, TENSOR_ATTRIBUTES


def make_step(
    kind: str,
    target: Any,  # noqa: ANN401 - a function, or the name of a method
    arguments: tuple[Structure, ...],
    keywords: dict[str, Structure],
) -> Node:
    """Return the node for a placeholder, the output, or a call of a function or method in torch.fx."""
    if kind == "placeholder":
        return Node(0, Role.INPUT)
    if kind == "output":
        return Node(0, Role.OUTPUT, "the output", inputs=tuple(dict.fromkeys(find_nodes(arguments))))
    name = getattr(target, "__name__", target)
    folded = fold(name)
    if isinstance(target, type) and issubclass(target, tuple):  # a named tuple, which a forward returns
        folded = "cat"
    if folded == "getattr":
        folded = TENSOR_ATTRIBUTES.get(arguments[1], "size")
    call = make_method(target) if kind == "call_method" else target
    return make_node(folded, f"{name}()", call, arguments, keywords)


def make_module_node(
    path: str, module: nn.Module, arguments: tuple[Structure, ...], keywords: dict[str, Structure], why: str
) -> Node:
    """Return the node for a module called as a whole; `why` it cannot be followed, if so."""
    kind = next((one for one in type(module).__mro__ if fold(one.__name__) in ROLES), type(module))
    node = make_node(fold(kind.__name__), f"{path} ({type(module).__name__})", module, arguments, keywords)
    if why:
        node.role, node.why = Role.UNKNOWN, why
    elif is_known(module) and node.role is Role.UNKNOWN:
        node.role = Role.PRODUCT
    if node.role in {Role.PRODUCT, Role.MIX}:
        node.role = Role.PRODUCT
        node.parameters = frozenset(map(id, module.parameters()))
    return node


@lru_cache(maxsize=256)  # so that calls of one method are equal
def make_method(name: str) -> Callable[..., Any]:
    """Return a function that calls the method of that name on its first argument."""

    def call(tensor: Any, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401 - any tensor and method
        return getattr(tensor, name)(*arguments, **keywords)

    call.__name__ = name
    return call
