"""Inputs: symbolic tensors that a model may be called on, and the graph that it may have already."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from weightinit.adapters.batches import Arguments, Batch, map_batch, read_batch
from weightinit.keras.layers import Layer, Operation, Tensor
from weightinit.keras.tracing.interception import find_tensors
from weightinit.keras.tracing.recording import BATCH, fill_shape, is_own, make_tensor

VARIADIC = frozenset([inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD])


def find_functional(layer: Layer) -> Layer | None:
    """Find the graph that a functional or sequential model has; None for others, or with its own call."""
    if not isinstance(layer, keras.Model) or not is_own(layer):
        return None
    model = getattr(layer, "_functional", layer)
    return model if getattr(model, "_nodes_by_depth", None) else None


def order_inputs(model: Operation, inputs: Any) -> list[Tensor]:
    """Put the inputs of a functional model in its own order."""
    struct = model._inputs_struct  # noqa: SLF001 - no public way
    if isinstance(inputs, Mapping) and isinstance(struct, Mapping):
        inputs = {key: inputs[key] for key in struct}
    return find_tensors(inputs)


def copy_shape(value: Any) -> Any:
    """Make a symbolic tensor of the shape and dtype of an array; what is none is returned."""
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        return value
    return make_tensor(value.shape, keras.backend.standardize_dtype(value.dtype))


def copy_tensor(tensor: Tensor) -> Tensor:
    """Make another symbolic tensor of the same shape."""
    return make_tensor(tensor.shape, tensor.dtype)


def fill_tensor(tensor: Tensor) -> Tensor:
    """Make another symbolic tensor, all of whose lengths are known: what is called with it may ask."""
    return make_tensor(fill_shape(tensor.shape), tensor.dtype)


def infer_einsum(layer: Layer, inputs: Tensor) -> Tensor:
    """Infer what an EinsumDense returns: it forgets the lengths that its kernel does not have."""
    given, _, output = layer.equation.replace(" ", "").partition("->")
    letters, _, kernel = given.partition(",")
    if "." in layer.equation:
        return copy_tensor(layer.compute_output_spec(inputs))
    lengths = dict(zip(letters, inputs.shape, strict=True)) | dict(
        zip(kernel, layer.kernel.shape, strict=True)
    )
    return make_tensor(tuple(lengths[letter] for letter in output), layer.compute_dtype)


def arrange_batch(layer: Layer, batch: Batch) -> Batch:
    """Arrange a batch as arguments: several inputs by name, or in a tuple, are the one that a model takes.

    >>> class Join(keras.Model):
    ...     def call(self, inputs): ...
    >>> arrange_batch(Join(), {"text": 1, "image": 2}), arrange_batch(Join(), {"inputs": 1})
    (({'text': 1, 'image': 2},), {'inputs': 1})
    """
    if isinstance(batch, Mapping):
        named = [one for one in inspect.signature(layer.call).parameters.values() if one.kind not in VARIADIC]
        is_lacking = any(one.default is one.empty and one.name not in batch for one in named)
        return (batch,) if is_lacking and not any(one.name in batch for one in named) else batch
    functional = find_functional(layer)
    if isinstance(batch, tuple) and functional is not None and len(functional.inputs) == len(batch) > 1:
        return (list(batch),)
    return batch


def list_inputs(layer: Layer, batch: Batch = None) -> list[Arguments]:
    """List the inputs that a layer may be called on: of a batch, of its graph, or of how it was built."""
    if batch is not None:
        return [read_batch(map_batch(arrange_batch(layer, batch), copy_shape))]
    functional = find_functional(layer)
    if functional is None:
        return list(make_inputs(layer))
    tensors = [fill_tensor(tensor) for tensor in functional.inputs]
    return [((keras.tree.pack_sequence_as(functional._inputs_struct, tensors),), {})]  # noqa: SLF001 - no public way


def make_inputs(layer: Layer) -> Iterator[Arguments]:
    """Make inputs of the shapes that a layer was built for: of numbers, or of indexes."""
    # A model that is not built by a call has layers that are: the first is likely to have its inputs.
    built = (getattr(one, "_build_shapes_dict", None) or {} for one in layer._flatten_layers())  # noqa: SLF001
    known = ({name: shape for name, shape in one.items() if shape is not None} for one in built)
    shapes = next((found for found in known if found), {})
    required = [
        parameter
        for parameter in inspect.signature(layer.call).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
        and parameter.name not in {"training", "mask"}
    ]
    for dtype in ("float32", "int32"):
        for batch in (BATCH, None):
            made = {name: _make_tensors(shape, dtype, batch) for name, shape in shapes.items()}
            if len(made) == 1:  # Keras keeps the shape of the first argument
                shape = next(iter(shapes.values()))
                others = [_make_tensors(shape, dtype, batch) for _ in required[1:]]
                yield (*made.values(), *others), {}
            elif made:
                yield (), {name.removesuffix("_shape"): value for name, value in made.items()}


def _make_tensors(shape: Any, dtype: str, batch: int | None) -> Any:
    if isinstance(shape, Mapping):
        return {key: _make_tensors(one, dtype, batch) for key, one in shape.items()}
    if all(length is None or isinstance(length, int) for length in shape):
        lengths: Sequence[int | None] = fill_shape(shape) if batch else [None, *shape[1:]]
        return make_tensor(tuple(lengths)[: len(shape)], dtype)
    return [_make_tensors(one, dtype, batch) for one in shape]
