"""Aliases: tensors that share memory, so that what changes one of them in place is seen in all.

Stand-ins share none. What is a view of what is noted by the operations that return views, as PyTorch lists
them (Tensor Views); reshape and flatten are taken for views, which they are of tensors that lie in one piece.
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
    """A tensor that is a view of another, by a step. Tensors are known by their ids."""

    source: int
    step: Node


@dataclass(slots=True)
class Aliases:
    """The views of a run. `find` returns the present node of a tensor, and `bind` adds a new one for it."""

    find: Callable[[int], Node]
    bind: Callable[[int, Node], None]
    views: dict[int, View] = field(default_factory=dict)

    def note(self, tensor: int, source: int, step: Node) -> None:
        """Note that a tensor is a view of a source."""
        if tensor != source:
            self.views[tensor] = View(source, step)

    def change(self, tensor: int, before: Node) -> None:
        """Bind what shares memory with a tensor anew, after it was changed; its node was another `before`."""
        chain = self._list_steps(tensor)
        root = chain[0][0] if chain else tensor
        if self.find(root).is_constant and self.find(tensor).is_constant:
            return  # a kernel that is clipped is a kernel still
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
        """List the steps from what a tensor is a view of, each with its source."""
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
    """Return the step of a view again, of what its source has become."""

    def get(node: Node) -> Node:
        return new if node is source or node is step.arguments[0] else node

    arguments = substitute(step.arguments, get)
    inputs = tuple(dict.fromkeys(get(node) for node in step.inputs))
    role = Role.MOVE if step.is_constant and not new.is_constant else step.role
    return replace(step, role=role, arguments=arguments, inputs=inputs, users=[])


def write(
    steps: Sequence[Node], shape: Sequence[int], whole: torch.Tensor | None, part: torch.Tensor
) -> torch.Tensor:
    """Return a whole in which a view, by steps, was overwritten; None for one that the view is all of."""
    made = part.new_empty(tuple(shape)) if whole is None else whole.clone()
    view = made
    for step in steps:
        if step.call is None or len(step.inputs) != 1:
            raise TypeError("the view takes another tensor")
        view = step.call(view, *step.arguments[1:], **step.keywords)
        view = view if step.output is None else view[step.output]
    view.copy_(part)
    return made
