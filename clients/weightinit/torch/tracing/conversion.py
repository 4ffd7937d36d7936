"""Conversion: from a graph of torch.fx's to one of the adapters'."""

import operator
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from torch import fx, nn

from weightinit.adapters.graph import Node, Role, Structure, find_nodes, fold
from weightinit.torch.layers import is_known
from weightinit.torch.tracing.nodes import add_node, make_constant, make_node
from weightinit.torch.tracing.operations import ROLES, TENSOR_ATTRIBUTES

_NONE: Mapping[str, str] = MappingProxyType({})


def convert(
    root: nn.Module, graph: fx.Graph, opaque: Mapping[str, str] = _NONE, broken: Collection[fx.Node] = ()
) -> list[Node]:
    """Make nodes of a graph of fx's; where it broke off, what was computed last ends in what is not known.

    `opaque` are the modules that could not be followed, by their paths, each with the reason, and `broken`
    what was computed inside them.
    """
    modules = dict(root.named_modules())
    nodes: list[Node] = []
    found: dict[fx.Node, Node] = {}
    for step in graph.nodes:
        found[step] = _convert_step(step, found, root, modules, opaque)
        add_node(found[step], nodes)
    if broken:
        why = list(opaque.values())[-1]
        last = tuple(found[step] for step in broken if not found[step].users)
        add_node(Node(0, Role.UNKNOWN, inputs=last, why=why), nodes)
    return nodes


def _convert_step(
    step: fx.Node,
    found: Mapping[fx.Node, Node],
    root: nn.Module,
    modules: Mapping[str, nn.Module],
    opaque: Mapping[str, str],
) -> Node:
    """Make the node of a step."""
    target: Any = step.target
    if step.op == "placeholder":
        return Node(0, Role.INPUT)
    if step.op == "get_attr":
        return make_constant(operator.attrgetter(target)(root))
    arguments, keywords = (_replace(one, found) for one in (step.args, step.kwargs))
    if step.op == "output":
        return Node(0, Role.OUTPUT, "the output", inputs=tuple(dict.fromkeys(find_nodes(arguments))))
    if step.op == "call_module":
        module, why = modules[target], opaque.get(target, "")
        return _make_module_node(target, module, arguments, keywords, why)
    name = getattr(target, "__name__", target)
    folded = fold(name)
    if isinstance(target, type) and issubclass(target, tuple):  # a named tuple, which a forward returns
        folded = "cat"
    if folded == "getattr":
        folded = TENSOR_ATTRIBUTES.get(arguments[1], "size")
    call = _make_method(target) if step.op == "call_method" else target
    return make_node(folded, f"{name}()", call, arguments, keywords)


def _make_module_node(
    path: str, module: nn.Module, arguments: tuple[Structure, ...], keywords: dict[str, Structure], why: str
) -> Node:
    """Make the node of a module that is called as a whole; `why` it cannot be followed, if so."""
    kind = next((one for one in type(module).__mro__ if fold(one.__name__) in ROLES), type(module))
    node = make_node(fold(kind.__name__), f"{path} ({type(module).__name__})", module, arguments, keywords)
    if why:
        node.role, node.why = Role.UNKNOWN, why
    elif is_known(module) and node.role is Role.UNKNOWN:
        node.role = Role.PRODUCT
    if node.role is Role.PRODUCT:
        node.parameters = frozenset(map(id, module.parameters()))
    return node


def _replace(value: Structure, found: Mapping[fx.Node, Node]) -> Structure:
    """Replace the nodes of fx in an argument."""
    if isinstance(value, fx.Node):
        return found[value]
    if isinstance(value, tuple | list):
        items = [_replace(item, found) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {key: _replace(item, found) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(*(_replace(item, found) for item in (value.start, value.stop, value.step)))
    return value


def _make_method(name: str) -> Callable[..., Any]:
    return lambda tensor, *arguments, **keywords: getattr(tensor, name)(*arguments, **keywords)
