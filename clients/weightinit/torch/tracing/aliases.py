"""Track tensors that share memory, so that an in-place change of one is seen in all of them.

Stand-ins (see `stand_ins`) do not share memory. Views are recorded by operation, after PyTorch's list (Tensor
Views); reshape and flatten count as views, which they are for contiguous tensors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from weightinit.adapters.flow.graph import Node, Role, substitute

# fmt: off
_NAMES = """
    adjoint asstrided chunk detach diagonal dsplit expand expandas flatten getitem hsplit imag
    moveaxis movedim narrow permute ravel real reshape reshapeas select split splitwithsizes squeeze
    swapaxes swapdims t tensorsplit transpose unbind unflatten unfold unsqueeze view viewas
    viewascomplex viewasreal vsplit
"""
# fmt: on
VIEWS = frozenset(_NAMES.split())


@dataclass(slots=True)
class View:
    """A view of another tensor, identified by id, and the node of the operation that made it."""

    source: int
    step: Node


@dataclass(slots=True)
class Aliases:
    """The views of a run. `find` returns the current node of a tensor's id; `bind` sets a new one."""

    find: Callable[[int], Node]
    bind: Callable[[int, Node], None]
    views: dict[int, View] = field(default_factory=dict)

    def note(self, tensor: int, source: int, step: Node) -> None:
        """Record that a tensor is a view of a source."""
        if tensor != source:
            self.views[tensor] = View(source, step)

    def change(self, tensor: int, before: Node) -> None:
        """Update the nodes of all tensors that share memory with a changed one; `before` is its old node."""
        chain = self._list_steps(tensor)
        root = chain[0][0] if chain else tensor
        if self.find(root).is_constant and self.find(tensor).is_constant:
            return  # a clipped kernel is still a kernel
        if chain:
            steps = [step for _, step in chain]
            old = self.find(root)
            new = self.find(tensor)
            given = (old, new) if any(step.role is Role.SPLIT for step in steps) else (None, new)
            inputs = tuple(node for node in given if node is not None)
            call = partial(write, steps, old.shape or ())
            self.bind(root, Node(0, Role.MOVE, new.label, call, given, {}, inputs, shape=old.shape))
        for other, view in list(self.views.items()):
            if other != tensor and self._find_root(other) == root:
                source = before if view.source == tensor else view.step.arguments[0]
                self.bind(other, renew(view.step, source, self.find(view.source)))

    def _list_steps(self, tensor: int) -> list[tuple[int, Node]]:
        """Return the operations from the base tensor to a view, each with the id of its source."""
        steps: list[tuple[int, Node]] = []
        while tensor in self.views:
            view = self.views[tensor]
            steps.append((view.source, view.step))
            tensor = view.source
        return steps[::-1]

    def _find_root(self, tensor: int) -> int:
        while tensor in self.views:
            tensor = self.views[tensor].source
        return tensor


def renew(step: Node, source: object, new: Node) -> Node:
    """Return a view's node with its source replaced by a new node."""

    def get(node: Node) -> Node:
        return new if node is source or node is step.arguments[0] else node

    arguments = substitute(step.arguments, get)
    inputs = tuple(dict.fromkeys(get(node) for node in step.inputs))
    role = Role.MOVE if step.is_constant and not new.is_constant else step.role
    return replace(step, role=role, arguments=arguments, inputs=inputs, users=[])


def write(
    steps: Sequence[Node], shape: Sequence[int], whole: torch.Tensor | None, part: torch.Tensor
) -> torch.Tensor:
    """Return the base tensor after a view of it was overwritten; `whole` is None if the view covers it."""
    made = part.new_empty(tuple(shape)) if whole is None else whole.clone()
    view = made
    for step in steps:
        if step.call is None or len(step.inputs) != 1:
            raise TypeError("the view takes another tensor")
        view = step.call(view, *step.arguments[1:], **step.keywords)
        view = view if step.output is None else view[step.output]
    view.copy_(part)
    return made
