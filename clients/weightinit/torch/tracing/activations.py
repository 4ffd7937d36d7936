"""Find which activation follows each kernel of a PyTorch module, and which products use the kernel.

The module's graph comes from torch.fx (`symbolic`) if that follows all of it with certain results; otherwise
from a run on the meta device (`recording`), on the batch or on guessed inputs (`inputs`); otherwise from
traces of the parts that torch.fx can follow. `adapters.flow` analyses the graph.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from weightinit.adapters.batches import Batch, map_batch, read_batch
from weightinit.adapters.flow.following import Follower
from weightinit.adapters.flow.graph import Node, Role, fold
from weightinit.adapters.flow.inference import NOTHING, Inference, choose, doubt
from weightinit.adapters.rules import ModelRejected
from weightinit.torch.tracing.copying import copy_input, copy_module
from weightinit.torch.tracing.inputs import guess_inputs
from weightinit.torch.tracing.recording import record
from weightinit.torch.tracing.symbolic import Traced, is_own, trace_module, trace_whole
from weightinit.torch.tracing.uses import Use, find_makers, find_rewritten, find_use, read_groups
from weightinit.torch.walk import unwrap

# The most uses of a kernel that are examined; further ones, as in a recurrent layer, are like these.
MAX_USES = 8
DEPTHWISE = ("conv1d", "conv2d", "conv3d")
UNUSED = doubt("its output is not used")


class TorchArrays:
    """Creates and reads PyTorch tensors that stand in for signals."""

    def make(self, values: Any) -> torch.Tensor:  # noqa: ANN401 - an array of NumPy
        """Return a tensor with the values of a NumPy array."""
        return torch.from_numpy(np.array(values))

    def make_indices(self, count: int, shape: Sequence[int], axis: int) -> torch.Tensor:
        """Return a tensor of a shape, whose elements are their positions along an axis, counted from one."""
        lengths = [1] * len(shape)
        lengths[axis] = count
        numbers = torch.arange(1, count + 1, dtype=torch.float64).view(lengths)
        return numbers.expand(*shape)

    def make_filled(self, value: float, shape: Sequence[int]) -> torch.Tensor:
        """Return a tensor of a shape that is filled with a value; integers if the value is an int."""
        dtype = torch.long if isinstance(value, int) else torch.float64
        return torch.full(tuple(shape), value, dtype=dtype)

    def read(self, array: Any) -> Any:  # noqa: ANN401
        """Return a tensor as a NumPy array."""
        return array.detach().numpy() if isinstance(array, torch.Tensor) else np.asarray(array)

    def find_uniform(self, tensor: Any) -> float | None:  # noqa: ANN401
        """Return the value that all elements have; None if they differ or are not in host memory."""
        plain = isinstance(tensor, torch.Tensor) and type(tensor) in {torch.Tensor, nn.Parameter, nn.Buffer}
        if not plain or tensor.device.type != "cpu" or not tensor.numel() or tensor.is_complex():
            return None
        first = tensor.detach().reshape(-1)[0]
        return float(first) if bool((tensor.detach() == first).all()) else None


class ActivationFinder:
    """Finds the activations that follow the kernels of a module, which is traced on first use.

    `batch` is the module's inputs; None to guess them. Raises ModelRejected if the module does not run on the
    batch.
    """

    def __init__(self, root: nn.Module, batch: Batch = None) -> None:
        self._root = unwrap(root)
        self._batch = batch

    @cached_property
    def is_plain(self) -> bool:
        """Whether all modules run PyTorch's own forward, so that only layers use their parameters."""
        return all(map(is_own, self._root.modules()))

    def find(self, parameter: torch.Tensor, layer: nn.Module) -> Inference:
        """Return what follows a kernel; its first use counts."""
        _, findings = self._traced
        return findings.get(id(parameter)) or doubt(self._explain(layer))

    def find_uses(self, parameter: torch.Tensor) -> list[Use]:
        """Return the different ways in which functions, as opposed to layers, use a kernel in a product."""
        products = self.find_products(parameter)[:MAX_USES]
        return list(dict.fromkeys(filter(None, (find_use(node, parameter) for node in products))))

    def find_products(self, parameter: torch.Tensor) -> list[Node]:
        """Return the nodes of the products that use a kernel."""
        return self._products.get(id(parameter), [])

    def is_generator(self, parameter: torch.Tensor) -> bool:
        """Return whether a kernel's output is the kernel of another product."""
        return id(parameter) in self._generators

    def is_rewritten(self, parameter: torch.Tensor) -> bool:
        """Return whether a module's forward changes a parameter in place."""
        return id(parameter) in self._rewritten

    @cached_property
    def _generators(self) -> set[int]:
        nodes = (node for traced in self._traced[0] for node in traced.nodes)
        return {key for node in nodes for source in find_makers(node) for key in source.parameters}

    @cached_property
    def _rewritten(self) -> set[int]:
        nodes = (node for traced in self._traced[0] for node in traced.nodes)
        return {key for node in nodes for key in find_rewritten(node)}

    @cached_property
    def _products(self) -> dict[int, list[Node]]:
        products: dict[int, list[Node]] = {}
        for traced in self._traced[0]:
            for node in traced.nodes:
                for key in node.parameters if node.role is Role.PRODUCT else ():
                    products.setdefault(key, []).append(node)
        return products

    @cached_property
    def _failures(self) -> dict[nn.Module, str]:
        return {}

    @cached_property
    def _traced(self) -> tuple[list[Traced], dict[int, Inference]]:
        """The graphs, and what follows each kernel. The graph of torch.fx suffices if all is certain."""
        nodes = trace_whole(self._root)
        if nodes is not None:
            findings = find_certain(nodes)
            kernels = {id(one) for one in self._root.parameters() if one.ndim > 1}
            if kernels <= findings.keys():
                return [Traced(nodes, "")], findings
        graphs = list(self._trace())
        return graphs, find_all(graphs)

    def _trace(self) -> Iterator[Traced]:
        """Run the module, in both modes if one does not use all kernels; else trace its parts."""
        kernels = {id(one) for one in self._root.parameters() if one.ndim > 1}
        is_recorded = False
        for training in (self._root.training, not self._root.training):
            recorded = self._record(training=training) if kernels else None
            if recorded is not None:
                is_recorded = True
                yield Traced(recorded, "")
                kernels -= {key for node in recorded for key in node.parameters}
        if not is_recorded:
            yield from trace_module(self._root, self._failures, record_part)

    def _record(self, *, training: bool) -> list[Node] | None:
        """Record a run of the module; None if no guess of the inputs fits. Raises ModelRejected."""
        if self._batch is None:
            return record_module(self._root, training=training)
        try:
            return record_batch(self._root, self._batch, training=training)
        except ModelRejected:
            if training is self._root.training:
                raise
            return None

    def _explain(self, layer: nn.Module) -> str:
        """Return why no trace reached a layer: the innermost failure among the modules around it."""
        around = [why for module, why in self._failures.items() if layer in module.modules()]
        return around[-1] if around else "nothing calls it"


def find_certain(nodes: Sequence[Node]) -> dict[int, Inference]:
    """Return what follows each kernel that a graph uses; {} unless all results are certain."""
    follower = Follower(TorchArrays())
    findings: dict[int, list[Inference]] = {}
    for node in nodes:
        uses = [findings.setdefault(key, []) for key in node.parameters] if node.role is Role.PRODUCT else []
        if any(len(known) < MAX_USES for known in uses):
            found = infer(follower, node)
            if found.certainty != "certain":
                return {}
            for known in uses:
                known.append(found)
    return {key: choose(found) for key, found in findings.items()}


def find_all(graphs: Iterable[Traced]) -> dict[int, Inference]:
    """Return what follows each kernel that graphs use, by the id of its parameter.

    A later graph counts only where earlier ones give "unknown". A use with an unused output counts only if
    there is no other.
    """
    findings: dict[int, Inference] = {}
    for traced in graphs:
        follower = Follower(TorchArrays(), traced.outside)
        found: dict[int, list[Inference]] = {}
        for node in traced.nodes:
            for key in node.parameters if node.role is Role.PRODUCT else ():
                known = findings.get(key)
                if (known is None or known.certainty == "unknown") and len(found.get(key, ())) < MAX_USES:
                    found.setdefault(key, []).append(infer(follower, node))
        for key, inferences in found.items():
            seen = [one for one in inferences if one != UNUSED] or inferences
            chosen = choose(seen)
            if traced.doubtful and chosen.certainty == "certain":
                reason = f"{chosen.reason} {traced.doubtful}.".strip()
                chosen = replace(chosen, certainty="guessed", reason=reason)
            if key not in findings or chosen.certainty != "unknown":
                findings[key] = chosen
    return findings


def infer(follower: Follower, node: Node) -> Inference:
    """Return what follows a kernel; the parts are those of a depthwise convolution directly behind it."""
    found = follower.infer(node)
    if found != NOTHING or len(node.users) != 1 or not is_depthwise(node.users[0]):
        return found
    after = follower.infer(node.users[0])
    parts = {name: (length, found) for name, (length, _) in after.parts.items()}
    return replace(found, parts=parts, outputs=after.outputs)


def is_depthwise(node: Node) -> bool:
    """Return whether a product is a depthwise convolution."""
    if isinstance(node.call, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return node.call.groups == node.call.in_channels == node.call.out_channels
    kernel = node.arguments[1] if len(node.arguments) > 1 else None
    if (
        fold(getattr(node.call, "__name__", "")) not in DEPTHWISE
        or not isinstance(kernel, Node)
        or kernel.tensor is None
    ):
        return False
    return read_groups(node) == len(kernel.tensor) and kernel.tensor.shape[1] == 1


def record_batch(module: nn.Module, batch: Batch, *, training: bool) -> list[Node]:
    """Record a run of a module on a batch, of which only shapes and dtypes matter. Raises ModelRejected."""
    try:
        made = copy_module(module)
        made.module.train(training)
        return record(made, *read_batch(map_batch(batch, copy_input)))
    except Exception as error:
        why = next(iter(str(error).splitlines()), "")
        raise ModelRejected(
            f"batch: {type(module).__name__} cannot be traced with it: {type(error).__name__}: {why}"
        ) from error


def record_part(module: nn.Module) -> list[Node] | None:
    """Record a part of a module that cannot be run as a whole."""
    return record_module(module, training=module.training)


def record_module(module: nn.Module, *, training: bool) -> list[Node] | None:
    """Record a run of a module on guessed inputs; None if no guess fits or the module cannot be copied."""
    try:
        made = copy_module(module)
        made.module.train(training)
        for arguments, keywords in guess_inputs(made.module):
            try:
                return record(made, arguments, keywords)
            except Exception:  # noqa: BLE001, S112 - code of the user's, run on stand-ins for tensors
                continue
    except Exception:  # noqa: BLE001 - as above
        return None
    return None
