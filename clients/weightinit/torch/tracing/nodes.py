"""Create graph nodes from PyTorch's tensors and operations."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from weightinit.adapters.flow.graph import Node, Role, Structure, collect_parameters, find_nodes
from weightinit.torch.tracing.operations import (
    ACTIVATIONS,
    COMPARISONS,
    DROPS,
    FILLED,
    FILLS,
    KERNEL_ARGUMENTS,
    MIXES,
    OUTPUT_AXES,
    ROLES,
)


def make_node(
    name: str,
    label: str,
    call: Callable[..., Any],
    arguments: tuple[Structure, ...],
    keywords: dict[str, Structure],
) -> Node:
    """Return the node of an operation, by its normalized name; nodes in the arguments stand for tensors."""
    inputs = tuple(dict.fromkeys(find_nodes((arguments, keywords))))
    role = ROLES.get(name, Role.UNKNOWN)
    parameters: frozenset[int] = frozenset()
    if name in FILLS or name in FILLED:
        role, inputs = Role.CONSTANT, ()  # it may use the shape of an input, but not its values
    elif name in {"max", "min"} and len(arguments) > 1 and isinstance(arguments[1], Node):
        role = Role.ELEMENTWISE
    if role is Role.PRODUCT:
        places = KERNEL_ARGUMENTS.get(name)
        given = [arguments[place] for place in places if place < len(arguments)] if places else inputs
        kernels = given or [keywords.get("weight")]
        parameters = collect_parameters(one for one in kernels if isinstance(one, Node))
        if not parameters and name in MIXES:
            role = Role.MIX
    elif inputs and all(source.role is Role.IGNORED for source in inputs):
        role = Role.IGNORED  # arithmetic with sizes
    elif all(source.is_constant or source.role is Role.IGNORED for source in inputs):
        role, parameters = Role.CONSTANT, collect_parameters(inputs)
    elif role is Role.SPLIT and isinstance(arguments[0], Node) and arguments[0].is_constant:
        role, parameters = Role.CONSTANT, arguments[0].parameters  # kernels that are selected by index
    values: Node | None = None
    if name == "scaleddotproductattention":
        values = arguments[2] if len(arguments) > 2 else keywords.get("value")
    return Node(
        0,
        role,
        label,
        STAND_INS.get(name, call),
        arguments,
        keywords,
        inputs,
        activation=ACTIVATIONS.get(name),
        parameters=parameters,
        axis=OUTPUT_AXES.get(name, -1),
        is_mask=name in COMPARISONS,
        values=values,
    )


def keep(*arguments: Structure, **keywords: Structure) -> Structure:
    """Return the first argument unchanged, in place of a call that drops elements at random."""
    return arguments[0] if arguments else keywords["input"]


def assign(tensor: torch.Tensor, place: Structure, value: Structure) -> torch.Tensor:
    """Return a copy of a tensor in which a part is replaced by a value."""
    changed = tensor.clone()
    changed[place] = value
    return changed


STAND_INS: dict[str, Callable[..., Any]] = {**dict.fromkeys(DROPS, keep), "setitem": assign}


def add_node(node: Node, nodes: list[Node]) -> None:
    """Append a node to a graph and register it as a user of its inputs."""
    node.index = len(nodes)
    nodes.append(node)
    for source in node.inputs:
        source.users.append(node)


def make_constant(tensor: torch.Tensor | nn.Module) -> Node:
    """Return the node of a parameter, a buffer or another value that does not depend on inputs."""
    keys = frozenset([id(tensor)]) if isinstance(tensor, nn.Parameter) else frozenset()
    return Node(0, Role.CONSTANT, tensor=tensor, parameters=keys)


def read_fill(
    name: str, arguments: Sequence[Structure], keywords: dict[str, Structure]
) -> torch.Tensor | None:
    """Return the value of a tensor created by a fill operation; None if it is not constant."""
    value = FILLS.get(name)
    if name in FILLED:
        place = FILLED[name]
        given = arguments[place] if place < len(arguments) else keywords.get("fill_value")
        value = float(given) if isinstance(given, int | float) else None
    return None if value is None else torch.tensor(value)
