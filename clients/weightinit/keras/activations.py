"""Find which activation follows each kernel of a Keras model.

`tracing` calls the model on symbolic tensors and records the graph; `adapters.flow` analyses it.
"""

import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from weightinit.adapters.batches import Batch
from weightinit.adapters.flow.following import Follower
from weightinit.adapters.flow.graph import Node, Role
from weightinit.adapters.flow.inference import Inference, choose, doubt, merge
from weightinit.keras.layers import Kernel, Layer, Variable
from weightinit.keras.tracing.interception import keep_state
from weightinit.keras.tracing.tracer import trace_model
from weightinit.keras.tracing.uses import is_transposed
from weightinit.spec.layouts import write_out

if TYPE_CHECKING:
    from weightinit.keras.tracing.loops import Failures

MAX_CONSTANT = 1 << 20  # elements of a constant that are compared at most


class KerasArrays:
    """Creates and reads tensors of Keras' backend that stand in for signals."""

    def make(self, values: Any) -> Any:
        """Return a tensor with the values of a NumPy array."""
        return keras.ops.convert_to_tensor(np.array(values), dtype=str(np.asarray(values).dtype))

    def make_indices(self, count: int, shape: Sequence[int], axis: int) -> Any:
        """Return a tensor of a shape, whose elements are their positions along an axis, counted from one."""
        lengths = [1] * len(shape)
        lengths[axis] = count
        numbers = np.arange(1.0, count + 1).reshape(lengths)
        return self.make(np.broadcast_to(numbers, tuple(shape)))

    def make_filled(self, value: float, shape: Sequence[int]) -> Any:
        """Return a tensor of a shape that is filled with a value; integers if the value is an int."""
        return self.make(np.full(tuple(shape), value, dtype="int32" if isinstance(value, int) else "float64"))

    def read(self, array: Any) -> Any:
        """Return a tensor as a NumPy array."""
        return np.asarray(keras.ops.convert_to_numpy(array))

    def find_uniform(self, tensor: Any) -> float | None:
        """Return the value that all elements have; None if they differ or are too many."""
        if isinstance(tensor, int | float):
            return float(tensor)
        size = int(np.prod(tensor.shape))
        if not 0 < size <= MAX_CONSTANT:
            return None
        values = np.asarray(keras.ops.convert_to_numpy(tensor)).ravel()
        return float(values[0]) if (values == values[0]).all() else None


class ActivationFinder:
    """Finds the activations that follow the kernels of a model.

    The model is traced on first use in inference mode, and in training mode for kernels that inference does
    not use. `batch` is the model's inputs; None for the inputs that it was built for. Raises ModelRejected if
    the model cannot be traced on the batch.
    """

    def __init__(self, root: Layer, batch: Batch = None) -> None:
        self._root = root
        self._batch = batch
        self._failures: Failures = {}
        self._products: dict[int, list[Node]] = {}
        self._constant: list[Node] = []  # products with a constant that was computed from variables alone

    def find_products(self, variable: Variable) -> list[Node]:
        """Return the nodes of the products that use a variable."""
        return self._products.get(id(variable), []) if self._predicting or self._training else []

    def is_head(self, table: Variable) -> bool:
        """Return whether an embedding's table is also the kernel of a product that makes logits."""
        products = self.find_products(table)  # traces the model
        return any(is_transposed(node, table) for node in [*products, *self._constant])

    def find(self, variable: Variable, layer: Layer, kernel: Kernel) -> Inference:
        """Return what follows a kernel; of several uses the first counts."""
        found = self._predicting.get(id(variable)) or self._training.get(id(variable))
        if not found:
            return doubt(self.explain_failure(layer) or "nothing calls it")
        first = choose(found)
        return fit(first, kernel, tuple(variable.shape)) if first.parts or first.outputs else first

    @cached_property
    def _predicting(self) -> dict[int, list[Inference]]:
        return self._follow(training=False)

    @cached_property
    def _training(self) -> dict[int, list[Inference]]:
        return {} if self._failures else self._follow(training=True)

    def _follow(self, *, training: bool) -> dict[int, list[Inference]]:
        """Return what follows each use of each kernel, by the id of the variable.

        Warnings of the traced calls are suppressed, since the caller did not make them.
        """
        findings: dict[int, list[Inference]] = {}
        with keep_state(self._root) as state, warnings.catch_warnings(action="ignore"):
            graphs = list(
                trace_model(self._root, state, self._failures, batch=self._batch, training=training)
            )
            with evaluate():
                for traced in graphs:
                    follower = Follower(KerasArrays(), traced.outside)
                    self._constant += filter(applies_constant, traced.nodes)
                    for node in traced.nodes:
                        for key in node.parameters if node.role is Role.PRODUCT else ():
                            findings.setdefault(key, []).append(follower.infer(node))
                            self._products.setdefault(key, []).append(node)
        return findings

    def explain_failure(self, layer: Layer) -> str:
        """Return why no trace reached a layer: the innermost failure around it, or ""."""
        around = [
            why
            for failed, why in self._failures.values()
            if any(one is layer for one in failed._flatten_layers())  # noqa: SLF001 - no public way
        ]
        return around[-1] if around else ""


def applies_constant(node: Node) -> bool:
    """Return whether a node is a product with a constant matrix that is not a variable."""
    operands = [one for one in node.arguments if isinstance(one, Node)]
    return node.role is Role.PRODUCT and any(
        one.is_constant and not one.parameters and len(one.shape or ()) == 2 for one in operands
    )


def fit(found: Inference, kernel: Kernel, shape: tuple[int, ...]) -> Inference:
    """Adapt the parts found behind a kernel to its shape; a kernel that cannot be split stays whole."""
    layout = write_out(kernel.layer.get("layout", "keras"), len(shape))
    is_cut = not found.parts or sum(length for length, _ in found.parts.values()) == shape[-1]
    if "groups" in kernel.layer or not layout.endswith("O") or not is_cut:
        parts = [inference for _, inference in found.parts.values()] or [replace(found, outputs=None)]
        return merge(parts, "parts of its outputs are used in several ways")
    if found.outputs is not None and "layout" not in kernel.layer:
        return replace(found, outputs=found.outputs * math.prod(shape[:-2]))  # for each window position
    return found


@contextmanager
def evaluate() -> Iterator[None]:
    """Evaluate operations in double precision within a block, without assigning variables."""
    with keras.StatelessScope():
        if keras.backend.backend() == "jax":
            jax = sys.modules["jax"]
            is_new = hasattr(jax, "enable_x64")
            with (jax.enable_x64 if is_new else jax.experimental.enable_x64)(True):  # noqa: FBT003 - JAX's
                yield
        else:
            yield
