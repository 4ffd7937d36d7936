"""Record the outputs of a module's parts during a run, and the gradients at these outputs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from weightinit.adapters.batches import Arguments, Batch, map_batch, read_batch
from weightinit.adapters.check import Moments, Signal
from weightinit.torch.checking.parts import Part, is_normalizing, name_function


@dataclass(slots=True)
class Call:
    """A call of a module that has not returned yet."""

    module: nn.Module
    received: torch.Tensor | None
    recorded: bool = False


class Recorder(TorchFunctionMode):
    """Records outputs of modules and functions. `probes` are zeros added to outputs that need a gradient."""

    def __init__(self, parts: Mapping[nn.Module, Part]) -> None:
        super().__init__()
        self.parts = parts
        self.signals: list[Signal] = []
        self.probes: list[torch.Tensor] = []
        self.calls: list[Call] = []
        self.layers: dict[Any, Signal] = {}  # by the autograd node of their output

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Record all calls of modules and functions in a block, after the modules' own hooks."""
        handles = [
            handle
            for module in self.parts
            for handle in (
                module.register_forward_pre_hook(self.enter, with_kwargs=True),
                module.register_forward_hook(self.leave),
            )
        ]
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def prepare(self, batch: Batch) -> Arguments:
        """Return the arguments of a batch as copies that get a gradient."""
        return read_batch(map_batch(batch, self.copy))

    def copy(self, value: Any) -> Any:  # noqa: ANN401 - what a forward takes
        """Copy a tensor and record it if it is floating-point; return other values unchanged."""
        if not isinstance(value, torch.Tensor):
            return value
        copied = value.detach().clone()
        return self.record(Part("", "input", "input"), copied) if is_float(value) else copied

    def probe(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor with the same values that gets a gradient."""
        zero = torch.zeros((), dtype=tensor.dtype, device=tensor.device, requires_grad=True)
        self.probes.append(zero)
        return tensor + zero

    def finish(self, outputs: Any) -> None:  # noqa: ANN401 - what a forward returns
        """Record the outputs of the model."""
        for tensor in find_tensors(outputs):
            self.record(Part("", "output", "output"), tensor, tensor)

    def enter(self, module: nn.Module, *arguments: Any) -> None:  # noqa: ANN401
        """Record that a module was called (a forward pre-hook)."""
        self.calls.append(Call(module, next(find_tensors(arguments), None)))

    def leave(self, module: nn.Module, _args: Any, output: Any) -> Any:  # noqa: ANN401
        """Record a module's output, unless it was recorded before its activation (a forward hook)."""
        call = self.calls.pop()
        while call.module is not module:  # it raised an exception that its caller caught
            call = self.calls.pop()
        part = self.parts[module]
        tensor = next(find_tensors(output), None)
        if part.role is None or call.recorded or tensor is None:
            return None
        if part.role == "norm" and not is_normalizing(module):
            return None
        recorded = self.record(part, tensor, call.received)
        return recorded if output is tensor else None

    def record(self, part: Part, tensor: torch.Tensor, received: torch.Tensor | None = None) -> torch.Tensor:
        """Record a tensor and later its gradient; return it, or a copy that gets a gradient."""
        asked = to_numpy(received) if received is not None and part.role in {"layer", "output"} else None
        signal = Signal.of(part.name, part.kind, part.role or "activation", to_numpy(tensor), asked)
        self.signals.append(signal)
        if received is not None and part.role in {"layer", "output"}:
            signal.sources = [*self.find_sources(received.grad_fn)]
        if not tensor.requires_grad and torch.is_grad_enabled():
            tensor = self.probe(tensor)

        def keep(gradient: torch.Tensor) -> None:
            signal.gradient = Moments.of(to_numpy(gradient))

        if part.role in {"input", "layer", "lookup"} and tensor.grad_fn is not None:
            self.layers[tensor.grad_fn] = signal
        if tensor.requires_grad:
            tensor.register_hook(keep)  # type: ignore[no-untyped-call]
        return tensor

    def find_sources(self, node: Any) -> Iterator[Signal]:  # noqa: ANN401 - a node of autograd's graph
        """Yield the nearest layers that a tensor derives from, given its autograd node."""
        waiting, seen = [node], {None}
        while waiting:
            node = waiting.pop()
            if node in self.layers:
                yield self.layers[node]
            elif node not in seen:
                waiting += [before for before, _ in node.next_functions]
            seen.add(node)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Record the output of an activation function."""
        kwargs = kwargs or {}
        call = self.calls[-1] if self.calls else None
        part = self.parts[call.module] if call else Part("")
        tensor: Any = args[0] if args else kwargs.get("input")
        if (
            part.is_whole
            or part.role == "activation"
            or not is_signal(tensor)
            or not (name := name_function(func, args, kwargs))
        ):
            return func(*args, **kwargs)
        if call and part.role == "layer" and not call.recorded and tensor is not call.received:
            # The layer's own activation: its input is the kernel's output.
            call.recorded = True
            recorded = self.record(part, tensor, call.received)
            args, kwargs = ((recorded, *args[1:]), kwargs) if args else (args, {**kwargs, "input": recorded})
        output = func(*args, **kwargs)
        own = f"{part.name}.{name}" if part.name else name
        return self.record(Part(own, name, "activation"), output)


def is_signal(value: Any) -> bool:  # noqa: ANN401
    """Return whether an argument is a signal: it gets a gradient and is not a parameter."""
    return isinstance(value, torch.Tensor) and value.requires_grad and not isinstance(value, nn.Parameter)


def find_tensors(value: Any) -> Iterator[torch.Tensor]:  # noqa: ANN401 - what a forward returns
    """Yield the floating-point tensors in nested tuples, lists, mappings and dataclasses."""
    if isinstance(value, torch.Tensor):
        if is_float(value):
            yield value
        return
    items: Iterable[Any] = ()
    if isinstance(value, Mapping):
        items = value.values()
    elif isinstance(value, list | tuple):
        items = value
    elif is_dataclass(value) and not isinstance(value, type):
        items = (getattr(value, field.name) for field in fields(value))
    for item in items:
        yield from find_tensors(item)


def is_float(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is floating-point or complex."""
    return tensor.is_floating_point() or tensor.is_complex()


def to_numpy(tensor: torch.Tensor) -> Any:  # noqa: ANN401 - an array
    """Return the values of a tensor as a NumPy array, half precision as float32."""
    with torch._C.DisableTorchFunction():  # noqa: SLF001 - no public way
        plain = tensor.detach().cpu()
        half = plain.is_floating_point() and plain.dtype != torch.float64
        return (plain.float() if half else plain).resolve_conj().numpy()
