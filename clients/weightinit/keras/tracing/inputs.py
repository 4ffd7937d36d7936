"""Create symbolic inputs for a model, and find the graph that a functional model already has."""

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
    """Return the graph of a functional or sequential model without its own `call`; None for others."""
    if not isinstance(layer, keras.Model) or not is_own(layer):
        return None
    model = getattr(layer, "_functional", layer)
    return model if getattr(model, "_nodes_by_depth", None) else None


def order_inputs(model: Operation, inputs: Any) -> list[Tensor]:
    """Return the inputs of a functional model in its own order."""
    struct = model._inputs_struct  # noqa: SLF001 - no public way
    if isinstance(inputs, Mapping) and isinstance(struct, Mapping):
        inputs = {key: inputs[key] for key in struct}
    return find_tensors(inputs)


def copy_shape(value: Any) -> Any:
    """Return a symbolic tensor of an array's shape and dtype; other values are returned unchanged."""
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        return value
    return make_tensor(value.shape, keras.backend.standardize_dtype(value.dtype))


def copy_tensor(tensor: Tensor) -> Tensor:
    """Return a new symbolic tensor of the same shape and dtype."""
    return make_tensor(tensor.shape, tensor.dtype)


def fill_tensor(tensor: Tensor) -> Tensor:
    """Return a new symbolic tensor whose lengths are all known, since a callee may read them."""
    return make_tensor(fill_shape(tensor.shape), tensor.dtype)


def infer_einsum(layer: Layer, inputs: Tensor) -> Tensor:
    """Return the output of an EinsumDense, with lengths that Keras' own inference loses."""
    given, _, output = layer.equation.replace(" ", "").partition("->")
    letters, _, kernel = given.partition(",")
    if "." in layer.equation:
        return copy_tensor(layer.compute_output_spec(inputs))
    lengths = dict(zip(letters, inputs.shape, strict=True)) | dict(
        zip(kernel, layer.kernel.shape, strict=True)
    )
    return make_tensor(tuple(lengths[letter] for letter in output), layer.compute_dtype)


def arrange_batch(layer: Layer, batch: Batch) -> Batch:
    """Convert a batch to arguments: several inputs, by name or in a tuple, may be a model's one argument.

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
    """Return possible inputs of a layer: from a batch, its graph, or the shapes that it was built for."""
    if batch is not None:
        return [read_batch(map_batch(arrange_batch(layer, batch), copy_shape))]
    functional = find_functional(layer)
    if functional is None:
        return list(make_inputs(layer))
    tensors = [fill_tensor(tensor) for tensor in functional.inputs]
    return [((keras.tree.pack_sequence_as(functional._inputs_struct, tensors),), {})]  # noqa: SLF001 - no public way


def make_inputs(layer: Layer) -> Iterator[Arguments]:
    """Yield inputs of the shapes that a layer was built for: floating-point numbers, then indices."""
    # A model that was not built by a call contains layers that were; the first likely has the model's inputs.
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
