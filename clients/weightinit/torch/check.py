"""`check`: measure the signals and gradients of a module with its current weights.

A signal is a layer's output in the forward pass. The Keras adapter reuses `measure_module` on its PyTorch
backend.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from weightinit.adapters.batches import Batch
from weightinit.adapters.check import build_report, make_projections, number_calls
from weightinit.adapters.rules import ModelRejected
from weightinit.adapters.signal_report import SignalReport
from weightinit.torch.checking.parts import Part, name_parts
from weightinit.torch.checking.recorder import Recorder, find_tensors
from weightinit.torch.checking.snapshot import keep_state
from weightinit.torch.readiness import check_scripted
from weightinit.torch.walk import unwrap

Loss = Callable[[Any], torch.Tensor]


def check(model: nn.Module, batch: Batch, *, loss: Loss | None = None) -> SignalReport:
    """Run a module forward and backward once; return the variances of signals and gradients by layer.

    Every module with a kernel and every activation, a module or a function, has a row, in the order of
    execution. The module runs in its current mode, train or eval. `check` restores the module, its buffers
    and gradients, the batch and the global random generators, also after an error; for that it copies the
    module's tensors. It needs no service. Raises ModelRejected if there is nothing to measure, and what the
    module raises.

    Args:
        model: the module, with its weights.
        batch: a tensor whose first axis counts samples; a tuple of arguments; or a mapping of keyword
            arguments.
        loss: returns the scalar to differentiate, given the outputs. Default: the sum of all floating-point
            outputs, each multiplied by a fixed number from N(0, 1), so that the gradient at the outputs has
            variance 1.
    """
    root = unwrap(model)
    check_ready(root)
    with keep_state(root):
        return measure_module(root, name_parts(root), batch, loss)


def measure_module(
    root: nn.Module,
    parts: Mapping[nn.Module, Part],
    batch: Batch,
    loss: Loss | None,
    listen: Callable[[Recorder], AbstractContextManager[None]] = Recorder.listen,
) -> SignalReport:
    """Measure the signals of a module, given the names and roles of its parts. Changes the module's state."""
    recorder = Recorder(parts)
    with run_eagerly(), torch.inference_mode(mode=False), torch.enable_grad():
        args, kwargs = recorder.prepare(batch)
        with listen(recorder):
            outputs = root(*args, **kwargs)
        recorder.finish(outputs)
        if not any(signal.role == "layer" for signal in recorder.signals):
            raise ModelRejected(f"no layer with a kernel ran in {type(root).__name__}: nothing to check")
        derive(outputs, loss, [*filter_trainable(root), *recorder.probes])
    number_calls(recorder.signals)
    return build_report(recorder.signals)


def check_ready(root: nn.Module) -> None:
    """Check that a module's tensors have values and that it is not scripted. Raises ModelRejected."""
    check_scripted(root)
    for name, tensor in (*root.named_parameters(), *root.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            raise ModelRejected(f"{name!r} has no shape yet: call the module once")
        if tensor.is_meta:
            raise ModelRejected(
                f"{name!r} is on the meta device and has no values: load or initialize the model first"
            )


def derive(outputs: Any, loss: Loss | None, inputs: list[torch.Tensor]) -> None:  # noqa: ANN401
    """Compute the gradients of outputs with respect to inputs, without changing any `.grad`.

    Raises ModelRejected and ValueError.
    """
    found = list({id(tensor): tensor for tensor in find_tensors(outputs)}.values())
    if not found:
        raise ModelRejected("the model returns no floating-point tensor: there is nothing to differentiate")
    if loss is None:
        numbers = make_projections(tensor.shape for tensor in found)
        given = [torch.as_tensor(rows).to(tensor) for rows, tensor in zip(numbers, found, strict=True)]
        pairs = list(zip(found, given, strict=True))
    else:
        scalar: Any = loss(outputs)
        if not isinstance(scalar, torch.Tensor) or scalar.numel() != 1:
            raise ValueError(f"loss must return a tensor with one element; received {scalar!r}")
        pairs = [(scalar, torch.ones_like(scalar))]
    pairs = [(tensor, weight) for tensor, weight in pairs if tensor.requires_grad]
    if pairs and inputs:
        derived, weights = map(list, zip(*pairs, strict=True))
        with explain_checkpoints():
            torch.autograd.grad(derived, inputs, weights, allow_unused=True)


@contextmanager
def explain_checkpoints() -> Iterator[None]:
    """Raise ModelRejected, with what to do, where a reentrant checkpoint stops the gradient."""
    try:
        yield
    except RuntimeError as error:
        if "use_reentrant" not in str(error):
            raise
        raise ModelRejected(
            "no gradients pass through a reentrant checkpoint: "
            "call torch.utils.checkpoint.checkpoint with use_reentrant=False"
        ) from error


def filter_trainable(root: nn.Module) -> list[torch.Tensor]:
    """Return the parameters that require a gradient."""
    return [parameter for parameter in root.parameters() if parameter.requires_grad]


@contextmanager
def run_eagerly() -> Iterator[None]:
    """Run compiled modules eagerly within a block, because hooks do not see compiled code."""
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
