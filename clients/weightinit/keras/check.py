"""`check`: measure the signals and gradients of a model with its current weights, on PyTorch and JAX."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from weightinit.adapters.batches import Batch
from weightinit.adapters.check import Role
from weightinit.adapters.signal_report import SignalReport
from weightinit.keras.layers import Layer
from weightinit.keras.tracing.inputs import arrange_batch
from weightinit.keras.tracing.interception import keep_state
from weightinit.keras.walk import walk_layers, walk_variables

Loss = Callable[[Any], Any]


def check(model: Layer, batch: Batch, *, loss: Loss | None = None) -> SignalReport:
    """Run a model forward and backward once; return the variances of signals and gradients by layer.

    Every layer with a kernel and every activation that it calls has a row, in the order of execution. The
    model runs in inference mode, unless the batch sets `training`. `check` restores the variables and the
    global random generators, also after an error. It needs no service. Raises NotImplementedError on the
    TensorFlow and NumPy backends, ModelRejected if there is nothing to measure, and what the model raises.

    Args:
        model: the model or layer, built.
        batch: an array whose first axis counts samples; a tuple of arguments, of which the first may be the
            model's several inputs; or a mapping of keyword arguments.
        loss: returns the scalar to differentiate, given the outputs. Default: the sum of all floating-point
            outputs, each multiplied by a fixed number from N(0, 1), so that the gradient at the outputs has
            variance 1.
    """
    batch = arrange_batch(model, batch)
    match keras.backend.backend():
        case "jax":
            return _check_jax(model, batch, loss)
        case "torch":
            return _check_torch(model, batch, loss)
        case other:
            raise NotImplementedError(f"check supports Keras' backends jax and torch; this one is {other}")


def _check_jax(model: Layer, batch: Batch, loss: Loss | None) -> SignalReport:
    """Check a model as a function of its variables."""
    from weightinit.jax.check import check as check_function  # noqa: PLC0415 - only that backend has it
    from weightinit.jax.models import Applied  # noqa: PLC0415

    paths = {id(place.variable): place.path for place in walk_variables(model)}

    def name(variables: Any) -> list[str]:
        return [paths.get(id(one), one.path) for one in variables]

    names = name(model.trainable_variables), name(model.non_trainable_variables)
    values = {
        path: one.value
        for group, variables in zip(
            names, (model.trainable_variables, model.non_trainable_variables), strict=True
        )
        for path, one in zip(group, variables, strict=True)
    }

    def run(tree: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        trainable, others = ([tree[path] for path in group] for group in names)
        return model.stateless_call(trainable, others, *args, **kwargs)[0]

    with keep_state(model) as state:
        state.note()
        return check_function(Applied(run, values), _convert(batch), loss=loss)


def _check_torch(model: Layer, batch: Batch, loss: Loss | None) -> SignalReport:
    """Check a model as a PyTorch module. Keras layers do not run PyTorch hooks, so `call` is wrapped."""
    from weightinit.torch.check import measure_module  # noqa: PLC0415 - only that backend has it
    from weightinit.torch.checking.parts import Part  # noqa: PLC0415
    from weightinit.torch.checking.snapshot import keep_state as keep_module  # noqa: PLC0415

    parts = {
        layer: Part(path, type(layer).__name__, find_role(layer), isinstance(layer, keras.layers.RNN))
        for path, layer in walk_layers(model)
    }
    walk_variables(model)  # raises for layers that are not built
    with keep_module(model):
        return measure_module(model, parts, _convert(batch), loss, wrap_calls)


@contextmanager
def wrap_calls(recorder: Any) -> Iterator[None]:
    """Report all calls of layers within a block to a recorder."""
    layers = list(recorder.parts)
    try:
        for layer in layers:
            object.__setattr__(layer, "call", wrap_call(layer, layer.call, recorder))
        with recorder:
            yield
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def wrap_call(layer: Layer, call: Callable[..., Any], recorder: Any) -> Callable[..., Any]:
    """Return a layer's call, wrapped to report its inputs and outputs to a recorder."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        recorder.enter(layer, args, kwargs)
        output = call(*args, **kwargs)
        recorded = recorder.leave(layer, args, output)
        return output if recorded is None else recorded

    return wrapped


def find_role(layer: Layer) -> Role | None:
    """Return the role of a layer in a report; None if it has no kernel of its own."""
    if isinstance(layer, keras.layers.Embedding):
        return "lookup"
    if "Normalization" in type(layer).__name__:
        return "norm"
    if isinstance(layer, keras.layers.RNN):
        return "layer"
    own = [*layer._trainable_variables, *layer._non_trainable_variables]  # noqa: SLF001 - no public way
    return "layer" if any(len(variable.shape) > 1 for variable in own) else None


def _convert(batch: Batch) -> Any:
    """Convert the arrays of a batch to tensors of the backend."""
    return keras.tree.map_structure(
        lambda one: keras.ops.convert_to_tensor(one) if hasattr(one, "dtype") else one, batch
    )
